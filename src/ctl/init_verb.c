/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gatehousectl init`: the wish from the command line, and what to do next.
 * Owner: the main thread.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/init.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define DAEMON_USER "gatehouse" /* of systemd/gatehouse.sysusers.conf */

enum { PORT_DEFAULT = 7443, CONSOLE_PORT_DEFAULT = 7444, HOST_NAME_BYTES = 256 };

enum { KEY_DIR = 256, KEY_HOST, KEY_CONNINFO, KEY_PORT, KEY_CONSOLE_PORT, KEY_DAYS, KEY_USER };

struct args {
	struct ctl *ctl;
	struct init_wish wish;
	const char *user;
};

static const struct argp_option options[] = {
	{"dir", KEY_DIR, "DIR", 0,
	 "make everything below DIR; otherwise in /etc/gatehouse and /var/lib/gatehouse", 0},
	{"host", KEY_HOST, "NAME_OR_IP", 0,
	 "under which clients reach this server; may be given several times, the first one is told "
	 "to clients.  Default: the name of this machine, and localhost",
	 0},
	{"conninfo", KEY_CONNINFO, "CONNINFO", 0,
	 "how to reach PostgreSQL, as libpq takes it; default dbname=gatehouse", 0},
	{"port", KEY_PORT, "PORT", 0, "for controllers; default 7443", 0},
	{"console-port", KEY_CONSOLE_PORT, "PORT", 0,
	 "for consoles; default 7444; the same port as for controllers is one listener for both",
	 0},
	{"days", KEY_DAYS, "DAYS", 0, "how long the server's certificate is valid; default 825", 0},
	{"user", KEY_USER, "USER", 0,
	 "user that the daemon runs as; default gatehouse when run by root without --dir, else "
	 "yourself",
	 0},
	{0},
};

static const char doc[] =
	"Makes a new installation: a private certificate authority, the server's certificate, "
	"the key of card tokens, a configuration, and the folders of the daemon.  Overwrites "
	"nothing."
	"\vExamples:\n"
	"  gatehousectl init --dir ./demo --host 127.0.0.1\n"
	"  sudo gatehousectl init --host gate.example.org --host 10.0.0.7 \\\n"
	"       --conninfo 'host=db.example.org dbname=gatehouse sslmode=verify-full'\n"
	"\n"
	"The keys ca/ca.key and keys/site.key can't be made again: keep a copy where nobody "
	"comes by chance.";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;
	struct init_wish *wish = &args->wish;

	switch (key) {
	case KEY_DIR:
		wish->dir = arg;
		return 0;
	case KEY_HOST:
		ctl_parse_host(state, arg, wish->hosts, &wish->n_hosts);
		return 0;
	case KEY_CONNINFO:
		wish->conninfo = arg;
		return 0;
	case KEY_PORT:
		wish->port = (int)ctl_parse_number(state, "port", arg, 0, UINT16_MAX);
		return 0;
	case KEY_CONSOLE_PORT:
		wish->console_port =
			(int)ctl_parse_number(state, "console-port", arg, 0, UINT16_MAX);
		return 0;
	case KEY_DAYS:
		wish->days = (int)ctl_parse_number(state, "days", arg, 1, CA_DAYS_MAX);
		return 0;
	case KEY_USER:
		args->user = arg;
		return 0;
	default:
		return ctl_parse_rest(key, arg, state, args->ctl);
	}
}

static enum rc
find_owner(struct args *args, struct err *err)
{
	const char *user = args->user;
	const struct passwd *found;

	if (user == NULL && args->wish.dir == NULL && geteuid() == 0)
		user = DAEMON_USER;
	if (user == NULL)
		return RC_OK;
	errno = 0;
	found = getpwnam(user);
	if (found == NULL)
		return err_invalid(err, "there is no user \"%s\"; make one, or name one by --user",
				   user);
	args->user = user;
	args->wish.owner = (struct files_owner){found->pw_uid, found->pw_gid};
	return RC_OK;
}

/* What the daemon's user makes in the database and on the disk is the daemon's. */
static void
say_next(const char *config, const char *user, bool for_system)
{
	char *as = user != NULL ? xasprintf("runuser -u %s -- ", user) : xstrdup("");

	(void)printf("next:\n"
		     "  %sgatehousectl -c %s migrate\n"
		     "  gatehousectl -c %s setup apply site.yaml\n"
		     "  gatehousectl -c %s controller add NAME --site CODE\n",
		     as, config, config, config);
	if (for_system)
		(void)printf("  systemctl enable --now gatehoused\n");
	else
		(void)printf("  %sgatehoused -c %s\n", as, config);
	free(as);
}

int
verb_init(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
	static const struct argp_child children[] = {CTL_COMMON_CHILD, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	char host_name[HOST_NAME_BYTES] = "";
	struct args args = {
		.ctl = ctl,
		.wish = {.conninfo = "dbname=gatehouse",
			 .port = PORT_DEFAULT,
			 .console_port = CONSOLE_PORT_DEFAULT,
			 .days = CA_DAYS_DEFAULT,
			 .owner = FILES_OWNER_SELF},
	};
	struct err err;
	char *config;

	(void)verb;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
		return CTL_USAGE;
	if (args.wish.n_hosts == 0) {
		if (gethostname(host_name, sizeof(host_name) - 1) == 0 &&
		    ca_host_is_valid(host_name))
			args.wish.hosts[args.wish.n_hosts++] = host_name;
		args.wish.hosts[args.wish.n_hosts++] = "localhost";
	}
	if (find_owner(&args, &err) != RC_OK || init_make(&args.wish, stdout, &err) != RC_OK)
		return ctl_failed(&err);
	config = init_config_path(&args.wish);
	say_next(config, args.user, args.wish.dir == NULL);
	free(config);
	return CTL_DONE;
}
