/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the journal: what its directory holds, by the names.  For recovery, before there
 * is any thread.
 */
#ifndef GATEHOUSE_JOURNAL_LISTING_H
#define GATEHOUSE_JOURNAL_LISTING_H

#include "base/base.h"

struct listing {
	uint64_t *firsts; /* of segments, in order */
	size_t n, capacity;
	uint32_t *spares; /* serials, in no order */
	size_t n_spares, spares_capacity;
	bool has_tmp; /* a spare that was being made */
	struct err *err;
};

/* RC_INVALID: a file calls itself a segment and is not named as one.  The listing is to be
 * ended by listing_fini() in any case. */
enum rc listing_read(struct listing *listing, const char *dir, struct err *err) MUST_CHECK;
void listing_fini(struct listing *listing);

#endif
