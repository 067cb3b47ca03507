/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the register, and letting go of it.  Any thread that holds a
 * reference: nothing changes after reg_build() but the count of references,
 * which is the only atomic here.
 *
 * It does not know where a copy comes from, nor who uses which; the daemon
 * hands new copies around.
 */
#include "register/register.h"

#include <stdlib.h>
#include <string.h>

#include "register/zone.h"
#include "register_priv.h"

const struct table_form table_forms[TABLE_COUNT] = {
	[TABLE_STATIONS] = {"station", sizeof(struct station), offsetof(struct station, code),
			    offsetof(struct station, name), 0, 0},
	[TABLE_AREAS] = {"area", sizeof(struct area), offsetof(struct area, code),
			 offsetof(struct area, name), 0, 0},
	[TABLE_SITES] = {"site", sizeof(struct site), offsetof(struct site, code),
			 offsetof(struct site, name), offsetof(struct site, address), 0},
	[TABLE_CONTROLLERS] = {"controller", sizeof(struct controller),
			       offsetof(struct controller, name), 0, 0, 0},
	[TABLE_DOORS] = {"door", sizeof(struct door), offsetof(struct door, code),
			 offsetof(struct door, name), offsetof(struct door, address), 0},
	[TABLE_CONSOLES] = {"console", sizeof(struct console), offsetof(struct console, name), 0, 0,
			    0},
	[TABLE_DESKS] = {"desk", sizeof(struct registration_desk),
			 offsetof(struct registration_desk, name), 0, 0, 0},
	[TABLE_UNITS] = {"unit", sizeof(struct unit), offsetof(struct unit, code),
			 offsetof(struct unit, name), offsetof(struct unit, address),
			 offsetof(struct unit, site_id)},
	[TABLE_GROUPS] = {"group of doors", sizeof(struct door_group),
			  offsetof(struct door_group, code), offsetof(struct door_group, name), 0,
			  offsetof(struct door_group, site_id)},
};

/* table_find() reads the id at the beginning of whatever row it is given. */
_Static_assert(offsetof(struct station, id) == 0, "id comes first");
_Static_assert(offsetof(struct area, id) == 0, "id comes first");
_Static_assert(offsetof(struct site, id) == 0, "id comes first");
_Static_assert(offsetof(struct controller, id) == 0, "id comes first");
_Static_assert(offsetof(struct door, id) == 0, "id comes first");
_Static_assert(offsetof(struct console, id) == 0, "id comes first");
_Static_assert(offsetof(struct registration_desk, id) == 0, "id comes first");
_Static_assert(offsetof(struct unit, id) == 0, "id comes first");
_Static_assert(offsetof(struct door_group, id) == 0, "id comes first");

