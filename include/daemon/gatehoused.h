/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon as a whole: what there is, in the order of its making.  open.c makes
 * and frees it, gatehoused.c is its main thread, status.c describes it.
 *
 * Owner: the main thread.
 */
#ifndef GATEHOUSE_DAEMON_GATEHOUSED_H
#define GATEHOUSE_DAEMON_GATEHOUSED_H

#include <jansson.h>

#include "base/version.h"
#include "daemon/control.h"
#include "daemon/follower.h"
#include "daemon/registrar_thread.h"
#include "daemon/settings.h"
#include "daemon/worker.h"
#include "store/store.h"
#include "wire/tls_sessions.h"

enum register_source { REGISTER_NONE, REGISTER_SNAPSHOT, REGISTER_POSTGRESQL };

/* Whether a thread's loop still turns. */
struct pulse {
	uint64_t ticks, since_ms;
};

struct gatehoused {
	struct settings settings;
	bool accept_journal_loss; /* --accept-journal-loss */
	struct tls *tls;
	struct tls_sessions *tls_sessions; /* NULL: without resumption */
	unsigned certificate_warned;       /* how many of its last days were said */
	struct journal *journal;
	struct desk_rules *rules;
	struct follower *follower;
	struct registrar_thread *registrar;
	struct rights_conf rights_conf;
	struct store *store;
	struct reg *reg;
	enum register_source reg_source;
	struct loop *loop;
	struct roster *roster;
	struct entrance *entrances;
	struct worker **workers;
	unsigned n_workers, n_stopped;
	struct control *control;
	int64_t start_us;
	uint64_t start_ms;
	bool stopping;
	uint64_t stop_ms;
	struct pulse *pulses; /* workers, then the follower, then the registrar */
	/* for rates: what was seen at the last look */
	uint64_t seen_bytes, seen_ms, bytes_per_s;
};

/* ---- open.c -------------------------------------------------------------- */

/* With `settings` loaded.  After a failure the process is to end. */
enum rc gatehoused_open(struct gatehoused *daemon, struct err *err) MUST_CHECK;
enum rc gatehoused_start(struct gatehoused *daemon, struct err *err) MUST_CHECK;
void gatehoused_free(struct gatehoused *daemon);

/* ---- certificates.c ------------------------------------------------------ */

/* The first step of gatehoused_open(), and alone for -t. */
enum rc gatehoused_open_tls(struct gatehoused *daemon, struct err *err) MUST_CHECK;
/* The files again, for new connections; who is revoked is sent away. */
void gatehoused_reload_tls(struct gatehoused *daemon);
/* Says once for each of 30, 7 and 1 days that the certificate ends. */
void gatehoused_watch_certificate(struct gatehoused *daemon);
/* The clients that were here before a restart; at the start, and at the stop. */
void gatehoused_load_tls_sessions(struct gatehoused *daemon);
void gatehoused_save_tls_sessions(struct gatehoused *daemon);

/* ---- gatehoused.c -------------------------------------------------------- */

/* Until a signal asks to stop; then winds down. */
void gatehoused_run(struct gatehoused *daemon);
/* Hooks of the main loop and of the store. */
void gatehoused_mail_cb(void *arg, struct mail *mail);
void gatehoused_turn_cb(void *arg);
void gatehoused_housekeeping(void *arg);
void gatehoused_on_register(void *arg, struct reg *reg);
void gatehoused_on_rights(void *arg, struct rights *rights, uint64_t position);
void gatehoused_on_journal_loss(void *arg, const char *why);
/* What SIGHUP asks for: register and certificates again. */
void gatehoused_reload(struct gatehoused *daemon);
/* Everybody gets the register that `daemon` holds. */
void gatehoused_spread_register(struct gatehoused *daemon);

/* ---- status.c ------------------------------------------------------------ */

/* The reply to {"verb":"status"}: a new object. */
json_t *gatehoused_status(const struct gatehoused *daemon);
/* One line for systemctl status. */
void gatehoused_status_line(const struct gatehoused *daemon, char *out, size_t size);

#endif
