/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `card register`, `extend`, `suspend`, `resume`, `lost`, `revoke`, and `grant set`
 * and `remove`: one record of a registration desk, sent as the desk whose folder is
 * named.  The daemon decides by the desk's role; its refusal names the rule.
 *
 * Owner: the main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ctl/card_number.h"
#include "ctl/desk_link.h"
#include "ctl/seal.h"
#include "ctl/verbs.h"
#include "ctl/when.h"
#include "store/admin.h"
#include "wire/kind.h"

enum {
	KEY_DESK = 256,
	KEY_SITE,
	KEY_KIND,
	KEY_UNIT,
	KEY_FROM,
	KEY_UNTIL,
	KEY_PERSONAL,
	KEY_OWNER,
	KEY_DOOR,
	KEY_GROUP,
	KEY_HOURS,
};

struct args {
	struct ctl *ctl;
	uint16_t kind;
	const char *desk, *site, *unit, *from, *until, *personal, *owner, *group, *hours;
	uint8_t card_kind;
	const char *doors[RIGHT_DOORS_MAX];
	size_t n_doors;
};

/* How the record was answered. */
struct sending {
	const struct desk_record *record;
	bool sent;
	enum desk_answer answer;
	enum reject reason;
	char *detail;
};

/* ---- The command line ------------------------------------------------------------ */

static const struct argp_option desk_options[] = {
	{"desk", KEY_DESK, "DIR", 0,
	 "the folder of the registration desk to act as; $GATEHOUSE_DESK otherwise", 0},
	{"site", KEY_SITE, "CODE", 0, "the site of the card", 0},
	{0},
};
static const struct argp_option register_options[] = {
	{"kind", KEY_KIND, "KIND", 0, "owner, tenant, temporary or staff", 0},
	{"unit", KEY_UNIT, "CODE", 0, "the dwelling or unit that it belongs to", 0},
	{"from", KEY_FROM, "TIME", 0, "it opens from then on; now otherwise", 0},
	{"until", KEY_UNTIL, "TIME", 0, "it opens until then; open end otherwise", 0},
	{"personal", KEY_PERSONAL, "FILE", 0,
	 "personal fields, sealed before they leave this program; needs --owner", 0},
	{"owner", KEY_OWNER, "CERTIFICATE", 0, "PEM of the data owner, who alone can open them", 0},
	{0},
};
static const struct argp_option extend_options[] = {
	{"from", KEY_FROM, "TIME", 0, "it opens from then on; as it was otherwise", 0},
	{"until", KEY_UNTIL, "TIME", 0, "it opens until then; as it was otherwise", 0},
	{0},
};
static const struct argp_option set_options[] = {
	{"door", KEY_DOOR, "CODE", 0, "at this door; may be given again", 0},
	{"group", KEY_GROUP, "CODE", 0, "at the doors that are in this group now", 0},
	{"from", KEY_FROM, "TIME", 0, "from then on; now otherwise", 0},
	{"until", KEY_UNTIL, "TIME", 0, "until then; open end otherwise", 0},
	{"hours", KEY_HOURS, "HOURS", 0,
	 "as \"Mon-Fri 07:00-19:00, Sat 08:00-12:00\"; always "
	 "otherwise",
	 0},
	{0},
};
static const struct argp_option remove_options[] = {
	{"door", KEY_DOOR, "CODE", 0, "at this door; may be given again", 0},
	{"group", KEY_GROUP, "CODE", 0, "at the doors that are in this group now", 0},
	{"from", KEY_FROM, "TIME", 0, "only the right that begins then; all otherwise", 0},
	{0},
};
static const struct argp_option no_options[] = {{0}};

#define NUMBER_COMES                                                                               \
	"The card number is read from standard input, because every user of the machine sees "     \
	"command lines.  Times are those of the site: 2026-12-31 (as an end, that day still "      \
	"opens), 2026-12-31T18:00, or with Z or +08:00 behind them."

static const struct card_verb {
	uint16_t kind;
	const struct argp_option *options;
	const char *doc;
} card_verbs[] = {
	{KIND_CODE_CARD_REGISTERED, register_options,
	 "Registers a card at a site.\v" NUMBER_COMES "\n\nExample:\n"
	 "  gatehousectl card register --desk clients/office --site mill --kind tenant \\\n"
	 "      --unit 12-3 --until 2026-12-31 < number"},
	{KIND_CODE_CARD_EXTENDED, extend_options,
	 "Gives a card another window: later or earlier.\v" NUMBER_COMES "\n\nExample:\n"
	 "  gatehousectl card extend --site mill --until 2027-06-30 < number"},
	{KIND_CODE_CARD_SUSPENDED, no_options,
	 "Suspends a card: it opens nothing until it is resumed.\v" NUMBER_COMES},
	{KIND_CODE_CARD_RESUMED, no_options,
	 "Lets a card open again that was suspended, or reported lost and found.\v" NUMBER_COMES},
	{KIND_CODE_CARD_REPORTED_LOST, no_options,
	 "Reports a card lost: it opens nothing, and raises an alarm where it is presented."
	 "\v" NUMBER_COMES},
	{KIND_CODE_CARD_REVOKED, no_options,
	 "Revokes a card for good, with all its rights; it raises an alarm where it is presented."
	 "\v" NUMBER_COMES},
	{KIND_CODE_GRANT_SET, set_options,
	 "Gives a card the right to open doors, or with the --from of a right that it has there "
	 "another end or other hours.\v" NUMBER_COMES "\n\nExample:\n"
	 "  gatehousectl grant set --site mill --door mill-a --door mill-b \\\n"
	 "      --until 2026-12-31 --hours \"Mon-Fri 07:00-19:00\" < number"},
	{KIND_CODE_GRANT_REMOVED, remove_options,
	 "Takes away the right to open doors.\v" NUMBER_COMES},
};

