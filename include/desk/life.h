/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an alarm: what each event makes of each state, by ISA-18.2.  One table,
 * pure functions; any thread.
 */
#ifndef GATEHOUSE_DESK_LIFE_H
#define GATEHOUSE_DESK_LIFE_H

#include "wire/alarm.h"
#include "wire/entry.h"

/* An event is a verb, or one of these two that records make. */
enum {
	LIFE_RAISED = VERBS,
	LIFE_RESTORED,
	LIFE_EVENTS,
};

/*
 * The state that follows; 0: the alarm doesn't take this event in the state it is in.
 * Of `now` these count: state, latches, stage, cleared_us, acknowledged_us.
 */
enum alarm_state life_next(const struct alarm_change *now, unsigned event);

/* Nobody answers for it, and somebody should. */
bool life_is_waiting(const struct alarm_change *now);
/* Its condition stands, as far as one can know: not of a kind that only happens. */
bool life_stands(const struct alarm_change *now);
/* This verb on this alarm is for a supervisor, with a reason in words. */
bool life_needs_supervisor(const struct alarm_change *now, enum alarm_verb verb);
/* Closing it, or resetting it, would be. */
bool life_is_supervised(const struct alarm_change *now);

#endif
