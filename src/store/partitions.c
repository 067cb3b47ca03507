/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the partitions of the coming days before their first record comes.  A day
 * at a time, each in a transaction of its own, because making one locks the stray
 * records for a moment.
 *
 * Where one can't be made, nothing is lost: its records go astray, and move into
 * it when it can.  Does not drop old ones.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store_priv.h"

enum {
	PARTITIONS_EVERY_MS = 60 * 60 * 1000,
	PARTITIONS_RETRY_MS = 60 * 1000,
};

static enum rc
partitions_make_day(struct store *s, int64_t days_from_today, struct err *err)
{
	char *days = xasprintf("%lld", (long long)days_from_today);
	const char *const params[] = {days};
	PGresult *result;
	enum rc rc;

	/* PostgreSQL's day, not ours: all daemons mean the same one */
	rc = link_exec(&s->link, "make a partition",
		       "SELECT day, make_partition(day)"
		       " FROM (SELECT (now() AT TIME ZONE 'UTC')::date + $1::integer) AS d (day)",
		       1, params, &result, err);
	free(days);
	if (rc != RC_OK)
		return rc;
	if (strcmp(PQgetvalue(result, 0, 1), "t") == 0)
		log_info("store", "partition made day=%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return RC_OK;
}

enum rc
partitions_make(struct store *s, struct err *err)
{
	int64_t last = (int64_t)s->conf.partitions_ahead_days;
	enum rc rc = RC_OK;

	/* from yesterday: controllers send what they gathered before midnight */
	for (int64_t day = -1; day <= last && rc == RC_OK; day++)
		rc = partitions_make_day(s, day, err);
	s->partitions_at_ms =
		clock_mono_ms() + (rc == RC_OK ? PARTITIONS_EVERY_MS : PARTITIONS_RETRY_MS);
	if (rc == RC_OK || !link_is_idle(&s->link))
		return rc == RC_OK ? RC_OK : RC_FAIL;
	log_warning("store", "%s; trying again in %d s", err->msg, PARTITIONS_RETRY_MS / 1000);
	return RC_OK;
}
