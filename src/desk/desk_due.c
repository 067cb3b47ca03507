/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server does by itself, and when: the alarm that is due first lies at the
 * front of a binary heap.  When an alarm is due follows from its last change and the
 * rules alone, so that a desk which was loaded has the same heap.
 *
 * An alarm that was told leaves the heap until it changes: the action is on its way
 * through the journal, and comes back to it.
 *
 * Owner: the desk.
 */
#include <stdlib.h>

#include "desk_priv.h"

/* The next station up, then the centre; further up there is nobody. */
enum { ESCALATIONS_MAX = 2 };

static const int64_t second_us = 1000000;

/* ---- When, and what ---------------------------------------------------------------- */

/* VERB_NONE: nothing, ever. */
static enum alarm_verb
due_of(const struct desk *desk, const struct alarm_change *now, int64_t *due_us)
{
	const struct desk_rule *rule = desk_rule_of(desk->conf.rules, now->kind);

	if (now->state == ALARM_SHELVED || now->state == ALARM_OUT_OF_SERVICE) {
		*due_us = now->until_us;
		return VERB_SHELF_OVER;
	}
	if (rule == NULL)
		return VERB_NONE;
	if (life_is_waiting(now)) {
		*due_us = now->waiting_us + rule->escalate_s * second_us;
		return rule->escalate_s > 0 && now->escalation < ESCALATIONS_MAX ? VERB_ESCALATED
										 : VERB_NONE;
	}
	*due_us = now->waiting_us + rule->ack_limit_s * second_us;
	return rule->ack_limit_s > 0 ? VERB_ACK_EXPIRED : VERB_NONE;
}

/* ---- The heap ---------------------------------------------------------------------- */

static void
heap_put(struct due_heap *heap, size_t at, struct alarm *alarm)
{
	heap->alarms[at] = alarm;
	alarm->due_at = at;
}

/* To where nothing above is later. */
static void
heap_rise(struct due_heap *heap, size_t at)
{
	struct alarm *alarm = heap->alarms[at];

	while (at > 0 && heap->alarms[(at - 1) / 2]->due_us > alarm->due_us) {
		heap_put(heap, at, heap->alarms[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(heap, at, alarm);
}

/* To where nothing below is earlier. */
static void
heap_sink(struct due_heap *heap, size_t at)
{
	struct alarm *alarm = heap->alarms[at];

	for (;;) {
		size_t below = 2 * at + 1;

		if (below + 1 < heap->n &&
		    heap->alarms[below + 1]->due_us < heap->alarms[below]->due_us)
			below++;
		if (below >= heap->n || heap->alarms[below]->due_us >= alarm->due_us)
			break;
		heap_put(heap, at, heap->alarms[below]);
		at = below;
	}
	heap_put(heap, at, alarm);
}

void
due_remove(struct due_heap *heap, struct alarm *alarm)
{
	size_t at = alarm->due_at;
	struct alarm *last;

	if (at == DUE_NEVER)
		return;
	alarm->due_at = DUE_NEVER;
	last = heap->alarms[--heap->n];
	if (last == alarm)
		return;
	heap_put(heap, at, last);
	heap_rise(heap, at);
	heap_sink(heap, last->due_at);
}

void
due_renew(struct desk *desk, struct alarm *alarm)
{
	struct due_heap *heap = &desk->due;

	due_remove(heap, alarm);
	if (due_of(desk, &alarm->now, &alarm->due_us) == VERB_NONE)
		return;
	if (heap->n == heap->capacity) {
		heap->capacity = heap->capacity * 2 + 64;
		heap->alarms = xrealloc(heap->alarms, heap->capacity * sizeof(struct alarm *));
	}
	heap_put(heap, heap->n, alarm);
	heap_rise(heap, heap->n++);
}

void
due_fini(struct due_heap *heap)
{
	free(heap->alarms);
	*heap = (struct due_heap){0};
}

bool
desk_due(struct desk *desk, int64_t now_us, struct action *action)
{
	struct alarm *alarm;
	int64_t due_us;

	if (desk->due.n == 0 || desk->due.alarms[0]->due_us > now_us)
		return false;
	alarm = desk->due.alarms[0];
	due_remove(&desk->due, alarm);
	*action = (struct action){
		.alarm_id = alarm->now.alarm_id,
		.seen_change = alarm->now.change,
		.verb = (uint8_t)due_of(desk, &alarm->now, &due_us),
		.actor_kind = ACTOR_SERVER,
		.when_us = now_us,
	};
	return true;
}
