/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run: sets up, drives the loop by a tick, and ends in order.
 *
 * Phases: SETTLING until all were connected once (or the patience for it is
 * over), then the clock of the paces starts; RUNNING until the duration, the
 * work, or the operator ends it; DRAINING until the last ack, where that is
 * wished; OVER.
 *
 * The tick is 5 ms: at 20,000 records a second that is 100 records, which is
 * how they leave together.  Acks and alarms don't wait for a tick.
 *
 * Signals are read from a descriptor within the tick, so that no handler and no
 * global flag is needed.
 */
#include "sim/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "sim/console.h"
#include "sim/device.h"
#include "sim/progress.h"
#include "sim/traffic.h"

enum {
	RUN_TICK_MS = 5,
	RUN_CONNECT_EVERY = 4,    /* ticks: look who wants to connect */
	RUN_LOOK_EVERY = 20,      /* ticks: look whether the phase is over */
	RUN_SECOND = 200,         /* ticks */
	RUN_SPARE_FDS = 64,       /* beside the connections */
	RUN_ALARM_PATIENCE_S = 5, /* at the end, for alarms that no console may see */
	RUN_LIST_QUIET_S = 2,     /* at the end, no list comes for so long */
	RUN_HANDSHAKE_TIMEOUT_MS = 30000,
	RUN_HANDSHAKE_STEPS = 64,      /* in one turn: some 30 ms */
	RUN_READ_BYTES = 128 * 1024,   /* twice the longest message */
	RUN_OUTPUT_BYTES = 256 * 1024, /* per connection, unsent */
};

struct run {
	struct sim sim;
	struct progress progress;
	int signals;
	uint64_t ticks;
	bool interrupted;
	int status; /* of the program */
};

static uint64_t
seconds_ns(double seconds)
{
	return (uint64_t)(seconds * 1e9);
}

/* ---- Setting up -------------------------------------------------------------------- */

static enum rc
run_load_offices(struct sim *sim, struct err *err)
{
	enum rc rc = enrolments_load(&sim->offices, sim->options->desk_dir, TLS_ROLE_DESK, 0, err);

	if (rc == RC_OK)
		rc = enrolments_resolve(&sim->offices, sim->options->console_connect, err);
	for (size_t i = 0; rc == RC_OK && i < sim->offices.n; i++)
		if (sim->offices.items[i].n_sites == 0)
			rc = err_invalid(err,
					 "desk \"%s\" has no sites: only managers are simulated",
					 sim->offices.items[i].name);
	return rc;
}

static enum rc
run_load_clients(struct sim *sim, struct err *err)
{
	const struct run_options *o = sim->options;
	enum rc rc = RC_OK;

	if (o->fleet_dir != NULL) {
		rc = enrolments_load(&sim->fleet, o->fleet_dir, TLS_ROLE_CONTROLLER,
				     (size_t)o->controllers, err);
		if (rc == RC_OK)
			rc = enrolments_resolve(&sim->fleet, o->connect, err);
	}
	if (rc == RC_OK && o->console_dir != NULL) {
		rc = enrolments_load(&sim->dispatchers, o->console_dir, TLS_ROLE_CONSOLE, 0, err);
		if (rc == RC_OK)
			rc = enrolments_resolve(&sim->dispatchers, o->console_connect, err);
	}
	if (rc == RC_OK && o->desk_dir != NULL)
		rc = run_load_offices(sim, err);
	sim->n_devices = sim->fleet.n + sim->offices.n;
	return rc;
}

static enum rc
run_load_replay(struct sim *sim, struct err *err)
{
	const struct run_options *o = sim->options;
	size_t n = o->replay_controllers > 0 ? (size_t)o->replay_controllers : sim->fleet.n;
	struct badge_map map;
	enum rc rc;

	if (o->replay_path == NULL)
		return RC_OK;
	rc = badge_map_parse(&map, o->map, err);
	if (rc == RC_OK)
		rc = badge_log_load(&sim->log, o->replay_path, &map, err);
	if (rc == RC_OK)
		rc = replay_init(&sim->replay, &sim->log, &sim->fleet, n, err);
	if (rc != RC_OK)
		return rc;
	sim->n_replaying = n;
	sim->replay.speed = o->speed;
	sim->replay.times_now = o->times_now;
	sim->replay.started_us = sim->begun_us;
	return RC_OK;
}

