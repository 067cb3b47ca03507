/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on alarms: the first wins and the second is told by whom, what they leave on
 * the alarm, what is due when, and that a desk which was saved and loaded, or is built
 * again from the same entries, judges and stands the same.
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
	DURESS = 104,
	SECOND = 1000000,
};

struct rig {
	struct desk *desk;
	uint64_t position, seq;
	struct desk_verdict verdict;
	const struct alarm_change *change;
};

static struct rig
rig_of(const struct desk_rules *rules, int64_t merge_us)
{
	struct desk_conf conf = {.node = 5,
				 .history = 256,
				 .open_alarms_max = 64,
				 .merge_us = merge_us,
				 .rules = rules};

	return (struct rig){.desk = desk_new(&conf)};
}

/* A record of door 1 at this second, by everybody's clock; returns its alarm. */
static uint64_t
happen(struct rig *rig, uint16_t kind, int64_t at_us)
{
	struct record record = {
		.controller_id = 7,
		.site_id = 4,
		.door_id = 1,
		.kind = kind,
		.epoch = 3,
		.seq = ++rig->seq,
		.device_time_us = at_us,
		.received_us = at_us,
	};

	rig->position += 10;
	rig->change = desk_apply(rig->desk, &record, false, rig->position, at_us);
	return rig->change != NULL ? rig->change->alarm_id : 0;
}

static struct action
action_by(const char *actor, enum alarm_verb verb, uint64_t alarm_id, int64_t at_us)
{
	return (struct action){
		.alarm_id = alarm_id,
		.verb = (uint8_t)verb,
		.actor_kind = ACTOR_CONSOLE,
		.when_us = at_us,
		.actor = actor,
	};
}

static enum action_refusal
act(struct rig *rig, const struct action *action)
{
	rig->position += 10;
	rig->change = desk_act(rig->desk, action, rig->position, &rig->verdict);
	assert_int_equal(rig->change != NULL, rig->verdict.refusal == REFUSAL_NONE);
	return rig->verdict.refusal;
}

static enum action_refusal
act_by(struct rig *rig, const char *actor, enum alarm_verb verb, uint64_t id, int64_t at_us)
{
	struct action action = action_by(actor, verb, id, at_us);

	action.outcome = verb == VERB_CLOSE ? OUTCOME_NOTHING_FOUND : OUTCOME_NONE;
	return act(rig, &action);
}

/* ---- Who was first --------------------------------------------------------------------- */

static void
the_second_is_told_by_whom(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);
	struct action action = action_by("desk-1", VERB_ACCEPT, id, 101 * SECOND);

	(void)state;
	action.operator_code = "7";
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_int_equal(rig.change->state, ALARM_ACKNOWLEDGED);
	assert_int_equal(rig.change->change, 2);
	assert_int_equal(rig.change->verb, VERB_ACCEPT);
	assert_string_equal(rig.change->actor, "desk-1");
	assert_string_equal(rig.change->operator_code, "7");
	assert_string_equal(rig.change->acknowledged_by, "7@desk-1");
	assert_true(rig.change->acknowledged_us == 101 * SECOND);
	assert_true(rig.change->first_acknowledged_us == 101 * SECOND);
	assert_true(rig.change->acted_us == 101 * SECOND);

	assert_int_equal(act_by(&rig, "desk-2", VERB_ACCEPT, id, 102 * SECOND), REFUSAL_STATE);
	assert_string_equal(rig.verdict.by, "7@desk-1");
	assert_true(rig.verdict.at_us == 101 * SECOND);
	/* both send somebody: the state alone would take the second one */
	action = action_by("desk-2", VERB_DISPATCHED, id, 103 * SECOND);
	action.seen_change = 1;
	assert_int_equal(act(&rig, &action), REFUSAL_OVERTAKEN);
	assert_string_equal(rig.verdict.by, "7@desk-1");
	action.seen_change = 2;
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_string_equal(rig.change->acknowledged_by, "7@desk-1");
	assert_int_equal(rig.change->stage, ALARM_STAGE_DISPATCHED);
	desk_free(&rig.desk);
}

