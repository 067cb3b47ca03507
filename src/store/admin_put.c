/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register's rows, as an operator puts them.  Everything that an operator
 * can get wrong is found here and said with the names that he used; PostgreSQL's
 * constraints are behind that for whoever writes into the tables by hand.
 *
 * Does not delete: records keep the numbers of what they came from.
 */
#include <stdio.h>
#include <string.h>

#include "admin_priv.h"
#include "register/register.h"
#include "text.h"

enum rc
put_take_code(const char *what, const char *text, char out[REGISTER_CODE_MAX + 1], struct err *err)
{
	enum rc rc = text_trim(what, text, REGISTER_CODE_MAX, out, err);

	if (rc == RC_OK && out[0] == '\0')
		return err_invalid(err, "%s is empty", what);
	return rc;
}

enum rc
put_take_label(const char *what, const char *text, char out[REGISTER_TEXT_MAX + 1], struct err *err)
{
	return text_trim(what, text != NULL ? text : "", REGISTER_TEXT_MAX, out, err);
}

/* What rows refer to. */
struct put_target {
	const char *what; /* for people */
	const char *sql;  /* selects its number by its code, $1 */
};

/* References are looked up one by one, before the row is written: PostgreSQL's word
 * for a missing one would be a null in some column.
 *
 * The number of what is called `code`.  NULL for a code gives NULL. */
static enum rc
put_find(struct admin *a, const struct put_target *target, const char *code,
	 char buffer[NUMBER_TEXT_MAX], const char **id, struct err *err)
{
	char clean[REGISTER_CODE_MAX + 1];
	const char *const params[] = {clean};
	PGresult *result;
	enum rc rc;

	*id = NULL;
	if (code == NULL)
		return RC_OK;
	rc = put_take_code(target->what, code, clean, err);
	if (rc == RC_OK)
		rc = admin_exec(a, target->sql, 1, params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 1) {
		(void)snprintf(buffer, NUMBER_TEXT_MAX, "%s", PQgetvalue(result, 0, 0));
		*id = buffer;
	} else {
		rc = err_invalid(err, "%s \"%s\" is not in the register", target->what, clean);
	}
	PQclear(result);
	return rc;
}

static enum rc
put_find_station(struct admin *a, const char *code, char buffer[NUMBER_TEXT_MAX], const char **id,
		 struct err *err)
{
	static const struct put_target station = {
		"station", "SELECT station_id FROM stations WHERE code = $1"};

	return put_find(a, &station, code, buffer, id, err);
}

enum rc
put_find_site(struct admin *a, const char *code, char buffer[NUMBER_TEXT_MAX], const char **id,
	      struct err *err)
{
	static const struct put_target site = {"site", "SELECT site_id FROM sites WHERE code = $1"};

	return put_find(a, &site, code, buffer, id, err);
}

static enum rc
put_find_area(struct admin *a, const char *what, const char *code, char buffer[NUMBER_TEXT_MAX],
	      const char **id, struct err *err)
{
	const struct put_target area = {what, "SELECT area_id FROM areas WHERE code = $1"};

	return put_find(a, &area, code, buffer, id, err);
}

/* ---- Stations -------------------------------------------------------------- */

static enum rc
put_station(struct admin *a, const char *code, const char *name, struct err *err)
{
	char code_text[REGISTER_CODE_MAX + 1], name_text[REGISTER_TEXT_MAX + 1];
	const char *const params[] = {code_text, name_text};
	enum rc rc;

	rc = put_take_code("code of the station", code, code_text, err);
	if (rc == RC_OK)
		rc = put_take_label("name of the station", name, name_text, err);
	if (rc != RC_OK)
		return rc;
	return admin_exec(a,
			  "INSERT INTO stations (code, name) VALUES ($1, $2)"
			  " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name",
			  2, params, NULL, err);
}

enum rc
admin_put_station(struct admin *a, const char *code, const char *name, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_station(a, code, name, err), err);
}

/* ---- Areas ----------------------------------------------------------------- */

static enum rc
put_refuse_circle(struct admin *a, const char *code, struct err *err)
{
	const char *const params[] = {code};
	PGresult *result;
	enum rc rc;

	/* UNION, not UNION ALL: what was seen ends the search, also in a circle */
	rc = admin_exec(a,
			"WITH RECURSIVE above (area_id) AS ("
			" SELECT parent_id FROM areas WHERE code = $1"
			" UNION SELECT parent_id FROM areas JOIN above USING (area_id))"
			" SELECT FROM above JOIN areas USING (area_id) WHERE code = $1",
			1, params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) > 0)
		rc = err_invalid(err, "area \"%s\" would lie within itself", code);
	PQclear(result);
	return rc;
}

