/* SPDX-License-Identifier: Apache-2.0 */
/* What tls.c and the stream share: OpenSSL shows here and nowhere else. */
#ifndef GATEHOUSE_WIRE_TLS_PRIV_H
#define GATEHOUSE_WIRE_TLS_PRIV_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "wire/tls.h"

/* Immutable but for the count. */
struct tls {
	atomic_uint refs;
	SSL_CTX *ctx;
	bool server;
};

/* Whose certificate it is, by the URI in its subjectAltName.  NONE when there is
 * no name of ours, or more than one. */
enum tls_role tls_peer_identity(X509 *certificate, char name[TLS_NAME_MAX + 1]);

/* Appends the reasons in OpenSSL's queue to err->msg, and empties the queue. */
void tls_add_reasons(struct err *err);

#endif
