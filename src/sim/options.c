/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command lines of run and verify, by argp.  An option that takes a number
 * is a row of a table: where it goes, and its bounds; a new one needs a row
 * here, a row of argp's, and its field.
 *
 * Deliberately reads no configuration file: a load test should be one line that
 * can be written into a report.
 */
#include "sim/options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_CONSOLE_DIR = 0x100,
	KEY_CONNECT,
	KEY_CONSOLE_CONNECT,
	KEY_LEDGER,
	KEY_PROFILE,
	KEY_REPLAY,
	KEY_MAP,
	KEY_CONTROLLERS,
	KEY_SOURCE_ADDRESSES,
	KEY_HANDSHAKES,
	KEY_RATE,
	KEY_ALARMS,
	KEY_DISPATCH,
	KEY_DISPATCH_DELAY,
	KEY_DAY,
	KEY_BACKLOG,
	KEY_SPEED,
	KEY_REPLAY_CONTROLLERS,
	KEY_DURATION,
	KEY_SETTLE,
	KEY_DRAIN,
	KEY_WINDOW,
	KEY_EPOCH,
	KEY_PER_TLS_RECORD,
	KEY_TIMES,
	KEY_JSON,
	KEY_NO_RESUME,
	KEY_FLEET,
	KEY_CONNINFO,
	KEY_WAIT,
	KEY_EXPECT_ALARMS,
	KEY_DESK_DIR,
	KEY_GRANT_GROUP,
	KEY_REGISTRATIONS,
	KEY_LATE,
	KEY_LATE_BY,
	KEY_DISOBEDIENT,
	KEY_BY_LIST,
};

#define DEFAULT_MAP "time=timestamp,card=prox-id,door=floor+zone,type=type"

/* An option that is a number. */
struct number_option {
	int key;
	const char *name;
	size_t offset; /* of a double */
	double min, max;
	bool whole;
};

/* An option that is a text. */
struct text_option {
	int key;
	size_t offset; /* of a const char * */
};

#define RUN(member) offsetof(struct run_options, member)

static const struct number_option run_numbers[] = {
	{KEY_CONTROLLERS, "controllers", RUN(controllers), 1, 1e6, true},
	{KEY_SOURCE_ADDRESSES, "source-addresses", RUN(source_addresses), 1, 250, true},
	{KEY_HANDSHAKES, "handshakes", RUN(handshakes), 1, 1e6, true},
	{KEY_RATE, "rate", RUN(rate), 0, 1e7, false},
	{KEY_ALARMS, "alarms", RUN(alarms), 0, 1e6, false},
	{KEY_DISPATCH, "dispatch", RUN(dispatch), 0, 100, false},
	{KEY_DISPATCH_DELAY, "dispatch-delay", RUN(dispatch_delay_s), 0, 86400, false},
	{KEY_DAY, "day", RUN(day_s), 1, 86400 * 7, false},
	{KEY_BACKLOG, "backlog", RUN(backlog), 0, 1e8, true},
	{KEY_SPEED, "speed", RUN(speed), 0, 1e9, false},
	{KEY_REPLAY_CONTROLLERS, "replay-controllers", RUN(replay_controllers), 1, 1e6, true},
	{KEY_DURATION, "duration", RUN(duration_s), 0, 1e9, false},
	{KEY_SETTLE, "settle", RUN(settle_s), 0, 86400, false},
	{KEY_WINDOW, "window", RUN(window), 1, 1e6, true},
	{KEY_EPOCH, "epoch", RUN(epoch), 0, 9007199254740992.0, true}, /* 2^53 */
	{KEY_PER_TLS_RECORD, "per-tls-record", RUN(per_tls_record), 0, 1e6, true},
	{KEY_DRAIN, "drain", RUN(drain_s), 0, 86400, false},
	{KEY_REGISTRATIONS, "registrations", RUN(registrations), 0, 1e6, false},
	{KEY_LATE, "late", RUN(late), 0, 1e6, true},
	{KEY_LATE_BY, "late-by", RUN(late_by_s), 0, 86400, false},
	{KEY_DISOBEDIENT, "disobedient", RUN(disobedient), 0, 1e6, true},
};

