/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is signed in: one-time links that were given out, and sessions with their
 * secrets.  In memory only: a restart signs everybody out.
 *
 * Time is the caller's, monotonic milliseconds.  Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_SESSIONS_H
#define GATEHOUSE_WEB_SESSIONS_H

#include "base/base.h"
#include "wire/tls.h"

/* 32 random bytes in hexadecimal. */
enum { SECRET_TEXT = 64, SESSION_NAME_MAX = 64 };

/* What a console may do; the names are those of the register. */
enum web_right {
	WEB_RIGHT_DISPATCHER,
	WEB_RIGHT_SUPERVISOR,
	WEB_RIGHTS,
};
const char *web_right_name(enum web_right right);
/* One that is not known is the smaller one. */
enum web_right web_right_by_name(const char *name);

struct session {
	char secret[SECRET_TEXT + 1]; /* of the cookie */
	char csrf[SECRET_TEXT + 1];   /* that a request which changes something carries */
	char console[SESSION_NAME_MAX + 1], station[SESSION_NAME_MAX + 1];
	enum web_right right;
	struct tls_peer peer; /* the certificate that signed it in; zeros: it was a link */
	uint64_t opened_ms, used_ms;
};

/* Whose a session is to be.  All borrowed. */
struct session_of {
	const char *console, *station;
	enum web_right right;
	const struct tls_peer *peer; /* NULL: signed in by a link */
};

struct sessions_limits {
	uint64_t link_ms, idle_ms, max_ms;
	size_t sessions_max, per_console;
};

struct sessions;

struct sessions *sessions_new(const struct sessions_limits *limits);
void sessions_free(struct sessions **sessions);

/* A link for that console, good once.  RC_AGAIN: too many are out already. */
enum rc sessions_invite(struct sessions *sessions, const char *console, uint64_t now_ms,
			char secret[SECRET_TEXT + 1]) MUST_CHECK;
/* Takes the link back; false when there is none of that secret, or it is too old. */
bool sessions_redeem(struct sessions *sessions, const char *secret, uint64_t now_ms,
		     char console[SESSION_NAME_MAX + 1]);

/* A new session of that console, station and right, and `peer`, with secrets of its own;
 * a console with too many loses its oldest.  NULL: no room. */
const struct session *sessions_open(struct sessions *sessions, const struct session_of *of,
				    uint64_t now_ms);
/* That of the secret, used now; NULL when there is none, or it has ended.  Valid
 * until the next call. */
const struct session *sessions_find(struct sessions *sessions, const char *secret, uint64_t now_ms);
void sessions_close(struct sessions *sessions, const char *secret);
/* Drops what has ended; and sessions of which `stays` says no (NULL: all stay). */
void sessions_sweep(struct sessions *sessions, uint64_t now_ms,
		    bool (*stays)(void *arg, const struct session *session), void *arg);
size_t sessions_count(const struct sessions *sessions);

/* In a time that tells nothing of where they differ. */
bool secrets_equal(const char *a, const char *b);

#endif
