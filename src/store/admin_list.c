/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register as lists for people and scripts.  One statement each, so that a
 * list is of one moment.
 */
#include "admin_priv.h"

/* Columns as store/admin.h promises them. */
static const char *const list_sql[] = {
	[ADMIN_STATIONS] =
		"SELECT code, name,"
		" (SELECT count(*) FROM areas a WHERE a.station_id = s.station_id) AS areas,"
		" (SELECT count(*) FROM consoles c WHERE c.station_id = s.station_id) AS consoles"
		" FROM stations s ORDER BY code",
	[ADMIN_AREAS] = "SELECT a.code, a.name, p.code AS parent, s.code AS station"
			" FROM areas a LEFT JOIN areas p ON p.area_id = a.parent_id"
			" LEFT JOIN stations s ON s.station_id = a.station_id ORDER BY a.code",
	/* the station responsible first: of the nearest area upwards that has one */
	[ADMIN_SITES] =
		"WITH RECURSIVE responsible (area_id, parent_id, station_id) AS ("
		" SELECT area_id, parent_id, station_id FROM areas WHERE parent_id IS NULL"
		" UNION ALL SELECT a.area_id, a.parent_id, coalesce(a.station_id, r.station_id)"
		" FROM areas a JOIN responsible r ON a.parent_id = r.area_id)"
		" SELECT s.code, s.name, a.code AS area, t.code AS station, s.address, s.timezone,"
		" (SELECT count(*) FROM controllers c WHERE c.site_id = s.site_id) AS controllers,"
		" (SELECT count(*) FROM doors d WHERE d.site_id = s.site_id) AS doors, s.site_id"
		" FROM sites s JOIN areas a USING (area_id)"
		" LEFT JOIN responsible r USING (area_id)"
		" LEFT JOIN stations t ON t.station_id = r.station_id ORDER BY s.code",
	[ADMIN_DOORS] = "SELECT d.code, d.name, s.code AS site, c.name AS controller, d.number,"
			" d.address FROM doors d JOIN sites s USING (site_id)"
			" LEFT JOIN controllers c USING (controller_id) ORDER BY d.code",
	/* as it stands at the door: without an address of its own, that of the site */
	[ADMIN_LABELS] = "SELECT d.code, d.name, s.code AS site, s.name AS site_name,"
			 " coalesce(nullif(d.address, ''), s.address) AS address"
			 " FROM doors d JOIN sites s USING (site_id) ORDER BY s.code, d.code",
	[ADMIN_TASKS] = "SELECT s.code AS site, t.task, k.title, t.thing FROM site_tasks t"
			" JOIN sites s USING (site_id) JOIN site_task_kinds k USING (task)"
			" ORDER BY s.code, k.place, t.thing",
	/* today's beside those of the last day before it */
	[ADMIN_TASK_COUNTS] = "SELECT s.code AS site, n.task, k.title, n.count, b.count AS before,"
			      " b.day AS before_day FROM site_task_counts n"
			      " JOIN sites s USING (site_id) JOIN site_task_kinds k USING (task)"
			      " LEFT JOIN LATERAL (SELECT count, day FROM site_task_counts e"
			      "  WHERE e.site_id = n.site_id AND e.task = n.task AND e.day < n.day"
			      "  ORDER BY day DESC LIMIT 1) b ON true"
			      " WHERE n.day = current_date ORDER BY s.code, k.place",
	/* reads every partition: for an operator now and then, not for a screen */
	[ADMIN_CONTROLLERS] =
		"SELECT c.name, s.code AS site, CASE WHEN c.enabled THEN 'yes' ELSE 'no' END"
		" AS enabled,"
		" (SELECT count(*) FROM doors d WHERE d.controller_id = c.controller_id) AS doors,"
		" to_char(r.last, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS last_record"
		" FROM controllers c JOIN sites s USING (site_id)"
		" LEFT JOIN (SELECT controller_id, max(received_at) AS last FROM records"
		" GROUP BY controller_id) r USING (controller_id) ORDER BY c.name",
	/* reads every partition, too; the same hole may have been declared twice */
	[ADMIN_GAPS] =
		"WITH said AS (SELECT controller_id, kind, received_at,"
		" (detail->>'epoch')::bigint AS epoch, (detail->>'from')::bigint AS first,"
		" (detail->>'to')::bigint AS last FROM records WHERE kind IN (701, 703)"
		" AND epoch < 0)"
		" SELECT coalesce(c.name, '#' || g.controller_id) AS controller, g.epoch,"
		" g.first AS \"from\", g.last AS \"to\", g.last - g.first + 1 AS records,"
		" to_char(g.since, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS since,"
		" CASE WHEN f.at IS NULL THEN 'open' ELSE 'filled' END AS state,"
		" to_char(f.at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS filled"
		" FROM (SELECT controller_id, epoch, first, last, min(received_at) AS since"
		" FROM said WHERE kind = 701 GROUP BY 1, 2, 3, 4) g"
		" LEFT JOIN LATERAL (SELECT min(received_at) AS at FROM said s"
		" WHERE s.kind = 703 AND s.controller_id = g.controller_id"
		" AND s.epoch = g.epoch AND s.first <= g.first AND s.last >= g.last) f ON true"
		" LEFT JOIN controllers c USING (controller_id) ORDER BY 1, 2, 3",
	[ADMIN_CONSOLES] = "SELECT c.name, s.code AS station, c.role,"
			   " CASE WHEN c.enabled THEN 'yes' ELSE 'no' END AS enabled"
			   " FROM consoles c JOIN stations s USING (station_id) ORDER BY c.name",
	[ADMIN_UNITS] =
		"SELECT u.code, u.name, s.code AS site, u.address,"
		" (SELECT string_agg(d.code, ',' ORDER BY d.code) FROM unit_doors x"
		" JOIN doors d USING (door_id) WHERE x.unit_id = u.unit_id)"
		" AS doors FROM units u JOIN sites s USING (site_id) ORDER BY s.code, u.code",
	[ADMIN_GROUPS] =
		"SELECT g.code, g.name, s.code AS site,"
		" (SELECT string_agg(d.code, ',' ORDER BY d.code) FROM door_group_doors x"
		" JOIN doors d USING (door_id) WHERE x.group_id = g.group_id)"
		" AS doors FROM door_groups g JOIN sites s USING (site_id) ORDER BY s.code, g.code",
	[ADMIN_DESKS] =
		"SELECT k.name, k.role,"
		/* a landlord's follow from its units */
		" (SELECT string_agg(s.code, ',' ORDER BY s.code) FROM desk_sites x"
		" JOIN sites s USING (site_id)"
		" WHERE x.desk_id = k.desk_id AND k.role = 'manager') AS sites,"
		" (SELECT string_agg(s.code || '/' || u.code, ',' ORDER BY s.code, u.code)"
		" FROM desk_units x JOIN units u USING (unit_id) JOIN sites s USING (site_id)"
		" WHERE x.desk_id = k.desk_id)"
		" AS units, CASE WHEN k.enabled THEN 'yes' ELSE 'no' END AS enabled"
		" FROM desks k ORDER BY k.name",
};

