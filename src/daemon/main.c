/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehoused: start order, stop order, signals.
 *
 *	settings - certificates - journal (recovered) - follower (replayed) - store -
 *	register (snapshot) - roster - workers - threads run - sockets open
 *
 * and stop is the reverse: nobody new, nothing more read, what was read durable and
 * acknowledged, goodbye, alarms followed to the end, stored as far as the deadline
 * allows, journal closed.  What is durable and not stored waits for the next start.
 *
 * Exit codes: 0 stopped as asked; 1 failed; 2 wrong usage or configuration.
 */
#include <argp.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/listen.h"
#include "base/log.h"
#include "daemon/gatehoused.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, HOUSEKEEPING_MS = 1000 };

/* ---- The main thread's mail -------------------------------------------------------------- */

/* A new copy of the register, for everybody. */
static void
daemon_spread_register(struct gatehoused *daemon)
{
	for (unsigned i = 0; i <= daemon->n_workers; i++) {
		bool follower = i == daemon->n_workers;
		struct worker_register *mail = xcalloc(1, sizeof(*mail));

		mail->mail.kind = follower ? FOLLOWER_MAIL_REGISTER : WORKER_MAIL_REGISTER;
		mail->reg = reg_ref(daemon->reg);
		mailbox_post(follower ? follower_mailbox(daemon->follower)
				      : worker_mailbox(daemon->workers[i]),
			     &mail->mail);
	}
	roster_set_register(daemon->roster, reg_ref(daemon->reg));
}

static void
daemon_take_register(struct gatehoused *daemon, struct worker_register *mail)
{
	struct reg_counts counts = reg_counts(mail->reg);

	reg_unref(&daemon->reg);
	daemon->reg = mail->reg;
	daemon->reg_source = REGISTER_POSTGRESQL;
	free(mail);
	if (daemon->stopping)
		return;
	log_info("daemon",
		 "register loaded stations=%zu sites=%zu controllers=%zu doors=%zu "
		 "consoles=%zu",
		 counts.stations, counts.sites, counts.controllers, counts.doors, counts.consoles);
	daemon_spread_register(daemon);
}

static void
daemon_mail_cb(void *arg, struct mail *mail)
{
	struct gatehoused *daemon = arg;

	switch (mail->kind) {
	case WORKER_MAIL_REGISTER:
		daemon_take_register(daemon, CONTAINER_OF(mail, struct worker_register, mail));
		break;
	case WORKER_MAIL_STOPPED:
		daemon->n_stopped++;
		free(mail);
		break;
	case HUB_MAIL_DELIVERY:
		control_deliver(daemon->control, CONTAINER_OF(mail, struct hub_delivery, mail));
		break;
	default:
		roster_mail(daemon->roster, mail);
	}
}

/* Called by the store's thread.  The snapshot is written here, where waiting for
 * the disk holds up nobody. */
static void
daemon_on_register(void *arg, struct reg *reg)
{
	struct gatehoused *daemon = arg;
	struct worker_register *mail = xcalloc(1, sizeof(*mail));
	struct err err;

	if (reg_snapshot_write(reg, daemon->settings.state_dir, &err) != RC_OK)
		log_error("daemon", "register snapshot not saved: %s", err.msg);
	mail->mail.kind = WORKER_MAIL_REGISTER;
	mail->reg = reg;
	mailbox_post(loop_mailbox(daemon->loop), &mail->mail);
}

/* ---- Stop ------------------------------------------------------------------------------------ */

static void
daemon_begin_stop(struct gatehoused *daemon)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	log_info("daemon", "stopping");
	(void)sd_notify(0, "STOPPING=1");
	control_free(&daemon->control);
	for (unsigned i = 0; i < daemon->n_workers; i++) {
		struct mail *mail = xcalloc(1, sizeof(*mail));

		mail->kind = WORKER_MAIL_STOP;
		mailbox_post(worker_mailbox(daemon->workers[i]), mail);
	}
}