static void
who_types_fast_has_not_overtaken_himself(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);
	struct action action = action_by("desk-1", VERB_ACCEPT, id, 101 * SECOND);

	(void)state;
	action.seen_change = 1;
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	action.verb = VERB_DISPATCHED;
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	/* a record is no person: what it changed overtakes nobody */
	(void)happen(&rig, HELD, 105 * SECOND);
	action.verb = VERB_ACCEPT;
	action.actor = "desk-2";
	action.seen_change = 3;
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	desk_free(&rig.desk);
}

static void
closing_a_moment_too_late(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);

	(void)state;
	assert_int_equal(act_by(&rig, "desk-1", VERB_DISPATCHED, id, 101 * SECOND), REFUSAL_NONE);
	(void)happen(&rig, HELD_RESTORED, 102 * SECOND);
	/* over, but somebody is on the way: it stays until it is closed */
	assert_int_equal(rig.change->state, ALARM_ACKNOWLEDGED);
	assert_int_equal(rig.change->verb, VERB_NONE);
	assert_null(rig.change->actor);
	assert_string_equal(rig.change->acknowledged_by, "desk-1");
	assert_int_equal(act_by(&rig, "desk-1", VERB_CLOSE, id, 103 * SECOND), REFUSAL_NONE);
	assert_int_equal(rig.change->state, ALARM_NORMAL);
	assert_int_equal(rig.change->outcome, OUTCOME_NOTHING_FOUND);
	assert_int_equal(desk_open_count(rig.desk), 0);
	assert_int_equal(act_by(&rig, "desk-2", VERB_CLOSE, id, 104 * SECOND), REFUSAL_OVERTAKEN);
	assert_string_equal(rig.verdict.by, "desk-1");
	assert_true(rig.verdict.at_us == 103 * SECOND);
	assert_int_equal(act_by(&rig, "desk-2", VERB_CLOSE, id + 1, 105 * SECOND),
			 REFUSAL_UNKNOWN_ALARM);
	/* the door again: another alarm */
	assert_true(happen(&rig, HELD, 106 * SECOND) != id);
	assert_int_equal(rig.change->change, 1);
	assert_int_equal(rig.change->count, 1);
	desk_free(&rig.desk);
}

/* ---- Rights and kinds ---------------------------------------------------------------------- */

static void
what_stands_is_closed_by_a_supervisor_with_a_reason(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);
	struct action action = action_by("desk-1", VERB_CLOSE, id, 101 * SECOND);

	(void)state;
	action.outcome = OUTCOME_TECHNICAL;
	assert_int_equal(act(&rig, &action), REFUSAL_RIGHT);
	action.supervisor = 1;
	assert_int_equal(act(&rig, &action), REFUSAL_FORM);
	action.text = "the contact is broken";
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_string_equal(rig.change->text, "the contact is broken");
	desk_free(&rig.desk);
}

static void
people_in_need_are_never_shelved(void **state)
{
	static const uint16_t kinds[] = {PANIC, 321, DURESS};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct rig rig = rig_of(NULL, 0);
		struct action action = action_by(
			"desk-1", VERB_SHELVE, happen(&rig, kinds[i], 100 * SECOND), 101 * SECOND);

		action.supervisor = 1;
		action.until_us = 200 * SECOND;
		action.text = "for once";
		assert_int_equal(act(&rig, &action), REFUSAL_KIND);
		desk_free(&rig.desk);
	}
}

/* ---- Repetition ------------------------------------------------------------------------------ */

static void
a_repetition_is_unacknowledged_again(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, FORCED, 100 * SECOND);

	(void)state;
	assert_int_equal(act_by(&rig, "desk-1", VERB_ACCEPT, id, 101 * SECOND), REFUSAL_NONE);
	assert_true(happen(&rig, FORCED, 102 * SECOND) == id);
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_int_equal(rig.change->count, 2);
	assert_true(rig.change->acknowledged_us == 0);
	assert_null(rig.change->acknowledged_by);
	/* the ledger keeps the first one */
	assert_true(rig.change->first_acknowledged_us == 101 * SECOND);
	desk_free(&rig.desk);
}

