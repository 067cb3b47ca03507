/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a database to the version of this program, forwards only.
 *
 * Each file is one transaction together with its row in schema_version, so that
 * an interruption leaves a version, never half of one.  A session-level lock
 * keeps a second operator waiting until the first one is through.
 */
#include "migration.h"

#include <stdlib.h>

#include "admin_priv.h"

/* "gatehous" in ASCII; any number would do that nobody else takes. */
#define MIGRATE_LOCK "7449363208340337011"

/* A name begins with its number: "003_records.sql". */
static int
migrate_version(const struct migration *migration)
{
	return (int)strtol(migration->name, NULL, 10);
}

int
migrate_newest(void)
{
	int newest = 0;

	for (const struct migration *m = migrations; m->name != NULL; m++) {
		must(migrate_version(m) > newest);
		newest = migrate_version(m);
	}
	return newest;
}

static enum rc
migrate_ask_number(struct admin *admin, const char *sql, int *number, struct err *err)
{
	PGresult *result;
	enum rc rc = admin_exec(admin, sql, 0, NULL, &result, err);

	if (rc != RC_OK)
		return rc;
	*number = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	return RC_OK;
}

enum rc
migrate_current(struct admin *admin, int *version, struct err *err)
{
	enum rc rc = migrate_ask_number(
		admin, "SELECT (to_regclass('gatehouse.schema_version') IS NOT NULL)::integer",
		version, err);

	if (rc != RC_OK || *version == 0)
		return rc;
	return migrate_ask_number(admin,
				  "SELECT coalesce(max(version), 0) FROM gatehouse.schema_version",
				  version, err);
}

static enum rc
migrate_apply_file(struct admin *admin, const struct migration *m, struct err *err)
{
	char *version = xasprintf("%d", migrate_version(m));
	const char *const params[] = {version, m->name};
	struct err why;
	enum rc rc;

	rc = admin_enter(admin, &why);
	if (rc == RC_OK) {
		rc = admin_exec(admin, m->text, 0, NULL, NULL, &why);
		if (rc == RC_OK)
			rc = admin_exec(admin,
					"INSERT INTO gatehouse.schema_version (version, name)"
					" VALUES ($1, $2)",
					2, params, NULL, &why);
		rc = admin_leave(admin, rc, &why);
	}
	free(version);
	/* what is wrong with a file of ours is no mistake of the operator's */
	return rc == RC_OK ? RC_OK : err_fail(err, "could not apply %s: %s", m->name, why.msg);
}

static enum rc
migrate_apply_all(struct admin *admin, void (*said)(void *arg, int version, const char *name),
		  void *arg, struct err *err)
{
	int current;
	enum rc rc = migrate_current(admin, &current, err);

	if (rc != RC_OK)
		return rc;
	if (current > migrate_newest())
		return err_invalid(err,
				   "the database has version %d, this program knows them up to %d",
				   current, migrate_newest());
	for (const struct migration *m = migrations; m->name != NULL; m++) {
		if (migrate_version(m) <= current)
			continue;
		rc = migrate_apply_file(admin, m, err);
		if (rc != RC_OK)
			return rc;
		if (said != NULL)
			said(arg, migrate_version(m), m->name);
	}
	return RC_OK;
}

enum rc
migrate_apply(struct admin *admin, void (*said)(void *arg, int version, const char *name),
	      void *arg, struct err *err)
{
	struct err ignored;
	enum rc rc;

	must(!admin->in_batch);
	rc = admin_exec(admin, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")", 0, NULL, NULL, err);
	if (rc != RC_OK)
		return rc;
	rc = migrate_apply_all(admin, said, arg, err);
	/* where unlocking fails, the connection is lost, and with it the lock */
	(void)!admin_exec(admin, "SELECT pg_advisory_unlock(" MIGRATE_LOCK ")", 0, NULL, NULL,
			  &ignored);
	return rc;
}
