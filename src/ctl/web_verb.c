/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `web init` and `web enrol`: what gatehouse-web needs before it can run.
 *
 * gatehouse-web is a program with a user and a folder of its own.  The folder is
 * /etc/gatehouse-web, or web/ beside the daemon's configuration where that is not
 * the system's.
 * Owner: the main thread.
 */
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ca.h"
#include "ctl/clients.h"
#include "ctl/files.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/web.h"
#include "daemon/settings.h"
#include "store/admin.h"
#include "web/settings.h"

#define WEB_USER "gatehouse-web" /* of systemd/gatehouse.sysusers.conf */

enum { WEB_PORT_DEFAULT = 8443 };

enum { KEY_HOST = 256, KEY_PORT, KEY_CONNINFO, KEY_STATIC, KEY_USER, KEY_CA, KEY_DAYS };

struct args {
	struct ctl *ctl;
	const char *hosts[CA_HOSTS_MAX];
	size_t n_hosts;
	const char *conninfo, *static_dir, *user, *ca_dir;
	int port, days;
	struct files_owner owner;
	char *dir; /* of gatehouse-web's configuration; new memory */
};

/* ---- The command line -------------------------------------------------------- */

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_HOST:
		ctl_parse_host(state, arg, args->hosts, &args->n_hosts);
		return 0;
	case KEY_PORT:
		args->port = (int)ctl_parse_number(state, "port", arg, 0, UINT16_MAX);
		return 0;
	case KEY_CONNINFO:
		args->conninfo = arg;
		return 0;
	case KEY_STATIC:
		args->static_dir = arg;
		return 0;
	case KEY_USER:
		args->user = arg;
		return 0;
	case KEY_CA:
		args->ca_dir = arg;
		return 0;
	case KEY_DAYS:
		args->days = (int)ctl_parse_number(state, "days", arg, 1, CA_DAYS_MAX);
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};

static struct args
args_new(struct ctl *ctl)
{
	return (struct args){.ctl = ctl,
			     .port = WEB_PORT_DEFAULT,
			     .days = CA_DAYS_DEFAULT,
			     .conninfo = NULL,
			     .owner = FILES_OWNER_SELF};
}

/* New memory: how the daemon reaches PostgreSQL, but as another role. */
static char *
conninfo_of(const struct args *args)
{
	const char *daemon = args->ctl->settings->conninfo;

	if (args->conninfo != NULL)
		return xstrdup(args->conninfo);
	/* of two the last one counts; a URI takes no words behind it */
	return strstr(daemon, "://") != NULL ? xstrdup(daemon)
					     : xasprintf("%s user=" WEB_USER, daemon);
}

/* ---- web enrol --------------------------------------------------------------- */

/* Takes `name`. */
static void
add_console(struct clients *clients, char *name, const char *station, const char *right)
{
	clients_add(clients, &(const struct client){.name = name,
						    .station = (char *)(uintptr_t)station,
						    .right = (char *)(uintptr_t)right});
	free(name);
}

/* One for dispatchers, one for supervisors: the daemon is to decide what each may do. */
static enum rc
station_row(void *arg, int n, const char *const *names, const char *const *values)
{
	struct clients *clients = arg;

	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], "code") != 0)
			continue;
		add_console(clients, xasprintf("web-%s", values[i]), values[i], "dispatcher");
		add_console(clients, xasprintf("web-%s-supervisor", values[i]), values[i],
			    "supervisor");
	}
	return RC_OK;
}

/* Stations that have a folder already are left out; names that can't be a folder's
 * are said. */
static void
clients_keep_new(struct clients *clients, const char *dir)
{
	struct clients kept = {0};

	for (size_t i = 0; i < clients->n; i++) {
		const struct client *client = &clients->items[i];
		char *path = xasprintf("%s/%s", dir, client->name);

		if (!text_is_name(client->name))
			(void)fprintf(
				stderr,
				"station \"%s\": its code is no name for a console; add one by: "
				"gatehousectl console add NAME --station '%s' --out %s\n",
				client->station, client->station, dir);
		else if (!files_exists(path))
			clients_add(&kept, client);
		free(path);
	}
	clients_fini(clients);
	*clients = kept;
}

static struct setup *
setup_of(const struct clients *clients)
{
	struct setup *setup = setup_new(NULL);

	for (size_t i = 0; i < clients->n; i++) {
		const struct client *client = &clients->items[i];
		const char *const values[] = {client->name, client->station, client->right};
		struct setup_row *row = setup_add_row(setup, SETUP_CONSOLES, 0);

		for (size_t c = 0; row != NULL && c < ARRAY_LEN(values); c++)
			setup_set_value(setup, row, c, values[c], strlen(values[c]), 0);
	}
	return setup;
}

/* The folders are written by us and read by gatehouse-web. */
static enum rc
give_folders(const struct args *args, const struct clients *clients, const char *dir,
	     struct err *err)
{
	static const char *const names[] = {"", "/ca.pem", "/certificate.pem", "/key.pem",
					    "/client.json"};

