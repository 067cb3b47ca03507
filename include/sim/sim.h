/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the simulator: what its parts share.  Owner: the one thread.
 */
#ifndef GATEHOUSE_SIM_SIM_H
#define GATEHOUSE_SIM_SIM_H

#include "sim/alarm_book.h"
#include "sim/history.h"
#include "sim/ledger.h"
#include "sim/options.h"
#include "sim/pace.h"
#include "sim/peer.h"
#include "sim/replay.h"

struct device;
struct console;

/* What happened so far. */
struct tally {
	uint64_t sent, resent, acked; /* records */
	uint64_t ahead;               /* alarms sent ahead of their turn */
	uint64_t rejected, lost_told;
	uint64_t resends; /* asked by the server */
	uint64_t heartbeats;
	uint64_t alarm_messages, snapshot_messages, resyncs;
	uint64_t actions, actions_accepted, actions_refused;
	uint64_t registrations, confirms; /* asked for by desks; lists confirmed */
};

/* Ends of alarms that are due a little later: a ring, oldest first. */
struct restores {
	struct restore *items;
	size_t head, n, capacity; /* a power of two */
};

enum sim_phase {
	SIM_SETTLING, /* until all are connected */
	SIM_RUNNING,
	SIM_DRAINING, /* nothing new; the last acks are awaited */
	SIM_OVER,
};

struct sim {
	const struct run_options *options;
	struct loop *loop;
	struct peers peers;
	struct ledger *ledger; /* NULL: none is kept */
	uint32_t ledger_streams;
	struct history history;
	struct tally tally;
	struct alarm_book alarms;

	struct enrolments fleet, dispatchers, offices;
	struct device *devices; /* n_devices: of the fleet, then the desks of the offices */
	size_t n_devices;
	char *grant_group;        /* own copy: what protobuf-c only reads is not const there */
	struct console *consoles; /* dispatchers.n */
	struct names names;       /* of the devices, by their numbers */

	struct badge_log log; /* empty without a replay */
	struct replay replay;
	size_t n_replaying; /* the first so many devices */
	struct profile profile;
	struct pace records, raising, registering;
	uint64_t list_heard_ns; /* when the last message of a list came; 0: never */

	enum sim_phase phase;
	int64_t begun_us;        /* wall clock when the program began */
	uint64_t begun_ns;       /* monotonic, the same */
	uint64_t started_ns;     /* monotonic, when SIM_RUNNING began */
	uint64_t phase_end_ns;   /* monotonic, when the phase ends at the latest; 0: open */
	uint64_t issued, raised; /* records and alarms made by their paces */
	struct restores restores;
	bool drained; /* at the end: everything was acknowledged */

	struct device *dirty_first, *dirty_last; /* have something to send */
	uint8_t *scratch;                        /* SIM_SCRATCH_BYTES, for frames */
};

enum { SIM_SCRATCH_BYTES = 64 * 1024 };

/* Adds to the ledger, where one is kept. */
static inline void
sim_write_down(struct sim *sim, const struct ledger_entry *entry)
{
	if (sim->ledger != NULL)
		ledger_add(sim->ledger, entry);
}

#endif
