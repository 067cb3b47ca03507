/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow path: the batch in parts, each in a savepoint of one transaction, by
 * way of the temporary tables, so that rows which are there already change
 * nothing.  A part that PostgreSQL refuses is cut: at the row that it names, or
 * else in the middle, until the row to blame stands alone and goes to quarantine.
 *
 * Every good row gets stored whatever stands beside it, and the order of parts
 * is that of the journal.  What is not a row's fault ends the whole.
 */
#include <stdlib.h>

#include "store_priv.h"
#include "wire/entry.h"

/*
 * Entries tried at once.  (Rows that a check of the table refuses don't get here: see
 * sieve.c.)  Each bad row costs about one copy of what is left of its
 * part: larger parts cost rows, smaller ones round trips.  Measured with one bad
 * row in a hundred, 512 to 1024 are the flat bottom of that: 16 to 29 us for a row
 * of the batch, against 1.6 us on the fast path and 4 us where all are duplicates.
 */
enum { SLOW_PART = 1024 };

/* Where `line` of the COPY of [from, to) came from; `to` when it is not known. */
static size_t
slow_find_line(const struct batch *batch, enum batch_table table, size_t from, size_t to,
	       uint64_t line)
{
	for (size_t i = from; i < to && line > 0; i++) {
		if (batch->entries[i].table == table && --line == 0)
			return i;
	}
	return to;
}

/* One try at [from, to).  After RC_INVALID the transaction is as it was before. */
static enum rc
slow_try(struct store *s, enum batch_table table, size_t from, size_t to, struct store_tally *tally,
	 struct err *err)
{
	const struct copy_part part = {.batch = &s->batch, .table = table, .from = from, .to = to};
	uint64_t rows = 0, added = 0, line;
	struct err undo;
	enum rc rc;

	rc = link_exec(&s->link, "begin a part", "SAVEPOINT part", 0, NULL, NULL, err);
	if (rc != RC_OK)
		return rc;
	rc = copy_staged(&s->copy, &part, &rows, &added, err);
	if (rc == RC_OK) {
		if (table == BATCH_RECORDS) {
			tally->records += added;
			tally->duplicates += rows - added;
		}
		return link_exec(&s->link, "end a part", "RELEASE SAVEPOINT part", 0, NULL, NULL,
				 err);
	}
	if (rc != RC_INVALID)
		return rc;
	line = s->link.copy_line;
	rc = link_exec(&s->link, "roll back a part",
		       "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part", 0, NULL, NULL, &undo);
	if (rc != RC_OK) {
		*err = undo;
		return RC_FAIL;
	}
	s->link.copy_line = line;
	return RC_INVALID;
}

static enum rc
slow_refuse(struct store *s, size_t at, const char *reason, struct store_tally *tally,
	    struct err *err)
{
	const struct batch_entry *entry = &s->batch.entries[at];
	uint64_t held_back;

	if (log_pace_ok(&s->pace_refused, REFUSED_LOG_MS, &held_back))
		log_warning("store", "refused position=%llu reason=\"%s\" held_back=%llu",
			    (unsigned long long)entry->position, reason,
			    (unsigned long long)held_back);
	tally->quarantined++;
	return copy_refusal(&s->copy, &s->batch, entry, reason, err);
}

/*
 * Stores the entries of [from, to) that belong into `table`.  Calls itself for the
 * front of a part that was refused: no deeper than log2(SLOW_PART) for cuts in the
 * middle, and what stands before a row that COPY named is refused, if at all, by a
 * later step, which names none.
 */
static enum rc
slow_store(struct store *s, enum batch_table table, size_t from, size_t to,
	   struct store_tally *tally, struct err *err)
{
	while (from < to) {
		enum rc rc = slow_try(s, table, from, to, tally, err);
		struct err reason = *err;
		size_t bad;

		if (rc != RC_INVALID)
			return rc;
		bad = slow_find_line(&s->batch, table, from, to, s->link.copy_line);
		if (bad == to && to - from == 1)
			bad = from;
		if (bad < to) {
			rc = slow_store(s, table, from, bad, tally, err);
			if (rc == RC_OK)
				rc = slow_refuse(s, bad, reason.msg, tally, err);
			from = bad + 1;
		} else {
			size_t middle = from + (to - from) / 2;

			rc = slow_store(s, table, from, middle, tally, err);
			from = middle;
		}
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
slow_store_table(struct store *s, enum batch_table table, struct store_tally *tally,
		 struct err *err)
{
	enum rc rc = RC_OK;

	for (size_t from = 0; from < s->batch.n && rc == RC_OK; from += SLOW_PART) {
		size_t left = s->batch.n - from;

		rc = copy_truncate_stage(&s->copy, table, err);
		if (rc == RC_OK)
			rc = slow_store(s, table, from,
					from + (left < SLOW_PART ? left : SLOW_PART), tally, err);
	}
	return rc;
}

enum rc
slow_commit(struct store *s, struct store_tally *tally, struct err *err)
{
	enum rc rc = commit_begin(s, err);

	for (enum batch_table table = 0; table < BATCH_TABLES && rc == RC_OK; table++) {
		if (s->batch.counts[table] > 0)
			rc = slow_store_table(s, table, tally, err);
	}
	if (rc == RC_OK)
		rc = commit_end(s, err);
	/* A refusal's own row refused, or a deferred check of somebody's: nothing more
	 * can be done about a row, so the batch waits, and the reason is seen. */
	return rc == RC_INVALID ? RC_FAIL : rc;
}
