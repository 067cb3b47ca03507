/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody at a simulated console: says that an alarm is on the screen, takes some of
 * those that nobody has taken after a while, and never takes the others.
 *
 * Owner: the simulator's thread.
 */
#ifndef GATEHOUSE_SIM_DISPATCHER_H
#define GATEHOUSE_SIM_DISPATCHER_H

#include "base/base.h"

/* So many alarms at once are in hand; what is more is left to others. */
enum { DISPATCHER_HAND_MAX = 32 };

struct dispatcher {
	double percent;    /* of alarms, that this one takes */
	uint64_t delay_ms; /* after so long at most */
	uint64_t seed;     /* differs from console to console */
	struct in_hand {
		uint64_t alarm_id;
		uint32_t change;
		uint64_t due_ms;
	} hand[DISPATCHER_HAND_MAX];
	size_t n;
};

void dispatcher_init(struct dispatcher *dispatcher, double percent, uint64_t delay_ms,
		     uint64_t seed);
/* An alarm as it stands now; `waiting`: nobody has taken it. */
void dispatcher_see(struct dispatcher *dispatcher, uint64_t alarm_id, uint32_t change, bool waiting,
		    uint64_t now_ms);
/* The next one that is taken now; false when there is none.  Told once. */
bool dispatcher_take(struct dispatcher *dispatcher, uint64_t now_ms, struct in_hand *taken);

#endif
