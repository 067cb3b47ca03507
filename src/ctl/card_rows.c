/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the rows, gathers what is wrong with them, and writes the bad ones out again.
 * What a value of a column is, is card_column.c's; what the register has to say about
 * a row, card_plan.c's.
 *
 * Owner: one thread.
 */
#include "ctl/card_rows.h"

#include <csv.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "ctl/card_column.h"
#include "ctl/csv_rows.h"
#include "ctl/text.h"

const char card_rows_header[] =
	"card_key,kind,unit,valid_from,valid_until,doors,group,right_from,right_until,hours";

static const char personal_prefix[] = "personal.";

struct reader {
	struct card_rows *rows;
	const char *zone_name;
	struct header *header;
	struct card_row *row; /* that is being read; NULL: none */
	size_t field;
	bool has_header;
};

enum { FIELDS_MAX = CARD_COLUMNS + CARD_PERSONAL_MAX };

/* The first line: which column each field is. */
struct header {
	struct {
		const struct card_column *column; /* NULL: a personal field */
		char *personal;                   /* its name */
	} fields[FIELDS_MAX];
	size_t n;
};

/* ---- Problems ------------------------------------------------------------------------ */

static void
rows_note(struct card_rows *rows, char *text)
{
	if (rows->n_problems < CARD_ROWS_PROBLEMS_MAX)
		rows->problems[rows->n_problems] = text;
	else
		free(text);
	rows->n_problems++;
}

void
card_rows_problem(struct card_rows *rows, struct card_row *row, const char *column, const char *fmt,
		  ...)
{
	char what[320];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	rows_note(rows, xasprintf("%s:%u: %s: %s", rows->label, row->line, column, what));
	if (row->problem != NULL)
		return;
	row->problem = xasprintf("%s: %s", column, what);
	rows->n_bad++;
}

static void
rows_unusable(struct card_rows *rows, unsigned line, const char *what, const char *name)
{
	rows_note(rows, line > 0 ? xasprintf("%s:%u: %s%s", rows->label, line, what, name)
				 : xasprintf("%s: %s%s", rows->label, what, name));
	rows->unusable = true;
}

void
card_rows_print_problems(const struct card_rows *rows, FILE *out)
{
	size_t shown = rows->n_problems < CARD_ROWS_PROBLEMS_MAX ? rows->n_problems
								 : CARD_ROWS_PROBLEMS_MAX;

	for (size_t i = 0; i < shown; i++) {
		text_put(out, rows->problems[i]);
		(void)fputc('\n', out);
	}
	if (rows->n_problems > shown)
		(void)fprintf(out, "and %zu more\n", rows->n_problems - shown);
}

/* ---- The first line ------------------------------------------------------------------- */

static bool
header_has(const struct header *header, const struct card_column *column, const char *personal)
{
	for (size_t i = 0; i < header->n; i++) {
		if (column != NULL ? header->fields[i].column == column
				   : header->fields[i].personal != NULL &&
					     strcmp(header->fields[i].personal, personal) == 0)
			return true;
	}
	return false;
}

static bool
header_add(struct reader *reader, const char *name, unsigned line)
{
	struct header *header = reader->header;
	size_t prefix = strlen(personal_prefix);
	bool is_personal = strncmp(name, personal_prefix, prefix) == 0 && name[prefix] != '\0';
	const struct card_column *column = card_column_by_name(name);
	const char *what = NULL;

	if (column == NULL && !is_personal)
		what = "cards have no column ";
	else if (header_has(header, column, is_personal ? name + prefix : ""))
		what = "this column is there twice: ";
	else if (header->n == FIELDS_MAX)
		what = "more columns of personal fields than can be sealed, from ";
	if (what != NULL) {
		rows_unusable(reader->rows, line, what, name);
		return false;
	}
	header->fields[header->n].column = column;
	header->fields[header->n].personal = column == NULL ? xstrdup(name + prefix) : NULL;
	header->n++;
	return true;
}

static bool
header_end(struct reader *reader, unsigned line)
{
	bool card = header_has(reader->header, card_column_by_name("card"), "");
	bool key = header_has(reader->header, card_column_by_name("card_key"), "");

	reader->has_header = true;
	reader->rows->has_problems = header_has(reader->header, card_column_by_name("problem"), "");
	if (card != key)
		return true;
	rows_unusable(reader->rows, line, "expected either a column card or a column card_key", "");
	return false;
}

/* ---- Rows ------------------------------------------------------------------------------ */

static struct card_row *
rows_add(struct card_rows *rows, unsigned line)
{
	if (rows->n == CARD_ROWS_MAX)
		return NULL;
	if (rows->n == rows->capacity) {
		rows->capacity = rows->capacity == 0 ? 256 : rows->capacity * 2;
		rows->items = xrealloc(rows->items, rows->capacity * sizeof(*rows->items));
	}
	rows->items[rows->n] = (struct card_row){.line = line};
	return &rows->items[rows->n++];
}

static void
row_take_personal(struct reader *reader, const char *name, const char *value)
{
	struct card_row *row = reader->row;

	if (row->personal == NULL)
		row->personal = json_object();
	if (row->personal == NULL ||
	    json_object_set_new(row->personal, name, json_string(value)) != 0)
		card_rows_problem(reader->rows, row, name, "not UTF-8");
}

static void
row_take(struct reader *reader, const char *value)
{
	struct card_row *row = reader->row;
	const struct card_column *column;
	struct err err;

	if (reader->field >= reader->header->n || value[0] == '\0')
		return;
	column = reader->header->fields[reader->field].column;
	if (column == NULL)
		row_take_personal(reader, reader->header->fields[reader->field].personal, value);
	else if (column->take(row, value, reader->zone_name, &err) != RC_OK)
		card_rows_problem(reader->rows, row, column->name, "%s", err.msg);
}

