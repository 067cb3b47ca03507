/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register on disk: a line of JSON, which a person can read in trouble, and
 * a line "crc32c 1a2b3c4d" over it.  Written as a whole by fs_replace_file(), so
 * that there is always an old one or a new one.  Synchronous; one thread at a
 * time.
 *
 * Reading goes through the builder and so through all of its checks: a file
 * whose checksum is right may still have been written by somebody's editor.
 *
 * It holds no card, person or key: those have no place in struct reg.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fs.h"
#include "register_priv.h"

#define SNAPSHOT_NAME "register.snapshot"
#define SNAPSHOT_CRC  "crc32c "

enum {
	SNAPSHOT_VERSION = 2,
	/* a city: 100,000 doors of at most 600 bytes, and again as much */
	SNAPSHOT_MAX_BYTES = 128 * 1024 * 1024,
	CRC_DIGITS = 8,
	/* "\ncrc32c 1a2b3c4d\n" */
	SNAPSHOT_TAIL_BYTES = 1 + (sizeof(SNAPSHOT_CRC) - 1) + CRC_DIGITS + 1,
};

/* ---- Rows, to JSON and back ----------------------------------------------- */

/* The readers return false for a row of another shape.  "!" refuses members
 * that this program doesn't know, since it would lose them when it writes. */

static bool
fits_id(json_int_t value)
{
	return value >= 0 && value <= UINT32_MAX;
}

static json_t *
station_to_json(const void *row)
{
	const struct station *s = row;

	return json_pack("{sI ss ss}", "id", (json_int_t)s->id, "code", s->code, "name", s->name);
}

static bool
station_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id;
	const char *code, *name;

	if (json_unpack(row, "{sI ss ss !}", "id", &id, "code", &code, "name", &name) != 0 ||
	    !fits_id(id))
		return false;
	reg_add_station(b, (uint32_t)id, code, name);
	return true;
}

static json_t *
area_to_json(const void *row)
{
	const struct area *a = row;

	return json_pack("{sI sI sI ss ss}", "id", (json_int_t)a->id, "parent",
			 (json_int_t)a->parent_id, "station", (json_int_t)a->station_id, "code",
			 a->code, "name", a->name);
}

static bool
area_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, parent, station;
	const char *code, *name;

	if (json_unpack(row, "{sI sI sI ss ss !}", "id", &id, "parent", &parent, "station",
			&station, "code", &code, "name", &name) != 0 ||
	    !fits_id(id) || !fits_id(parent) || !fits_id(station))
		return false;
	reg_add_area(b, (uint32_t)id, (uint32_t)parent, (uint32_t)station, code, name);
	return true;
}

static json_t *
site_to_json(const void *row)
{
	const struct site *s = row;

	return json_pack("{sI sI ss ss ss ss}", "id", (json_int_t)s->id, "area",
			 (json_int_t)s->area_id, "code", s->code, "name", s->name, "address",
			 s->address, "timezone", s->timezone);
}

static bool
site_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, area;
	const char *code, *name, *address, *timezone;

	if (json_unpack(row, "{sI sI ss ss ss ss !}", "id", &id, "area", &area, "code", &code,
			"name", &name, "address", &address, "timezone", &timezone) != 0 ||
	    !fits_id(id) || !fits_id(area))
		return false;
	reg_add_site(b, (uint32_t)id, (uint32_t)area, code, name, address);
	reg_set_timezone(b, timezone);
	return true;
}

static json_t *
controller_to_json(const void *row)
{
	const struct controller *c = row;

	return json_pack("{sI sI ss sb}", "id", (json_int_t)c->id, "site", (json_int_t)c->site_id,
			 "name", c->name, "enabled", (int)c->enabled);
}

static bool
controller_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, site;
	const char *name;
	int enabled;

	if (json_unpack(row, "{sI sI ss sb !}", "id", &id, "site", &site, "name", &name, "enabled",
			&enabled) != 0 ||
	    !fits_id(id) || !fits_id(site))
		return false;
	reg_add_controller(b, (uint32_t)id, (uint32_t)site, name, enabled != 0);
	return true;
}

