/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of an alarm's life against the contract, and what a console wants done:
 * decoded, bounded, and refused where its verb lacks something.  The generated header
 * is the other side: a number that one of them lacks fails here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/console_msg.h"
#include "wire/frame.h"

enum { ARENA_BYTES = 32 * 1024 };

/* ---- Names ------------------------------------------------------------------- */

/* "VERB_ON_SCENE" and "on_scene" name the same. */
static void
assert_names(const ProtobufCEnumDescriptor *contract, const char *prefix, unsigned count,
	     const char *(*name)(unsigned))
{
	assert_string_equal(name(0), "unspecified");
	assert_string_equal(name(count), "unspecified");
	assert_string_equal(name(UINT32_MAX), "unspecified");
	for (unsigned i = 1; i < contract->n_values; i++) {
		const char *theirs = contract->values[i].name + strlen(prefix);
		const char *ours = name((unsigned)contract->values[i].value);

		assert_true((unsigned)contract->values[i].value < count);
		assert_int_equal(strlen(theirs), strlen(ours));
		for (size_t at = 0; ours[at] != '\0'; at++)
			assert_int_equal(toupper((unsigned char)ours[at]), theirs[at]);
	}
}

/* How many of the numbers below `count` have a name. */
static unsigned
named(unsigned count, const char *(*name)(unsigned))
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		n += strcmp(name(i), "unspecified") != 0;
	return n;
}

static void
names_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_names(&gatehouse__v1__alarm_state__descriptor, "ALARM_STATE_", ALARM_STATES,
		     alarm_state_name);
	assert_names(&gatehouse__v1__alarm_stage__descriptor, "ALARM_STAGE_", ALARM_STAGES,
		     alarm_stage_name);
	assert_names(&gatehouse__v1__verb__descriptor, "VERB_", VERBS, verb_name);
	assert_names(&gatehouse__v1__reject_alarm_reason__descriptor, "REJECT_ALARM_REASON_",
		     REJECT_ALARMS, reject_alarm_name);
	assert_names(&gatehouse__v1__outcome__descriptor, "OUTCOME_", OUTCOMES, outcome_name);
	assert_names(&gatehouse__v1__action_refusal__descriptor, "ACTION_REFUSAL_", REFUSALS,
		     refusal_name);
	assert_int_equal(named(VERBS, verb_name) + 1, gatehouse__v1__verb__descriptor.n_values);
	assert_int_equal(ACTOR_KINDS, gatehouse__v1__actor_kind__descriptor.n_values);
	assert_int_equal(ACTOR_SERVER, GATEHOUSE__V1__ACTOR_KIND__ACTOR_KIND_SERVER);
}

static void
names_lead_back(void **state)
{
	(void)state;
	for (unsigned verb = 1; verb < VERBS; verb++) {
		if (verb_is_known(verb))
			assert_int_equal(verb_by_name(verb_name(verb)), verb);
	}
	assert_int_equal(verb_by_name("unspecified"), VERB_NONE);
	assert_int_equal(verb_by_name(""), VERB_NONE);
	assert_int_equal(outcome_by_name("incident"), OUTCOME_INCIDENT);
	assert_int_equal(outcome_by_name("nothing"), OUTCOME_NONE);
	assert_int_equal(reject_alarm_by_name("too_old"), REJECT_ALARM_TOO_OLD);
}

static void
people_have_verbs_of_their_own(void **state)
{
	(void)state;
	assert_false(verb_is_of_people(VERB_NONE));
	assert_true(verb_is_of_people(VERB_ACCEPT));
	assert_true(verb_is_of_people(VERB_IN_SERVICE));
	assert_false(verb_is_of_people(VERB_IN_SERVICE + 1));
	assert_false(verb_is_of_people(VERB_ESCALATED));
	assert_false(verb_is_known(VERB_IN_SERVICE + 1));
	assert_true(verb_is_known(VERB_GROUP_JOINED));
	assert_false(verb_is_known(VERBS));
}

/* ---- Actions ------------------------------------------------------------------- */

