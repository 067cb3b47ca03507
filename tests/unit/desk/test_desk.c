/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alarm core: which records make which changes, records that come ahead of
 * their turn, the ring and its end, and that a desk which was saved and loaded
 * goes on as the one that was not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk/desk.h"
#include "wire/console_msg.h"
#include "wire/kind.h"

#include "saved.h"

enum { HELD = 205, HELD_RESTORED = 206, FORCED = 202, GRANTED = 100, PANIC = 320, DURESS = 104 };

/* What comes in, and what must come out of it. */
struct step {
	uint16_t kind;
	uint32_t door;
	uint64_t seq; /* of controller 7, epoch 3 */
	bool ahead;
	uint8_t state; /* 0: no change */
	uint32_t count, change;
};

static const struct step life[] = {
	{HELD, 1, 1, false, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD, 1, 2, false, ALARM_UNACKNOWLEDGED, 2, 2},
	{GRANTED, 1, 3, false, 0, 0, 0},
	{HELD_RESTORED, 1, 4, false, ALARM_RETURNED_UNACKNOWLEDGED, 2, 3},
	{HELD_RESTORED, 1, 5, false, 0, 0, 0},
	{HELD, 1, 6, false, ALARM_UNACKNOWLEDGED, 3, 4},
	{HELD_RESTORED, 1, 7, false, ALARM_RETURNED_UNACKNOWLEDGED, 3, 5},
};

static const struct step alarms_apart[] = {
	{HELD_RESTORED, 1, 1, false, 0, 0, 0}, /* nothing is open */
	{HELD, 1, 2, false, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD, 2, 3, false, ALARM_UNACKNOWLEDGED, 1, 1},   /* another door */
	{FORCED, 1, 4, false, ALARM_UNACKNOWLEDGED, 1, 1}, /* another kind */
	{HELD_RESTORED, 2, 5, false, ALARM_RETURNED_UNACKNOWLEDGED, 1, 2},
	{HELD, 1, 6, false, ALARM_UNACKNOWLEDGED, 2, 2},
	{PANIC, 0, 7, false, ALARM_UNACKNOWLEDGED, 1, 1}, /* nothing clears it */
	{PANIC, 0, 8, false, ALARM_UNACKNOWLEDGED, 2, 2},
};

static const struct step ahead_once[] = {
	{HELD, 1, 9, true, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD, 1, 9, true, 0, 0, 0},  /* ahead again, after a new connection */
	{HELD, 1, 9, false, 0, 0, 0}, /* its turn: swallowed, and forgotten */
	{HELD, 1, 9, false, ALARM_UNACKNOWLEDGED, 2, 2},
};

/* 5 and 6 wait in the controller while 7 comes ahead. */
static const struct step ahead_of_a_restore[] = {
	{HELD, 1, 7, true, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD, 1, 5, false, ALARM_UNACKNOWLEDGED, 2, 2}, /* counted */
	{HELD_RESTORED, 1, 6, false, 0, 0, 0},           /* older than what stands */
	{HELD, 1, 7, false, 0, 0, 0},
	{HELD_RESTORED, 1, 8, false, ALARM_RETURNED_UNACKNOWLEDGED, 2, 3},
};

static const struct step restore_ahead[] = {
	{HELD_RESTORED, 1, 6, true, 0, 0, 0}, /* what it ends is still to come */
	{HELD, 1, 5, false, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD_RESTORED, 1, 6, false, ALARM_RETURNED_UNACKNOWLEDGED, 1, 2},
	/* a raising that is older than the restore which came ahead of it */
	{HELD, 1, 7, false, ALARM_UNACKNOWLEDGED, 2, 3},
	{HELD_RESTORED, 1, 9, true, ALARM_RETURNED_UNACKNOWLEDGED, 2, 4},
	{HELD, 1, 8, false, ALARM_RETURNED_UNACKNOWLEDGED, 3, 5},
	{HELD_RESTORED, 1, 9, false, 0, 0, 0},
};

