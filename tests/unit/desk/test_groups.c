/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: when many alarms of a site become one, who belongs to it, what it counts, when
 * it ends, and who answers for whom.  And that all of it comes from the journal alone: a
 * desk that was saved and loaded at any point of a random life, or is built again from
 * the same entries, stands the same.
 *
 * The protections: `full` in desk_arrivals.c (a flood begins at 11, not at 10), the place
 * that an alarm has once only (one door is no flood), KIND_FLAG_ALONE, the judgement of
 * what the server told (groups_judge), and each field of desk_save.c.
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
#include "wire/kind.h"

#include "saved.h"

enum {
	HELD = 205,
	HELD_RESTORED = 206,
	FORCED = 202,
	FORCED_RESTORED = 203,
	PANIC = 320,
	CALL = 322,
	FLOOD = KIND_CODE_ALARM_FLOOD,
	LOST = KIND_CODE_CONTROLLER_LOST,
	BACK = KIND_CODE_CONTROLLER_RESTORED,
	SITE_LOST = KIND_CODE_SITE_LOST,
	SITE = 4,
	BEGIN = 10,
	END = 5,
	HISTORY = 4096,
};
static const int64_t second = 1000000;

static const struct desk_groups_conf usual = {
	.flood_begin = BEGIN,
	.flood_end = END,
	.flood_window_us = 600 * (int64_t)1000000,
	.lost_begin = 2,
	.lost_window_us = 60 * (int64_t)1000000,
};

struct rig {
	struct desk *desk;
	uint64_t position, seq;
	uint32_t site_id;
	int64_t now; /* seconds */
	struct desk_verdict verdict;
	const struct alarm_change *change;
};

static struct rig
rig_with(const struct desk_groups_conf *groups, size_t open_alarms_max)
{
	struct desk_conf conf = {.node = 5,
				 .history = HISTORY,
				 .open_alarms_max = open_alarms_max,
				 .groups = *groups};

	return (struct rig){.desk = desk_new(&conf), .site_id = SITE, .now = 1000};
}

static struct rig
rig_new(void)
{
	return rig_with(&usual, 1024);
}

/* A record of this door now; returns its alarm. */
static uint64_t
happen(struct rig *rig, uint16_t kind, uint32_t door)
{
	struct record record = {
		.controller_id = 100 + door,
		.site_id = rig->site_id,
		.door_id = kind == LOST || kind == BACK ? 0 : door,
		.kind = kind,
		.epoch = 3,
		.seq = ++rig->seq,
		.device_time_us = rig->now * second,
		.received_us = rig->now * second,
	};

	rig->position += 10;
	rig->change = desk_apply(rig->desk, &record, false, rig->position, rig->now * second);
	return rig->change != NULL ? rig->change->alarm_id : 0;
}

static enum action_refusal
act(struct rig *rig, const struct action *action)
{
	rig->position += 10;
	rig->change = desk_act(rig->desk, action, rig->position, &rig->verdict);
	assert_int_equal(rig->change != NULL, rig->verdict.refusal == REFUSAL_NONE);
	return rig->verdict.refusal;
}

static struct action
action_by(const struct rig *rig, enum alarm_verb verb, uint64_t alarm_id)
{
	return (struct action){
		.alarm_id = alarm_id,
		.verb = (uint8_t)verb,
		.actor_kind = ACTOR_CONSOLE,
		.when_us = rig->now * second,
		.actor = "desk-1",
		.operator_code = "7",
	};
}

static enum action_refusal
act_by(struct rig *rig, enum alarm_verb verb, uint64_t alarm_id)
{
	struct action action = action_by(rig, verb, alarm_id);

	action.outcome = verb == VERB_CLOSE ? OUTCOME_NOTHING_FOUND : OUTCOME_NONE;
	return act(rig, &action);
}

/* What the server does until now, as the follower would; how many of this verb. */
static unsigned
serve(struct rig *rig, enum alarm_verb verb)
{
	struct action action;
	unsigned n = 0;

	while (desk_due(rig->desk, rig->now * second, &action)) {
		assert_int_equal(action.actor_kind, ACTOR_SERVER);
		n += act(rig, &action) == REFUSAL_NONE && action.verb == verb;
	}
	return n;
}

/* The group that stands or has not been taken yet; NULL: there is none. */
static const struct alarm_change *
group_of(const struct rig *rig, uint16_t kind)
{
	const struct alarm_change *found = NULL;
	uint64_t *ids;
	size_t n;

	ids = desk_open_ids(rig->desk, &n);
	for (size_t i = 0; i < n; i++) {
		const struct alarm_change *alarm = desk_open_alarm(rig->desk, ids[i]);

		if (alarm->kind == kind && alarm->site_id == rig->site_id) {
			assert_null(found);
			found = alarm;
		}
	}
	free(ids);
	return found;
}

