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
	uint32_t site_id; /* of a group; 0 of others: a controller's site is not its name */
};
_Static_assert(sizeof(struct alarm_key) == 4 * sizeof(uint32_t), "no padding");

TAILQ_HEAD(alarm_list, alarm);

/* Who took a group, as in struct action. */
struct taker {
	char actor[ALARM_NAME_MAX + 1];
	char operator_code[ALARM_NAME_MAX + 1];
};

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

	/* Where it last arrived, and when; NULL and 0: that is forgotten. */
	struct arrivals *arrivals;
	int64_t arrived_us;
	struct alarm *group; /* to which it belongs; NULL: it stands on its own */
	int64_t alone_us;    /* since its group has gone; 0: it had none */
	struct taker *owed;  /* who took its group; NULL: it waits for somebody itself */

	/* Of a group.  Invariants: every member is in `members`; `standing` of them stand. */
	struct alarm_list members;
	size_t standing;
	uint32_t joined;    /* alarms that ever belonged to it */
	uint8_t worst;      /* the highest severity of these and its own */
	int64_t counted_us; /* when `joined` was last told */

	UT_hash_handle by_key, by_id;
	TAILQ_ENTRY(alarm) in_raised, in_over, in_arrived, in_group;
};

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

/* ---- How many alarms arrive at a site: desk_arrivals.c ---------------------------- */

/* Hashed as bytes. */
struct arrivals_key {
	uint32_t site_id, kind; /* the kind of the group that they would make */
};
_Static_assert(sizeof(struct arrivals_key) == 2 * sizeof(uint32_t), "no padding");

struct arrival {
	uint64_t alarm_id;
	int64_t at_us;
};

/*
 * The last alarms of one site that count for one kind of group.  Invariants: n <= full;
 * no alarm is in `last` twice.
 */
struct arrivals {
	struct arrivals_key key;
	int64_t window_us;
	int64_t newest_us;      /* of all that arrived, also one that does not count any more */
	bool ready;             /* it is in the desk's list: a group may have to begin */
	bool asked;             /* VERB_GROUP_BEGUN was told, and has not come back yet */
	struct alarm_list open; /* that arrived here, and are not done */
	UT_hash_handle hh;
	TAILQ_ENTRY(arrivals) in_order, in_ready;
	size_t full, n;
	struct arrival last[]; /* oldest first */
};
TAILQ_HEAD(arrivals_list, arrivals);

/* Owner: the desk.  `order`: whose newest arrival is the longest ago, first. */
struct arrivals_set {
	struct arrivals *by_key;
	struct arrivals_list order, ready;
};

void arrivals_init(struct arrivals_set *set);
void arrivals_clear(struct arrivals_set *set);
/* The kind of group for which an alarm of this kind counts; 0: it stands alone. */
uint16_t arrivals_group_kind(uint32_t kind);
/* NULL: nothing arrived there for long. */
struct arrivals *arrivals_find(const struct arrivals_set *set, uint32_t site_id, uint32_t kind);
/* As find, or new and empty; NULL when the configuration knows no such groups. */
struct arrivals *arrivals_get(struct desk *desk, uint32_t site_id, uint32_t kind);
/* The alarm takes the newest place, wherever it was before. */
void arrivals_put(struct arrivals_set *set, struct arrivals *arrivals,
		  const struct arrival *arrival);
/* The alarm has arrived: it is in the list of those that are open there, and only there. */
void arrivals_link(struct arrivals *arrivals, struct alarm *alarm, int64_t at_us);
void arrivals_unlink(struct alarm *alarm);
/* It does not count any more. */
void arrivals_forget(struct arrivals *arrivals, uint64_t alarm_id);
void arrivals_drop(struct arrivals_set *set, struct arrivals *arrivals);
/* Drops what was the longest without an arrival, when that is over its window. */
void arrivals_age(struct arrivals_set *set, int64_t now_us);
bool arrivals_is_within(const struct arrivals *arrivals, int64_t then_us, int64_t now_us);
/* As many as make a group, within the window. */
bool arrivals_are_many(const struct arrivals *arrivals);
/* When fewer than `n` are within the window. */
int64_t arrivals_fewer_us(const struct arrivals *arrivals, size_t n);

/* ---- Groups: desk_groups.c -------------------------------------------------------- */

/* A record has changed the alarm, which is tracked.  Had its condition stood before, and
 * had somebody taken it?  Both false of a new one. */
void groups_note_record(struct desk *desk, struct alarm *alarm, bool stood, bool taken);
/* Before a change is kept: it says to which group the alarm belongs. */
void groups_settle(struct alarm *alarm);
/* The alarm, which has no group, belongs to this one; as it was saved. */
void groups_link(struct alarm *alarm, struct alarm *group);
/* The alarm stands on its own from now on, for good. */
void groups_take_out(struct desk *desk, struct alarm *alarm);
/* The alarm is about to be freed; with a group's end its members are on their own. */
void groups_untrack(struct desk *desk, struct alarm *alarm, int64_t at_us);
/* Somebody has taken the group: its members that wait are his, too. */
void groups_take_members(struct desk *desk, struct alarm *group, const struct action *action);
/* Nobody has the group any more. */
void groups_leave_members(struct desk *desk, struct alarm *group);

/* Why a group does not begin now; NULL: it does. */
const char *groups_judge_begin(const struct desk *desk, uint32_t kind, uint32_t site_id);
/* Why the server's own action is not true any more, beside the state; NULL: it is. */
const char *groups_judge(const struct desk *desk, const struct alarm *alarm,
			 const struct action *action);
/* VERB_GROUP_BEGUN came back, whatever becomes of it: it may be told again. */
void groups_begin_is_back(struct desk *desk, const struct action *action);
/* The alarm that is to be the group; it may be new.  NULL: there is no room. */
struct alarm *groups_place(struct desk *desk, const struct action *action, uint64_t position);
/* What VERB_GROUP_BEGUN does beside the state. */
void groups_begin(struct desk *desk, struct alarm *group, int64_t at_us);
/* The group says how many belong to it, and how grave they are. */
void groups_count(struct alarm *group, int64_t at_us);
/* VERB_GROUP_BEGUN for a site where it is time. */
bool groups_due_begin(struct desk *desk, int64_t now_us, struct action *action);

/* ---- What is due: desk_due.c ------------------------------------------------------ */

/* VERB_NONE: nothing, ever. */
struct due {
	enum alarm_verb verb;
	int64_t at_us;
};

/* What its group makes of the alarm, at once and before all else. */
struct due groups_due_member(const struct alarm *alarm);
/* What is due for a group beside what is for every alarm. */
struct due groups_due_group(const struct desk *desk, const struct alarm *group);

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
	struct arrivals_set arrivals;
	struct log_pace full; /* of the line that no more alarms can be tracked */
};

/* Over, and nobody has taken it: the first to go when there is no room. */
bool alarm_is_over(const struct alarm *alarm);
struct alarm *desk_find_alarm(const struct desk *desk, const struct alarm_key *key);
/* Takes an alarm whose key and id are new, as the last that was raised.  If it
 * is over, its place among those that are over is left to the caller. */
void desk_track(struct desk *desk, struct alarm *alarm);
/* Frees an alarm that is tracked, at this time. */
void desk_untrack(struct desk *desk, struct alarm *alarm, int64_t at_us);
/* A new alarm in NORMAL, by value. */
struct alarm alarm_begin(const struct desk *desk, const struct alarm_key *key, uint64_t position,
			 int64_t at_us);
/* False when no more alarms can be tracked. */
bool desk_make_room(struct desk *desk, int64_t at_us);
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
