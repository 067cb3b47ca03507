/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl station list` and its like: a list of the register, as a table or
 * as JSON; and `gatehousectl gaps`, which is one of the records.  The columns are PostgreSQL's;
 * what they are numbers of is known here.  Owner: the main thread.
 */
#include <string.h>

#include "ctl/setup.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "store/admin.h"

static const struct table_column station_columns[] = {
	{"code", TABLE_TEXT},
	{"name", TABLE_TEXT},
	{"areas", TABLE_NUMBER},
	{"consoles", TABLE_NUMBER},
};
static const struct table_column area_columns[] = {
	{"code", TABLE_TEXT},
	{"name", TABLE_TEXT},
	{"parent", TABLE_TEXT},
	{"station", TABLE_TEXT},
};
static const struct table_column site_columns[] = {
	{"code", TABLE_TEXT},          {"name", TABLE_TEXT},    {"area", TABLE_TEXT},
	{"station", TABLE_TEXT},       {"address", TABLE_TEXT}, {"timezone", TABLE_TEXT},
	{"controllers", TABLE_NUMBER}, {"doors", TABLE_NUMBER},
};
static const struct table_column door_columns[] = {
	{"code", TABLE_TEXT},       {"name", TABLE_TEXT},     {"site", TABLE_TEXT},
	{"controller", TABLE_TEXT}, {"number", TABLE_NUMBER}, {"address", TABLE_TEXT},
};
static const struct table_column controller_columns[] = {
	{"name", TABLE_TEXT},    {"site", TABLE_TEXT},        {"enabled", TABLE_BOOL},
	{"doors", TABLE_NUMBER}, {"last_record", TABLE_TEXT},
};
static const struct table_column console_columns[] = {
	{"name", TABLE_TEXT},
	{"station", TABLE_TEXT},
	{"role", TABLE_TEXT},
	{"enabled", TABLE_BOOL},
};
static const struct table_column unit_columns[] = {
	{"code", TABLE_TEXT},    {"name", TABLE_TEXT},  {"site", TABLE_TEXT},
	{"address", TABLE_TEXT}, {"doors", TABLE_TEXT},
};
static const struct table_column group_columns[] = {
	{"code", TABLE_TEXT},
	{"name", TABLE_TEXT},
	{"site", TABLE_TEXT},
	{"doors", TABLE_TEXT},
};
static const struct table_column desk_columns[] = {
	{"name", TABLE_TEXT},  {"role", TABLE_TEXT},    {"sites", TABLE_TEXT},
	{"units", TABLE_TEXT}, {"enabled", TABLE_BOOL},
};

static const struct table_column gap_columns[] = {
	{"controller", TABLE_TEXT}, {"epoch", TABLE_NUMBER},   {"from", TABLE_NUMBER},
	{"to", TABLE_NUMBER},       {"records", TABLE_NUMBER}, {"since", TABLE_TEXT},
	{"state", TABLE_TEXT},      {"filled", TABLE_TEXT},
};

struct list {
	enum admin_list what;
	const struct table_column *columns;
	size_t n_columns;
};

static const struct list lists[SETUP_KINDS] = {
	[SETUP_STATIONS] = {ADMIN_STATIONS, station_columns, ARRAY_LEN(station_columns)},
	[SETUP_AREAS] = {ADMIN_AREAS, area_columns, ARRAY_LEN(area_columns)},
	[SETUP_SITES] = {ADMIN_SITES, site_columns, ARRAY_LEN(site_columns)},
	[SETUP_CONTROLLERS] = {ADMIN_CONTROLLERS, controller_columns,
			       ARRAY_LEN(controller_columns)},
	[SETUP_DOORS] = {ADMIN_DOORS, door_columns, ARRAY_LEN(door_columns)},
	[SETUP_UNITS] = {ADMIN_UNITS, unit_columns, ARRAY_LEN(unit_columns)},
	[SETUP_GROUPS] = {ADMIN_GROUPS, group_columns, ARRAY_LEN(group_columns)},
	[SETUP_DESKS] = {ADMIN_DESKS, desk_columns, ARRAY_LEN(desk_columns)},
	[SETUP_CONSOLES] = {ADMIN_CONSOLES, console_columns, ARRAY_LEN(console_columns)},
};

static const struct list gaps = {ADMIN_GAPS, gap_columns, ARRAY_LEN(gap_columns)};

/* Where a row goes. */
struct filling {
	struct table *table;
	const struct list *list;
};

static const char doc[] =
	"Lists what the register has."
	"\vExamples:\n"
	"  gatehousectl door list\n"
	"  gatehousectl controller list --json | jq '.[] | select(.enabled | not)'";

static const char gaps_doc[] =
	"Lists the holes in the sequences of controllers: records that were given up, or "
	"were lost by damage of the journal.  One whose records came after all is filled."
	"\vExamples:\n"
	"  gatehousectl gaps\n"
	"  gatehousectl gaps --json | jq '.[] | select(.state == \"open\")'";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	return ctl_parse_rest(key, arg, state, state->input);
}

/* By name, so that columns added to the register's list disturb nothing here. */
static enum rc
add_row(void *arg, int n, const char *const *names, const char *const *values)
{
	struct filling *filling = arg;
	const char *row[TABLE_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < filling->list->n_columns; i++) {
		for (int k = 0; k < n; k++) {
			if (strcmp(filling->list->columns[i].name, names[k]) == 0)
				row[i] = values[k];
		}
	}
	table_add_row(filling->table, row);
	return RC_OK;
}

static enum rc
list_print(struct ctl *ctl, const struct list *list, struct err *err)
{
	struct filling filling = {table_new(list->columns, list->n_columns), list};
	enum rc rc = ctl_need_register(ctl, err);

	if (rc == RC_OK)
		rc = admin_list(ctl->admin, list->what, add_row, &filling, err);
	if (rc == RC_OK && ctl->json)
		rc = table_print_json(filling.table, stdout, err);
	else if (rc == RC_OK)
		table_print(filling.table, stdout);
	table_free(&filling.table);
	return rc;
}

static int
list_run(struct ctl *ctl, const char *text, const struct list *list, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	const struct argp argp = {NULL, parse, NULL, text, children, NULL, NULL};
	struct err err;

	if (argp_parse(&argp, argc, argv, 0, NULL, ctl) != 0)
		return CTL_USAGE;
	return list_print(ctl, list, &err) == RC_OK ? CTL_DONE : ctl_failed(&err);
}

int
verb_list(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	return list_run(ctl, doc, &lists[verb->what], argc, argv);
}

int
verb_gaps(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	(void)verb;
	return list_run(ctl, gaps_doc, &gaps, argc, argv);
}