static enum rc
run_load_history(struct sim *sim, struct err *err)
{
	const char *dir = sim->options->ledger_dir;
	enum rc rc;

	if (dir == NULL)
		return RC_OK;
	rc = history_load(&sim->history, dir, err);
	if (rc == RC_OK && sim->history.row_max > sim->log.n)
		rc = err_invalid(err,
				 "records of a badge log wait in the ledger \"%s\": the same "
				 "--replay is needed to send them again",
				 dir);
	if (rc == RC_OK)
		rc = ledger_open(&sim->ledger, dir, err);
	return rc;
}

static enum rc
run_load_pace(struct sim *sim, struct err *err)
{
	const struct run_options *o = sim->options;

	sim->records.per_s = o->rate;
	sim->records.day_s = o->day_s;
	sim->raising.per_s = o->alarms;
	sim->registering.per_s = o->registrations;
	if (o->rate > 0 && sim->n_replaying == sim->fleet.n)
		return err_invalid(err, "all controllers replay: nobody is left for --rate");
	if (o->profile_path == NULL)
		return RC_OK;
	sim->records.profile = &sim->profile;
	return profile_load(&sim->profile, o->profile_path, err);
}

static void
run_make_clients(struct sim *sim)
{
	const struct run_options *o = sim->options;

	sim->devices = xcalloc(sim->n_devices + 1, sizeof(*sim->devices));
	sim->consoles = xcalloc(sim->dispatchers.n + 1, sizeof(*sim->consoles));
	for (uint32_t i = 0; i < sim->fleet.n; i++) {
		struct device *d = &sim->devices[i];

		(void)names_add(&sim->names, sim->fleet.items[i].name);
		device_init(d, sim, i);
		if (i >= sim->n_replaying)
			device_stock(d, (uint64_t)o->backlog);
		else if (o->speed <= 0)
			device_stock(d, replay_rows(&sim->replay, i));
	}
	sim->alarms.consoles = sim->dispatchers.n;
	for (uint32_t i = (uint32_t)sim->fleet.n; i < sim->n_devices; i++) {
		(void)names_add(&sim->names, sim->offices.items[i - sim->fleet.n].name);
		device_init(&sim->devices[i], sim, i);
	}
	for (uint32_t i = 0; i < sim->dispatchers.n; i++)
		console_init(&sim->consoles[i], sim, i);
}

/* Each connection is a descriptor: takes as many as the system gives, or says
 * before the first connection that they are too few. */
static enum rc
run_raise_descriptors(const struct sim *sim, struct err *err)
{
	size_t need = sim->n_devices + sim->dispatchers.n + RUN_SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_sys(err, "could not read the limit of open files");
	if (limit.rlim_cur >= need)
		return RC_OK;
	if (limit.rlim_max < need)
		return err_invalid(err, "%zu clients need %zu open files, the limit is %llu",
				   need - RUN_SPARE_FDS, need, (unsigned long long)limit.rlim_max);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_sys(err, "could not raise the limit of open files");
	return RC_OK;
}

static enum rc
run_catch_signals(struct run *run, struct err *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	/* a server that dies while we write to it is what we are here for */
	(void)signal(SIGPIPE, SIG_IGN);
	/* blocked from here on: before, a signal just ends the program, and nothing
	 * is lost because nothing was sent */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (run->signals < 0)
		return err_sys(err, "could not listen for signals");
	return RC_OK;
}

/* ---- Phases -------------------------------------------------------------------------- */

static void
run_set_phase(struct run *run, enum sim_phase phase, double at_most_s, uint64_t now_ns)
{
	run->sim.phase = phase;
	run->sim.phase_end_ns = at_most_s > 0 ? now_ns + seconds_ns(at_most_s) : 0;
	if (phase == SIM_OVER)
		loop_stop(run->sim.loop);
}

