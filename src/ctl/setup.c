/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a setup: the table of their columns, their memory, and the mistakes
 * found in them.  Checks over several rows are in setup_check.c, the two forms
 * of files in setup_yaml.c and setup_csv.c.
 *
 * Owner: one thread.  Doesn't know PostgreSQL, and prints nothing by itself.
 */
#include "ctl/setup.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

static const struct setup_column station_columns[] = {
	{"code", SETUP_CODE, true, "short code, by which areas and consoles refer to it"},
	{"name", SETUP_LABEL, true, "name for people"},
};
static const struct setup_column area_columns[] = {
	{"code", SETUP_CODE, true, "short code, by which sites and other areas refer to it"},
	{"name", SETUP_LABEL, true, "name for people"},
	{"parent", SETUP_CODE, false, "code of the area that it is a part of"},
	{"station", SETUP_CODE, false,
	 "code of the station responsible; that of the parent otherwise"},
};
static const struct setup_column site_columns[] = {
	{"code", SETUP_CODE, true, "short code, by which controllers and doors refer to it"},
	{"name", SETUP_LABEL, true, "name for people"},
	{"area", SETUP_CODE, true, "code of the area that it lies in"},
	{"address", SETUP_LABEL, false, "standard address, where somebody is sent to"},
	{"timezone", SETUP_CODE, false,
	 "its time zone, as Europe/Berlin; as it was, or UTC, otherwise"},
};
static const struct setup_column controller_columns[] = {
	{"name", SETUP_CLIENT, true, "name, as in its certificate"},
	{"site", SETUP_CODE, true, "code of the site where it hangs"},
};
static const struct setup_column door_columns[] = {
	{"code", SETUP_CODE, true, "short code, unique over all sites"},
	{"name", SETUP_LABEL, true, "name for people"},
	{"site", SETUP_CODE, true, "code of its site"},
	{"controller", SETUP_CLIENT, false, "name of the controller that serves it"},
	{"number", SETUP_NUMBER, false, "its number on that controller, from 1"},
	{"address", SETUP_LABEL, false, "standard address; that of the site otherwise"},
};
static const struct setup_column unit_columns[] = {
	{"code", SETUP_CODE, true, "short code, unique within its site"},
	{"name", SETUP_LABEL, true, "name for people; never that of who lives there"},
	{"site", SETUP_CODE, true, "code of its site"},
	{"address", SETUP_LABEL, false, "standard address; that of the site otherwise"},
	{"doors", SETUP_LIST, false, "codes of the doors on the way to it, with commas between"},
};
static const struct setup_column group_columns[] = {
	{"code", SETUP_CODE, true, "short code, unique within its site"},
	{"name", SETUP_LABEL, true, "name for people"},
	{"site", SETUP_CODE, true, "code of its site"},
	{"doors", SETUP_LIST, false, "codes of its doors, with commas between"},
};
static const struct setup_column desk_columns[] = {
	{"name", SETUP_CLIENT, true, "name, as in its certificate"},
	{"role", SETUP_RIGHT, true,
	 "landlord (cards of its own units) or manager (all cards of its sites)"},
	{"sites", SETUP_LIST, false, "codes of a manager's sites, with commas between"},
	{"units", SETUP_LIST, false, "a landlord's units as SITE/UNIT, with commas between"},
};
static const struct setup_column console_columns[] = {
	{"name", SETUP_CLIENT, true, "name, as in its certificate"},
	{"station", SETUP_CODE, true, "code of the station that it belongs to"},
	{"role", SETUP_CODE, false,
	 "dispatcher, or supervisor, who may do more; dispatcher at first"},
};

#define SCHEMA(plural, singular, columns)                                                          \
	{                                                                                          \
		plural, singular, columns, ARRAY_LEN(columns), 0                                   \
	}
#define SCHEMA_OF_SITE(plural, singular, columns)                                                  \
	{                                                                                          \
		plural, singular, columns, ARRAY_LEN(columns), 2                                   \
	}
static const struct setup_schema schemas[SETUP_KINDS] = {
	[SETUP_STATIONS] = SCHEMA("stations", "station", station_columns),
	[SETUP_AREAS] = SCHEMA("areas", "area", area_columns),
	[SETUP_SITES] = SCHEMA("sites", "site", site_columns),
	[SETUP_CONTROLLERS] = SCHEMA("controllers", "controller", controller_columns),
	[SETUP_DOORS] = SCHEMA("doors", "door", door_columns),
	[SETUP_UNITS] = SCHEMA_OF_SITE("units", "unit", unit_columns),
	[SETUP_GROUPS] = SCHEMA_OF_SITE("groups", "group", group_columns),
	[SETUP_DESKS] = SCHEMA("desks", "desk", desk_columns),
	[SETUP_CONSOLES] = SCHEMA("consoles", "console", console_columns),
};
#undef SCHEMA
#undef SCHEMA_OF_SITE

const struct setup_schema *
setup_schema(enum setup_kind kind)
{
	return &schemas[kind];
}

