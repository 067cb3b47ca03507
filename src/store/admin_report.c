/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What alarms took, against the limits.  What is counted, and how, stands in the schema,
 * because gatehouse-web shows the same.
 *
 * Owner: the one thread of the program.
 */
#include <inttypes.h>
#include <stdio.h>

#include "admin_priv.h"

enum { TIME_TEXT_MAX = 24 }; /* of 64 bits, with sign and end */

static enum rc
report_need_station(struct admin *a, const char *code, struct err *err)
{
	PGresult *result;
	enum rc rc = admin_exec(a, "SELECT FROM stations WHERE code = $1", 1, &code, &result, err);

	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 0)
		rc = err_invalid(err, "station \"%s\" is not in the register", code);
	PQclear(result);
	return rc;
}

enum rc
admin_alarm_report(struct admin *a, const struct admin_report *of, admin_row *row, void *arg,
		   struct err *err)
{
	char since[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
	const char *const params[] = {since, until, of->station};
	enum rc rc = of->station != NULL ? report_need_station(a, of->station, err) : RC_OK;

	if (rc != RC_OK)
		return rc;
	(void)snprintf(since, sizeof(since), "%" PRId64, of->since_us);
	(void)snprintf(until, sizeof(until), "%" PRId64, of->until_us);
	return admin_each_row(a,
			      "SELECT * FROM alarm_report("
			      " timestamptz 'epoch' + $1::bigint * interval '1 microsecond',"
			      " timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3)",
			      (int)ARRAY_LEN(params), params, row, arg, err);
}