/* No list has more columns. */
enum { LIST_COLUMNS_MAX = 12 };

enum rc
admin_each_row(struct admin *a, const char *sql, int n_params, const char *const *params,
	       admin_row *row, void *arg, struct err *err)
{
	const char *names[LIST_COLUMNS_MAX], *values[LIST_COLUMNS_MAX];
	PGresult *result;
	enum rc rc = admin_exec(a, sql, n_params, params, &result, err);
	int n;

	if (rc != RC_OK)
		return rc;
	n = PQnfields(result);
	must(n <= LIST_COLUMNS_MAX);
	for (int i = 0; i < n; i++)
		names[i] = PQfname(result, i);
	for (int at = 0; at < PQntuples(result) && rc == RC_OK; at++) {
		for (int i = 0; i < n; i++)
			values[i] = PQgetisnull(result, at, i) ? NULL : PQgetvalue(result, at, i);
		rc = row(arg, n, names, values);
	}
	PQclear(result);
	return rc;
}

enum rc
admin_list(struct admin *a, enum admin_list what, admin_row *row, void *arg, struct err *err)
{
	must((size_t)what < ARRAY_LEN(list_sql));
	return admin_each_row(a, list_sql[what], 0, NULL, row, arg, err);
}

enum rc
admin_count_tasks(struct admin *a, struct err *err)
{
	/* those that are none, too: that is what one wants to see */
	return admin_exec(a,
			  "INSERT INTO site_task_counts (site_id, task, day, count)"
			  " SELECT s.site_id, k.task, current_date, count(t.thing)"
			  " FROM sites s CROSS JOIN site_task_kinds k"
			  " LEFT JOIN site_tasks t USING (site_id, task) GROUP BY 1, 2"
			  " ON CONFLICT (site_id, task, day) DO UPDATE SET count = excluded.count",
			  0, NULL, NULL, err);
}

enum rc
admin_site_timezone(struct admin *a, const char *site, char **zone_name, struct err *err)
{
	PGresult *result;
	enum rc rc =
		admin_exec(a, "SELECT timezone FROM sites WHERE code = $1", 1, &site, &result, err);

	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 1)
		*zone_name = xstrdup(PQgetvalue(result, 0, 0));
	else
		rc = err_invalid(err, "there is no site \"%s\"", site);
	PQclear(result);
	return rc;
}
