/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coming back by a short handshake.
 *
 * OpenSSL offers two ways, and neither will do.  A ticket that holds the session
 * holds the client's certificate, too, which OpenSSL 3.0 decodes at 0.25 ms when it
 * issues the ticket, and again when it comes back.  Its cache keeps the decoded
 * certificate, some KiB for each client, and forgets a session when its connection
 * breaks, which is when it would be needed.  So what a session stands for is kept in
 * tls_sessions.c: the client has a handle only, and a session is made anew from the
 * secret, without any certificate.  Who the client proved to be goes along with it,
 * within the process, and is the identity of the new connection and of the next
 * session.
 *
 * The key exchange is done anew each time: a secret that gets known opens nothing
 * that was said before.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "tls_priv.h"

/* OpenSSL wants sessions to name their purpose. */
static const unsigned char tls_purpose[] = "gatehouse";

/* ---- Server ----------------------------------------------------------------- */

/* A client was given a handle.  Returns 0: OpenSSL's session is not ours. */
static int
tls_server_session_cb(SSL *ssl, SSL_SESSION *made)
{
	struct tls *tls = tls_of(ssl);
	struct tls_session session = {0};
	const unsigned char *handle;
	unsigned n;

	tls_peer_learn(ssl, &session.peer);
	handle = SSL_SESSION_get_id(made, &n);
	if (session.peer.role == TLS_ROLE_NONE || n != TLS_HANDLE_BYTES ||
	    SSL_SESSION_get_master_key(made, NULL, 0) > TLS_SECRET_MAX)
		return 0;
	memcpy(session.handle, handle, TLS_HANDLE_BYTES);
	session.secret_bytes =
		(uint8_t)SSL_SESSION_get_master_key(made, session.secret, TLS_SECRET_MAX);
	session.cipher = SSL_CIPHER_get_protocol_id(SSL_SESSION_get0_cipher(made));
	tls_sessions_put(tls->sessions, tls->authority, &session);
	OPENSSL_cleanse(session.secret, sizeof(session.secret));
	return 0;
}

static bool
tls_session_fill(SSL *ssl, const struct tls_session *from, SSL_SESSION *session)
{
	const unsigned char cipher[] = {(unsigned char)(from->cipher >> 8),
					(unsigned char)from->cipher};
	const SSL_CIPHER *known = SSL_CIPHER_find(ssl, cipher);

	return known != NULL && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
	       SSL_SESSION_set_cipher(session, known) == 1 &&
	       SSL_SESSION_set1_master_key(session, from->secret, from->secret_bytes) == 1 &&
	       SSL_SESSION_set1_id(session, from->handle, TLS_HANDLE_BYTES) == 1 &&
	       SSL_SESSION_set1_id_context(session, tls_purpose, sizeof(tls_purpose)) == 1 &&
	       SSL_SESSION_set1_ticket_appdata(session, &from->peer, sizeof(from->peer)) == 1;
}

/* A client shows a handle.  Returns new, or NULL for a full handshake. */
static SSL_SESSION *
tls_find_session_cb(SSL *ssl, const unsigned char *handle, int n, int *copy)
{
	struct tls *tls = tls_of(ssl);
	struct tls_session known;
	SSL_SESSION *session = NULL;

	*copy = 0;
	if (!tls_sessions_find(tls->sessions, tls->authority, handle, (size_t)n, &known))
		return NULL;
	if (!tls_peer_is_revoked(tls, &known.peer))
		session = SSL_SESSION_new();
	if (session != NULL && !tls_session_fill(ssl, &known, session)) {
		SSL_SESSION_free(session);
		session = NULL;
	}
	if (session != NULL)
		SSL_SESSION_set_timeout(session, (long)tls_sessions_lifetime_s(tls->sessions));
	OPENSSL_cleanse(known.secret, sizeof(known.secret));
	return session;
}

void
tls_resume_at_server(struct tls *tls, struct tls_sessions *sessions)
{
	SSL_CTX *ctx = tls->ctx;

	must(tls->server && tls->sessions == NULL);
	tls->sessions = tls_sessions_ref(sessions);
	tls_sessions_set_authority(sessions, tls->authority);
	must(SSL_CTX_set_session_id_context(ctx, tls_purpose, sizeof(tls_purpose)) == 1);
	/* no tickets means with TLS 1.3: handles */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_timeout(ctx, (long)tls_sessions_lifetime_s(sessions));
	SSL_CTX_sess_set_new_cb(ctx, tls_server_session_cb);
	SSL_CTX_sess_set_get_cb(ctx, tls_find_session_cb);
}

/* ---- Client ----------------------------------------------------------------- */

static void
tls_keep(struct tls *tls, SSL_SESSION *session)
{
	SSL_SESSION *former;

	must(pthread_mutex_lock(&tls->lock) == 0);
	former = tls->kept;
	tls->kept = session;
	must(pthread_mutex_unlock(&tls->lock) == 0);
	SSL_SESSION_free(former);
}

/* Returns 1: the session is ours now. */
static int
tls_client_session_cb(SSL *ssl, SSL_SESSION *session)
{
	tls_keep(tls_of(ssl), session);
	return 1;
}

void
tls_resume_at_client(struct tls *tls)
{
	must(!tls->server);
	tls->keeps = true;
	SSL_CTX_set_session_cache_mode(tls->ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls->ctx, tls_client_session_cb);
}

void
tls_offer_session(struct tls *tls, SSL *ssl)
{
	SSL_SESSION *kept;

	if (!tls->keeps)
		return;
	must(pthread_mutex_lock(&tls->lock) == 0);
	kept = tls->kept;
	if (kept != NULL)
		must(SSL_SESSION_up_ref(kept) == 1);
	must(pthread_mutex_unlock(&tls->lock) == 0);
	/* one that can't be used is none */
	if (kept != NULL && SSL_set_session(ssl, kept) != 1)
		(void)SSL_set_session(ssl, NULL);
	SSL_SESSION_free(kept);
}