static size_t
count_members(const struct rig *rig, uint64_t group_id)
{
	size_t n, members = 0;
	uint64_t *ids = desk_open_ids(rig->desk, &n);

	for (size_t i = 0; i < n; i++)
		members += desk_open_alarm(rig->desk, ids[i])->group_id == group_id;
	free(ids);
	return members;
}

static void
happen_each(struct rig *rig, uint16_t kind, uint32_t from_door, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		(void)happen(rig, kind, from_door + i);
}

/* So many doors that it is a flood; returns the group. */
static uint64_t
flood(struct rig *rig, uint16_t kind, uint32_t from_door, uint32_t n)
{
	happen_each(rig, kind, from_door, n);
	(void)serve(rig, VERB_NONE);
	return group_of(rig, FLOOD)->alarm_id;
}

/* ---- Saved, and the same ---------------------------------------------------------------- */

/* The rig goes on with a desk that was loaded from what the former saved. */
static void
reload(struct rig *rig, const struct desk_groups_conf *groups)
{
	struct buf bytes = saved(rig->desk);
	struct rig fresh = rig_with(groups, 1024);
	struct err err;

	assert_int_equal(desk_load(fresh.desk, buf_front(&bytes), buf_len(&bytes), &err), RC_OK);
	/* nothing points into what was read */
	memset(buf_front(&bytes), 0xff, buf_len(&bytes));
	buf_fini(&bytes);
	desk_free(&rig->desk);
	rig->desk = fresh.desk;
}

/* ---- A flood begins ------------------------------------------------------------------- */

static void
it_begins_at_eleven(void **state)
{
	struct rig rig = rig_new();
	const struct alarm_change *group;
	struct action action;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	(void)happen(&rig, HELD, BEGIN + 1);
	/* told once */
	assert_true(desk_due(rig.desk, rig.now * second, &action));
	assert_int_equal(action.verb, VERB_GROUP_BEGUN);
	assert_int_equal(action.alarm_id, 0);
	assert_int_equal(action.kind, FLOOD);
	assert_int_equal(action.site_id, SITE);
	assert_false(desk_due(rig.desk, rig.now * second, &action));
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_true(rig.change->alarm_id == ((uint64_t)5 << 48 | rig.position));
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_int_equal(rig.change->verb, VERB_GROUP_BEGUN);
	assert_int_equal(rig.change->count, BEGIN + 1);
	assert_int_equal(rig.change->severity, SEVERITY_HIGH);
	assert_int_equal(rig.change->site_id, SITE);
	assert_true(rig.change->controller_id == 0 && rig.change->door_id == 0);
	assert_true(rig.change->raised_us == rig.now * second);
	/* each says so in one change of its own, and stands as it stood */
	assert_int_equal(serve(&rig, VERB_GROUP_JOINED), BEGIN + 1);
	group = group_of(&rig, FLOOD);
	assert_int_equal(count_members(&rig, group->alarm_id), BEGIN + 1);
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_int_equal(rig.change->change, 2);
	assert_int_equal(serve(&rig, VERB_GROUP_JOINED), 0);
	desk_free(&rig.desk);
}

static void
ten_minutes_are_the_window(void **state)
{
	struct rig rig = rig_new();

	(void)state;
	(void)happen(&rig, HELD, 1);
	rig.now += 600;
	happen_each(&rig, HELD, 2, BEGIN);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	rig.now += 599;
	(void)happen(&rig, HELD, BEGIN + 2);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	/* the one before the window has nothing to do with it */
	assert_int_equal(group_of(&rig, FLOOD)->count, BEGIN + 1);
	desk_free(&rig.desk);
}

static void
one_door_that_chatters_is_no_flood(void **state)
{
	struct rig rig = rig_new();

	(void)state;
	for (unsigned i = 0; i < 5 * BEGIN; i++) {
		(void)happen(&rig, HELD, 1 + i % BEGIN);
		(void)happen(&rig, HELD_RESTORED, 1 + i % BEGIN);
		rig.now++;
	}
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	(void)happen(&rig, HELD, BEGIN + 1);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	desk_free(&rig.desk);
}

static void
sites_do_not_add_up(void **state)
{
	struct rig rig = rig_new();

	(void)state;
	for (uint32_t i = 0; i < 4 * BEGIN; i++) {
		rig.site_id = 1 + i % 4;
		(void)happen(&rig, HELD, 1 + i);
	}
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	/* the server's own, which are of no site */
	rig.site_id = 0;
	happen_each(&rig, HELD, 100, 2 * BEGIN);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	desk_free(&rig.desk);
}