static void
bounces_are_one(void **state)
{
	struct rig rig = rig_of(NULL, SECOND / 10);
	uint64_t id = happen(&rig, FORCED, 100 * SECOND);

	(void)state;
	assert_true(happen(&rig, FORCED, 100 * SECOND + SECOND / 20) == 0);
	/* its clock may go backwards */
	assert_true(happen(&rig, FORCED, 100 * SECOND - SECOND / 20) == 0);
	/* the restore between them is true, and so is that it stands again */
	assert_true(happen(&rig, FORCED_RESTORED, 100 * SECOND + SECOND / 20) == id);
	assert_int_equal(rig.change->state, ALARM_LATCHED);
	assert_true(happen(&rig, FORCED, 100 * SECOND + SECOND / 20) == id);
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_int_equal(rig.change->count, 1);
	/* a tenth later is another */
	assert_true(happen(&rig, FORCED, 100 * SECOND + 3 * SECOND / 20) == id);
	assert_int_equal(rig.change->count, 2);
	desk_free(&rig.desk);
}

/* ---- Time --------------------------------------------------------------------------------------
 */

static struct desk_rules *
rules_of_seconds(uint32_t escalate_s, uint32_t ack_limit_s)
{
	struct desk_rules *rules = desk_rules_new();
	struct desk_rule rule = *desk_rule_of(rules, HELD);

	rule.escalate_s = escalate_s;
	rule.ack_limit_s = ack_limit_s;
	desk_rule_set(rules, HELD, &rule);
	return rules;
}

/* What is due, and that it is told once. */
static void
assert_due(struct rig *rig, int64_t at_us, enum alarm_verb verb)
{
	struct action action;

	assert_false(desk_due(rig->desk, at_us - 1, &action));
	assert_true(desk_due(rig->desk, at_us, &action));
	assert_int_equal(action.verb, verb);
	assert_int_equal(action.actor_kind, ACTOR_SERVER);
	assert_false(desk_due(rig->desk, at_us, &action));
	assert_int_equal(act(rig, &action), REFUSAL_NONE);
}

static void
nobody_takes_it(void **state)
{
	struct desk_rules *rules = rules_of_seconds(30, 0);
	struct rig rig = rig_of(rules, 0);
	struct action action;

	(void)state;
	(void)happen(&rig, HELD, 100 * SECOND);
	(void)happen(&rig, HELD, 120 * SECOND); /* again: the wait goes on */
	assert_due(&rig, 130 * SECOND, VERB_ESCALATED);
	assert_int_equal(rig.change->escalation, 1);
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_due(&rig, 160 * SECOND, VERB_ESCALATED);
	assert_int_equal(rig.change->escalation, 2);
	/* further up there is nobody */
	assert_false(desk_due(rig.desk, INT64_MAX, &action));
	desk_free(&rig.desk);
	desk_rules_free(&rules);
}

static void
somebody_takes_it_just_then(void **state)
{
	struct desk_rules *rules = rules_of_seconds(30, 0);
	struct rig rig = rig_of(rules, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);
	struct action action, never;

	(void)state;
	assert_true(desk_due(rig.desk, 130 * SECOND, &action));
	/* the action of the server is on its way; a person's comes before it */
	assert_int_equal(act_by(&rig, "desk-1", VERB_ACCEPT, id, 130 * SECOND), REFUSAL_NONE);
	assert_int_equal(act(&rig, &action), REFUSAL_OVERTAKEN);
	assert_int_equal(desk_open_alarm(rig.desk, id)->escalation, 0);
	assert_false(desk_due(rig.desk, INT64_MAX, &never));
	desk_free(&rig.desk);
	desk_rules_free(&rules);
}

