/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run tells: a line now and then while it runs, a summary at its end.
 */
#ifndef GATEHOUSE_SIM_PROGRESS_H
#define GATEHOUSE_SIM_PROGRESS_H

#include "sim/sim.h"

struct progress {
	bool tty;
	uint64_t told_ns;     /* when the last line was written */
	uint64_t sent, acked; /* at that time */
};

void progress_init(struct progress *progress);
/* Call about once a second; writes to stderr. */
void progress_tell(struct progress *progress, const struct sim *sim, uint64_t now_ns);
/* Ends the line on a terminal. */
void progress_end(const struct progress *progress);

/* To stdout, as text or as JSON. */
void progress_summary(const struct sim *sim, uint64_t now_ns);

#endif
