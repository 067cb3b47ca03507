/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the daemon comes to be and goes, one function per step, in this order:
 *
 *	certificates - journal (recovered) - follower (replayed) - loop -
 *	roster - register (snapshot) - registrar (replayed) - store - workers | threads run -
 *	sockets open
 *
 * Up to the bar nothing runs and nothing is taken on.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listen.h"
#include "base/log.h"
#include "daemon/checkpoint.h"
#include "daemon/gatehoused.h"

enum { HOUSEKEEPING_MS = 1000 };

/* ---- Start: each step one function, in order ----------------------------- */

/* What this node remembers of its journal apart from the journal; NULL: nothing. */
static const struct journal_proof *
gatehoused_read_proof(const struct settings *settings, struct journal_proof *proof)
{
	struct err err;
	enum rc rc = checkpoint_read_proof(settings->state_dir, (uint32_t)settings->node_id, proof,
					   &err);

	/* a damaged checkpoint is the follower's to complain of */
	return rc == RC_OK ? proof : NULL;
}

static void
gatehoused_log_recovery(const struct journal_recovery *recovery, uint64_t took_ms)
{
	log_info("journal", "%s first=%lu end=%lu segments=%lu dropped_bytes=%lu took_ms=%lu%s%s",
		 recovery->created ? "created" : "recovered", (unsigned long)recovery->first,
		 (unsigned long)recovery->end, (unsigned long)recovery->segments,
		 (unsigned long)recovery->dropped_bytes, (unsigned long)took_ms,
		 recovery->note[0] != '\0' ? ": " : "", recovery->note);
	if (recovery->lost)
		log_error("journal",
			  "loss accepted: what stood behind position %lu is lost, going on at %lu",
			  (unsigned long)recovery->lost_from, (unsigned long)recovery->end);
}

static enum rc
gatehoused_open_journal(struct gatehoused *daemon, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct journal_proof proof;
	struct journal_conf conf = {
		.dir = settings->journal_dir,
		.node = (uint32_t)settings->node_id,
		.segment_bytes = (uint64_t)settings->segment_mb << 20,
		.retain_ms = (uint64_t)settings->retain_s * 1000,
		.free_min_bytes = (uint64_t)settings->disk_free_min_mb << 20,
		.spare_segments = (unsigned)settings->spare_segments,
		.tell_ms = (uint64_t)settings->tell_ms,
		.proof = gatehoused_read_proof(settings, &proof),
		.accept_loss = daemon->accept_journal_loss,
	};
	struct journal_recovery recovery = {0};
	struct err why;
	uint64_t begin_ms = clock_mono_ms();
	enum rc rc = journal_open(&daemon->journal, &conf, &recovery, &why);

	if (rc == RC_OK)
		gatehoused_log_recovery(&recovery, clock_mono_ms() - begin_ms);
	else if (recovery.lost)
		(void)err_invalid(err, "%.250s; see --accept-journal-loss in gatehoused(8)",
				  why.msg);
	else
		*err = why;
	return rc;
}

/* What is in the folder is a short cut, and may be missing; a folder that can't be
 * used would be found out one checkpoint after the other, by nobody. */
static enum rc
gatehoused_check_state(const struct settings *settings, struct err *err)
{
	if (access(settings->state_dir, R_OK | W_OK | X_OK) != 0)
		return err_sys(err, "could not use folder \"%s\"", settings->state_dir);
	return RC_OK;
}

