/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What following the journal shows, and nobody has said yet: a hole in a controller's
 * sequence that damage tore, a declared gap that got filled, a damaged spot.  Each
 * becomes a record of the server's own, once: what waits here is known by its words,
 * and an entry of the journal that says the same takes it away.  So a replay, which
 * finds all of it again, says nothing twice, and a crash before the entry loses nothing.
 *
 * Owner: the follower's thread.
 */
#ifndef GATEHOUSE_DAEMON_FINDINGS_H
#define GATEHOUSE_DAEMON_FINDINGS_H

#include "fleet/observer.h"
#include "fleet/positions.h"
#include "journal/journal.h"

struct findings_conf {
	int64_t start_us;                   /* of the daemon, wall clock */
	unsigned observer_index, observers; /* see observer_init() */
	uint32_t node;
};

struct findings;

struct findings *findings_new(const struct findings_conf *conf);
void findings_free(struct findings **findings);

/* What positions_apply_..() returned for an entry about this controller. */
void findings_take_change(struct findings *findings, const struct observed *about,
			  const struct position_change *change);
/* Spots that the journal met since the last call, and `positions` doesn't know of. */
void findings_take_damage(struct findings *findings, struct journal *journal,
			  const struct positions *positions);
/* The journal has this record. */
void findings_note_said(struct findings *findings, const struct record *record);

/* The first that waits, as a record that borrows from it, and the entry's flags; false:
 * none waits.  findings_done() when it is in a group. */
bool findings_first(struct findings *findings, struct record *record, uint8_t *flags);
void findings_done(struct findings *findings);

#endif
