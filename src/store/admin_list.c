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
	/* reads every partition: for an operator now and then, not for a screen */
	[ADMIN_CONTROLLERS] =
		"SELECT c.name, s.code AS site, CASE WHEN c.enabled THEN 'yes' ELSE 'no' END"
		" AS enabled,"
		" (SELECT count(*) FROM doors d WHERE d.controller_id = c.controller_id) AS doors,"
		" to_char(r.last, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS last_record"
		" FROM controllers c JOIN sites s USING (site_id)"
		" LEFT JOIN (SELECT controller_id, max(received_at) AS last FROM records"
		" GROUP BY controller_id) r USING (controller_id) ORDER BY c.name",
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
enum { LIST_COLUMNS_MAX = 9 };

enum rc
admin_list(struct admin *a, enum admin_list what,
	   enum rc (*row)(void *arg, int n, const char *const *names, const char *const *values),
	   void *arg, struct err *err)
{
	const char *names[LIST_COLUMNS_MAX], *values[LIST_COLUMNS_MAX];
	PGresult *result;
	enum rc rc;
	int n;

	must((size_t)what < ARRAY_LEN(list_sql));
	rc = admin_exec(a, list_sql[what], 0, NULL, &result, err);
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