static struct desk *
desk_of(size_t history, size_t open_alarms_max)
{
	struct desk_conf conf = {.node = 5, .history = history, .open_alarms_max = open_alarms_max};

	return desk_new(&conf);
}

static struct record
record_of(uint16_t kind, uint32_t door, uint64_t seq)
{
	return (struct record){
		.controller_id = 7,
		.site_id = 4,
		.door_id = door,
		.kind = kind,
		.epoch = 3,
		.seq = seq,
		.device_time_us = 1000 + (int64_t)seq,
		.received_us = 2000 + (int64_t)seq,
		.raw_code = "E7",
		.raw_code_len = 2,
	};
}

static const struct alarm_change *
apply(struct desk *desk, uint16_t kind, uint32_t door, uint64_t seq, bool ahead, uint64_t position)
{
	struct record record = record_of(kind, door, seq);

	return desk_apply(desk, &record, ahead, position, 3000 + (int64_t)seq);
}

static void
run_steps(struct desk *desk, const struct step *steps, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		const struct step *s = &steps[i];
		const struct alarm_change *change =
			apply(desk, s->kind, s->door, s->seq, s->ahead, 100 * (i + 1));

		if (s->state == 0) {
			if (change != NULL)
				fail_msg("step %zu made a change", i);
			continue;
		}
		if (change == NULL)
			fail_msg("step %zu made no change", i);
		if (change->state != s->state || change->count != s->count ||
		    change->change != s->change)
			fail_msg("step %zu: state %u count %u change %u, expected %u %u %u", i,
				 change->state, change->count, change->change, s->state, s->count,
				 s->change);
		assert_int_equal(change->position, 100 * (i + 1));
		assert_int_equal(change->cleared_us != 0,
				 s->state == ALARM_RETURNED_UNACKNOWLEDGED);
	}
}

#define RUN(steps)                                                                                 \
	do {                                                                                       \
		struct desk *desk = desk_of(64, 64);                                               \
		run_steps(desk, steps, 0, ARRAY_LEN(steps));                                       \
		desk_free(&desk);                                                                  \
	} while (0)

static void
records_make_changes(void **state)
{
	(void)state;
	RUN(life);
	RUN(alarms_apart);
}

static void
ahead_counts_once(void **state)
{
	(void)state;
	RUN(ahead_once);
	RUN(ahead_of_a_restore);
	RUN(restore_ahead);
}

static void
a_change_says_all(void **state)
{
	struct desk *desk = desk_of(8, 8);
	struct alarm_change c;

	(void)state;
	(void)apply(desk, DURESS, 3, 41, false, 900);
	c = *desk_change(desk, 0);
	assert_true(c.alarm_id == ((uint64_t)5 << 48 | 900));
	assert_int_equal(c.kind, DURESS);
	assert_int_equal(c.severity, SEVERITY_CRITICAL);
	assert_int_equal(c.silent, 1);
	assert_int_equal(c.controller_id, 7);
	assert_int_equal(c.site_id, 4);
	assert_int_equal(c.door_id, 3);
	assert_int_equal(c.device_time_us, 1041);
	assert_int_equal(c.received_us, 2041);
	assert_int_equal(c.durable_us, 3041);
	assert_int_equal(c.raised_us, 2041);
	assert_int_equal(c.cleared_us, 0);
	assert_int_equal(c.epoch, 3);
	assert_int_equal(c.seq, 41);
	assert_string_equal(c.raw_code, "E7");

	/* over: the kind stays the alarm's, the times are those of the record behind it */
	(void)apply(desk, HELD, 3, 42, false, 910);
	(void)apply(desk, HELD_RESTORED, 3, 43, false, 920);
	c = *desk_change(desk, 2);
	assert_int_equal(c.kind, HELD);
	assert_int_equal(c.silent, 0);
	assert_int_equal(c.raised_us, 2042);
	assert_int_equal(c.cleared_us, 2043);
	assert_int_equal(c.received_us, 2043);
	desk_free(&desk);
}

