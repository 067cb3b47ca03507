/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a batch that a check of the table refuses, all found at once: the batch
 * is copied into a temporary table without checks, and PostgreSQL is asked which rows
 * fail the checks that `records` has now, as it has them.  They are marked and go to
 * quarantine with the name of the check; the others stay a batch for the fast path.
 * So a bad row costs a row's look, and not a trial of all its neighbours.
 *
 * Checks of single partitions, and what triggers refuse, are not seen here: the fast
 * path then fails again, and the slow one finds them.
 */
#include <stdlib.h>
#include <string.h>

#include "store_priv.h"

/* One SELECT for each check; a check that is null doesn't refuse. */
static const char ask_checks_sql[] =
	"SELECT string_agg(format('SELECT position, %L AS name FROM pg_temp.stage_sieve"
	" WHERE NOT (%s)', conname, pg_get_expr(conbin, conrelid)), ' UNION ALL ')"
	" || ' ORDER BY position' FROM pg_constraint"
	" WHERE conrelid = 'records'::regclass AND contype = 'c'";

static enum rc
sieve_ask(struct store *s, PGresult **refused, struct err *err)
{
	PGresult *checks;
	enum rc rc = link_exec(&s->link, "ask for the checks of records", ask_checks_sql, 0, NULL,
			       &checks, err);

	if (rc != RC_OK)
		return rc;
	*refused = NULL;
	if (!PQgetisnull(checks, 0, 0))
		rc = link_exec(&s->link, "ask which rows the checks refuse",
			       PQgetvalue(checks, 0, 0), 0, NULL, refused, err);
	PQclear(checks);
	return rc;
}

/* Rows come in the order of the batch; one that fails several checks comes twice. */
static size_t
sieve_mark_rows(struct batch *batch, const PGresult *refused)
{
	size_t at = 0, marked = 0;

	for (int row = 0; row < PQntuples(refused); row++) {
		uint64_t position = strtoull(PQgetvalue(refused, row, 0), NULL, 10);

		while (at < batch->n && batch->entries[at].position < position)
			at++;
		if (at < batch->n && batch->entries[at].position == position &&
		    batch->entries[at].table == BATCH_RECORDS) {
			batch_refuse(batch, at, PQgetvalue(refused, row, 1));
			marked++;
		}
	}
	return marked;
}

enum rc
sieve_batch(struct store *s, size_t *marked, struct err *err)
{
	PGresult *refused = NULL;
	enum rc rc = link_exec(&s->link, "begin", "BEGIN", 0, NULL, NULL, err);

	*marked = 0;
	if (rc == RC_OK)
		rc = copy_sieve(&s->copy, &s->batch, err);
	if (rc == RC_OK)
		rc = sieve_ask(s, &refused, err);
	if (rc == RC_OK && refused != NULL)
		*marked = sieve_mark_rows(&s->batch, refused);
	PQclear(refused);
	if (rc != RC_FAIL) {
		struct err end;
		enum rc ended = link_exec(&s->link, "roll back", "ROLLBACK", 0, NULL, NULL, &end);

		if (ended != RC_OK) {
			*err = end;
			return ended;
		}
	}
	return rc;
}
