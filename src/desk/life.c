/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of states and events, and what a state means.
 *
 * Three things that the state alone doesn't say decide some cells: whether the
 * condition is over, whether the alarm latches, and how far a station has come with
 * it.  An alarm that is over leaves the list by itself only while nobody was sent: who
 * is on the way must not lose it from the screen.
 *
 * Immutable; any thread.
 */
#include "desk/life.h"

#include "wire/kind.h"

/* What a cell may say beside a state. */
enum {
	NO = 0,
	/* the condition has ended, and nobody has taken it / somebody has */
	ENDED_UNTAKEN = ALARM_STATES,
	ENDED_TAKEN,
	/* nobody answers for it any more */
	UNTAKEN,
	/* back from the shelf or from maintenance */
	BACK,
};

#define UNACK  ALARM_UNACKNOWLEDGED
#define ACK    ALARM_ACKNOWLEDGED
#define RETURN ALARM_RETURNED_UNACKNOWLEDGED
#define NORMAL ALARM_NORMAL
#define LATCH  ALARM_LATCHED
#define SHELF  ALARM_SHELVED
#define OUT    ALARM_OUT_OF_SERVICE

/* A new alarm begins in NORMAL, which no tracked alarm is in. */
/* clang-format off */
static const uint8_t table[ALARM_STATES][LIFE_EVENTS] = {
	[NORMAL] = {
		[LIFE_RAISED] = UNACK,          [VERB_GROUP_BEGUN] = UNACK,
	},
	[UNACK] = {
		[LIFE_RAISED] = UNACK,          [LIFE_RESTORED] = ENDED_UNTAKEN,
		[VERB_ACCEPT] = ACK,            [VERB_REJECT] = UNACK,
		[VERB_DISPATCHED] = ACK,        [VERB_ON_SCENE] = ACK,
		[VERB_CLOSE] = NORMAL,          [VERB_COMMENT] = UNACK,
		[VERB_HAND_OVER] = UNACK,       [VERB_SHELVE] = SHELF,
		[VERB_OUT_OF_SERVICE] = OUT,    [VERB_ESCALATED] = UNACK,
		[VERB_GROUP_COUNTED] = UNACK,   [VERB_GROUP_ENDED] = ENDED_UNTAKEN,
		[VERB_GROUP_JOINED] = UNACK,
	},
	[ACK] = {
		[LIFE_RAISED] = UNACK,          [LIFE_RESTORED] = ENDED_TAKEN,
		[VERB_DISPATCHED] = ACK,        [VERB_ON_SCENE] = ACK,
		[VERB_CLOSE] = NORMAL,          [VERB_CANCEL] = UNTAKEN,
		[VERB_COMMENT] = ACK,           [VERB_HAND_OVER] = UNTAKEN,
		[VERB_SHELVE] = SHELF,          [VERB_OUT_OF_SERVICE] = OUT,
		[VERB_ACK_EXPIRED] = UNTAKEN,
		[VERB_GROUP_BEGUN] = UNACK,     [VERB_GROUP_JOINED] = ACK,
		[VERB_GROUP_COUNTED] = ACK,     [VERB_GROUP_ENDED] = ENDED_TAKEN,
	},
	[RETURN] = {
		[LIFE_RAISED] = UNACK,
		[VERB_ACCEPT] = NORMAL,         [VERB_REJECT] = RETURN,
		[VERB_DISPATCHED] = ACK,        [VERB_ON_SCENE] = ACK,
		[VERB_CLOSE] = NORMAL,          [VERB_COMMENT] = RETURN,
		[VERB_HAND_OVER] = RETURN,      [VERB_SHELVE] = SHELF,
		[VERB_OUT_OF_SERVICE] = OUT,    [VERB_ESCALATED] = RETURN,
		[VERB_GROUP_BEGUN] = UNACK,     [VERB_GROUP_JOINED] = RETURN,
	},
	[LATCH] = {
		[LIFE_RAISED] = UNACK,
		[VERB_ACCEPT] = LATCH,          [VERB_REJECT] = LATCH,
		[VERB_DISPATCHED] = LATCH,      [VERB_ON_SCENE] = LATCH,
		[VERB_CANCEL] = LATCH,          [VERB_COMMENT] = LATCH,
		[VERB_HAND_OVER] = LATCH,       [VERB_SHELVE] = SHELF,
		[VERB_RESET] = NORMAL,          [VERB_OUT_OF_SERVICE] = OUT,
		[VERB_ESCALATED] = LATCH,       [VERB_ACK_EXPIRED] = LATCH,
		[VERB_GROUP_BEGUN] = UNACK,     [VERB_GROUP_JOINED] = LATCH,
	},
	[SHELF] = {
		[LIFE_RAISED] = SHELF,          [LIFE_RESTORED] = SHELF,
		[VERB_COMMENT] = SHELF,         [VERB_CLOSE] = NORMAL,
		[VERB_UNSHELVE] = BACK,         [VERB_OUT_OF_SERVICE] = OUT,
		[VERB_SHELF_OVER] = BACK,
		[VERB_GROUP_BEGUN] = SHELF,     [VERB_GROUP_JOINED] = SHELF,
		[VERB_GROUP_COUNTED] = SHELF,   [VERB_GROUP_ENDED] = SHELF,
	},
	[OUT] = {
		[LIFE_RAISED] = OUT,            [LIFE_RESTORED] = OUT,
		[VERB_COMMENT] = OUT,           [VERB_IN_SERVICE] = BACK,
		[VERB_SHELF_OVER] = BACK,
		[VERB_GROUP_BEGUN] = OUT,       [VERB_GROUP_JOINED] = OUT,
		[VERB_GROUP_COUNTED] = OUT,     [VERB_GROUP_ENDED] = OUT,
	},
};
/* clang-format on */