static enum rc
decode(struct arena *arena, const Gatehouse__V1__FromConsole *from, struct console_msg *msg,
       struct err *err)
{
	uint8_t bytes[8192];
	size_t n = gatehouse__v1__from_console__get_packed_size(from);

	assert_true(n <= sizeof(bytes));
	gatehouse__v1__from_console__pack(from, bytes);
	arena_reset(arena);
	return console_msg_decode(arena, bytes, n, msg, err);
}

static enum rc
decode_action(struct arena *arena, Gatehouse__V1__Action *action, struct console_msg *msg,
	      struct err *err)
{
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_ACTION;
	from.action = action;
	return decode(arena, &from, msg, err);
}

static void
action_comes_as_it_was_sent(void **state)
{
	Gatehouse__V1__Action action = GATEHOUSE__V1__ACTION__INIT;
	char operator_code[] = "7", text[] = "two on the way", station[] = "north";
	struct console_msg msg;
	struct arena arena;
	struct err err;

	(void)state;
	action.request_id = UINT64_MAX;
	action.alarm_id = 5;
	action.seen_change = 6;
	action.verb = GATEHOUSE__V1__VERB__VERB_HAND_OVER;
	action.operator_ = operator_code;
	action.until_us = -7;
	action.reject_reason = GATEHOUSE__V1__REJECT_ALARM_REASON__REJECT_ALARM_REASON_TOO_OLD;
	action.outcome = GATEHOUSE__V1__OUTCOME__OUTCOME_TEST;
	action.text = text;
	action.station = station;
	arena_init(&arena, ARENA_BYTES);
	assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_OK);
	assert_int_equal(msg.type, CONSOLE_MSG_ACTION);
	assert_true(msg.action.request_id == UINT64_MAX && msg.action.alarm_id == 5);
	assert_true(msg.action.seen_change == 6 && msg.action.until_us == -7);
	assert_int_equal(msg.action.verb, VERB_HAND_OVER);
	assert_int_equal(msg.action.reject, REJECT_ALARM_TOO_OLD);
	assert_int_equal(msg.action.outcome, OUTCOME_TEST);
	assert_string_equal(msg.action.operator_code, "7");
	assert_string_equal(msg.action.text, "two on the way");
	assert_string_equal(msg.action.station, "north");
	arena_fini(&arena);
}

static void
numbers_of_others_are_no_verbs(void **state)
{
	static const int verbs[] = {0, 14, VERB_ESCALATED, VERB_GROUP_JOINED, 27, -1, INT32_MAX};
	struct console_msg msg;
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena, ARENA_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		Gatehouse__V1__Action action = GATEHOUSE__V1__ACTION__INIT;

		action.verb = (Gatehouse__V1__Verb)verbs[i];
		assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_OK);
		assert_int_equal(msg.action.verb, VERB_NONE);
		assert_int_equal(action_request_check(&msg.action, &err), RC_INVALID);
	}
	arena_fini(&arena);
}

static void
texts_over_their_bounds_end_it(void **state)
{
	char text[ALARM_TEXT_MAX + 2], name[ALARM_NAME_MAX + 2], control[] = "a\nb";
	Gatehouse__V1__Action action = GATEHOUSE__V1__ACTION__INIT;
	struct console_msg msg;
	struct arena arena;
	struct err err;

	(void)state;
	memset(text, 'z', sizeof(text));
	memset(name, 'z', sizeof(name));
	text[ALARM_TEXT_MAX] = name[ALARM_NAME_MAX] = '\0';
	arena_init(&arena, ARENA_BYTES);
	action.text = text;
	action.operator_ = action.station = name;
	assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_OK);

	text[ALARM_TEXT_MAX] = 'z';
	text[ALARM_TEXT_MAX + 1] = '\0';
	assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_INVALID);
	assert_string_equal(err.msg, "text of an action is not a text of at most 500 bytes");
	action.text = control;
	assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_INVALID);
	action.text = NULL;
	name[ALARM_NAME_MAX] = 'z';
	name[ALARM_NAME_MAX + 1] = '\0';
	assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_INVALID);
	action.operator_ = NULL;
	assert_int_equal(decode_action(&arena, &action, &msg, &err), RC_INVALID);
	assert_string_equal(err.msg, "station of an action is not a text of at most 64 bytes");
	arena_fini(&arena);
}