static enum rc
put_area(struct admin *a, const char *code, const char *name, const char *parent,
	 const char *station, struct err *err)
{
	char code_text[REGISTER_CODE_MAX + 1], name_text[REGISTER_TEXT_MAX + 1];
	char parent_text[NUMBER_TEXT_MAX], station_text[NUMBER_TEXT_MAX];
	const char *params[] = {code_text, name_text, NULL, NULL};
	enum rc rc;

	rc = put_take_code("code of the area", code, code_text, err);
	if (rc == RC_OK)
		rc = put_take_label("name of the area", name, name_text, err);
	if (rc == RC_OK)
		rc = put_find_area(a, "parent area", parent, parent_text, &params[2], err);
	if (rc == RC_OK)
		rc = put_find_station(a, station, station_text, &params[3], err);
	if (rc == RC_OK)
		rc = admin_exec(a,
				"INSERT INTO areas (code, name, parent_id, station_id)"
				" VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO UPDATE"
				" SET name = EXCLUDED.name, parent_id = EXCLUDED.parent_id,"
				" station_id = EXCLUDED.station_id",
				4, params, NULL, err);
	if (rc == RC_OK)
		rc = put_refuse_circle(a, code_text, err);
	return rc;
}

enum rc
admin_put_area(struct admin *a, const char *code, const char *name, const char *parent,
	       const char *station, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_area(a, code, name, parent, station, err), err);
}

/* ---- Sites ----------------------------------------------------------------- */

static enum rc
put_site(struct admin *a, const char *code, const char *name, const char *area, const char *address,
	 struct err *err)
{
	char code_text[REGISTER_CODE_MAX + 1], name_text[REGISTER_TEXT_MAX + 1];
	char address_text[REGISTER_TEXT_MAX + 1], area_text[NUMBER_TEXT_MAX];
	const char *params[] = {code_text, name_text, address_text, NULL};
	enum rc rc;

	if (area == NULL)
		return err_invalid(err, "site \"%s\" needs an area", code);
	rc = put_take_code("code of the site", code, code_text, err);
	if (rc == RC_OK)
		rc = put_take_label("name of the site", name, name_text, err);
	if (rc == RC_OK)
		rc = put_take_label("address of the site", address, address_text, err);
	if (rc == RC_OK)
		rc = put_find_area(a, "area", area, area_text, &params[3], err);
	if (rc != RC_OK)
		return rc;
	return admin_exec(a,
			  "INSERT INTO sites (code, name, address, area_id) VALUES ($1, $2, $3, $4)"
			  " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name,"
			  " address = EXCLUDED.address, area_id = EXCLUDED.area_id",
			  4, params, NULL, err);
}

enum rc
admin_put_site(struct admin *a, const char *code, const char *name, const char *area,
	       const char *address, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_site(a, code, name, area, address, err), err);
}

/* ---- Controllers ----------------------------------------------------------- */

static enum rc
move_site(struct admin *a, const char *code, const char *area, struct err *err)
{
	char site_text[NUMBER_TEXT_MAX], area_text[NUMBER_TEXT_MAX];
	const char *params[2] = {NULL, NULL};
	enum rc rc = put_find_site(a, code, site_text, &params[0], err);

	if (rc == RC_OK)
		rc = put_find_area(a, "area", area, area_text, &params[1], err);
	if (rc != RC_OK)
		return rc;
	return admin_exec(a, "UPDATE sites SET area_id = $2 WHERE site_id = $1", 2, params, NULL,
			  err);
}

enum rc
admin_move_site(struct admin *a, const char *code, const char *area, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, move_site(a, code, area, err), err);
}

/* Doors stay at the site of their controller: the controller can't leave alone. */
static enum rc
put_refuse_move(struct admin *a, const char *name, const char *site_id, struct err *err)
{
	const char *const params[] = {name, site_id};
	PGresult *result;
	enum rc rc;

	rc = admin_exec(a,
			"SELECT d.code FROM doors d JOIN controllers c USING (controller_id)"
			" WHERE c.name = $1 AND c.site_id <> $2::integer ORDER BY 1 LIMIT 1",
			2, params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) > 0)
		rc = err_invalid(err,
				 "controller \"%s\" can't leave its site: it serves door \"%s\""
				 " there",
				 name, PQgetvalue(result, 0, 0));
	PQclear(result);
	return rc;
}