static void
daemon_turn_cb(void *arg)
{
	struct gatehoused *daemon = arg;

	if (daemon->stopping && daemon->n_stopped == daemon->n_workers &&
	    roster_drained(daemon->roster))
		loop_stop(daemon->loop);
}

static void
daemon_signal_cb(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	daemon_begin_stop(arg);
}

/* ---- Housekeeping ------------------------------------------------------------------------------
 */

/* The watchdog is fed while every loop turns; one that hangs lets systemd act. */
static bool
daemon_threads_alive(const struct gatehoused *daemon)
{
	static const uint64_t grace_ms = 10000;
	uint64_t age_ms = clock_mono_ms() - daemon->start_ms, least = UINT64_MAX;

	for (unsigned i = 0; i < daemon->n_workers; i++) {
		uint64_t ticks = counter_get(&worker_counters(daemon->workers[i])->ticks);

		if (ticks < least)
			least = ticks;
	}
	return age_ms < grace_ms || least > 0;
}

static void
daemon_housekeeping(void *arg)
{
	struct gatehoused *daemon = arg;
	uint64_t appended = journal_appended(daemon->journal), now = clock_mono_ms();
	char line[512];

	if (now > daemon->seen_ms)
		daemon->bytes_per_s =
			(appended - daemon->seen_bytes) * 1000 / (now - daemon->seen_ms);
	daemon->seen_bytes = appended;
	daemon->seen_ms = now;
	if (daemon->stopping)
		return;
	gatehoused_status_line(daemon, line, sizeof(line));
	(void)sd_notifyf(0, "STATUS=%s%s", line,
			 daemon_threads_alive(daemon) ? "\nWATCHDOG=1" : "");
}

static json_t *
daemon_status(void *arg)
{
	return gatehoused_status(arg);
}

static void
daemon_reload(void *arg)
{
	struct gatehoused *daemon = arg;

	store_reload_register(daemon->store);
}

/* ---- Start: each step one function, in order
 * ------------------------------------------------------ */

static enum rc
daemon_open_tls(struct gatehoused *daemon, struct err *err)
{
	struct tls_files files = {
		.ca = daemon->settings.tls_ca,
		.certificate = daemon->settings.tls_certificate,
		.key = daemon->settings.tls_key,
	};
	enum rc rc = tls_server_new(&daemon->tls, &files, err);

	if (rc == RC_OK && tls_days_left(daemon->tls) < 30)
		log_warning("daemon", "certificate \"%s\" ends in %d days", files.certificate,
			    tls_days_left(daemon->tls));
	return rc;
}

static enum rc
daemon_open_journal(struct gatehoused *daemon, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct journal_conf conf = {
		.dir = settings->journal_dir,
		.node = (uint32_t)settings->node_id,
		.segment_bytes = (uint64_t)settings->segment_mb << 20,
		.retain_ms = (uint64_t)settings->retain_s * 1000,
		.free_min_bytes = (uint64_t)settings->disk_free_min_mb << 20,
		.spare_segments = (unsigned)settings->spare_segments,
	};
	struct journal_recovery recovery;
	uint64_t begin_ms = clock_mono_ms();
	enum rc rc = journal_open(&daemon->journal, &conf, &recovery, err);

	if (rc != RC_OK)
		return rc;
	log_info("journal", "%s first=%lu end=%lu segments=%lu dropped_bytes=%lu took_ms=%lu%s%s",
		 recovery.created ? "created" : "recovered", (unsigned long)recovery.first,
		 (unsigned long)recovery.end, (unsigned long)recovery.segments,
		 (unsigned long)recovery.dropped_bytes, (unsigned long)(clock_mono_ms() - begin_ms),
		 recovery.note[0] != '\0' ? ": " : "", recovery.note);
	return RC_OK;
}

