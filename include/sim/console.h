/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated console: subscribes to all that it may see, writes down each alarm,
 * and has a dispatcher who takes some of them.  Owner: the simulator's thread.
 */
#ifndef GATEHOUSE_SIM_CONSOLE_H
#define GATEHOUSE_SIM_CONSOLE_H

#include "sim/dispatcher.h"
#include "sim/sim.h"

struct console {
	struct peer peer;
	struct sim *sim;
	uint32_t number; /* also in the ledger */
	uint64_t position;
	bool in_snapshot; /* between Resync and SnapshotEnd */
	bool subscribed;  /* ever; with a first snapshot, behind its end */
	uint32_t keepalive_ms;
	struct dispatcher dispatcher;
	uint64_t last_request;
};

/* Also introduces it to the ledger. */
void console_init(struct console *console, struct sim *sim, uint32_t number);
void console_fini(struct console *console);
/* Keep-alives and time-outs; about once a second. */
void console_tick(struct console *console, uint64_t now_ms);

#endif
