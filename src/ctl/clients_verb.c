/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `controller add` and `controller issue`, and the same for consoles and registration
 * desks: one name, a list, or so many for a trial.  The work is done in clients.c.
 * Owner: the main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ca.h"
#include "ctl/clients.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum {
	/* the columns behind the name */
	KEY_COLUMN_2 = 256, /* --site, --station, or --role of a desk */
	KEY_COLUMN_3,       /* --sites of a desk */
	KEY_COLUMN_4,       /* --units of a desk */
	KEY_OUT,
	KEY_CA,
	KEY_HOST,
	KEY_PORT,
	KEY_DAYS,
	KEY_FROM,
	KEY_COUNT,
	KEY_PREFIX,
	KEY_DOORS,
	KEY_ALL,
};

enum { COLUMNS_MAX = KEY_COLUMN_4 - KEY_COLUMN_2 + 1 };
enum { COUNT_MAX = 100000, DOORS_MAX = 128, NAMES_MAX = 1024 };

struct args {
	struct ctl *ctl;
	enum setup_kind kind; /* SETUP_CONTROLLERS, SETUP_CONSOLES or SETUP_DESKS */
	struct clients_wish wish;
	const char *names[NAMES_MAX];
	size_t n_names;
	const char *columns[COLUMNS_MAX]; /* behind the name; NULL: not given */
	const char *from, *prefix;
	long count, doors;
	bool all;
};

static const struct argp_option folder_options[] = {
	{"out", KEY_OUT, "DIR", 0,
	 "where the folder NAME is made; default: clients/ beside the configuration", 0},
	{"ca", KEY_CA, "DIR", 0, "the authority; default: ca/ beside the configuration", 0},
	{"host", KEY_HOST, "NAME_OR_IP", 0,
	 "where the client finds the daemon; default: the first name in the server's certificate",
	 0},
	{"port", KEY_PORT, "PORT", 0, "and its port; default: that of the first listener for it",
	 0},
	{"days", KEY_DAYS, "DAYS", 0, "how long the certificate is valid; default 825", 0},
	{0},
};

static struct args
args_new(struct ctl *ctl, const struct verb *verb)
{
	static const enum tls_role roles[SETUP_KINDS] = {
		[SETUP_CONTROLLERS] = TLS_ROLE_CONTROLLER,
		[SETUP_CONSOLES] = TLS_ROLE_CONSOLE,
		[SETUP_DESKS] = TLS_ROLE_DESK,
	};

	return (struct args){
		.ctl = ctl,
		.kind = (enum setup_kind)verb->what,
		.wish = {.role = roles[verb->what], .port = -1, .days = CA_DAYS_DEFAULT},
	};
}