static const struct text_option run_texts[] = {
	{KEY_FLEET, RUN(fleet_dir)},    {KEY_CONSOLE_DIR, RUN(console_dir)},
	{KEY_CONNECT, RUN(connect)},    {KEY_CONSOLE_CONNECT, RUN(console_connect)},
	{KEY_LEDGER, RUN(ledger_dir)},  {KEY_PROFILE, RUN(profile_path)},
	{KEY_REPLAY, RUN(replay_path)}, {KEY_MAP, RUN(map)},
	{KEY_DESK_DIR, RUN(desk_dir)},  {KEY_GRANT_GROUP, RUN(grant_group)},
};

static const struct argp_option run_argp_options[] = {
	{NULL, 0, NULL, 0, "Who takes part:", 1},
	{"fleet", KEY_FLEET, "DIR", 0,
	 "Folder of enrolment folders, as \"gatehousectl controller add\" writes them; all "
	 "controllers in it are simulated",
	 1},
	{"controllers", KEY_CONTROLLERS, "N", 0, "Only the first N of them by name", 1},
	{"console-dir", KEY_CONSOLE_DIR, "DIR", 0, "Folder of enrolled consoles; all subscribe", 1},
	{"connect", KEY_CONNECT, "HOST:PORT", 0,
	 "Where controllers connect, whatever the folders say", 1},
	{"console-connect", KEY_CONSOLE_CONNECT, "HOST:PORT", 0, "The same for consoles", 1},
	{"source-addresses", KEY_SOURCE_ADDRESSES, "N", 0,
	 "Connect from 127.0.0.1 .. 127.0.0.N in turn: each gives some 28,000 ports (1)", 1},
	{"handshakes", KEY_HANDSHAKES, "N", 0, "At most N handshakes at once (100)", 1},
	{"no-resume", KEY_NO_RESUME, NULL, 0,
	 "A full handshake each time, although the server would know the client", 1},

	{NULL, 0, NULL, 0, "What they send (may be mixed):", 2},
	{"rate", KEY_RATE, "R", 0, "R records a second over all controllers that don't replay", 2},
	{"profile", KEY_PROFILE, "FILE", 0,
	 "The rate follows a day of 144 ten-minute slots: lines of slot, start, multiple", 2},
	{"day", KEY_DAY, "SECONDS", 0, "A day of the profile takes so long (86400)", 2},
	{"backlog", KEY_BACKLOG, "K", 0,
	 "Each controller that doesn't replay has K records waiting", 2},
	{"replay", KEY_REPLAY, "CSV", 0, "Replay a badge log", 2},
	{"map", KEY_MAP, "MAPPING", 0, "Columns of the log by its header: " DEFAULT_MAP, 2},
	{"speed", KEY_SPEED, "F", 0,
	 "F seconds of the log in one second; 0: as fast as the windows allow (0)", 2},
	{"replay-controllers", KEY_REPLAY_CONTROLLERS, "N", 0,
	 "The first N controllers replay; the log's doors are spread over them (all)", 2},
	{"times", KEY_TIMES, "log|now", 0, "Device time of replayed records (log)", 2},
	{"alarms", KEY_ALARMS, "R", 0, "R alarms a second over all controllers, with restores", 2},
	{"dispatch", KEY_DISPATCH, "PERCENT", 0,
	 "Each console says what it shows, and takes so many of 100 alarms that nobody has taken "
	 "(0)",
	 2},
	{"dispatch-delay", KEY_DISPATCH_DELAY, "SECONDS", 0, "... after so long at most (2)", 2},

	{"desk-dir", KEY_DESK_DIR, "DIR", 0, "Folder of enrolled registration desks (managers)", 2},
	{"registrations", KEY_REGISTRATIONS, "R", 0,
	 "R records a second over all desks: cards that are registered, granted and changed", 2},
	{"grant-group", KEY_GRANT_GROUP, "CODE", 0,
	 "The group of doors that desks grant, at their first site (all)", 2},
	{"by-list", KEY_BY_LIST, NULL, 0,
	 "Controllers open for whom their list of rights says (else by a hash)", 2},
	{"late", KEY_LATE, "N", 0, "The first N controllers take a list into force late", 2},
	{"late-by", KEY_LATE_BY, "SECONDS", 0, "So late (2)", 2},
	{"disobedient", KEY_DISOBEDIENT, "N", 0,
	 "The next N controllers confirm their list and open for everybody (with --by-list)", 2},

	{NULL, 0, NULL, 0, "How:", 3},
	{"duration", KEY_DURATION, "SECONDS", 0,
	 "End after so long, from when all were connected (when backlog and replay are done)", 3},
	{"settle", KEY_SETTLE, "SECONDS", 0, "Wait at most so long for all to be connected (60)",
	 3},
	{"drain", KEY_DRAIN, "SECONDS", OPTION_ARG_OPTIONAL,
	 "At the end, wait until everything is acknowledged, at most so long (30)", 3},
	{"window", KEY_WINDOW, "W", 0,
	 "At most W records without an ack, and never more than the "
	 "server allows",
	 3},
	{"per-tls-record", KEY_PER_TLS_RECORD, "N", 0,
	 "At most N records in one TLS record; 0: as many as there are (0)", 3},
	{"epoch", KEY_EPOCH, "E", 0,
	 "Epoch of the controllers; 0 asks the server for one (that of "
	 "the ledger, or 1)",
	 3},
	{"ledger", KEY_LEDGER, "DIR", 0,
	 "Write down what was sent, acknowledged and seen; go on where the ledger ended", 3},
	{"json", KEY_JSON, NULL, 0, "The summary as JSON", 3},
	{0},
};

