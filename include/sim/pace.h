/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many things are due after so much time: from the beginning, never from
 * the last look, so that rounding and late looks don't add up to a drift.
 * Pure functions.
 */
#ifndef GATEHOUSE_SIM_PACE_H
#define GATEHOUSE_SIM_PACE_H

#include "base/base.h"

enum { PROFILE_SLOTS = 144 }; /* of ten minutes */

/* A day as multiples of its mean. */
struct profile {
	double multiple[PROFILE_SLOTS];
	double before[PROFILE_SLOTS + 1]; /* sum of the multiples before a slot */
};

/* A file of lines "slot <tab> start <tab> multiple", # begins a comment line.
 * RC_INVALID: FILE:LINE: what. */
enum rc profile_load(struct profile *profile, const char *path, struct err *err) MUST_CHECK;

struct pace {
	double per_s;                  /* on average */
	const struct profile *profile; /* NULL: even */
	double day_s;                  /* a day of the profile takes so long */
};

/* Whole things due in the first elapsed_ns. */
uint64_t pace_due(const struct pace *pace, uint64_t elapsed_ns);

#endif