static bool
run_any_stopped(const struct sim *sim)
{
	for (size_t i = 0; i < sim->n_devices; i++)
		if (sim->devices[i].peer.state == PEER_STOPPED)
			return true;
	for (size_t i = 0; i < sim->dispatchers.n; i++)
		if (sim->consoles[i].peer.state == PEER_STOPPED)
			return true;
	return false;
}

/* Once is enough: a client that comes and goes must not hold up the others. */
static bool
run_all_settled(const struct sim *sim)
{
	for (size_t i = 0; i < sim->n_devices; i++) {
		const struct peer *peer = &sim->devices[i].peer;

		if (!peer->was_ready && peer->state != PEER_STOPPED)
			return false;
	}
	for (size_t i = 0; i < sim->dispatchers.n; i++) {
		const struct console *c = &sim->consoles[i];

		if (!c->subscribed && c->peer.state != PEER_STOPPED)
			return false;
	}
	return true;
}

static bool
run_all_acked(const struct sim *sim)
{
	for (size_t i = 0; i < sim->n_devices; i++)
		if (device_waiting(&sim->devices[i]) > 0)
			return false;
	return true;
}

static void
run_start(struct run *run, uint64_t now_ns)
{
	run->sim.started_ns = now_ns;
	run_set_phase(run, SIM_RUNNING, run->sim.options->duration_s, now_ns);
}

static void
run_drain(struct run *run, uint64_t now_ns)
{
	/* a ledger that ends with standing alarms would trouble the next run's console */
	traffic_restore_all(&run->sim);
	if (run->sim.options->drain && run->sim.options->drain_s > 0)
		run_set_phase(run, SIM_DRAINING, run->sim.options->drain_s, now_ns);
	else
		run_set_phase(run, SIM_OVER, 0, now_ns);
}

static bool
run_consoles_are_there(const struct sim *sim)
{
	for (size_t i = 0; i < sim->dispatchers.n; i++) {
		enum peer_state state = sim->consoles[i].peer.state;

		if (state != PEER_READY && state != PEER_STOPPED)
			return false;
	}
	return true;
}

/* What desks asked for comes to the doors a moment after it is acknowledged. */
static bool
run_lists_settled(const struct sim *sim, uint64_t now_ns)
{
	if (sim->offices.n == 0)
		return true;
	for (size_t i = 0; i < sim->fleet.n; i++)
		if (!device_list_settled(&sim->devices[i]))
			return false;
	return now_ns - sim->list_heard_ns > seconds_ns(RUN_LIST_QUIET_S);
}

/* Acked is not yet seen: alarms get a moment more, in case a console may see them.
 * The moment begins when the consoles are there, who may still be on their way back. */
static void
run_look_draining(struct run *run, bool late, uint64_t now_ns)
{
	struct sim *sim = &run->sim;
	bool seen = (sim->dispatchers.n == 0 || sim->alarms.seen == sim->alarms.sent) &&
		    run_lists_settled(sim, now_ns);

	if (!sim->drained && run_all_acked(sim) && (late || run_consoles_are_there(sim))) {
		sim->drained = true;
		sim->phase_end_ns = now_ns + seconds_ns(RUN_ALARM_PATIENCE_S);
	} else if (late) {
		run_set_phase(run, SIM_OVER, 0, now_ns);
	}
	if (sim->drained && seen)
		run_set_phase(run, SIM_OVER, 0, now_ns);
}

static void
run_look(struct run *run, uint64_t now_ns)
{
	struct sim *sim = &run->sim;
	bool late = sim->phase_end_ns > 0 && now_ns >= sim->phase_end_ns;

	switch (sim->phase) {
	case SIM_SETTLING:
		if (late && !run_all_settled(sim))
			log_warning("sim", "starting with %zu of %zu clients connected",
				    sim->peers.ready, sim->n_devices + sim->dispatchers.n);
		if (late || run_all_settled(sim))
			run_start(run, now_ns);
		break;
	case SIM_RUNNING:
		/* without a duration, the end of the work ends the run */
		if (late || (sim->phase_end_ns == 0 && traffic_is_over(sim) && run_all_acked(sim) &&
			     sim->n_devices > 0))
			run_drain(run, now_ns);
		break;
	case SIM_DRAINING:
		run_look_draining(run, late, now_ns);
		break;
	case SIM_OVER:
		break;
	}
}

