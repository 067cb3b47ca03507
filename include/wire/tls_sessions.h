/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server remembers of clients that it has met, so that they come back by a
 * short handshake: no certificate, no signature.  One memory serves all contexts
 * and threads of a process; it outlives a change of certificates, but not one of
 * the authority.
 *
 * A client is given a random handle, and here is kept what it stands for: a secret
 * of that one session, and who the client proved to be.  One client has one
 * session, the newest.  It ends with the client's certificate at the latest.
 *
 * The secrets are in memory; on disk only from tls_sessions_save() at a stop to
 * tls_sessions_load() at the next start, which removes the file.
 *
 * Any thread (a lock is held for a look-up); ref, load and save: the main one.
 */
#ifndef GATEHOUSE_WIRE_TLS_SESSIONS_H
#define GATEHOUSE_WIRE_TLS_SESSIONS_H

#include "base/base.h"

#define TLS_SESSIONS_FILE "tls-sessions"

struct tls_sessions;

struct tls_sessions_conf {
	size_t max;         /* clients; beyond it the one longest ago is forgotten */
	int64_t lifetime_s; /* TLS allows 7 days */
};

struct tls_sessions *tls_sessions_new(const struct tls_sessions_conf *conf);
struct tls_sessions *tls_sessions_ref(struct tls_sessions *sessions);
/* The last one wipes the secrets. */
void tls_sessions_unref(struct tls_sessions **sessions);

/* After a context was bound (tls_resume_at_server()).  Reads and removes
 * dir/TLS_SESSIONS_FILE; RC_EOF when there is none.  What another authority
 * vouched for, or has ended, is left out.  RC_INVALID: it is damaged. */
enum rc tls_sessions_load(struct tls_sessions *sessions, const char *dir,
			  struct err *err) MUST_CHECK;
/* Writes it, with mode 0600. */
enum rc tls_sessions_save(struct tls_sessions *sessions, const char *dir,
			  struct err *err) MUST_CHECK;

size_t tls_sessions_count(struct tls_sessions *sessions);

#endif
