/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `alarms VERB ALARM`: what an operator at the server does with an alarm.  It asks the
 * running daemon.  Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/control.h"
#include "ctl/show.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"
#include "wire/alarm.h"

enum { KEY_OUTCOME = 256, KEY_REASON, KEY_STATION, KEY_FOR, KEY_OPERATOR };

enum { FOR_MAX_MINUTES = 525600 };

struct args {
	struct ctl *ctl;
	uint64_t alarm_id; /* 0: none was named */
	const char *text, *outcome, *reason, *station, *operator_code;
	long minutes; /* 0: not said */
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
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
		if (args->alarm_id != 0)
			argp_error(state, "\"%s\" is too much", arg);
		args->alarm_id = ctl_parse_alarm(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (args->alarm_id == 0)
			argp_error(state, "the number of an alarm is missing");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

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
	struct args args = {.ctl = ctl};
	struct control *control = NULL;
	json_t *request, *reply = NULL;
	struct err err;
	enum rc rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	request = act_request(&args, (enum alarm_verb)verb->what);
	rc = ctl_open_daemon(ctl, &control, &err);
	if (rc == RC_OK)
		rc = control_ask(control, request, &reply, &err);
	if (rc == RC_OK && ctl->json)
		show_json(reply, stdout);
	else if (rc == RC_OK)
		(void)printf("alarm %llu: %s\n", (unsigned long long)args.alarm_id,
			     verb_name((unsigned)verb->what));
	control_close(&control);
	json_decref(reply);
	json_decref(request);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}