static bool
reader_field(void *arg, const char *value, size_t n, unsigned line)
{
	struct reader *reader = arg;
	char *text;
	bool more = true;

	while (n > 0 && value[0] == ' ')
		value++, n--;
	while (n > 0 && value[n - 1] == ' ')
		n--;
	text = xasprintf("%.*s", (int)n, value);
	if (!reader->has_header) {
		more = header_add(reader, text, line);
	} else {
		if (reader->row == NULL)
			reader->row = rows_add(reader->rows, line);
		if (reader->row == NULL) {
			rows_unusable(reader->rows, line, "more rows than can be read at once", "");
			more = false;
		} else {
			row_take(reader, text);
			reader->field++;
		}
	}
	explicit_bzero(text, strlen(text));
	free(text);
	return more;
}

static bool
reader_row_end(void *arg, unsigned line)
{
	struct reader *reader = arg;
	struct card_row *row = reader->row;

	if (!reader->has_header)
		return header_end(reader, line);
	if (row != NULL && reader->field != reader->header->n)
		card_rows_problem(reader->rows, row, "row", "has %zu fields, expected %zu",
				  reader->field, reader->header->n);
	else if (row != NULL && row->number.len == 0 && row->problem == NULL &&
		 header_has(reader->header, card_column_by_name("card"), ""))
		card_rows_problem(reader->rows, row, "card", "the card number is missing");
	reader->row = NULL;
	reader->field = 0;
	return true;
}

static void
reader_mistake(void *arg, unsigned line, const char *what)
{
	struct reader *reader = arg;

	rows_unusable(reader->rows, line, "this is not CSV: ", what);
}

enum rc
card_rows_read(struct card_rows **out, const char *path, const char *zone_name, struct err *err)
{
	static const struct csv_rows_hooks hooks = {reader_field, reader_row_end, reader_mistake};
	struct header header = {0};
	struct card_rows *rows = xcalloc(1, sizeof(*rows));
	struct reader reader = {.rows = rows, .zone_name = zone_name, .header = &header};
	uint8_t *text = NULL;
	enum rc rc = fs_read_file(path, CARD_ROWS_FILE_MAX, &text, &rows->text_len, err);

	rows->label = xstrdup(path);
	rows->text = (char *)text;
	if (rc == RC_OK) {
		(void)csv_rows_read(rows->text, rows->text_len, &hooks, &reader);
		if (!reader.has_header && !rows->unusable)
			rows_unusable(rows, 0,
				      "the file is empty, expected a line with the "
				      "columns' names",
				      "");
	}
	for (size_t i = 0; i < header.n; i++)
		free(header.fields[i].personal);
	if (rc != RC_OK)
		card_rows_free(&rows);
	*out = rows;
	return rc;
}

/* jansson keeps texts in memory of its own: they are overwritten where they stand. */
static void
personal_wipe(json_t *personal)
{
	const char *name;
	json_t *value;

	json_object_foreach (personal, name, value) {
		explicit_bzero((char *)(uintptr_t)json_string_value(value),
			       json_string_length(value));
	}
	json_decref(personal);
}

void
card_rows_free(struct card_rows **out)
{
	struct card_rows *rows = *out;

	if (rows == NULL)
		return;
	*out = NULL;
	for (size_t i = 0; i < rows->n; i++) {
		struct card_row *row = &rows->items[i];

		for (size_t k = 0; k < row->n_doors; k++)
			free(row->doors[k]);
		free(row->unit);
		free(row->group);
		free(row->problem);
		if (row->personal != NULL)
			personal_wipe(row->personal);
		explicit_bzero(row, sizeof(*row));
	}
	for (size_t i = 0; i < CARD_ROWS_PROBLEMS_MAX; i++)
		free(rows->problems[i]);
	if (rows->text != NULL)
		explicit_bzero(rows->text, rows->text_len);
	free(rows->text);
	free(rows->items);
	free(rows->label);
	free(rows);
}

/* ---- What was skipped ------------------------------------------------------------------- */

/* Bytes up to the beginning of the line that is `lines` further down. */
static size_t
lines_bytes(const char *text, size_t n, unsigned lines)
{
	const char *at = text, *end = text + n;

	while (lines-- > 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline == NULL ? end : newline + 1;
	}
	return (size_t)(at - text);
}

/* Without what ended the line; `problem` NULL: as it stands. */
static void
write_row(const char *text, size_t n, const char *problem, FILE *out)
{
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		n--;
	(void)fwrite(text, 1, n, out);
	if (problem != NULL) {
		(void)fputc(',', out);
		(void)csv_fwrite(out, problem, strlen(problem));
	}
	(void)fputc('\n', out);
}

void
card_rows_write_bad(const struct card_rows *rows, FILE *out)
{
	const char *text = rows->text;
	size_t n = rows->text_len, bytes;
	unsigned line = 1; /* of `text` */

	for (size_t i = 0; i < rows->n; i++) {
		const struct card_row *row = &rows->items[i];

		bytes = lines_bytes(text, n, row->line - line);
		if (line == 1)
			write_row(text, bytes, rows->has_problems ? NULL : "problem", out);
		text += bytes;
		n -= bytes;
		line = row->line;
		if (row->problem == NULL)
			continue;
		bytes = i + 1 < rows->n ? lines_bytes(text, n, row[1].line - line) : n;
		write_row(text, bytes, rows->has_problems ? NULL : row->problem, out);
	}
}
