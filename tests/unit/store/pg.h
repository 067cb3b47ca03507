/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private PostgreSQL for the tests of this room, by tests/pg.sh, and questions
 * to it over a connection of the test's own.  Tests are run in the project's
 * folder.
 */
#ifndef TESTS_UNIT_STORE_PG_H
#define TESTS_UNIT_STORE_PG_H

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/admin.h"

struct pg {
	char dir[64];
	char conninfo[256];
};

/* Runs tests/pg.sh; fails the test when that fails. */
static inline void
pg_script(struct pg *pg, const char *word)
{
	char *command = xasprintf("tests/pg.sh %s %s/pg", word, pg->dir);
	FILE *out = popen(command, "r"); /* NOLINT: a command of our own making */

	assert_non_null(out);
	if (strcmp(word, "start") == 0) {
		assert_non_null(fgets(pg->conninfo, sizeof(pg->conninfo), out));
		pg->conninfo[strcspn(pg->conninfo, "\n")] = '\0';
	}
	assert_int_equal(pclose(out), 0);
	free(command);
}

static inline void
pg_start(struct pg *pg)
{
	(void)snprintf(pg->dir, sizeof(pg->dir), "/tmp/gatehouse-store-XXXXXX");
	assert_non_null(mkdtemp(pg->dir));
	/* PostgreSQL may run as somebody else */
	assert_int_equal(chmod(pg->dir, 0711), 0);
	pg_script(pg, "start");
}

static inline void
pg_end(struct pg *pg)
{
	char *command = xasprintf("rm -rf %s", pg->dir);

	pg_script(pg, "kill");
	assert_int_equal(system(command), 0); /* NOLINT: a command of our own making */
	free(command);
}

/* A connection of the test's own; the caller ends it by PQfinish(). */
static inline PGconn *
pg_connect(const struct pg *pg)
{
	PGconn *conn = PQconnectdb(pg->conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	PQclear(PQexec(conn, "SET search_path = gatehouse; SET timezone = 'UTC';"
			     " SET client_min_messages = warning"));
	return conn;
}

/* Runs any statements, expects them to go well. */
static inline void
pg_do(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
}

/* The first value of the answer as text, "null" for null; new memory. */
static inline char *
pg_ask(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	char *value;

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	value = xstrdup(PQgetisnull(result, 0, 0) ? "null" : PQgetvalue(result, 0, 0));
	PQclear(result);
	return value;
}

static inline void
pg_expect(PGconn *conn, const char *sql, const char *expected)
{
	char *value = pg_ask(conn, sql);

	if (strcmp(value, expected) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", sql, value, expected);
	free(value);
}

/* Brings the database to the newest schema. */
static inline void
pg_migrate(const struct pg *pg)
{
	struct admin *admin = NULL;
	struct err err = {0};

	if (admin_open(&admin, pg->conninfo, &err) != RC_OK ||
	    migrate_apply(admin, NULL, NULL, &err) != RC_OK)
		fail_msg("%s", err.msg);
	admin_close(&admin);
}

#endif
