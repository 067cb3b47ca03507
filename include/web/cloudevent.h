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
/*
 * New memory: the event's JSON.  Its type is gatehouse. and `event`; `id`, which may be
 * NULL, is its place in the stream.  Borrows `data`.
 */
char *event_json(const char *event, const char *id, uint32_t node, const char *subject,
		 int64_t time_us, json_t *data);
/*
 * New memory: a frame with this `event:` (its type is gatehouse. and that), and an
 * `id:` where `id` is not NULL.  Borrows `data`.  *n: its length.
 */
char *event_frame(const char *event, const char *id, uint32_t node, const char *subject,
		  int64_t time_us, json_t *data, size_t *n);

#endif