/* The input of a child parser is the struct args too. */
static error_t
folder_parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_OUT:
		args->wish.out_dir = arg;
		return 0;
	case KEY_CA:
		args->wish.ca_dir = arg;
		return 0;
	case KEY_HOST:
		if (!ca_host_is_valid(arg))
			argp_error(state, "--host \"%s\" is neither a host's name nor an address",
				   arg);
		args->wish.host = arg;
		return 0;
	case KEY_PORT:
		args->wish.port = (int)ctl_parse_number(state, "port", arg, 1, UINT16_MAX);
		return 0;
	case KEY_DAYS:
		args->wish.days = (int)ctl_parse_number(state, "days", arg, 1, CA_DAYS_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp folder_argp = {.options = folder_options, .parser = folder_parse};

static const struct argp_child children[] = {
	CTL_COMMON_CHILD,
	{&folder_argp, 0, "Folder and certificate:", 1},
	{0},
};

static void
args_init(struct args *args, struct argp_state *state)
{
	ctl_parse_init(state, args->ctl);
	state->child_inputs[1] = args;
}

static void
args_add_name(struct args *args, struct argp_state *state, const char *name)
{
	if (args->n_names == NAMES_MAX)
		argp_error(state, "more than %d names; use --from or --all", NAMES_MAX);
	else
		args->names[args->n_names++] = name;
}

/* ---- What was done -------------------------------------------------------- */

static enum rc
say_json(const struct clients *clients, const char *dir, struct err *err)
{
	static const struct table_column columns[] = {{"name", TABLE_TEXT}, {"folder", TABLE_TEXT}};
	struct table *table = table_new(columns, ARRAY_LEN(columns));
	enum rc rc;

	for (size_t i = 0; i < clients->n; i++) {
		char *folder = xasprintf("%s/%s", dir, clients->items[i].name);
		const char *const row[] = {clients->items[i].name, folder};

		table_add_row(table, row);
		free(folder);
	}
	rc = table_print_json(table, stdout, err);
	table_free(&table);
	return rc;
}

static int
say_made(const struct args *args, const struct clients *clients)
{
	char *dir = args->wish.out_dir != NULL ? xstrdup(args->wish.out_dir)
					       : ctl_beside_config(args->ctl, "clients");
	struct err err;
	enum rc rc = RC_OK;

	if (args->ctl->json)
		rc = say_json(clients, dir, &err);
	else if (clients->n == 1)
		(void)printf("made %s/%s: ca.pem, certificate.pem, key.pem, client.json\n"
			     "move it to the %s, and remove it here\n",
			     dir, clients->items[0].name, tls_role_name(args->wish.role));
	else
		(void)printf("made %zu folders in %s\n", clients->n, dir);
	free(dir);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

static int
enrol(struct args *args, struct clients *clients, struct setup *setup)
{
	struct err err;
	enum rc rc = clients_enrol(clients, args->ctl, &args->wish, setup, &err);

	if (rc == RC_OK)
		return say_made(args, clients);
	if (setup == NULL || setup->n_problems == 0)
		return ctl_failed(&err);
	setup_print_problems(setup, stderr);
	return CTL_FAILED;
}

/* ---- add ------------------------------------------------------------------ */

static const struct argp_option controller_add_options[] = {
	{"site", KEY_COLUMN_2, "CODE", 0, "code of the site where it hangs", 0},
	{"from", KEY_FROM, "LIST.csv", 0, "many at once: columns name and site", 0},
	{"count", KEY_COUNT, "N", 0, "many at once: N of them at one site, for a trial", 0},
	{"prefix", KEY_PREFIX, "TEXT", 0, "what the names of --count begin with", 0},
	{"doors", KEY_DOORS, "N", 0,
	 "also put N doors for each, numbered from 1, with codes NAME-1, NAME-2, ...", 0},
	{0},
};

static const struct argp_option console_add_options[] = {
	{"station", KEY_COLUMN_2, "CODE", 0, "code of the station that it belongs to", 0},
	{"from", KEY_FROM, "LIST.csv", 0, "many at once: columns name and station", 0},
	{"count", KEY_COUNT, "N", 0, "many at once: N of them at one station, for a trial", 0},
	{"prefix", KEY_PREFIX, "TEXT", 0, "what the names of --count begin with", 0},
	{0},
};

static const struct argp_option desk_add_options[] = {
	{"role", KEY_COLUMN_2, "ROLE", 0, "landlord or manager", 0},
	{"sites", KEY_COLUMN_3, "CODE,...", 0, "sites of a manager", 0},
	{"units", KEY_COLUMN_4, "SITE/UNIT,...", 0, "units of a landlord", 0},
	{"from", KEY_FROM, "LIST.csv", 0, "many at once: columns name, role, sites and units", 0},
	{0},
};

static const char controller_add_doc[] =
	"Puts a controller into the register and makes the folder that it needs to connect: the "
	"authority's certificate, its own certificate and key, and client.json with the server's "
	"address, the doors that the register gives to it, and the key by which it knows its "
	"site's cards."
	"\vExamples:\n"
	"  gatehousectl controller add mill-1 --site mill\n"
	"  gatehousectl controller add --from controllers.csv --out ./fleet\n"
	"  gatehousectl controller add --count 5000 --prefix sim- --site mill --doors 2\n"
	"\n"
	"A name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit.";

static const char console_add_doc[] =
	"Puts a console into the register and makes the folder that it needs to connect: the "
	"authority's certificate, its own certificate and key, and client.json with the server's "
	"address."
	"\vExample:\n"
	"  gatehousectl console add desk-1 --station north --out ./desks\n"
	"\n"
	"A name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit.";

static const char desk_add_doc[] =
	"Puts a registration desk into the register and makes the folder that it needs to connect: "
	"the authority's certificate, its own certificate and key, and client.json with the "
	"server's address.  A landlord's desk acts on tenants' and temporary cards of its units; a "
	"manager's on all cards of its sites."
	"\vExamples:\n"
	"  gatehousectl desk add office-1 --role manager --sites mill,port\n"
	"  gatehousectl desk add landlord-7 --role landlord --units mill/4b,mill/5a\n"
	"\n"
	"A name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit.";

/* What `add` takes, by role. */
static const struct add_form {
	const struct argp_option *options;
	const char *doc;
	const char *second; /* the option without which nothing goes */
} add_forms[SETUP_KINDS] = {
	[SETUP_CONTROLLERS] = {controller_add_options, controller_add_doc, "site"},
	[SETUP_CONSOLES] = {console_add_options, console_add_doc, "station"},
	[SETUP_DESKS] = {desk_add_options, desk_add_doc, "role"},
};

/* One of three ways to say which. */
static void
add_check(const struct args *args, struct argp_state *state)
{
	const char *second = add_forms[args->kind].second;
	int ways = (args->n_names > 0) + (args->from != NULL) + (args->count > 0);

	if (ways != 1)
		argp_error(state, "expected one of NAME, --from and --count");
	else if (args->from == NULL && args->columns[0] == NULL)
		argp_error(state, "--%s is missing", second);
	else if (args->from != NULL && args->columns[0] != NULL)
		argp_error(state, "--%s stands in the list already", second);
	else if ((args->count > 0) != (args->prefix != NULL))
		argp_error(state, "--count and --prefix go together");
}

static error_t
add_parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		args_init(args, state);
		return 0;
	case KEY_COLUMN_2:
	case KEY_COLUMN_3:
	case KEY_COLUMN_4:
		args->columns[key - KEY_COLUMN_2] = arg;
		return 0;
	case KEY_FROM:
		args->from = arg;
		return 0;
	case KEY_COUNT:
		args->count = ctl_parse_number(state, "count", arg, 1, COUNT_MAX);
		return 0;
	case KEY_PREFIX:
		args->prefix = arg;
		return 0;
	case KEY_DOORS:
		args->doors = ctl_parse_number(state, "doors", arg, 0, DOORS_MAX);
		return 0;
	case ARGP_KEY_ARG:
		args_add_name(args, state, arg);
		return 0;
	case ARGP_KEY_END:
		add_check(args, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
put_values(struct setup *setup, struct setup_row *row, const char *const *values, size_t n)
{
	for (size_t i = 0; row != NULL && i < n; i++)
		if (values[i] != NULL)
			setup_set_value(setup, row, i, values[i], strlen(values[i]), row->line);
}

static void
add_row(const struct args *args, struct setup *setup, const char *name)
{
	const char *const values[] = {name, args->columns[0], args->columns[1], args->columns[2]};

	put_values(setup, setup_add_row(setup, args->kind, 0), values, ARRAY_LEN(values));
}

static void
add_doors(const struct args *args, struct setup *setup, const char *name, const char *site)
{
	for (long i = 1; i <= args->doors; i++) {
		char *code = xasprintf("%s-%ld", name, i);
		char *label = xasprintf("Door %ld of %s", i, name);
		char *number = xasprintf("%ld", i);
		const char *const values[] = {code, label, site, name, number};

		put_values(setup, setup_add_row(setup, SETUP_DOORS, 0), values, ARRAY_LEN(values));
		free(code);
		free(label);
		free(number);
	}
}

/* Names of the same length sort as they count. */
static void
add_counted(const struct args *args, struct setup *setup)
{
	char digits[24];
	int width = snprintf(digits, sizeof(digits), "%ld", args->count);

	for (long i = 1; i <= args->count; i++) {
		char *name = xasprintf("%s%0*ld", args->prefix, width, i);

		add_row(args, setup, name);
		free(name);
	}
}

static enum rc
add_make_setup(const struct args *args, struct setup **setup, struct err *err)
{
	if (args->from != NULL) {
		enum rc rc = setup_read_file(setup, args->from, true, args->kind, err);

		if (rc != RC_OK)
			return rc;
	} else {
		*setup = setup_new(NULL);
		for (size_t i = 0; i < args->n_names; i++)
			add_row(args, *setup, args->names[i]);
		add_counted(args, *setup);
	}
	if ((*setup)->n_problems > 0)
		return RC_OK;
	/* rows move when others are added: go by index, over those that were there */
	for (size_t i = 0, n = (*setup)->n_rows; i < n; i++) {
		const struct setup_row row = (*setup)->rows[i];

		if (row.kind == SETUP_CONTROLLERS && row.values[0] != NULL && row.values[1] != NULL)
			add_doors(args, *setup, row.values[0], row.values[1]);
	}
	return RC_OK;
}

static void
clients_add_row(struct clients *clients, const struct setup_row *row)
{
	struct client client = {.name = row->values[0]};

	if (row->kind == SETUP_CONTROLLERS) {
		client.site = row->values[1];
	} else if (row->kind == SETUP_CONSOLES) {
		client.station = row->values[1];
	} else {
		client.right = row->values[1];
		client.sites = row->values[2];
		client.units = row->values[3];
	}
	clients_add(clients, &client);
}

int
verb_enrol(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	const struct add_form *form = &add_forms[verb->what];
	const struct argp argp = {form->options, add_parse, "[NAME...]", form->doc,
				  children,      NULL,      NULL};
	struct args args = args_new(ctl, verb);
	struct clients clients = {0};
	struct setup *setup = NULL;
	struct err err;
	int code = CTL_FAILED;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (add_make_setup(&args, &setup, &err) != RC_OK)
		return ctl_failed(&err);
	if (setup_check(setup)) {
		for (size_t i = 0; i < setup->n_rows; i++) {
			if (setup->rows[i].kind == args.kind)
				clients_add_row(&clients, &setup->rows[i]);
		}
		code = enrol(&args, &clients, setup);
	} else {
		setup_print_problems(setup, stderr);
	}
	clients_fini(&clients);
	setup_free(&setup);
	return code;
}

/* ---- issue ---------------------------------------------------------------- */

static const struct argp_option issue_options[] = {
	{"all", KEY_ALL, NULL, 0, "all that the register has", 0},
	{0},
};

static const char issue_doc[] =
	"Gives a new key and certificate to clients that the register has: because the old "
	"certificate ends soon, because a device was replaced, or because `setup apply` put them "
	"there.  A folder of the same name is replaced as a whole.  The old certificate stays "
	"valid until it ends: disable a client that was stolen."
	"\vExamples:\n"
	"  gatehousectl controller issue mill-1\n"
	"  gatehousectl controller issue --all --out ./fleet";

static error_t
issue_parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		args_init(args, state);
		return 0;
	case KEY_ALL:
		args->all = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add_name(args, state, arg);
		return 0;
	case ARGP_KEY_END:
		if (args->all == (args->n_names > 0))
			argp_error(state, "expected names, or --all");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int
verb_issue(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {issue_options, issue_parse, "[NAME...]", issue_doc,
					 children,      NULL,        NULL};
	struct args args = args_new(ctl, verb);
	struct clients clients = {0};
	struct err err;
	int code;

	args.wish.replace = true;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (clients_load(&clients, ctl, args.wish.role, args.names, args.n_names, &err) == RC_OK)
		code = enrol(&args, &clients, NULL);
	else
		code = ctl_failed(&err);
	clients_fini(&clients);
	return code;
}
