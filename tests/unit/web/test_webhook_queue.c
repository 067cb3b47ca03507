/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which order a webhook is told, when it is told again, and from where one goes on
 * after a restart.
 *
 * Seen to fail with: a later change that does not wait for the earlier one of its alarm; a
 * mark that is passed; the place taken from the last event that was done instead of the
 * first that is not; a place within a resync; the limit of requests under way not kept to
 * one while requests fail; an event that is tried for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/webhook_queue.h"

static const struct webhook_rules rules = {
	.attempts = 3,
	.retry_first_ms = 1000,
	.retry_max_ms = 10000,
	.retry_factor = 4,
	.events_max = 8,
	.under_way_max = 4,
};

static void
put(struct webhook_queue *queue, enum webhook_event_type type, uint64_t position, uint64_t alarm_id)
{
	webhook_queue_put(queue, type, position, alarm_id,
			  xasprintf("e%llu", (unsigned long long)position), xstrdup("{}"));
}

static void
change(struct webhook_queue *queue, uint64_t position, uint64_t alarm_id)
{
	put(queue, WEBHOOK_CHANGE, position, alarm_id);
}

/* Begins the next one, which must be that of this position. */
static struct webhook_event *
begin(struct webhook_queue *queue, uint64_t now_ms, uint64_t position)
{
	struct webhook_event *event = webhook_queue_next(queue, now_ms);

	assert_non_null(event);
	assert_int_equal(event->position, position);
	webhook_queue_begin(queue, event);
	return event;
}

static void
deliver(struct webhook_queue *queue, uint64_t now_ms, uint64_t position)
{
	webhook_queue_delivered(queue, begin(queue, now_ms, position));
}

static void
changes_of_one_alarm_keep_their_order(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 100);
	struct webhook_event *first, *other;

	(void)state;
	change(queue, 101, 1);
	change(queue, 102, 1);
	change(queue, 103, 2);
	change(queue, 104, 1);
	first = begin(queue, 0, 101);
	other = begin(queue, 0, 103);
	assert_null(webhook_queue_next(queue, 0));
	webhook_queue_delivered(queue, other);
	assert_null(webhook_queue_next(queue, 0));
	/* the pause of the first holds up the later ones, too */
	assert_true(webhook_queue_failed(queue, first, 0, 0, 0));
	assert_null(webhook_queue_next(queue, 999));
	deliver(queue, 1000, 101);
	deliver(queue, 1000, 102);
	deliver(queue, 1000, 104);
	assert_int_equal(webhook_queue_waiting(queue), 0);
	webhook_queue_free(&queue);
}

static void
what_is_given_up_makes_way(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 100);
	uint64_t now_ms = 0;

	(void)state;
	change(queue, 101, 1);
	change(queue, 102, 1);
	for (unsigned i = 1; i <= rules.attempts; i++) {
		struct webhook_event *event = begin(queue, now_ms, 101);

		assert_int_equal(event->attempts, i);
		assert_int_equal(webhook_queue_failed(queue, event, now_ms, 0, 0),
				 i < rules.attempts);
		now_ms += rules.retry_max_ms;
	}
	assert_int_equal(webhook_queue_place(queue), 101);
	deliver(queue, now_ms, 102);
	assert_int_equal(webhook_queue_place(queue), 102);
	webhook_queue_free(&queue);
}

static void
a_mark_is_not_passed(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 100);
	struct webhook_event *before;

	(void)state;
	change(queue, 101, 1);
	put(queue, WEBHOOK_RESYNC, 0, 0);
	put(queue, WEBHOOK_STANDING_ALARM, 90, 2);
	put(queue, WEBHOOK_STANDING_ALARM, 80, 3);
	put(queue, WEBHOOK_SNAPSHOT_END, 200, 0);
	change(queue, 201, 4);

	before = begin(queue, 0, 101);
	assert_null(webhook_queue_next(queue, 0));
	webhook_queue_delivered(queue, before);

	before = begin(queue, 0, 0);
	assert_null(webhook_queue_next(queue, 0));
	webhook_queue_delivered(queue, before);

	before = begin(queue, 0, 90);
	deliver(queue, 0, 80);
	assert_null(webhook_queue_next(queue, 0));
	webhook_queue_delivered(queue, before);

	before = begin(queue, 0, 200);
	assert_null(webhook_queue_next(queue, 0));
	webhook_queue_delivered(queue, before);
	deliver(queue, 0, 201);
	webhook_queue_free(&queue);
}

static void
the_place_is_before_what_is_not_done(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 100);
	struct webhook_event *first;

	(void)state;
	assert_int_equal(webhook_queue_place(queue), 100);
	change(queue, 110, 1);
	change(queue, 120, 2);
	assert_int_equal(webhook_queue_taken(queue), 120);
	assert_int_equal(webhook_queue_place(queue), 109);
	first = begin(queue, 0, 110);
	deliver(queue, 0, 120);
	assert_int_equal(webhook_queue_place(queue), 109);
	webhook_queue_note(queue, 130);
	assert_int_equal(webhook_queue_place(queue), 109);
	webhook_queue_delivered(queue, first);
	assert_int_equal(webhook_queue_place(queue), 130);
	webhook_queue_note(queue, 125);
	assert_int_equal(webhook_queue_place(queue), 130);
	webhook_queue_free(&queue);
}