static void
a_new_epoch_is_later(void **state)
{
	struct desk *desk = desk_of(8, 8);
	struct record restored = record_of(HELD_RESTORED, 1, 1);

	(void)state;
	(void)apply(desk, HELD, 1, 500, false, 10);
	restored.epoch = 4;
	assert_non_null(desk_apply(desk, &restored, false, 20, 0));
	desk_free(&desk);
}

static void
the_ring_forgets_the_oldest(void **state)
{
	struct desk *desk = desk_of(4, 64);
	uint64_t number = 99;

	(void)state;
	assert_int_equal(desk_position(desk), 0);
	assert_true(desk_find(desk, 0, &number));
	assert_int_equal(number, 0);
	assert_false(desk_find(desk, 1, &number));

	for (uint64_t i = 1; i <= 4; i++)
		assert_non_null(apply(desk, HELD, (uint32_t)i, i, false, 10 * i));
	assert_int_equal(desk_oldest(desk), 0);
	assert_true(desk_find(desk, 0, &number));
	assert_int_equal(number, 0);

	for (uint64_t i = 5; i <= 10; i++)
		assert_non_null(apply(desk, HELD, (uint32_t)i, i, false, 10 * i));
	assert_int_equal(desk_oldest(desk), 6);
	assert_int_equal(desk_next(desk), 10);
	assert_int_equal(desk_change(desk, 6)->position, 70);
	assert_int_equal(desk_position(desk), 100);

	assert_false(desk_find(desk, 0, &number));
	assert_false(desk_find(desk, 59, &number)); /* the change at 60 is gone */
	assert_true(desk_find(desk, 60, &number));
	assert_int_equal(number, 6);
	assert_true(desk_find(desk, 70, &number));
	assert_int_equal(number, 7);
	assert_true(desk_find(desk, 75, &number)); /* between two */
	assert_int_equal(number, 7);
	assert_true(desk_find(desk, 100, &number));
	assert_int_equal(number, 10);
	assert_false(desk_find(desk, 101, &number));
	desk_free(&desk);
}

static void
open_alarms_are_in_order(void **state)
{
	struct desk *desk = desk_of(8, 8);
	uint64_t *ids;
	size_t n;

	(void)state;
	ids = desk_open_ids(desk, &n);
	assert_int_equal(n, 0);
	free(ids);
	for (uint64_t i = 1; i <= 3; i++)
		(void)apply(desk, HELD, (uint32_t)(9 - i), i, false, i);
	(void)apply(desk, HELD, 8, 4, false, 4); /* again: keeps its place */
	ids = desk_open_ids(desk, &n);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_true(ids[i] == ((uint64_t)5 << 48 | (i + 1)));
		assert_int_equal(desk_open_alarm(desk, ids[i])->door_id, 8 - i);
	}
	assert_int_equal(desk_open_alarm(desk, ids[0])->count, 2);
	assert_null(desk_open_alarm(desk, 1));
	free(ids);
	desk_free(&desk);
}

static void
the_limit_takes_those_that_are_over(void **state)
{
	struct desk *desk = desk_of(64, 3);
	const uint64_t node = (uint64_t)5 << 48;

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		(void)apply(desk, HELD, (uint32_t)i, i, false, i);
	(void)apply(desk, HELD_RESTORED, 3, 4, false, 4);
	(void)apply(desk, HELD_RESTORED, 2, 5, false, 5);

	/* door 3 has been over for longest */
	assert_non_null(apply(desk, HELD, 4, 6, false, 6));
	assert_int_equal(desk_open_count(desk), 3);
	assert_null(desk_open_alarm(desk, node | 3));
	assert_non_null(desk_open_alarm(desk, node | 2));
	assert_non_null(apply(desk, HELD, 5, 7, false, 7));
	assert_null(desk_open_alarm(desk, node | 2));

	/* all stand: the change is made, and nothing is known of it afterwards */
	assert_non_null(apply(desk, HELD, 6, 8, false, 8));
	assert_int_equal(desk_open_count(desk), 3);
	assert_null(desk_open_alarm(desk, node | 8));
	assert_int_equal(desk_position(desk), 8);
	assert_null(apply(desk, HELD_RESTORED, 6, 9, false, 9));
	assert_non_null(desk_open_alarm(desk, node | 1));
	desk_free(&desk);
}