static json_t *
door_to_json(const void *row)
{
	const struct door *d = row;

	return json_pack("{sI sI sI sI ss ss ss}", "id", (json_int_t)d->id, "site",
			 (json_int_t)d->site_id, "controller", (json_int_t)d->controller_id,
			 "number", (json_int_t)d->number, "code", d->code, "name", d->name,
			 "address", d->address);
}

static bool
door_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, site, controller, number;
	const char *code, *name, *address;

	if (json_unpack(row, "{sI sI sI sI ss ss ss !}", "id", &id, "site", &site, "controller",
			&controller, "number", &number, "code", &code, "name", &name, "address",
			&address) != 0 ||
	    !fits_id(id) || !fits_id(site) || !fits_id(controller) || !fits_id(number))
		return false;
	reg_add_door(b, &(struct door){.id = (uint32_t)id,
				       .site_id = (uint32_t)site,
				       .controller_id = (uint32_t)controller,
				       .number = (uint32_t)number,
				       .code = code,
				       .name = name,
				       .address = address});
	return true;
}

static json_t *
console_to_json(const void *row)
{
	const struct console *c = row;

	return json_pack("{sI sI ss sb sb}", "id", (json_int_t)c->id, "station",
			 (json_int_t)c->station_id, "name", c->name, "supervisor",
			 (int)c->supervisor, "enabled", (int)c->enabled);
}

static bool
console_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, station;
	const char *name;
	int supervisor, enabled;

	if (json_unpack(row, "{sI sI ss sb sb !}", "id", &id, "station", &station, "name", &name,
			"supervisor", &supervisor, "enabled", &enabled) != 0 ||
	    !fits_id(id) || !fits_id(station))
		return false;
	reg_add_console(b, (uint32_t)id, (uint32_t)station, name, supervisor != 0, enabled != 0);
	return true;
}

static json_t *
desk_to_json(const void *row)
{
	const struct registration_desk *d = row;

	return json_pack("{sI ss ss sb}", "id", (json_int_t)d->id, "name", d->name, "role",
			 desk_role_name(d->role), "enabled", (int)d->enabled);
}

static bool
desk_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id;
	const char *name, *role_name;
	enum desk_role role;
	int enabled;

	if (json_unpack(row, "{sI ss ss sb !}", "id", &id, "name", &name, "role", &role_name,
			"enabled", &enabled) != 0 ||
	    !fits_id(id) || !desk_role_by_name(role_name, &role))
		return false;
	reg_add_desk(b, (uint32_t)id, name, role, enabled != 0);
	return true;
}

static json_t *
unit_to_json(const void *row)
{
	const struct unit *u = row;

	return json_pack("{sI sI ss ss ss}", "id", (json_int_t)u->id, "site",
			 (json_int_t)u->site_id, "code", u->code, "name", u->name, "address",
			 u->address);
}

static bool
unit_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, site;
	const char *code, *name, *address;

	if (json_unpack(row, "{sI sI ss ss ss !}", "id", &id, "site", &site, "code", &code, "name",
			&name, "address", &address) != 0 ||
	    !fits_id(id) || !fits_id(site))
		return false;
	reg_add_unit(b, (uint32_t)id, (uint32_t)site, code, name, address);
	return true;
}

static json_t *
group_to_json(const void *row)
{
	const struct door_group *g = row;

	return json_pack("{sI sI ss ss}", "id", (json_int_t)g->id, "site", (json_int_t)g->site_id,
			 "code", g->code, "name", g->name);
}

static bool
group_from_json(struct reg_builder *b, json_t *row)
{
	json_int_t id, site;
	const char *code, *name;

	if (json_unpack(row, "{sI sI ss ss !}", "id", &id, "site", &site, "code", &code, "name",
			&name) != 0 ||
	    !fits_id(id) || !fits_id(site))
		return false;
	reg_add_group(b, (uint32_t)id, (uint32_t)site, code, name);
	return true;
}

