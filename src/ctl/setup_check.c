/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a setup that can be seen without the register: values that
 * don't have their form, rows that are there twice, areas that lie below
 * themselves.  Whether a code that is referred to exists, PostgreSQL says.
 *
 * Owner: one thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/setup.h"
#include "ctl/text.h"
#include "register/register.h"

/* Columns that checks name; setup.c's tables put them there. */
enum {
	COLUMN_KEY = 0,
	COLUMN_AREA_PARENT = 2,
	COLUMN_DOOR_CONTROLLER = 3,
	COLUMN_DOOR_NUMBER = 4,
	COLUMN_DESK_ROLE = 1,
	COLUMN_DESK_SITES = 2,
	COLUMN_DESK_UNITS = 3,
};

static bool
number_is_valid(const char *value)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	return errno == 0 && end != value && *end == '\0' && n >= 1 && n <= SETUP_DOOR_NUMBER_MAX;
}

static void
value_check_length(struct setup *setup, const struct setup_row *row,
		   const struct setup_column *column, const char *value, size_t max)
{
	if (strlen(value) > max)
		setup_problem(setup, row->line, "%s has %zu bytes, expected at most %zu",
			      column->name, strlen(value), max);
	else if (!text_is_clean(value))
		setup_problem(setup, row->line,
			      "%s must be UTF-8 on one line, without control characters",
			      column->name);
}

static void
value_check(struct setup *setup, const struct setup_row *row, const struct setup_column *column,
	    const char *value)
{
	switch (column->form) {
	case SETUP_CODE:
		value_check_length(setup, row, column, value, REGISTER_CODE_MAX);
		break;
	case SETUP_LABEL:
		value_check_length(setup, row, column, value, REGISTER_TEXT_MAX);
		break;
	case SETUP_CLIENT:
		if (!text_is_name(value))
			setup_problem(setup, row->line,
				      "%s \"%.64s\" is not valid, expected 1 to 64 of A-Z a-z 0-9 "
				      ". _ -, the first a letter or digit",
				      column->name, value);
		break;
	case SETUP_NUMBER:
		if (!number_is_valid(value))
			setup_problem(setup, row->line,
				      "%s \"%.32s\" is not valid, expected a whole number from 1 "
				      "to %d",
				      column->name, value, SETUP_DOOR_NUMBER_MAX);
		break;
	case SETUP_LIST:
		value_check_length(setup, row, column, value, SETUP_LIST_MAX);
		break;
	case SETUP_RIGHT:
		if (strcmp(value, "landlord") != 0 && strcmp(value, "manager") != 0)
			setup_problem(setup, row->line,
				      "%s \"%.32s\" is not valid, expected landlord or manager",
				      column->name, value);
		break;
	}
}

/* A landlord has units, a manager has sites, and neither has what is the other's. */
static void
desk_check(struct setup *setup, const struct setup_row *row)
{
	const char *role = row->values[COLUMN_DESK_ROLE];
	bool landlord = role != NULL && strcmp(role, "landlord") == 0;
	size_t own = landlord ? COLUMN_DESK_UNITS : COLUMN_DESK_SITES;
	size_t other = landlord ? COLUMN_DESK_SITES : COLUMN_DESK_UNITS;

	if (role != NULL && (row->values[own] == NULL || row->values[other] != NULL))
		setup_problem(setup, row->line, "desk is a %.32s, expected %s and no %s", role,
			      landlord ? "units" : "sites", landlord ? "sites" : "units");
}

static void
row_check(struct setup *setup, const struct setup_row *row)
{
	const struct setup_schema *schema = setup_schema(row->kind);

	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct setup_column *column = &schema->columns[i];

		if (row->values[i] != NULL)
			value_check(setup, row, column, row->values[i]);
		else if (column->required)
			setup_problem(setup, row->line, "%s has no %s", schema->singular,
				      column->name);
	}
	if (row->kind == SETUP_DESKS)
		desk_check(setup, row);
	if (row->kind == SETUP_DOORS && (row->values[COLUMN_DOOR_CONTROLLER] == NULL) !=
						(row->values[COLUMN_DOOR_NUMBER] == NULL))
		setup_problem(setup, row->line,
			      "door has one of controller and number, expected both or neither");
}

/* ---- Twice the same ------------------------------------------------------- */

