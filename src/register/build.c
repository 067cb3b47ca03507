/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a register: rows are gathered in any order, then sorted, checked and
 * tied together by pointers.  Owner: one thread, until reg_build() hands out an
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

#include "register_priv.h"

/* Texts of some 500 rows; longer texts than that don't exist (TEXT_KEEP_MAX). */
enum { ARENA_BLOCK_BYTES = 64 * 1024 };

/* Of a text that is too long so much is kept: enough to find out, and to name it. */
enum { TEXT_KEEP_MAX = REGISTER_TEXT_MAX + 1 };

struct reg_builder {
	struct reg *reg;
};

/* ---- Gathering ------------------------------------------------------------ */

struct reg_builder *
reg_builder_new(void)
{
	struct reg_builder *b = xcalloc(1, sizeof(*b));

	b->reg = xcalloc(1, sizeof(*b->reg));
	return b;
}

void
reg_builder_free(struct reg_builder **builder)
{
	struct reg_builder *b = *builder;

	if (b == NULL)
		return;
	reg_free(&b->reg);
	free(b);
	*builder = NULL;
}

static char *
arena_take(struct reg *reg, size_t n)
{
	struct arena_block *block = reg->arena;
	char *taken;

	if (block == NULL || block->capacity - block->used < n) {
		block = xcalloc(1, sizeof(*block) + ARENA_BLOCK_BYTES);
		block->capacity = ARENA_BLOCK_BYTES;
		block->next = reg->arena;
		reg->arena = block;
	}
	taken = block->bytes + block->used;
	block->used += n;
	return taken;
}

static const char *
builder_copy_text(struct reg_builder *b, const char *text)
{
	size_t len = strnlen(text != NULL ? text : "", TEXT_KEEP_MAX);
	char *copy = arena_take(b->reg, len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

/* Returns room for one more row.  It moves with the next one. */
static void *
builder_add_row(struct reg_builder *b, enum table_id id)
{
	struct table *table = &b->reg->tables[id];

	if (table->n == table->capacity) {
		table->capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
		table->rows = xrealloc(table->rows, table->capacity * table_forms[id].row_bytes);
	}
	return table_row(table, id, table->n++);
}

void
reg_add_station(struct reg_builder *b, uint32_t id, const char *code, const char *name)
{
	struct station *row = builder_add_row(b, TABLE_STATIONS);

	*row = (struct station){
		.id = id,
		.code = builder_copy_text(b, code),
		.name = builder_copy_text(b, name),
	};
}

void
reg_add_area(struct reg_builder *b, uint32_t id, uint32_t parent_id, uint32_t station_id,
	     const char *code, const char *name)
{
	struct area *row = builder_add_row(b, TABLE_AREAS);

	*row = (struct area){
		.id = id,
		.parent_id = parent_id,
		.station_id = station_id,
		.code = builder_copy_text(b, code),
		.name = builder_copy_text(b, name),
	};
}

void
reg_add_site(struct reg_builder *b, uint32_t id, uint32_t area_id, const char *code,
	     const char *name, const char *address)
{
	struct site *row = builder_add_row(b, TABLE_SITES);

	*row = (struct site){
		.id = id,
		.area_id = area_id,
		.code = builder_copy_text(b, code),
		.name = builder_copy_text(b, name),
		.address = builder_copy_text(b, address),
	};
}

void
reg_add_controller(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *name,
		   bool enabled)
{
	struct controller *row = builder_add_row(b, TABLE_CONTROLLERS);

	*row = (struct controller){
		.id = id,
		.site_id = site_id,
		.enabled = enabled,
		.name = builder_copy_text(b, name),
	};
}

void
reg_add_door(struct reg_builder *b, uint32_t id, uint32_t site_id, uint32_t controller_id,
	     uint32_t number, const char *code, const char *name, const char *address)
{
	struct door *row = builder_add_row(b, TABLE_DOORS);

	*row = (struct door){
		.id = id,
		.site_id = site_id,
		.controller_id = controller_id,
		.number = number,
		.code = builder_copy_text(b, code),
		.name = builder_copy_text(b, name),
		.address = builder_copy_text(b, address),
	};
}

void
reg_add_console(struct reg_builder *b, uint32_t id, uint32_t station_id, const char *name,
		bool enabled)
{
	struct console *row = builder_add_row(b, TABLE_CONSOLES);

	*row = (struct console){
		.id = id,
		.station_id = station_id,
		.enabled = enabled,
		.name = builder_copy_text(b, name),
	};
}

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
	const size_t *offset = arg;

	return strcmp(row_text(*(const void *const *)a, *offset),
		      row_text(*(const void *const *)b, *offset));
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
	const struct table_form *form = &table_forms[id];
	size_t offset = form->code_offset;

	table->by_code = xcalloc(table->n + 1, sizeof(*table->by_code));
	for (size_t i = 0; i < table->n; i++)
		table->by_code[i] = table_row(table, id, i);
	qsort_r(table->by_code, table->n, sizeof(*table->by_code), compare_codes, &offset);
	for (size_t i = 1; i < table->n; i++) {
		const char *code = row_text(table->by_code[i], offset);

		if (strcmp(code, row_text(table->by_code[i - 1], offset)) == 0)
			return err_invalid(err, "%ss %u and %u have the same code \"%s\"",
					   form->what, row_id(table->by_code[i - 1]),
					   row_id(table->by_code[i]), code);
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

static enum rc
link_sites(struct reg *reg, struct err *err)
{
	const struct table *table = &reg->tables[TABLE_SITES];

	for (size_t i = 0; i < table->n; i++) {
		struct site *site = table_row(table, TABLE_SITES, i);

		site->area =
			find_referred(reg, TABLE_SITES, site->id, TABLE_AREAS, site->area_id, err);
		if (site->area == NULL)
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
	if (link_controllers(reg, err) != RC_OK)
		return RC_INVALID;
	return link_doors(reg, err);
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
