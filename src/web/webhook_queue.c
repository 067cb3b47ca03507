/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list in the order of the stream.  An event that is done leaves it at once, so that the
 * first one says how far all is done.
 */
#include "web/webhook_queue.h"

#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(webhook_events, webhook_event);

struct webhook_queue {
	struct webhook_rules rules;
	struct webhook_events events;
	size_t n, n_under_way;
	uint64_t taken; /* all up to here came, but for a resync that has begun */
	bool in_resync; /* its end has not come */
	bool placeless; /* `taken` is another daemon's */
	unsigned failures;
};

struct webhook_queue *
webhook_queue_new(const struct webhook_rules *rules, uint64_t place)
{
	struct webhook_queue *queue = xcalloc(1, sizeof(*queue));

	queue->rules = *rules;
	queue->taken = place;
	TAILQ_INIT(&queue->events);
	return queue;
}

/* ---- What comes from the daemon ---------------------------------------------- */

bool
webhook_queue_is_full(const struct webhook_queue *queue)
{
	return queue->n >= queue->rules.events_max;
}

static struct webhook_event *
last_of(const struct webhook_queue *queue, uint64_t alarm_id)
{
	struct webhook_event *event;

	if (alarm_id == 0)
		return NULL;
	TAILQ_FOREACH_REVERSE(event, &queue->events, webhook_events, in_all)
	{
		if (event->alarm_id == alarm_id)
			return event;
	}
	return NULL;
}

void
webhook_queue_put(struct webhook_queue *queue, enum webhook_event_type type, uint64_t position,
		  uint64_t alarm_id, char *id, char *body)
{
	struct webhook_event *event = xcalloc(1, sizeof(*event));

	*event = (struct webhook_event){.type = type,
					.position = position,
					.alarm_id = alarm_id,
					.id = id,
					.body = body,
					.body_bytes = strlen(body),
					.earlier = last_of(queue, alarm_id)};
	TAILQ_INSERT_TAIL(&queue->events, event, in_all);
	queue->n++;
	switch (type) {
	case WEBHOOK_CHANGE:
		webhook_queue_note(queue, position);
		break;
	case WEBHOOK_RESYNC:
		queue->in_resync = true;
		break;
	case WEBHOOK_STANDING_ALARM:
		break;
	case WEBHOOK_SNAPSHOT_END:
		queue->in_resync = queue->placeless = false;
		queue->taken = position;
		break;
	}
}

void
webhook_queue_note(struct webhook_queue *queue, uint64_t position)
{
	if (!queue->in_resync && !queue->placeless && position > queue->taken)
		queue->taken = position;
}

void
webhook_queue_forget_place(struct webhook_queue *queue)
{
	struct webhook_event *event;

	queue->placeless = true;
	TAILQ_FOREACH(event, &queue->events, in_all)
	{
		event->position = 0;
	}
}

uint64_t
webhook_queue_taken(const struct webhook_queue *queue)
{
	return queue->in_resync || queue->placeless ? 0 : queue->taken;
}

/* ---- What goes to the receiver ----------------------------------------------- */

static bool
event_is_mark(const struct webhook_event *event)
{
	return event->alarm_id == 0;
}

static bool
event_is_due(const struct webhook_event *event, uint64_t now_ms)
{
	return !event->under_way && event->earlier == NULL && event->due_ms <= now_ms;
}

struct webhook_event *
webhook_queue_next(struct webhook_queue *queue, uint64_t now_ms)
{
	struct webhook_event *event;

	if (queue->n_under_way >= (queue->failures > 0 ? 1 : queue->rules.under_way_max))
		return NULL;
	TAILQ_FOREACH(event, &queue->events, in_all)
	{
		if (event_is_mark(event) && event != TAILQ_FIRST(&queue->events))
			return NULL;
		if (event_is_due(event, now_ms))
			return event;
		if (event_is_mark(event))
			return NULL;
	}
	return NULL;
}

void
webhook_queue_begin(struct webhook_queue *queue, struct webhook_event *event)
{
	must(!event->under_way && event->attempts < queue->rules.attempts);
	event->under_way = true;
	event->attempts++;
	queue->n_under_way++;
}

static void
event_free(struct webhook_event *event)
{
	free(event->id);
	free(event->body);
	free(event);
}

static void
queue_drop(struct webhook_queue *queue, struct webhook_event *event)
{
	struct webhook_event *later = TAILQ_NEXT(event, in_all);

	/* at most one waits for it: each waits for the last before it */
	for (; later != NULL; later = TAILQ_NEXT(later, in_all)) {
		if (later->earlier == event) {
			later->earlier = NULL;
			break;
		}
	}
	TAILQ_REMOVE(&queue->events, event, in_all);
	queue->n--;
	event_free(event);
}

static void
queue_end(struct webhook_queue *queue, struct webhook_event *event)
{
	must(event->under_way && queue->n_under_way > 0);
	event->under_way = false;
	queue->n_under_way--;
}

void
webhook_queue_delivered(struct webhook_queue *queue, struct webhook_event *event)
{
	queue_end(queue, event);
	queue->failures = 0;
	queue_drop(queue, event);
}

bool
webhook_queue_failed(struct webhook_queue *queue, struct webhook_event *event, uint64_t now_ms,
		     uint64_t at_least_ms, unsigned chance)
{
	uint64_t pause_ms = webhook_pause_ms(&queue->rules, event->attempts, chance);

	queue_end(queue, event);
	queue->failures++;
	if (event->attempts >= queue->rules.attempts) {
		queue_drop(queue, event);
		return false;
	}
	event->due_ms = now_ms + (pause_ms > at_least_ms ? pause_ms : at_least_ms);
	return true;
}

uint64_t
webhook_pause_ms(const struct webhook_rules *rules, unsigned attempts, unsigned chance)
{
	uint64_t pause_ms = rules->retry_first_ms;

	for (unsigned i = 1; i < attempts && pause_ms < rules->retry_max_ms; i++)
		pause_ms *= rules->retry_factor;
	if (pause_ms > rules->retry_max_ms)
		pause_ms = rules->retry_max_ms;
	return pause_ms - chance % (pause_ms / 2 + 1);
}

uint64_t
webhook_queue_place(const struct webhook_queue *queue)
{
	const struct webhook_event *first = TAILQ_FIRST(&queue->events);

	if (first == NULL)
		return webhook_queue_taken(queue);
	/* it says itself that what stood before is to be forgotten, once it was begun */
	if (first->type != WEBHOOK_CHANGE || first->position == 0)
		return 0;
	return first->position - 1;
}

size_t
webhook_queue_waiting(const struct webhook_queue *queue)
{
	return queue->n;
}

unsigned
webhook_queue_failures(const struct webhook_queue *queue)
{
	return queue->failures;
}

void
webhook_queue_free(struct webhook_queue **out)
{
	struct webhook_queue *queue = *out;
	struct webhook_event *event;

	if (queue == NULL)
		return;
	*out = NULL;
	while ((event = TAILQ_FIRST(&queue->events)) != NULL) {
		TAILQ_REMOVE(&queue->events, event, in_all);
		event_free(event);
	}
	free(queue);
}
