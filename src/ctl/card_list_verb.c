/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `card list` and `grant list`, for people and scripts, and `card export`, in the form
 * that `card import` takes.  PostgreSQL's instants become the site's time here.
 *
 * Owner: the main thread.
 */
#include <csv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/card_rows.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "ctl/when.h"
#include "store/admin.h"

enum { KEY_SITE = 256, EXPORT_COLUMNS = 9 };

struct args {
	struct ctl *ctl;
	const char *site, *out;
};

/* Where the rows go. */
struct listing {
	struct table *table; /* of a list */
	FILE *out;           /* of an export */
	char *zone_name;
};

static const struct table_column card_columns[] = {
	{"card", TABLE_NUMBER},   {"kind", TABLE_TEXT}, {"status", TABLE_TEXT},
	{"unit", TABLE_TEXT},     {"from", TABLE_TEXT}, {"until", TABLE_TEXT},
	{"rights", TABLE_NUMBER},
};
static const struct table_column grant_columns[] = {
	{"card", TABLE_NUMBER}, {"kind", TABLE_TEXT},  {"unit", TABLE_TEXT},  {"door", TABLE_TEXT},
	{"from", TABLE_TEXT},   {"until", TABLE_TEXT}, {"hours", TABLE_TEXT}, {"by", TABLE_TEXT},
};

static const struct argp_option list_options[] = {
	{"site", KEY_SITE, "CODE", 0, "the site of the cards", 0}, {0}};
static const struct argp_option export_options[] = {
	{"site", KEY_SITE, "CODE", 0, "the site of the cards", 0},
	{"out", 'o', "FILE", 0, "a new file, which only you can read; standard output otherwise",
	 0},
	{0},
};

static const char list_doc[] =
	"Lists a site's cards, or their rights.  A card stands there by its number in the "
	"register; its own number is not known here, and who holds it neither."
	"\vExamples:\n"
	"  gatehousectl card list --site mill\n"
	"  gatehousectl grant list --site mill --json | jq '.[] | select(.door == \"mill-a\")'";
static const char export_doc[] =
	"Writes a site's cards and the rights that have not ended as CSV, as `card import` takes "
	"it.  Cards are named by their keys, because their numbers are not known here; personal "
	"fields stay sealed where they are."
	"\vExample:\n"
	"  gatehousectl card export --site mill --out mill.csv";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_SITE:
		args->site = arg;
		return 0;
	case 'o':
		args->out = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->site == NULL)
			argp_error(state, "--site is missing");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

/* ---- Values ----------------------------------------------------------------------- */

/* New memory; "" for null. */
static char *
time_text(const struct listing *listing, const char *us, enum when_side side)
{
	return us != NULL ? when_print(strtoll(us, NULL, 10), listing->zone_name, side)
			  : xstrdup("");
}

/* PostgreSQL's "{[420,1140),[1860,2580)}" as hours; new memory. */
static char *
hours_text(const char *ranges)
{
	struct right_hours hours[RIGHT_HOURS_MAX];
	size_t n = 0;

	for (const char *at = ranges; at != NULL && (at = strchr(at, '[')) != NULL; at++) {
		unsigned from, to;

		if (n == RIGHT_HOURS_MAX || sscanf(at, "[%u,%u)", &from, &to) != 2)
			return xstrdup(ranges);
		hours[n++] = (struct right_hours){(uint16_t)from, (uint16_t)to};
	}
	return when_print_hours(hours, n);
}

/* ---- Lists -------------------------------------------------------------------------- */

/* Rows as store/admin.h promises them. */
static enum rc
add_card(void *arg, int n, const char *const *names, const char *const *values)
{
	struct listing *listing = arg;
	char *from = time_text(listing, values[4], WHEN_FROM);
	char *until = time_text(listing, values[5], WHEN_UNTIL);
	const char *row[] = {values[0], values[1], values[2], values[3], from, until, values[6]};

	(void)names;
	must(n == 7);
	table_add_row(listing->table, row);
	free(from);
	free(until);
	return RC_OK;
}

