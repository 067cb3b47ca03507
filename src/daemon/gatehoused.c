/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread at work: spreads registers and certificates, keeps the roster, answers the
 * operator, feeds the watchdog, and stops the rest in order:
 *
 *	nobody new - nothing more is read - what was read is durable and acknowledged -
 *	goodbye - alarms followed to the end - stored as far as the deadline allows -
 *	journal closed
 *
 * What is durable and not stored waits for the next start.
 */
#include "daemon/gatehoused.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

/* Loops tick each second at least; this much later one is taken to hang. */
enum { PULSE_GRACE_MS = 15000 };

/* ---- The main thread's mail ---------------------------------------------- */

/* A new copy of the register, for everybody. */
static void
gatehoused_send_register(struct gatehoused *daemon, struct mailbox *box, unsigned kind)
{
	struct worker_register *mail = xcalloc(1, sizeof(*mail));

	mail->mail.kind = kind;
	mail->reg = reg_ref(daemon->reg);
	mailbox_post(box, &mail->mail);
}

void
gatehoused_spread_register(struct gatehoused *daemon)
{
	for (unsigned i = 0; i < daemon->n_workers; i++)
		gatehoused_send_register(daemon, worker_mailbox(daemon->workers[i]),
					 WORKER_MAIL_REGISTER);
	gatehoused_send_register(daemon, follower_mailbox(daemon->follower),
				 FOLLOWER_MAIL_REGISTER);
	gatehoused_send_register(daemon, registrar_thread_mailbox(daemon->registrar),
				 REGISTRAR_THREAD_MAIL_REGISTER);
	roster_set_register(daemon->roster, reg_ref(daemon->reg));
}

static void
gatehoused_take_register(struct gatehoused *daemon, struct worker_register *mail)
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
	gatehoused_spread_register(daemon);
}

void
gatehoused_mail_cb(void *arg, struct mail *mail)
{
	struct gatehoused *daemon = arg;

	switch (mail->kind) {
	case WORKER_MAIL_REGISTER:
		gatehoused_take_register(daemon, CONTAINER_OF(mail, struct worker_register, mail));
		break;
	case WORKER_MAIL_STOPPED:
		daemon->n_stopped++;
		free(mail);
		break;
	case HUB_MAIL_DELIVERY:
		control_deliver(daemon->control, CONTAINER_OF(mail, struct hub_delivery, mail));
		break;
	case ACTIONS_MAIL_ANSWER:
		control_answer(daemon->control, CONTAINER_OF(mail, struct action_answer, mail));
		break;
	default:
		roster_mail(daemon->roster, mail);
	}
}

/* Called by the store's thread.  The snapshot is written here, where waiting for
 * the disk holds up nobody. */
void
gatehoused_on_register(void *arg, struct reg *reg)
{
	struct gatehoused *daemon = arg;
	struct worker_register *mail = xcalloc(1, sizeof(*mail));
	struct err err;

	crash_point(CRASH_SNAPSHOT_BEFORE);
	if (reg_snapshot_write(reg, daemon->settings.state_dir, &err) != RC_OK)
		log_error("daemon", "register snapshot not saved: %s", err.msg);
	crash_point(CRASH_SNAPSHOT_SAVED);
	mail->mail.kind = WORKER_MAIL_REGISTER;
	mail->reg = reg;
	mailbox_post(loop_mailbox(daemon->loop), &mail->mail);
}

/* Called by the store's thread. */
void
gatehoused_on_rights(void *arg, struct rights *rights, uint64_t position)
{
	struct gatehoused *daemon = arg;
	struct registrar_rights *mail = xcalloc(1, sizeof(*mail));

	mail->mail.kind = REGISTRAR_MAIL_RIGHTS;
	mail->rights = rights;
	mail->position = position;
	mailbox_post(registrar_thread_mailbox(daemon->registrar), &mail->mail);
}

/* Called by the store's thread.  New records would take positions that the database
 * holds for stored, and never get there: so nobody takes any more. */
void
gatehoused_on_journal_loss(void *arg, const char *why)
{
	(void)arg;
	fatal("%s; see --accept-journal-loss in gatehoused(8)", why);
}

/* ---- Stop ---------------------------------------------------------------- */

static void
gatehoused_begin_stop(struct gatehoused *daemon)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	daemon->stop_ms = clock_mono_ms();
	log_info("daemon", "stopping");
	(void)sd_notify(0, "STOPPING=1");
	control_free(&daemon->control);
	for (unsigned i = 0; i < daemon->n_workers; i++) {
		struct mail *mail = xcalloc(1, sizeof(*mail));

		mail->kind = WORKER_MAIL_STOP;
		mailbox_post(worker_mailbox(daemon->workers[i]), mail);
	}
}

