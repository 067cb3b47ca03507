/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one connection: what must be true before the first row is stored,
 * then the loop.
 *
 * The cursor decides where to go on, not what this process remembers.  After a
 * commit in doubt it tells how that ended; after a failover to a standby that
 * lost commits it lies further back, and the journal replays what is missing.
 *
 * Any failure ends the session; store.c waits and opens the next.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/admin.h"
#include "store_priv.h"

/* A slice of reading ahead: far below what PostgreSQL has waiting in its socket. */
enum { READ_AHEAD_ENTRIES = 256 };

#define REGISTER_CHANNEL "gatehouse_register"

/* ---- Opening --------------------------------------------------------------- */

/*
 * The server gives a statement up when we do, and a transaction whose client has
 * vanished: otherwise what we left behind would hold the cursor's row.
 */
static enum rc
session_set_up(struct store *s, struct err *err)
{
	unsigned long long limit_ms = s->link_conf.statement_timeout_ms;
	char *sql = xasprintf("SET search_path = gatehouse, pg_temp; SET timezone = 'UTC';"
			      " SET statement_timeout = %llu;"
			      " SET idle_in_transaction_session_timeout = %llu;"
			      " LISTEN " REGISTER_CHANNEL,
			      limit_ms, limit_ms);
	enum rc rc = link_exec(&s->link, "set up the session", sql, 0, NULL, NULL, err);

	free(sql);
	return rc;
}

static enum rc
session_ask_number(struct store *s, const char *what, const char *sql, int n_params,
		   const char *const *params, uint64_t *number, struct err *err)
{
	PGresult *result;
	enum rc rc = link_exec(&s->link, what, sql, n_params, params, &result, err);

	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 1)
		*number = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	else
		rc = err_fail(err, "could not %s: no row", what);
	PQclear(result);
	return rc;
}

static enum rc
session_check_schema(struct store *s, struct err *err)
{
	uint64_t version = 0, newest = (uint64_t)migrate_newest();
	enum rc rc;

	rc = session_ask_number(s, "find the schema",
				"SELECT (to_regclass('gatehouse.schema_version') IS NOT NULL)"
				"::integer",
				0, NULL, &version, err);
	if (rc == RC_OK && version > 0)
		rc = session_ask_number(s, "find the version of the schema",
					"SELECT coalesce(max(version), 0) FROM schema_version", 0,
					NULL, &version, err);
	if (rc != RC_OK || version == newest)
		return rc;
	s->down_state = STORE_WRONG_SCHEMA;
	return err_fail(err, "the database has version %llu, this program needs %llu: %s",
			(unsigned long long)version, (unsigned long long)newest,
			version < newest ? "gatehousectl migrate brings it up"
					 : "a newer gatehoused belongs to it");
}

/* A new journal gets a new row; what older journals' rows say stays. */
static enum rc
session_read_cursor(struct store *s, uint64_t *position, struct err *err)
{
	char *node = xasprintf("%u", s->conf.node);
	char *first = xasprintf("%llu", (unsigned long long)journal_first(s->journal));
	const char *const params[] = {node, s->journal_id, first};
	enum rc rc;

	rc = link_exec(&s->link, "begin a cursor",
		       "INSERT INTO cursors (node_id, journal_id, position) VALUES ($1, $2, $3)"
		       " ON CONFLICT DO NOTHING",
		       3, params, NULL, err);
	if (rc == RC_OK)
		rc = session_ask_number(s, "read the cursor",
					"SELECT position FROM cursors"
					" WHERE node_id = $1 AND journal_id = $2",
					2, params, position, err);
	free(node);
	free(first);
	return rc;
}

static enum rc
session_move_cursor(struct store *s, uint64_t from, uint64_t to, struct err *err)
{
	batch_restart(&s->batch, from);
	s->batch.end = to;
	enum rc rc = commit_begin(s, err);

	return rc == RC_OK ? commit_end(s, err) : rc;
}

/* Entries that PostgreSQL lacks are no longer in the journal: there is nothing to
 * be done but to say so, and to go on with those that are. */
static enum rc
session_skip_lost(struct store *s, uint64_t *position, struct err *err)
{
	uint64_t from = *position;

	*position = journal_first(s->journal);
	log_error("store",
		  "records between positions %llu and %llu were lost to retention: the"
		  " database has them not, and the journal no more",
		  (unsigned long long)from, (unsigned long long)*position);
	return session_move_cursor(s, from, *position, err);
}

/* Behind a loss the cursor may be ahead of entries that took lost positions. */
static enum rc
session_begin_at_first(struct store *s, uint64_t *position, struct err *err)
{
	uint64_t from = *position;

	*position = journal_first(s->journal);
	log_warning("store", "storing the whole journal again from position %llu, cursor was %llu",
		    (unsigned long long)*position, (unsigned long long)from);
	enum rc rc = session_move_cursor(s, from, *position, err);

	s->conf.from_first = rc != RC_OK;
	return rc;
}

/* The rows that the cursor stands for were never in this journal, or are no more. */
static enum rc
session_refuse_loss(struct store *s, uint64_t position, struct err *err)
{
	(void)err_fail(err,
		       "the database has stored this journal up to position %llu, but it"
		       " ends at %llu: was an older copy of it restored?",
		       (unsigned long long)position,
		       (unsigned long long)journal_durable(s->journal));
	if (s->hooks.on_journal_loss != NULL)
		s->hooks.on_journal_loss(s->hooks.arg, err->msg);
	return RC_FAIL;
}

