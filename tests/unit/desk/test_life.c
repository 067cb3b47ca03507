/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an alarm: each pair of state and event against a table of its own, for
 * each of the conditions that decide where a state alone doesn't.  A cell that changes,
 * or is added to the code without being added here, fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "desk/life.h"
#include "wire/kind.h"

enum { HELD = 205, FORCED = 202, DURESS = 104, PANIC = 320 };

/* States by one letter: Unacknowledged, Acknowledged, Returned, Normal, Latched,
 * Shelved, Out of service; "." takes nothing. */
static const char letters[ALARM_STATES + 1] = ".UARNLSO";

/* ---- What must come out -------------------------------------------------------------- */

/* The events in the order of the columns below. */
static const unsigned events[] = {
	LIFE_RAISED,      LIFE_RESTORED,       VERB_ACCEPT,      VERB_REJECT,
	VERB_DISPATCHED,  VERB_ON_SCENE,       VERB_CLOSE,       VERB_CANCEL,
	VERB_COMMENT,     VERB_HAND_OVER,      VERB_SHELVE,      VERB_UNSHELVE,
	VERB_RESET,       VERB_OUT_OF_SERVICE, VERB_IN_SERVICE,  VERB_ESCALATED,
	VERB_ACK_EXPIRED, VERB_SHELF_OVER,     VERB_GROUP_BEGUN, VERB_GROUP_COUNTED,
	VERB_GROUP_ENDED, VERB_GROUP_JOINED,
};

struct situation {
	const char *name;
	uint16_t kind;
	enum alarm_state state;
	bool over, latches, taken;
	enum alarm_stage stage;
	const char *next; /* one letter for each event */
};

/*
 *	   raised, restored
 *	   |  accept, reject, dispatched, on_scene, close, cancel, comment, hand_over
 *	   |  |        shelve, unshelve, reset, out_of_service, in_service
 *	   |  |        |     escalated, ack_expired, shelf_over
 *	   |  |        |     |   group begun, counted, ended, joined
 */
/* clang-format off */
static const struct situation situations[] = {
	{"new", HELD, ALARM_NORMAL, false, false, false, 0,
	  "U." "........" "....." "..." "U..."},
	{"stands", HELD, ALARM_UNACKNOWLEDGED, false, false, false, 0,
	  "UR" "AUAAN.UU" "S..O." "U.." ".URU"},
	{"stands and latches", FORCED, ALARM_UNACKNOWLEDGED, false, true, false, 0,
	  "UL" "AUAAN.UU" "S..O." "U.." ".ULU"},
	{"accepted", HELD, ALARM_ACKNOWLEDGED, false, false, true, ALARM_STAGE_ACCEPTED,
	  "UN" "..AANUAU" "S..O." ".U." ".ANA"},
	{"dispatched", HELD, ALARM_ACKNOWLEDGED, false, false, true, ALARM_STAGE_DISPATCHED,
	  "UA" "..AANUAU" "S..O." ".U." ".AAA"},
	{"dispatched, and over", HELD, ALARM_ACKNOWLEDGED, true, false, true,
	  ALARM_STAGE_DISPATCHED,
	  "U." "..AANRAR" "S..O." ".R." "U..A"},
	{"accepted and latches", FORCED, ALARM_ACKNOWLEDGED, false, true, true,
	  ALARM_STAGE_ACCEPTED,
	  "UL" "..AANUAU" "S..O." ".U." ".ALA"},
	/* nothing clears it, and a person ends it */
	{"duress, accepted", DURESS, ALARM_ACKNOWLEDGED, false, true, true, ALARM_STAGE_ACCEPTED,
	  "UL" "..AANUAU" "S.NO." ".U." ".ALA"},
	{"over, untaken", HELD, ALARM_RETURNED_UNACKNOWLEDGED, true, false, false, 0,
	  "U." "NRAAN.RR" "S..O." "R.." "U..R"},
	{"latched, untaken", FORCED, ALARM_LATCHED, true, true, false, 0,
	  "U." "LLLL..LL" "S.NO." "L.." "U..L"},
	{"latched, taken", FORCED, ALARM_LATCHED, true, true, true, ALARM_STAGE_ACCEPTED,
	  "U." "..LL.LLL" "S.NO." ".L." "U..L"},
	{"shelved, stands", HELD, ALARM_SHELVED, false, false, false, 0,
	  "SS" "....N.S." ".U.O." "..U" ".SSS"},
	{"shelved, over, taken", HELD, ALARM_SHELVED, true, false, true, ALARM_STAGE_ACCEPTED,
	  "S." "....N.S." ".N.O." "..N" "S..S"},
	{"shelved, over, untaken", HELD, ALARM_SHELVED, true, false, false, 0,
	  "S." "....N.S." ".R.O." "..R" "S..S"},
	{"shelved, over, latches", FORCED, ALARM_SHELVED, true, true, true, ALARM_STAGE_ACCEPTED,
	  "S." "....N.S." ".L.O." "..L" "S..S"},
	{"out of service, stands", HELD, ALARM_OUT_OF_SERVICE, false, false, false, 0,
	  "OO" "......O." "....U" "..U" ".OOO"},
	{"out of service, over", HELD, ALARM_OUT_OF_SERVICE, true, false, false, 0,
	  "O." "......O." "....R" "..R" "O..O"},
};
/* clang-format on */