static const char run_doc[] =
	"Simulate a fleet of controllers and consoles.\v"
	"Progress goes to stderr, the summary to stdout.  SIGINT or SIGTERM ends the run with a "
	"complete ledger; a second one also ends the wait for acknowledgements.\n\n"
	"Exit status: 0; 1 when something failed: a client that was never welcomed, a ledger that "
	"could not be written or, with --drain, records that were not acknowledged in time; 2 when "
	"the run could not begin.\n\n"
	"Examples:\n"
	"  gatehouse-sim run --fleet clients --console-dir consoles --rate 5000 --alarms 50 \\\n"
	"      --duration 30 --drain --ledger ledger\n"
	"  gatehouse-sim run --fleet clients --replay badges.csv --replay-controllers 20 \\\n"
	"      --speed 3600 --drain --ledger ledger\n"
	"  gatehouse-sim verify --ledger ledger --conninfo 'dbname=gatehouse' --wait 30";

/* ---- Parsing ----------------------------------------------------------------------- */

static void
number_parse(struct argp_state *state, const struct number_option *option, const char *text,
	     void *target)
{
	char *end = NULL;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= option->min && value <= option->max))
		argp_error(state, "--%s is \"%s\", expected a number from %.0f to %.0f",
			   option->name, text, option->min, option->max);
	else if (option->whole && value != (double)(uint64_t)value)
		argp_error(state, "--%s is \"%s\", expected a whole number", option->name, text);
	memcpy((char *)target + option->offset, &value, sizeof(value));
}

