/* SPDX-License-Identifier: Apache-2.0 */
/* What desk.c, desk_ahead.c and desk_save.c share: the desk from inside. */
#ifndef GATEHOUSE_DESK_PRIV_H
#define GATEHOUSE_DESK_PRIV_H

#include <sys/queue.h>

#include "base/log.h"
#include "desk/desk.h"

/* A table that can't grow is memory that we chose and that is not there. */
#define uthash_fatal(text) fatal("out of memory: %s", text)
#include <uthash.h>

/* Hashed as bytes, so there must be no padding. */
struct alarm_key {
	uint32_t controller_id, door_id, kind;
};
_Static_assert(sizeof(struct alarm_key) == 3 * sizeof(uint32_t), "no padding");

/* An alarm that stands or was not taken yet.  Owner: the desk. */
struct alarm {
	struct alarm_key key;
	struct alarm_change now;
	/* Of the newest record that changed it, by the controller's own count: a
	 * record may come ahead of its turn, the one behind `now` may be an older one. */
	int64_t newest_epoch;
	uint64_t newest_seq;
	UT_hash_handle by_key, by_id;
	TAILQ_ENTRY(alarm) in_raised, in_over;
};
TAILQ_HEAD(alarm_list, alarm);

/* ---- Records that came ahead of their turn: desk_ahead.c ----------------------- */

/* So many alarms of a fleet may overtake their backlogs at the same time. */
enum { AHEAD_MAX = 65536 };

/* Hashed as bytes. */
struct ahead_key {
	int64_t epoch;
	uint64_t seq;
	uint64_t controller_id; /* 32 bits, widened: no padding */
};
_Static_assert(sizeof(struct ahead_key) == 3 * sizeof(uint64_t), "no padding");

struct ahead_one {
	struct ahead_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(ahead_one) in_order;
};
TAILQ_HEAD(ahead_list, ahead_one);

/* Invariant: n <= AHEAD_MAX; `order` and `by_key` hold the same, oldest first. */
struct ahead_set {
	struct ahead_one *by_key;
	struct ahead_list order;
	size_t n;
};

void ahead_init(struct ahead_set *set);
void ahead_clear(struct ahead_set *set);
struct ahead_key ahead_key_of(const struct record *record);
bool ahead_knows(const struct ahead_set *set, const struct ahead_key *key);
/* A key that is not known; when the set is full, the oldest is forgotten. */
void ahead_remember(struct ahead_set *set, const struct ahead_key *key);
void ahead_forget(struct ahead_set *set, const struct ahead_key *key);

/* ---- The desk -------------------------------------------------------------------- */

/*
 * Owner: one thread.
 *
 * oldest <= next, next - oldest <= conf.history; change number n is in
 * ring[n % history], and positions in the ring ascend.  Changes up to and at
 * gone_position have left the ring, all behind it are there.
 */
struct desk {
	struct desk_conf conf;
	struct alarm *by_key, *by_id;
	struct alarm_list raised; /* all, in order of raising */
	struct alarm_list over;   /* those that are over, in order of their last change */
	struct alarm_change *ring;
	uint64_t oldest, next;
	uint64_t gone_position;
	struct ahead_set ahead;
	struct log_pace full; /* of the line that no more alarms can be tracked */
};

bool alarm_is_over(const struct alarm *alarm);
struct alarm *desk_find_alarm(const struct desk *desk, const struct alarm_key *key);
/* Takes an alarm whose key and id are new, as the last that was raised.  If it
 * is over, its place among those that are over is left to the caller. */
void desk_track(struct desk *desk, struct alarm *alarm);
/* Copies the change into the ring; returns the copy. */
const struct alarm_change *desk_keep(struct desk *desk, const struct alarm_change *change);
/* Forgets everything, as if new. */
void desk_clear(struct desk *desk);

#endif
