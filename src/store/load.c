/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the register from PostgreSQL, all tables as of one moment, and hands it
 * on.  Whether it makes sense is decided by reg_build().
 *
 * A mistake in the register is the operator's to mend; until then the copy before
 * it goes on working, and records go on being stored.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "load.h"
#include "store_priv.h"

static uint32_t
load_id(const PGresult *rows, int row, int column)
{
	return (uint32_t)strtoul(PQgetvalue(rows, row, column), NULL, 10);
}

static bool
load_bool(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column)[0] == 't';
}

static void
load_station(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_station(b, load_id(rows, i, 0), PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
}

/* Null reads as an empty text, and that as 0: "none" in the register. */
static void
load_area(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_area(b, load_id(rows, i, 0), load_id(rows, i, 1), load_id(rows, i, 2),
		     PQgetvalue(rows, i, 3), PQgetvalue(rows, i, 4));
}

static void
load_site(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_site(b, load_id(rows, i, 0), load_id(rows, i, 1), PQgetvalue(rows, i, 2),
		     PQgetvalue(rows, i, 3), PQgetvalue(rows, i, 4));
	reg_set_timezone(b, PQgetvalue(rows, i, 5));
}

static void
load_controller(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_controller(b, load_id(rows, i, 0), load_id(rows, i, 1), PQgetvalue(rows, i, 2),
			   load_bool(rows, i, 3));
}

static void
load_door(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_door(b, &(struct door){.id = load_id(rows, i, 0),
				       .site_id = load_id(rows, i, 1),
				       .controller_id = load_id(rows, i, 2),
				       .number = load_id(rows, i, 3),
				       .code = PQgetvalue(rows, i, 4),
				       .name = PQgetvalue(rows, i, 5),
				       .address = PQgetvalue(rows, i, 6)});
}

static void
load_console(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_console(b, load_id(rows, i, 0), load_id(rows, i, 1), PQgetvalue(rows, i, 2),
			load_bool(rows, i, 3), load_bool(rows, i, 4));
}

static void
load_desk(struct reg_builder *b, const PGresult *rows, int i)
{
	enum desk_role role;

	/* a role of a later version may do as little as any */
	(void)desk_role_by_name(PQgetvalue(rows, i, 2), &role);
	reg_add_desk(b, load_id(rows, i, 0), PQgetvalue(rows, i, 1), role, load_bool(rows, i, 3));
}

static void
load_unit(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_unit(b, load_id(rows, i, 0), load_id(rows, i, 1), PQgetvalue(rows, i, 2),
		     PQgetvalue(rows, i, 3), PQgetvalue(rows, i, 4));
}

static void
load_group(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_group(b, load_id(rows, i, 0), load_id(rows, i, 1), PQgetvalue(rows, i, 2),
		      PQgetvalue(rows, i, 3));
}

static void
load_desk_site(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_link(b, REG_DESK_SITES, load_id(rows, i, 0), load_id(rows, i, 1));
}

static void
load_desk_unit(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_link(b, REG_DESK_UNITS, load_id(rows, i, 0), load_id(rows, i, 1));
}

static void
load_unit_door(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_link(b, REG_UNIT_DOORS, load_id(rows, i, 0), load_id(rows, i, 1));
}

static void
load_group_door(struct reg_builder *b, const PGresult *rows, int i)
{
	reg_add_link(b, REG_GROUP_DOORS, load_id(rows, i, 0), load_id(rows, i, 1));
}

static const struct {
	const char *sql;
	void (*add)(struct reg_builder *b, const PGresult *rows, int row);
} load_tables[] = {
	{"SELECT station_id, code, name FROM stations", load_station},
	{"SELECT area_id, parent_id, station_id, code, name FROM areas", load_area},
	{"SELECT site_id, area_id, code, name, address, timezone FROM sites", load_site},
	{"SELECT controller_id, site_id, name, enabled FROM controllers", load_controller},
	{"SELECT door_id, site_id, controller_id, number, code, name, address FROM doors",
	 load_door},
	{"SELECT console_id, station_id, name, role = 'supervisor', enabled FROM consoles",
	 load_console},
	{"SELECT desk_id, name, role, enabled FROM desks", load_desk},
	{"SELECT unit_id, site_id, code, name, address FROM units", load_unit},
	{"SELECT group_id, site_id, code, name FROM door_groups", load_group},
	{"SELECT desk_id, site_id FROM desk_sites", load_desk_site},
	{"SELECT desk_id, unit_id FROM desk_units", load_desk_unit},
	{"SELECT unit_id, door_id FROM unit_doors", load_unit_door},
	{"SELECT group_id, door_id FROM door_group_doors", load_group_door},
};

enum rc
load_rows(load_exec *exec, void *arg, struct reg_builder *builder, struct err *err)
{
	PGresult *rows = NULL;
	enum rc rc = exec(arg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &rows, err);

	PQclear(rows);
	for (size_t t = 0; t < ARRAY_LEN(load_tables) && rc == RC_OK; t++) {
		rc = exec(arg, load_tables[t].sql, &rows, err);
		if (rc != RC_OK)
			break;
		for (int i = 0; i < PQntuples(rows); i++)
			load_tables[t].add(builder, rows, i);
		PQclear(rows);
	}
	rows = NULL;
	if (rc == RC_OK)
		rc = exec(arg, "COMMIT", &rows, err);
	PQclear(rows);
	return rc == RC_OK ? RC_OK : RC_FAIL;
}

static enum rc
load_by_link(void *arg, const char *sql, PGresult **rows, struct err *err)
{
	struct store *s = arg;

	return link_exec(&s->link, "load the register", sql, 0, NULL, rows, err);
}

enum rc
load_wanted_rights(struct store *s, struct err *err)
{
	struct rights *rights;
	enum rc rc;

	if (s->conf.rights == NULL)
		return RC_OK;
	rights = rights_new(s->conf.rights);
	rc = load_rights(load_by_link, s, rights, err);
	if (rc != RC_OK) {
		rights_free(&rights);
		return rc;
	}
	s->conf.rights = NULL;
	s->hooks.on_rights(s->hooks.arg, rights, s->cursor);
	return RC_OK;
}

enum rc
load_register(struct store *s, struct err *err)
{
	struct reg_builder *builder = reg_builder_new();
	int64_t as_of_us = clock_wall_us();
	struct reg *reg = NULL;
	enum rc rc = load_rows(load_by_link, s, builder, err);

	if (rc != RC_OK) {
		reg_builder_free(&builder);
		return rc;
	}
	if (reg_build(&builder, as_of_us, &reg, err) != RC_OK) {
		log_error("store",
			  "the register in the database makes no sense: %s;"
			  " the one before it stays",
			  err->msg);
		return RC_OK;
	}
	store_count_register_load(s);
	s->hooks.on_register(s->hooks.arg, reg);
	return RC_OK;
}