static enum rc
add_grant(void *arg, int n, const char *const *names, const char *const *values)
{
	struct listing *listing = arg;
	char *from = time_text(listing, values[4], WHEN_FROM);
	char *until = time_text(listing, values[5], WHEN_UNTIL);
	char *hours = hours_text(values[6]);
	const char *row[] = {values[0], values[1], values[2], values[3],
			     from,      until,     hours,     values[7]};

	(void)names;
	must(n == 8);
	table_add_row(listing->table, row);
	free(from);
	free(until);
	free(hours);
	return RC_OK;
}

/* Finds the site's time, and has the rows added. */
static enum rc
listing_fill(struct listing *listing, const struct args *args, enum admin_site_list what,
	     admin_row *add, struct err *err)
{
	struct ctl *ctl = args->ctl;
	enum rc rc = ctl_need_register(ctl, err);

	if (rc == RC_OK)
		rc = admin_site_timezone(ctl->admin, args->site, &listing->zone_name, err);
	if (rc == RC_OK)
		rc = admin_site_list(ctl->admin, what, args->site, add, listing, err);
	free(listing->zone_name);
	return rc;
}

int
verb_card_list(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {list_options, parse, "", list_doc, children, NULL, NULL};
	bool grants = verb->what == ADMIN_SITE_GRANTS;
	struct args args = {.ctl = ctl};
	struct listing listing = {0};
	struct err err;
	enum rc rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	listing.table = grants ? table_new(grant_columns, ARRAY_LEN(grant_columns))
			       : table_new(card_columns, ARRAY_LEN(card_columns));
	rc = listing_fill(&listing, &args, (enum admin_site_list)verb->what,
			  grants ? add_grant : add_card, &err);
	if (rc == RC_OK && ctl->json)
		rc = table_print_json(listing.table, stdout, &err);
	else if (rc == RC_OK)
		table_print(listing.table, stdout);
	table_free(&listing.table);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

/* ---- Export -------------------------------------------------------------------------- */

/* In the order of card_rows_header; groups are not known any more. */
static enum rc
write_card(void *arg, int n, const char *const *names, const char *const *values)
{
	struct listing *listing = arg;
	char *from = time_text(listing, values[3], WHEN_FROM);
	char *until = time_text(listing, values[4], WHEN_UNTIL);
	char *right_from = time_text(listing, values[6], WHEN_FROM);
	char *right_until = time_text(listing, values[7], WHEN_UNTIL);
	char *hours = hours_text(values[8]);
	const char *fields[] = {values[0], values[1], values[2],  from,        until,
				values[5], "",        right_from, right_until, hours};

	(void)names;
	must(n == EXPORT_COLUMNS);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const char *text = fields[i] != NULL ? fields[i] : "";

		if (i > 0)
			(void)fputc(',', listing->out);
		(void)csv_fwrite(listing->out, text, strlen(text));
	}
	(void)fputc('\n', listing->out);
	free(from);
	free(until);
	free(right_from);
	free(right_until);
	free(hours);
	return RC_OK;
}

static enum rc
export_write(const struct args *args, FILE *out, struct err *err)
{
	struct listing listing = {.out = out};

	(void)fprintf(out, "%s\n", card_rows_header);
	return listing_fill(&listing, args, ADMIN_SITE_EXPORT, write_card, err);
}

static enum rc
export_to_file(const struct args *args, struct err *err)
{
	FILE *out = fopen(args->out, "wx");
	enum rc rc;

	if (out == NULL)
		return err_sys(err, "could not create \"%s\"", args->out);
	rc = fchmod(fileno(out), S_IRUSR | S_IWUSR) == 0
		     ? export_write(args, out, err)
		     : err_sys(err, "could not keep \"%s\" from others", args->out);
	if (ferror(out) != 0 && rc == RC_OK)
		rc = err_sys(err, "could not write \"%s\"", args->out);
	if (fclose(out) != 0 && rc == RC_OK)
		rc = err_sys(err, "could not write \"%s\"", args->out);
	return rc;
}

int
verb_card_export(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {export_options, parse, "",  export_doc,
					 children,       NULL,  NULL};
	struct args args = {.ctl = ctl};
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	rc = args.out != NULL ? export_to_file(&args, &err) : export_write(&args, stdout, &err);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}