static void
who_is_in_need_stands_alone(void **state)
{
	static const uint16_t kinds[] = {PANIC, 321, 330, 104};
	struct rig rig = rig_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		happen_each(&rig, kinds[i], 1, BEGIN);
	/* 40 of them are no flood, and make none with others */
	happen_each(&rig, HELD, 1, BEGIN);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	(void)happen(&rig, HELD, BEGIN + 1);
	assert_int_equal(serve(&rig, VERB_GROUP_JOINED), BEGIN + 1);
	(void)happen(&rig, PANIC, 90);
	assert_int_equal(rig.change->group_id, 0);
	assert_int_equal(serve(&rig, VERB_GROUP_JOINED), 0);
	/* nobody takes it by taking the group; it calls on its own, before the group does */
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_of(&rig, FLOOD)->alarm_id), REFUSAL_NONE);
	assert_int_equal(serve(&rig, VERB_ACCEPT), BEGIN + 1);
	rig.now += 45;
	assert_int_equal(serve(&rig, VERB_ESCALATED), ARRAY_LEN(kinds) * BEGIN + 1);
	desk_free(&rig.desk);
}

static void
what_is_on_the_shelf_floods_nobody(void **state)
{
	struct rig rig = rig_new();

	(void)state;
	for (uint32_t door = 1; door <= BEGIN + 1; door++) {
		struct action action = action_by(&rig, VERB_SHELVE, happen(&rig, HELD, door));

		action.until_us = (rig.now + 9000) * second;
		assert_int_equal(act(&rig, &action), REFUSAL_NONE);
		(void)happen(&rig, HELD_RESTORED, door);
		rig.now += 100;
	}
	for (uint32_t door = 1; door <= BEGIN + 1; door++)
		(void)happen(&rig, HELD, door);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	desk_free(&rig.desk);
}

/* ---- It goes on ------------------------------------------------------------------------- */

static void
who_comes_later_is_in_it_at_once(void **state)
{
	struct rig rig = rig_new();
	const struct alarm_change *group;
	uint64_t group_id;

	(void)state;
	group_id = flood(&rig, HELD, 1, BEGIN + 1);
	(void)happen(&rig, FORCED, 50);
	assert_true(rig.change->group_id == group_id);
	assert_int_equal(rig.change->change, 1);
	/* no change of its own besides */
	rig.now++;
	assert_int_equal(serve(&rig, VERB_GROUP_JOINED), 0);
	/* again is not one more */
	(void)happen(&rig, FORCED_RESTORED, 50);
	(void)happen(&rig, FORCED, 50);
	assert_true(rig.change->group_id == group_id);
	rig.now++;
	(void)serve(&rig, VERB_NONE);
	group = group_of(&rig, FLOOD);
	assert_int_equal(group->count, BEGIN + 2);
	/* one that is done, and comes anew, is */
	(void)happen(&rig, HELD_RESTORED, 1);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, rig.change->alarm_id), REFUSAL_NONE);
	assert_int_equal(rig.change->state, ALARM_NORMAL);
	(void)happen(&rig, HELD, 1);
	rig.now++;
	(void)serve(&rig, VERB_NONE);
	assert_int_equal(group_of(&rig, FLOOD)->count, BEGIN + 3);
	desk_free(&rig.desk);
}

static void
it_counts_twice_a_second_at_most(void **state)
{
	struct rig rig = rig_new();
	struct action action;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN + 1);
	(void)serve(&rig, VERB_NONE);
	happen_each(&rig, HELD, 100, 200);
	assert_false(desk_due(rig.desk, rig.now * second + second / 2 - 1, &action));
	assert_true(desk_due(rig.desk, rig.now * second + second / 2, &action));
	assert_int_equal(action.verb, VERB_GROUP_COUNTED);
	assert_int_equal(action.count, BEGIN + 1 + 200);
	/* who comes while it is on its way is counted, too */
	happen_each(&rig, HELD, 400, 3);
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_int_equal(rig.change->count, BEGIN + 1 + 200 + 3);
	rig.now++;
	assert_int_equal(serve(&rig, VERB_GROUP_COUNTED), 0);
	/* as grave as the gravest in it */
	(void)happen(&rig, CALL, 500);
	rig.now++;
	assert_int_equal(serve(&rig, VERB_GROUP_COUNTED), 1);
	assert_int_equal(group_of(&rig, FLOOD)->severity, SEVERITY_CRITICAL);
	desk_free(&rig.desk);
}

/* ---- It ends ---------------------------------------------------------------------------- */

