/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket below OpenSSL, one for each connection.  It knows where in OpenSSL's
 * buffer lies what came in: so what was consumed is wiped with the next read(), and a
 * buffer that comes back only as far as it was filled.
 */
#ifndef GATEHOUSE_WIRE_TLS_SOCKET_H
#define GATEHOUSE_WIRE_TLS_SOCKET_H

#include <openssl/bio.h>

#include "base/base.h"

/* Owner: the loop's thread.  Must stay where it is for as long as the BIO lives. */
struct tls_socket {
	int fd;
	bool ended; /* the other side sends no more */
	/* Behind the last byte that was read, in OpenSSL's buffer; from here on that
	 * buffer holds nothing that was read.  NULL: nothing was, or it is gone. */
	char *filled_to;
};

/* What a BIO of such a socket does; NULL for want of memory.  Owned by the caller, and
 * must outlive them all. */
BIO_METHOD *tls_socket_method(void);
/* A BIO over socket->fd, which it does not close; NULL for want of memory. */
BIO *tls_socket_bio(const BIO_METHOD *method, struct tls_socket *socket);

#endif
