/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `alarms`: those that are not done, and what an operator at the server does with one.
 * Both ask the running daemon.  Owner: the main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/control.h"
#include "ctl/show.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"
#include "wire/alarm.h"

enum { KEY_OUTCOME = 256, KEY_REASON, KEY_STATION, KEY_FOR, KEY_OPERATOR };

enum { FOR_MAX_MINUTES = 525600, SNAPSHOT_TIMEOUT_MS = 10000 };

struct args {
	struct ctl *ctl;
	uint64_t alarm_id; /* 0: none was named */
	bool wants_id;
	const char *text, *outcome, *reason, *station, *operator_code;
	long minutes; /* 0: not said */
};

static void
parse_id(struct argp_state *state, struct args *args, const char *arg)
{
	char *end;

	errno = 0;
	args->alarm_id = strtoull(arg, &end, 10);
	if (errno != 0 || end == arg || *end != '\0' || arg[0] == '-' || args->alarm_id == 0)
		argp_error(state, "\"%s\" is not the number of an alarm", arg);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		ctl_parse_init(state, args->ctl);
		return 0;
	case 't':
		args->text = arg;
		return 0;
	case KEY_OUTCOME:
		args->outcome = arg;
		return 0;
	case KEY_REASON:
		args->reason = arg;
		return 0;
	case KEY_STATION:
		args->station = arg;
		return 0;
	case KEY_OPERATOR:
		args->operator_code = arg;
		return 0;
	case KEY_FOR:
		args->minutes = ctl_parse_number(state, "for", arg, 1, FOR_MAX_MINUTES);
		return 0;
	case ARGP_KEY_ARG:
		if (!args->wants_id || args->alarm_id != 0)
			argp_error(state, "\"%s\" is too much", arg);
		parse_id(state, args, arg);
		return 0;
	case ARGP_KEY_END:
		if (args->wants_id && args->alarm_id == 0)
			argp_error(state, "the number of an alarm is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

static enum rc
daemon_open(struct ctl *ctl, struct control **control, struct err *err)
{
	enum rc rc = ctl_need_settings(ctl, err);

	return rc == RC_OK ? control_open(control, ctl->settings->control_socket, err) : rc;
}

static void
put_json_line(const json_t *line)
{
	(void)json_dumpf(line, stdout, JSON_COMPACT);
	(void)fputc('\n', stdout);
}

/* ---- list, show --------------------------------------------------------------- */

static const char list_doc[] =
	"Lists the alarms that are not done, as they stand: number, time, severity, state, what, "
	"where."
	"\vExamples:\n"
	"  gatehousectl alarms list\n"
	"  gatehousectl alarms list --json | jq 'select(.state == \"unacknowledged\") | .alarm_id'";

static const char show_doc[] = "Shows one alarm that is not done, with everything that the "
			       "daemon knows of it, as JSON."
			       "\vExample:\n"
			       "  gatehousectl alarms show 281474976710756";

static void
list_put(const struct args *args, const json_t *line, size_t *shown)
{
	json_int_t id = json_integer_value(json_object_get(line, "alarm_id"));

	if (id == 0 || (args->alarm_id != 0 && (uint64_t)id != args->alarm_id))
		return;
	(*shown)++;
	if (args->wants_id) {
		(void)json_dumpf(line, stdout, JSON_INDENT(2));
		(void)fputc('\n', stdout);
	} else if (args->ctl->json) {
		put_json_line(line);
	} else {
		(void)printf("%-16lld ", (long long)id);
		show_alarm(line, false, stdout);
	}
}

/* All that the daemon sends before it says that this is all. */
static enum rc
list_all(const struct args *args, struct control *control, size_t *shown, struct err *err)
{
	bool ended = false;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !ended) {
		json_t *line;

		rc = control_next(control, SNAPSHOT_TIMEOUT_MS, &line, err);
		if (rc != RC_OK)
			break;
		ended = json_is_true(json_object_get(line, "snapshot_end"));
		list_put(args, line, shown);
		json_decref(line);
	}
	if (rc == RC_AGAIN || rc == RC_EOF)
		return err_fail(err, "the daemon did not send all alarms");
	return rc;
}

static int
list_run(struct args *args)
{
	struct control *control = NULL;
	json_t *request = json_pack("{s:s, s:i}", "verb", "tail", "from", 0), *reply = NULL;
	size_t shown = 0;
	struct err err;
	enum rc rc = daemon_open(args->ctl, &control, &err);

	if (rc == RC_OK)
		rc = control_ask(control, request, &reply, &err);
	if (rc == RC_OK)
		rc = list_all(args, control, &shown, &err);
	if (rc == RC_OK && args->wants_id && shown == 0)
		rc = err_invalid(&err, "there is no open alarm %llu",
				 (unsigned long long)args->alarm_id);
	control_close(&control);
	json_decref(reply);
	json_decref(request);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

int
verb_alarms(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	const struct argp argp = {NULL,
				  parse,
				  verb->what != 0 ? "ALARM" : NULL,
				  verb->what != 0 ? show_doc : list_doc,
				  children,
				  NULL,
				  NULL};
	struct args args = {.ctl = ctl, .wants_id = verb->what != 0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	return list_run(&args);
}

/* ---- Doing something ------------------------------------------------------------ */

static const struct argp_option act_options[] = {
	{"text", 't', "TEXT", 0, "what is to be said with it; never a name or a card's number", 0},
	{"outcome", KEY_OUTCOME, "NAME", 0,
	 "how it came out: incident, nothing_found, false_alarm, test, technical or other", 0},
	{"reason", KEY_REASON, "NAME", 0,
	 "with reject: wrong_address, wrong_kind, too_old or other", 0},
	{"station", KEY_STATION, "CODE", 0, "with hand_over: to whom", 0},
	{"for", KEY_FOR, "MINUTES", 0, "with shelve and out_of_service: for how long", 0},
	{"operator", KEY_OPERATOR, "CODE", 0, "who does it, when that is not the user; a code", 0},
	{0},
};

static const char act_doc[] =
	"Does something with an alarm, as a dispatcher does at a console; whoever may use the "
	"daemon's socket may do everything.  Returns when it is on the daemon's disk, or says why "
	"not and who was first."
	"\vExamples:\n"
	"  gatehousectl alarms ack 281474976710756\n"
	"  gatehousectl alarms close 281474976710756 --outcome technical --text 'contact broken'\n"
	"  gatehousectl alarms shelve 281474976710756 --for 120 --text 'works at the gate'";

static void
put_if(json_t *request, const char *key, const char *text)
{
	if (text != NULL)
		(void)json_object_set_new(request, key, json_string(text));
}

static json_t *
act_request(const struct args *args, enum alarm_verb verb)
{
	json_t *request = json_pack("{s:s, s:I, s:s}", "verb", "act", "alarm_id",
				    (json_int_t)args->alarm_id, "do", verb_name((unsigned)verb));
	struct timespec now;

	put_if(request, "text", args->text);
	put_if(request, "outcome", args->outcome);
	put_if(request, "reject_reason", args->reason);
	put_if(request, "station", args->station);
	put_if(request, "operator", args->operator_code);
	if (args->minutes > 0) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)json_object_set_new(
			request, "until_us",
			json_integer(((json_int_t)now.tv_sec + args->minutes * 60) * 1000000));
	}
	return request;
}

int
verb_act(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {act_options, parse, "ALARM", act_doc,
					 children,    NULL,  NULL};
	struct args args = {.ctl = ctl, .wants_id = true};
	struct control *control = NULL;
	json_t *request, *reply = NULL;
	struct err err;
	enum rc rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	request = act_request(&args, (enum alarm_verb)verb->what);
	rc = daemon_open(ctl, &control, &err);
	if (rc == RC_OK)
		rc = control_ask(control, request, &reply, &err);
	if (rc == RC_OK && ctl->json)
		put_json_line(reply);
	else if (rc == RC_OK)
		(void)printf("alarm %llu: %s\n", (unsigned long long)args.alarm_id,
			     verb_name((unsigned)verb->what));
	control_close(&control);
	json_decref(reply);
	json_decref(request);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}