static const struct card_verb *
card_verb_get(int kind)
{
	for (size_t i = 0; i < ARRAY_LEN(card_verbs); i++) {
		if (card_verbs[i].kind == kind)
			return &card_verbs[i];
	}
	must(!"a verb of the table");
	return NULL;
}

static void
parse_card_kind(struct argp_state *state, struct args *args, const char *text)
{
	args->card_kind = card_kind_by_name(text);
	if (args->card_kind == CARD_KIND_NONE)
		argp_error(state, "--kind must be owner, tenant, temporary or staff, not \"%s\"",
			   text);
}

static void
parse_end(const struct args *args, struct argp_state *state)
{
	bool grants = args->kind == KIND_CODE_GRANT_SET || args->kind == KIND_CODE_GRANT_REMOVED;

	if (args->desk == NULL || args->desk[0] == '\0')
		argp_error(state, "--desk is missing, and $GATEHOUSE_DESK is not set");
	if (args->site == NULL)
		argp_error(state, "--site is missing");
	if (args->kind == KIND_CODE_CARD_REGISTERED && args->card_kind == CARD_KIND_NONE)
		argp_error(state, "--kind is missing");
	if ((args->personal == NULL) != (args->owner == NULL))
		argp_error(state, "--personal and --owner belong together");
	if (args->kind == KIND_CODE_CARD_EXTENDED && args->from == NULL && args->until == NULL)
		argp_error(state, "expected --until, --from, or both");
	if (grants && args->n_doors == 0 && args->group == NULL)
		argp_error(state, "expected --door or --group");
}

