/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcsv doesn't count lines, so it is fed line by line, and a row belongs to the
 * line where it began.
 *
 * Owner: one thread per call.
 */
#include "ctl/csv_rows.h"

#include <csv.h>
#include <string.h>

struct reader {
	const struct csv_rows_hooks *hooks;
	void *arg;
	unsigned line; /* where the row began; 0: between rows */
	size_t rows;
	bool stop;
};

static void
reader_field(void *bytes, size_t n, void *arg)
{
	struct reader *reader = arg;

	if (!reader->stop)
		reader->stop = !reader->hooks->field(reader->arg, bytes, n, reader->line);
}

static void
reader_row_end(int terminator, void *arg)
{
	struct reader *reader = arg;

	(void)terminator;
	if (!reader->stop)
		reader->stop = !reader->hooks->row_end(reader->arg, reader->line);
	reader->line = 0;
	reader->rows++;
}

static void
reader_mistake(struct reader *reader, unsigned line, const char *what)
{
	if (!reader->stop)
		reader->hooks->mistake(reader->arg, line, what);
	reader->stop = true;
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
			reader_mistake(reader, line, csv_strerror(csv_error(parser)));
			return;
		}
		text += bytes;
		n -= bytes;
	}
	if (csv_fini(parser, reader_field, reader_row_end, reader) != 0)
		reader_mistake(reader, reader->line, "a quoted field does not end");
}

size_t
csv_rows_read(const char *text, size_t n, const struct csv_rows_hooks *hooks, void *arg)
{
	static const char mark[] = "\xEF\xBB\xBF"; /* UTF-8's, as spreadsheets write it */
	struct reader reader = {.hooks = hooks, .arg = arg};
	struct csv_parser parser;

	if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
		reader_mistake(&reader, 0, "out of memory");
		return 0;
	}
	if (n >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
		text += strlen(mark);
		n -= strlen(mark);
	}
	reader_feed(&reader, &parser, text, n);
	csv_free(&parser);
	return reader.rows;
}
