/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared holes: against a model that marks each number, over all sorts of orders.
 * Seen to fail where a piece in the middle lost its second half, and where pieces over
 * the bound were forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/gaps.h"

enum { NUMBERS = 40 };

static void
a_hole_is_filled_by_its_last_number(void **state)
{
	struct gaps gaps = {0};
	struct gap filled = {0};

	(void)state;
	gaps_add(&gaps, 5, 7);
	gaps_add(&gaps, 5, 7); /* said twice */
	assert_int_equal(gaps.n, 1);
	assert_false(gaps_has(&gaps, 4));
	assert_true(gaps_has(&gaps, 5));
	assert_false(gaps_take(&gaps, 6, &filled));
	assert_false(gaps_has(&gaps, 6));
	assert_false(gaps_take(&gaps, 6, &filled)); /* a double */
	assert_false(gaps_take(&gaps, 5, &filled));
	assert_true(gaps_take(&gaps, 7, &filled));
	assert_int_equal(filled.whole_from, 5);
	assert_int_equal(filled.whole_to, 7);
	assert_int_equal(gaps.n, 0);
}

static void
each_hole_is_filled_by_itself(void **state)
{
	struct gaps gaps = {0};
	struct gap filled;

	(void)state;
	gaps_add(&gaps, 2, 2);
	gaps_add(&gaps, 9, 10);
	assert_true(gaps_take(&gaps, 2, &filled));
	assert_int_equal(filled.whole_to, 2);
	assert_int_equal(gaps.n, 1);
	assert_false(gaps_take(&gaps, 10, &filled));
	assert_true(gaps_take(&gaps, 9, &filled));
	assert_int_equal(filled.whole_from, 9);
	assert_int_equal(gaps.n, 0);
}

/* Whatever is missing is known to be missing, also when there are more pieces than fit;
 * and when all came, nothing is. */
static void
nothing_missing_is_ever_taken_for_a_double(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 500; seed++) {
		bool missing[NUMBERS] = {false};
		struct gaps gaps = {0};
		struct gap filled;
		uint32_t random = seed;

		for (uint64_t at = 1; at < NUMBERS - 4; at += 3 + random % 5) {
			random = random * 1664525u + 1013904223u;
			uint64_t to = at + (random >> 16) % 3;

			gaps_add(&gaps, at, to);
			for (uint64_t i = at; i <= to; i++)
				missing[i] = true;
		}
		for (int i = 0; i < 4000; i++) {
			random = random * 1664525u + 1013904223u;
			uint64_t seq = (random >> 8) % NUMBERS;

			(void)gaps_take(&gaps, seq, &filled);
			missing[seq] = false;
			for (uint64_t k = 0; k < NUMBERS; k++)
				assert_true(!missing[k] || gaps_has(&gaps, k));
		}
		assert_int_equal(gaps.n, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_is_filled_by_its_last_number),
		cmocka_unit_test(each_hole_is_filled_by_itself),
		cmocka_unit_test(nothing_missing_is_ever_taken_for_a_double),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