static void
the_oldest_ahead_are_forgotten(void **state)
{
	enum { MOST = 65536 };
	struct desk *desk = desk_of(8, 8);

	(void)state;
	for (uint64_t i = 1; i <= MOST + 1; i++)
		assert_non_null(apply(desk, HELD, 1, i, true, i));
	/* 1 was forgotten, 2 was not */
	assert_null(apply(desk, HELD, 1, 2, false, MOST + 2));
	assert_non_null(apply(desk, HELD, 1, 1, false, MOST + 3));
	assert_null(apply(desk, HELD, 1, MOST + 1, false, MOST + 4));
	desk_free(&desk);
}

/* ---- Saving and loading ------------------------------------------------------------- */

/* The desk as a new one sees it, of the same or another size. */
static struct desk *
reloaded(const struct desk *desk, size_t history)
{
	struct desk *copy = desk_of(history, 3);
	struct buf buf = saved(desk);
	struct err err;

	if (desk_load(copy, buf_front(&buf), buf_len(&buf), &err) != RC_OK)
		fail_msg("%s", err.msg);
	buf_fini(&buf);
	return copy;
}

/* Everything at once: ahead, over, over the limit, around the ring. */
static const struct step busy[] = {
	{HELD, 1, 30, true, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD, 2, 1, false, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD, 3, 2, false, ALARM_UNACKNOWLEDGED, 1, 1},
	{HELD_RESTORED, 3, 3, false, ALARM_RETURNED_UNACKNOWLEDGED, 1, 2},
	{HELD_RESTORED, 2, 4, false, ALARM_RETURNED_UNACKNOWLEDGED, 1, 2},
	{HELD_RESTORED, 1, 5, false, 0, 0, 0},           /* older than 30 */
	{HELD, 4, 6, false, ALARM_UNACKNOWLEDGED, 1, 1}, /* takes the place of door 3 */
	{HELD, 2, 7, false, ALARM_UNACKNOWLEDGED, 2, 3},
	{HELD_RESTORED, 2, 8, false, ALARM_RETURNED_UNACKNOWLEDGED, 2, 4},
	{HELD, 3, 9, false, ALARM_UNACKNOWLEDGED, 1, 1}, /* anew, in the place of door 2 */
	{HELD, 1, 30, false, 0, 0, 0},
	{HELD_RESTORED, 1, 31, false, ALARM_RETURNED_UNACKNOWLEDGED, 1, 2},
};

static void
a_loaded_desk_goes_on_the_same(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= ARRAY_LEN(busy); cut++) {
		struct desk *desk = desk_of(4, 3), *copy;

		run_steps(desk, busy, 0, cut);
		copy = reloaded(desk, 4);
		assert_same(desk, copy);
		assert_int_equal(desk_oldest(desk), desk_oldest(copy));
		assert_int_equal(desk_next(desk), desk_next(copy));
		run_steps(desk, busy, cut, ARRAY_LEN(busy));
		run_steps(copy, busy, cut, ARRAY_LEN(busy));
		assert_same(desk, copy);
		desk_free(&desk);
		desk_free(&copy);
	}
}