static enum rc
session_check_cursor(struct store *s, uint64_t *position, struct err *err)
{
	if (*position > journal_durable(s->journal))
		return session_refuse_loss(s, *position, err);
	if (*position > s->reached)
		return err_fail(err,
				"the cursor of node %u is at %llu, this daemon came to %llu only:"
				" another daemon stores with the same node id and journal",
				s->conf.node, (unsigned long long)*position,
				(unsigned long long)s->reached);
	if (s->reached == UINT64_MAX)
		s->reached = *position;
	if (*position < journal_first(s->journal))
		return session_skip_lost(s, position, err);
	return RC_OK;
}

static enum rc
session_find_place(struct store *s, struct err *err)
{
	uint64_t position = 0;
	enum rc rc = session_read_cursor(s, &position, err);

	if (rc == RC_OK && s->conf.from_first)
		rc = session_begin_at_first(s, &position, err);
	if (rc == RC_OK)
		rc = session_check_cursor(s, &position, err);
	if (rc != RC_OK)
		return rc;
	if (position < s->cursor)
		log_warning("store",
			    "the database went back from position %llu to %llu; storing"
			    " again what is missing",
			    (unsigned long long)s->cursor, (unsigned long long)position);
	rc = journal_reader_new(&s->reader, s->journal, position, err);
	if (rc != RC_OK)
		return rc;
	store_set_cursor(s, position);
	batch_restart(&s->batch, position);
	batch_restart(&s->ahead, position);
	return RC_OK;
}

enum rc
store_session_open(struct store *s, struct err *err)
{
	enum rc rc;

	s->down_state = STORE_DOWN;
	rc = link_open(&s->link, err);
	if (rc == RC_OK)
		rc = session_set_up(s, err);
	if (rc == RC_OK)
		rc = session_check_schema(s, err);
	if (rc == RC_OK)
		rc = copy_make_stages(&s->copy, err);
	if (rc == RC_OK)
		rc = session_find_place(s, err);
	if (rc == RC_OK)
		rc = partitions_make(s, err);
	if (rc == RC_OK)
		rc = load_register(s, err);
	if (rc == RC_OK)
		rc = load_wanted_rights(s, err);
	return rc;
}

void
store_session_close(struct store *s)
{
	link_close(&s->link);
	journal_reader_free(&s->reader);
	batch_restart(&s->batch, s->cursor);
	batch_restart(&s->ahead, s->cursor);
}

/* ---- Reading ahead ------------------------------------------------------- */

/* A failure is met again by the reading that counts. */
bool
session_read_ahead(void *arg)
{
	struct store *s = arg;
	struct err ignored;

	if (batch_is_full(&s->ahead))
		return false;
	if (!batch_has_moved(&s->ahead))
		batch_restart(&s->ahead, s->batch.end);
	return batch_fill_some(&s->ahead, s->reader, READ_AHEAD_ENTRIES, &ignored) == RC_OK;
}

static void
session_take_ahead(struct store *s)
{
	struct batch empty = s->batch;

	if (batch_has_moved(&s->batch) || !batch_has_moved(&s->ahead))
		return;
	must(s->ahead.begin == s->batch.begin);
	s->batch = s->ahead;
	s->ahead = empty;
}

/* ---- The loop -------------------------------------------------------------- */

static enum rc
session_do_chores(struct store *s, struct err *err)
{
	bool changed = link_was_notified(&s->link, REGISTER_CHANNEL);
	enum rc rc = RC_OK;

	/* asked for by another thread, or by PostgreSQL */
	if (atomic_exchange(&s->reload, false) || changed)
		rc = load_register(s, err);
	if (rc == RC_OK && clock_mono_ms() >= s->partitions_at_ms)
		rc = partitions_make(s, err);
	return rc;
}

/* Reads what there is.  What was read before a failure is stored before it counts. */
static enum rc
session_gather(struct store *s, bool *due, struct err *err)
{
	bool begins = !batch_has_moved(&s->batch), moved;
	enum rc rc;

	session_take_ahead(s);
	rc = batch_fill(&s->batch, s->reader, err);
	moved = batch_has_moved(&s->batch);

	if (begins && moved)
		s->gather_until_ms = clock_mono_ms() + s->conf.batch_wait_ms;
	*due = moved &&
	       (rc != RC_AGAIN || store_is_stopping(s) || clock_mono_ms() >= s->gather_until_ms);
	return moved || rc == RC_AGAIN ? RC_OK : rc;
}

static enum rc
session_sleep(struct store *s, struct err *err)
{
	uint64_t now_ms = clock_mono_ms(), until_ms = s->partitions_at_ms;

	if (batch_has_moved(&s->batch) && s->gather_until_ms < until_ms)
		until_ms = s->gather_until_ms;
	return link_idle(&s->link, until_ms > now_ms ? until_ms - now_ms : 0, err);
}

/* Each turn looks at everything, so that a bell rung in between is never lost: it
 * keeps ringing until the next sleep, which it ends. */
enum rc
session_run(struct store *s, struct err *err)
{
	for (;;) {
		bool due;
		enum rc rc = session_do_chores(s, err);

		if (rc == RC_OK)
			rc = session_gather(s, &due, err);
		if (rc != RC_OK)
			return rc;
		if (due)
			rc = commit_batch(s, err);
		else if (store_is_stopping(s) && !batch_has_moved(&s->batch))
			return RC_EOF;
		else
			rc = session_sleep(s, err);
		if (rc != RC_OK)
			return rc;
	}
}
