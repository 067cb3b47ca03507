/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the runs before this one ended, from their ledger: per controller the
 * epoch and what was sent and not acknowledged, per console the position.
 * Immutable after loading, except that a controller takes what waits.
 */
#ifndef GATEHOUSE_SIM_HISTORY_H
#define GATEHOUSE_SIM_HISTORY_H

#include "sim/names.h"
#include "sim/waiting.h"

/* Of one controller. */
struct past {
	uint64_t epoch;
	struct waiting waiting; /* of this epoch */
};

struct history {
	struct names controllers, consoles;
	struct past *pasts;  /* by number of the controller */
	uint64_t *positions; /* by number of the console */
	uint32_t row_max;    /* highest row of a badge log that waits, + 1; 0: none */
};

/* A folder that is not there is an empty history. */
enum rc history_load(struct history *history, const char *dir, struct err *err) MUST_CHECK;
void history_free(struct history *history);

/* NULL: never heard of. */
struct past *history_of(const struct history *history, const char *controller);
/* 0: never heard of. */
uint64_t history_position(const struct history *history, const char *console);

#endif
