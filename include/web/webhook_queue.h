/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one webhook is still to be told: events in the order of the daemon's stream, each
 * until it is delivered or given up.
 *
 * A later change of an alarm never goes before an earlier one of the same alarm is done;
 * changes of different alarms don't wait for each other.  A mark, such as a resync, waits
 * for all before it, and all behind it wait for the mark.
 *
 * The place is where one can go on after a restart: behind it is everything that is not
 * done.  What is done out of order is sent again then, under the same id.  Within a resync
 * there is no place to go on from: the place is 0, which begins it anew.
 *
 * Time is the caller's, monotonic milliseconds; chance is the caller's, too.
 * Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_WEBHOOK_QUEUE_H
#define GATEHOUSE_WEB_WEBHOOK_QUEUE_H

#include <sys/queue.h>

#include "base/base.h"

enum webhook_event_type {
	WEBHOOK_CHANGE,         /* of an alarm */
	WEBHOOK_RESYNC,         /* a mark: what follows, up to the end, is all that stands */
	WEBHOOK_STANDING_ALARM, /* of a resync */
	WEBHOOK_SNAPSHOT_END,   /* a mark */
};

/* Valid until it is done or given up. */
struct webhook_event {
	enum webhook_event_type type;
	uint64_t position; /* CHANGE: of the change; SNAPSHOT_END: from which one goes on */
	uint64_t alarm_id; /* 0: a mark */
	char *id, *body;   /* id: the same at each attempt */
	size_t body_bytes;
	unsigned attempts; /* begun */
	bool under_way;
	uint64_t due_ms;               /* the next attempt not before */
	struct webhook_event *earlier; /* of the same alarm, and not done */
	TAILQ_ENTRY(webhook_event) in_all;
};

struct webhook_rules {
	unsigned attempts; /* of one event, the first with them */
	uint64_t retry_first_ms, retry_max_ms;
	unsigned retry_factor;
	size_t events_max;
	size_t under_way_max; /* while the last request failed: one */
};

struct webhook_queue;

/* `rules` is copied; `place`: from where the daemon is asked. */
struct webhook_queue *webhook_queue_new(const struct webhook_rules *rules, uint64_t place);
void webhook_queue_free(struct webhook_queue **queue);

/* ---- What comes from the daemon --------------------------------------------- */

bool webhook_queue_is_full(const struct webhook_queue *queue);
/* Takes id and body. */
void webhook_queue_put(struct webhook_queue *queue, enum webhook_event_type type, uint64_t position,
		       uint64_t alarm_id, char *id, char *body);
/* Everything up to here has come; less than before says nothing. */
void webhook_queue_note(struct webhook_queue *queue, uint64_t position);
/* The positions are another daemon's: there is no place until a resync is done. */
void webhook_queue_forget_place(struct webhook_queue *queue);
/* What to ask the daemon for; 0 within a resync. */
uint64_t webhook_queue_taken(const struct webhook_queue *queue);

/* ---- What goes to the receiver ---------------------------------------------- */

/* The next event whose turn has come, or NULL. */
struct webhook_event *webhook_queue_next(struct webhook_queue *queue, uint64_t now_ms);
void webhook_queue_begin(struct webhook_queue *queue, struct webhook_event *event);
void webhook_queue_delivered(struct webhook_queue *queue, struct webhook_event *event);
/* Tried again after its pause, or `at_least_ms` where that is longer; false: given up, it was
 * the last attempt.  `chance`: any number. */
bool webhook_queue_failed(struct webhook_queue *queue, struct webhook_event *event, uint64_t now_ms,
			  uint64_t at_least_ms, unsigned chance);
/* How long to wait after so many attempts: grows by the factor up to the longest, and is
 * between half of that and all of it. */
uint64_t webhook_pause_ms(const struct webhook_rules *rules, unsigned attempts, unsigned chance);

uint64_t webhook_queue_place(const struct webhook_queue *queue);
/* Events that are not done. */
size_t webhook_queue_waiting(const struct webhook_queue *queue);
/* Requests that failed since the last that did not. */
unsigned webhook_queue_failures(const struct webhook_queue *queue);

#endif
