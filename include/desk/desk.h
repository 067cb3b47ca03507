/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alarm desk: which alarms there are, and how each stands.  Records and actions in,
 * changes out; no thread, no socket, no clock of its own, so that replaying the journal
 * gives the same alarms again.
 *
 * An alarm is known by (kind, controller, door).  A record of a raising kind raises it,
 * or counts one more where it is there already; the restoring kind ends its condition.
 * What people do, and what the server does when a time is over, comes as an action, in
 * the order of the journal like everything else: the first wins.  What makes what of
 * which state is in desk/life.h.
 * alarm_id = node << 48 | position behind the entry that raised it.
 *
 * When many alarms of one site arrive in a short time, or several of its controllers are
 * lost, an alarm of its own stands for them, their group: known by (kind, site), it begins,
 * counts and ends by actions of the server.  Its members stay alarms with a life each;
 * while their group is there, it calls and is answered for them.  Kinds with
 * KIND_FLAG_ALONE have no group, ever.
 *
 * Each entry of the journal makes at most one change, so that the position of
 * the entry names the change.  Changes are kept in a ring, the desk's memory for
 * consoles that were away.
 *
 * Owner: one thread.
 */
#ifndef GATEHOUSE_DESK_DESK_H
#define GATEHOUSE_DESK_DESK_H

#include "base/buf.h"
#include "desk/rules.h"
#include "wire/entry.h"

/* Windows are by the server's clock. */
struct desk_groups_conf {
	size_t flood_begin;      /* when more alarms of a site than this arrived in the window */
	size_t flood_end;        /* until fewer than this did; at least 1, at most flood_begin */
	int64_t flood_window_us; /* 0: no floods */
	size_t lost_begin;       /* when so many controllers of a site were lost in the window */
	int64_t lost_window_us;  /* 0: no lost sites */
};

struct desk_conf {
	uint32_t node;
	size_t history;         /* changes kept */
	size_t open_alarms_max; /* alarms tracked; over it the oldest that is over is closed */
	/* Records of one alarm less than so far apart, by the device's clock, are one. */
	int64_t merge_us;
	struct desk_groups_conf groups;
	const struct desk_rules *rules; /* borrowed; NULL: the defaults */
};

/* What became of an action, or would. */
struct desk_verdict {
	enum action_refusal refusal; /* REFUSAL_NONE: the alarm takes it */
	const char *detail;          /* in words; lives for ever */
	/* Refused: who acted last on it, and when; empty and 0: nobody did. */
	char by[ALARM_BY_MAX + 1];
	int64_t at_us;
};

struct desk;

struct desk *desk_new(const struct desk_conf *conf);
void desk_free(struct desk **desk);

/*
 * One record.  `position`: the one behind its entry, so that 0 is no change's;
 * it grows from call to call.  `ahead`: it came ahead of its turn; the same
 * record in its turn then changes nothing, and one that it has overtaken is
 * counted but doesn't touch the condition.  Returns the change (in the ring,
 * valid until the next call), or NULL when there is none.
 */
const struct alarm_change *desk_apply(struct desk *desk, const struct record *record, bool ahead,
				      uint64_t position, int64_t durable_us);

/*
 * One action, in its turn; `position` as above.  Returns the change, or NULL when it was
 * refused; `verdict` says why.  A group begins with VERB_GROUP_BEGUN of alarm 0.
 */
const struct alarm_change *desk_act(struct desk *desk, const struct action *action,
				    uint64_t position, struct desk_verdict *verdict);
/* What desk_act() would say now. */
void desk_judge(const struct desk *desk, const struct action *action, struct desk_verdict *verdict);
/* Not a change: following changes tell it, too. */
void desk_see(struct desk *desk, const struct alarm_seen *seen);
/* True the first time for an alarm: that it was offered, or shown, is on its way into the
 * journal. */
bool desk_note_offered(struct desk *desk, uint64_t alarm_id);
bool desk_note_shown(struct desk *desk, uint64_t alarm_id);
/*
 * An action of the server for which it is time at `now_us`; false when there is none.
 * Each is told once, until its alarm changes.  Its texts, if any, are borrowed until the
 * next call.
 */
bool desk_due(struct desk *desk, int64_t now_us, struct action *action);

/* Changes in the ring are numbered on and on: [desk_oldest, desk_next). */
uint64_t desk_oldest(const struct desk *desk);
uint64_t desk_next(const struct desk *desk);
const struct alarm_change *desk_change(const struct desk *desk, uint64_t number);
/* The number of the first change behind `position`.  False when changes behind
 * it have left the ring, or when it lies beyond `desk_position()`. */
bool desk_find(const struct desk *desk, uint64_t position, uint64_t *number);
/* Of the newest change; 0 when there was none. */
uint64_t desk_position(const struct desk *desk);

/* Alarms that are not done: ids into new memory (the caller
 * frees), in order of raising. */
uint64_t *desk_open_ids(const struct desk *desk, size_t *n);
/* As it stands; NULL when it is done. */
const struct alarm_change *desk_open_alarm(const struct desk *desk, uint64_t alarm_id);
size_t desk_open_count(const struct desk *desk);

/* For the checkpoint: everything above, as bytes.  RC_AGAIN: does not fit. */
enum rc desk_save(const struct desk *desk, struct buf *out) MUST_CHECK;
/* Into a new desk.  RC_INVALID when the bytes are not from desk_save(). */
enum rc desk_load(struct desk *desk, const uint8_t *bytes, size_t n, struct err *err) MUST_CHECK;

#endif
