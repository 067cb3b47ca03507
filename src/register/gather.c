/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathering the rows of a register, in any order and unchecked: build.c looks at them.
 * Texts are copied, and cut a byte behind what is allowed.  Owner: one thread.
 */
#include <stdlib.h>
#include <string.h>

#include "register_priv.h"

/* Texts of some 500 rows; longer texts than that don't exist (TEXT_KEEP_MAX). */
enum { ARENA_BLOCK_BYTES = 64 * 1024 };

/* Of a text that is too long so much is kept: enough to find out, and to name it. */
enum { TEXT_KEEP_MAX = REGISTER_TEXT_MAX + 1 };

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
		.timezone = "UTC",
	};
}

void
reg_set_timezone(struct reg_builder *b, const char *timezone)
{
	const struct table *table = &b->reg->tables[TABLE_SITES];
	struct site *row;

	must(table->n > 0);
	row = table_row(table, TABLE_SITES, table->n - 1);
	row->timezone = builder_copy_text(b, timezone);
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
reg_add_door(struct reg_builder *b, const struct door *door)
{
	struct door *row = builder_add_row(b, TABLE_DOORS);

	*row = (struct door){
		.id = door->id,
		.site_id = door->site_id,
		.controller_id = door->controller_id,
		.number = door->number,
		.code = builder_copy_text(b, door->code),
		.name = builder_copy_text(b, door->name),
		.address = builder_copy_text(b, door->address),
	};
}

void
reg_add_console(struct reg_builder *b, uint32_t id, uint32_t station_id, const char *name,
		bool supervisor, bool enabled)
{
	struct console *row = builder_add_row(b, TABLE_CONSOLES);

	*row = (struct console){
		.id = id,
		.station_id = station_id,
		.supervisor = supervisor,
		.enabled = enabled,
		.name = builder_copy_text(b, name),
	};
}

void
reg_add_desk(struct reg_builder *b, uint32_t id, const char *name, enum desk_role role,
	     bool enabled)
{
	struct registration_desk *row = builder_add_row(b, TABLE_DESKS);

	*row = (struct registration_desk){
		.id = id,
		.enabled = enabled,
		.role = role,
		.name = builder_copy_text(b, name),
	};
}

void
reg_add_unit(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *code,
	     const char *name, const char *address)
{
	struct unit *row = builder_add_row(b, TABLE_UNITS);

	*row = (struct unit){
		.id = id,
		.site_id = site_id,
		.code = builder_copy_text(b, code),
		.name = builder_copy_text(b, name),
		.address = builder_copy_text(b, address),
	};
}

void
reg_add_group(struct reg_builder *b, uint32_t id, uint32_t site_id, const char *code,
	      const char *name)
{
	struct door_group *row = builder_add_row(b, TABLE_GROUPS);

	*row = (struct door_group){
		.id = id,
		.site_id = site_id,
		.code = builder_copy_text(b, code),
		.name = builder_copy_text(b, name),
	};
}

void
reg_add_link(struct reg_builder *b, enum reg_link link, uint32_t from, uint32_t to)
{
	struct links *links = &b->reg->links[link];

	if (links->n == links->capacity) {
		links->capacity = links->capacity == 0 ? 64 : 2 * links->capacity;
		links->pairs = xrealloc(links->pairs, links->capacity * sizeof(*links->pairs));
	}
	links->pairs[links->n++] = (struct reg_pair){from, to};
}
