/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards and rights of a site as lists.  A card stands there by its number in the
 * register; its key leaves only by the export, for whoever keeps the site's cards.
 */
#include <stdlib.h>

#include "admin_priv.h"

/* Columns as store/admin.h promises them; $1 is the site's code. */
static const char *const site_sql[] = {
	[ADMIN_SITE_CARDS] =
		"SELECT c.card_id AS card, c.kind, c.status, c.unit,"
		" microseconds(c.valid_from) AS from_us, microseconds(c.valid_until) AS until_us,"
		" (SELECT count(*) FROM grants g WHERE g.card_id = c.card_id"
		"  AND coalesce(g.valid_until, 'infinity') > now()) AS rights"
		" FROM cards c JOIN sites s USING (site_id) WHERE s.code = $1 ORDER BY c.card_id",
	[ADMIN_SITE_GRANTS] =
		"SELECT g.card_id AS card, c.kind, c.unit, d.code AS door,"
		" microseconds(g.valid_from) AS from_us, microseconds(g.valid_until) AS until_us,"
		" g.weekly_minutes, g.granted_by"
		" FROM grants g JOIN cards c USING (card_id) JOIN doors d USING (door_id)"
		" JOIN sites s ON s.site_id = g.site_id WHERE s.code = $1"
		" ORDER BY g.card_id, d.code, g.valid_from",
	[ADMIN_SITE_EXPORT] =
		"SELECT 'key:' || encode(c.card_key, 'hex') AS card_key, c.kind, c.unit,"
		" microseconds(c.valid_from) AS from_us, microseconds(c.valid_until) AS until_us,"
		" string_agg(d.code, ', ' ORDER BY d.code) AS doors,"
		" microseconds(g.valid_from) AS right_from_us,"
		" microseconds(g.valid_until) AS right_until_us, g.weekly_minutes"
		" FROM cards c JOIN sites s USING (site_id)"
		" LEFT JOIN grants g ON g.card_id = c.card_id"
		"  AND coalesce(g.valid_until, 'infinity') > now()"
		" LEFT JOIN doors d USING (door_id)"
		" WHERE s.code = $1 AND c.status <> 'revoked'"
		" GROUP BY c.card_id, g.valid_from, g.valid_until, g.weekly_minutes"
		" ORDER BY c.card_id, g.valid_from",
};

enum rc
admin_site_list(struct admin *a, enum admin_site_list what, const char *site, admin_row *row,
		void *arg, struct err *err)
{
	char *zone_name = NULL;
	enum rc rc = admin_site_timezone(a, site, &zone_name, err);

	free(zone_name);
	if (rc != RC_OK)
		return rc;
	must((size_t)what < ARRAY_LEN(site_sql));
	return admin_each_row(a, site_sql[what], 1, &site, row, arg, err);
}