static void
nothing_follows_an_acknowledgement(void **state)
{
	struct desk_rules *rules = rules_of_seconds(0, 60);
	struct rig rig = rig_of(rules, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);
	struct action comment = action_by("desk-1", VERB_COMMENT, id, 130 * SECOND);

	(void)state;
	assert_int_equal(act_by(&rig, "desk-1", VERB_ACCEPT, id, 110 * SECOND), REFUSAL_NONE);
	comment.text = "calling the caretaker";
	assert_int_equal(act(&rig, &comment), REFUSAL_NONE);
	assert_due(&rig, 190 * SECOND, VERB_ACK_EXPIRED);
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_true(rig.change->acknowledged_us == 0);
	assert_int_equal(rig.change->stage, ALARM_STAGE_NONE);
	desk_free(&rig.desk);
	desk_rules_free(&rules);
}

static void
the_shelf_ends(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, FORCED, 100 * SECOND);
	struct action action = action_by("desk-1", VERB_SHELVE, id, 101 * SECOND);

	(void)state;
	action.until_us = 500 * SECOND;
	action.text = "works until noon";
	assert_int_equal(act(&rig, &action), REFUSAL_NONE);
	assert_int_equal(rig.change->state, ALARM_SHELVED);
	assert_true(rig.change->until_us == 500 * SECOND);
	/* counted, and not hidden */
	assert_true(happen(&rig, FORCED, 200 * SECOND) == id);
	assert_int_equal(rig.change->state, ALARM_SHELVED);
	assert_int_equal(rig.change->count, 2);
	assert_due(&rig, 500 * SECOND, VERB_SHELF_OVER);
	assert_int_equal(rig.change->state, ALARM_UNACKNOWLEDGED);
	assert_true(rig.change->until_us == 0);
	desk_free(&rig.desk);
}

/* How many of them nobody has taken in time by then. */
static size_t
count_due(const int64_t *due_us, size_t n, int64_t at_us)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += due_us[i] <= at_us;
	return count;
}

static void
the_earliest_is_due_first(void **state)
{
	enum { ALARMS = 60, CRITICAL_S = 45, MEDIUM_S = 600 };
	struct rig rig = rig_of(NULL, 0);
	int64_t due_us[ALARMS];
	struct action action;
	size_t told = 0;

	(void)state;
	for (uint32_t i = 0; i < ALARMS; i++) {
		struct record record = {
			.controller_id = i,
			.kind = i % 3 == 0 ? PANIC : HELD,
			.epoch = 1,
			.seq = 1,
			.received_us = (int64_t)(i * 37 % ALARMS) * SECOND,
		};

		due_us[i] =
			record.received_us + (i % 3 == 0 ? CRITICAL_S : MEDIUM_S) * (int64_t)SECOND;
		rig.position += 10;
		assert_non_null(desk_apply(rig.desk, &record, false, rig.position, 0));
	}
	for (int64_t at_us = 0; at_us < 700 * (int64_t)SECOND; at_us += SECOND) {
		while (desk_due(rig.desk, at_us, &action))
			told++;
		/* none too late behind one that is due later */
		assert_int_equal(told, count_due(due_us, ALARMS, at_us));
	}
	assert_int_equal(told, ALARMS);
	desk_free(&rig.desk);
}

/* ---- The same again ---------------------------------------------------------------------------
 */

enum { LIFE_STEPS = 16 };

/* A long life, in which some are refused. */
static void
live_step(struct rig *rig, unsigned step)
{
	static const enum alarm_verb verbs[] = {VERB_ACCEPT,  VERB_DISPATCHED, VERB_ACCEPT,
						VERB_COMMENT, VERB_HAND_OVER,  VERB_SHELVE,
						VERB_CANCEL,  VERB_UNSHELVE};
	const uint64_t id = (uint64_t)5 << 48 | 10;
	struct action action =
		action_by(step % 3 == 0 ? "desk-2" : "desk-1", verbs[step / 2 % ARRAY_LEN(verbs)],
			  id, (int64_t)step * SECOND);

	if (step == 0) {
		assert_true(happen(rig, FORCED, SECOND) == id);
		return;
	}
	if (step % 2 == 0) {
		(void)happen(rig, step % 4 == 0 ? FORCED : FORCED_RESTORED, (int64_t)step * SECOND);
		return;
	}
	action.operator_code = "12";
	action.text = "said";
	action.to_station_id = 9;
	action.until_us = 900 * (int64_t)SECOND;
	action.seen_change = step % 5 == 0 ? 1 : 0;
	(void)act(rig, &action);
}

