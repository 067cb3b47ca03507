/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store takes from the journal for one transaction: the entries as they
 * stand there, in order, and into which table each one goes.  Entries are kept
 * as bytes, so that any part of a batch can be written again, in any grouping.
 *
 * Owner: the store's thread.  Memory is bounded by max_entries and max_bytes (and
 * one body), and is kept from batch to batch.
 */
#ifndef GATEHOUSE_STORE_BATCH_H
#define GATEHOUSE_STORE_BATCH_H

#include "base/buf.h"
#include "journal/journal.h"

enum batch_table {
	BATCH_RECORDS,
	BATCH_ALARMS,
	BATCH_SEEN, /* behind the alarms that it is about */
	BATCH_QUARANTINE,
	BATCH_RIGHTS, /* records, cards and grants */
	BATCH_TABLES,
};

struct batch_entry {
	uint64_t position;
	size_t offset; /* of the body in `bodies` */
	uint32_t len;
	uint8_t type;
	uint8_t table; /* enum batch_table */
	bool refused;  /* no row can be made of it: quarantine, as it is */
	uint8_t check; /* 0, or the number of the check that refuses its row: see batch_reason() */
};

/* More checks than a table has. */
enum { BATCH_CHECKS_MAX = 32, BATCH_CHECK_NAME_MAX = 64 };

struct batch {
	struct buf bodies;
	struct batch_entry *entries;
	size_t n, max_entries;
	size_t max_bytes;
	size_t counts[BATCH_TABLES]; /* of entries */
	uint64_t begin, end; /* positions: of the first entry, and behind the last that was seen */
	char checks[BATCH_CHECKS_MAX][BATCH_CHECK_NAME_MAX]; /* names; n_checks of them */
	uint8_t n_checks;
};

void batch_init(struct batch *batch, size_t max_entries, size_t max_bytes);
void batch_fini(struct batch *batch);
/* Empties it; what follows begins at `position`. */
void batch_restart(struct batch *batch, uint64_t position);

/* Reads until it is full (RC_OK) or the journal has no more (RC_AGAIN).  On
 * RC_INVALID and RC_FAIL, which are journal_read()'s, what was read before stays. */
enum rc batch_fill(struct batch *batch, struct journal_reader *reader, struct err *err) MUST_CHECK;
/* The same, of at most so many entries; RC_OK also where there is room for more. */
enum rc batch_fill_some(struct batch *batch, struct journal_reader *reader, size_t entries,
			struct err *err) MUST_CHECK;
bool batch_is_full(const struct batch *batch);

/* A record's row is refused by the check of that name: its entry goes to quarantine.
 * batch_restore() takes all of that back. */
void batch_refuse(struct batch *batch, size_t at, const char *check);
void batch_restore(struct batch *batch);
/* Why a check refuses it, as PostgreSQL would say; entry->check must not be 0. */
void batch_reason(const struct batch *batch, const struct batch_entry *entry, struct err *err);

const uint8_t *batch_body(const struct batch *batch, const struct batch_entry *entry);
/* Something was read, if only what goes into no table. */
bool batch_has_moved(const struct batch *batch);

/* Whether a row can be made of a body, and in which table; RC_INVALID says why not. */
enum rc batch_check(uint8_t type, const uint8_t *body, size_t len, enum batch_table *table,
		    struct err *err) MUST_CHECK;

#endif