/* Where the value of an option that is a text goes. */
static const char **
args_text(struct args *args, int key)
{
	switch (key) {
	case KEY_DESK:
		return &args->desk;
	case KEY_SITE:
		return &args->site;
	case KEY_UNIT:
		return &args->unit;
	case KEY_FROM:
		return &args->from;
	case KEY_UNTIL:
		return &args->until;
	case KEY_PERSONAL:
		return &args->personal;
	case KEY_OWNER:
		return &args->owner;
	case KEY_GROUP:
		return &args->group;
	case KEY_HOURS:
		return &args->hours;
	default:
		return NULL;
	}
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;
	const char **text = args_text(args, key);

	if (text != NULL) {
		*text = arg;
		return 0;
	}
	switch (key) {
	case ARGP_KEY_INIT:
		ctl_parse_init(state, args->ctl);
		state->child_inputs[1] = args;
		return 0;
	case KEY_KIND:
		parse_card_kind(state, args, arg);
		return 0;
	case KEY_DOOR:
		if (args->n_doors == RIGHT_DOORS_MAX)
			argp_error(state, "more than %d doors", RIGHT_DOORS_MAX);
		args->doors[args->n_doors++] = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much; the card number comes from standard input",
			   arg);
		return EINVAL;
	case ARGP_KEY_END:
		parse_end(args, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t
desk_parse(int key, char *arg, struct argp_state *state)
{
	const char **text = args_text(state->input, key);

	if (text == NULL)
		return ARGP_ERR_UNKNOWN;
	*text = arg;
	return 0;
}

/* ---- The record -------------------------------------------------------------------- */

/* The register is asked for the site's time only where a time is given. */
static enum rc
take_times(const struct args *args, int64_t *from_us, int64_t *until_us, struct err *err)
{
	char *zone_name = NULL;
	enum rc rc = RC_OK;

	if (args->from != NULL || args->until != NULL) {
		rc = ctl_need_register(args->ctl, err);
		if (rc == RC_OK)
			rc = admin_site_timezone(args->ctl->admin, args->site, &zone_name, err);
	}
	if (rc == RC_OK && args->from != NULL)
		rc = when_parse(args->from, zone_name, WHEN_FROM, from_us, err);
	if (rc == RC_OK && args->until != NULL)
		rc = when_parse(args->until, zone_name, WHEN_UNTIL, until_us, err);
	free(zone_name);
	return rc;
}

/* *sealed is new memory. */
static enum rc
take_personal(const struct args *args, uint8_t **sealed, size_t *n, struct err *err)
{
	struct sealer *sealer = NULL;
	uint8_t *plain = NULL;
	size_t bytes = 0;
	enum rc rc;

	if (args->personal == NULL)
		return RC_OK;
	rc = sealer_open(&sealer, args->owner, err);
	if (rc == RC_OK)
		rc = fs_read_file(args->personal, SEAL_PLAIN_MAX, &plain, &bytes, err);
	if (rc == RC_OK) {
		rc = sealer_seal(sealer, plain, bytes, sealed, n, err);
		explicit_bzero(plain, bytes);
	}
	free(plain);
	sealer_close(&sealer);
	return rc;
}

static enum rc
record_make(const struct args *args, struct desk_record *record, struct err *err)
{
	struct registration *ask = &record->ask;
	bool grants = args->kind == KIND_CODE_GRANT_SET || args->kind == KIND_CODE_GRANT_REMOVED;
	uint8_t *sealed = NULL;
	enum rc rc;

	record->site = args->site;
	ask->kind = args->kind;
	ask->device_time_us = clock_wall_us();
	ask->card_kind = args->card_kind;
	ask->unit = args->unit != NULL ? args->unit : "";
	ask->group = args->group != NULL ? args->group : "";
	ask->doors = args->doors;
	ask->n_doors = args->n_doors;
	rc = take_times(args, grants ? &ask->valid_from_us : &ask->card_from_us,
			grants ? &ask->valid_until_us : &ask->card_until_us, err);
	if (rc == RC_OK && args->hours != NULL)
		rc = when_parse_hours(args->hours, ask->hours, &ask->n_hours, err);
	if (rc == RC_OK && args->kind == KIND_CODE_GRANT_SET && ask->valid_from_us == 0)
		ask->valid_from_us = ask->device_time_us;
	if (rc == RC_OK)
		rc = take_personal(args, &sealed, &ask->sealed_len, err);
	ask->sealed = sealed;
	return rc;
}

/* ---- Sending, and what was answered ------------------------------------------------- */

static bool
next_record(void *arg, struct desk_record *record)
{
	struct sending *sending = arg;

	if (sending->sent)
		return false;
	sending->sent = true;
	*record = *sending->record;
	return true;
}

static void
answered(void *arg, size_t number, enum desk_answer answer, enum reject reason, const char *detail)
{
	struct sending *sending = arg;

	(void)number;
	sending->answer = answer;
	sending->reason = reason;
	sending->detail = xstrdup(detail);
}

static int
sending_say(const struct sending *sending)
{
	const char *kind = kind_get(sending->record->ask.kind)->name;
	const char *reason = reject_name(sending->reason);

	switch (sending->answer) {
	case DESK_ACCEPTED:
		(void)printf("%s: in force\n", kind);
		return CTL_DONE;
	case DESK_UNKNOWN:
		(void)fprintf(stderr,
			      "gatehousectl: %s: the connection broke before the answer; see "
			      "gatehousectl card list\n",
			      kind);
		return CTL_FAILED;
	case DESK_REFUSED:
		break;
	}
	(void)fprintf(stderr, "gatehousectl: %s: refused (%s): %s\n", kind,
		      reason != NULL ? reason : "unknown reason", sending->detail);
	return CTL_FAILED;
}

static enum rc
send_one(const struct args *args, struct sending *sending, struct err *err)
{
	const struct desk_source source = {next_record, answered, sending};
	struct desk_folder folder;
	enum rc rc = desk_folder_open(&folder, args->desk, err);

	if (rc != RC_OK)
		return rc;
	rc = desk_link_run(&folder, &source, err);
	desk_folder_fini(&folder);
	return rc;
}

static int
run(const struct args *args)
{
	struct desk_record record = {0};
	struct sending sending = {.record = &record};
	struct card_number number = {0};
	struct err err;
	enum rc rc = record_make(args, &record, &err);
	int code;

	if (rc == RC_OK && isatty(STDIN_FILENO))
		(void)fprintf(stderr, "card number: ");
	if (rc == RC_OK)
		rc = card_number_read(&number, stdin, &err);
	record.card = number.bytes;
	record.card_len = number.len;
	if (rc == RC_OK)
		rc = send_one(args, &sending, &err);
	code = rc == RC_OK ? sending_say(&sending) : ctl_failed(&err);
	card_number_wipe(&number);
	free((void *)(uintptr_t)record.ask.sealed);
	free(sending.detail);
	return code;
}

int
verb_card(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp desk_argp = {.options = desk_options, .parser = desk_parse};
	static const struct argp_child children[] = {
		CTL_COMMON_CHILD, {&desk_argp, 0, "Who and where:", 1}, {0}};
	const struct card_verb *which = card_verb_get(verb->what);
	struct argp argp = {which->options, parse, "", which->doc, children, NULL, NULL};
	struct args *args = xcalloc(1, sizeof(*args));
	int code = CTL_USAGE;

	*args = (struct args){.ctl = ctl, .kind = which->kind, .desk = getenv("GATEHOUSE_DESK")};
	if (argp_parse(&argp, argc, argv, 0, NULL, args) == 0)
		code = run(args);
	free(args);
	return code;
}
