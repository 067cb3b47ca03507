/* SPDX-License-Identifier: Apache-2.0 */
/* Guards that pauses grow, that they end at the most, and that a success begins anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/base.h"

/* The next pause is one of `whole_ms`, by chance as little as half of that. */
static void
expect_pause(struct backoff *backoff, uint64_t whole_ms)
{
	assert_in_range(backoff_failed(backoff), whole_ms - whole_ms / 2, whole_ms);
}

static void
test_each_pause_is_twice_the_one_before(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 1000, 15000);
	for (uint64_t whole_ms = 1000; whole_ms < 15000; whole_ms *= 2)
		expect_pause(&backoff, whole_ms);
	for (unsigned i = 0; i < 1000; i++)
		expect_pause(&backoff, 15000);
	backoff_succeeded(&backoff);
	expect_pause(&backoff, 1000);
	expect_pause(&backoff, 2000);
}

static void
test_the_most_is_no_less_than_the_first(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 60000, 15000);
	for (unsigned i = 0; i < 3; i++)
		expect_pause(&backoff, 60000);
}

static void
test_bounds(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 1, 1);
	for (unsigned i = 0; i < 3; i++)
		expect_pause(&backoff, 1);
	/* nothing overflows on the way there */
	backoff_init(&backoff, 3, UINT64_MAX);
	for (unsigned i = 0; i < 100; i++)
		(void)backoff_failed(&backoff);
	expect_pause(&backoff, UINT64_MAX);
}

static void
test_two_do_not_go_in_step(void **state)
{
	struct backoff one, other;
	unsigned same = 0;

	(void)state;
	backoff_init(&one, 1000000, 1000000);
	backoff_init(&other, 1000000, 1000000);
	for (unsigned i = 0; i < 100; i++)
		same += backoff_failed(&one) == backoff_failed(&other);
	assert_true(same < 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_pause_is_twice_the_one_before),
		cmocka_unit_test(test_the_most_is_no_less_than_the_first),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_two_do_not_go_in_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
