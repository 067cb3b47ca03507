/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl alarms report`: what alarms took, limit by limit, with a verdict for each,
 * and an exit code that says the worst of them.  Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/when.h"
#include "store/admin.h"

enum { KEY_DAYS = 256, KEY_SINCE, KEY_UNTIL, KEY_STATION, KEY_SHARED };

enum { DAYS_DEFAULT = 30, DAYS_MAX = 3660 };

/* Beside those of all verbs. */
enum { REPORT_MISSED = 3, REPORT_NO_DATA = 4 };

#define DAY_US ((int64_t)24 * 3600 * 1000000)

/* The limit of a private network: arrivals over others have a later one. */
#define PRIVATE_LIMIT_S "2"

struct args {
	struct ctl *ctl;
	struct admin_report of;
	long days; /* 0: not said */
	bool shared_network;
};

static const struct table_column columns[] = {
	{"class", TABLE_TEXT},      {"measure", TABLE_TEXT},  {"limit_s", TABLE_NUMBER},
	{"required", TABLE_NUMBER}, {"alarms", TABLE_NUMBER}, {"p50_s", TABLE_NUMBER},
	{"p95_s", TABLE_NUMBER},    {"p99_s", TABLE_NUMBER},  {"within", TABLE_NUMBER},
	{"verdict", TABLE_TEXT},
};

/* What the rows came to. */
struct report {
	struct table *table;
	bool shared_network, missed, has_data;
};

static const struct argp_option options[] = {
	{"days", KEY_DAYS, "N", 0, "raised within so many days before the end; 30", 0},
	{"since", KEY_SINCE, "WHEN", 0, "raised since then, 2026-12-31 or 2026-12-31T18:00, in UTC",
	 0},
	{"until", KEY_UNTIL, "WHEN", 0, "raised until then; a day with its last moment; now", 0},
	{"station", KEY_STATION, "CODE", 0, "of the sites of that station", 0},
	{"shared-network", KEY_SHARED, NULL, 0,
	 "controllers are not on a private network: the limit of 2 s is not theirs", 0},
	{0},
};

static const char doc[] =
	"What alarms took, by class (people: duress, panic, hold-up, fire; other) and limit: from "
	"the door to the server by the door's clock (2 s on a private network, 5 s otherwise), "
	"from "
	"there to a screen (90 s), and until somebody took it (people 30 s for 80 % and 60 s for "
	"98.5 %, others 90 s and 180 s).  Seconds at the middle, at 95 % and at 99 %; which share "
	"was "
	"within the limit, which is required, and whether that is met.  One that nobody has seen, "
	"or "
	"taken, counts as late when its limit is over."
	"\vExamples:\n"
	"  gatehousectl alarms report --days 7 --station north\n"
	"  gatehousectl alarms report --since 2026-11-01 --until 2026-11-30 --json\n"
	"\n"
	"Exit code: 0 all limits are met, 3 one is missed, 4 there is nothing to judge; 1 and 2 as "
	"of all verbs.";

static int64_t
parse_when(struct argp_state *state, const char *text, enum when_side side)
{
	struct err err;
	int64_t time_us = 0;

	if (when_parse(text, "UTC", side, &time_us, &err) != RC_OK)
		argp_error(state, "%s", err.msg);
	return time_us;
}

static int64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
parse_end(struct argp_state *state, struct args *args)
{
	if (args->days > 0 && args->of.since_us != 0)
		argp_error(state, "--days and --since are two words for the same");
	if (args->of.until_us == 0)
		args->of.until_us = now_us();
	if (args->of.since_us == 0)
		args->of.since_us =
			args->of.until_us - (args->days > 0 ? args->days : DAYS_DEFAULT) * DAY_US;
	if (args->of.since_us >= args->of.until_us)
		argp_error(state, "the end is not after the beginning");
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_DAYS:
		args->days = ctl_parse_number(state, "days", arg, 1, DAYS_MAX);
		return 0;
	case KEY_SINCE:
		args->of.since_us = parse_when(state, arg, WHEN_FROM);
		return 0;
	case KEY_UNTIL:
		args->of.until_us = parse_when(state, arg, WHEN_UNTIL);
		return 0;
	case KEY_STATION:
		args->of.station = arg;
		return 0;
	case KEY_SHARED:
		args->shared_network = true;
		return 0;
	case ARGP_KEY_END:
		parse_end(state, args);
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

/* The columns are in the order of the function's. */
static enum rc
report_add(void *arg, int n, const char *const *names, const char *const *values)
{
	struct report *report = arg;
	const char *measure = values[1], *limit_s = values[2], *verdict = values[n - 1];

	must(n == (int)ARRAY_LEN(columns) && strcmp(names[n - 1], "verdict") == 0);
	if (report->shared_network && strcmp(measure, "arrived") == 0 &&
	    strcmp(limit_s, PRIVATE_LIMIT_S) == 0)
		return RC_OK;
	report->missed = report->missed || strcmp(verdict, "missed") == 0;
	report->has_data = report->has_data || strcmp(verdict, "no data") != 0;
	table_add_row(report->table, values);
	return RC_OK;
}

static void
report_put_heading(const struct admin_report *of)
{
	char since[TEXT_SHORT], until[TEXT_SHORT];

	(void)printf("alarms raised from %s until %s", text_time(of->since_us, since),
		     text_time(of->until_us, until));
	if (of->station != NULL) {
		(void)fputs(", station ", stdout);
		text_put(stdout, of->station);
	}
	(void)fputc('\n', stdout);
}

static enum rc
report_print(const struct args *args, struct report *report, struct err *err)
{
	enum rc rc = ctl_need_register(args->ctl, err);

	if (rc == RC_OK)
		rc = admin_alarm_report(args->ctl->admin, &args->of, report_add, report, err);
	if (rc == RC_OK && args->ctl->json)
		return table_print_json(report->table, stdout, err);
	if (rc == RC_OK) {
		report_put_heading(&args->of);
		table_print(report->table, stdout);
	}
	return rc;
}

int
verb_alarm_report(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct args args = {.ctl = ctl};
	struct report report;
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	report = (struct report){.table = table_new(columns, ARRAY_LEN(columns)),
				 .shared_network = args.shared_network};
	rc = report_print(&args, &report, &err);
	table_free(&report.table);
	if (rc != RC_OK)
		return ctl_failed(&err);
	if (report.missed)
		return REPORT_MISSED;
	return report.has_data ? CTL_DONE : REPORT_NO_DATA;
}
