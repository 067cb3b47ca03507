/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch, one transaction.  The cursor's row is moved first: its lock keeps a
 * second daemon on the same cursor out, and where it isn't found at our
 * position, nothing of the batch is written.
 *
 * A COMMIT whose answer got lost is not asked about here: the session ends, and
 * the next one reads the cursor.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "store_priv.h"

enum rc
commit_begin(struct store *s, struct err *err)
{
	char *node = xasprintf("%u", s->conf.node);
	char *begin = xasprintf("%llu", (unsigned long long)s->batch.begin);
	char *end = xasprintf("%llu", (unsigned long long)s->batch.end);
	const char *const params[] = {node, s->journal_id, begin, end};
	PGresult *result = NULL;
	enum rc rc;

	rc = link_exec(&s->link, "begin", "BEGIN", 0, NULL, NULL, err);
	if (rc == RC_OK)
		rc = link_exec(&s->link, "move the cursor",
			       "UPDATE cursors SET position = $4, updated_at = now()"
			       " WHERE node_id = $1 AND journal_id = $2 AND position = $3",
			       4, params, &result, err);
	if (rc == RC_OK && strcmp(PQcmdTuples(result), "1") != 0)
		rc = err_fail(err,
			      "the cursor of node %u is not where this daemon left it: another"
			      " daemon stores with the same node id and journal",
			      s->conf.node);
	crash_point(CRASH_COMMIT_BEGUN);
	PQclear(result);
	free(node);
	free(begin);
	free(end);
	return rc;
}

enum rc
commit_end(struct store *s, struct err *err)
{
	PGresult *result;
	enum rc rc;

	/* from here on the cursor may be found there, whatever we hear of it */
	if (s->batch.end > s->reached)
		s->reached = s->batch.end;
	crash_point(CRASH_COMMIT_COPIED);
	rc = link_send(&s->link, "commit", "COMMIT", 0, NULL, err);
	if (rc != RC_OK)
		return rc;
	crash_point(CRASH_COMMIT_SENT);
	rc = link_receive(&s->link, "commit", &result, err);
	if (rc != RC_OK)
		return rc;
	/* the answer to COMMIT in a failed transaction; none of ours gets here in one */
	must(strcmp(PQcmdStatus(result), "COMMIT") == 0);
	crash_point(CRASH_COMMIT_DONE);
	PQclear(result);
	return RC_OK;
}

static enum rc
commit_fast(struct store *s, struct store_tally *tally, struct err *err)
{
	const struct batch *batch = &s->batch;
	uint64_t rows, added;
	enum rc rc = commit_begin(s, err);

	if (rc == RC_OK && batch->counts[BATCH_RECORDS] > 0)
		rc = copy_records(&s->copy, batch, 0, batch->n, err);
	for (enum batch_table table = BATCH_ALARMS; table < BATCH_TABLES && rc == RC_OK; table++) {
		const struct copy_part all = {.batch = batch, .table = table, .to = batch->n};

		if (batch->counts[table] > 0)
			rc = copy_staged(&s->copy, &all, &rows, &added, err);
	}
	if (rc == RC_OK)
		rc = commit_end(s, err);
	tally->records = batch->counts[BATCH_RECORDS];
	return rc;
}

/* The fast path; after RC_INVALID no transaction is open any more. */
static enum rc
commit_try_fast(struct store *s, struct store_tally *tally, struct err *err)
{
	struct err undo;
	enum rc rc = commit_fast(s, tally, err);

	if (rc != RC_INVALID)
		return rc;
	if (link_exec(&s->link, "roll back", "ROLLBACK", 0, NULL, NULL, &undo) == RC_OK)
		return RC_INVALID;
	*err = undo;
	return RC_FAIL;
}

static enum rc
commit_sieved(struct store *s, struct store_tally *tally, struct err *err)
{
	uint64_t held_back;
	size_t marked;
	enum rc rc = sieve_batch(s, &marked, err);

	if (rc != RC_OK)
		return rc;
	s->expect_refusals = marked > 0;
	rc = commit_try_fast(s, tally, err);
	tally->quarantined = marked;
	if (rc == RC_OK && marked > 0 && log_pace_ok(&s->pace_refused, REFUSED_LOG_MS, &held_back))
		log_warning("store", "refused records=%zu by checks of the table held_back=%llu",
			    marked, (unsigned long long)held_back);
	return rc;
}

/* Where one way doesn't do, the next is slower and can do more. */
static enum rc
commit_either(struct store *s, struct store_tally *tally, struct err *err)
{
	enum rc rc = RC_INVALID;

	if (!s->expect_duplicates && !s->expect_refusals)
		rc = commit_try_fast(s, tally, err);
	if (rc == RC_INVALID && !s->expect_duplicates && (s->expect_refusals || s->link.by_check)) {
		rc = commit_sieved(s, tally, err);
		if (rc == RC_INVALID)
			batch_restore(&s->batch);
	}
	if (rc != RC_INVALID)
		return rc;
	log_debug("store", "batch of %zu goes the slow way", s->batch.n);
	s->expect_refusals = false;
	*tally = (struct store_tally){.slow = true};
	return slow_commit(s, tally, err);
}

enum rc
commit_batch(struct store *s, struct err *err)
{
	struct store_tally tally = {0};
	enum rc rc;

	s->link.meanwhile = (struct link_meanwhile){.work = session_read_ahead, .arg = s};
	rc = commit_either(s, &tally, err);
	s->link.meanwhile = (struct link_meanwhile){0};
	if (rc == RC_OK)
		rc = heard_write(&s->heard, &s->link, err);
	if (rc != RC_OK)
		return rc;
	/* Replayed and re-sent records come in runs.  Where one run ends, its last batch
	 * has gone the slow way for nothing, and the next one is fast again. */
	s->expect_duplicates = tally.duplicates > 0;
	store_set_cursor(s, s->batch.end);
	store_count_batch(s, &tally);
	/* only now: that PostgreSQL let us in doesn't say that it works */
	backoff_succeeded(&s->backoff);
	batch_restart(&s->batch, s->cursor);
	return RC_OK;
}
