/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows by which registration desks are held to what is theirs: units, groups
 * of doors, the desks themselves.  Each put replaces what belongs to the row, so
 * that a list is always the whole list.
 */
#include <stdio.h>
#include <string.h>

#include "admin_priv.h"
#include "text.h"

/* Commas separate, blanks around them don't count: "a, b" -> {"a","b"} in PostgreSQL. */
#define LIST_OF(param) "regexp_split_to_table(btrim(" param "), '\\s*,\\s*')"

/* A list whose codes must all be there. */
struct wanted {
	const char *what, *where; /* for people: "door", "a door of site ..." */
	const char *sql;          /* selects the first code that is not there */
	const char *list;         /* $1 */
	const char *site_id;      /* $2; NULL: the statement has none */
};

static enum rc
desk_refuse_missing(struct admin *a, const struct wanted *wanted, struct err *err)
{
	const char *const params[] = {wanted->list, wanted->site_id};
	PGresult *result;
	enum rc rc =
		admin_exec(a, wanted->sql, wanted->site_id != NULL ? 2 : 1, params, &result, err);

	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) > 0)
		rc = err_invalid(err, "%s \"%s\" is not %s", wanted->what, PQgetvalue(result, 0, 0),
				 wanted->where);
	PQclear(result);
	return rc;
}

static enum rc
desk_refuse_doors(struct admin *a, const char *doors, const char *site, const char *site_id,
		  struct err *err)
{
	char where[REGISTER_CODE_MAX + 32];
	const struct wanted wanted = {
		.what = "door",
		.where = where,
		.sql = "SELECT code FROM " LIST_OF("$1") " AS code WHERE NOT EXISTS ("
							 "SELECT FROM doors d"
							 " WHERE d.code = code.code"
							 " AND d.site_id = $2::integer) LIMIT 1",
		.list = doors,
		.site_id = site_id,
	};

	(void)snprintf(where, sizeof(where), "a door of site \"%.64s\"", site);
	return desk_refuse_missing(a, &wanted, err);
}

/* ---- Time zones ------------------------------------------------------------- */

static enum rc
set_site_timezone(struct admin *a, const char *code, const char *timezone, struct err *err)
{
	char code_text[REGISTER_CODE_MAX + 1], zone_text[REGISTER_CODE_MAX + 1];
	const char *const params[] = {code_text, zone_text};
	PGresult *result;
	enum rc rc;

	rc = put_take_code("code of the site", code, code_text, err);
	if (rc == RC_OK)
		rc = put_take_code("time zone of the site", timezone, zone_text, err);
	if (rc == RC_OK)
		rc = admin_exec(a,
				"UPDATE sites SET timezone = $2 WHERE code = $1"
				" AND EXISTS (SELECT FROM pg_timezone_names WHERE name = $2)"
				" RETURNING site_id",
				2, params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 0)
		rc = err_invalid(err,
				 "\"%s\" is no time zone, expected a name such as Europe/Berlin",
				 zone_text);
	PQclear(result);
	return rc;
}

enum rc
admin_set_site_timezone(struct admin *a, const char *code, const char *timezone, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, set_site_timezone(a, code, timezone, err), err);
}

/* ---- Units and groups -------------------------------------------------------- */

/* What such things are called, and their rows: by site $1 and code $2. */
struct doors_of_kind {
	const char *what;
	const char *put; /* with name $3; and address $4 */
	bool has_address;
	const char *clear, *add; /* add: list of doors $3 */
};

static const struct doors_of_kind unit_kind = {
	.what = "unit",
	.put = "INSERT INTO units (site_id, code, name, address) VALUES ($1, $2, $3, $4)"
	       " ON CONFLICT (site_id, code) DO UPDATE SET name = EXCLUDED.name,"
	       " address = EXCLUDED.address",
	.has_address = true,
	.clear = "DELETE FROM unit_doors x USING units u WHERE u.unit_id = x.unit_id"
		 " AND u.site_id = $1 AND u.code = $2",
	.add = "INSERT INTO unit_doors (unit_id, door_id, site_id)"
	       " SELECT DISTINCT u.unit_id, d.door_id, u.site_id"
	       " FROM units u, " LIST_OF("$3") " AS code JOIN doors d ON d.code = code.code"
					       " WHERE u.site_id = $1 AND u.code = $2",
};

static const struct doors_of_kind group_kind = {
	.what = "group",
	.put = "INSERT INTO door_groups (site_id, code, name) VALUES ($1, $2, $3)"
	       " ON CONFLICT (site_id, code) DO UPDATE SET name = EXCLUDED.name",
	.clear = "DELETE FROM door_group_doors x USING door_groups g"
		 " WHERE g.group_id = x.group_id AND g.site_id = $1 AND g.code = $2",
	.add = "INSERT INTO door_group_doors (group_id, door_id, site_id)"
	       " SELECT DISTINCT g.group_id, d.door_id, g.site_id"
	       " FROM door_groups g,"
	       " " LIST_OF("$3") " AS code JOIN doors d ON d.code = code.code"
				 " WHERE g.site_id = $1 AND g.code = $2",
};

static enum rc
put_doors(struct admin *a, const struct doors_of_kind *kind, const struct admin_doors_of *thing,
	  const char *site_id, const char *code, struct err *err)
{
	const char *const params[] = {site_id, code, thing->doors};
	enum rc rc = admin_exec(a, kind->clear, 2, params, NULL, err);

	if (rc != RC_OK || thing->doors == NULL)
		return rc;
	rc = desk_refuse_doors(a, thing->doors, thing->site, site_id, err);
	if (rc == RC_OK)
		rc = admin_exec(a, kind->add, 3, params, NULL, err);
	return rc;
}