static enum rc
daemon_open_follower(struct gatehoused *daemon, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct follower_conf conf = {
		.state_dir = settings->state_dir,
		.desk = {.node = (uint32_t)settings->node_id,
			 .history = (size_t)settings->history,
			 .open_alarms_max = (size_t)settings->open_alarms_max},
		.credit_bytes = (size_t)settings->console_queue_kb * 1024,
		.checkpoint_ms = (uint64_t)settings->checkpoint_s * 1000,
		.node = (uint32_t)settings->node_id,
	};
	uint64_t replayed = 0, begin_ms = clock_mono_ms();
	enum rc rc = follower_new(&daemon->follower, &conf, daemon->journal, &replayed, err);

	if (rc == RC_OK)
		log_info("follower", "replayed entries=%lu took_ms=%lu", (unsigned long)replayed,
			 (unsigned long)(clock_mono_ms() - begin_ms));
	return rc;
}

static enum rc
daemon_open_store(struct gatehoused *daemon, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct store_conf conf = {
		.conninfo = settings->conninfo,
		.node = (uint32_t)settings->node_id,
		.batch_records = (uint64_t)settings->batch_records,
		.batch_bytes = (uint64_t)settings->batch_mb << 20,
		.batch_wait_ms = (uint64_t)settings->batch_wait_ms,
		.connect_timeout_s = (uint64_t)settings->connect_timeout_s,
		.statement_timeout_s = (uint64_t)settings->statement_timeout_s,
		.retry_ms = (uint64_t)settings->retry_ms,
		.partitions_ahead_days = (uint64_t)settings->partitions_ahead_days,
	};
	struct store_hooks hooks = {.on_register = daemon_on_register, .arg = daemon};

	return store_new(&daemon->store, &conf, daemon->journal, &hooks, err);
}

/* A start without PostgreSQL serves from what was true when it last answered. */
static void
daemon_read_snapshot(struct gatehoused *daemon)
{
	struct err err;
	enum rc rc = reg_snapshot_read(daemon->settings.state_dir, &daemon->reg, &err);

	if (rc == RC_OK)
		daemon->reg_source = REGISTER_SNAPSHOT;
	else if (rc != RC_EOF)
		log_warning("daemon", "register snapshot not used: %s", err.msg);
	if (rc != RC_OK)
		log_info("daemon", "no register until PostgreSQL answers");
}

static enum rc
daemon_open_roster(struct gatehoused *daemon, struct err *err)
{
	struct roster_conf conf = {
		.lease_ms = (uint64_t)daemon->settings.lease_s * 1000,
		.node = (uint32_t)daemon->settings.node_id,
		.start_us = daemon->start_us,
		.observer_index = daemon->n_workers,
		.observers = daemon->n_workers + 1,
	};

	return roster_new(&daemon->roster, daemon->loop, &conf,
			  follower_positions(daemon->follower), daemon->journal, err);
}

/* One socket per worker and entrance; where the kernel chooses the port, the first
 * one's choice is everybody's. */