/* The defaults, and what the configuration says otherwise: it was checked. */
static struct desk_rules *
gatehoused_new_rules(const struct settings *settings)
{
	struct desk_rules *rules = desk_rules_new();

	for (size_t i = 0; i < settings->n_alarms; i++) {
		const struct alarm_settings *alarm = &settings->alarms[i];
		const struct kind *kind = kind_by_name(alarm->kind);
		struct desk_rule rule = *desk_rule_of(rules, kind->code);

		if (alarm->severity != SEVERITY_NONE)
			rule = desk_rule_of_severity(kind, (enum severity)alarm->severity);
		if (alarm->latch != ALARM_LATCH_DEFAULT)
			rule.latches = alarm->latch == ALARM_LATCH_YES;
		if (alarm->escalate_s >= 0)
			rule.escalate_s = (uint32_t)alarm->escalate_s;
		if (alarm->ack_limit_s >= 0)
			rule.ack_limit_s = (uint32_t)alarm->ack_limit_s;
		desk_rule_set(rules, kind->code, &rule);
	}
	return rules;
}

static enum rc
gatehoused_open_follower(struct gatehoused *daemon, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct desk_rules *rules = daemon->rules = gatehoused_new_rules(settings);
	struct follower_conf conf = {
		.state_dir = settings->state_dir,
		.desk = {.node = (uint32_t)settings->node_id,
			 .history = (size_t)settings->history,
			 .open_alarms_max = (size_t)settings->open_alarms_max,
			 .merge_us = settings->merge_ms * 1000,
			 .groups = {.flood_begin = (size_t)settings->flood_begin,
				    .flood_end = (size_t)settings->flood_end,
				    .flood_window_us = settings->flood_window_s * 1000000,
				    .lost_begin = (size_t)settings->site_lost_begin,
				    .lost_window_us = settings->site_lost_s * 1000000},
			 .rules = rules},
		.actions = {.shelve_max_us = settings->shelve_max_s * 1000000,
			    .service_max_us = settings->service_max_s * 1000000,
			    .waiting_max = (size_t)settings->actions_waiting},
		.credit_bytes = (size_t)settings->console_queue_kb * 1024,
		.checkpoint_ms = (uint64_t)settings->checkpoint_s * 1000,
		.node = (uint32_t)settings->node_id,
		.findings = {.start_us = daemon->start_us,
			     .node = (uint32_t)settings->node_id,
			     .observer_index = daemon->n_workers + 1,
			     .observers = daemon->n_workers + 2},
	};
	uint64_t replayed = 0, begin_ms = clock_mono_ms();
	enum rc rc = follower_new(&daemon->follower, &conf, daemon->journal, &replayed, err);

	if (rc == RC_OK)
		log_info("follower", "replayed entries=%lu took_ms=%lu", (unsigned long)replayed,
			 (unsigned long)(clock_mono_ms() - begin_ms));
	return rc;
}

static enum rc
gatehoused_open_store(struct gatehoused *daemon, struct err *err)
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
		.retry_max_ms = (uint64_t)settings->retry_max_ms,
		.partitions_ahead_days = (uint64_t)settings->partitions_ahead_days,
		.from_first = daemon->accept_journal_loss,
	};
	struct store_hooks hooks = {.on_register = gatehoused_on_register,
				    .on_journal_loss = gatehoused_on_journal_loss,
				    .on_rights = gatehoused_on_rights,
				    .arg = daemon};

	/* without a snapshot, the database has them */
	if (counter_get(&registrar_thread_counters(daemon->registrar)->ready) == 0)
		conf.rights = &daemon->rights_conf;
	return store_new(&daemon->store, &conf, daemon->journal, &hooks, err);
}

/* A start without PostgreSQL serves from what was true when it last answered. */
static void
gatehoused_read_snapshot(struct gatehoused *daemon)
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
gatehoused_open_roster(struct gatehoused *daemon, struct err *err)
{
	struct roster_conf conf = {
		.lease_ms = (uint64_t)daemon->settings.lease_s * 1000,
		.node = (uint32_t)daemon->settings.node_id,
		.start_us = daemon->start_us,
		.observer_index = daemon->n_workers,
		.observers = daemon->n_workers + 2,
	};

	return roster_new(&daemon->roster, daemon->loop, &conf,
			  follower_positions(daemon->follower), daemon->journal, err);
}