static int
text_compare(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static int
row_compare_line(const struct setup_row *a, const struct setup_row *b)
{
	return (a->line > b->line) - (a->line < b->line);
}

static int
row_compare_key(const struct setup_row *a, const struct setup_row *b)
{
	size_t scope = setup_schema(a->kind)->scope;
	int order;

	if (a->kind != b->kind)
		return (int)a->kind - (int)b->kind;
	order = text_compare(a->values[COLUMN_KEY], b->values[COLUMN_KEY]);
	if (order != 0 || scope == 0)
		return order;
	return text_compare(a->values[scope], b->values[scope]);
}

static int
rows_by_key(const void *a, const void *b)
{
	const struct setup_row *const *x = a, *const *y = b;
	int order = row_compare_key(*x, *y);

	return order != 0 ? order : row_compare_line(*x, *y);
}

/* "07" and "7" are one number. */
static long
row_door_number(const struct setup_row *row)
{
	const char *number = row->values[COLUMN_DOOR_NUMBER];

	return number == NULL ? 0 : strtol(number, NULL, 10);
}

static int
row_compare_place(const struct setup_row *a, const struct setup_row *b)
{
	long x = row_door_number(a), y = row_door_number(b);
	int order =
		text_compare(a->values[COLUMN_DOOR_CONTROLLER], b->values[COLUMN_DOOR_CONTROLLER]);

	return order != 0 ? order : (x > y) - (x < y);
}

static int
rows_by_place(const void *a, const void *b)
{
	const struct setup_row *const *x = a, *const *y = b;
	int order = row_compare_place(*x, *y);

	return order != 0 ? order : row_compare_line(*x, *y);
}

static void
check_doubles(struct setup *setup, struct setup_row **sorted, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct setup_row *row = sorted[i], *before = sorted[i - 1];

		if (row->values[COLUMN_KEY] != NULL && row_compare_key(row, before) == 0)
			setup_problem(setup, row->line, "%s \"%.64s\" is there already, in line %u",
				      setup_schema(row->kind)->singular, row->values[COLUMN_KEY],
				      before->line);
	}
}

/* Two doors can't have one number on one controller. */
static void
check_places(struct setup *setup, struct setup_row **doors, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct setup_row *row = doors[i], *before = doors[i - 1];

		if (row_door_number(row) != 0 && row_compare_place(row, before) == 0)
			setup_problem(setup, row->line,
				      "controller \"%.64s\" has a door of number %ld already, in "
				      "line %u",
				      row->values[COLUMN_DOOR_CONTROLLER], row_door_number(row),
				      before->line);
	}
}

/* ---- The tree of areas ---------------------------------------------------- */

static const struct setup_row *
area_parent(struct setup_row **sorted, size_t n, const struct setup_row *area)
{
	struct setup_row wanted = {.kind = SETUP_AREAS};
	size_t low = 0, high = n;

	if (area->values[COLUMN_AREA_PARENT] == NULL)
		return NULL;
	wanted.values[COLUMN_KEY] = area->values[COLUMN_AREA_PARENT];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = row_compare_key(sorted[middle], &wanted);

		if (order == 0)
			return sorted[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL; /* then the register has to have it */
}

/* A circle is found by its depth: there is no end to it. */
static void
area_set_depth(struct setup *setup, struct setup_row **sorted, size_t n, struct setup_row *area)
{
	const struct setup_row *above = area_parent(sorted, n, area);

	while (above != NULL && area->depth < SETUP_AREA_DEPTH_MAX) {
		area->depth++;
		above = area_parent(sorted, n, above);
	}
	if (above != NULL)
		setup_problem(setup, area->line,
			      "area \"%.64s\" lies below itself, or below more than %d others",
			      area->values[COLUMN_KEY] != NULL ? area->values[COLUMN_KEY] : "",
			      SETUP_AREA_DEPTH_MAX);
}

static int
rows_by_reference(const void *a, const void *b)
{
	const struct setup_row *x = a, *y = b;

	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	if (x->line != y->line)
		return row_compare_line(x, y);
	return row_compare_key(x, y);
}

bool
setup_check(struct setup *setup)
{
	size_t n = setup->n_rows, n_doors = 0;
	struct setup_row **sorted = xcalloc(n + 1, sizeof(*sorted));
	struct setup_row **doors = xcalloc(n + 1, sizeof(*doors));

	for (size_t i = 0; i < n; i++) {
		row_check(setup, &setup->rows[i]);
		sorted[i] = &setup->rows[i];
		if (setup->rows[i].kind == SETUP_DOORS)
			doors[n_doors++] = &setup->rows[i];
	}
	qsort(sorted, n, sizeof(*sorted), rows_by_key);
	check_doubles(setup, sorted, n);
	qsort(doors, n_doors, sizeof(*doors), rows_by_place);
	check_places(setup, doors, n_doors);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i]->kind == SETUP_AREAS)
			area_set_depth(setup, sorted, n, sorted[i]);
	}
	free(sorted);
	free(doors);
	/* moves the rows: the pointers above are gone */
	if (n > 0)
		qsort(setup->rows, n, sizeof(*setup->rows), rows_by_reference);
	return setup->n_problems == 0;
}