static void
it_ends_below_five_and_begins_again(void **state)
{
	struct rig rig = rig_new();
	const struct alarm_change *group;
	uint64_t group_id;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN + 1 - 4);
	rig.now += 100;
	happen_each(&rig, HELD, 50, 4);
	(void)serve(&rig, VERB_NONE);
	group_id = group_of(&rig, FLOOD)->alarm_id;
	rig.now += 499;
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 0);
	/* the first ones are over, and one more keeps it at five */
	(void)happen(&rig, HELD, 60);
	rig.now += 1;
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 0);
	rig.now += 99;
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 0);
	rig.now += 1;
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 1);
	group = group_of(&rig, FLOOD);
	assert_int_equal(group->state, ALARM_RETURNED_UNACKNOWLEDGED);
	assert_true(group->cleared_us == rig.now * second);
	assert_int_equal(group->count, BEGIN + 2);
	/* nobody joins what is over, and who comes again stands on its own */
	(void)happen(&rig, HELD, 61);
	assert_int_equal(rig.change->group_id, 0);
	(void)happen(&rig, HELD_RESTORED, 1);
	assert_true(rig.change->group_id == group_id);
	(void)happen(&rig, HELD, 1);
	assert_int_equal(rig.change->group_id, 0);
	/* as many again: the same group stands again */
	rig.now += 1000;
	happen_each(&rig, HELD, 100, BEGIN + 1);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	group = group_of(&rig, FLOOD);
	assert_true(group->alarm_id == group_id);
	assert_int_equal(group->state, ALARM_UNACKNOWLEDGED);
	assert_int_equal(group->cleared_us, 0);
	assert_int_equal(group->count, BEGIN + 2 + BEGIN + 1);
	desk_free(&rig.desk);
}

static void
an_end_that_is_not_true_any_more(void **state)
{
	struct rig rig = rig_new();
	struct action action;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN + 1);
	(void)serve(&rig, VERB_NONE);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_of(&rig, FLOOD)->alarm_id), REFUSAL_NONE);
	(void)serve(&rig, VERB_NONE);
	rig.now += 600;
	assert_true(desk_due(rig.desk, rig.now * second, &action));
	assert_int_equal(action.verb, VERB_GROUP_ENDED);
	/* on its way through the journal, behind many others */
	happen_each(&rig, HELD, 100, BEGIN);
	assert_int_equal(act(&rig, &action), REFUSAL_STATE);
	assert_int_equal(group_of(&rig, FLOOD)->cleared_us, 0);
	/* it is told again when it is time again */
	rig.now += 600;
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 1);
	/* taken, and over: it leaves the list */
	assert_null(group_of(&rig, FLOOD));
	desk_free(&rig.desk);
}

static void
a_site_is_lost_and_back(void **state)
{
	enum { CONTROLLERS = 12 };
	struct rig rig = rig_new();
	uint64_t group_id;

	(void)state;
	(void)happen(&rig, LOST, 1);
	rig.now += 60;
	(void)happen(&rig, LOST, 2);
	/* each for itself; and one that is back is not lost */
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	(void)happen(&rig, BACK, 2);
	(void)happen(&rig, LOST, 3);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	rig.now += 10;
	happen_each(&rig, LOST, 10, CONTROLLERS);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	/* with 2, which was lost a moment ago; 12 more are no flood */
	group_id = group_of(&rig, SITE_LOST)->alarm_id;
	assert_int_equal(group_of(&rig, SITE_LOST)->count, CONTROLLERS + 2);
	assert_int_equal(count_members(&rig, group_id), CONTROLLERS + 2);
	assert_null(group_of(&rig, FLOOD));
	(void)happen(&rig, BACK, 3);
	for (uint32_t i = 0; i < CONTROLLERS - 2; i++)
		(void)happen(&rig, BACK, 10 + i);
	rig.now += 1000;
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 0);
	(void)happen(&rig, BACK, 10 + CONTROLLERS - 2);
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 1);
	assert_int_equal(group_of(&rig, SITE_LOST)->state, ALARM_RETURNED_UNACKNOWLEDGED);
	/* the last one is lost again, and another: the same group */
	(void)happen(&rig, LOST, 10);
	(void)happen(&rig, LOST, 11);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	assert_true(group_of(&rig, SITE_LOST)->alarm_id == group_id);
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 0);
	desk_free(&rig.desk);
}

/* ---- One answers for all ------------------------------------------------------------------ */

