/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehoused: the command line, limits of the process, and the whole run.
 *
 * Exit codes: 0 stopped as asked; 1 failed; 2 wrong usage or configuration.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "daemon/gatehoused.h"
#include "wire/tls.h"

enum { EXIT_USAGE = 2 };

/* of options without a letter */
enum { OPTION_ACCEPT_LOSS = 256, OPTION_CRASH_POINTS };

/* Card numbers pass through this memory: none of it may reach a disk. */
static void
forbid_core_dumps(void)
{
	struct rlimit none = {0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* Descriptors for every connection, as far as the system lets us; and no more
 * connections than there are descriptors for. */
static void
raise_descriptors(struct settings *settings)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    settings_fit_descriptors(settings, limit.rlim_max))
		log_warning("daemon", "only %ld connections: the limit of open files is %lu",
			    (long)settings->connections_max, (unsigned long)limit.rlim_max);
}

static void
log_ready(const struct gatehoused *daemon)
{
	for (size_t i = 0; i < daemon->settings.n_listeners; i++)
		log_info("daemon",
			 "listening address=%s port=%u controllers=%s consoles=%s desks=%s",
			 daemon->settings.listeners[i].address, daemon->entrances[i].port,
			 daemon->settings.listeners[i].controllers ? "yes" : "no",
			 daemon->settings.listeners[i].consoles ? "yes" : "no",
			 daemon->settings.listeners[i].desks ? "yes" : "no");
	log_info("daemon", "ready version=%s node=%ld workers=%u took_ms=%lu", GATEHOUSE_VERSION,
		 (long)daemon->settings.node_id, daemon->n_workers,
		 (unsigned long)(clock_mono_ms() - daemon->start_ms));
}

static int
serve(struct gatehoused *daemon)
{
	struct err err;

	log_setup((enum log_level)daemon->settings.log_level,
		  (enum log_target)daemon->settings.log_target);
	raise_descriptors(&daemon->settings);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Threads may run already and hold the journal; nothing was taken on, so the
	 * process just ends. */
	if (gatehoused_open(daemon, &err) != RC_OK || gatehoused_start(daemon, &err) != RC_OK)
		fatal("could not start: %s", err.msg);
	log_ready(daemon);
	gatehoused_run(daemon);
	gatehoused_free(daemon);
	return 0;
}

/* What the configuration names is there, and fits. */
static int
test_configuration(struct gatehoused *daemon, const char *path)
{
	struct card_keys *keys = NULL;
	struct err err;

	if (gatehoused_open_tls(daemon, &err) != RC_OK ||
	    card_keys_open(&keys, daemon->settings.keys_dir, &err) != RC_OK) {
		(void)fprintf(stderr, "gatehoused: %s\n", err.msg);
		return EXIT_USAGE;
	}
	card_keys_close(&keys);
	gatehoused_free(daemon);
	(void)printf("%s: ok\n", path);
	return 0;
}

struct arguments {
	const char *config;
	bool test, reference, accept_journal_loss;
};

static error_t
parse_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'c':
		arguments->config = value;
		return 0;
	case 't':
		arguments->test = true;
		return 0;
	case 'r':
		arguments->reference = true;
		return 0;
	case OPTION_ACCEPT_LOSS:
		arguments->accept_journal_loss = true;
		return 0;
#ifdef GATEHOUSE_CRASH_POINTS
	case OPTION_CRASH_POINTS:
		crash_points_list(stdout);
		exit(0);
#endif
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const char *argp_program_version = "gatehoused " GATEHOUSE_VERSION;

int
main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"config", 'c', "FILE", 0,
		 "Configuration (default: /etc/gatehouse/gatehoused.yaml, or $GATEHOUSE_CONFIG)",
		 0},
		{"test", 't', NULL, 0,
		 "Check the configuration and what it names, say what is wrong, and exit", 0},
		{"reference", 'r', NULL, 0,
		 "Print every key of the configuration with its default, unit and meaning", 0},
		{"accept-journal-loss", OPTION_ACCEPT_LOSS, NULL, 0,
		 "Start though the end of the journal is lost; once, see gatehoused(8)", 0},
#ifdef GATEHOUSE_CRASH_POINTS
		{"crash-points", OPTION_CRASH_POINTS, NULL, 0,
		 "Print the places for GATEHOUSE_CRASH_AT: this is a build for tests", 0},
#endif
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Takes records from door controllers, makes them durable, stores them in "
		       "PostgreSQL exactly once, and shows alarms to the consoles of the station "
		       "responsible."
		       "\vExit codes: 0 stopped as asked, 1 failed, 2 wrong usage or "
		       "configuration.\n"
		       "gatehousectl init makes a configuration that works.",
	};
	const char *from_environment = getenv("GATEHOUSE_CONFIG");
	struct arguments arguments = {
		.config = from_environment != NULL ? from_environment
						   : "/etc/gatehouse/gatehoused.yaml",
	};
	static struct gatehoused daemon;
	struct err err;

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		fatal("out of memory for the command line");
	if (arguments.reference) {
		settings_write_reference(stdout);
		return 0;
	}
	if (settings_load(arguments.config, &daemon.settings, &err) != RC_OK) {
		(void)fprintf(stderr, "gatehoused: %s\n", err.msg);
		/* systemd tries again after a failure, not after a mistake */
		return err.sys == ENOMEM ? EXIT_FAILURE : EXIT_USAGE;
	}
	daemon.accept_journal_loss = arguments.accept_journal_loss;
	forbid_core_dumps();
	tls_fail_without_memory();
	return arguments.test ? test_configuration(&daemon, arguments.config) : serve(&daemon);
}
