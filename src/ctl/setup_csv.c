/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A setup as CSV: rows of one kind, the first line names the columns.  libcsv
 * does the quoting; it doesn't count lines, so it is fed line by line, and a row
 * belongs to the line where it began.
 *
 * Owner: one thread.
 */
#include <csv.h>
#include <string.h>

#include "ctl/setup.h"

struct reader {
	struct setup *setup;
	enum setup_kind kind;
	size_t columns[SETUP_COLUMNS_MAX]; /* of the header, in its order */
	size_t n_columns;
	bool has_header;
	bool stop;             /* the header is wrong, or there are too many rows */
	struct setup_row *row; /* the row that is being read */
	size_t field;          /* its next field */
	unsigned line;         /* where the row began */
};

static void
reader_add_column(struct reader *reader, const char *name, size_t n)
{
	size_t column;

	if (!setup_find_column(reader->kind, name, n, &column)) {
		setup_problem(reader->setup, reader->line, "%s have no column \"%.*s\"",
			      setup_schema(reader->kind)->plural, n > 64 ? 64 : (int)n, name);
		reader->stop = true;
		return;
	}
	for (size_t i = 0; i < reader->n_columns; i++) {
		if (reader->columns[i] == column) {
			setup_problem(reader->setup, reader->line, "column %s is there twice",
				      setup_schema(reader->kind)->columns[column].name);
			reader->stop = true;
			return;
		}
	}
	/* no column twice, and only known ones: there is room */
	reader->columns[reader->n_columns++] = column;
}

static void
reader_add_field(struct reader *reader, const char *value, size_t n)
{
	if (reader->row == NULL)
		reader->row = setup_add_row(reader->setup, reader->kind, reader->line);
	if (reader->row == NULL)
		reader->stop = true;
	else if (reader->field < reader->n_columns)
		setup_set_value(reader->setup, reader->row, reader->columns[reader->field], value,
				n, reader->line);
	reader->field++;
}

static void
reader_field(void *bytes, size_t n, void *arg)
{
	struct reader *reader = arg;

	if (reader->stop)
		return;
	if (reader->has_header)
		reader_add_field(reader, bytes, n);
	else
		reader_add_column(reader, bytes, n);
}

static void
reader_row_end(int terminator, void *arg)
{
	struct reader *reader = arg;

	(void)terminator;
	if (reader->has_header && !reader->stop && reader->field != reader->n_columns)
		setup_problem(reader->setup, reader->line,
			      "the row has %zu fields, expected %zu as in the first line",
			      reader->field, reader->n_columns);
	reader->has_header = true;
	reader->row = NULL;
	reader->field = 0;
	reader->line = 0;
}

/* Bytes up to and with the end of the line. */
static size_t
line_bytes(const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);

	return end == NULL ? n : (size_t)(end - text) + 1;
}

static bool
line_is_blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strchr(" \t\r\n", text[i]) == NULL)
			return false;
	}
	return true;
}

static void
reader_feed(struct reader *reader, struct csv_parser *parser, const char *text, size_t n)
{
	unsigned line = 0;

	while (n > 0 && !reader->stop) {
		size_t bytes = line_bytes(text, n);

		line++;
		/* a line without a byte of a row doesn't begin one */
		if (reader->line == 0 && !line_is_blank(text, bytes))
			reader->line = line;
		if (csv_parse(parser, text, bytes, reader_field, reader_row_end, reader) != bytes) {
			setup_problem(reader->setup, line, "this is not CSV: %s",
				      csv_strerror(csv_error(parser)));
			return;
		}
		text += bytes;
		n -= bytes;
	}
	if (csv_fini(parser, reader_field, reader_row_end, reader) != 0)
		setup_problem(reader->setup, reader->line, "a quoted field does not end");
}

void
setup_read_csv(struct setup *setup, enum setup_kind kind, const char *text, size_t n)
{
	static const char mark[] = "\xEF\xBB\xBF"; /* UTF-8's, as spreadsheets write it */
	struct reader reader = {.setup = setup, .kind = kind};
	struct csv_parser parser;

	if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
		setup_problem(setup, 0, "out of memory");
		return;
	}
	if (n >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
		text += strlen(mark);
		n -= strlen(mark);
	}
	reader_feed(&reader, &parser, text, n);
	csv_free(&parser);
	if (!reader.has_header && setup->n_problems == 0)
		setup_problem(setup, 0,
			      "the file is empty, expected a line with the columns' names");
}