static void
who_takes_the_group_takes_its_members(void **state)
{
	struct rig rig = rig_new();
	uint64_t group_id, last, later;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN);
	last = happen(&rig, FORCED, BEGIN + 1);
	(void)serve(&rig, VERB_NONE);
	group_id = group_of(&rig, FLOOD)->alarm_id;
	(void)happen(&rig, FORCED_RESTORED, BEGIN + 1);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_id), REFUSAL_NONE);
	/* comes while theirs are on the way */
	later = happen(&rig, HELD, 50);
	assert_int_equal(serve(&rig, VERB_ACCEPT), BEGIN + 1);
	assert_string_equal(rig.change->acknowledged_by, "7@desk-1");
	assert_string_equal(rig.change->actor, "desk-1");
	assert_string_equal(rig.change->operator_code, "7");
	assert_int_equal(rig.change->actor_kind, ACTOR_SERVER);
	/* what latches stays for its reset */
	assert_int_equal(desk_open_alarm(rig.desk, last)->state, ALARM_LATCHED);
	assert_true(desk_open_alarm(rig.desk, last)->acknowledged_us != 0);
	/* the later one waits, and nobody is called for it while the group is there */
	rig.now += 599;
	(void)happen(&rig, CALL, 51);
	assert_int_equal(serve(&rig, VERB_ESCALATED), 0);
	assert_int_equal(desk_open_alarm(rig.desk, later)->state, ALARM_UNACKNOWLEDGED);
	/* who sends somebody there takes these, too */
	assert_int_equal(act_by(&rig, VERB_DISPATCHED, group_id), REFUSAL_NONE);
	assert_int_equal(serve(&rig, VERB_ACCEPT), 2);
	assert_string_equal(desk_open_alarm(rig.desk, later)->acknowledged_by, "7@desk-1");
	desk_free(&rig.desk);
}

static void
taken_is_taken_also_when_the_group_is_over(void **state)
{
	struct rig rig = rig_new();
	uint64_t group_id, member;

	(void)state;
	member = happen(&rig, HELD, 1);
	group_id = flood(&rig, HELD, 2, BEGIN);
	rig.now += 600;
	(void)serve(&rig, VERB_NONE);
	assert_int_equal(group_of(&rig, FLOOD)->state, ALARM_RETURNED_UNACKNOWLEDGED);
	/* it leaves the list with that */
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_id), REFUSAL_NONE);
	assert_null(group_of(&rig, FLOOD));
	assert_int_equal(serve(&rig, VERB_ACCEPT), BEGIN + 1);
	assert_string_equal(desk_open_alarm(rig.desk, member)->acknowledged_by, "7@desk-1");
	/* somebody who accepts one of them is told by whom it was */
	assert_int_equal(act_by(&rig, VERB_ACCEPT, member), REFUSAL_STATE);
	assert_string_equal(rig.verdict.by, "7@desk-1");
	desk_free(&rig.desk);
}

static void
somebody_else_has_a_member_first(void **state)
{
	struct rig rig = rig_new();
	struct action action;
	uint64_t group_id, member;

	(void)state;
	member = happen(&rig, HELD, 1);
	group_id = flood(&rig, HELD, 2, BEGIN);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_id), REFUSAL_NONE);
	action = action_by(&rig, VERB_HAND_OVER, member);
	action.actor = "desk-2";
	action.to_station_id = 9;
	/* of its members this one is another station's: it calls there, on its own */
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_int_equal(rig.change->group_id, 0);
	assert_int_equal(serve(&rig, VERB_ACCEPT), BEGIN);
	assert_int_equal(desk_open_alarm(rig.desk, member)->acknowledged_us, 0);
	rig.now += 600;
	(void)serve(&rig, VERB_NONE);
	assert_int_equal(desk_open_alarm(rig.desk, member)->escalation, 1);
	desk_free(&rig.desk);
}

static void
a_change_of_mind_takes_nobody(void **state)
{
	struct rig rig = rig_new();
	struct action action;
	uint64_t group_id;

	(void)state;
	/* each of which alone would call as soon as the group does */
	group_id = flood(&rig, FORCED, 1, BEGIN + 1);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_id), REFUSAL_NONE);
	assert_true(desk_due(rig.desk, rig.now * second, &action));
	assert_int_equal(action.verb, VERB_ACCEPT);
	assert_int_equal(act_by(&rig, VERB_CANCEL, group_id), REFUSAL_NONE);
	/* the one that was on its way */
	assert_int_equal(act(&rig, &action), REFUSAL_STATE);
	assert_int_equal(serve(&rig, VERB_ACCEPT), 0);
	/* the group calls, and none of its members */
	rig.now += 120;
	assert_int_equal(serve(&rig, VERB_ESCALATED), 1);
	assert_int_equal(group_of(&rig, FLOOD)->escalation, 1);
	desk_free(&rig.desk);
}

