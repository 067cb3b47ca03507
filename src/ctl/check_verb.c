/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl site check`: the address book in order.  What is found is PostgreSQL's
 * (sql/005_address_book.sql); here it becomes a list of tasks by site, and how many
 * there were before.  Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "store/admin.h"

enum { SITES_MAX = 256 };

struct args {
	struct ctl *ctl;
	const char *sites[SITES_MAX];
	size_t n_sites;
};

/* Where the rows of a list go. */
struct check {
	const struct args *args;
	struct table *tasks, *counts;
	bool known[SITES_MAX]; /* of args->sites */
};

static const char doc[] =
	"Finds what is missing or left over in the register: sites outside every station's area, "
	"doors without a controller or a standard address, controllers without doors, units to "
	"which no door leads, cards that open nothing, rights that ended.  Shows the tasks by "
	"site, and beside today's counts those of the last day on which somebody looked."
	"\vExamples:\n"
	"  gatehousectl site check\n"
	"  gatehousectl site check mill --json | jq '.counts[] | select(.count > 0)'";

static const struct table_column task_columns[] = {
	{"site", TABLE_TEXT}, {"task", TABLE_TEXT}, {"thing", TABLE_TEXT}};
static const struct table_column count_columns[] = {
	{"site", TABLE_TEXT},     {"task", TABLE_TEXT}, {"count", TABLE_NUMBER},
	{"before", TABLE_NUMBER}, {"on", TABLE_TEXT},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (args->n_sites == SITES_MAX)
			argp_error(state, "more than %d sites", SITES_MAX);
		args->sites[args->n_sites++] = arg;
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static bool
check_wants(struct check *check, const char *site)
{
	const struct args *args = check->args;

	for (size_t i = 0; i < args->n_sites; i++) {
		if (strcmp(args->sites[i], site) == 0)
			return check->known[i] = true;
	}
	return args->n_sites == 0;
}

/* Rows as store/admin.h promises them.  People get the words, scripts the name. */
static enum rc
add_task(void *arg, int n, const char *const *names, const char *const *values)
{
	struct check *check = arg;
	const char *row[] = {values[0], values[check->args->ctl->json ? 1 : 2], values[3]};

	(void)names;
	must(n == 4);
	if (check_wants(check, values[0]))
		table_add_row(check->tasks, row);
	return RC_OK;
}

/* What is none and was none is no news to people. */
static enum rc
add_count(void *arg, int n, const char *const *names, const char *const *values)
{
	struct check *check = arg;
	bool json = check->args->ctl->json;
	const char *row[] = {values[0], values[json ? 1 : 2], values[3], values[4], values[5]};
	bool none =
		strcmp(values[3], "0") == 0 && (values[4] == NULL || strcmp(values[4], "0") == 0);

	(void)names;
	must(n == 6);
	if (check_wants(check, values[0]) && (json || !none))
		table_add_row(check->counts, row);
	return RC_OK;
}

static enum rc
check_look(struct check *check, struct err *err)
{
	const struct args *args = check->args;
	struct admin *admin = args->ctl->admin;
	enum rc rc = admin_count_tasks(admin, err);

	if (rc == RC_OK)
		rc = admin_list(admin, ADMIN_TASKS, add_task, check, err);
	if (rc == RC_OK)
		rc = admin_list(admin, ADMIN_TASK_COUNTS, add_count, check, err);
	for (size_t i = 0; i < args->n_sites && rc == RC_OK; i++) {
		if (!check->known[i])
			rc = err_invalid(err, "there is no site \"%s\"", args->sites[i]);
	}
	return rc;
}

static enum rc
check_print_json(const struct check *check, struct err *err)
{
	json_t *both = json_pack("{s:o, s:o}", "tasks", table_json(check->tasks), "counts",
				 table_json(check->counts));
	enum rc rc = RC_OK;

	must(both != NULL);
	if (json_dumpf(both, stdout, JSON_INDENT(2)) != 0 || fputc('\n', stdout) == EOF)
		rc = err_sys(err, "could not write the list");
	json_decref(both);
	return rc;
}

static void
check_print(const struct check *check)
{
	size_t n = table_n_rows(check->tasks);
	char text[TEXT_SHORT];

	if (n > 0) {
		table_print(check->tasks, stdout);
		(void)fputc('\n', stdout);
	}
	if (table_n_rows(check->counts) > 0) {
		table_print(check->counts, stdout);
		(void)fputc('\n', stdout);
	}
	if (n == 0)
		(void)printf("nothing to put in order\n");
	else
		(void)printf("%s to put in order\n", text_count((int64_t)n, text));
}

int
verb_site_check(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {NULL, parse, "[SITE...]", doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct check check = {.args = &args};
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	check.tasks = table_new(task_columns, ARRAY_LEN(task_columns));
	check.counts = table_new(count_columns, ARRAY_LEN(count_columns));
	rc = ctl_need_register(ctl, &err);
	if (rc == RC_OK)
		rc = check_look(&check, &err);
	if (rc == RC_OK && ctl->json)
		rc = check_print_json(&check, &err);
	else if (rc == RC_OK)
		check_print(&check);
	table_free(&check.tasks);
	table_free(&check.counts);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}
