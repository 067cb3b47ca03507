/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of TLS and the stream share: OpenSSL shows here and nowhere else. */
#ifndef GATEHOUSE_WIRE_TLS_PRIV_H
#define GATEHOUSE_WIRE_TLS_PRIV_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tls_sessions_priv.h"
#include "tls_socket.h"
#include "wire/tls.h"

/* Certificates that are not to be trusted any more: sorted ids. */
struct tls_revoked {
	uint8_t (*ids)[TLS_CERTIFICATE_ID_BYTES];
	size_t n, room;
};

/* Immutable once streams use it, but for the count and what a client keeps. */
struct tls {
	atomic_uint refs;
	SSL_CTX *ctx;
	BIO_METHOD *socket; /* of its connections' BIOs */
	bool server;
	uint8_t authority[TLS_DIGEST_BYTES]; /* of the CA file */
	struct tls_revoked revoked;
	struct tls_sessions *sessions; /* server: NULL without resumption */
	bool keeps;                    /* client: with resumption */
	pthread_mutex_t lock;          /* of: */
	SSL_SESSION *kept;             /* the client's last session, or NULL */
};

/* Empties OpenSSL's queue of errors, as must be before what may fail: it is empty nearly
 * always, and emptying an empty one takes longer than to look. */
static inline void
tls_forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* Appends the reasons in OpenSSL's queue to err->msg, and empties the queue. */
void tls_add_reasons(struct err *err);
/* The context that an SSL was made from. */
struct tls *tls_of(const SSL *ssl);

/* ---- tls_peer.c: who is at the other end -------------------------------------- */

/* After the handshake: by the certificate, or by the session that it went on with. */
void tls_peer_learn(SSL *ssl, struct tls_peer *peer);
/* Server, after that: gives back what the client's certificates keep for a proof that
 * they have given; TLS 1.3 asks for none again. */
void tls_peer_shed(SSL *ssl);
/* What a certificate is known by to its authority: digest of issuer and number. */
void tls_certificate_id(const X509_NAME *issuer, const ASN1_INTEGER *serial,
			uint8_t id[TLS_CERTIFICATE_ID_BYTES]);

/* ---- tls_revoked.c -------------------------------------------------------------- */

/* Reads certificate revocation lists, PEM, and checks who signed them. */
enum rc tls_revoked_load(struct tls_revoked *revoked, SSL_CTX *ctx, const char *path,
			 struct err *err) MUST_CHECK;
void tls_revoked_fini(struct tls_revoked *revoked);
bool tls_revoked_has(const struct tls_revoked *revoked, const uint8_t id[TLS_CERTIFICATE_ID_BYTES]);
/* OpenSSL's hook for each certificate of a chain. */
int tls_verify_cb(int ok, X509_STORE_CTX *store);

/* ---- tls_resume.c --------------------------------------------------------------- */

/* A client's new connection offers what is kept. */
void tls_offer_session(struct tls *tls, SSL *ssl);

#endif