static const struct {
	const char *name;
	json_t *(*to_json)(const void *row);
	bool (*from_json)(struct reg_builder *b, json_t *row);
} snapshot_tables[TABLE_COUNT] = {
	[TABLE_STATIONS] = {"stations", station_to_json, station_from_json},
	[TABLE_AREAS] = {"areas", area_to_json, area_from_json},
	[TABLE_SITES] = {"sites", site_to_json, site_from_json},
	[TABLE_CONTROLLERS] = {"controllers", controller_to_json, controller_from_json},
	[TABLE_DOORS] = {"doors", door_to_json, door_from_json},
	[TABLE_CONSOLES] = {"consoles", console_to_json, console_from_json},
	[TABLE_DESKS] = {"desks", desk_to_json, desk_from_json},
	[TABLE_UNITS] = {"units", unit_to_json, unit_from_json},
	[TABLE_GROUPS] = {"groups", group_to_json, group_from_json},
};

static const char *const snapshot_links[REG_LINKS] = {
	[REG_DESK_SITES] = "desk_sites",
	[REG_DESK_UNITS] = "desk_units",
	[REG_UNIT_DOORS] = "unit_doors",
	[REG_GROUP_DOORS] = "group_doors",
};

/* ---- Writing -------------------------------------------------------------- */

static json_t *
table_to_json(const struct reg *reg, enum table_id id)
{
	const struct table *table = &reg->tables[id];
	json_t *rows = json_array();

	for (size_t i = 0; i < table->n; i++) {
		json_t *row = snapshot_tables[id].to_json(table_row(table, id, i));

		/* takes the row; refuses NULL too: no memory, or a text that isn't UTF-8 */
		if (json_array_append_new(rows, row) != 0) {
			json_decref(rows);
			return NULL;
		}
	}
	return rows;
}

/* Pairs of ids. */
static json_t *
links_to_json(const struct links *links)
{
	json_t *pairs = json_array();

	for (size_t i = 0; i < links->n; i++) {
		json_t *pair = json_pack("[II]", (json_int_t)links->pairs[i].from,
					 (json_int_t)links->pairs[i].to);

		if (json_array_append_new(pairs, pair) != 0) {
			json_decref(pairs);
			return NULL;
		}
	}
	return pairs;
}

