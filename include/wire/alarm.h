/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of an alarm's life: states, verbs, reasons.  The numbers are those of the
 * enums of the same names in proto/gatehouse.proto; a test holds them together.
 *
 * Immutable; any thread.
 */
#ifndef GATEHOUSE_WIRE_ALARM_H
#define GATEHOUSE_WIRE_ALARM_H

#include "base/base.h"

/* ISA-18.2.  What leads from one to another is the desk's table, desk/life.c. */
enum alarm_state {
	ALARM_UNACKNOWLEDGED = 1,
	ALARM_ACKNOWLEDGED = 2,
	ALARM_RETURNED_UNACKNOWLEDGED = 3,
	ALARM_NORMAL = 4,
	ALARM_LATCHED = 5,
	ALARM_SHELVED = 6,
	ALARM_OUT_OF_SERVICE = 7,
	ALARM_STATES, /* how many, with 0 */
};

enum alarm_stage {
	ALARM_STAGE_NONE,
	ALARM_STAGE_ACCEPTED,
	ALARM_STAGE_DISPATCHED,
	ALARM_STAGE_ON_SCENE,
	ALARM_STAGES,
};

enum alarm_verb {
	VERB_NONE = 0, /* a record was behind it */
	VERB_ACCEPT = 1,
	VERB_REJECT = 2,
	VERB_DISPATCHED = 3,
	VERB_ON_SCENE = 4,
	VERB_CLOSE = 5,
	VERB_CANCEL = 6,
	VERB_COMMENT = 7,
	VERB_HAND_OVER = 8,
	VERB_SHELVE = 9,
	VERB_UNSHELVE = 10,
	VERB_RESET = 11,
	VERB_OUT_OF_SERVICE = 12,
	VERB_IN_SERVICE = 13,
	VERB_OF_PEOPLE_LAST = VERB_IN_SERVICE,
	/* the server's own */
	VERB_ESCALATED = 20,
	VERB_ACK_EXPIRED = 21,
	VERB_SHELF_OVER = 22,
	VERB_GROUP_BEGUN = 23,
	VERB_GROUP_COUNTED = 24,
	VERB_GROUP_ENDED = 25,
	VERB_GROUP_JOINED = 26,
	VERBS,
};

enum actor_kind {
	ACTOR_NONE,
	ACTOR_CONSOLE,
	ACTOR_OPERATOR, /* somebody at the server */
	ACTOR_SERVER,
	ACTOR_KINDS,
};

enum reject_alarm {
	REJECT_ALARM_NONE,
	REJECT_ALARM_WRONG_ADDRESS,
	REJECT_ALARM_WRONG_KIND,
	REJECT_ALARM_TOO_OLD,
	REJECT_ALARM_OTHER,
	REJECT_ALARMS,
};

enum outcome {
	OUTCOME_NONE,
	OUTCOME_INCIDENT,
	OUTCOME_NOTHING_FOUND,
	OUTCOME_FALSE_ALARM,
	OUTCOME_TEST,
	OUTCOME_TECHNICAL,
	OUTCOME_OTHER,
	OUTCOMES,
};

enum action_refusal {
	REFUSAL_NONE,
	REFUSAL_UNKNOWN_ALARM,
	REFUSAL_FORM,
	REFUSAL_STATE,
	REFUSAL_OVERTAKEN,
	REFUSAL_RIGHT,
	REFUSAL_KIND,
	REFUSAL_BUSY,
	REFUSALS,
};

/* Bytes, without the end. */
enum {
	ALARM_NAME_MAX = 64,                   /* of a console, an operator, a station */
	ALARM_BY_MAX = 2 * ALARM_NAME_MAX + 1, /* "OPERATOR@CONSOLE" */
	ALARM_TEXT_MAX = 500,
};

/* "unacknowledged" and so on; "unspecified" for a number that has no name. */
const char *alarm_state_name(unsigned state);
const char *alarm_stage_name(unsigned stage);
const char *verb_name(unsigned verb);
const char *reject_alarm_name(unsigned reason);
const char *outcome_name(unsigned outcome);
const char *refusal_name(unsigned refusal);
/* By name; 0 when there is none. */
enum alarm_verb verb_by_name(const char *name);
enum reject_alarm reject_alarm_by_name(const char *name);
enum outcome outcome_by_name(const char *name);
/* One that a person may ask for. */
bool verb_is_of_people(unsigned verb);
/* One that there is. */
bool verb_is_known(unsigned verb);

#endif
