/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl door label`: which doors, and into which files.  Owner: the main
 * thread.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/label.h"
#include "ctl/verbs.h"
#include "store/admin.h"

enum { DOORS_MAX = 1024, LINK_MAX = 200, KEY_LINK = 256 };

struct args {
	struct ctl *ctl;
	const char *site, *out, *link;
	enum label_format format;
	const char *doors[DOORS_MAX];
	size_t n_doors;
};

/* Owner of the texts. */
struct labels {
	struct label *items;
	size_t n, capacity;
	const struct args *args;
	bool found[DOORS_MAX]; /* of args->doors */
};

static const struct argp_option options[] = {
	{"site", 's', "CODE", 0, "all doors of this site", 0},
	{"out", 'o', "FILE", 0, "where to write; door-labels.pdf otherwise", 0},
	{"format", 'f', "FORMAT", 0,
	 "pdf: all sheets in one file; svg: a file for each sheet; as FILE ends otherwise", 0},
	{"link", KEY_LINK, "TEXT", 0,
	 "put this before the code in the QR code, as https://estate.example/door/", 0},
	{0},
};

static const char doc[] =
	"Makes a sheet to print, A4 with ten labels: each has the door's standard address, its "
	"name, its code, and the code as a QR code.  Hung beside the door, it lets whoever stands "
	"there say which door it is."
	"\vExamples:\n"
	"  gatehousectl door label --site mill --out mill.pdf\n"
	"  gatehousectl door label mill-a mill-b --out labels.svg\n"
	"  gatehousectl door label --site mill --link https://mill.example/door/";

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static void
parse_format(struct argp_state *state, struct args *args, const char *text)
{
	if (strcmp(text, "pdf") != 0 && strcmp(text, "svg") != 0)
		argp_error(state, "--format must be pdf or svg, not \"%s\"", text);
	args->format = strcmp(text, "svg") == 0 ? LABEL_SVG : LABEL_PDF;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case 's':
		args->site = arg;
		return 0;
	case 'o':
		args->out = arg;
		if (ends_with(arg, ".svg"))
			args->format = LABEL_SVG;
		return 0;
	case 'f':
		parse_format(state, args, arg);
		return 0;
	case KEY_LINK:
		if (strlen(arg) > LINK_MAX)
			argp_error(state, "--link has more than %d bytes", LINK_MAX);
		args->link = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (args->n_doors == DOORS_MAX)
			argp_error(state, "more than %d doors; use --site", DOORS_MAX);
		args->doors[args->n_doors++] = arg;
		return 0;
	case ARGP_KEY_END:
		if ((args->site == NULL) == (args->n_doors == 0))
			argp_error(state, "expected either --site or doors by their codes");
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

/* ---- Which doors ---------------------------------------------------------------- */

static bool
labels_wants(struct labels *labels, const char *code, const char *site)
{
	const struct args *args = labels->args;

	if (args->site != NULL)
		return strcmp(args->site, site) == 0;
	for (size_t i = 0; i < args->n_doors; i++) {
		if (strcmp(args->doors[i], code) == 0)
			return labels->found[i] = true;
	}
	return false;
}

/* In the order that store/admin.h promises. */
static enum rc
labels_add(void *arg, int n, const char *const *names, const char *const *values)
{
	struct labels *labels = arg;

	(void)names;
	must(n == 5);
	if (!labels_wants(labels, values[0], values[2]))
		return RC_OK;
	if (labels->n == labels->capacity) {
		labels->capacity = labels->capacity == 0 ? 64 : labels->capacity * 2;
		labels->items = xrealloc(labels->items, labels->capacity * sizeof(*labels->items));
	}
	labels->items[labels->n++] = (struct label){
		.code = xstrdup(values[0]),
		.door = xstrdup(values[1]),
		.site = xstrdup(values[3][0] != '\0' ? values[3] : values[2]),
		.address = xstrdup(values[4]),
	};
	return RC_OK;
}

static void
labels_fini(struct labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct label *label = &labels->items[i];
		const char *texts[] = {label->code, label->door, label->site, label->address};

		for (size_t k = 0; k < ARRAY_LEN(texts); k++)
			free((char *)(uintptr_t)texts[k]);
	}
	free(labels->items);
}

static enum rc
labels_check(const struct labels *labels, struct err *err)
{
	const struct args *args = labels->args;

	for (size_t i = 0; i < args->n_doors; i++) {
		if (!labels->found[i])
			return err_invalid(err, "there is no door \"%s\"", args->doors[i]);
	}
	if (labels->n == 0)
		return err_invalid(err, "there is no site \"%s\", or it has no doors", args->site);
	return RC_OK;
}

/* ---- Into files ------------------------------------------------------------------ */

/* "labels.svg" becomes "labels-2.svg" where more than one sheet is needed. */
static char *
sheet_path(const char *out, size_t sheet, size_t sheets)
{
	size_t stem = strlen(out) - (ends_with(out, ".svg") ? strlen(".svg") : 0);

	if (sheets == 1)
		return xstrdup(out);
	return xasprintf("%.*s-%zu.svg", (int)stem, out, sheet + 1);
}

static enum rc
labels_write_svg(const struct labels *labels, const char *out, struct err *err)
{
	size_t sheets = (labels->n + LABELS_PER_SHEET - 1) / LABELS_PER_SHEET;
	enum rc rc = RC_OK;

	for (size_t sheet = 0; sheet < sheets && rc == RC_OK; sheet++) {
		size_t first = sheet * LABELS_PER_SHEET, left = labels->n - first;
		char *path = sheet_path(out, sheet, sheets);

		rc = label_write(path, LABEL_SVG, labels->args->link, labels->items + first,
				 left < LABELS_PER_SHEET ? left : LABELS_PER_SHEET, err);
		if (rc == RC_OK)
			(void)printf("%s\n", path);
		free(path);
	}
	return rc;
}

static enum rc
labels_write(const struct labels *labels, struct err *err)
{
	const struct args *args = labels->args;
	const char *out = args->out;
	enum rc rc;

	if (out == NULL)
		out = args->format == LABEL_SVG ? "door-labels.svg" : "door-labels.pdf";
	if (args->format == LABEL_SVG)
		return labels_write_svg(labels, out, err);
	rc = label_write(out, LABEL_PDF, args->link, labels->items, labels->n, err);
	if (rc == RC_OK)
		(void)printf("%s\n", out);
	return rc;
}

int
verb_label(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {options, parse, "[DOOR...]", doc, children, NULL, NULL};
	struct args args = {.ctl = ctl, .link = ""};
	struct labels labels = {.args = &args};
	struct err err;
	enum rc rc;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	rc = ctl_need_register(ctl, &err);
	if (rc == RC_OK)
		rc = admin_list(ctl->admin, ADMIN_LABELS, labels_add, &labels, &err);
	if (rc == RC_OK)
		rc = labels_check(&labels, &err);
	if (rc == RC_OK)
		rc = labels_write(&labels, &err);
	labels_fini(&labels);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}