static json_t *
reg_to_json(const struct reg *reg)
{
	json_t *root = json_pack("{si sI}", "version", SNAPSHOT_VERSION, "as_of_us",
				 (json_int_t)reg->as_of_us);

	for (enum table_id id = 0; id < TABLE_COUNT; id++) {
		if (json_object_set_new(root, snapshot_tables[id].name, table_to_json(reg, id)) !=
		    0) {
			json_decref(root);
			return NULL;
		}
	}
	for (size_t i = 0; i < REG_LINKS; i++) {
		if (json_object_set_new(root, snapshot_links[i], links_to_json(&reg->links[i])) !=
		    0) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

enum rc
reg_snapshot_write(const struct reg *reg, const char *dir, struct err *err)
{
	json_t *root = reg_to_json(reg);
	char *json = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	char *file = NULL;
	enum rc rc;

	if (json == NULL) {
		rc = err_fail(err, "could not put the register into JSON: a text is not UTF-8, or "
				   "memory is short");
		goto out;
	}
	file = xasprintf("%s\n" SNAPSHOT_CRC "%0*" PRIx32 "\n", json, CRC_DIGITS,
			 crc32c(0, json, strlen(json)));
	rc = fs_replace_file(dir, SNAPSHOT_NAME, file, strlen(file), err);

out:
	free(file);
	free(json);
	json_decref(root);
	return rc;
}

/* ---- Reading -------------------------------------------------------------- */

/* The checksum in the last line; false when that isn't one. */
static bool
tail_parse(const char *tail, uint32_t *crc)
{
	const char *digits = tail + 1 + strlen(SNAPSHOT_CRC);

	if (tail[0] != '\n' || strncmp(tail + 1, SNAPSHOT_CRC, strlen(SNAPSHOT_CRC)) != 0)
		return false;
	*crc = 0;
	for (int i = 0; i < CRC_DIGITS; i++) {
		unsigned char digit = (unsigned char)digits[i];

		if (!isxdigit(digit))
			return false;
		*crc = *crc << 4 |
		       (uint32_t)(isdigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
	}
	return digits[CRC_DIGITS] == '\n';
}

/* Sets *json_len to the bytes that the checksum vouches for. */
static enum rc
file_check(uint8_t *bytes, size_t n, size_t *json_len, struct err *err)
{
	uint32_t crc;

	*json_len = 0;
	if (n < SNAPSHOT_TAIL_BYTES ||
	    !tail_parse((const char *)bytes + n - SNAPSHOT_TAIL_BYTES, &crc))
		return err_invalid(err, "its last line is not a checksum");
	*json_len = n - SNAPSHOT_TAIL_BYTES;
	if (crc32c(0, bytes, *json_len) != crc)
		return err_invalid(err, "its checksum is wrong");
	return RC_OK;
}

static enum rc
table_from_json(struct reg_builder *b, json_t *root, enum table_id id, struct err *err)
{
	const char *name = snapshot_tables[id].name;
	json_t *rows = json_object_get(root, name);
	json_t *row;
	size_t i;

	if (!json_is_array(rows))
		return err_invalid(err, "it has no list \"%s\"", name);
	json_array_foreach (rows, i, row) {
		if (!snapshot_tables[id].from_json(b, row))
			return err_invalid(err, "row %zu of \"%s\" has another form", i, name);
	}
	return RC_OK;
}

static enum rc
links_from_json(struct reg_builder *b, json_t *root, enum reg_link link, struct err *err)
{
	json_t *pairs = json_object_get(root, snapshot_links[link]), *pair;
	json_int_t from, to;
	size_t i;

	if (!json_is_array(pairs))
		return err_invalid(err, "it has no list \"%s\"", snapshot_links[link]);
	json_array_foreach (pairs, i, pair) {
		if (json_unpack(pair, "[II!]", &from, &to) != 0 || !fits_id(from) || !fits_id(to))
			return err_invalid(err, "row %zu of \"%s\" has another form", i,
					   snapshot_links[link]);
		reg_add_link(b, link, (uint32_t)from, (uint32_t)to);
	}
	return RC_OK;
}

static enum rc
reg_from_json(json_t *root, struct reg **reg, struct err *err)
{
	struct reg_builder *b = NULL;
	json_int_t version, as_of_us;
	enum rc rc = RC_OK;

	if (json_unpack(root, "{sI sI}", "version", &version, "as_of_us", &as_of_us) != 0)
		return err_invalid(err, "it is not a register");
	if (version != SNAPSHOT_VERSION)
		return err_invalid(err, "it has version %lld, expected %d", (long long)version,
				   SNAPSHOT_VERSION);
	b = reg_builder_new();
	for (enum table_id id = 0; rc == RC_OK && id < TABLE_COUNT; id++)
		rc = table_from_json(b, root, id, err);
	for (enum reg_link link = 0; rc == RC_OK && link < REG_LINKS; link++)
		rc = links_from_json(b, root, link, err);
	if (rc == RC_OK)
		rc = reg_build(&b, as_of_us, reg, err);
	reg_builder_free(&b);
	return rc;
}

static enum rc
reg_from_file(uint8_t *bytes, size_t n, struct reg **reg, struct err *err)
{
	json_t *root = NULL;
	size_t json_len;
	enum rc rc;

	if (file_check(bytes, n, &json_len, err) != RC_OK)
		return RC_INVALID;
	root = json_loadb((const char *)bytes, json_len, JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL)
		return err_invalid(err, "it is not JSON");
	rc = reg_from_json(root, reg, err);
	json_decref(root);
	return rc;
}

enum rc
reg_snapshot_read(const char *dir, struct reg **reg, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, SNAPSHOT_NAME);
	uint8_t *bytes = NULL;
	struct err why;
	size_t n;
	enum rc rc;

	*reg = NULL;
	rc = fs_read_file(path, SNAPSHOT_MAX_BYTES, &bytes, &n, err);
	if (rc == RC_FAIL && err->sys == ENOENT)
		rc = RC_EOF;
	if (rc != RC_OK)
		goto out;
	rc = reg_from_file(bytes, n, reg, &why);
	if (rc != RC_OK)
		rc = err_invalid(err, "register snapshot \"%s\" is damaged: %.200s", path, why.msg);

out:
	free(bytes);
	free(path);
	return rc;
}
