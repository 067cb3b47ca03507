/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which controllers have ever sent a record: a row for each, written once.  To find that
 * out from the records would read all of them.
 *
 * What is noted goes out behind the batch, in a statement of its own.  A note that was lost
 * by a failure comes again with the controller's next record.
 *
 * Owner: the store's thread.
 */
#ifndef GATEHOUSE_STORE_HEARD_H
#define GATEHOUSE_STORE_HEARD_H

#include "link.h"

/* Numbers are PostgreSQL's, one after the other; above this one none is noted. */
enum { HEARD_ID_MAX = 1 << 24 };

struct heard {
	uint8_t *bits; /* of numbers that are known to have a row, or will in a moment */
	size_t n_bits;
	uint32_t *fresh; /* without a row yet */
	size_t n_fresh, capacity;
};

void heard_init(struct heard *heard);
void heard_fini(struct heard *heard);
/* A record of this controller; most of them cost a look at a bit. */
void heard_note(struct heard *heard, uint32_t controller_id);
/* Outside of a transaction.  On failure what is fresh stays so. */
enum rc heard_write(struct heard *heard, struct link *link, struct err *err) MUST_CHECK;

#endif