/* ---- The tick -------------------------------------------------------------------------- */

static void
run_read_signals(struct run *run, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (run->interrupted || run->sim.phase != SIM_RUNNING)
			run_set_phase(run, SIM_OVER, 0, now_ns);
		else
			run_drain(run, now_ns);
		run->interrupted = true;
	}
}

static void
run_connect(struct sim *sim, uint64_t now_ms)
{
	/* consoles first: they are few, and alarms wait for nobody */
	for (size_t i = 0; i < sim->dispatchers.n; i++)
		peer_try(&sim->consoles[i].peer, now_ms);
	for (size_t i = 0; i < sim->n_devices; i++)
		peer_try(&sim->devices[i].peer, now_ms);
}

static void
run_second(struct run *run, uint64_t now_ns)
{
	struct sim *sim = &run->sim;
	uint64_t now_ms = now_ns / 1000000;
	struct err err;

	for (size_t i = 0; i < sim->n_devices; i++)
		device_tick(&sim->devices[i], now_ms);
	for (size_t i = 0; i < sim->dispatchers.n; i++)
		console_tick(&sim->consoles[i], now_ms);
	if (sim->ledger != NULL && ledger_flush(sim->ledger, &err) != RC_OK) {
		log_error("sim", "%s", err.msg);
		run->status = 1;
		run_set_phase(run, SIM_OVER, 0, now_ns);
	}
	progress_tell(&run->progress, sim, now_ns);
}

static void
run_tick(void *arg)
{
	struct run *run = arg;
	struct sim *sim = &run->sim;
	uint64_t now_ns = clock_mono_ns(), tick = run->ticks++;

	run_read_signals(run, now_ns);
	if (sim->phase == SIM_RUNNING)
		traffic_turn(sim, now_ns);
	if (tick % RUN_CONNECT_EVERY == 0)
		run_connect(sim, now_ns / 1000000);
	if (tick % RUN_LOOK_EVERY == 0)
		run_look(run, now_ns);
	if (tick % RUN_SECOND == 0)
		run_second(run, now_ns);
}

/* Passes on what gathered in the turn.  Each dirty device gets one go, so that one
 * with a long queue can't starve the others; who has more to send is put at the end
 * of the list, for the next turn. */
static void
run_turn(void *arg)
{
	struct run *run = arg;
	struct sim *sim = &run->sim;
	struct device *d = sim->dirty_first, *last = sim->dirty_last;

	while (d != NULL) {
		struct device *next = d == last ? NULL : d->next_dirty;

		/* off the list first: flushing may put it there again */
		sim->dirty_first = d->next_dirty;
		if (sim->dirty_first == NULL)
			sim->dirty_last = NULL;
		d->dirty = false;
		if (device_flush(d))
			device_mark_dirty(d);
		d = next;
	}
	if (sim->dirty_first != NULL)
		loop_again(sim->loop);
	stream_set_turn(sim->peers.streams);
}

static void
run_mail(void *arg, struct mail *mail)
{
	(void)arg;
	(void)mail; /* nobody posts: there is one thread */
}

/* ---- From beginning to end ------------------------------------------------------------ */

static enum rc
run_make_loop(struct run *run, struct err *err)
{
	const struct loop_hooks hooks = {.on_mail = run_mail, .on_turn = run_turn, .arg = run};
	const struct stream_limits limits = {.handshake_timeout_ms = RUN_HANDSHAKE_TIMEOUT_MS,
					     .handshake_steps = RUN_HANDSHAKE_STEPS,
					     .read_budget_bytes = RUN_READ_BYTES,
					     .output_limit_bytes = RUN_OUTPUT_BYTES};
	struct sim *sim = &run->sim;
	enum rc rc = loop_new(&sim->loop, &hooks, err);

	if (rc == RC_OK)
		rc = stream_set_new(&sim->peers.streams, sim->loop, &limits, err);
	if (rc == RC_OK)
		rc = loop_every(sim->loop, RUN_TICK_MS, run_tick, run, err);
	return rc;
}

