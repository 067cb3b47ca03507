/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to PostgreSQL that never waits for longer than it was told to.
 * All waiting is in poll() on the connection's socket and the owner's mailbox,
 * so that stopping, a server that hangs, and a network that swallows packets all
 * end a wait.
 *
 * What a failure means is decided here, once, by its SQLSTATE:
 *
 *	RC_INVALID  a row is to blame: the link is good, the transaction is not
 *	RC_FAIL     anything else; ask link_is_idle() whether the link is still good
 *
 * Owner: the store's thread.  It knows nothing of what the statements do.
 */
#ifndef GATEHOUSE_STORE_LINK_H
#define GATEHOUSE_STORE_LINK_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "base/mailbox.h"

struct link_conf {
	const char *conninfo;
	uint32_t node; /* for application_name */
	uint64_t connect_timeout_ms;
	uint64_t statement_timeout_ms; /* longest silence of the server */
};

/* Something to do while the server is slow to take what is sent: a slice of it.  False:
 * there is nothing more to do. */
struct link_meanwhile {
	bool (*work)(void *arg); /* NULL: nothing, ever */
	void *arg;
};

struct link {
	struct link_meanwhile meanwhile;
	const struct link_conf *conf;
	struct mailbox *box; /* a ring interrupts nothing, but the stop is looked at */
	/* Monotonic time when waiting must end, whatever for; UINT64_MAX: not.  Set by
	 * another thread, who rings the box. */
	const _Atomic uint64_t *stop_at_ms;
	PGconn *conn;       /* NULL: closed */
	bool by_check;      /* the last RC_INVALID was a check's */
	uint64_t copy_line; /* of the last RC_INVALID: which row of a COPY, from 1; 0: not known */
};

void link_init(struct link *link, const struct link_conf *conf, struct mailbox *box,
	       const _Atomic uint64_t *stop_at_ms);
/* Tries the hosts of the conninfo in their order, each for connect_timeout_ms. */
enum rc link_open(struct link *link, struct err *err) MUST_CHECK;
void link_close(struct link *link);
/* True when the connection is good and no transaction is open. */
bool link_is_idle(const struct link *link);

/* `what` completes "could not .." in the reason.  With n_params > 0 one statement
 * with parameters as texts, otherwise one or more.  *result (may be NULL): of the
 * last statement; the caller clears it. */
enum rc link_exec(struct link *link, const char *what, const char *sql, int n_params,
		  const char *const *params, PGresult **result, struct err *err) MUST_CHECK;

/* The two halves of it. */
enum rc link_send(struct link *link, const char *what, const char *sql, int n_params,
		  const char *const *params, struct err *err) MUST_CHECK;
enum rc link_receive(struct link *link, const char *what, PGresult **result,
		     struct err *err) MUST_CHECK;

/* Between begin and end or abort nothing else.  *rows: how many were copied. */
enum rc link_copy_begin(struct link *link, const char *sql, struct err *err) MUST_CHECK;
enum rc link_copy_put(struct link *link, const void *bytes, size_t n, struct err *err) MUST_CHECK;
enum rc link_copy_end(struct link *link, uint64_t *rows, struct err *err) MUST_CHECK;

/* For connecting and for statements: until the socket is ready for one of poll()'s
 * `events`.  RC_FAIL after timeout_ms, or when it is time to stop. */
enum rc link_wait(struct link *link, short events, uint64_t timeout_ms, struct err *err) MUST_CHECK;
/* "could not WHAT: " and the first line of libpq's words.  Returns RC_FAIL. */
enum rc link_fail(const struct link *link, const char *what, struct err *err);

/* Sleeps until the server says something, the box rings, or timeout_ms passed. */
enum rc link_idle(struct link *link, uint64_t timeout_ms, struct err *err) MUST_CHECK;
/* True when a notification of that channel came in since the last question. */
bool link_was_notified(struct link *link, const char *channel);

#endif
