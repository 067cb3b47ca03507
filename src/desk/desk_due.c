/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server does by itself, and when: the alarm that is due first lies at the
 * front of a binary heap.  When an alarm is due follows from its last change, its group
 * and the rules, so that a desk which was loaded has the same heap.
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

static struct due
due_after(enum alarm_verb verb, int64_t since_us, uint32_t seconds)
{
	if (seconds == 0)
		return (struct due){VERB_NONE, 0};
	return (struct due){verb, since_us + seconds * second_us};
}

/* As if there were no groups, but that it may have come out of one. */
static struct due
due_alone(const struct desk *desk, const struct alarm *alarm)
{
	const struct alarm_change *now = &alarm->now;
	const struct desk_rule *rule = desk_rule_of(desk->conf.rules, now->kind);
	int64_t since_us = now->waiting_us > alarm->alone_us ? now->waiting_us : alarm->alone_us;

	if (rule == NULL)
		return (struct due){VERB_NONE, 0};
	if (!life_is_waiting(now))
		return due_after(VERB_ACK_EXPIRED, since_us, rule->ack_limit_s);
	if (now->escalation >= ESCALATIONS_MAX)
		return (struct due){VERB_NONE, 0};
	return due_after(VERB_ESCALATED, since_us, rule->escalate_s);
}

static struct due
due_of(const struct desk *desk, const struct alarm *alarm)
{
	struct due due = groups_due_member(alarm), of_group;

	if (due.verb != VERB_NONE)
		return due;
	if (alarm->now.state == ALARM_SHELVED || alarm->now.state == ALARM_OUT_OF_SERVICE)
		due = (struct due){VERB_SHELF_OVER, alarm->now.until_us};
	else if (alarm->group == NULL) /* which calls for it otherwise */
		due = due_alone(desk, alarm);
	of_group = groups_due_group(desk, alarm);
	if (due.verb == VERB_NONE || (of_group.verb != VERB_NONE && of_group.at_us < due.at_us))
		due = of_group;
	return due;
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
	struct due due = due_of(desk, alarm);

	due_remove(heap, alarm);
	if (due.verb == VERB_NONE)
		return;
	alarm->due_us = due.at_us;
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

	if (groups_due_begin(desk, now_us, action))
		return true;
	if (desk->due.n == 0 || desk->due.alarms[0]->due_us > now_us)
		return false;
	alarm = desk->due.alarms[0];
	due_remove(&desk->due, alarm);
	*action = (struct action){
		.alarm_id = alarm->now.alarm_id,
		.seen_change = alarm->now.change,
		.verb = (uint8_t)due_of(desk, alarm).verb,
		.actor_kind = ACTOR_SERVER,
		.count = alarm->joined,
		.when_us = now_us,
	};
	if (action->verb == VERB_ACCEPT) {
		action->actor = alarm->owed->actor;
		action->operator_code = alarm->owed->operator_code;
	}
	return true;
}