/* Loaded after any step, it goes on the same: judging, standing, and what is due. */
static void
a_loaded_desk_lives_on(void **state)
{
	unsigned refused = 0, taken = 0;

	(void)state;
	for (unsigned cut = 0; cut <= LIFE_STEPS; cut++) {
		struct rig one = rig_of(NULL, 0), other = rig_of(NULL, 0);
		struct action a, b;
		struct buf bytes;
		struct err err;

		for (unsigned step = 0; step < cut; step++)
			live_step(&one, step);
		bytes = saved(one.desk);
		assert_int_equal(desk_load(other.desk, buf_front(&bytes), buf_len(&bytes), &err),
				 RC_OK);
		/* texts must not point into what was read */
		memset(buf_front(&bytes), 0xff, buf_len(&bytes));
		buf_fini(&bytes);
		other.position = one.position;
		other.seq = one.seq;
		for (unsigned step = cut; step < LIFE_STEPS; step++) {
			live_step(&one, step);
			live_step(&other, step);
			if (step % 2 == 1) {
				assert_int_equal(one.verdict.refusal, other.verdict.refusal);
				assert_string_equal(one.verdict.by, other.verdict.by);
				refused += one.change == NULL;
				taken += one.change != NULL;
			}
		}
		assert_same(one.desk, other.desk);
		assert_true(desk_due(one.desk, INT64_MAX, &a));
		assert_true(desk_due(other.desk, INT64_MAX, &b));
		assert_true(a.verb == b.verb && a.alarm_id == b.alarm_id);
		assert_int_equal(a.seen_change, b.seen_change);
		desk_free(&one.desk);
		desk_free(&other.desk);
	}
	/* the life is one of both */
	assert_true(refused > 0 && taken > 0);
}

static void
seen_is_told_by_what_follows(void **state)
{
	struct rig rig = rig_of(NULL, 0);
	uint64_t id = happen(&rig, HELD, 100 * SECOND);
	struct alarm_seen seen = {.alarm_id = id, .change = 1, .offered_us = 5, .shown_us = 0};

	(void)state;
	assert_true(desk_note_offered(rig.desk, id));
	assert_false(desk_note_offered(rig.desk, id));
	desk_see(rig.desk, &seen);
	assert_false(desk_note_offered(rig.desk, id));
	assert_true(desk_note_shown(rig.desk, id));
	seen.offered_us = 9;
	seen.shown_us = 7;
	desk_see(rig.desk, &seen);
	assert_int_equal(act_by(&rig, "desk-1", VERB_ACCEPT, id, 101 * SECOND), REFUSAL_NONE);
	assert_true(rig.change->offered_us == 5 && rig.change->shown_us == 7);
	desk_free(&rig.desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_is_told_by_whom),
		cmocka_unit_test(who_types_fast_has_not_overtaken_himself),
		cmocka_unit_test(closing_a_moment_too_late),
		cmocka_unit_test(what_stands_is_closed_by_a_supervisor_with_a_reason),
		cmocka_unit_test(people_in_need_are_never_shelved),
		cmocka_unit_test(a_repetition_is_unacknowledged_again),
		cmocka_unit_test(bounces_are_one),
		cmocka_unit_test(nobody_takes_it),
		cmocka_unit_test(somebody_takes_it_just_then),
		cmocka_unit_test(nothing_follows_an_acknowledgement),
		cmocka_unit_test(the_shelf_ends),
		cmocka_unit_test(the_earliest_is_due_first),
		cmocka_unit_test(a_loaded_desk_lives_on),
		cmocka_unit_test(seen_is_told_by_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