static void
the_ring_may_have_another_size(void **state)
{
	struct desk *desk = desk_of(4, 3), *copy;
	uint64_t number;

	(void)state;
	run_steps(desk, busy, 0, ARRAY_LEN(busy));
	copy = reloaded(desk, 2);
	assert_int_equal(desk_next(copy), desk_next(desk));
	assert_int_equal(desk_oldest(copy), desk_next(desk) - 2);
	assert_false(
		desk_find(copy, desk_change(desk, desk_next(desk) - 3)->position - 1, &number));
	assert_true(desk_find(copy, desk_change(desk, desk_next(desk) - 3)->position, &number));
	desk_free(&copy);

	/* more room doesn't bring back what was gone */
	copy = reloaded(desk, 64);
	assert_int_equal(desk_oldest(copy), desk_oldest(desk));
	assert_false(desk_find(copy, 1, &number));
	desk_free(&copy);
	desk_free(&desk);
}

static void
saving_needs_room(void **state)
{
	struct desk *desk = desk_of(4, 3);
	struct buf buf;
	size_t n;

	(void)state;
	run_steps(desk, busy, 0, ARRAY_LEN(busy));
	buf_init(&buf, 1 << 20);
	assert_int_equal(desk_save(desk, &buf), RC_OK);
	n = buf_len(&buf);
	buf_fini(&buf);
	buf_init(&buf, n - 1);
	assert_int_equal(desk_save(desk, &buf), RC_AGAIN);
	assert_int_equal(buf_len(&buf), 0);
	buf_fini(&buf);
	desk_free(&desk);
}

/* Exact memory, so that reading beyond it is seen by ASan. */
static void
assert_refused(const uint8_t *bytes, size_t n)
{
	struct desk *desk = desk_of(4, 3);
	uint8_t *exact = malloc(n > 0 ? n : 1);
	struct err err = {0};

	memcpy(exact, bytes, n);
	assert_int_equal(desk_load(desk, exact, n, &err), RC_INVALID);
	assert_true(err.msg[0] != '\0');
	/* empty, and of use */
	assert_int_equal(desk_open_count(desk), 0);
	assert_int_equal(desk_next(desk), 0);
	assert_non_null(apply(desk, HELD, 1, 1, false, 1));
	free(exact);
	desk_free(&desk);
}

static void
damaged_bytes_are_refused(void **state)
{
	struct desk *desk = desk_of(4, 3);
	struct buf buf;
	uint8_t *bytes;
	size_t n;

	(void)state;
	run_steps(desk, busy, 0, 9);
	buf_init(&buf, 1 << 20);
	assert_int_equal(desk_save(desk, &buf), RC_OK);
	bytes = buf_front(&buf);
	n = buf_len(&buf);
	for (size_t cut = 0; cut < n; cut++)
		assert_refused(bytes, cut);
	assert_int_equal(buf_append(&buf, "", 1), RC_OK);
	bytes = buf_front(&buf);
	assert_refused(bytes, n + 1);
	/* magic, version, and each of the four counts */
	for (size_t at = 0; at < 40; at += at == 4 ? 20 : 4) {
		bytes[at] ^= 0x80;
		assert_refused(bytes, n);
		bytes[at] ^= 0x80;
	}
	/* a count that nothing could hold */
	bytes[31] = 0xff;
	assert_refused(bytes, n);
	buf_fini(&buf);
	desk_free(&desk);
}

