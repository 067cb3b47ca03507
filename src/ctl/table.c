/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table keeps its rows until it is printed, because the width of a column is
 * only known then.  A register of 10,000 doors is a megabyte; lists that are
 * larger don't come through here.
 *
 * Owner: one thread.  Values are the register's text; they are made harmless
 * for the terminal when they are printed, not before, so that JSON has them as
 * they are.
 */
#include "ctl/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/text.h"

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char **cells; /* n_rows * n_columns; NULL is null */
	size_t n_rows, capacity;
};

struct table *
table_new(const struct table_column *columns, size_t n)
{
	struct table *table = xcalloc(1, sizeof(*table));

	must(n > 0 && n <= TABLE_COLUMNS_MAX);
	table->columns = columns;
	table->n_columns = n;
	return table;
}

void
table_free(struct table **table)
{
	struct table *t = *table;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
	*table = NULL;
}

void
table_add_row(struct table *table, const char *const *values)
{
	char **row;

	if (table->n_rows == table->capacity) {
		table->capacity = table->capacity == 0 ? 16 : table->capacity * 2;
		table->cells = xrealloc(table->cells,
					table->capacity * table->n_columns * sizeof(*table->cells));
	}
	row = table->cells + table->n_rows * table->n_columns;
	for (size_t i = 0; i < table->n_columns; i++)
		row[i] = values[i] == NULL ? NULL : xstrdup(values[i]);
	table->n_rows++;
}

size_t
table_n_rows(const struct table *table)
{
	return table->n_rows;
}

static bool
cell_is_true(const char *cell)
{
	return cell[0] == 't' || cell[0] == 'y';
}

/* What people see in the place of a value. */
static const char *
cell_shown(enum table_type type, const char *cell)
{
	if (cell == NULL || cell[0] == '\0')
		return "-";
	if (type == TABLE_BOOL)
		return cell_is_true(cell) ? "yes" : "no";
	return cell;
}

static void
table_measure(const struct table *table, size_t width[TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < table->n_columns; i++)
		width[i] = text_width(table->columns[i].name);
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++) {
		size_t column = i % table->n_columns;
		enum table_type type = table->columns[column].type;
		size_t needed = text_width(cell_shown(type, table->cells[i]));

		if (needed > width[column])
			width[column] = needed;
	}
}

/* No blanks behind the last column: lines end where their text does. */
static void
table_print_cell(const struct table *table, size_t column, const char *shown, const size_t *width,
		 FILE *out)
{
	bool right = table->columns[column].type == TABLE_NUMBER;
	bool last = column + 1 == table->n_columns;

	text_put_padded(out, shown, last && !right ? 0 : width[column], right);
	(void)fputs(last ? "\n" : "  ", out);
}

void
table_print(const struct table *table, FILE *out)
{
	size_t width[TABLE_COLUMNS_MAX];

	table_measure(table, width);
	for (size_t i = 0; i < table->n_columns; i++)
		table_print_cell(table, i, table->columns[i].name, width, out);
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++) {
		size_t column = i % table->n_columns;
		enum table_type type = table->columns[column].type;

		table_print_cell(table, column, cell_shown(type, table->cells[i]), width, out);
	}
}

/* NULL when it is none. */
static json_t *
cell_json_real(const char *cell)
{
	char *end;
	double number = strtod(cell, &end);

	return *end == '\0' ? json_real(number) : NULL;
}

/* New reference; null for what JSON can't say. */
static json_t *
cell_json(enum table_type type, const char *cell)
{
	json_t *value = NULL;
	char *end;
	long long number;

	if (cell == NULL)
		return json_null();
	switch (type) {
	case TABLE_TEXT:
		value = json_string(cell);
		break;
	case TABLE_NUMBER:
		errno = 0;
		number = strtoll(cell, &end, 10);
		if (errno == 0 && end != cell && *end == '\0')
			value = json_integer(number);
		else if (errno == 0 && *end == '.')
			value = cell_json_real(cell);
		break;
	case TABLE_BOOL:
		value = json_boolean(cell_is_true(cell));
		break;
	}
	return value != NULL ? value : json_null();
}

json_t *
table_json(const struct table *table)
{
	json_t *rows = json_array();

	must(rows != NULL);
	for (size_t r = 0; r < table->n_rows; r++) {
		json_t *row = json_object();

		for (size_t c = 0; c < table->n_columns; c++) {
			const struct table_column *column = &table->columns[c];
			const char *cell = table->cells[r * table->n_columns + c];

			must(json_object_set_new(row, column->name,
						 cell_json(column->type, cell)) == 0);
		}
		must(json_array_append_new(rows, row) == 0);
	}
	return rows;
}

enum rc
table_print_json(const struct table *table, FILE *out, struct err *err)
{
	json_t *rows = table_json(table);
	enum rc rc = RC_OK;

	if (json_dumpf(rows, out, JSON_INDENT(2)) != 0 || fputc('\n', out) == EOF)
		rc = err_sys(err, "could not write the list");
	json_decref(rows);
	return rc;
}
