/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of sessions as the handshake uses it; no OpenSSL in it. */
#ifndef GATEHOUSE_WIRE_TLS_SESSIONS_PRIV_H
#define GATEHOUSE_WIRE_TLS_SESSIONS_PRIV_H

#include "wire/tls.h"
#include "wire/tls_sessions.h"

enum {
	TLS_HANDLE_BYTES = 32,
	TLS_SECRET_MAX = 48, /* of SHA-384, the longest hash of TLS 1.3 */
	TLS_DIGEST_BYTES = 32,
};

struct tls_session {
	uint8_t handle[TLS_HANDLE_BYTES];
	uint8_t secret[TLS_SECRET_MAX];
	uint8_t secret_bytes;
	uint16_t cipher;
	int64_t expires_s; /* Unix time; set by tls_sessions_put() */
	struct tls_peer peer;
};

int64_t tls_sessions_lifetime_s(const struct tls_sessions *sessions);
/* Whose clients these are.  Another authority than before: all are forgotten. */
void tls_sessions_set_authority(struct tls_sessions *sessions,
				const uint8_t authority[TLS_DIGEST_BYTES]);
/* Copies, in the place of the client's former one.  What another authority vouched
 * for is not kept: its context is on its way out. */
void tls_sessions_put(struct tls_sessions *sessions, const uint8_t authority[TLS_DIGEST_BYTES],
		      const struct tls_session *session);
/* Fills *out, of which the caller wipes the secret.  False: nothing is known. */
bool tls_sessions_find(struct tls_sessions *sessions, const uint8_t authority[TLS_DIGEST_BYTES],
		       const uint8_t *handle, size_t n, struct tls_session *out);

#endif