bool
setup_kind_by_name(const char *plural, enum setup_kind *kind)
{
	for (int i = 0; i < SETUP_KINDS; i++) {
		if (strcmp(schemas[i].plural, plural) == 0) {
			*kind = (enum setup_kind)i;
			return true;
		}
	}
	return false;
}

bool
setup_find_column(enum setup_kind kind, const char *name, size_t n, size_t *column)
{
	const struct setup_schema *schema = &schemas[kind];

	for (size_t i = 0; i < schema->n_columns; i++) {
		if (strlen(schema->columns[i].name) == n &&
		    memcmp(schema->columns[i].name, name, n) == 0) {
			*column = i;
			return true;
		}
	}
	return false;
}

struct setup *
setup_new(const char *label)
{
	struct setup *setup = xcalloc(1, sizeof(*setup));

	setup->label = label == NULL ? NULL : xstrdup(label);
	return setup;
}

void
setup_free(struct setup **setup)
{
	struct setup *s = *setup;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_rows; i++) {
		for (size_t c = 0; c < SETUP_COLUMNS_MAX; c++)
			free(s->rows[i].values[c]);
	}
	for (size_t i = 0; i < SETUP_PROBLEMS_MAX; i++)
		free(s->problems[i]);
	free(s->rows);
	free(s->label);
	free(s);
	*setup = NULL;
}

struct setup_row *
setup_add_row(struct setup *setup, enum setup_kind kind, unsigned line)
{
	struct setup_row *row;

	if (setup->n_rows == SETUP_ROWS_MAX) {
		setup_problem(setup, line,
			      "there are more than %d rows; give them in several files",
			      SETUP_ROWS_MAX);
		return NULL;
	}
	if (setup->n_rows == setup->capacity) {
		setup->capacity = setup->capacity == 0 ? 16 : setup->capacity * 2;
		setup->rows = xrealloc(setup->rows, setup->capacity * sizeof(*setup->rows));
	}
	row = &setup->rows[setup->n_rows++];
	*row = (struct setup_row){.kind = kind, .line = line};
	return row;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void
setup_set_value(struct setup *setup, struct setup_row *row, size_t column, const char *value,
		size_t n, unsigned line)
{
	const struct setup_column *about = &schemas[row->kind].columns[column];

	while (n > 0 && is_blank(value[0])) {
		value++;
		n--;
	}
	while (n > 0 && is_blank(value[n - 1]))
		n--;
	if (n == 0)
		return;
	if (memchr(value, '\0', n) != NULL) {
		setup_problem(setup, line, "%s contains a zero byte", about->name);
		return;
	}
	if (row->values[column] != NULL) {
		setup_problem(setup, line, "%s is given twice", about->name);
		return;
	}
	row->values[column] = xcalloc(n + 1, 1);
	memcpy(row->values[column], value, n);
}

void
setup_problem(struct setup *setup, unsigned line, const char *fmt, ...)
{
	char text[320];
	va_list args;
	char *where;

	if (setup->n_problems++ >= SETUP_PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (setup->label == NULL)
		where = xstrdup("");
	else if (line == 0)
		where = xasprintf("%s: ", setup->label);
	else
		where = xasprintf("%s:%u: ", setup->label, line);
	setup->problems[setup->n_problems - 1] = xasprintf("%s%s", where, text);
	free(where);
}

void
setup_print_problems(const struct setup *setup, FILE *out)
{
	size_t kept =
		setup->n_problems < SETUP_PROBLEMS_MAX ? setup->n_problems : SETUP_PROBLEMS_MAX;

	/* FILE:LINE: stands first, where editors look for it */
	for (size_t i = 0; i < kept; i++)
		(void)fprintf(out, "%s%s\n", setup->label == NULL ? "gatehousectl: " : "",
			      setup->problems[i]);
	if (setup->n_problems > kept)
		(void)fprintf(out, "gatehousectl: and %zu more\n", setup->n_problems - kept);
}

char *
setup_summary(const struct setup *setup)
{
	size_t counts[SETUP_KINDS] = {0};
	char *text = xstrdup("");

	for (size_t i = 0; i < setup->n_rows; i++)
		counts[setup->rows[i].kind]++;
	for (size_t kind = 0; kind < SETUP_KINDS; kind++) {
		char *longer;

		if (counts[kind] == 0)
			continue;
		longer = xasprintf("%s%s%zu %s", text, text[0] == '\0' ? "" : ", ", counts[kind],
				   counts[kind] == 1 ? schemas[kind].singular
						     : schemas[kind].plural);
		free(text);
		text = longer;
	}
	return text;
}

enum rc
setup_read_file(struct setup **setup, const char *path, bool csv, enum setup_kind kind,
		struct err *err)
{
	uint8_t *bytes;
	size_t n;
	enum rc rc = fs_read_file(path, SETUP_FILE_MAX, &bytes, &n, err);

	if (rc != RC_OK)
		return rc;
	*setup = setup_new(path);
	if (csv)
		setup_read_csv(*setup, kind, (const char *)bytes, n);
	else
		setup_read_yaml(*setup, (const char *)bytes, n);
	free(bytes);
	return RC_OK;
}