static void
the_group_is_gone_and_its_members_call(void **state)
{
	struct rig rig = rig_new();
	uint64_t group_id, member;
	struct action action;

	(void)state;
	member = happen(&rig, HELD, 1);
	group_id = flood(&rig, HELD, 2, BEGIN);
	action = action_by(&rig, VERB_CLOSE, group_id);
	action.outcome = OUTCOME_TECHNICAL;
	action.text = "a cable was cut";
	assert_int_equal(act(&rig, &action), REFUSAL_RIGHT);
	action.supervisor = 1;
	rig.now += 500;
	action.when_us = rig.now * second;
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_int_equal(rig.change->state, ALARM_NORMAL);
	/* closed is the group, and no member; each has its time from then on */
	assert_int_equal(desk_open_count(rig.desk), BEGIN + 1);
	assert_int_equal(desk_open_alarm(rig.desk, member)->state, ALARM_UNACKNOWLEDGED);
	assert_true(desk_open_alarm(rig.desk, member)->group_id == group_id);
	reload(&rig, &usual);
	rig.now += 599;
	assert_int_equal(serve(&rig, VERB_ESCALATED), 0);
	rig.now += 1;
	assert_int_equal(serve(&rig, VERB_ESCALATED), BEGIN + 1);
	desk_free(&rig.desk);
}

static void
closed_while_it_goes_on(void **state)
{
	struct rig rig = rig_new();
	struct action action;
	uint64_t first;

	(void)state;
	first = flood(&rig, HELD, 1, BEGIN + 1);
	action = action_by(&rig, VERB_CLOSE, first);
	action.outcome = OUTCOME_TECHNICAL;
	action.text = "we know";
	action.supervisor = 1;
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	happen_each(&rig, HELD, 100, BEGIN);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	(void)happen(&rig, HELD, 200);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	assert_true(group_of(&rig, FLOOD)->alarm_id != first);
	assert_int_equal(group_of(&rig, FLOOD)->count, BEGIN + 1);
	desk_free(&rig.desk);
}

/* ---- Bounds ------------------------------------------------------------------------------- */

static void
a_full_desk_has_no_group(void **state)
{
	struct rig rig = rig_with(&usual, BEGIN + 2);
	struct action action;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN);
	(void)happen(&rig, PANIC, 1);
	(void)happen(&rig, HELD, BEGIN + 1);
	assert_true(desk_due(rig.desk, rig.now * second, &action));
	assert_int_equal(act(&rig, &action), REFUSAL_BUSY);
	/* what can't be tracked is passed on, and is no arrival */
	happen_each(&rig, HELD, 100, BEGIN);
	assert_non_null(rig.change);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	/* there is room again */
	assert_int_equal(act_by(&rig, VERB_ACCEPT, happen(&rig, HELD_RESTORED, 1)), REFUSAL_NONE);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, happen(&rig, HELD_RESTORED, 2)), REFUSAL_NONE);
	(void)happen(&rig, HELD, 1);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	desk_free(&rig.desk);
}

static void
without_windows_there_are_none(void **state)
{
	const struct desk_groups_conf none = {
		.flood_begin = BEGIN, .flood_end = END, .lost_begin = 2};
	struct rig rig = rig_with(&none, 1024);

	(void)state;
	happen_each(&rig, HELD, 1, 10 * BEGIN);
	happen_each(&rig, LOST, 1, 10 * BEGIN);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	desk_free(&rig.desk);
}

/* ---- The same again ----------------------------------------------------------------------- */

static void
saved_in_the_middle(void **state)
{
	struct rig rig = rig_new();
	uint64_t group_id;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN);
	reload(&rig, &usual);
	(void)happen(&rig, HELD, BEGIN + 1);
	/* what was not told, or was lost on its way, is told again */
	reload(&rig, &usual);
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 1);
	group_id = group_of(&rig, FLOOD)->alarm_id;
	assert_int_equal(count_members(&rig, group_id), BEGIN + 1);
	assert_int_equal(act_by(&rig, VERB_ACCEPT, group_id), REFUSAL_NONE);
	/* owed, by name */
	reload(&rig, &usual);
	assert_int_equal(serve(&rig, VERB_ACCEPT), BEGIN + 1);
	assert_string_equal(rig.change->acknowledged_by, "7@desk-1");
	rig.now += 600;
	reload(&rig, &usual);
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 1);
	desk_free(&rig.desk);
}

static void
the_server_was_away_for_long(void **state)
{
	struct rig rig = rig_new();

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN + 1);
	reload(&rig, &usual);
	rig.now += 600;
	assert_int_equal(serve(&rig, VERB_GROUP_BEGUN), 0);
	desk_free(&rig.desk);
}

static void
windows_that_were_taken_away(void **state)
{
	const struct desk_groups_conf none = {
		.flood_begin = BEGIN, .flood_end = END, .lost_begin = 2};
	struct rig rig = rig_new();

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN + 1);
	(void)serve(&rig, VERB_NONE);
	reload(&rig, &none);
	/* a group that nobody would end, ends */
	assert_int_equal(serve(&rig, VERB_GROUP_ENDED), 1);
	desk_free(&rig.desk);
}

