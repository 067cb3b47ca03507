/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `alarms list`, `alarms show`: the alarms that are not done, by the running daemon.
 *
 * Those that belong to a group are folded into it, so that a list of a flood can be read:
 * a group may come behind its members, so nothing is printed before all are there.
 *
 * Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A table that can't grow is memory that is not there. */
#define uthash_fatal(text) abort()
#include <uthash.h>

#include "ctl/control.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

enum { SNAPSHOT_TIMEOUT_MS = 10000 };

struct args {
	struct ctl *ctl;
	uint64_t alarm_id; /* 0: none was named */
	bool wants_id;
	bool all; /* nothing is folded */
};

/* One line of the list.  Owner: the list. */
struct row {
	json_int_t id, group_id; /* group_id 0: it is in none */
	char *text;
	size_t folded; /* those that belong to it */
	UT_hash_handle hh;
	STAILQ_ENTRY(row) next;
};

struct list {
	STAILQ_HEAD(, row) rows; /* in the daemon's order */
	struct row *by_id;
	json_t *one, *members; /* of `show`; NULL: not seen yet */
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case 'a':
		args->all = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!args->wants_id || args->alarm_id != 0)
			argp_error(state, "\"%s\" is too much", arg);
		args->alarm_id = ctl_parse_alarm(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (args->wants_id && args->alarm_id == 0)
			argp_error(state, "the number of an alarm is missing");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static const struct argp_option list_options[] = {
	{"all", 'a', NULL, 0, "also those that belong to a group of the list", 0},
	{0},
};

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

static const char list_doc[] =
	"Lists the alarms that are not done, as they stand: number, time, severity, state, what, "
	"where.  Those that belong to a group are counted in its line; --json has all of them."
	"\vExamples:\n"
	"  gatehousectl alarms list\n"
	"  gatehousectl alarms list --json | jq 'select(.state == \"unacknowledged\") | .alarm_id'";

static const char show_doc[] =
	"Shows one alarm that is not done, with everything that the daemon knows of it, as JSON; "
	"a group with its members."
	"\vExample:\n"
	"  gatehousectl alarms show 281474976710756";

/* ---- What the daemon sends ------------------------------------------------------ */

static char *
row_text(const json_t *line)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		abort();
	show_alarm(line, false, out);
	(void)fclose(out);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void
list_add_row(struct list *list, const json_t *line)
{
	struct row *row = xcalloc(1, sizeof(*row));

	row->id = json_integer_value(json_object_get(line, "alarm_id"));
	row->group_id = json_integer_value(json_object_get(line, "group_id"));
	row->text = row_text(line);
	STAILQ_INSERT_TAIL(&list->rows, row, next);
	HASH_ADD(hh, list->by_id, id, sizeof(row->id), row);
}

/* Keeps the one that was named, and what belongs to it. */
static void
list_pick(const struct args *args, struct list *list, json_t *line)
{
	json_int_t wanted = (json_int_t)args->alarm_id;

	if (json_integer_value(json_object_get(line, "alarm_id")) == wanted) {
		json_decref(list->one);
		list->one = json_incref(line);
	} else if (json_integer_value(json_object_get(line, "group_id")) == wanted) {
		(void)json_array_append(list->members, line);
	}
}

static void
list_take(const struct args *args, struct list *list, json_t *line)
{
	if (json_object_get(line, "alarm_id") == NULL)
		return;
	if (args->wants_id)
		list_pick(args, list, line);
	else if (args->ctl->json)
		show_json(line, stdout);
	else
		list_add_row(list, line);
}

/* All that the daemon sends before it says that this is all. */
static enum rc
list_receive(const struct args *args, struct control *control, struct list *list, struct err *err)
{
	bool ended = false;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !ended) {
		json_t *line;

		rc = control_next(control, SNAPSHOT_TIMEOUT_MS, &line, err);
		if (rc != RC_OK)
			break;
		ended = json_is_true(json_object_get(line, "snapshot_end"));
		list_take(args, list, line);
		json_decref(line);
	}
	if (rc == RC_AGAIN || rc == RC_EOF)
		return err_fail(err, "the daemon did not send all alarms");
	return rc;
}

/* ---- What is printed ------------------------------------------------------------- */

static struct row *
list_group_of(const struct list *list, const struct row *row)
{
	struct row *group;

	HASH_FIND(hh, list->by_id, &row->group_id, sizeof(row->group_id), group);
	return group;
}

static void
list_print(const struct list *list, bool all)
{
	struct row *row;

	STAILQ_FOREACH(row, &list->rows, next)
	{
		struct row *group = list_group_of(list, row);

		if (group != NULL)
			group->folded++;
	}
	STAILQ_FOREACH(row, &list->rows, next)
	{
		if (!all && list_group_of(list, row) != NULL)
			continue;
		(void)printf("%-16lld %s", (long long)row->id, row->text);
		if (row->folded > 0)
			(void)printf("  +%zu in it", row->folded);
		(void)fputc('\n', stdout);
	}
}

static enum rc
list_show(const struct args *args, const struct list *list, struct err *err)
{
	if (list->one == NULL)
		return err_invalid(err, "there is no open alarm %llu",
				   (unsigned long long)args->alarm_id);
	if (json_array_size(list->members) > 0)
		(void)json_object_set(list->one, "members", list->members);
	(void)json_dumpf(list->one, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
	return RC_OK;
}

static void
list_fini(struct list *list)
{
	struct row *row;

	HASH_CLEAR(hh, list->by_id);
	while ((row = STAILQ_FIRST(&list->rows)) != NULL) {
		STAILQ_REMOVE_HEAD(&list->rows, next);
		free(row->text);
		free(row);
	}
	json_decref(list->one);
	json_decref(list->members);
}

static int
list_run(const struct args *args)
{
	struct list list = {.members = json_array()};
	struct control *control = NULL;
	json_t *request = json_pack("{s:s, s:i}", "verb", "tail", "from", 0), *reply = NULL;
	struct err err;
	enum rc rc = ctl_open_daemon(args->ctl, &control, &err);

	STAILQ_INIT(&list.rows);
	if (rc == RC_OK)
		rc = control_ask(control, request, &reply, &err);
	if (rc == RC_OK)
		rc = list_receive(args, control, &list, &err);
	if (rc == RC_OK && args->wants_id)
		rc = list_show(args, &list, &err);
	else if (rc == RC_OK)
		list_print(&list, args->all);
	list_fini(&list);
	control_close(&control);
	json_decref(reply);
	json_decref(request);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

int
verb_alarms(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp list_argp = {list_options, parse, NULL, list_doc,
					      children,     NULL,  NULL};
	static const struct argp show_argp = {NULL, parse, "ALARM", show_doc, children, NULL, NULL};
	struct args args = {.ctl = ctl, .wants_id = verb->what != 0};

	if (argp_parse(args.wants_id ? &show_argp : &list_argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	return list_run(&args);
}