void
gatehoused_turn_cb(void *arg)
{
	struct gatehoused *daemon = arg;

	if (daemon->stopping && daemon->n_stopped == daemon->n_workers &&
	    roster_drained(daemon->roster))
		loop_stop(daemon->loop);
}

void
gatehoused_reload(struct gatehoused *daemon)
{
	gatehoused_reload_tls(daemon);
	store_reload_register(daemon->store);
}

static void
gatehoused_signal_cb(evutil_socket_t number, short what, void *arg)
{
	struct gatehoused *daemon = arg;

	(void)what;
	if (number != SIGHUP)
		gatehoused_begin_stop(daemon);
	else if (!daemon->stopping)
		gatehoused_reload(daemon);
}

/* ---- Housekeeping -------------------------------------------------------- */

/* The watchdog is fed while every loop turns; when one hangs, systemd may act. */
static bool
gatehoused_thread_alive(struct gatehoused *daemon, unsigned index, uint64_t ticks)
{
	struct pulse *pulse = &daemon->pulses[index];
	uint64_t now_ms = clock_mono_ms();

	if (ticks != pulse->ticks || pulse->since_ms == 0) {
		pulse->ticks = ticks;
		pulse->since_ms = now_ms;
	}
	return now_ms - pulse->since_ms < PULSE_GRACE_MS;
}

static bool
gatehoused_threads_alive(struct gatehoused *daemon)
{
	uint64_t ticks = counter_get(&follower_counters(daemon->follower)->ticks);
	bool alive = gatehoused_thread_alive(daemon, daemon->n_workers, ticks);

	ticks = counter_get(&registrar_thread_counters(daemon->registrar)->ticks);
	alive = gatehoused_thread_alive(daemon, daemon->n_workers + 1, ticks) && alive;
	for (unsigned i = 0; i < daemon->n_workers; i++) {
		ticks = counter_get(&worker_counters(daemon->workers[i])->ticks);
		alive = gatehoused_thread_alive(daemon, i, ticks) && alive;
	}
	return alive;
}

/* A disk that is full, say: what was not acknowledged comes again. */
static void
gatehoused_check_stop(const struct gatehoused *daemon)
{
	uint64_t limit_ms = (uint64_t)daemon->settings.stop_timeout_ms;

	if (clock_mono_ms() - daemon->stop_ms > limit_ms)
		fatal("could not stop within %lu ms: records wait for the journal, and were not "
		      "acknowledged",
		      (unsigned long)limit_ms);
}

void
gatehoused_housekeeping(void *arg)
{
	struct gatehoused *daemon = arg;
	uint64_t appended = journal_appended(daemon->journal), now = clock_mono_ms();
	char line[512];

	if (now > daemon->seen_ms)
		daemon->bytes_per_s =
			(appended - daemon->seen_bytes) * 1000 / (now - daemon->seen_ms);
	daemon->seen_bytes = appended;
	daemon->seen_ms = now;
	if (daemon->stopping) {
		gatehoused_check_stop(daemon);
		return;
	}
	gatehoused_watch_certificate(daemon);
	gatehoused_status_line(daemon, line, sizeof(line));
	(void)sd_notifyf(0, "STATUS=%s%s", line,
			 gatehoused_threads_alive(daemon) ? "\nWATCHDOG=1" : "");
}

/* ---- Running ------------------------------------------------------------- */

/* After the loop ended: everything durable is followed and, if PostgreSQL lets us,
 * stored. */
static void
gatehoused_wind_down(struct gatehoused *daemon)
{
	struct store_status store;

	for (unsigned i = 0; i < daemon->n_workers; i++)
		worker_join(daemon->workers[i]);
	gatehoused_save_tls_sessions(daemon);
	/* what it finds about doors is the follower's to raise */
	registrar_thread_stop(daemon->registrar);
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

void
gatehoused_run(struct gatehoused *daemon)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	struct event *signals[ARRAY_LEN(numbers)];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		signals[i] = evsignal_new(loop_base(daemon->loop), numbers[i], gatehoused_signal_cb,
					  daemon);
		must(signals[i] != NULL && event_add(signals[i], NULL) == 0);
	}
	(void)sd_notify(0, "READY=1");
	loop_run(daemon->loop);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		event_free(signals[i]);
	gatehoused_wind_down(daemon);
}