/* A byte for byte search of what loading believes: it may refuse, and must not stumble. */
static void
damaged_bytes_are_refused_or_harmless(void **state)
{
	struct rig rig = rig_new();
	struct buf bytes;
	size_t refused = 0;

	(void)state;
	happen_each(&rig, HELD, 1, BEGIN + 1);
	happen_each(&rig, LOST, 1, 3);
	(void)serve(&rig, VERB_NONE);
	(void)act_by(&rig, VERB_ACCEPT, group_of(&rig, FLOOD)->alarm_id);
	bytes = saved(rig.desk);
	for (size_t i = 0; i < buf_len(&bytes); i++) {
		struct rig fresh = rig_new();
		struct err err;

		buf_front(&bytes)[i] ^= 0x15;
		if (desk_load(fresh.desk, buf_front(&bytes), buf_len(&bytes), &err) != RC_OK)
			refused++;
		buf_front(&bytes)[i] ^= 0x15;
		desk_free(&fresh.desk);
	}
	assert_true(refused > 0 && refused < buf_len(&bytes));
	buf_fini(&bytes);
	desk_free(&rig.desk);
}

/* ---- A random life, by seed ---------------------------------------------------------------- */

/* What is in the journal: one of both. */
struct entry {
	bool is_action;
	struct record record;
	struct action action;
	char actor[ALARM_NAME_MAX + 1], operator_code[ALARM_NAME_MAX + 1];
};

enum { LIFE_ENTRIES = 900, LIVES = 12 };

struct life {
	struct entry *entries;
	size_t n;
	uint64_t random;
};

static uint32_t
random_below(struct life *life, uint32_t n)
{
	life->random = life->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(life->random >> 33) % n;
}

static void
live_entry(struct rig *rig, const struct entry *entry)
{
	rig->position += 10;
	if (entry->is_action)
		(void)desk_act(rig->desk, &entry->action, rig->position, &rig->verdict);
	else
		(void)desk_apply(rig->desk, &entry->record, false, rig->position,
				 entry->record.received_us);
}

static void
life_add(struct life *life, struct rig *rig, const struct entry *entry)
{
	struct entry *at;

	if (life->n == LIFE_ENTRIES)
		return;
	at = &life->entries[life->n++];
	*at = *entry;
	if (at->is_action) {
		(void)snprintf(at->actor, sizeof(at->actor), "%s",
			       entry->action.actor != NULL ? entry->action.actor : "");
		(void)snprintf(at->operator_code, sizeof(at->operator_code), "%s",
			       entry->action.operator_code != NULL ? entry->action.operator_code
								   : "");
		at->action.actor = at->actor;
		at->action.operator_code = at->operator_code;
	}
	live_entry(rig, at);
}

static struct entry
random_record(struct life *life, struct rig *rig)
{
	static const uint16_t kinds[] = {HELD, HELD, HELD_RESTORED, FORCED, FORCED_RESTORED,
					 LOST, BACK, CALL,          PANIC};
	uint16_t kind = kinds[random_below(life, ARRAY_LEN(kinds))];
	uint32_t door = 1 + random_below(life, 14);

	return (struct entry){.record = {
				      .controller_id = 100 + door,
				      .site_id = 1 + random_below(life, 2),
				      .door_id = kind == LOST || kind == BACK ? 0 : door,
				      .kind = kind,
				      .epoch = 3,
				      .seq = ++rig->seq,
				      .device_time_us = rig->now * second,
				      .received_us = rig->now * second,
			      }};
}

/* Somebody does something with an alarm that is there. */
static void
random_action(struct life *life, struct rig *rig)
{
	static const enum alarm_verb verbs[] = {VERB_ACCEPT,  VERB_ACCEPT, VERB_DISPATCHED,
						VERB_CANCEL,  VERB_CLOSE,  VERB_HAND_OVER,
						VERB_COMMENT, VERB_RESET,  VERB_SHELVE};
	struct entry entry = {.is_action = true};
	uint64_t *ids;
	size_t n;

	ids = desk_open_ids(rig->desk, &n);
	if (n > 0) {
		uint64_t id = ids[random_below(life, (uint32_t)n)];

		entry.action = action_by(rig, verbs[random_below(life, ARRAY_LEN(verbs))], id);
		entry.action.supervisor = 1;
		entry.action.text = "said";
		entry.action.to_station_id = 9;
		entry.action.until_us = (rig->now + 100) * second;
		entry.action.actor = random_below(life, 2) == 0 ? "desk-1" : "desk-2";
		life_add(life, rig, &entry);
	}
	free(ids);
}

