/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A setup as CSV: rows of one kind, the first line names the columns.
 *
 * Owner: one thread.
 */
#include "ctl/csv_rows.h"
#include "ctl/setup.h"

struct reader {
	struct setup *setup;
	enum setup_kind kind;
	size_t columns[SETUP_COLUMNS_MAX]; /* of the header, in its order */
	size_t n_columns;
	bool has_header;
	struct setup_row *row; /* the row that is being read */
	size_t field;          /* its next field */
};

/* False: the header is wrong. */
static bool
reader_add_column(struct reader *reader, const char *name, size_t n, unsigned line)
{
	size_t column;

	if (!setup_find_column(reader->kind, name, n, &column)) {
		setup_problem(reader->setup, line, "%s have no column \"%.*s\"",
			      setup_schema(reader->kind)->plural, n > 64 ? 64 : (int)n, name);
		return false;
	}
	for (size_t i = 0; i < reader->n_columns; i++) {
		if (reader->columns[i] == column) {
			setup_problem(reader->setup, line, "column %s is there twice",
				      setup_schema(reader->kind)->columns[column].name);
			return false;
		}
	}
	/* no column twice, and only known ones: there is room */
	reader->columns[reader->n_columns++] = column;
	return true;
}

/* False: there are too many rows. */
static bool
reader_add_field(struct reader *reader, const char *value, size_t n, unsigned line)
{
	if (reader->row == NULL)
		reader->row = setup_add_row(reader->setup, reader->kind, line);
	if (reader->row == NULL)
		return false;
	if (reader->field < reader->n_columns)
		setup_set_value(reader->setup, reader->row, reader->columns[reader->field], value,
				n, line);
	reader->field++;
	return true;
}

static bool
reader_field(void *arg, const char *value, size_t n, unsigned line)
{
	struct reader *reader = arg;

	return reader->has_header ? reader_add_field(reader, value, n, line)
				  : reader_add_column(reader, value, n, line);
}

static bool
reader_row_end(void *arg, unsigned line)
{
	struct reader *reader = arg;

	if (reader->has_header && reader->field != reader->n_columns)
		setup_problem(reader->setup, line,
			      "the row has %zu fields, expected %zu as in the first line",
			      reader->field, reader->n_columns);
	reader->has_header = true;
	reader->row = NULL;
	reader->field = 0;
	return true;
}

static void
reader_mistake(void *arg, unsigned line, const char *what)
{
	struct reader *reader = arg;

	setup_problem(reader->setup, line, "this is not CSV: %s", what);
}

void
setup_read_csv(struct setup *setup, enum setup_kind kind, const char *text, size_t n)
{
	static const struct csv_rows_hooks hooks = {reader_field, reader_row_end, reader_mistake};
	struct reader reader = {.setup = setup, .kind = kind};

	(void)csv_rows_read(text, n, &hooks, &reader);
	if (!reader.has_header && setup->n_problems == 0)
		setup_problem(setup, 0,
			      "the file is empty, expected a line with the columns' names");
}