/* What is well formed, and still can't be. */
static void
impossible_desks_are_refused(void **state)
{
	/* an alarm as it is saved: fixed part, length, body with a raw code of two bytes */
	enum { BODY = 79 + 2, SAVED = BODY + 181 + 2, DOOR_AT = 32, STATE_AT = 39 };
	struct desk *desk = desk_of(4, 3);
	uint8_t *first, *last;
	struct buf buf;

	(void)state;
	buf_init(&buf, 1 << 20);
	assert_int_equal(desk_save(desk, &buf), RC_OK);
	buf_front(&buf)[16] = 5; /* changes up to position 5 were kept, and none is there */
	assert_refused(buf_front(&buf), buf_len(&buf));

	buf_clear(&buf);
	(void)apply(desk, HELD, 1, 1, false, 10);
	(void)apply(desk, HELD, 2, 2, false, 20);
	assert_int_equal(desk_save(desk, &buf), RC_OK);
	last = buf_front(&buf) + buf_len(&buf) - SAVED + BODY;
	first = last - SAVED;
	assert_int_equal(first[DOOR_AT], 1);
	assert_int_equal(last[DOOR_AT], 2);

	last[DOOR_AT] = 1; /* two alarms of one key */
	assert_refused(buf_front(&buf), buf_len(&buf));
	last[DOOR_AT] = 2;
	last[0] = first[0]; /* ... of one id */
	assert_refused(buf_front(&buf), buf_len(&buf));
	last[0] = 20;
	last[STATE_AT] = ALARM_NORMAL; /* done, and still there */
	assert_refused(buf_front(&buf), buf_len(&buf));
	last[STATE_AT] = ALARM_UNACKNOWLEDGED;
	desk_free(&desk);
	desk = desk_of(4, 3);
	assert_int_equal(desk_load(desk, buf_front(&buf), buf_len(&buf), &(struct err){0}), RC_OK);
	buf_fini(&buf);
	desk_free(&desk);
}

/* Any single byte may be wrong: loaded or refused, it does no harm. */
static void
wrong_bytes_do_no_harm(void **state)
{
	struct desk *desk = desk_of(4, 3);
	struct buf buf;
	struct err err;

	(void)state;
	run_steps(desk, busy, 0, 9);
	buf_init(&buf, 1 << 20);
	assert_int_equal(desk_save(desk, &buf), RC_OK);
	for (size_t i = 0; i < buf_len(&buf); i++) {
		struct desk *copy = desk_of(4, 3);
		uint64_t number;

		buf_front(&buf)[i] ^= 0xff;
		if (desk_load(copy, buf_front(&buf), buf_len(&buf), &err) == RC_OK) {
			uint64_t position = desk_position(copy);

			assert_true(desk_find(copy, position, &number));
			if (position < (uint64_t)1 << 47)
				(void)apply(copy, HELD, 9, 99, false, position + 1);
		}
		buf_front(&buf)[i] ^= 0xff;
		desk_free(&copy);
	}
	buf_fini(&buf);
	desk_free(&desk);
}

/* Several threads of the server number what they observe: the journal's order counts.
 * Seen to fail where their numbers were compared. */
static void
the_servers_own_records_count_in_the_journals_order(void **state)
{
	struct desk *desk = desk_of(16, 16);
	struct record gap = record_of(701, 0, 8), filled = record_of(703, 0, 3);

	(void)state;
	gap.epoch = filled.epoch = -9;
	assert_non_null(desk_apply(desk, &gap, false, 10, 0));
	assert_non_null(desk_apply(desk, &filled, false, 20, 0));
	desk_free(&desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_make_changes),
		cmocka_unit_test(ahead_counts_once),
		cmocka_unit_test(a_change_says_all),
		cmocka_unit_test(a_new_epoch_is_later),
		cmocka_unit_test(the_servers_own_records_count_in_the_journals_order),
		cmocka_unit_test(the_ring_forgets_the_oldest),
		cmocka_unit_test(open_alarms_are_in_order),
		cmocka_unit_test(the_limit_takes_those_that_are_over),
		cmocka_unit_test(the_oldest_ahead_are_forgotten),
		cmocka_unit_test(a_loaded_desk_goes_on_the_same),
		cmocka_unit_test(the_ring_may_have_another_size),
		cmocka_unit_test(saving_needs_room),
		cmocka_unit_test(damaged_bytes_are_refused),
		cmocka_unit_test(impossible_desks_are_refused),
		cmocka_unit_test(wrong_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