static struct alarm_change
alarm_in(const struct situation *s)
{
	return (struct alarm_change){
		.kind = s->kind,
		.state = (uint8_t)s->state,
		.cleared_us = s->over ? 5 : 0,
		.latches = s->latches,
		.acknowledged_us = s->taken ? 6 : 0,
		.stage = (uint8_t)s->stage,
	};
}

static const char *
event_name(unsigned event)
{
	return event == LIFE_RAISED     ? "raised"
	       : event == LIFE_RESTORED ? "restored"
					: verb_name(event);
}

static void
each_pair_leads_where_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
		const struct situation *s = &situations[i];
		struct alarm_change now = alarm_in(s);

		assert_int_equal(strlen(s->next), ARRAY_LEN(events));
		for (size_t at = 0; at < ARRAY_LEN(events); at++) {
			char next = letters[life_next(&now, events[at])];

			if (next != s->next[at])
				fail_msg("%s, %s: %c, expected %c", s->name, event_name(events[at]),
					 next, s->next[at]);
		}
	}
}

static bool
is_among_events(unsigned event)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (events[i] == event)
			return true;
	}
	return false;
}

static void
no_state_and_no_event_is_left_out(void **state)
{
	bool seen[ALARM_STATES] = {false};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(situations); i++)
		seen[situations[i].state] = true;
	for (unsigned i = 1; i < ALARM_STATES; i++)
		assert_true(seen[i]);
	for (unsigned event = 0; event < LIFE_EVENTS; event++) {
		if (is_among_events(event))
			continue;
		/* no verb at all: nothing takes it */
		assert_false(verb_is_known(event));
		for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
			struct alarm_change now = alarm_in(&situations[i]);

			assert_int_equal(life_next(&now, event), 0);
		}
	}
}

static void
who_waits_and_what_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
		const struct situation *s = &situations[i];
		struct alarm_change now = alarm_in(s);
		bool waiting = s->state == ALARM_UNACKNOWLEDGED ||
			       s->state == ALARM_RETURNED_UNACKNOWLEDGED ||
			       (s->state == ALARM_LATCHED && !s->taken);

		assert_int_equal(life_is_waiting(&now), waiting);
		/* what waits goes on to the next station, and nothing else does */
		assert_int_equal(life_next(&now, VERB_ESCALATED) != 0, waiting);
		assert_int_equal(life_stands(&now), !s->over && s->kind != DURESS);
	}
}

static void
supervisors_are_needed(void **state)
{
	struct alarm_change held = {.kind = HELD, .state = ALARM_ACKNOWLEDGED};
	struct alarm_change over = {.kind = HELD, .state = ALARM_ACKNOWLEDGED, .cleared_us = 1};
	struct alarm_change panic = {.kind = PANIC, .state = ALARM_ACKNOWLEDGED};
	struct alarm_change duress = {.kind = DURESS, .state = ALARM_LATCHED, .latches = 1};
	struct alarm_change forced = {
		.kind = FORCED, .state = ALARM_LATCHED, .latches = 1, .cleared_us = 1};

	(void)state;
	assert_true(life_needs_supervisor(&held, VERB_CLOSE));
	assert_false(life_needs_supervisor(&over, VERB_CLOSE));
	assert_false(life_needs_supervisor(&panic, VERB_CLOSE)); /* nothing stands */
	assert_true(life_needs_supervisor(&duress, VERB_CLOSE));
	assert_true(life_needs_supervisor(&duress, VERB_RESET));
	assert_false(life_needs_supervisor(&forced, VERB_RESET));
	assert_true(life_needs_supervisor(&over, VERB_OUT_OF_SERVICE));
	assert_false(life_needs_supervisor(&held, VERB_ACCEPT));
	assert_false(life_needs_supervisor(&held, VERB_SHELVE));
	assert_true(life_is_supervised(&held) && life_is_supervised(&duress));
	assert_false(life_is_supervised(&over) || life_is_supervised(&panic));
	assert_false(life_is_supervised(&forced));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pair_leads_where_it_should),
		cmocka_unit_test(no_state_and_no_event_is_left_out),
		cmocka_unit_test(who_waits_and_what_stands),
		cmocka_unit_test(supervisors_are_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