/* What each verb needs, and that it takes nothing else. */
static void
verbs_get_what_they_need(void **state)
{
	static const struct {
		struct action_request request;
		const char *wrong; /* NULL: nothing */
	} cases[] = {
		{{.verb = VERB_ACCEPT}, NULL},
		{{.verb = VERB_ACCEPT, .text = "seen"}, NULL},
		{{.verb = VERB_ACCEPT, .until_us = 1}, "accept can't have until_us"},
		{{.verb = VERB_ACCEPT, .outcome = OUTCOME_TEST}, "accept can't have an outcome"},
		{{.verb = VERB_ACCEPT, .station = "x"}, "accept can't have a station"},
		{{.verb = VERB_REJECT}, "reject needs a reject_reason"},
		{{.verb = VERB_REJECT, .reject = REJECT_ALARM_OTHER}, NULL},
		{{.verb = VERB_CLOSE}, "close needs an outcome"},
		{{.verb = VERB_CLOSE, .outcome = OUTCOME_TEST}, NULL},
		{{.verb = VERB_COMMENT}, "comment needs a text"},
		{{.verb = VERB_COMMENT, .text = "x"}, NULL},
		{{.verb = VERB_HAND_OVER}, "hand_over needs a station"},
		{{.verb = VERB_HAND_OVER, .station = "north"}, NULL},
		{{.verb = VERB_SHELVE, .text = "x"}, "shelve needs until_us"},
		{{.verb = VERB_SHELVE, .until_us = 1}, "shelve needs a text"},
		{{.verb = VERB_SHELVE, .until_us = 1, .text = "x"}, NULL},
		{{.verb = VERB_UNSHELVE}, NULL},
		{{.verb = VERB_RESET}, NULL},
		{{.verb = VERB_RESET, .outcome = OUTCOME_INCIDENT}, NULL},
		{{.verb = VERB_OUT_OF_SERVICE, .until_us = 1}, "out_of_service needs a text"},
		{{.verb = VERB_OUT_OF_SERVICE, .until_us = 1, .text = "x"}, NULL},
		{{.verb = VERB_IN_SERVICE}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct action_request request = cases[i].request;
		struct err err;

		request.text = request.text != NULL ? request.text : "";
		request.station = request.station != NULL ? request.station : "";
		if (action_request_check(&request, &err) == RC_OK)
			assert_null(cases[i].wrong);
		else if (cases[i].wrong == NULL || strcmp(err.msg, cases[i].wrong) != 0)
			fail_msg("%s: %s", verb_name(request.verb), err.msg);
	}
}

static void
shown_is_bounded(void **state)
{
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__Shown shown = GATEHOUSE__V1__SHOWN__INIT;
	Gatehouse__V1__ShownAlarm one = GATEHOUSE__V1__SHOWN_ALARM__INIT;
	Gatehouse__V1__ShownAlarm *alarms[SHOWN_MAX + 1];
	struct console_msg msg;
	struct arena arena;
	struct err err;

	(void)state;
	one.alarm_id = 1;
	one.change = 2;
	one.shown_time_us = 3;
	for (size_t i = 0; i < ARRAY_LEN(alarms); i++)
		alarms[i] = &one;
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SHOWN;
	from.shown = &shown;
	shown.alarms = alarms;
	shown.n_alarms = SHOWN_MAX;
	arena_init(&arena, ARENA_BYTES);
	assert_int_equal(decode(&arena, &from, &msg, &err), RC_OK);
	assert_int_equal(msg.type, CONSOLE_MSG_SHOWN);
	assert_int_equal(msg.shown.n, SHOWN_MAX);
	assert_true(msg.shown.alarms[SHOWN_MAX - 1].alarm_id == 1);
	assert_true(msg.shown.alarms[0].change == 2 && msg.shown.alarms[0].shown_us == 3);
	shown.n_alarms = SHOWN_MAX + 1;
	assert_int_equal(decode(&arena, &from, &msg, &err), RC_INVALID);
	arena_fini(&arena);
}

/* ---- Answers --------------------------------------------------------------------- */

static Gatehouse__V1__ToConsole *
unpack(const uint8_t *out, size_t n)
{
	const uint8_t *payload;
	size_t len, used;

	assert_int_equal(frame_parse(out, n, CONSOLE_ANSWER_MAX, &payload, &len, &used),
			 FRAME_WHOLE);
	assert_int_equal(used, n);
	return gatehouse__v1__to_console__unpack(NULL, len, payload);
}

static void
refusal_says_by_whom(void **state)
{
	struct action_result result = {
		.request_id = 1,
		.alarm_id = 2,
		.refusal = REFUSAL_OVERTAKEN,
		.at_us = 3,
		.by = "7@desk-north",
		.detail = "it was accepted already",
	};
	uint8_t out[CONSOLE_ANSWER_MAX];
	Gatehouse__V1__ToConsole *to = unpack(out, console_put_action_result(out, &result));

	(void)state;
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ACTION_RESULT);
	assert_true(to->action_result->request_id == 1 && to->action_result->alarm_id == 2);
	assert_false(to->action_result->accepted);
	assert_int_equal(to->action_result->refusal,
			 GATEHOUSE__V1__ACTION_REFUSAL__ACTION_REFUSAL_OVERTAKEN);
	assert_true(to->action_result->at_us == 3);
	assert_string_equal(to->action_result->by, "7@desk-north");
	assert_string_equal(to->action_result->detail, "it was accepted already");
	gatehouse__v1__to_console__free_unpacked(to, NULL);
}