/* Returns false when the key is not that of a number or text. */
static bool
run_parse_plain(int key, char *text, struct argp_state *state)
{
	for (size_t i = 0; i < ARRAY_LEN(run_numbers); i++) {
		if (run_numbers[i].key == key) {
			if (text != NULL) /* --drain alone */
				number_parse(state, &run_numbers[i], text, state->input);
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(run_texts); i++) {
		if (run_texts[i].key == key) {
			memcpy((char *)state->input + run_texts[i].offset, &text, sizeof(text));
			return true;
		}
	}
	return false;
}

/* What no single option shows. */
static void
run_check(const struct run_options *o, struct argp_state *state)
{
	bool sends = o->rate > 0 || o->backlog > 0 || o->replay_path != NULL || o->alarms > 0;

	if (o->fleet_dir == NULL && o->console_dir == NULL && o->desk_dir == NULL)
		argp_error(state, "--fleet, --console-dir or --desk-dir is needed");
	if (o->fleet_dir == NULL && sends)
		argp_error(state, "without --fleet there is nobody to send records");
	if (o->profile_path != NULL && o->rate <= 0)
		argp_error(state, "--profile shapes the rate: --rate is needed");
	if (o->replay_path == NULL && (o->replay_controllers > 0 || o->speed > 0))
		argp_error(state, "--speed and --replay-controllers need --replay");
	if ((o->registrations > 0) != (o->desk_dir != NULL))
		argp_error(state, "--desk-dir and --registrations go together");
}

static error_t
run_parse_option(int key, char *text, struct argp_state *state)
{
	struct run_options *options = state->input;

	/* these two mean something by being there at all */
	options->drain |= key == KEY_DRAIN;
	options->epoch_given |= key == KEY_EPOCH;
	if (run_parse_plain(key, text, state))
		return 0;
	switch (key) {
	case KEY_TIMES:
		if (strcmp(text, "log") != 0 && strcmp(text, "now") != 0)
			argp_error(state, "--times is \"%s\", expected log or now", text);
		options->times_now = strcmp(text, "now") == 0;
		return 0;
	case KEY_NO_RESUME:
		options->no_resume = true;
		return 0;
	case KEY_BY_LIST:
		options->by_list = true;
		return 0;
	case KEY_JSON:
		options->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", text);
		return EINVAL;
	case ARGP_KEY_END:
		run_check(options, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
run_options_parse(struct run_options *options, int argc, char **argv)
{
	const struct argp argp = {
		.options = run_argp_options, .parser = run_parse_option, .doc = run_doc};

	*options = (struct run_options){.map = DEFAULT_MAP,
					.source_addresses = 1,
					.handshakes = 100,
					.dispatch_delay_s = 2,
					.day_s = 86400,
					.settle_s = 60,
					.drain_s = 30,
					.late_by_s = 2,
					.grant_group = "all",
					.epoch = 1};
	(void)argp_parse(&argp, argc, argv, 0, NULL, options);
}

/* ---- verify -------------------------------------------------------------------------- */

static const struct argp_option verify_argp_options[] = {
	{"ledger", KEY_LEDGER, "DIR", 0, "The ledger of one or more runs", 0},
	{"conninfo", KEY_CONNINFO, "CONNINFO", 0,
	 "How to reach PostgreSQL, as libpq takes it (libpq's environment)", 0},
	{"wait", KEY_WAIT, "SECONDS", 0,
	 "Wait up to so long until everything acknowledged is stored (0)", 0},
	{"expect-alarms", KEY_EXPECT_ALARMS, "all|none", 0,
	 "Whether each alarm must have reached a console (all when a console subscribed)", 0},
	{"json", KEY_JSON, NULL, 0, "The result as JSON", 0},
	{0},
};

static const char verify_doc[] =
	"Compare a ledger with what PostgreSQL holds.\v"
	"Reports records lost (acknowledged, and neither stored nor in quarantine), duplicate, "
	"invented (stored, and never sent), out of order (position not rising with seq) and wrong "
	"(kind, time or door differ); alarms that no console saw or one console saw twice; and the "
	"time from sending an alarm to seeing it.\n\n"
	"Exit status: 0 when all is right, 1 when not, 2 when it can't be compared.";

static error_t
verify_parse_option(int key, char *text, struct argp_state *state)
{
	static const struct number_option wait = {
		KEY_WAIT, "wait", offsetof(struct verify_options, wait_s), 0, 86400, false};
	struct verify_options *options = state->input;

	switch (key) {
	case KEY_LEDGER:
		options->ledger_dir = text;
		return 0;
	case KEY_CONNINFO:
		options->conninfo = text;
		return 0;
	case KEY_WAIT:
		number_parse(state, &wait, text, options);
		return 0;
	case KEY_EXPECT_ALARMS:
		if (strcmp(text, "all") != 0 && strcmp(text, "none") != 0)
			argp_error(state, "--expect-alarms is \"%s\", expected all or none", text);
		options->expect_alarms =
			strcmp(text, "all") == 0 ? VERIFY_EXPECT_ALL : VERIFY_EXPECT_NONE;
		return 0;
	case KEY_JSON:
		options->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", text);
		return EINVAL;
	case ARGP_KEY_END:
		if (options->ledger_dir == NULL)
			argp_error(state, "--ledger is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
verify_options_parse(struct verify_options *options, int argc, char **argv)
{
	const struct argp argp = {
		.options = verify_argp_options, .parser = verify_parse_option, .doc = verify_doc};

	*options = (struct verify_options){.conninfo = ""};
	(void)argp_parse(&argp, argc, argv, 0, NULL, options);
}
