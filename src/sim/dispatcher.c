/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an alarm is taken, and when, follows from its number and the console's seed:
 * a run can be repeated, and two consoles of a station often take the same one, so that
 * one of them is told by whom.
 */
#include "sim/dispatcher.h"

/* splitmix64 by Sebastiano Vigna, public domain: spreads what lies close together. */
static uint64_t
scatter(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void
dispatcher_init(struct dispatcher *dispatcher, double percent, uint64_t delay_ms, uint64_t seed)
{
	*dispatcher = (struct dispatcher){.percent = percent, .delay_ms = delay_ms, .seed = seed};
}

static struct in_hand *
dispatcher_find(struct dispatcher *dispatcher, uint64_t alarm_id)
{
	for (size_t i = 0; i < dispatcher->n; i++) {
		if (dispatcher->hand[i].alarm_id == alarm_id)
			return &dispatcher->hand[i];
	}
	return NULL;
}

static void
dispatcher_drop(struct dispatcher *dispatcher, struct in_hand *one)
{
	*one = dispatcher->hand[--dispatcher->n];
}

void
dispatcher_see(struct dispatcher *dispatcher, uint64_t alarm_id, uint32_t change, bool waiting,
	       uint64_t now_ms)
{
	struct in_hand *one = dispatcher_find(dispatcher, alarm_id);
	uint64_t hash = scatter(alarm_id ^ scatter(dispatcher->seed));

	if (one != NULL && !waiting)
		dispatcher_drop(dispatcher, one);
	else if (one != NULL)
		one->change = change;
	if (one != NULL || !waiting || dispatcher->n == DISPATCHER_HAND_MAX)
		return;
	if ((double)(hash % 10000) >= dispatcher->percent * 100)
		return;
	dispatcher->hand[dispatcher->n++] = (struct in_hand){
		.alarm_id = alarm_id,
		.change = change,
		.due_ms = now_ms + (hash >> 32) % (dispatcher->delay_ms + 1),
	};
}

bool
dispatcher_take(struct dispatcher *dispatcher, uint64_t now_ms, struct in_hand *taken)
{
	for (size_t i = 0; i < dispatcher->n; i++) {
		if (dispatcher->hand[i].due_ms > now_ms)
			continue;
		*taken = dispatcher->hand[i];
		dispatcher_drop(dispatcher, &dispatcher->hand[i]);
		return true;
	}
	return false;
}