static bool
is_over(const struct alarm_change *now)
{
	return now->cleared_us != 0;
}

static enum alarm_state
ended(const struct alarm_change *now, bool taken)
{
	if (now->latches)
		return LATCH;
	if (!taken)
		return RETURN;
	return now->stage >= ALARM_STAGE_DISPATCHED ? ACK : NORMAL;
}

static enum alarm_state
untaken(const struct alarm_change *now)
{
	return is_over(now) ? ended(now, false) : UNACK;
}

/* One that stands is to be looked at anew, whoever had taken it. */
static enum alarm_state
back(const struct alarm_change *now)
{
	if (!is_over(now))
		return UNACK;
	return ended(now, now->acknowledged_us != 0);
}

/* Beside the table: what an alarm of this state takes once only, or not of its kind. */
static bool
is_excluded(const struct alarm_change *now, unsigned event)
{
	bool taken = now->acknowledged_us != 0;

	if (event == LIFE_RESTORED || event == VERB_GROUP_COUNTED || event == VERB_GROUP_ENDED)
		return is_over(now);
	/* the same group, once more */
	if (event == VERB_GROUP_BEGUN)
		return !is_over(now) && now->state != NORMAL;
	if (now->state == LATCH && event == VERB_ACCEPT)
		return taken;
	if (now->state == LATCH && (event == VERB_CANCEL || event == VERB_ACK_EXPIRED))
		return !taken;
	/* somebody who answers for it has not missed it */
	if (now->state == LATCH && (event == VERB_ESCALATED || event == VERB_REJECT))
		return taken;
	return false;
}

enum alarm_state
life_next(const struct alarm_change *now, unsigned event)
{
	must(now->state < ALARM_STATES && event < LIFE_EVENTS);
	if (is_excluded(now, event))
		return (enum alarm_state)NO;
	/* what only happens is over at once, and latches: a person ends it by a reset */
	if (event == VERB_RESET && now->state == ACK && now->latches && !life_stands(now))
		return NORMAL;
	switch (table[now->state][event]) {
	case ENDED_UNTAKEN:
		return ended(now, false);
	case ENDED_TAKEN:
		return ended(now, true);
	case UNTAKEN:
		return untaken(now);
	case BACK:
		return back(now);
	default:
		return (enum alarm_state)table[now->state][event];
	}
}

bool
life_is_waiting(const struct alarm_change *now)
{
	return now->state == UNACK || now->state == RETURN ||
	       (now->state == LATCH && now->acknowledged_us == 0);
}

bool
life_stands(const struct alarm_change *now)
{
	const struct kind *kind = kind_get(now->kind);

	return !is_over(now) && (kind == NULL || (kind->flags & KIND_FLAG_STATELESS) == 0);
}

/* Under threat, and of those kinds that have to be reset. */
static bool
is_duress(const struct alarm_change *now)
{
	const struct kind *kind = kind_get(now->kind);

	return kind != NULL && (kind->flags & KIND_FLAG_SILENT) != 0 &&
	       (kind->flags & KIND_FLAG_LATCH) != 0;
}

bool
life_needs_supervisor(const struct alarm_change *now, enum alarm_verb verb)
{
	if (verb == VERB_CLOSE)
		return life_stands(now) || is_duress(now);
	if (verb == VERB_RESET)
		return is_duress(now);
	return verb == VERB_OUT_OF_SERVICE;
}

bool
life_is_supervised(const struct alarm_change *now)
{
	return life_stands(now) || is_duress(now);
}
