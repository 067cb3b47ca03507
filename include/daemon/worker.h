/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one thread with one event loop, listening sockets of its own, and all
 * connections that came in by them.  Until the handshake has told who somebody
 * is, the worker has them; then the fleet's or the desk's sessions do.
 */
#ifndef GATEHOUSE_DAEMON_WORKER_H
#define GATEHOUSE_DAEMON_WORKER_H

#include "daemon/settings.h"
#include "desk/consoles.h"
#include "fleet/sessions.h"

enum {
	WORKER_MAIL_REGISTER = 300, /* struct worker_register, to a worker */
	WORKER_MAIL_STOP,           /* struct mail, to a worker: finish and say so */
	WORKER_MAIL_STOPPED,        /* struct mail, from a worker to main */
	WORKER_MAIL_TLS,            /* struct worker_tls, to a worker */
};

struct worker_register {
	struct mail mail;
	struct reg *reg; /* the receiver takes the reference */
};

/* Certificates for connections from now on. */
struct worker_tls {
	struct mail mail;
	struct tls *tls; /* the receiver takes the reference */
};

/* An address at which connections come in, the same for all workers. */
struct entrance {
	const struct listener_settings *settings;
	uint16_t port; /* the real one */
};

struct worker_setup {
	unsigned index, count;
	const struct settings *settings; /* borrowed for ever, like all of these but tls */
	struct entrance *entrances;
	size_t n_entrances;
	struct tls *tls;
	struct journal *journal;
	struct mailbox *roster, *hub, *main;
	struct mailbox *registrar; /* NULL: desks are not served */
	struct worker *const *all; /* every worker, for the limit of connections */
	int64_t start_us;
};

struct worker_counters {
	counter handshaking; /* now */
	counter accepted;
	counter resumed;                   /* handshakes that were short ones */
	counter full;                      /* .. and those that were not */
	counter refused[STREAM_END_COUNT]; /* in the handshake, by its end */
	counter wrong_role;
	counter ticks; /* grows while the loop is alive */
};

struct worker;

enum rc worker_new(struct worker **worker, const struct worker_setup *setup,
		   struct err *err) MUST_CHECK;
/* Takes the listening sockets, one per entrance (also on failure). */
enum rc worker_start(struct worker *worker, const int *listening, struct err *err) MUST_CHECK;
struct mailbox *worker_mailbox(struct worker *worker);
/* After WORKER_MAIL_STOPPED; or before worker_start(). */
void worker_join(struct worker *worker);
void worker_free(struct worker **worker);

/* Any thread. */
const struct worker_counters *worker_counters(const struct worker *worker);
const struct sessions_counters *worker_sessions(const struct worker *worker);
const struct consoles_counters *worker_consoles(const struct worker *worker);
/* Connections now, whatever their state. */
uint64_t worker_connections(const struct worker *worker);

#endif
