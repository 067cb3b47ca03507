/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the register's room: how one copy lies in memory.
 *
 * Nine tables of one form.  Rows are the public structs themselves, sorted by
 * id, so that a search by halves finds them; beside them stands an array of
 * pointers sorted by code.  At the register's size (tens of thousands) that is
 * as quick as a hash table where it matters, needs a fraction of its memory,
 * and sorting finds doubled ids and codes on the way.
 */
#ifndef GATEHOUSE_REGISTER_PRIV_H
#define GATEHOUSE_REGISTER_PRIV_H

#include <stdatomic.h>

#include "register/register.h"

enum table_id {
	TABLE_STATIONS,
	TABLE_AREAS,
	TABLE_SITES,
	TABLE_CONTROLLERS,
	TABLE_DOORS,
	TABLE_CONSOLES,
	TABLE_DESKS,
	TABLE_UNITS,
	TABLE_GROUPS,
	TABLE_COUNT,
};

/* What differs between the tables.  Each row begins with its uint32_t id. */
struct table_form {
	const char *what; /* "station": for errors */
	size_t row_bytes;
	size_t code_offset;    /* of the text that is unique: code or name */
	size_t label_offset;   /* of the name that people read; 0: has none */
	size_t address_offset; /* 0: has none */
	size_t site_offset;    /* codes are unique within the site of this id; 0: at all */
};
extern const struct table_form table_forms[TABLE_COUNT];

struct table {
	char *rows;           /* while building in order of arrival, then sorted by id */
	const void **by_code; /* NULL while building */
	size_t n, capacity;
};

/* What belongs to what: sorted once built, none twice. */
struct links {
	struct reg_pair *pairs;
	size_t n, capacity;
};

/* What the two sides of a link are. */
struct link_form {
	enum table_id from, to;
};
extern const struct link_form link_forms[REG_LINKS];

/* Texts of all rows: blocks that never move, given back together. */
struct arena_block {
	struct arena_block *next;
	size_t used, capacity;
	char bytes[];
};

/* Immutable from reg_build() on, but for the reference count; any thread. */
struct reg {
	atomic_size_t refs;
	int64_t as_of_us;
	struct table tables[TABLE_COUNT];
	struct links links[REG_LINKS];
	struct zone **zones; /* of all sites, each once */
	size_t n_zones;
	const struct door **doors;             /* by controller, then number */
	const struct controller **controllers; /* by id */
	struct arena_block *arena;
};

struct reg_builder {
	struct reg *reg;
};

static inline uint32_t
row_id(const void *row)
{
	return *(const uint32_t *)row;
}

static inline const char *
row_text(const void *row, size_t offset)
{
	return *(const char *const *)((const char *)row + offset);
}

static inline void *
table_row(const struct table *table, enum table_id id, size_t i)
{
	return table->rows + i * table_forms[id].row_bytes;
}

/* The site within which the row's code is unique; 0: it is so at all. */
static inline uint32_t
row_site(const void *row, const struct table_form *form)
{
	return form->site_offset != 0
		       ? *(const uint32_t *)(const void *)((const char *)row + form->site_offset)
		       : 0;
}

/* NULL when there is none.  `site_id`: see row_site(). */
void *table_find(const struct reg *reg, enum table_id id, uint32_t row);
const void *table_find_code(const struct reg *reg, enum table_id id, uint32_t site_id,
			    const char *code);

/* ---- links.c: after the tables were sorted and tied together -------------- */

/* Sorts and checks: RC_INVALID for a pair of something that isn't there, or of two
 * sites. */
enum rc links_build(struct reg *reg, struct err *err) MUST_CHECK;

/* Gives back a register or half of one. */
void reg_free(struct reg **reg);

#endif