/* What is told is in the journal at once, or behind some records. */
static void
random_turn(struct life *life, struct rig *rig)
{
	struct entry told[8];
	size_t n = 0;

	for (uint32_t i = random_below(life, 6); i > 0; i--) {
		struct entry record = random_record(life, rig);

		life_add(life, rig, &record);
	}
	while (n < ARRAY_LEN(told)) {
		told[n] = (struct entry){.is_action = true};
		if (!desk_due(rig->desk, rig->now * second, &told[n].action))
			break;
		/* its texts are the desk's until the next call */
		(void)snprintf(told[n].actor, sizeof(told[n].actor), "%s",
			       told[n].action.actor != NULL ? told[n].action.actor : "");
		told[n].action.actor = told[n].actor;
		told[n].action.operator_code = NULL;
		n++;
		if (random_below(life, 3) == 0) {
			struct entry record = random_record(life, rig);

			life_add(life, rig, &record);
		}
	}
	for (size_t i = 0; i < n; i++)
		life_add(life, rig, &told[i]);
	if (random_below(life, 3) == 0)
		random_action(life, rig);
	rig->now += random_below(life, 8) == 0 ? 200 : random_below(life, 3);
}

/* How many changes of a life have this verb; that the test lives through something. */
static size_t
count_verb(const struct desk *desk, enum alarm_verb verb)
{
	size_t n = 0;

	for (uint64_t i = desk_oldest(desk); i < desk_next(desk); i++)
		n += desk_change(desk, i)->verb == verb;
	return n;
}

static void
assert_lived(const size_t counts[VERBS])
{
	static const enum alarm_verb verbs[] = {VERB_GROUP_BEGUN,   VERB_GROUP_JOINED,
						VERB_GROUP_COUNTED, VERB_GROUP_ENDED,
						VERB_ACCEPT,        VERB_ESCALATED};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (counts[verbs[i]] < LIVES)
			fail_msg("%s happened %zu times", verb_name(verbs[i]), counts[verbs[i]]);
	}
}

static void
a_random_life_is_the_same_however_it_is_read(void **state)
{
	size_t counts[VERBS] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= LIVES; seed++) {
		struct rig first = rig_new(), again = rig_new(), loaded = rig_new();
		struct life life = {.random = seed};

		life.entries = calloc(LIFE_ENTRIES, sizeof(*life.entries));
		assert_non_null(life.entries);
		while (life.n < LIFE_ENTRIES)
			random_turn(&life, &first);
		for (size_t i = 0; i < life.n; i++) {
			live_entry(&again, &life.entries[i]);
			live_entry(&loaded, &life.entries[i]);
			if (i % 7 == seed % 7)
				reload(&loaded, &usual);
		}
		assert_same(first.desk, again.desk);
		assert_same(first.desk, loaded.desk);
		for (unsigned verb = 0; verb < VERBS; verb++)
			counts[verb] += count_verb(first.desk, (enum alarm_verb)verb);
		free(life.entries);
		desk_free(&first.desk);
		desk_free(&again.desk);
		desk_free(&loaded.desk);
	}
	assert_lived(counts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_at_eleven),
		cmocka_unit_test(ten_minutes_are_the_window),
		cmocka_unit_test(one_door_that_chatters_is_no_flood),
		cmocka_unit_test(sites_do_not_add_up),
		cmocka_unit_test(who_is_in_need_stands_alone),
		cmocka_unit_test(what_is_on_the_shelf_floods_nobody),
		cmocka_unit_test(who_comes_later_is_in_it_at_once),
		cmocka_unit_test(it_counts_twice_a_second_at_most),
		cmocka_unit_test(it_ends_below_five_and_begins_again),
		cmocka_unit_test(an_end_that_is_not_true_any_more),
		cmocka_unit_test(a_site_is_lost_and_back),
		cmocka_unit_test(who_takes_the_group_takes_its_members),
		cmocka_unit_test(taken_is_taken_also_when_the_group_is_over),
		cmocka_unit_test(somebody_else_has_a_member_first),
		cmocka_unit_test(a_change_of_mind_takes_nobody),
		cmocka_unit_test(the_group_is_gone_and_its_members_call),
		cmocka_unit_test(closed_while_it_goes_on),
		cmocka_unit_test(a_full_desk_has_no_group),
		cmocka_unit_test(without_windows_there_are_none),
		cmocka_unit_test(saved_in_the_middle),
		cmocka_unit_test(the_server_was_away_for_long),
		cmocka_unit_test(windows_that_were_taken_away),
		cmocka_unit_test(damaged_bytes_are_refused_or_harmless),
		cmocka_unit_test(a_random_life_is_the_same_however_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