static enum rc
gatehoused_open_registrar(struct gatehoused *daemon, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct registrar_conf conf = {
		.node = (uint32_t)settings->node_id,
		.credit_bytes = (size_t)settings->rights_queue_kb * 1024,
		.snapshot_ms = (uint64_t)settings->rights_snapshot_s * 1000,
		.state_dir = settings->state_dir,
		.keys_dir = settings->keys_dir,
	};
	struct registrar_start start = {
		.journal = daemon->journal,
		.positions = follower_positions(daemon->follower),
		.reg = daemon->reg != NULL ? reg_ref(daemon->reg) : NULL,
	};
	const struct registrar_counters *counters;
	uint64_t begin_ms = clock_mono_ms();
	enum rc rc;

	daemon->rights_conf = conf.rights = (struct rights_conf){
		.changes = (size_t)settings->rights_changes,
		.history_us = settings->rights_history_s * 1000000,
		.grace_us = settings->rights_grace_s * 1000000,
	};
	rc = registrar_thread_new(&daemon->registrar, &conf, &start, err);

	if (rc != RC_OK)
		return rc;
	counters = registrar_thread_counters(daemon->registrar);
	log_info("rights", "loaded cards=%lu rights=%lu controllers=%lu took_ms=%lu",
		 (unsigned long)counter_get(&counters->cards),
		 (unsigned long)counter_get(&counters->rights),
		 (unsigned long)counter_get(&counters->controllers),
		 (unsigned long)(clock_mono_ms() - begin_ms));
	return RC_OK;
}

/* One socket per worker and entrance; where the kernel chooses the port, the first
 * one's choice is everybody's. */
static enum rc
gatehoused_listen(struct gatehoused *daemon, int *listening, struct err *err)
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
gatehoused_open_worker(struct gatehoused *daemon, unsigned index, struct err *err)
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
		.registrar = registrar_thread_mailbox(daemon->registrar),
		.main = loop_mailbox(daemon->loop),
		.all = daemon->workers,
		.start_us = daemon->start_us,
	};

	return worker_new(&daemon->workers[index], &setup, err);
}

static enum rc
gatehoused_open_workers(struct gatehoused *daemon, struct err *err)
{
	enum rc rc = RC_OK;

	daemon->workers = xcalloc(daemon->n_workers, sizeof(struct worker *));
	daemon->pulses = xcalloc(daemon->n_workers + 2, sizeof(*daemon->pulses));
	daemon->entrances = xcalloc(daemon->settings.n_listeners, sizeof(struct entrance));
	for (size_t i = 0; i < daemon->settings.n_listeners; i++)
		daemon->entrances[i].settings = &daemon->settings.listeners[i];
	for (unsigned i = 0; i < daemon->n_workers && rc == RC_OK; i++)
		rc = gatehoused_open_worker(daemon, i, err);
	return rc;
}

static enum rc
gatehoused_open_loop(struct gatehoused *daemon, struct err *err)
{
	struct loop_hooks hooks = {
		.on_mail = gatehoused_mail_cb, .on_turn = gatehoused_turn_cb, .arg = daemon};
	enum rc rc = loop_new(&daemon->loop, &hooks, err);

	if (rc == RC_OK)
		rc = loop_every(daemon->loop, HOUSEKEEPING_MS, gatehoused_housekeeping, daemon,
				err);
	return rc;
}

