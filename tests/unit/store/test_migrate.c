/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Migrations against a real PostgreSQL: from nothing to the newest, once, all or
 * nothing, and what they leave behind: comments everywhere, and the vocabulary
 * that the daemon has.
 */
#include "../../../src/store/migration.h"
#include "pg.h"
#include "wire/kind.h"

static struct pg pg;

static int
start(void **state)
{
	(void)state;
	pg_start(&pg);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	pg_end(&pg);
	return 0;
}

static struct admin *
open_admin(void)
{
	struct admin *admin = NULL;
	struct err err;

	assert_int_equal(admin_open(&admin, pg.conninfo, &err), RC_OK);
	return admin;
}

static void
count_said(void *arg, int version, const char *name)
{
	int *count = arg;

	assert_int_equal(version, *count + 1);
	assert_int_equal(atoi(name), version);
	(*count)++;
}

/* First of the tests: begins with an empty database. */
static void
test_from_nothing_and_again(void **state)
{
	struct admin *admin = open_admin();
	struct err err;
	int version = -1, said = 0;

	(void)state;
	assert_int_equal(migrate_current(admin, &version, &err), RC_OK);
	assert_int_equal(version, 0);
	assert_int_equal(migrate_apply(admin, count_said, &said, &err), RC_OK);
	assert_int_equal(said, migrate_newest());
	assert_int_equal(migrate_current(admin, &version, &err), RC_OK);
	assert_int_equal(version, migrate_newest());

	said = 0;
	assert_int_equal(migrate_apply(admin, count_said, &said, &err), RC_OK);
	assert_int_equal(said, 0);
	admin_close(&admin);
}

/* A database as an older program left it. */
static void
begin_at_version(PGconn *conn, int version)
{
	pg_do(conn, "DROP SCHEMA gatehouse CASCADE");
	for (int i = 0; i < version; i++) {
		char *sql = xasprintf("BEGIN; %s; INSERT INTO gatehouse.schema_version (version, "
				      "name) VALUES (%d, '%s'); COMMIT",
				      migrations[i].text, i + 1, migrations[i].name);

		pg_do(conn, sql);
		free(sql);
	}
}

static void
test_goes_on_from_an_older_version(void **state)
{
	PGconn *conn = pg_connect(&pg);
	struct admin *admin = open_admin();
	struct err err;
	int said = 3;

	(void)state;
	begin_at_version(conn, 3);
	assert_int_equal(migrate_apply(admin, count_said, &said, &err), RC_OK);
	assert_int_equal(said, migrate_newest());
	pg_expect(conn, "SELECT count(*) FROM gatehouse.alarms", "0");
	admin_close(&admin);
	PQfinish(conn);
}

static void
test_a_file_that_fails_leaves_nothing(void **state)
{
	PGconn *conn = pg_connect(&pg);
	struct admin *admin = open_admin();
	struct err err;
	int version;

	(void)state;
	/* the second table of 004 is in the way, the first would be new */
	begin_at_version(conn, 3);
	pg_do(conn, "CREATE TABLE gatehouse.alarms ()");
	assert_int_equal(migrate_apply(admin, NULL, NULL, &err), RC_FAIL);
	assert_string_equal(err.msg, "could not apply 004_alarms.sql: relation \"alarms\""
				     " already exists");
	assert_int_equal(migrate_current(admin, &version, &err), RC_OK);
	assert_int_equal(version, 3);
	pg_expect(conn, "SELECT to_regclass('gatehouse.alarm_changes')", "null");
	pg_do(conn, "DROP TABLE gatehouse.alarms");
	assert_int_equal(migrate_apply(admin, NULL, NULL, &err), RC_OK);
	admin_close(&admin);
	PQfinish(conn);
}

static void
test_refuses_newer(void **state)
{
	PGconn *conn = pg_connect(&pg);
	struct admin *admin = open_admin();
	struct err err;
	char *expected =
		xasprintf("the database has version 9999, this program knows them up to %d",
			  migrate_newest());

	(void)state;
	pg_do(conn, "INSERT INTO schema_version (version, name) VALUES (9999, 'later')");
	assert_int_equal(migrate_apply(admin, NULL, NULL, &err), RC_INVALID);
	assert_string_equal(err.msg, expected);
	pg_do(conn, "DELETE FROM schema_version WHERE version = 9999");
	free(expected);
	admin_close(&admin);
	PQfinish(conn);
}

static void
test_everything_has_a_comment(void **state)
{
	PGconn *conn = pg_connect(&pg);

	(void)state;
	pg_expect(conn,
		  "SELECT string_agg(format('%s.%s', relname, attname), ' ') FROM pg_class c"
		  " LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0"
		  " AND NOT attisdropped AND NOT relispartition AND relkind <> 'v'"
		  " WHERE relnamespace = 'gatehouse'::regnamespace AND relkind IN ('r', 'p', 'v')"
		  " AND (obj_description(c.oid, 'pg_class') IS NULL"
		  "  OR (attnum IS NOT NULL AND col_description(c.oid, attnum) IS NULL))",
		  "null");
	PQfinish(conn);
}

static void
test_kinds_are_those_of_the_daemon(void **state)
{
	PGconn *conn = pg_connect(&pg);
	PGresult *rows = PQexec(
		conn, "SELECT kind, name, class, coalesce(severity, 0) FROM kinds ORDER BY 1");
	size_t n;
	const struct kind *kinds = kind_table(&n);

	(void)state;
	assert_int_equal(PQntuples(rows), n);
	for (int i = 0; i < (int)n; i++) {
		assert_int_equal(atoi(PQgetvalue(rows, i, 0)), kinds[i].code);
		assert_string_equal(PQgetvalue(rows, i, 1), kinds[i].name);
		assert_string_equal(PQgetvalue(rows, i, 2), kind_class_name(kinds[i].class));
		assert_int_equal(atoi(PQgetvalue(rows, i, 3)), kinds[i].severity);
	}
	PQclear(rows);

	rows = PQexec(conn, "SELECT reason, name FROM reasons ORDER BY 1");
	assert_int_equal(PQntuples(rows), reason_count());
	for (int i = 0; i < PQntuples(rows); i++) {
		assert_int_equal(atoi(PQgetvalue(rows, i, 0)), i + 1);
		assert_string_equal(PQgetvalue(rows, i, 1), reason_name((uint32_t)i + 1));
	}
	PQclear(rows);
	PQfinish(conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_nothing_and_again),
		cmocka_unit_test(test_goes_on_from_an_older_version),
		cmocka_unit_test(test_a_file_that_fails_leaves_nothing),
		cmocka_unit_test(test_refuses_newer),
		cmocka_unit_test(test_everything_has_a_comment),
		cmocka_unit_test(test_kinds_are_those_of_the_daemon),
	};

	return cmocka_run_group_tests(tests, start, end);
}