/* The longest alarm that there can be fits. */
static void
alarm_of_all_its_lengths_fits(void **state)
{
	static char code[65], label[201], by[ALARM_BY_MAX + 1], text[ALARM_TEXT_MAX + 1];
	struct alarm_place place = {code,
				    code,
				    label,
				    code,
				    label,
				    label,
				    code,
				    code,
				    .handed_to = code,
				    .n_called = ALARM_CALLED_MAX};
	struct alarm_change change = {
		.alarm_id = UINT64_MAX,
		.change = UINT32_MAX,
		.position = UINT64_MAX,
		.verb = VERB_ACCEPT,
		.escalation = UINT8_MAX,
		.group_id = UINT64_MAX,
		.latches = 1,
		.stage = ALARM_STAGE_ON_SCENE,
		.acted_us = INT64_MAX,
		.until_us = INT64_MAX,
		.acknowledged_us = INT64_MAX,
		.actor = code,
		.operator_code = code,
		.acknowledged_by = by,
		.text = text,
	};
	uint8_t out[CONSOLE_ANSWER_MAX];
	Gatehouse__V1__ToConsole *to;

	(void)state;
	memset(code, 'c', sizeof(code) - 1);
	memset(label, 'l', sizeof(label) - 1);
	memset(by, 'b', sizeof(by) - 1);
	memset(text, 't', sizeof(text) - 1);
	for (size_t i = 0; i < ALARM_CALLED_MAX; i++)
		place.called[i] = code;
	to = unpack(out, console_put_alarm(out, &change, &place));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ALARM);
	assert_int_equal(to->alarm->n_called, ALARM_CALLED_MAX);
	assert_string_equal(to->alarm->called[ALARM_CALLED_MAX - 1], code);
	assert_string_equal(to->alarm->acknowledged_by, by);
	assert_string_equal(to->alarm->operator_, code);
	assert_string_equal(to->alarm->text, text);
	assert_true(to->alarm->latched);
	assert_true(to->alarm->shelved_until_us == INT64_MAX);
	gatehouse__v1__to_console__free_unpacked(to, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_contract),
		cmocka_unit_test(names_lead_back),
		cmocka_unit_test(people_have_verbs_of_their_own),
		cmocka_unit_test(action_comes_as_it_was_sent),
		cmocka_unit_test(numbers_of_others_are_no_verbs),
		cmocka_unit_test(texts_over_their_bounds_end_it),
		cmocka_unit_test(verbs_get_what_they_need),
		cmocka_unit_test(shown_is_bounded),
		cmocka_unit_test(refusal_says_by_whom),
		cmocka_unit_test(alarm_of_all_its_lengths_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
