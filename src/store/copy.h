/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes parts of a batch into PostgreSQL by COPY: straight into `records`, or
 * by way of a temporary table where rows may be there already.
 *
 * Owner: the store's thread, within its transaction.  After RC_INVALID (a row is
 * to blame; link->copy_line may tell which) the transaction must be rolled back.
 */
#ifndef GATEHOUSE_STORE_COPY_H
#define GATEHOUSE_STORE_COPY_H

#include "batch.h"
#include "heard.h"
#include "link.h"

struct copy {
	struct link *link;   /* borrowed */
	struct heard *heard; /* borrowed: is told whose records went out */
	uint32_t node;
	uint8_t *chunk; /* bytes on their way to libpq */
	size_t used;
};

void copy_init(struct copy *copy, struct link *link, struct heard *heard, uint32_t node);
void copy_fini(struct copy *copy);

/* Makes the temporary tables of a session. */
enum rc copy_make_stages(struct copy *copy, struct err *err) MUST_CHECK;

/* Entries [from, to) of the batch that are records, straight into their table. */
enum rc copy_records(struct copy *copy, const struct batch *batch, size_t from, size_t to,
		     struct err *err) MUST_CHECK;

/* Entries [from, to) of the batch that belong into `table`. */
struct copy_part {
	const struct batch *batch;
	enum batch_table table;
	size_t from, to;
};
/* The part; rows that are there already change nothing.  *rows: how many went through;
 * *added: how many were new. */
enum rc copy_staged(struct copy *copy, const struct copy_part *part, uint64_t *rows,
		    uint64_t *added, struct err *err) MUST_CHECK;

/* All records of the batch into a temporary table without checks, for sieve.c. */
enum rc copy_sieve(struct copy *copy, const struct batch *batch, struct err *err) MUST_CHECK;

/* Rows that went through leave dead ones behind until the transaction ends, and
 * each further statement reads those again: this gets rid of them. */
enum rc copy_truncate_stage(struct copy *copy, enum batch_table table, struct err *err) MUST_CHECK;

/* One entry into quarantine, with the reason why it is no row of its own table. */
enum rc copy_refusal(struct copy *copy, const struct batch *batch, const struct batch_entry *entry,
		     const char *reason, struct err *err) MUST_CHECK;

#endif
