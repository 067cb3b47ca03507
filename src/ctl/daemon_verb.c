/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs that ask the running daemon: status, tail, reload.
 * Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/control.h"
#include "ctl/show.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"

enum { KEY_WATCH = 256, KEY_FROM, KEY_COUNT };

enum { WATCH_DEFAULT_S = 2, WATCH_MAX_S = 3600 };

struct args {
	struct ctl *ctl;
	long watch_s; /* 0: once */
	long from;
	long count; /* 0: for ever */
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_WATCH:
		args->watch_s = arg == NULL ? WATCH_DEFAULT_S
					    : ctl_parse_number(state, "watch", arg, 1, WATCH_MAX_S);
		return 0;
	case KEY_FROM:
		args->from = ctl_parse_number(state, "from", arg, 0, INT64_MAX);
		return 0;
	case KEY_COUNT:
		args->count = ctl_parse_number(state, "count", arg, 1, INT32_MAX);
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

/* Connects and asks; the connection stays open where `kept` wants it. */
static enum rc
ask(struct ctl *ctl, json_t *request, json_t **reply, struct control **kept, struct err *err)
{
	struct control *control = NULL;
	enum rc rc = ctl_open_daemon(ctl, &control, err);

	if (rc == RC_OK)
		rc = control_ask(control, request, reply, err);
	if (rc == RC_OK && kept != NULL)
		*kept = control;
	else
		control_close(&control);
	json_decref(request);
	return rc;
}

/* ---- status --------------------------------------------------------------- */

static const struct argp_option status_options[] = {
	{"watch", KEY_WATCH, "SECONDS", OPTION_ARG_OPTIONAL,
	 "again and again, every 2 seconds or so many; ends with Ctrl-C", 0},
	{0},
};

static const char status_doc[] =
	"Asks the running daemon what it is doing: connections, positions of the journal, what "
	"PostgreSQL has, alarms.  `appended` is what was taken in, `durable` is on this disk and "
	"acknowledged, `stored` is in PostgreSQL."
	"\vExamples:\n"
	"  gatehousectl status --watch\n"
	"  gatehousectl status --json | jq .lag.seconds";

static int
status_once(struct args *args)
{
	json_t *status = NULL;
	struct err err;

	if (ask(args->ctl, json_pack("{s:s}", "verb", "status"), &status, NULL, &err) != RC_OK)
		return ctl_failed(&err);
	if (args->ctl->json)
		show_json(status, stdout);
	else
		show_status(status, stdout);
	json_decref(status);
	return CTL_DONE;
}

int
verb_status(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {status_options, parse, NULL, status_doc,
					 children,       NULL,  NULL};
	struct args args = {.ctl = ctl};
	bool clear;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (args.watch_s == 0)
		return status_once(&args);
	clear = isatty(STDOUT_FILENO) && !ctl->json;
	for (;;) {
		const struct timespec pause = {.tv_sec = args.watch_s};

		if (clear)
			(void)fputs("\033[H\033[J", stdout);
		/* a daemon that restarts is worth waiting for */
		(void)status_once(&args);
		if (fflush(stdout) != 0)
			return CTL_FAILED;
		(void)nanosleep(&pause, NULL);
	}
}

/* ---- tail ----------------------------------------------------------------- */

static const struct argp_option tail_options[] = {
	{"from", KEY_FROM, "POSITION", 0,
	 "go on behind this position; otherwise all alarms that stand, then what comes", 0},
	{"count", KEY_COUNT, "N", 0, "end after N changes", 0},
	{0},
};

static const char tail_doc[] =
	"Shows alarms as they come, one line for each change, coloured by severity on a terminal."
	"\vExamples:\n"
	"  gatehousectl tail\n"
	"  gatehousectl tail --json | jq -r 'select(.kind == \"door.forced\") | .address'\n"
	"\n"
	"Ends with Ctrl-C.  When the daemon ends, it says from where to go on.";

static bool
wants_colours(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

/* Until the daemon ends, or `count` changes were shown. */
static enum rc
tail_follow(const struct args *args, struct control *control, json_int_t *position, struct err *err)
{
	bool colours = wants_colours();
	long shown = 0;
	json_t *line;
	enum rc rc = RC_OK;

	while (rc == RC_OK && (args->count == 0 || shown < args->count)) {
		const json_t *at;

		rc = control_next(control, -1, &line, err);
		if (rc != RC_OK)
			break;
		at = json_object_get(line, "position");
		if (at != NULL)
			*position = json_integer_value(at);
		shown += json_object_get(line, "alarm_id") != NULL;
		if (args->ctl->json)
			show_json(line, stdout);
		else
			show_alarm(line, colours, stdout);
		json_decref(line);
		if (fflush(stdout) != 0)
			rc = err_sys(err, "could not write the output");
	}
	return rc;
}

int
verb_tail(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {tail_options, parse, NULL, tail_doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct control *control = NULL;
	json_t *reply = NULL;
	json_int_t position;
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	position = args.from;
	rc = ask(ctl, json_pack("{s:s, s:I}", "verb", "tail", "from", (json_int_t)args.from),
		 &reply, &control, &err);
	json_decref(reply);
	if (rc == RC_OK)
		rc = tail_follow(&args, control, &position, &err);
	control_close(&control);
	if (rc == RC_EOF)
		(void)err_fail(&err,
			       "the daemon closed the connection; go on with tail --from %lld",
			       (long long)position);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

/* ---- reload --------------------------------------------------------------- */

static const char reload_doc[] =
	"Tells the running daemon to load the register from PostgreSQL again.  The verbs that "
	"change the register do this by themselves, and PostgreSQL notifies the daemon of any "
	"change; this is for when you want to be sure."
	"\vExample:\n"
	"  gatehousectl reload";

int
verb_reload(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {NULL, parse, NULL, reload_doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	json_t *reply = NULL;
	struct err err;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (ask(ctl, json_pack("{s:s}", "verb", "reload"), &reply, NULL, &err) != RC_OK)
		return ctl_failed(&err);
	json_decref(reply);
	(void)printf("the daemon loads the register again\n");
	return CTL_DONE;
}
