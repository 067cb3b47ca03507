/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that OpenSSL gave back and will ask for again: one per loop, used by the
 * streams of that loop in turn.  Only in a program that called
 * tls_fail_without_memory(); in others it stays empty.
 */
#ifndef GATEHOUSE_WIRE_TLS_MEMORY_H
#define GATEHOUSE_WIRE_TLS_MEMORY_H

#include "base/base.h"

/* Owner: the loop's thread. */
struct tls_spares {
	void *small[32], *large[4];
	unsigned n_small, n_large;
};

/* What this thread does from here on is the work of this loop. */
void tls_memory_use(struct tls_spares *spares);
/* Gives it all back; its thread has ended, or is this one. */
void tls_memory_drop(struct tls_spares *spares);

#endif
