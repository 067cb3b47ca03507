/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl setup apply FILE`, and `station add`, `area add`, `site add`,
 * `door add`, `unit add`, `group add`: the same rows, from a file or from the command line.  The
 * options of the latter are the columns of setup.c's table.
 *
 * Owner: the main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/setup.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"

enum { KEY_DRY_RUN = 256, KEY_KIND, KEY_COLUMN /* and the numbers behind it */ };

/* Checks, puts, and says what was done.  Prints the problems where there are any. */
static int
apply(struct ctl *ctl, struct setup *setup, bool dry_run)
{
	struct err err;
	enum rc rc;
	char *summary;

	if (!setup_check(setup)) {
		setup_print_problems(setup, stderr);
		return CTL_FAILED;
	}
	rc = ctl_need_register(ctl, &err);
	if (rc == RC_OK)
		rc = setup_apply(setup, ctl->admin, dry_run, &err);
	if (setup->n_problems > 0)
		setup_print_problems(setup, stderr);
	else if (rc != RC_OK)
		return ctl_failed(&err);
	if (rc != RC_OK)
		return CTL_FAILED;
	if (!dry_run)
		control_poke(ctl->settings->control_socket);
	summary = setup_summary(setup);
	(void)printf("%s%s\n", dry_run ? "would put: " : "put: ", summary);
	free(summary);
	return CTL_DONE;
}

/* ---- setup apply ---------------------------------------------------------- */

struct file_args {
	struct ctl *ctl;
	const char *path;
	bool dry_run, csv;
	enum setup_kind kind; /* where csv */
};

static const struct argp_option file_options[] = {
	{"dry-run", KEY_DRY_RUN, NULL, 0,
	 "try everything in PostgreSQL, and take it back at the end", 0},
	{"kind", KEY_KIND, "KIND", 0,
	 "FILE is CSV with rows of this kind, one of " SETUP_KIND_NAMES
	 "; its first line names the columns",
	 0},
	{0},
};

static const char file_doc[] =
	"Puts everything of FILE into the register, or nothing: what is new is added, what has "
	"the code of something that exists changes it, what is not in FILE stays as it is."
	"\vFILE is YAML:\n"
	"\n"
	"  stations:\n"
	"    - {code: north, name: North station}\n"
	"  areas:\n"
	"    - {code: old-town, name: Old town, station: north}\n"
	"  sites:\n"
	"    - {code: mill, name: Mill estate, area: old-town, address: 1 Mill Lane}\n"
	"  controllers:\n"
	"    - {name: mill-1, site: mill}\n"
	"  doors:\n"
	"    - {code: mill-a, name: Entrance A, site: mill, controller: mill-1, number: 1}\n"
	"\n"
	"Examples:\n"
	"  gatehousectl setup apply site.yaml --dry-run\n"
	"  gatehousectl setup apply doors.csv --kind doors\n"
	"\n"
	"Controllers, consoles and desks get their certificates by `controller add`, `console "
	"add` or `desk add`, or for rows that are there by `issue` in place of `add`.";

static error_t
file_parse(int key, char *arg, struct argp_state *state)
{
	struct file_args *args = state->input;

	switch (key) {
	case KEY_DRY_RUN:
		args->dry_run = true;
		return 0;
	case KEY_KIND:
		if (!setup_kind_by_name(arg, &args->kind))
			argp_error(state, "--kind \"%s\" is not one of " SETUP_KIND_NAMES, arg);
		args->csv = true;
		return 0;
	case ARGP_KEY_ARG:
		ctl_parse_word(state, &args->path, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a file is missing");
		return EINVAL;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

int
verb_setup_apply(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {file_options, file_parse, "FILE", file_doc,
					 children,     NULL,       NULL};
	struct file_args args = {.ctl = ctl};
	struct setup *setup = NULL;
	struct err err;
	int code;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (setup_read_file(&setup, args.path, args.csv, args.kind, &err) != RC_OK)
		return ctl_failed(&err);
	code = apply(ctl, setup, args.dry_run);
	setup_free(&setup);
	return code;
}

/* ---- station add and its like --------------------------------------------- */

struct put_args {
	struct ctl *ctl;
	struct setup *setup; /* with one row */
};

/* CODE and NAME stand for themselves; the other columns are options. */
enum { COLUMNS_BY_PLACE = 2 };

static void
put_set(struct put_args *args, size_t column, const char *value)
{
	setup_set_value(args->setup, &args->setup->rows[0], column, value, strlen(value), 0);
}

static error_t
put_parse(int key, char *arg, struct argp_state *state)
{
	struct put_args *args = state->input;

	if (key >= KEY_COLUMN && key < KEY_COLUMN + SETUP_COLUMNS_MAX) {
		put_set(args, (size_t)(key - KEY_COLUMN), arg);
		return 0;
	}
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num >= COLUMNS_BY_PLACE)
			argp_error(state, "\"%s\" is too much", arg);
		put_set(args, state->arg_num, arg);
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < COLUMNS_BY_PLACE)
			argp_error(state, "expected CODE and NAME");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static void
put_make_options(const struct setup_schema *schema, struct argp_option options[])
{
	for (size_t i = COLUMNS_BY_PLACE; i < schema->n_columns; i++) {
		options[i - COLUMNS_BY_PLACE] = (struct argp_option){
			.name = schema->columns[i].name,
			.key = KEY_COLUMN + (int)i,
			.arg = schema->columns[i].form == SETUP_NUMBER ? "NUMBER" : "TEXT",
			.doc = schema->columns[i].help,
		};
	}
}

static const char *
put_example(enum setup_kind kind)
{
	switch (kind) {
	case SETUP_STATIONS:
		return "station add north 'North station'";
	case SETUP_AREAS:
		return "area add old-town 'Old town' --parent city --station north";
	case SETUP_SITES:
		return "site add mill 'Mill estate' --area old-town --address '1 Mill Lane'";
	case SETUP_DOORS:
		return "door add a 'Entrance A' --site mill --controller c1 --number 1";
	case SETUP_UNITS:
		return "unit add 4b 'Flat 4b' --site mill --doors mill-a,mill-4";
	case SETUP_GROUPS:
		return "group add gates 'Outer gates' --site mill --doors mill-a,mill-b";
	case SETUP_CONTROLLERS:
	case SETUP_DESKS:
	case SETUP_CONSOLES:
	case SETUP_KINDS:
		break;
	}
	return "";
}

int
verb_put(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	enum setup_kind kind = (enum setup_kind)verb->what;
	const struct setup_schema *schema = setup_schema(kind);
	struct argp_option options[SETUP_COLUMNS_MAX] = {0};
	char *doc =
		xasprintf("Puts one %s into the register: a new one, or with the code of one "
			  "that exists, the new state of that one.\vExample:\n  gatehousectl %s",
			  schema->singular, put_example(kind));
	struct argp argp = {options, put_parse, "CODE NAME", doc, children, NULL, NULL};
	struct put_args args = {.ctl = ctl, .setup = setup_new(NULL)};
	int code = CTL_USAGE;

	put_make_options(schema, options);
	must(setup_add_row(args.setup, kind, 0) != NULL);
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) == 0)
		code = apply(ctl, args.setup, false);
	setup_free(&args.setup);
	free(doc);
	return code;
}
