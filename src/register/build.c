/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a register: what was gathered is sorted, checked and tied together by
 * pointers.  Owner: one thread, until reg_build() hands out an
 * immutable register.
 *
 * Nothing about the rows is believed: texts have bounds, ids are unique and not
 * 0, references lead somewhere, areas form a tree.  What PostgreSQL's own
 * constraints promise is checked again, since rows also come from the snapshot.
 *
 * One mistake refuses the whole: half a register would let doors vanish in
 * silence, and the copy before it still stands.
 */
#include <stdlib.h>
#include <string.h>

#include "register/zone.h"
#include "register_priv.h"

/* ---- Rows: texts, order, uniqueness --------------------------------------- */

static int
compare_ids(const void *a, const void *b)
{
	uint32_t left = row_id(a), right = row_id(b);

	return (left > right) - (left < right);
}

static int
compare_codes(const void *a, const void *b, void *arg)
{
	const struct table_form *form = arg;
	const void *left = *(const void *const *)a, *right = *(const void *const *)b;
	uint32_t left_site = row_site(left, form), right_site = row_site(right, form);

	if (left_site != right_site)
		return left_site < right_site ? -1 : 1;
	return strcmp(row_text(left, form->code_offset), row_text(right, form->code_offset));
}

static enum rc
check_text(const char *what, uint32_t id, const char *field, const char *text, size_t most,
	   struct err *err)
{
	if (strlen(text) > most)
		return err_invalid(err, "%s %u: its %s is longer than %zu bytes", what, id, field,
				   most);
	return RC_OK;
}

static enum rc
check_row(const struct table_form *form, const void *row, struct err *err)
{
	const char *code = row_text(row, form->code_offset);
	uint32_t id = row_id(row);

	if (id == 0)
		return err_invalid(err, "%s \"%.64s\" has id 0", form->what, code);
	if (code[0] == '\0')
		return err_invalid(err, "%s %u has an empty code", form->what, id);
	if (check_text(form->what, id, "code", code, REGISTER_CODE_MAX, err) != RC_OK)
		return RC_INVALID;
	if (form->label_offset != 0 &&
	    check_text(form->what, id, "name", row_text(row, form->label_offset), REGISTER_TEXT_MAX,
		       err) != RC_OK)
		return RC_INVALID;
	if (form->address_offset != 0 &&
	    check_text(form->what, id, "address", row_text(row, form->address_offset),
		       REGISTER_TEXT_MAX, err) != RC_OK)
		return RC_INVALID;
	return RC_OK;
}

static enum rc
table_sort_ids(struct table *table, enum table_id id, struct err *err)
{
	const struct table_form *form = &table_forms[id];

	if (table->n == 0)
		return RC_OK;
	qsort(table->rows, table->n, form->row_bytes, compare_ids);
	for (size_t i = 0; i < table->n; i++) {
		const void *row = table_row(table, id, i);

		if (check_row(form, row, err) != RC_OK)
			return RC_INVALID;
		if (i > 0 && row_id(row) == row_id(table_row(table, id, i - 1)))
			return err_invalid(err, "%s %u is there twice", form->what, row_id(row));
	}
	return RC_OK;
}

/* After table_sort_ids(), since it takes the addresses of rows. */
static enum rc
table_sort_codes(struct table *table, enum table_id id, struct err *err)
{
	/* qsort_r() takes no const */
	struct table_form form = table_forms[id];

	table->by_code = xcalloc(table->n + 1, sizeof(*table->by_code));
	for (size_t i = 0; i < table->n; i++)
		table->by_code[i] = table_row(table, id, i);
	qsort_r(table->by_code, table->n, sizeof(*table->by_code), compare_codes, &form);
	for (size_t i = 1; i < table->n; i++) {
		if (compare_codes(&table->by_code[i], &table->by_code[i - 1], &form) == 0)
			return err_invalid(err, "%ss %u and %u have the same code \"%s\"",
					   form.what, row_id(table->by_code[i - 1]),
					   row_id(table->by_code[i]),
					   row_text(table->by_code[i], form.code_offset));
	}
	return RC_OK;
}

/* ---- References ----------------------------------------------------------- */

