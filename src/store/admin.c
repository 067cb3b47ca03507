/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator's connection to PostgreSQL: blocking, because a program that does
 * one thing and ends has nothing else to do.  The daemon never comes here; it
 * has store/link.
 *
 * Invariant: outside of a call a transaction is open exactly while in_batch.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_priv.h"

static enum rc
admin_fail(const struct admin *a, const char *what, struct err *err)
{
	const char *text = PQerrorMessage(a->conn);

	return err_fail(err, "could not %s: %.*s", what, (int)strcspn(text, "\n"), text);
}

enum rc
admin_open(struct admin **admin, const char *conninfo, struct err *err)
{
	/* what stands before dbname is a default that the conninfo may change */
	const char *const keywords[] = {"application_name", "connect_timeout", "dbname",
					"client_encoding", NULL};
	const char *const values[] = {"gatehousectl", "10", conninfo, "UTF8", NULL};
	struct admin *a = xcalloc(1, sizeof(*a));
	enum rc rc;

	a->conn = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(a->conn) != CONNECTION_OK) {
		rc = admin_fail(a, "connect to PostgreSQL", err);
		goto out;
	}
	rc = admin_exec(a, "SET search_path = gatehouse; SET timezone = 'UTC'", 0, NULL, NULL, err);
	if (rc != RC_OK)
		goto out;
	*admin = a;
	a = NULL;
out:
	admin_close(&a);
	return rc;
}

void
admin_close(struct admin **admin)
{
	if (*admin == NULL)
		return;
	PQfinish((*admin)->conn);
	free(*admin);
	*admin = NULL;
}

/* Classes 22 and 23: a value or a constraint; the operator can mend those. */
static enum rc
admin_refused(const PGresult *result, struct err *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (text == NULL)
		text = PQresultErrorMessage(result);
	if (sqlstate != NULL &&
	    (strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0))
		return err_invalid(err, "%s", text);
	return err_fail(err, "%.*s", (int)strcspn(text, "\n"), text);
}

enum rc
admin_exec(struct admin *a, const char *sql, int n_params, const char *const *params,
	   PGresult **result, struct err *err)
{
	PGresult *got = n_params > 0
				? PQexecParams(a->conn, sql, n_params, NULL, params, NULL, NULL, 0)
				: PQexec(a->conn, sql);
	ExecStatusType status = PQresultStatus(got);
	enum rc rc = RC_OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		rc = got != NULL ? admin_refused(got, err) : admin_fail(a, "ask PostgreSQL", err);
	if (rc == RC_OK && result != NULL)
		*result = got;
	else
		PQclear(got);
	return rc;
}

enum rc
admin_begin(struct admin *a, struct err *err)
{
	enum rc rc;

	must(!a->in_batch);
	rc = admin_exec(a, "BEGIN", 0, NULL, NULL, err);
	a->in_batch = rc == RC_OK;
	a->failed = 0;
	return rc;
}

enum rc
admin_commit(struct admin *a, struct err *err)
{
	enum rc rc;

	must(a->in_batch);
	if (a->failed > 0) {
		rc = err_invalid(err, "%u of the changes failed, nothing was changed", a->failed);
		admin_rollback(a);
		return rc;
	}
	a->in_batch = false;
	return admin_exec(a, "COMMIT", 0, NULL, NULL, err);
}

void
admin_rollback(struct admin *a)
{
	struct err ignored;

	/* where this fails, the connection is lost, and with it the transaction */
	if (a->in_batch && admin_exec(a, "ROLLBACK", 0, NULL, NULL, &ignored) != RC_OK)
		PQreset(a->conn);
	a->in_batch = false;
}

enum rc
admin_enter(struct admin *a, struct err *err)
{
	enum rc rc = admin_exec(a, a->in_batch ? "SAVEPOINT change" : "BEGIN", 0, NULL, NULL, err);

	if (rc != RC_OK && a->in_batch)
		a->failed++;
	return rc;
}

enum rc
admin_leave(struct admin *a, enum rc rc, struct err *err)
{
	const char *keep = a->in_batch ? "RELEASE SAVEPOINT change" : "COMMIT";
	const char *undo =
		a->in_batch ? "ROLLBACK TO SAVEPOINT change; RELEASE SAVEPOINT change" : "ROLLBACK";
	struct err ignored;

	if (rc == RC_OK)
		rc = admin_exec(a, keep, 0, NULL, NULL, err);
	else if (admin_exec(a, undo, 0, NULL, NULL, &ignored) != RC_OK)
		rc = RC_FAIL; /* lost the connection; err has the first reason */
	if (rc != RC_OK && a->in_batch)
		a->failed++;
	return rc;
}
