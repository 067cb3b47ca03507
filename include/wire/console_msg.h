/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's side of the contract: what a console says, checked; and what it
 * is told, as framed bytes.  Any thread; an arena belongs to one.
 */
#ifndef GATEHOUSE_WIRE_CONSOLE_MSG_H
#define GATEHOUSE_WIRE_CONSOLE_MSG_H

#include "wire/controller_msg.h"
#include "wire/kind.h"

enum { SUBSCRIBE_AREAS_MAX = 64, SUBSCRIBE_KINDS_MAX = 64 };

enum console_msg_type {
	CONSOLE_MSG_HELLO,
	CONSOLE_MSG_SUBSCRIBE,
	CONSOLE_MSG_KEEP_ALIVE,
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
		} subscribe;
	};
};

/* As controller_msg_decode(). */
enum rc console_msg_decode(struct arena *arena, const uint8_t *bytes, size_t n,
			   struct console_msg *msg, struct err *err) MUST_CHECK;

/* Where an alarm is, as people call it; texts are borrowed, none is NULL. */
struct alarm_place {
	const char *area, *site, *site_name, *door, *door_name, *address, *controller, *station;
};

/* Long enough for each of these. */
enum { CONSOLE_ANSWER_MAX = 4096 };

size_t console_put_welcome(uint8_t out[CONSOLE_ANSWER_MAX], const char *console,
			   const char *station, uint32_t keepalive_s, uint64_t position,
			   uint32_t node, int64_t server_time_us);
size_t console_put_alarm(uint8_t out[CONSOLE_ANSWER_MAX], const struct alarm_change *change,
			 const struct alarm_place *place);
size_t console_put_keep_alive(uint8_t out[CONSOLE_ANSWER_MAX], int64_t clock_us, uint64_t position);
size_t console_put_resync(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t from_position,
			  const char *reason);
size_t console_put_snapshot_end(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t position);
size_t console_put_goaway(uint8_t out[CONSOLE_ANSWER_MAX], enum goaway reason, uint32_t delay_ms,
			  const char *detail);

/* "unacknowledged" and so on, by `enum AlarmState` of the contract. */
const char *alarm_state_name(unsigned state);

/* The numbers of `enum AlarmState` that the code names itself. */
enum {
	ALARM_UNACKNOWLEDGED = 1,
	ALARM_ACKNOWLEDGED = 2,
	ALARM_RETURNED_UNACKNOWLEDGED = 3,
	ALARM_NORMAL = 4,
	ALARM_LATCHED = 5,
};

#endif