/* Looks up what row `id` of table `from` refers to; NULL and err when it isn't there. */
static const void *
find_referred(const struct reg *reg, enum table_id from, uint32_t id, enum table_id to,
	      uint32_t to_id, struct err *err)
{
	const void *row = table_find(reg, to, to_id);

	if (row == NULL)
		(void)err_invalid(err, "%s %u refers to %s %u, which does not exist",
				  table_forms[from].what, id, table_forms[to].what, to_id);
	return row;
}

static enum rc
link_areas(struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_AREAS];

	for (size_t i = 0; i < table->n; i++) {
		struct area *area = table_row(table, TABLE_AREAS, i);

		if (area->parent_id != 0) {
			area->parent = find_referred(reg, TABLE_AREAS, area->id, TABLE_AREAS,
						     area->parent_id, err);
			if (area->parent == NULL)
				return RC_INVALID;
		}
		if (area->station_id != 0) {
			area->station = find_referred(reg, TABLE_AREAS, area->id, TABLE_STATIONS,
						      area->station_id, err);
			if (area->station == NULL)
				return RC_INVALID;
		}
	}
	return RC_OK;
}

static size_t
area_index(const struct table *table, const struct area *area)
{
	return (size_t)(area - (const struct area *)(const void *)table->rows);
}

/*
 * Goes up from each area, and marks with the number of the walk.  Meeting a
 * mark of an earlier walk ends this one: from there on it was seen to end.
 * Meeting one's own is a circle.  So each area is visited once.
 */
static enum rc
check_area_tree(const struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_AREAS];
	size_t *walk_of = xcalloc(table->n + 1, sizeof(*walk_of));
	enum rc rc = RC_OK;

	for (size_t walk = 1; rc == RC_OK && walk <= table->n; walk++) {
		const struct area *area = table_row(table, TABLE_AREAS, walk - 1);

		while (area != NULL && walk_of[area_index(table, area)] == 0) {
			walk_of[area_index(table, area)] = walk;
			area = area->parent;
		}
		if (area != NULL && walk_of[area_index(table, area)] == walk)
			rc = err_invalid(err, "area %u lies below itself", area->id);
	}
	free(walk_of);
	return rc;
}

/* The tree is known to end upwards: it was checked. */
static void
inherit_stations(struct reg *reg)
{
	const struct table *table = &reg->tables[TABLE_AREAS];

	for (size_t i = 0; i < table->n; i++) {
		struct area *area = table_row(table, TABLE_AREAS, i);
		const struct area *up = area;

		while (up != NULL && up->station == NULL)
			up = up->parent;
		area->station = up != NULL ? up->station : NULL;
	}
}

/* The zone of that name, made when it is met first: most sites share a few. */
static const struct zone *
reg_zone(struct reg *reg, const char *name, struct err *err)
{
	struct zone *zone;

	for (size_t i = 0; i < reg->n_zones; i++) {
		if (strcmp(zone_name(reg->zones[i]), name) == 0)
			return reg->zones[i];
	}
	if (zone_new(&zone, name, err) != RC_OK)
		return NULL;
	reg->zones = xrealloc(reg->zones, (reg->n_zones + 1) * sizeof(*reg->zones));
	reg->zones[reg->n_zones++] = zone;
	return zone;
}

static enum rc
link_zone(struct reg *reg, struct site *site, struct err *err)
{
	struct err why;

	site->zone = reg_zone(reg, site->timezone, &why);
	if (site->zone == NULL)
		return err_invalid(err, "site %u: %.200s", site->id, why.msg);
	return RC_OK;
}

static enum rc
link_sites(struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_SITES];

	for (size_t i = 0; i < table->n; i++) {
		struct site *site = table_row(table, TABLE_SITES, i);

		site->area =
			find_referred(reg, TABLE_SITES, site->id, TABLE_AREAS, site->area_id, err);
		if (site->area == NULL || link_zone(reg, site, err) != RC_OK)
			return RC_INVALID;
	}
	return RC_OK;
}

static enum rc
link_consoles(struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_CONSOLES];

	for (size_t i = 0; i < table->n; i++) {
		struct console *console = table_row(table, TABLE_CONSOLES, i);

		console->station = find_referred(reg, TABLE_CONSOLES, console->id, TABLE_STATIONS,
						 console->station_id, err);
		if (console->station == NULL)
			return RC_INVALID;
	}
	return RC_OK;
}

