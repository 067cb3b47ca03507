/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated dispatcher: takes the share that he is to take, each alarm once, in time,
 * none that somebody else has taken, and the same ones again in another run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/dispatcher.h"

enum { ALARMS = 10000, DELAY_MS = 500 };

static size_t
takes(double percent, uint64_t seed)
{
	struct dispatcher dispatcher;
	struct in_hand taken;
	size_t n = 0;

	dispatcher_init(&dispatcher, percent, DELAY_MS, seed);
	for (uint64_t id = 1; id <= ALARMS; id++) {
		dispatcher_see(&dispatcher, id, 1, true, 1000);
		if (!dispatcher_take(&dispatcher, 1000 + DELAY_MS, &taken))
			continue;
		assert_true(taken.alarm_id == id && taken.change == 1);
		assert_false(dispatcher_take(&dispatcher, UINT64_MAX, &taken));
		n++;
	}
	return n;
}

static void
the_share_is_that_which_was_asked_for(void **state)
{
	(void)state;
	assert_int_equal(takes(0, 1), 0);
	assert_int_equal(takes(100, 1), ALARMS);
	assert_true(takes(30, 1) > 2700 && takes(30, 1) < 3300);
	assert_int_equal(takes(30, 1), takes(30, 1));
	assert_true(takes(30, 1) != takes(30, 2));
}

static void
what_another_has_taken_is_left(void **state)
{
	struct dispatcher dispatcher;
	struct in_hand taken;

	(void)state;
	dispatcher_init(&dispatcher, 100, DELAY_MS, 1);
	dispatcher_see(&dispatcher, 1, 1, true, 0);
	dispatcher_see(&dispatcher, 2, 1, true, 0);
	dispatcher_see(&dispatcher, 1, 2, false, 0);
	dispatcher_see(&dispatcher, 2, 3, true, 0); /* counted once more */
	assert_true(dispatcher_take(&dispatcher, DELAY_MS, &taken));
	assert_true(taken.alarm_id == 2 && taken.change == 3);
	assert_false(dispatcher_take(&dispatcher, UINT64_MAX, &taken));
}

static void
hands_are_full(void **state)
{
	struct dispatcher dispatcher;
	struct in_hand taken;
	size_t n = 0;

	(void)state;
	dispatcher_init(&dispatcher, 100, 0, 1);
	for (uint64_t id = 1; id <= 2 * DISPATCHER_HAND_MAX; id++)
		dispatcher_see(&dispatcher, id, 1, true, 0);
	while (dispatcher_take(&dispatcher, 0, &taken))
		n++;
	assert_int_equal(n, DISPATCHER_HAND_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_share_is_that_which_was_asked_for),
		cmocka_unit_test(what_another_has_taken_is_left),
		cmocka_unit_test(hands_are_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
