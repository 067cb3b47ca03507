/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that OpenSSL gave back and will ask for again: one per loop, used by the
 * streams of that loop in turn.  Only in a program that called
 * tls_fail_without_memory(); in others it stays empty.
 */
#ifndef GATEHOUSE_WIRE_TLS_MEMORY_H
#define GATEHOUSE_WIRE_TLS_MEMORY_H

#include "tls_socket.h"

/* Owner: the loop's thread. */
struct tls_spares {
	void *small[32], *large[4];
	unsigned n_small, n_large;
	struct tls_socket *at_work; /* whose connection is read or written */
};

/* What this thread does from here on is the work of this loop. */
void tls_memory_use(struct tls_spares *spares);
/* The same, around a call of OpenSSL that reads or writes this connection, and no other. */
void tls_memory_begin(struct tls_spares *spares, struct tls_socket *socket);
void tls_memory_end(struct tls_spares *spares);

/* Gives it all back; its thread has ended, or is this one. */
void tls_memory_drop(struct tls_spares *spares);

#endif