static void
there_is_no_place_within_a_resync(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 100);

	(void)state;
	change(queue, 101, 1);
	put(queue, WEBHOOK_RESYNC, 0, 0);
	put(queue, WEBHOOK_STANDING_ALARM, 90, 2);
	/* what came before the resync has a place: nobody was told of the resync yet */
	assert_int_equal(webhook_queue_place(queue), 100);
	assert_int_equal(webhook_queue_taken(queue), 0);
	deliver(queue, 0, 101);
	assert_int_equal(webhook_queue_place(queue), 0);
	deliver(queue, 0, 0);
	deliver(queue, 0, 90);
	webhook_queue_note(queue, 150);
	assert_int_equal(webhook_queue_place(queue), 0);
	put(queue, WEBHOOK_SNAPSHOT_END, 200, 0);
	assert_int_equal(webhook_queue_taken(queue), 200);
	assert_int_equal(webhook_queue_place(queue), 0);
	deliver(queue, 0, 200);
	assert_int_equal(webhook_queue_place(queue), 200);
	webhook_queue_free(&queue);
}

static void
positions_of_another_daemon_are_no_place(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 100);

	(void)state;
	change(queue, 101, 1);
	webhook_queue_forget_place(queue);
	assert_int_equal(webhook_queue_taken(queue), 0);
	assert_int_equal(webhook_queue_place(queue), 0);
	deliver(queue, 0, 0);
	assert_int_equal(webhook_queue_place(queue), 0);
	put(queue, WEBHOOK_RESYNC, 0, 0);
	put(queue, WEBHOOK_SNAPSHOT_END, 7, 0);
	deliver(queue, 0, 0);
	deliver(queue, 0, 7);
	assert_int_equal(webhook_queue_place(queue), 7);
	webhook_queue_free(&queue);
}

static void
few_are_under_way_and_one_while_requests_fail(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 0);
	struct webhook_event *begun[4];

	(void)state;
	for (uint64_t i = 1; i <= rules.events_max; i++) {
		assert_false(webhook_queue_is_full(queue));
		change(queue, i, i);
	}
	assert_true(webhook_queue_is_full(queue));
	for (uint64_t i = 0; i < 4; i++)
		begun[i] = begin(queue, 0, i + 1);
	assert_null(webhook_queue_next(queue, 0));
	for (unsigned i = 0; i < 4; i++)
		assert_true(webhook_queue_failed(queue, begun[i], 0, 0, 0));
	assert_int_equal(webhook_queue_failures(queue), 4);
	begun[0] = begin(queue, 0, 5);
	assert_null(webhook_queue_next(queue, 0));
	webhook_queue_delivered(queue, begun[0]);
	assert_int_equal(webhook_queue_failures(queue), 0);
	begun[0] = begin(queue, 0, 6);
	begun[1] = begin(queue, 0, 7);
	assert_false(webhook_queue_is_full(queue));
	webhook_queue_free(&queue);
}

static void
pauses_grow_to_the_longest(void **state)
{
	static const uint64_t whole[] = {1000, 4000, 10000, 10000};

	(void)state;
	for (unsigned attempts = 1; attempts <= ARRAY_LEN(whole); attempts++) {
		uint64_t pause_ms = whole[attempts - 1];

		assert_int_equal(webhook_pause_ms(&rules, attempts, 0), pause_ms);
		for (unsigned chance = 0; chance < 30000; chance += 7) {
			uint64_t got = webhook_pause_ms(&rules, attempts, chance);

			assert_in_range(got, pause_ms / 2, pause_ms);
		}
	}
	assert_int_equal(webhook_pause_ms(&rules, 1, 500), 500);
}

static void
who_asks_for_more_time_gets_it(void **state)
{
	struct webhook_queue *queue = webhook_queue_new(&rules, 0);

	(void)state;
	change(queue, 1, 1);
	assert_true(webhook_queue_failed(queue, begin(queue, 0, 1), 0, 7000, 0));
	assert_null(webhook_queue_next(queue, 6999));
	deliver(queue, 7000, 1);
	webhook_queue_free(&queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_of_one_alarm_keep_their_order),
		cmocka_unit_test(what_is_given_up_makes_way),
		cmocka_unit_test(a_mark_is_not_passed),
		cmocka_unit_test(the_place_is_before_what_is_not_done),
		cmocka_unit_test(there_is_no_place_within_a_resync),
		cmocka_unit_test(positions_of_another_daemon_are_no_place),
		cmocka_unit_test(few_are_under_way_and_one_while_requests_fail),
		cmocka_unit_test(pauses_grow_to_the_longest),
		cmocka_unit_test(who_asks_for_more_time_gets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