static enum rc
put_controller(struct admin *a, const char *name, const char *site, struct err *err)
{
	char name_text[REGISTER_CODE_MAX + 1], site_text[NUMBER_TEXT_MAX];
	const char *params[] = {name_text, NULL};
	enum rc rc;

	if (site == NULL)
		return err_invalid(err, "controller \"%s\" needs a site", name);
	rc = put_take_code("name of the controller", name, name_text, err);
	if (rc == RC_OK)
		rc = put_find_site(a, site, site_text, &params[1], err);
	if (rc == RC_OK)
		rc = put_refuse_move(a, name_text, site_text, err);
	if (rc != RC_OK)
		return rc;
	return admin_exec(a,
			  "INSERT INTO controllers (name, site_id) VALUES ($1, $2)"
			  " ON CONFLICT (name) DO UPDATE SET site_id = EXCLUDED.site_id",
			  2, params, NULL, err);
}

enum rc
admin_put_controller(struct admin *a, const char *name, const char *site, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_controller(a, name, site, err), err);
}

/* ---- Doors ----------------------------------------------------------------- */

/* Where a door hangs: on which controller, as texts for a statement's parameters. */
struct door_place {
	const char *door;       /* code */
	const char *controller; /* name */
	const char *site_id, *controller_id, *number;
};

static enum rc
put_check_site(struct admin *a, const struct door_place *place, struct err *err)
{
	const char *const params[] = {place->controller_id, place->site_id};
	PGresult *result;
	enum rc rc;

	rc = admin_exec(a, "SELECT FROM controllers WHERE controller_id = $1 AND site_id = $2", 2,
			params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 0)
		rc = err_invalid(err, "controller \"%s\" is not at the site of door \"%s\"",
				 place->controller, place->door);
	PQclear(result);
	return rc;
}

/* On the controller, the number must be free or this door's own.  Two doors swap
 * their numbers by way of being unhung. */
static enum rc
put_check_number(struct admin *a, const struct door_place *place, struct err *err)
{
	const char *const params[] = {place->controller_id, place->number, place->door};
	PGresult *result;
	enum rc rc;

	rc = admin_exec(a,
			"SELECT code FROM doors"
			" WHERE controller_id = $1 AND number = $2 AND code <> $3",
			3, params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) > 0)
		rc = err_invalid(err,
				 "door \"%s\" can't have number %s on controller \"%s\": that is"
				 " door \"%s\"",
				 place->door, place->number, place->controller,
				 PQgetvalue(result, 0, 0));
	PQclear(result);
	return rc;
}

/* It decides whose records are the door's own: finds the controller, and judges the rest. */
static enum rc
put_hang_door(struct admin *a, struct door_place *place, char buffer[NUMBER_TEXT_MAX],
	      struct err *err)
{
	static const struct put_target controller = {
		"controller", "SELECT controller_id FROM controllers WHERE name = $1"};
	enum rc rc =
		put_find(a, &controller, place->controller, buffer, &place->controller_id, err);

	if (rc == RC_OK)
		rc = put_check_site(a, place, err);
	if (rc == RC_OK)
		rc = put_check_number(a, place, err);
	return rc;
}

static enum rc
put_door_row(struct admin *a, const char *const params[6], struct err *err)
{
	return admin_exec(a,
			  "INSERT INTO doors (code, name, address, site_id, controller_id, number)"
			  " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (code) DO UPDATE"
			  " SET name = EXCLUDED.name, address = EXCLUDED.address,"
			  " site_id = EXCLUDED.site_id, controller_id = EXCLUDED.controller_id,"
			  " number = EXCLUDED.number",
			  6, params, NULL, err);
}