	if (args->owner.user == (uid_t)-1)
		return RC_OK;
	for (size_t i = 0; i < clients->n; i++) {
		for (size_t f = 0; f < ARRAY_LEN(names); f++) {
			char *path = xasprintf("%s/%s%s", dir, clients->items[i].name, names[f]);
			int done = lchown(path, args->owner.user, args->owner.group);

			if (done != 0)
				(void)err_sys(err, "could not give away \"%s\"", path);
			free(path);
			if (done != 0)
				return RC_FAIL;
		}
	}
	return RC_OK;
}

static enum rc
enrol_stations(struct args *args, struct err *err)
{
	char *dir = xasprintf("%s/consoles", args->dir);
	const struct clients_wish wish = {.role = TLS_ROLE_CONSOLE,
					  .out_dir = dir,
					  .ca_dir = args->ca_dir,
					  .port = -1,
					  .days = args->days};
	struct clients clients = {0};
	struct setup *setup = NULL;
	enum rc rc = ctl_need_register(args->ctl, err);

	if (rc == RC_OK)
		rc = files_make_dirs(dir, 0750, args->owner, err);
	if (rc == RC_OK)
		rc = admin_list(args->ctl->admin, ADMIN_STATIONS, station_row, &clients, err);
	if (rc == RC_OK) {
		clients_keep_new(&clients, dir);
		setup = setup_of(&clients);
		if (clients.n > 0 && setup_check(setup))
			rc = clients_enrol(&clients, args->ctl, &wish, setup, err);
		setup_print_problems(setup, stderr);
	}
	if (rc == RC_OK)
		rc = give_folders(args, &clients, dir, err);
	if (rc == RC_OK)
		(void)printf("enrolled %zu consoles in %s\n", clients.n, dir);
	clients_fini(&clients);
	setup_free(&setup);
	free(dir);
	return rc;
}

/* ---- web init ---------------------------------------------------------------- */

enum rc
web_find_owner(const struct ctl *ctl, const char *user, struct files_owner *owner, struct err *err)
{
	const struct passwd *found;

	*owner = FILES_OWNER_SELF;
	if (user == NULL && web_is_system(ctl) && geteuid() == 0)
		user = WEB_USER;
	if (user == NULL)
		return RC_OK;
	found = getpwnam(user);
	if (found == NULL)
		return err_invalid(err, "there is no user \"%s\"; make one, or name one by --user",
				   user);
	*owner = (struct files_owner){found->pw_uid, found->pw_gid};
	return RC_OK;
}

/* JSON's strings are YAML's too, whatever the text holds. */
static void
put_string(FILE *out, const char *key, const char *text)
{
	json_t *string = json_string(text);
	char *quoted = string == NULL ? NULL : json_dumps(string, JSON_ENCODE_ANY);

	(void)fprintf(out, "  %s: %s\n", key, quoted != NULL ? quoted : "\"\"");
	free(quoted);
	json_decref(string);
}

static char *
web_config_text(const struct args *args)
{
	char *text = NULL, *conninfo = conninfo_of(args);
	size_t n;
	FILE *out = open_memstream(&text, &n);

	must(out != NULL);
	(void)fputs(
		"# gatehouse-web, as made by `gatehousectl web init`.  Only what differs from\n"
		"# the defaults stands here; every key is in gatehouse-web(8).  Check a change\n"
		"# with: gatehouse-web -t -c THIS-FILE\n",
		out);
	(void)fprintf(out, "http:\n  port: %d\n", args->port);
	if (args->static_dir != NULL)
		put_string(out, "static_dir", args->static_dir);
	if (!web_is_system(args->ctl))
		(void)fputs("  plans_dir: plans\n"
			    "tls:\n  ca: tls/ca.pem\n  certificate: tls/certificate.pem\n"
			    "  key: tls/key.pem\n"
			    "state:\n  dir: state\n"
			    "daemon:\n  consoles_dir: consoles\n"
			    "control:\n  socket: run/control.sock\n",
			    out);
	(void)fputs("postgresql:\n", out);
	put_string(out, "conninfo", conninfo);
	free(conninfo);
	must(fclose(out) == 0);
	return text;
}

static enum rc
make_dirs(const struct args *args, struct err *err)
{
	static const struct {
		const char *name;
		bool only_aside; /* in the system's places it is elsewhere, or systemd's */
	} folders[] = {
		{"", false}, {"/tls", false}, {"/plans", true}, {"/run", true}, {"/state", true}};
	enum rc rc = RC_OK;

	for (size_t i = 0; i < ARRAY_LEN(folders) && rc == RC_OK; i++) {
		char *path;

		if (folders[i].only_aside && web_is_system(args->ctl))
			continue;
		path = xasprintf("%s%s", args->dir, folders[i].name);
		rc = files_make_dirs(path, 0750, args->owner, err);
		free(path);
	}
	return rc;
}

static enum rc
write_file(const struct args *args, const char *name, mode_t mode, const void *bytes, size_t n,
	   struct err *err)
{
	char *path = xasprintf("%s/%s", args->dir, name);
	enum rc rc = files_write_new(path, mode, args->owner, bytes, n, err);

