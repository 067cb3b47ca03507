/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's side of the contract: what a console says, checked; and what it
 * is told, as framed bytes.  Any thread; an arena belongs to one.
 */
#ifndef GATEHOUSE_WIRE_CONSOLE_MSG_H
#define GATEHOUSE_WIRE_CONSOLE_MSG_H

#include "wire/controller_msg.h"
#include "wire/entry.h"
#include "wire/kind.h"

enum { SUBSCRIBE_AREAS_MAX = 64, SUBSCRIBE_KINDS_MAX = 64, SHOWN_MAX = 64 };

enum console_msg_type {
	CONSOLE_MSG_HELLO,
	CONSOLE_MSG_SUBSCRIBE,
	CONSOLE_MSG_KEEP_ALIVE,
	CONSOLE_MSG_ACTION,
	CONSOLE_MSG_SHOWN,
};

/*
 * What a console wants to be done, in its own words.  Each text is one of its length,
 * each number one of the contract; whether the verb has what it needs is for
 * action_request_check().
 */
struct action_request {
	uint64_t request_id, alarm_id;
	uint32_t seen_change;
	enum alarm_verb verb; /* VERB_NONE: a number that the contract doesn't have */
	enum reject_alarm reject;
	enum outcome outcome;
	int64_t until_us;
	const char *operator_code, *text, *station; /* borrowed, none is NULL */
};

struct console_msg {
	enum console_msg_type type;
	union {
		struct {
			uint32_t protocol;
			const char *software;
		} hello;
		struct {
			const char *const *areas;
			size_t n_areas;
			const uint32_t *kinds;
			size_t n_kinds;
			enum severity severity_min;
			uint64_t from_position;
			bool called_only;
		} subscribe;
		struct action_request action;
		struct {
			const struct alarm_seen *alarms; /* with shown_us */
			size_t n;
		} shown;
	};
};

/* As controller_msg_decode(). */
enum rc console_msg_decode(struct arena *arena, const uint8_t *bytes, size_t n,
			   struct console_msg *msg, struct err *err) MUST_CHECK;

/* What the verb needs is there, and nothing that it can't have: RC_INVALID says what is
 * wrong.  A time that is over, or too far off, is for whoever knows the limit. */
enum rc action_request_check(const struct action_request *request, struct err *err) MUST_CHECK;

/* Stations that are called at once, at most. */
enum { ALARM_CALLED_MAX = 8 };

/* Where an alarm is, as people call it; texts are borrowed, none is NULL. */
struct alarm_place {
	const char *area, *site, *site_name, *door, *door_name, *address, *controller, *station;
	const char *handed_to;
	const char *called[ALARM_CALLED_MAX];
	size_t n_called;
	bool supervised; /* closing or resetting it now needs a supervisor */
};

/* The answer to an action. */
struct action_result {
	uint64_t request_id, alarm_id;
	enum action_refusal refusal; /* REFUSAL_NONE: accepted */
	uint32_t change;             /* accepted: the one that it made */
	int64_t at_us;               /* refused: when somebody acted last; 0: nobody did */
	const char *by;              /* ... and who; 0 .. ALARM_BY_MAX bytes */
	const char *detail;          /* cut where it is longer than ALARM_TEXT_MAX */
};

/* What a console is told after its hello. */
struct console_welcome {
	const char *console, *station; /* its name, and the code of its station */
	uint32_t keepalive_s, node;
	uint64_t position;
	int64_t server_time_us;
};

/* Long enough for each of these. */
enum { CONSOLE_ANSWER_MAX = 4096 };

size_t console_put_welcome(uint8_t out[CONSOLE_ANSWER_MAX], const struct console_welcome *welcome);
size_t console_put_alarm(uint8_t out[CONSOLE_ANSWER_MAX], const struct alarm_change *change,
			 const struct alarm_place *place);
size_t console_put_keep_alive(uint8_t out[CONSOLE_ANSWER_MAX], int64_t clock_us, uint64_t position);
size_t console_put_resync(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t from_position,
			  const char *reason);
size_t console_put_snapshot_end(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t position);
size_t console_put_goaway(uint8_t out[CONSOLE_ANSWER_MAX], enum goaway reason, uint32_t delay_ms,
			  const char *detail);
size_t console_put_action_result(uint8_t out[CONSOLE_ANSWER_MAX],
				 const struct action_result *result);

#endif
