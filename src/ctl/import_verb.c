/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl card import`: a file of cards and rights, checked as a whole before
 * anything is sent.  With mistakes in it nothing is done, unless --skip-bad says where
 * the bad rows go.
 *
 * Owner: the main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ctl/card_plan.h"
#include "ctl/control.h"
#include "ctl/desk_link.h"
#include "ctl/progress_bar.h"
#include "ctl/seal.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "daemon/settings.h"
#include "store/admin.h"
#include "wire/kind.h"

enum { KEY_DESK = 256, KEY_SITE, KEY_OWNER, KEY_DRY_RUN, KEY_SKIP_BAD };

/* At most ten seconds. */
enum { STORE_TRIES = 100, STORE_WAIT_US = 100000 };

struct args {
	struct ctl *ctl;
	const char *desk, *site, *owner, *skip_bad, *file;
	bool dry_run;
};

struct import {
	const struct args *args;
	struct desk_folder folder;
	struct card_rows *rows;
	struct reg *reg;
	struct card_keys *keys;
	struct sealer *sealer;
	struct card_plan plan;
	int64_t now_us;
	/* while it is sent */
	size_t next;
	struct desk_record record; /* that was pulled last, and what it points to: */
	const char *doors[CARD_ROW_DOORS_MAX];
	uint8_t *sealed;
	struct progress_bar bar;
	size_t accepted, refused, unknown;
	char *seal_failed; /* why, of the first */
};

static const struct argp_option options[] = {
	{"desk", KEY_DESK, "DIR", 0,
	 "the folder of the registration desk to act as; $GATEHOUSE_DESK otherwise", 0},
	{"site", KEY_SITE, "CODE", 0, "the site of the cards", 0},
	{"owner", KEY_OWNER, "CERTIFICATE", 0,
	 "PEM of the data owner, to whom columns personal.* are sealed", 0},
	{"dry-run", KEY_DRY_RUN, NULL, 0, "check everything, and say what would change", 0},
	{"skip-bad", KEY_SKIP_BAD, "FILE", 0,
	 "write rows with mistakes to this new file, and import the others", 0},
	{0},
};

static const char doc[] =
	"Makes the register say what FILE says: cards that are new are registered, windows and "
	"rights that differ are changed, what is not in FILE stays as it is.  Everything is "
	"checked before anything is changed; with a mistake nothing is."
	"\vFILE is CSV; its first line names the columns, in any order:\n"
	"\n"
	"  card         card number, as text or hex:0badcafe; or card_key, as exported\n"
	"  kind         owner, tenant, temporary, staff\n"
	"  unit         code of the unit\n"
	"  valid_from, valid_until     2026-12-31 or 2026-12-31T18:00, time of the site\n"
	"  doors        codes, commas between them;  group: a group of doors\n"
	"  right_from, right_until     of the right at these doors\n"
	"  hours        Mon-Fri 07:00-19:00, Sat 08:00-12:00\n"
	"  personal.*   sealed to the data owner's certificate before they leave this program\n"
	"\n"
	"Only card and, for a new card, kind must have a value.  An import that was interrupted "
	"is run again: what is done takes nothing.\n"
	"\n"
	"Examples:\n"
	"  gatehousectl card import mill.csv --site mill --desk clients/office --dry-run\n"
	"  gatehousectl card import mill.csv --site mill --desk clients/office --skip-bad bad.csv";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_DESK:
		args->desk = arg;
		return 0;
	case KEY_SITE:
		args->site = arg;
		return 0;
	case KEY_OWNER:
		args->owner = arg;
		return 0;
	case KEY_DRY_RUN:
		args->dry_run = true;
		return 0;
	case KEY_SKIP_BAD:
		args->skip_bad = arg;
		return 0;
	case ARGP_KEY_ARG:
		ctl_parse_word(state, &args->file, arg);
		return 0;
	case ARGP_KEY_END:
		if (args->file == NULL)
			argp_error(state, "a file is missing");
		if (args->desk == NULL || args->desk[0] == '\0')
			argp_error(state, "--desk is missing, and $GATEHOUSE_DESK is not set");
		if (args->site == NULL)
			argp_error(state, "--site is missing");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

/* ---- PostgreSQL has what the daemon has ------------------------------------------------ */

/* Bytes of the journal that are not stored yet; 0 also when nobody says. */
static json_int_t
store_lag(struct control *control)
{
	json_t *ask = json_pack("{s:s}", "verb", "status"), *reply = NULL;
	json_int_t bytes = 0;
	struct err err;

	must(ask != NULL);
	if (control_ask(control, ask, &reply, &err) == RC_OK)
		(void)json_unpack(reply, "{s:{s:I}}", "lag", "bytes", &bytes);
	json_decref(reply);
	json_decref(ask);
	return bytes;
}

/* A file is held against PostgreSQL, which follows the daemon.  Where it does not catch
 * up, the daemon's rules refuse what came twice. */
static void
wait_stored(const struct ctl *ctl)
{
	struct control *control;
	struct err err;

	if (control_open(&control, ctl->settings->control_socket, &err) != RC_OK)
		return;
	for (int i = 0; i < STORE_TRIES && store_lag(control) > 0; i++)
		(void)usleep(STORE_WAIT_US);
	control_close(&control);
}

/* ---- Checking --------------------------------------------------------------------------- */

static enum rc
import_open(struct import *import, struct err *err)
{
	const struct args *args = import->args;
	struct ctl *ctl = args->ctl;
	char *zone_name = NULL;
	enum rc rc = desk_folder_open(&import->folder, args->desk, err);

	if (rc == RC_OK)
		rc = ctl_need_register(ctl, err);
	if (rc == RC_OK)
		rc = admin_site_timezone(ctl->admin, args->site, &zone_name, err);
	if (rc == RC_OK)
		wait_stored(ctl);
	if (rc == RC_OK)
		rc = card_keys_open(&import->keys, ctl->settings->keys_dir, err);
	if (rc == RC_OK && args->owner != NULL)
		rc = sealer_open(&import->sealer, args->owner, err);
	if (rc == RC_OK)
		rc = admin_load_register(ctl->admin, &import->reg, err);
	if (rc == RC_OK)
		rc = card_rows_read(&import->rows, args->file, zone_name, err);
	free(zone_name);
	return rc;
}

static void
import_check_personal(struct import *import)
{
	for (size_t i = 0; import->sealer == NULL && i < import->rows->n; i++) {
		struct card_row *row = &import->rows->items[i];

		if (row->personal != NULL && row->problem == NULL)
			card_rows_problem(import->rows, row, "personal",
					  "personal fields need --owner, to be sealed");
	}
}

static enum rc
import_plan_once(struct import *import, struct err *err)
{
	const struct rights_conf conf = {.changes = 1};
	struct rights *rights = rights_new(&conf);
	struct card_plan_base base = {
		.reg = import->reg,
		.rights = rights,
		.keys = import->keys,
		.desk = reg_desk_by_name(import->reg, import->folder.name),
		.site = reg_site_by_code(import->reg, import->args->site),
		.now_us = import->now_us,
	};
	enum rc rc = RC_OK;

	if (base.desk == NULL)
		rc = err_invalid(err, "the register has no desk \"%s\"", import->folder.name);
	if (rc == RC_OK)
		rc = admin_load_rights(import->args->ctl->admin, rights, err);
	if (rc == RC_OK)
		rc = card_plan_make(&import->plan, &base, import->rows, err);
	rights_free(&rights);
	return rc;
}

/* Again without the rows that turned out bad, until none does: what they asked for may
 * have made others look right. */
static enum rc
import_plan(struct import *import, struct err *err)
{
	size_t bad;
	enum rc rc;

	import_check_personal(import);
	do {
		bad = import->rows->n_bad;
		card_plan_fini(&import->plan);
		rc = import_plan_once(import, err);
	} while (rc == RC_OK && import->rows->n_bad > bad && import->args->skip_bad != NULL);
	return rc;
}

/* ---- Sending ------------------------------------------------------------------------------ */

/* Whatever an earlier record pointed to was copied when it was sent. */
static void
import_let_go(struct import *import)
{
	free(import->sealed);
	import->sealed = NULL;
}

static bool
import_seal(struct import *import, const struct card_row *row)
{
	char *text = json_dumps(row->personal, JSON_COMPACT | JSON_SORT_KEYS);
	struct err err;
	enum rc rc;

	must(text != NULL);
	rc = sealer_seal(import->sealer, text, strlen(text), &import->sealed,
			 &import->record.ask.sealed_len, &err);
	explicit_bzero(text, strlen(text));
	free(text);
	if (rc != RC_OK)
		import->seal_failed =
			xasprintf("%s:%u: %s", import->rows->label, row->line, err.msg);
	import->record.ask.sealed = import->sealed;
	return rc == RC_OK;
}

static bool
import_next(void *arg, struct desk_record *record)
{
	struct import *import = arg;
	const struct card_step *step = &import->plan.steps[import->next];

	import_let_go(import);
	if (import->next == import->plan.n || import->seal_failed != NULL)
		return false;
	card_step_ask(step, import->now_us, import->doors, &import->record.ask);
	import->record.site = import->args->site;
	import->record.card = step->row->number.bytes;
	import->record.card_len = step->row->number.len;
	import->record.ask.card_key = step->row->number.len == 0 ? step->row->card_key : NULL;
	if (step->kind == KIND_CODE_CARD_REGISTERED && step->row->personal != NULL &&
	    !import_seal(import, step->row))
		return false;
	import->next++;
	*record = import->record;
	return true;
}

/* What was right on the copy and is refused now: somebody changed the register meanwhile. */
static void
import_answered(void *arg, size_t number, enum desk_answer answer, enum reject reason,
		const char *detail)
{
	struct import *import = arg;
	const struct card_step *step = &import->plan.steps[number];
	const char *name = reject_name(reason);

	progress_bar_set(&import->bar, number + 1);
	import->accepted += answer == DESK_ACCEPTED;
	import->unknown += answer == DESK_UNKNOWN;
	if (answer != DESK_REFUSED)
		return;
	import->refused++;
	progress_bar_end(&import->bar);
	(void)fprintf(stderr, "%s:%u: %s refused (%s): %s\n", import->rows->label, step->row->line,
		      kind_get(step->kind)->name, name != NULL ? name : "unknown reason", detail);
}

static enum rc
import_send(struct import *import, struct err *err)
{
	const struct desk_source source = {import_next, import_answered, import};
	enum rc rc;

	progress_bar_begin(&import->bar, "sending", import->plan.n);
	rc = desk_link_run(&import->folder, &source, err);
	progress_bar_end(&import->bar);
	import_let_go(import);
	if (rc == RC_OK && import->seal_failed != NULL)
		rc = err_invalid(err, "%s", import->seal_failed);
	return rc;
}

/* ---- What was done -------------------------------------------------------------------------- */

static enum rc
import_write_bad(const struct import *import, struct err *err)
{
	const char *path = import->args->skip_bad;
	FILE *out = fopen(path, "wx");
	bool written;

	if (out == NULL)
		return err_sys(err, "could not create \"%s\"", path);
	card_rows_write_bad(import->rows, out);
	written = ferror(out) == 0;
	if (fclose(out) != 0 || !written)
		return err_sys(err, "could not write \"%s\"", path);
	return RC_OK;
}

static void
import_say_json(const struct import *import)
{
	const struct card_plan *plan = &import->plan;
	json_t *said = json_pack(
		"{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "dry_run", import->args->dry_run,
		"registered", (json_int_t)plan->registered, "extended", (json_int_t)plan->extended,
		"granted", (json_int_t)plan->granted, "unchanged", (json_int_t)plan->unchanged,
		"skipped", (json_int_t)import->rows->n_bad, "refused", (json_int_t)import->refused,
		"unknown", (json_int_t)import->unknown);

	must(said != NULL);
	(void)json_dumpf(said, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
	json_decref(said);
}

static void
import_say(const struct import *import)
{
	const struct card_plan *plan = &import->plan;
	bool dry = import->args->dry_run;
	char text[TEXT_SHORT];
	const struct {
		const char *what;
		size_t n;
	} lines[] = {
		{dry ? "cards to register" : "cards registered", plan->registered},
		{dry ? "cards to extend" : "cards extended", plan->extended},
		{dry ? "rights to set" : "rights set", plan->granted},
		{"rows that change nothing", plan->unchanged},
		{"rows skipped", import->rows->n_bad},
		{"records refused", import->refused},
		{"answers lost: run it again", import->unknown},
	};

	if (import->args->ctl->json) {
		import_say_json(import);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (i < 4 || lines[i].n > 0)
			(void)printf("%-28s %10s\n", lines[i].what,
				     text_count((int64_t)lines[i].n, text));
	}
}

static enum rc
import_run(struct import *import, struct err *err)
{
	const struct args *args = import->args;
	enum rc rc = import_open(import, err);

	if (rc == RC_OK && !import->rows->unusable)
		rc = import_plan(import, err);
	if (rc != RC_OK)
		return rc;
	card_rows_print_problems(import->rows, stderr);
	if (import->rows->unusable || (import->rows->n_bad > 0 && args->skip_bad == NULL))
		return err_invalid(err, "nothing was changed");
	if (import->rows->n_bad > 0)
		rc = import_write_bad(import, err);
	if (rc == RC_OK && !args->dry_run && import->plan.n > 0)
		rc = import_send(import, err);
	import_say(import);
	return rc;
}

static void
import_fini(struct import *import)
{
	card_plan_fini(&import->plan);
	card_rows_free(&import->rows);
	reg_unref(&import->reg);
	card_keys_close(&import->keys);
	sealer_close(&import->sealer);
	desk_folder_fini(&import->folder);
	free(import->seal_failed);
}

int
verb_card_import(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {options, parse, "FILE", doc, children, NULL, NULL};
	struct args args = {.ctl = ctl, .desk = getenv("GATEHOUSE_DESK")};
	struct import *import;
	struct err err;
	enum rc rc;
	int code;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	import = xcalloc(1, sizeof(*import));
	import->args = &args;
	import->now_us = clock_wall_us();
	rc = import_run(import, &err);
	code = rc != RC_OK ? ctl_failed(&err) : CTL_DONE;
	if (rc == RC_OK && import->refused + import->unknown > 0)
		code = CTL_FAILED;
	import_fini(import);
	free(import);
	return code;
}
