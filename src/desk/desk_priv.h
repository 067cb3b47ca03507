/* SPDX-License-Identifier: Apache-2.0 */
/* What the desk's files share: the desk from inside. */
#ifndef GATEHOUSE_DESK_PRIV_H
#define GATEHOUSE_DESK_PRIV_H

#include <sys/queue.h>

#include "base/log.h"
#include "desk/desk.h"
#include "desk/life.h"

/* A table that can't grow is memory that we chose and that is not there. */
#define uthash_fatal(text) fatal("out of memory: %s", text)
#include <uthash.h>

/* Hashed as bytes, so there must be no padding. */
struct alarm_key {
	uint32_t controller_id, door_id, kind;
};
_Static_assert(sizeof(struct alarm_key) == 3 * sizeof(uint32_t), "no padding");

/* An alarm that is not done.  Owner: the desk. */
struct alarm {
	struct alarm_key key;
	struct alarm_change now;
	char *words; /* what the texts of `now` point into; NULL: it has none */
	/* Of the newest record that changed it, by the controller's own count: a
	 * record may come ahead of its turn, the one behind `now` may be an older one. */
	int64_t newest_epoch;
	uint64_t newest_seq;
	int64_t raise_us; /* device's time of the newest record that raised it */
	/* The last action of a person: the change that it made, who, and when. */
	uint32_t acted_change; /* 0: none yet */
	int64_t acted_us;
	char *acted_by;
	/* When the server is to do something by itself; its place in the desk's heap. */
	int64_t due_us;
	size_t due_at;                /* DUE_NEVER: it is not in there */
	bool offer_noted, show_noted; /* see desk_note_offered() */
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

/* ---- What is due: desk_due.c ------------------------------------------------------ */

#define DUE_NEVER SIZE_MAX

/* Binary heap: no alarm is due before the one that it lies below. */
struct due_heap {
	struct alarm **alarms;
	size_t n, capacity;
};

void due_fini(struct due_heap *heap);
/* After each change of the alarm. */
void due_renew(struct desk *desk, struct alarm *alarm);
void due_remove(struct due_heap *heap, struct alarm *alarm);

/* ---- Those that are done: desk_act.c ----------------------------------------------- */

/* So many are remembered, for whoever acts on one a moment too late. */
enum { DONE_MAX = 1024 };

struct done_alarm {
	uint64_t alarm_id;
	int64_t at_us;
	char by[ALARM_BY_MAX + 1];
};

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
	char **ring_words;            /* of each change, as in struct alarm */
	struct desk_rules *own_rules; /* NULL: conf.rules is somebody else's */
	struct due_heap due;
	struct done_alarm *done; /* DONE_MAX, the oldest is overwritten */
	size_t n_done;           /* all told */
	uint64_t oldest, next;
	uint64_t gone_position;
	struct ahead_set ahead;
	struct log_pace full; /* of the line that no more alarms can be tracked */
};

/* Over, and nobody has taken it: the first to go when there is no room. */
bool alarm_is_over(const struct alarm *alarm);
struct alarm *desk_find_alarm(const struct desk *desk, const struct alarm_key *key);
/* Takes an alarm whose key and id are new, as the last that was raised.  If it
 * is over, its place among those that are over is left to the caller. */
void desk_track(struct desk *desk, struct alarm *alarm);
/* Frees an alarm that is tracked. */
void desk_untrack(struct desk *desk, struct alarm *alarm);
/* Gives it its state, and its place among those that are over. */
void alarm_set_state(struct desk *desk, struct alarm *alarm, enum alarm_state state);
/* Nobody answers for it any more. */
void alarm_set_untaken(struct alarm *alarm);
/* The texts of `change` into new memory, to which they point then; NULL: it has none. */
char *change_own_words(struct alarm_change *change);
/* Copies the change into the ring, with its texts; returns the copy. */
const struct alarm_change *desk_keep(struct desk *desk, const struct alarm_change *change);
/* Forgets everything, as if new. */
void desk_clear(struct desk *desk);

#endif
