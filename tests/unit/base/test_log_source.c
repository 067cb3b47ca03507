/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per source and interval: seen to fail with the interval ignored, and
 * with the oldest source kept for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/log_source.h"

enum { AN_HOUR_MS = 3600 * 1000 };

static bool
ok(const char *name, uint64_t *held_back)
{
	return log_source_ok(name, strlen(name), AN_HOUR_MS, held_back);
}

static void
each_source_has_a_pace_of_its_own(void **state)
{
	uint64_t held_back = 99;

	(void)state;
	assert_true(ok("10.0.0.1", &held_back));
	assert_int_equal(held_back, 0);
	assert_false(ok("10.0.0.1", &held_back));
	assert_true(ok("10.0.0.2", &held_back));
	assert_false(ok("10.0.0.2", &held_back));
}

static void
what_was_held_back_is_counted(void **state)
{
	uint64_t held_back = 99;

	(void)state;
	assert_true(log_source_ok("counted", 7, 0, &held_back));
	assert_true(ok("counted", &held_back));
	assert_int_equal(held_back, 0);
	for (int i = 0; i < 5; i++)
		assert_false(ok("counted", &held_back));
}

static void
the_book_is_bounded_and_forgets_the_oldest(void **state)
{
	uint64_t held_back;
	char name[32];

	(void)state;
	assert_true(ok("the oldest", &held_back));
	for (int i = 0; i < LOG_SOURCES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "source %d", i);
		assert_true(ok(name, &held_back));
	}
	assert_false(ok(name, &held_back));
	assert_true(ok("the oldest", &held_back));
}

static void
a_long_name_is_cut(void **state)
{
	char name[200];
	uint64_t held_back;

	(void)state;
	memset(name, 'x', sizeof(name));
	assert_true(log_source_ok(name, sizeof(name), AN_HOUR_MS, &held_back));
	assert_false(log_source_ok(name, LOG_SOURCE_BYTES, AN_HOUR_MS, &held_back));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_source_has_a_pace_of_its_own),
		cmocka_unit_test(what_was_held_back_is_counted),
		cmocka_unit_test(the_book_is_bounded_and_forgets_the_oldest),
		cmocka_unit_test(a_long_name_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
