/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the stream: CloudEvents 1.0 as JSON, in frames of server-sent events.
 * Numbers that may be above 2^53 are texts, because JavaScript would round them.
 * Pure functions; any thread.
 */
#ifndef GATEHOUSE_WEB_CLOUDEVENT_H
#define GATEHOUSE_WEB_CLOUDEVENT_H

#include <jansson.h>

#include "wire/console_peer.h"

enum { EVENT_ID_MAX = 48 };

/* "NODE-POSITION". */
void event_id_write(char out[EVENT_ID_MAX], uint32_t node, uint64_t position);
/* False when it is no such text. */
bool event_id_read(const char *text, uint32_t *node, uint64_t *position);

/* New: what an event says of an alarm. */
json_t *event_alarm_data(const struct console_alarm *alarm);

/* One event.  All is borrowed. */
struct cloudevent {
	const char *name; /* its type is gatehouse. and this */
	const char *id;   /* its place in the stream; NULL: none */
	uint32_t node;
	const char *subject;
	int64_t time_us;
	json_t *data;
};
/* New memory: its JSON. */
char *event_json(const struct cloudevent *event);
/* New memory: a frame with its name as `event:`, and an `id:` where it has a place.  *n: the
 * length. */
char *event_frame(const struct cloudevent *event, size_t *n);

#endif
