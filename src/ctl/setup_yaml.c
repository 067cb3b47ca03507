/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A setup as YAML: one mapping of lists of mappings, and nothing deeper.
 *
 *	stations:
 *	  - {code: north, name: North station}
 *
 * Read as a stream of libyaml's parser, so that memory follows the rows and not
 * the nesting.  What stands where it doesn't belong is a problem and is left
 * out as a whole; the reader goes on behind it.  Aliases are refused: a file of
 * a kilobyte could else stand for a gigabyte.
 *
 * Owner: one thread.
 */
#include <string.h>
#include <yaml.h>

#include "ctl/setup.h"

struct reader {
	struct setup *setup;
	yaml_parser_t parser;
	yaml_event_t item; /* the last one read */
	unsigned line;     /* where it begins */
	bool broken;       /* not YAML: nothing follows any more */
};

/* Reads the next item into reader->item.  False at a syntax error, which is noted. */
static bool
reader_next(struct reader *reader)
{
	yaml_event_delete(&reader->item);
	memset(&reader->item, 0, sizeof(reader->item));
	if (reader->broken)
		return false;
	if (yaml_parser_parse(&reader->parser, &reader->item) == 0) {
		const yaml_parser_t *parser = &reader->parser;

		reader->broken = true;
		setup_problem(reader->setup, (unsigned)parser->problem_mark.line + 1,
			      "this is not YAML: %s",
			      parser->problem != NULL ? parser->problem : "out of memory");
		return false;
	}
	reader->line = (unsigned)reader->item.start_mark.line + 1;
	return true;
}

static bool
reader_at(const struct reader *reader, yaml_event_type_t type)
{
	return reader->item.type == type;
}

static int
item_opens(yaml_event_type_t type)
{
	if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
		return 1;
	if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
		return -1;
	return 0;
}

/* Leaves out the rest of the value whose first item was read. */
static void
reader_skip(struct reader *reader)
{
	int depth = item_opens(reader->item.type);

	while (depth > 0 && reader_next(reader))
		depth += item_opens(reader->item.type);
}

/* Notes what was expected in the place of the item, and leaves it out. */
static void
reader_refuse(struct reader *reader, const char *expected)
{
	if (reader_at(reader, YAML_ALIAS_EVENT))
		setup_problem(reader->setup, reader->line, "aliases are not taken, expected %s",
			      expected);
	else
		setup_problem(reader->setup, reader->line, "expected %s", expected);
	reader_skip(reader);
}

static const char *
reader_text(const struct reader *reader)
{
	return (const char *)reader->item.data.scalar.value;
}

/* The column whose name was read; false (and noted) when there is none. */
static bool
reader_find_column(struct reader *reader, enum setup_kind kind, size_t *column)
{
	if (!reader_at(reader, YAML_SCALAR_EVENT)) {
		reader_refuse(reader, "the name of a column");
		return false;
	}
	if (setup_find_column(kind, reader_text(reader), reader->item.data.scalar.length, column))
		return true;
	setup_problem(reader->setup, reader->line, "%s have no column \"%.64s\"",
		      setup_schema(kind)->plural, reader_text(reader));
	return false;
}

/* `null` and `~`, unless quoted, stand for a value that is not given. */
static bool
scalar_is_null(const yaml_event_t *item)
{
	const char *text = (const char *)item->data.scalar.value;

	return item->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (strcmp(text, "null") == 0 || strcmp(text, "~") == 0);
}

/* One row, whose mapping was opened. */
static void
reader_read_row(struct reader *reader, enum setup_kind kind)
{
	struct setup_row *row = setup_add_row(reader->setup, kind, reader->line);

	if (row == NULL) {
		reader->broken = true; /* there are too many: no use in reading on */
		return;
	}
	while (reader_next(reader) && !reader_at(reader, YAML_MAPPING_END_EVENT)) {
		size_t column;
		bool known = reader_find_column(reader, kind, &column);

		if (!reader_next(reader))
			return;
		if (!reader_at(reader, YAML_SCALAR_EVENT))
			reader_refuse(reader, "a text or a number");
		else if (known && !scalar_is_null(&reader->item))
			setup_set_value(reader->setup, row, column, reader_text(reader),
					reader->item.data.scalar.length, reader->line);
	}
}

/* The value of a key at the top: a list of rows. */
static void
reader_read_rows(struct reader *reader, enum setup_kind kind)
{
	if (reader_at(reader, YAML_SCALAR_EVENT) && reader->item.data.scalar.length == 0)
		return; /* "doors:" with nothing behind it */
	if (!reader_at(reader, YAML_SEQUENCE_START_EVENT)) {
		reader_refuse(reader, "a list, each item beginning with \"-\"");
		return;
	}
	while (reader_next(reader) && !reader_at(reader, YAML_SEQUENCE_END_EVENT)) {
		if (reader_at(reader, YAML_MAPPING_START_EVENT))
			reader_read_row(reader, kind);
		else
			reader_refuse(reader, "a mapping such as {code: a, name: b}");
	}
}

static void
reader_read_top(struct reader *reader)
{
	while (reader_next(reader) && !reader_at(reader, YAML_MAPPING_END_EVENT)) {
		enum setup_kind kind = SETUP_STATIONS;
		bool known = reader_at(reader, YAML_SCALAR_EVENT) &&
			     setup_kind_by_name(reader_text(reader), &kind);

		if (!known)
			reader_refuse(reader, "one of " SETUP_KIND_NAMES);
		if (!reader_next(reader))
			return;
		if (known)
			reader_read_rows(reader, kind);
		else
			reader_skip(reader);
	}
}

static void
reader_read_document(struct reader *reader)
{
	if (!reader_next(reader) || !reader_next(reader))
		return;
	if (reader_at(reader, YAML_STREAM_END_EVENT)) {
		setup_problem(reader->setup, 0, "the file is empty");
		return;
	}
	if (!reader_next(reader))
		return;
	if (!reader_at(reader, YAML_MAPPING_START_EVENT)) {
		reader_refuse(reader, "lists with names, such as \"stations:\"");
		return;
	}
	reader_read_top(reader);
	/* the end of the document, then of the stream */
	if (reader_next(reader) && reader_next(reader) && !reader_at(reader, YAML_STREAM_END_EVENT))
		setup_problem(reader->setup, reader->line, "expected one document only");
}

void
setup_read_yaml(struct setup *setup, const char *text, size_t n)
{
	struct reader reader = {.setup = setup};

	if (yaml_parser_initialize(&reader.parser) == 0) {
		setup_problem(setup, 0, "out of memory");
		return;
	}
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, n);
	reader_read_document(&reader);
	yaml_event_delete(&reader.item);
	yaml_parser_delete(&reader.parser);
}