static enum rc
link_controllers(struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_CONTROLLERS];

	reg->controllers = xcalloc(table->n + 1, sizeof(const struct controller *));
	for (size_t i = 0; i < table->n; i++) {
		struct controller *controller = table_row(table, TABLE_CONTROLLERS, i);

		reg->controllers[i] = controller;
		controller->site = find_referred(reg, TABLE_CONTROLLERS, controller->id,
						 TABLE_SITES, controller->site_id, err);
		if (controller->site == NULL)
			return RC_INVALID;
	}
	return RC_OK;
}

static enum rc
link_door(struct reg *reg, struct door *door, struct err *err)
{
	door->site = find_referred(reg, TABLE_DOORS, door->id, TABLE_SITES, door->site_id, err);
	if (door->site == NULL)
		return RC_INVALID;
	/* a door may wait for its controller to be hung */
	if (door->controller_id == 0)
		return RC_OK;
	if (find_referred(reg, TABLE_DOORS, door->id, TABLE_CONTROLLERS, door->controller_id,
			  err) == NULL)
		return RC_INVALID;
	if (door->number == 0)
		return err_invalid(err, "door %u has number 0 on controller %u, expected 1 or more",
				   door->id, door->controller_id);
	return RC_OK;
}

static int
compare_places(const void *a, const void *b)
{
	const struct door *left = *(const struct door *const *)a;
	const struct door *right = *(const struct door *const *)b;

	if (left->controller_id != right->controller_id)
		return left->controller_id < right->controller_id ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}

/* Gives each controller its run of reg->doors, which are sorted by place. */
static enum rc
hang_doors(struct reg *reg, struct err *err)
{
	size_t n = reg->tables[TABLE_DOORS].n;

	for (size_t i = 0; i < n; i++) {
		const struct door *door = reg->doors[i];
		struct controller *controller =
			table_find(reg, TABLE_CONTROLLERS, door->controller_id);

		if (controller == NULL) /* not hung */
			continue;
		if (controller->n_doors == 0)
			controller->doors = &reg->doors[i];
		else if (reg->doors[i - 1]->number == door->number)
			return err_invalid(
				err, "doors %u and %u are both number %u of controller %u",
				reg->doors[i - 1]->id, door->id, door->number, controller->id);
		controller->n_doors++;
	}
	return RC_OK;
}

static enum rc
link_doors(struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_DOORS];

	reg->doors = xcalloc(table->n + 1, sizeof(const struct door *));
	for (size_t i = 0; i < table->n; i++) {
		struct door *door = table_row(table, TABLE_DOORS, i);

		if (link_door(reg, door, err) != RC_OK)
			return RC_INVALID;
		reg->doors[i] = door;
	}
	qsort(reg->doors, table->n, sizeof(const struct door *), compare_places);
	return hang_doors(reg, err);
}

static enum rc
link_all(struct reg *reg, struct err *err)
{
	if (link_areas(reg, err) != RC_OK || check_area_tree(reg, err) != RC_OK)
		return RC_INVALID;
	inherit_stations(reg);
	if (link_sites(reg, err) != RC_OK || link_consoles(reg, err) != RC_OK)
		return RC_INVALID;
	/* doors look for their controllers */
	if (link_controllers(reg, err) != RC_OK || link_doors(reg, err) != RC_OK)
		return RC_INVALID;
	return links_build(reg, err);
}

enum rc
reg_build(struct reg_builder **builder, int64_t as_of_us, struct reg **reg, struct err *err)
{
	struct reg *r = (*builder)->reg;
	enum rc rc = RC_OK;

	(*builder)->reg = NULL;
	reg_builder_free(builder);
	*reg = NULL;

	for (enum table_id id = 0; rc == RC_OK && id < TABLE_COUNT; id++) {
		rc = table_sort_ids(&r->tables[id], id, err);
		if (rc == RC_OK)
			rc = table_sort_codes(&r->tables[id], id, err);
	}
	if (rc == RC_OK)
		rc = link_all(r, err);
	if (rc != RC_OK) {
		reg_free(&r);
		return rc;
	}
	r->as_of_us = as_of_us;
	atomic_init(&r->refs, 1);
	*reg = r;
	return RC_OK;
}
