/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far each controller's sequence is known: a table that follows the journal
 * entry by entry, and so can be rebuilt from it at any time.  Nothing else
 * decides what a controller is told to resume after.
 *
 * Owner: one thread.
 */
#ifndef GATEHOUSE_FLEET_POSITIONS_H
#define GATEHOUSE_FLEET_POSITIONS_H

#include "base/buf.h"
#include "fleet/gaps.h"
#include "wire/entry.h"

enum { POSITIONS_DAMAGES_MAX = 64 };

struct position {
	uint32_t controller_id; /* or that of a registration desk: never the same */
	int64_t epoch;          /* the newest; > 0 */
	uint64_t last_seq; /* all up to here is taken care of: stored, rejected or declared lost */
	int64_t device_time_us; /* of the last record */
	bool lost;              /* comms.controller_lost was reported, and not yet restored */
	struct gaps gaps;       /* of this epoch, below last_seq */
	bool gaps_for_good;     /* a former epoch ended with holes: nobody can fill them now */
};

/* What an entry showed that nobody has said yet. */
enum position_news {
	POSITION_NEWS_NONE,
	POSITION_NEWS_HOLE,   /* the numbers from .. to, which were here, are not */
	POSITION_NEWS_FILLED, /* the declared hole from .. to is none any more */
};

struct position_change {
	enum position_news news;
	int64_t epoch;
	uint64_t from, to;
	bool last; /* of a filled one: the controller has no other hole */
};

struct positions;

struct positions *positions_new(void);
void positions_free(struct positions **positions);

/*
 * Each entry's body of types ENTRY_RECORD and ENTRY_QUARANTINE, in order.  A hole that
 * the entries show by themselves was torn by damage of the journal: sessions declare
 * theirs before they go on behind them.  It becomes one of the controller's gaps with
 * the record that declares it.
 */
struct position_change positions_apply_record(struct positions *positions,
					      const struct record *record);
struct position_change positions_apply_quarantine(struct positions *positions,
						  const struct quarantine *q);
/* A desk's, of type ENTRY_RIGHT. */
void positions_apply_right(struct positions *positions, const struct right_change *change);

/* True when the journal has a record that says so of this spot; of the newest
 * POSITIONS_DAMAGES_MAX of them. */
bool positions_know_damage(const struct positions *positions, uint64_t at);

/* NULL when nothing is known of it. */
const struct position *positions_get(const struct positions *positions, uint32_t controller_id);
void positions_each(const struct positions *positions,
		    void (*call)(void *arg, const struct position *position), void *arg);

/* For the checkpoint.  RC_AGAIN: does not fit. */
enum rc positions_save(const struct positions *positions, struct buf *out) MUST_CHECK;
/* Into an empty table.  RC_INVALID when the bytes are not from positions_save(). */
enum rc positions_load(struct positions *positions, const uint8_t *bytes, size_t n,
		       struct err *err) MUST_CHECK;

#endif