static enum rc
put_thing(struct admin *a, const struct doors_of_kind *kind, const struct admin_doors_of *thing,
	  struct err *err)
{
	char code_text[REGISTER_CODE_MAX + 1], name_text[REGISTER_TEXT_MAX + 1];
	char address_text[REGISTER_TEXT_MAX + 1], site_text[NUMBER_TEXT_MAX];
	char what[40];
	const char *params[] = {NULL, code_text, name_text, address_text};
	enum rc rc;

	if (thing->site == NULL)
		return err_invalid(err, "%s \"%s\" needs a site", kind->what, thing->code);
	(void)snprintf(what, sizeof(what), "code of the %s", kind->what);
	rc = put_take_code(what, thing->code, code_text, err);
	if (rc == RC_OK)
		rc = put_take_label("name", thing->name, name_text, err);
	if (rc == RC_OK)
		rc = put_take_label("address", thing->address, address_text, err);
	if (rc == RC_OK)
		rc = put_find_site(a, thing->site, site_text, &params[0], err);
	if (rc == RC_OK)
		rc = admin_exec(a, kind->put, kind->has_address ? 4 : 3, params, NULL, err);
	if (rc == RC_OK)
		rc = put_doors(a, kind, thing, params[0], code_text, err);
	return rc;
}

static enum rc
admin_put_thing(struct admin *a, const struct doors_of_kind *kind,
		const struct admin_doors_of *thing, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_thing(a, kind, thing, err), err);
}

enum rc
admin_put_unit(struct admin *a, const struct admin_doors_of *unit, struct err *err)
{
	return admin_put_thing(a, &unit_kind, unit, err);
}

enum rc
admin_put_group(struct admin *a, const struct admin_doors_of *group, struct err *err)
{
	return admin_put_thing(a, &group_kind, group, err);
}

/* ---- Registration desks ------------------------------------------------------ */

static enum rc
put_desk_sites(struct admin *a, const char *name, const char *sites, struct err *err)
{
	const char *const params[] = {name, sites};
	const struct wanted wanted = {
		.what = "site",
		.where = "in the register",
		.sql = "SELECT code FROM " LIST_OF("$1") " AS code"
							 " WHERE NOT EXISTS (SELECT FROM sites s"
							 " WHERE s.code = code.code) LIMIT 1",
		.list = sites,
	};
	enum rc rc = desk_refuse_missing(a, &wanted, err);

	if (rc != RC_OK)
		return rc;
	return admin_exec(a,
			  "INSERT INTO desk_sites (desk_id, site_id)"
			  " SELECT DISTINCT desk_id, site_id FROM desks, " LIST_OF(
				  "$2") " AS code"
					" JOIN sites s ON s.code = code.code WHERE desks.name = $1",
			  2, params, NULL, err);
}

static enum rc
put_desk_units(struct admin *a, const char *name, const char *units, struct err *err)
{
	const char *const params[] = {name, units};
	const struct wanted wanted = {
		.what = "unit",
		.where = "in the register, expected SITE/UNIT",
		/* the whole is compared: either code may hold a slash */
		.sql = "SELECT code FROM " LIST_OF("$1") " AS code"
							 " WHERE NOT EXISTS (SELECT FROM units u"
							 " JOIN sites s USING (site_id)"
							 " WHERE s.code || '/' || u.code"
							 " = code.code) LIMIT 1",
		.list = units,
	};
	enum rc rc = desk_refuse_missing(a, &wanted, err);

	if (rc != RC_OK)
		return rc;
	/* and with them the sites that they lie in */
	return admin_exec(
		a,
		"WITH unit AS (SELECT DISTINCT desk_id, unit_id, u.site_id FROM desks,"
		" " LIST_OF("$2") " AS code"
				  " JOIN (units u JOIN sites s USING (site_id))"
				  " ON s.code || '/' || u.code = code.code WHERE desks.name = $1),"
				  " home AS (INSERT INTO desk_sites (desk_id, site_id)"
				  "  SELECT DISTINCT desk_id, site_id FROM unit)"
				  " INSERT INTO desk_units (desk_id, unit_id)"
				  " SELECT desk_id, unit_id FROM unit",
		2, params, NULL, err);
}

static enum rc
put_desk(struct admin *a, const char *name, const char *role, const char *sites, const char *units,
	 struct err *err)
{
	char name_text[REGISTER_CODE_MAX + 1];
	const char *const params[] = {name_text, role};
	enum rc rc = put_take_code("name of the desk", name, name_text, err);

	if (rc != RC_OK)
		return rc;
	rc = admin_exec(a,
			"INSERT INTO desks (name, role) VALUES ($1, $2)"
			" ON CONFLICT (name) DO UPDATE SET role = EXCLUDED.role",
			2, params, NULL, err);
	if (rc == RC_OK)
		rc = admin_exec(
			a,
			"WITH desk AS (SELECT desk_id FROM desks WHERE name = $1),"
			" gone AS (DELETE FROM desk_sites"
			"  WHERE desk_id IN (SELECT desk_id FROM desk))"
			" DELETE FROM desk_units WHERE desk_id IN (SELECT desk_id FROM desk)",
			1, params, NULL, err);
	if (rc == RC_OK && sites != NULL)
		rc = put_desk_sites(a, name_text, sites, err);
	if (rc == RC_OK && units != NULL)
		rc = put_desk_units(a, name_text, units, err);
	return rc;
}

enum rc
admin_put_desk(struct admin *a, const char *name, const char *role, const char *sites,
	       const char *units, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_desk(a, name, role, sites, units, err), err);
}