enum rc
gatehoused_open(struct gatehoused *daemon, struct err *err)
{
	enum rc rc = gatehoused_open_tls(daemon, err);

	daemon->start_us = clock_wall_us();
	daemon->start_ms = clock_mono_ms();
	daemon->n_workers = settings_workers(&daemon->settings);
	if (rc == RC_OK)
		rc = gatehoused_check_state(&daemon->settings, err);
	if (rc == RC_OK)
		gatehoused_load_tls_sessions(daemon);
	if (rc == RC_OK)
		rc = gatehoused_open_journal(daemon, err);
	if (rc == RC_OK)
		rc = gatehoused_open_follower(daemon, err);
	if (rc == RC_OK)
		rc = gatehoused_open_loop(daemon, err);
	if (rc == RC_OK)
		rc = gatehoused_open_roster(daemon, err);
	if (rc == RC_OK)
		gatehoused_read_snapshot(daemon);
	if (rc == RC_OK)
		rc = gatehoused_open_registrar(daemon, err);
	if (rc == RC_OK)
		rc = gatehoused_open_store(daemon, err);
	if (rc == RC_OK)
		rc = gatehoused_open_workers(daemon, err);
	return rc;
}

static enum rc
gatehoused_start_workers(struct gatehoused *daemon, struct err *err)
{
	enum rc rc = RC_OK;

	for (unsigned i = 0; i < daemon->n_workers && rc == RC_OK; i++) {
		int *listening = xcalloc(daemon->settings.n_listeners, sizeof(int));

		rc = gatehoused_listen(daemon, listening, err);
		if (rc == RC_OK)
			rc = worker_start(daemon->workers[i], listening, err);
		free(listening);
	}
	return rc;
}

static json_t *
gatehoused_status_hook(void *arg)
{
	return gatehoused_status(arg);
}

static void
gatehoused_reload_hook(void *arg)
{
	struct gatehoused *daemon = arg;

	gatehoused_reload(daemon);
}

enum rc
gatehoused_start(struct gatehoused *daemon, struct err *err)
{
	const struct journal_wake wakes[] = {
		{.box = follower_mailbox(daemon->follower), .at_once = ENTRY_FLAG_DESK},
		{.box = registrar_thread_mailbox(daemon->registrar)},
		{.box = store_mailbox(daemon->store)},
	};
	struct control_hooks hooks = {
		.status = gatehoused_status_hook, .reload = gatehoused_reload_hook, .arg = daemon};
	enum rc rc = journal_start(daemon->journal, wakes, ARRAY_LEN(wakes), err);

	if (rc == RC_OK)
		rc = follower_start(daemon->follower, err);
	if (rc == RC_OK)
		rc = registrar_thread_start(daemon->registrar, err);
	if (rc == RC_OK)
		rc = store_start(daemon->store, err);
	if (rc == RC_OK && daemon->reg != NULL)
		gatehoused_spread_register(daemon);
	if (rc == RC_OK)
		rc = gatehoused_start_workers(daemon, err);
	if (rc == RC_OK)
		rc = control_new(&daemon->control, daemon->loop, daemon->settings.control_socket,
				 &hooks, follower_mailbox(daemon->follower), err);
	return rc;
}

/* ---- End ----------------------------------------------------------------- */

static void
gatehoused_discard(struct mail *mail)
{
	if (mail->kind == WORKER_MAIL_REGISTER)
		reg_unref(&CONTAINER_OF(mail, struct worker_register, mail)->reg);
	free(mail);
}

void
gatehoused_free(struct gatehoused *daemon)
{
	for (unsigned i = 0; i < daemon->n_workers && daemon->workers != NULL; i++)
		worker_free(&daemon->workers[i]);
	free(daemon->workers);
	free(daemon->pulses);
	free(daemon->entrances);
	control_free(&daemon->control);
	if (daemon->loop != NULL)
		loop_discard_mail(daemon->loop, gatehoused_discard);
	roster_free(&daemon->roster);
	store_free(&daemon->store);
	registrar_thread_free(&daemon->registrar);
	follower_free(&daemon->follower);
	desk_rules_free(&daemon->rules);
	journal_close(&daemon->journal);
	reg_unref(&daemon->reg);
	loop_free(&daemon->loop);
	tls_unref(&daemon->tls);
	tls_sessions_unref(&daemon->tls_sessions);
	settings_free(&daemon->settings);
}