	if (rc == RC_OK)
		(void)printf("made %s\n", path);
	free(path);
	return rc;
}

static enum rc
write_files(const struct args *args, const struct ca_identity *authority,
	    const struct ca_identity *server, struct err *err)
{
	char *config = web_config_text(args);
	enum rc rc = make_dirs(args, err);

	if (rc == RC_OK)
		rc = write_file(args, "tls/ca.pem", 0644, authority->certificate,
				authority->certificate_bytes, err);
	if (rc == RC_OK)
		rc = write_file(args, "tls/certificate.pem", 0644, server->certificate,
				server->certificate_bytes, err);
	if (rc == RC_OK)
		rc = write_file(args, "tls/key.pem", 0600, server->key, server->key_bytes, err);
	/* last: whoever finds it finds the rest */
	if (rc == RC_OK)
		rc = write_file(args, "gatehouse-web.yaml", 0640, config, strlen(config), err);
	free(config);
	return rc;
}

static enum rc
init_files(struct args *args, struct err *err)
{
	char *ca_dir =
		args->ca_dir != NULL ? xstrdup(args->ca_dir) : ctl_beside_config(args->ctl, "ca");
	char *first = ca_first_host(args->ctl->settings->tls_certificate);
	struct ca_identity authority = {0}, server = {0};
	struct ca *ca = NULL;
	enum rc rc = ca_open(&ca, ca_dir, err);

	if (args->n_hosts == 0 && first != NULL)
		args->hosts[args->n_hosts++] = first;
	if (rc == RC_OK && args->n_hosts == 0)
		rc = err_invalid(err, "the daemon's certificate names no host; name one by --host");
	if (rc == RC_OK)
		rc = ca_export(ca, &authority, err);
	if (rc == RC_OK)
		rc = ca_issue_server(ca, args->hosts, args->n_hosts, args->days, &server, err);
	if (rc == RC_OK)
		rc = write_files(args, &authority, &server, err);
	ca_free(&ca);
	ca_identity_fini(&authority);
	ca_identity_fini(&server);
	free(first);
	free(ca_dir);
	return rc;
}

static const struct argp_option init_options[] = {
	{"host", KEY_HOST, "NAME_OR_IP", 0,
	 "under which browsers reach it; may be given several times, the first one is that of "
	 "links.  Default: the first name in the daemon's certificate",
	 0},
	{"port", KEY_PORT, "PORT", 0, "for HTTPS; default 8443", 0},
	{"conninfo", KEY_CONNINFO, "CONNINFO", 0,
	 "how to reach PostgreSQL; default: as the daemon, with user gatehouse-web", 0},
	{"static", KEY_STATIC, "DIR", 0, "the pages; default: where make install puts them", 0},
	{"user", KEY_USER, "USER", 0,
	 "user that it runs as; default gatehouse-web when run by root for the system, else "
	 "yourself",
	 0},
	{"ca", KEY_CA, "DIR", 0, "the authority; default: ca/ beside the configuration", 0},
	{"days", KEY_DAYS, "DAYS", 0, "how long certificates are valid; default 825", 0},
	{0},
};

static const char init_doc[] =
	"Makes what gatehouse-web needs to run: its configuration, a certificate that browsers "
	"see, and for each station a console by which it asks the daemon.  Overwrites nothing."
	"\vExample:\n"
	"  gatehousectl web init --host gate.example";

static const char enrol_doc[] =
	"Gives gatehouse-web a console for each station that has none yet; let it load them by "
	"SIGHUP."
	"\vExample:\n"
	"  gatehousectl web enrol && systemctl reload gatehouse-web";

static char *
folder_of(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash != NULL)
		*slash = '\0';
	return path;
}

static int
run_verb(struct args *args, int argc, char **argv, const struct argp *argp, bool init)
{
	struct err err;
	enum rc rc;

	if (argp_parse(argp, argc, argv, 0, NULL, args) != 0)
		return CTL_USAGE;
	args->dir = folder_of(web_config_path(args->ctl, NULL));
	rc = ctl_need_settings(args->ctl, &err);
	if (rc == RC_OK)
		rc = web_find_owner(args->ctl, args->user, &args->owner, &err);
	if (rc == RC_OK && init)
		rc = init_files(args, &err);
	if (rc == RC_OK)
		rc = enrol_stations(args, &err);
	if (rc == RC_OK && init)
		(void)printf("next:\n  gatehouse-web -c %s/gatehouse-web.yaml\n", args->dir);
	free(args->dir);
	return rc == RC_OK ? CTL_DONE : ctl_failed(&err);
}

int
verb_web_init(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {init_options, parse, NULL, init_doc, children, NULL, NULL};
	struct args args = args_new(ctl);

	(void)verb;
	return run_verb(&args, argc, argv, &argp, true);
}

int
verb_web_enrol(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp argp = {init_options, parse, NULL, enrol_doc,
					 children,     NULL,  NULL};
	struct args args = args_new(ctl);

	(void)verb;
	return run_verb(&args, argc, argv, &argp, false);
}