static enum rc
daemon_listen(struct gatehoused *daemon, int *listening, struct err *err)
{
	for (size_t i = 0; i < daemon->settings.n_listeners; i++) {
		struct entrance *entrance = &daemon->entrances[i];
		enum rc rc;

		if (entrance->port == 0)
			entrance->port = (uint16_t)entrance->settings->port;
		rc = listen_tcp(entrance->settings->address, entrance->port, &listening[i],
				&entrance->port, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
daemon_open_worker(struct gatehoused *daemon, unsigned index, struct err *err)
{
	struct worker_setup setup = {
		.index = index,
		.count = daemon->n_workers,
		.settings = &daemon->settings,
		.entrances = daemon->entrances,
		.n_entrances = daemon->settings.n_listeners,
		.tls = daemon->tls,
		.journal = daemon->journal,
		.roster = loop_mailbox(daemon->loop),
		.hub = follower_mailbox(daemon->follower),
		.main = loop_mailbox(daemon->loop),
		.all = daemon->workers,
		.start_us = daemon->start_us,
	};

	return worker_new(&daemon->workers[index], &setup, err);
}

static enum rc
daemon_open_workers(struct gatehoused *daemon, struct err *err)
{
	enum rc rc = RC_OK;

	daemon->workers = xcalloc(daemon->n_workers, sizeof(struct worker *));
	daemon->entrances = xcalloc(daemon->settings.n_listeners, sizeof(struct entrance));
	for (size_t i = 0; i < daemon->settings.n_listeners; i++)
		daemon->entrances[i].settings = &daemon->settings.listeners[i];
	for (unsigned i = 0; i < daemon->n_workers && rc == RC_OK; i++)
		rc = daemon_open_worker(daemon, i, err);
	return rc;
}

static enum rc
daemon_open_loop(struct gatehoused *daemon, struct err *err)
{
	struct loop_hooks hooks = {
		.on_mail = daemon_mail_cb, .on_turn = daemon_turn_cb, .arg = daemon};
	enum rc rc = loop_new(&daemon->loop, &hooks, err);

	if (rc == RC_OK)
		rc = loop_every(daemon->loop, HOUSEKEEPING_MS, daemon_housekeeping, daemon, err);
	return rc;
}

static enum rc
daemon_open(struct gatehoused *daemon, struct err *err)
{
	enum rc rc = daemon_open_tls(daemon, err);

	daemon->start_us = clock_wall_us();
	daemon->start_ms = clock_mono_ms();
	daemon->n_workers = daemon->settings.workers > 0 ? (unsigned)daemon->settings.workers
							 : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (rc == RC_OK)
		rc = daemon_open_journal(daemon, err);
	if (rc == RC_OK)
		rc = daemon_open_follower(daemon, err);
	if (rc == RC_OK)
		rc = daemon_open_loop(daemon, err);
	if (rc == RC_OK)
		rc = daemon_open_store(daemon, err);
	if (rc == RC_OK)
		rc = daemon_open_roster(daemon, err);
	if (rc == RC_OK)
		rc = daemon_open_workers(daemon, err);
	if (rc == RC_OK)
		daemon_read_snapshot(daemon);
	return rc;
}

static enum rc
daemon_start_workers(struct gatehoused *daemon, struct err *err)
{
	enum rc rc = RC_OK;

	for (unsigned i = 0; i < daemon->n_workers && rc == RC_OK; i++) {
		int *listening = xcalloc(daemon->settings.n_listeners, sizeof(int));

		rc = daemon_listen(daemon, listening, err);
		if (rc == RC_OK)
			rc = worker_start(daemon->workers[i], listening, err);
		free(listening);
	}
	return rc;
}

static enum rc
daemon_run_threads(struct gatehoused *daemon, struct err *err)
{
	struct mailbox *wake[] = {follower_mailbox(daemon->follower), store_mailbox(daemon->store)};
	struct control_hooks hooks = {
		.status = daemon_status, .reload = daemon_reload, .arg = daemon};
	enum rc rc = journal_start(daemon->journal, wake, ARRAY_LEN(wake), err);

	if (rc == RC_OK)
		rc = follower_start(daemon->follower, err);
	if (rc == RC_OK)
		rc = store_start(daemon->store, err);
	if (rc == RC_OK && daemon->reg != NULL)
		daemon_spread_register(daemon);
	if (rc == RC_OK)
		rc = daemon_start_workers(daemon, err);
	if (rc == RC_OK)
		rc = control_new(&daemon->control, daemon->loop, daemon->settings.control_socket,
				 &hooks, follower_mailbox(daemon->follower), err);
	return rc;
}

/* ---- End
 * -----------------------------------------------------------------------------------------------
 */

static void
daemon_discard(struct mail *mail)
{
	if (mail->kind == WORKER_MAIL_REGISTER)
		reg_unref(&CONTAINER_OF(mail, struct worker_register, mail)->reg);
	free(mail);
}

/* After the loop ended: everything durable is followed and, if PostgreSQL lets us,
 * stored. */
static void
daemon_wind_down(struct gatehoused *daemon)
{
	struct store_status store;

	for (unsigned i = 0; i < daemon->n_workers; i++)
		worker_join(daemon->workers[i]);
	follower_stop(daemon->follower);
	store_stop(daemon->store, (uint64_t)daemon->settings.stop_timeout_ms);
	store_get_status(daemon->store, &store);
	journal_stop(daemon->journal);
	log_info("daemon", "stopped durable=%lu stored=%lu%s",
		 (unsigned long)journal_durable(daemon->journal), (unsigned long)store.stored,
		 store.stored < journal_durable(daemon->journal)
			 ? ": the rest is stored after the next start"
			 : "");
}

static void
daemon_free(struct gatehoused *daemon)
{
	for (unsigned i = 0; i < daemon->n_workers && daemon->workers != NULL; i++)
		worker_free(&daemon->workers[i]);
	free(daemon->workers);
	free(daemon->entrances);
	control_free(&daemon->control);
	if (daemon->loop != NULL)
		loop_discard_mail(daemon->loop, daemon_discard);
	roster_free(&daemon->roster);
	store_free(&daemon->store);
	follower_free(&daemon->follower);
	journal_close(&daemon->journal);
	reg_unref(&daemon->reg);
	loop_free(&daemon->loop);
	tls_unref(&daemon->tls);
	settings_free(&daemon->settings);
}

/* ---- Signals, privileges, main
 * ---------------------------------------------------------------------------- */

/* Card numbers pass through this memory: none of it may reach a disk. */
static void
daemon_forbid_core_dumps(void)
{
	struct rlimit none = {0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* Descriptors for every connection, as far as the system lets us. */
static void
daemon_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int
daemon_run(struct gatehoused *daemon)
{
	static const int stop_signals[] = {SIGTERM, SIGINT};
	struct event *signals[ARRAY_LEN(stop_signals)];
	struct err err;

	if (daemon_open(daemon, &err) != RC_OK || daemon_run_threads(daemon, &err) != RC_OK) {
		log_critical("daemon", "could not start: %s", err.msg);
		/* threads may run and hold the journal: nothing was taken on, so just go */
		_exit(EXIT_FAILED);
	}
	for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++) {
		signals[i] = evsignal_new(loop_base(daemon->loop), stop_signals[i],
					  daemon_signal_cb, daemon);
		must(signals[i] != NULL && event_add(signals[i], NULL) == 0);
	}
	for (size_t i = 0; i < daemon->settings.n_listeners; i++)
		log_info("daemon", "listening address=%s port=%u controllers=%s consoles=%s",
			 daemon->settings.listeners[i].address, daemon->entrances[i].port,
			 daemon->settings.listeners[i].controllers ? "yes" : "no",
			 daemon->settings.listeners[i].consoles ? "yes" : "no");
	log_info("daemon", "ready version=%s node=%ld workers=%u took_ms=%lu", GATEHOUSE_VERSION,
		 (long)daemon->settings.node_id, daemon->n_workers,
		 (unsigned long)(clock_mono_ms() - daemon->start_ms));
	(void)sd_notify(0, "READY=1");
	loop_run(daemon->loop);
	for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
		event_free(signals[i]);
	daemon_wind_down(daemon);
	daemon_free(daemon);
	return 0;
}

struct arguments {
	const char *config;
	bool test, reference;
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
	(void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.reference) {
		settings_write_reference(stdout);
		return 0;
	}
	if (settings_load(arguments.config, &daemon.settings, &err) != RC_OK) {
		(void)fprintf(stderr, "gatehoused: %s\n", err.msg);
		return EXIT_USAGE;
	}
	daemon_forbid_core_dumps();
	if (arguments.test) {
		struct card_keys *keys = NULL;

		if (daemon_open_tls(&daemon, &err) != RC_OK ||
		    card_keys_open(&keys, daemon.settings.keys_dir, &err) != RC_OK) {
			(void)fprintf(stderr, "gatehoused: %s\n", err.msg);
			return EXIT_USAGE;
		}
		card_keys_close(&keys);
		daemon_free(&daemon);
		(void)printf("%s: ok\n", arguments.config);
		return 0;
	}
	log_setup((enum log_level)daemon.settings.log_level,
		  (enum log_target)daemon.settings.log_target);
	daemon_raise_descriptors();
	(void)signal(SIGPIPE, SIG_IGN);
	return daemon_run(&daemon);
}