void *
table_find(const struct reg *reg, enum table_id id, uint32_t row)
{
	const struct table *table = &reg->tables[id];
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		void *candidate = table_row(table, id, middle);

		if (row_id(candidate) == row)
			return candidate;
		if (row_id(candidate) < row)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int
compare_code(const void *row, const struct table_form *form, uint32_t site_id, const char *code)
{
	uint32_t site = row_site(row, form);

	if (site != site_id)
		return site < site_id ? -1 : 1;
	return strcmp(row_text(row, form->code_offset), code);
}

const void *
table_find_code(const struct reg *reg, enum table_id id, uint32_t site_id, const char *code)
{
	const struct table *table = &reg->tables[id];
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const void *candidate = table->by_code[middle];
		int order = compare_code(candidate, &table_forms[id], site_id, code);

		if (order == 0)
			return candidate;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- References ----------------------------------------------------------- */

void
reg_free(struct reg **reg)
{
	struct reg *r = *reg;

	if (r == NULL)
		return;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		free(r->tables[i].rows);
		free(r->tables[i].by_code);
	}
	while (r->arena != NULL) {
		struct arena_block *next = r->arena->next;

		free(r->arena);
		r->arena = next;
	}
	for (size_t i = 0; i < REG_LINKS; i++)
		free(r->links[i].pairs);
	for (size_t i = 0; i < r->n_zones; i++)
		zone_free(&r->zones[i]);
	free(r->zones);
	free(r->doors);
	free(r->controllers);
	free(r);
	*reg = NULL;
}

struct reg *
reg_ref(struct reg *reg)
{
	/* whoever hands a reference on holds one: nothing to be ordered */
	atomic_fetch_add_explicit(&reg->refs, 1, memory_order_relaxed);
	return reg;
}

void
reg_unref(struct reg **reg)
{
	struct reg *r = *reg;

	*reg = NULL;
	/* the last one must see that all others have finished reading */
	if (r != NULL && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		reg_free(&r);
}

/* ---- Asking --------------------------------------------------------------- */

const struct controller *
reg_controller_by_name(const struct reg *reg, const char *name)
{
	return table_find_code(reg, TABLE_CONTROLLERS, 0, name);
}

const struct controller *
reg_controller(const struct reg *reg, uint32_t id)
{
	return table_find(reg, TABLE_CONTROLLERS, id);
}

const struct console *
reg_console_by_name(const struct reg *reg, const char *name)
{
	return table_find_code(reg, TABLE_CONSOLES, 0, name);
}

const struct door *
reg_door(const struct reg *reg, uint32_t id)
{
	return table_find(reg, TABLE_DOORS, id);
}

const struct door *
reg_door_by_code(const struct reg *reg, const char *code)
{
	return table_find_code(reg, TABLE_DOORS, 0, code);
}

const struct site *
reg_site(const struct reg *reg, uint32_t id)
{
	return table_find(reg, TABLE_SITES, id);
}

const struct site *
reg_site_by_code(const struct reg *reg, const char *code)
{
	return table_find_code(reg, TABLE_SITES, 0, code);
}

const struct registration_desk *
reg_desk(const struct reg *reg, uint32_t id)
{
	return table_find(reg, TABLE_DESKS, id);
}

const struct registration_desk *
reg_desk_by_name(const struct reg *reg, const char *name)
{
	return table_find_code(reg, TABLE_DESKS, 0, name);
}

const struct unit *
reg_unit_by_code(const struct reg *reg, uint32_t site_id, const char *code)
{
	return table_find_code(reg, TABLE_UNITS, site_id, code);
}

const struct door_group *
reg_group_by_code(const struct reg *reg, uint32_t site_id, const char *code)
{
	return table_find_code(reg, TABLE_GROUPS, site_id, code);
}

const struct area *
reg_area_by_code(const struct reg *reg, const char *code)
{
	return table_find_code(reg, TABLE_AREAS, 0, code);
}

const struct station *
reg_station_by_code(const struct reg *reg, const char *code)
{
	return table_find_code(reg, TABLE_STATIONS, 0, code);
}

const struct station *
reg_station(const struct reg *reg, uint32_t id)
{
	return table_find(reg, TABLE_STATIONS, id);
}

const struct door *
controller_door(const struct controller *controller, uint32_t number)
{
	size_t low = 0, high = controller->n_doors;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct door *candidate = controller->doors[middle];

		if (candidate->number == number)
			return candidate;
		if (candidate->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *
desk_role_name(enum desk_role role)
{
	return role == DESK_MANAGER ? "manager" : "landlord";
}

bool
desk_role_by_name(const char *name, enum desk_role *role)
{
	*role = strcmp(name, "manager") == 0 ? DESK_MANAGER : DESK_LANDLORD;
	return strcmp(name, desk_role_name(*role)) == 0;
}

bool
station_covers_area(const struct reg *reg, uint32_t station_id, const struct area *area)
{
	(void)reg;
	/* 0 stands for "no station" in areas, and must not match there */
	if (station_id == 0)
		return false;
	for (; area != NULL; area = area->parent) {
		if (area->station_id == station_id)
			return true;
	}
	return false;
}

bool
area_within(const struct area *area, const struct area *above)
{
	for (; area != NULL; area = area->parent) {
		if (area == above)
			return true;
	}
	return false;
}

int64_t
reg_as_of_us(const struct reg *reg)
{
	return reg->as_of_us;
}

struct reg_counts
reg_counts(const struct reg *reg)
{
	return (struct reg_counts){
		.stations = reg->tables[TABLE_STATIONS].n,
		.areas = reg->tables[TABLE_AREAS].n,
		.sites = reg->tables[TABLE_SITES].n,
		.controllers = reg->tables[TABLE_CONTROLLERS].n,
		.doors = reg->tables[TABLE_DOORS].n,
		.consoles = reg->tables[TABLE_CONSOLES].n,
		.desks = reg->tables[TABLE_DESKS].n,
		.units = reg->tables[TABLE_UNITS].n,
		.groups = reg->tables[TABLE_GROUPS].n,
	};
}

const struct controller *const *
reg_controllers(const struct reg *reg, size_t *n)
{
	*n = reg->tables[TABLE_CONTROLLERS].n;
	return reg->controllers;
}
