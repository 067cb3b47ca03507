/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of alarms: what counts as a sight, and as the last one.
 *
 * Guards the figures of `make bench` about consoles.  Counting a later change of the
 * same alarm as a sight, the last console is too early by one in
 * test_a_later_change_is_no_sight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/alarm_book.h"

enum { CONTROLLER = 3, SEQ = 7, POSITION = 500 };

static void
test_the_last_console_ends_it(void **state)
{
	struct alarm_book book = {.consoles = 3};

	(void)state;
	assert_true(alarm_book_sent(&book, CONTROLLER, SEQ, 1000));
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION, 1010);
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION, 1020);
	assert_int_equal(book.last.n, 0);
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION, 1040);
	assert_int_equal(book.last.n, 1);
	assert_int_equal(book.last.max_ns, 40);
	assert_int_equal(book.latency.n, 3);
	assert_int_equal(book.seen, 1);
	alarm_book_free(&book);
}

static void
test_a_later_change_is_no_sight(void **state)
{
	struct alarm_book book = {.consoles = 2};

	(void)state;
	assert_true(alarm_book_sent(&book, CONTROLLER, SEQ, 1000));
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION, 1010);
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION + 1, 1020);
	assert_int_equal(book.last.n, 0);
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION, 1030);
	assert_int_equal(book.last.max_ns, 30);
	assert_int_equal(book.latency.n, 2);
	alarm_book_free(&book);
}

static void
test_without_a_number_of_consoles_there_is_no_last(void **state)
{
	struct alarm_book book = {0};

	(void)state;
	assert_true(alarm_book_sent(&book, CONTROLLER, SEQ, 1000));
	assert_false(alarm_book_sent(&book, CONTROLLER, SEQ, 2000));
	alarm_book_seen(&book, CONTROLLER, SEQ, POSITION, 1010);
	assert_int_equal(book.last.n, 0);
	assert_int_equal(book.latency.max_ns, 10);
	alarm_book_free(&book);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_console_ends_it),
		cmocka_unit_test(test_a_later_change_is_no_sight),
		cmocka_unit_test(test_without_a_number_of_consoles_there_is_no_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
