/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared holes in the current epoch of one controller: numbers that were given up
 * and may still come.  One that comes belongs to its hole until the hole is filled.
 *
 * A plain value, copied with the sequence that it belongs to.  It is bounded: when
 * there are more pieces than fit, the two that stand closest become one.  Then what
 * lies between them counts as missing, too; nothing is ever taken for a double that
 * was not there.
 */
#ifndef GATEHOUSE_FLEET_GAPS_H
#define GATEHOUSE_FLEET_GAPS_H

#include "base/base.h"

enum { GAPS_MAX = 4 };

/* What is still missing of a hole, which was declared as whole_from .. whole_to. */
struct gap {
	uint64_t from, to; /* inclusive */
	uint64_t whole_from, whole_to;
};

/* Zeros are the empty set.  In order, none touching another. */
struct gaps {
	struct gap of[GAPS_MAX];
	uint32_t n;
};

void gaps_add(struct gaps *gaps, uint64_t from, uint64_t to);
bool gaps_has(const struct gaps *gaps, uint64_t seq);
/* The number came.  True when it was the last that its hole missed: *filled is that
 * hole.  One that is not missing changes nothing. */
bool gaps_take(struct gaps *gaps, uint64_t seq, struct gap *filled);

#endif
