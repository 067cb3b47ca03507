/* SPDX-License-Identifier: Apache-2.0 */
/* Names of an alarm's states, verbs and reasons.  Immutable; any thread. */
#include "wire/alarm.h"

#include <string.h>

static const char *const state_names[ALARM_STATES] = {
	[ALARM_UNACKNOWLEDGED] = "unacknowledged",
	[ALARM_ACKNOWLEDGED] = "acknowledged",
	[ALARM_RETURNED_UNACKNOWLEDGED] = "returned_unacknowledged",
	[ALARM_NORMAL] = "normal",
	[ALARM_LATCHED] = "latched",
	[ALARM_SHELVED] = "shelved",
	[ALARM_OUT_OF_SERVICE] = "out_of_service",
};

static const char *const stage_names[ALARM_STAGES] = {
	[ALARM_STAGE_ACCEPTED] = "accepted",
	[ALARM_STAGE_DISPATCHED] = "dispatched",
	[ALARM_STAGE_ON_SCENE] = "on_scene",
};

static const char *const verb_names[VERBS] = {
	[VERB_ACCEPT] = "accept",
	[VERB_REJECT] = "reject",
	[VERB_DISPATCHED] = "dispatched",
	[VERB_ON_SCENE] = "on_scene",
	[VERB_CLOSE] = "close",
	[VERB_CANCEL] = "cancel",
	[VERB_COMMENT] = "comment",
	[VERB_HAND_OVER] = "hand_over",
	[VERB_SHELVE] = "shelve",
	[VERB_UNSHELVE] = "unshelve",
	[VERB_RESET] = "reset",
	[VERB_OUT_OF_SERVICE] = "out_of_service",
	[VERB_IN_SERVICE] = "in_service",
	[VERB_ESCALATED] = "escalated",
	[VERB_ACK_EXPIRED] = "ack_expired",
	[VERB_SHELF_OVER] = "shelf_over",
	[VERB_GROUP_BEGUN] = "group_begun",
	[VERB_GROUP_COUNTED] = "group_counted",
	[VERB_GROUP_ENDED] = "group_ended",
	[VERB_GROUP_JOINED] = "group_joined",
};

static const char *const reject_alarm_names[REJECT_ALARMS] = {
	[REJECT_ALARM_WRONG_ADDRESS] = "wrong_address",
	[REJECT_ALARM_WRONG_KIND] = "wrong_kind",
	[REJECT_ALARM_TOO_OLD] = "too_old",
	[REJECT_ALARM_OTHER] = "other",
};

static const char *const outcome_names[OUTCOMES] = {
	[OUTCOME_INCIDENT] = "incident",       [OUTCOME_NOTHING_FOUND] = "nothing_found",
	[OUTCOME_FALSE_ALARM] = "false_alarm", [OUTCOME_TEST] = "test",
	[OUTCOME_TECHNICAL] = "technical",     [OUTCOME_OTHER] = "other",
};

static const char *const refusal_names[REFUSALS] = {
	[REFUSAL_UNKNOWN_ALARM] = "unknown_alarm",
	[REFUSAL_FORM] = "form",
	[REFUSAL_STATE] = "state",
	[REFUSAL_OVERTAKEN] = "overtaken",
	[REFUSAL_RIGHT] = "right",
	[REFUSAL_KIND] = "kind",
	[REFUSAL_BUSY] = "busy",
};

static const char *
name_in(const char *const *names, size_t n, unsigned number)
{
	return number < n && names[number] != NULL ? names[number] : "unspecified";
}

static unsigned
number_in(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return (unsigned)i;
	}
	return 0;
}

const char *
alarm_state_name(unsigned state)
{
	return name_in(state_names, ARRAY_LEN(state_names), state);
}

const char *
alarm_stage_name(unsigned stage)
{
	return name_in(stage_names, ARRAY_LEN(stage_names), stage);
}

const char *
verb_name(unsigned verb)
{
	return name_in(verb_names, ARRAY_LEN(verb_names), verb);
}

const char *
reject_alarm_name(unsigned reason)
{
	return name_in(reject_alarm_names, ARRAY_LEN(reject_alarm_names), reason);
}

const char *
outcome_name(unsigned outcome)
{
	return name_in(outcome_names, ARRAY_LEN(outcome_names), outcome);
}

const char *
refusal_name(unsigned refusal)
{
	return name_in(refusal_names, ARRAY_LEN(refusal_names), refusal);
}

enum alarm_verb
verb_by_name(const char *name)
{
	return (enum alarm_verb)number_in(verb_names, ARRAY_LEN(verb_names), name);
}

enum reject_alarm
reject_alarm_by_name(const char *name)
{
	return (enum reject_alarm)number_in(reject_alarm_names, ARRAY_LEN(reject_alarm_names),
					    name);
}

enum outcome
outcome_by_name(const char *name)
{
	return (enum outcome)number_in(outcome_names, ARRAY_LEN(outcome_names), name);
}

bool
verb_is_of_people(unsigned verb)
{
	return verb > VERB_NONE && verb <= VERB_OF_PEOPLE_LAST;
}

bool
verb_is_known(unsigned verb)
{
	return verb < ARRAY_LEN(verb_names) && verb_names[verb] != NULL;
}