static enum rc
put_door(struct admin *a, const struct admin_door *door, struct err *err)
{
	char code[REGISTER_CODE_MAX + 1], name[REGISTER_TEXT_MAX + 1];
	char address[REGISTER_TEXT_MAX + 1], number[NUMBER_TEXT_MAX];
	char site_text[NUMBER_TEXT_MAX], controller_text[NUMBER_TEXT_MAX];
	struct door_place place = {.door = code, .controller = door->controller};
	enum rc rc;

	if (door->site == NULL)
		return err_invalid(err, "door \"%s\" needs a site", door->code);
	if ((door->controller == NULL) != (door->number == 0))
		return err_invalid(err, "door \"%s\" needs a controller and a number, or neither",
				   door->code);
	rc = put_take_code("code of the door", door->code, code, err);
	if (rc == RC_OK)
		rc = put_take_label("name of the door", door->name, name, err);
	if (rc == RC_OK)
		rc = put_take_label("address of the door", door->address, address, err);
	if (rc == RC_OK)
		rc = put_find_site(a, door->site, site_text, &place.site_id, err);
	if (rc == RC_OK && door->controller != NULL) {
		(void)snprintf(number, sizeof(number), "%u", door->number);
		place.number = number;
		rc = put_hang_door(a, &place, controller_text, err);
	}
	if (rc != RC_OK)
		return rc;
	return put_door_row(a,
			    (const char *[]){code, name, address, place.site_id,
					     place.controller_id, place.number},
			    err);
}

enum rc
admin_put_door(struct admin *a, const struct admin_door *door, struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_door(a, door, err), err);
}

/* ---- Consoles -------------------------------------------------------------- */

static enum rc
put_console(struct admin *a, const char *name, const char *station, const char *role,
	    struct err *err)
{
	char name_text[REGISTER_CODE_MAX + 1], station_text[NUMBER_TEXT_MAX];
	const char *params[] = {name_text, NULL, role};
	enum rc rc;

	if (role != NULL && strcmp(role, "dispatcher") != 0 && strcmp(role, "supervisor") != 0)
		return err_invalid(err,
				   "console \"%s\" has role \"%.64s\", expected dispatcher or "
				   "supervisor",
				   name, role);
	if (station == NULL)
		return err_invalid(err, "console \"%s\" needs a station", name);
	rc = put_take_code("name of the console", name, name_text, err);
	if (rc == RC_OK)
		rc = put_find_station(a, station, station_text, &params[1], err);
	if (rc != RC_OK)
		return rc;
	return admin_exec(a,
			  "INSERT INTO consoles (name, station_id, role)"
			  " VALUES ($1, $2, coalesce($3, 'dispatcher'))"
			  " ON CONFLICT (name) DO UPDATE SET station_id = EXCLUDED.station_id,"
			  " role = coalesce($3, consoles.role)",
			  3, params, NULL, err);
}

enum rc
admin_put_console(struct admin *a, const char *name, const char *station, const char *role,
		  struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_console(a, name, station, role, err), err);
}

/* ---- Enabling -------------------------------------------------------------- */

/* Who can be enabled: what it is called, and an update by name $1 to $2 that returns
 * a row for what it found. */
static const struct {
	const char *what, *sql;
} put_switches[ADMIN_LISTS] = {
	[ADMIN_CONTROLLERS] = {"controller", "UPDATE controllers SET enabled = $2 WHERE name = $1"
					     " RETURNING controller_id"},
	[ADMIN_CONSOLES] = {"console", "UPDATE consoles SET enabled = $2 WHERE name = $1"
				       " RETURNING console_id"},
	[ADMIN_DESKS] = {"desk", "UPDATE desks SET enabled = $2 WHERE name = $1 RETURNING desk_id"},
};

static enum rc
put_enabled(struct admin *a, enum admin_list list, const char *name, bool enabled, struct err *err)
{
	char name_text[REGISTER_CODE_MAX + 1];
	const char *const params[] = {name_text, enabled ? "true" : "false"};
	const char *what = put_switches[list].what;
	PGresult *result;
	enum rc rc;

	must(what != NULL);
	rc = put_take_code(what, name, name_text, err);
	if (rc == RC_OK)
		rc = admin_exec(a, put_switches[list].sql, 2, params, &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQntuples(result) == 0)
		rc = err_invalid(err, "%s \"%s\" is not in the register", what, name_text);
	PQclear(result);
	return rc;
}

enum rc
admin_set_enabled(struct admin *a, enum admin_list what, const char *name, bool enabled,
		  struct err *err)
{
	enum rc rc = admin_enter(a, err);

	if (rc != RC_OK)
		return rc;
	return admin_leave(a, put_enabled(a, what, name, enabled, err), err);
}
