/* SPDX-License-Identifier: Apache-2.0 */
/* gatehoused: its own options, limits of the process, and the whole run. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/server.h"
#include "daemon/gatehoused.h"
#include "wire/tls.h"

/* of options without a letter */
enum { OPTION_ACCEPT_LOSS = 256, OPTION_CRASH_POINTS };

const char *argp_program_version = "gatehoused " GATEHOUSE_VERSION;

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

/* No more connections than there are descriptors for. */
static void
fit_descriptors(struct settings *settings)
{
	uint64_t descriptors = server_raise_descriptors();

	if (settings_fit_descriptors(settings, descriptors))
		log_warning("daemon", "only %ld connections: the limit of open files is %lu",
			    (long)settings->connections_max, (unsigned long)descriptors);
}

static void
serve(void *arg)
{
	struct gatehoused *daemon = arg;
	struct err err;

	log_setup((enum log_level)daemon->settings.log_level,
		  (enum log_target)daemon->settings.log_target);
	fit_descriptors(&daemon->settings);
	/* Threads may run already and hold the journal; nothing was taken on, so the
	 * process just ends. */
	if (gatehoused_open(daemon, &err) != RC_OK || gatehoused_start(daemon, &err) != RC_OK)
		fatal("could not start: %s", err.msg);
	log_ready(daemon);
	gatehoused_run(daemon);
	gatehoused_free(daemon);
}

static enum rc
test_configuration(void *arg, struct err *err)
{
	struct gatehoused *daemon = arg;
	struct card_keys *keys = NULL;
	enum rc rc = gatehoused_open_tls(daemon, err);

	if (rc == RC_OK)
		rc = card_keys_open(&keys, daemon->settings.keys_dir, err);
	card_keys_close(&keys);
	gatehoused_free(daemon);
	return rc;
}

static enum rc
load(void *arg, const char *path, struct err *err)
{
	struct gatehoused *daemon = arg;

	return settings_load(path, &daemon->settings, err);
}

static error_t
parse_option(int key, char *value, struct argp_state *state)
{
	struct gatehoused *daemon = state->input;

	(void)value;
	switch (key) {
	case OPTION_ACCEPT_LOSS:
		daemon->accept_journal_loss = true;
		return 0;
#ifdef GATEHOUSE_CRASH_POINTS
	case OPTION_CRASH_POINTS:
		crash_points_list(stdout);
		exit(0);
#endif
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int
main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"accept-journal-loss", OPTION_ACCEPT_LOSS, NULL, 0,
		 "Start though the end of the journal is lost; once, see gatehoused(8)", 0},
#ifdef GATEHOUSE_CRASH_POINTS
		{"crash-points", OPTION_CRASH_POINTS, NULL, 0,
		 "Print the places for GATEHOUSE_CRASH_AT: this is a build for tests", 0},
#endif
		{0},
	};
	static const struct argp more = {.options = options, .parser = parse_option};
	static const struct server_program program = {
		.name = "gatehoused",
		.config = "/etc/gatehouse/gatehoused.yaml",
		.config_variable = "GATEHOUSE_CONFIG",
		.doc = "Takes records from door controllers, makes them durable, stores them in "
		       "PostgreSQL exactly once, and shows alarms to the consoles of the station "
		       "responsible."
		       "\vExit codes: 0 stopped as asked, 1 failed, 2 wrong usage or "
		       "configuration.\n"
		       "gatehousectl init makes a configuration that works.",
		.more = &more,
		.write_reference = settings_write_reference,
		.load = load,
		.test = test_configuration,
		.serve = serve,
	};
	static struct gatehoused daemon;

	tls_fail_without_memory();
	return server_main(&program, &daemon, argc, argv);
}