static enum rc
run_set_up(struct run *run, struct err *err)
{
	struct sim *sim = &run->sim;
	enum rc rc = run_load_clients(sim, err);

	if (rc == RC_OK)
		rc = run_raise_descriptors(sim, err);
	if (rc == RC_OK)
		rc = run_load_replay(sim, err);
	if (rc == RC_OK)
		rc = run_load_pace(sim, err);
	if (rc == RC_OK)
		rc = run_load_history(sim, err);
	if (rc == RC_OK)
		rc = run_catch_signals(run, err);
	if (rc == RC_OK)
		rc = run_make_loop(run, err);
	if (rc == RC_OK)
		run_make_clients(sim);
	return rc;
}

static void
run_tear_down(struct run *run)
{
	struct sim *sim = &run->sim;

	/* first those who use streams, then the streams, then the loop below them */
	sim->peers.closing = true;
	for (size_t i = 0; sim->devices != NULL && i < sim->n_devices; i++)
		device_fini(&sim->devices[i]);
	for (size_t i = 0; sim->consoles != NULL && i < sim->dispatchers.n; i++)
		console_fini(&sim->consoles[i]);
	stream_set_free(&sim->peers.streams);
	loop_free(&sim->loop);
	ledger_close(&sim->ledger);
	history_free(&sim->history);
	traffic_fini(sim);
	alarm_book_free(&sim->alarms);
	replay_fini(&sim->replay);
	badge_log_free(&sim->log);
	names_free(&sim->names);
	enrolments_free(&sim->fleet);
	enrolments_free(&sim->dispatchers);
	enrolments_free(&sim->offices);
	free(sim->grant_group);
	free(sim->devices);
	free(sim->consoles);
	free(sim->scratch);
	if (run->signals >= 0)
		(void)close(run->signals);
}

static void
run_end(struct run *run)
{
	struct sim *sim = &run->sim;
	struct err err;

	progress_end(&run->progress);
	/* of a run that didn't wait, the last list may still be on its way */
	for (size_t i = 0; i < sim->fleet.n && sim->drained; i++)
		device_write_down_list(&sim->devices[i]);
	if (sim->ledger != NULL && run->status == 0 && ledger_flush(sim->ledger, &err) != RC_OK) {
		log_error("sim", "%s", err.msg);
		run->status = 1;
	}
	if ((sim->options->drain && !sim->drained) || !run_all_settled(sim) || run_any_stopped(sim))
		run->status = 1;
	progress_summary(sim, clock_mono_ns());
}

int
run_fleet(const struct run_options *options)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct sim *sim = &run->sim;
	struct err err = {0};
	int status = 2;

	run->signals = -1;
	sim->options = options;
	sim->begun_us = clock_wall_us();
	sim->begun_ns = clock_mono_ns();
	sim->scratch = xcalloc(1, SIM_SCRATCH_BYTES);
	sim->grant_group = xstrdup(options->grant_group);
	sim->peers.handshakes_max = (unsigned)options->handshakes;
	sim->peers.resume = !options->no_resume;
	sim->peers.source_addresses = (unsigned)options->source_addresses;
	sim->peers.random = sim->begun_ns | 1; /* never zero */
	if (run_set_up(run, &err) != RC_OK) {
		(void)fprintf(stderr, "gatehouse-sim: %s\n", err.msg);
		goto out;
	}
	progress_init(&run->progress);
	run_set_phase(run, SIM_SETTLING, options->settle_s, sim->begun_ns);
	loop_run(sim->loop);
	run_end(run);
	status = run->status;
out:
	run_tear_down(run);
	free(run);
	return status;
}
