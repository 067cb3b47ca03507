/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's allocations.
 *
 * One that fails ends the process.  OpenSSL 3.0 looks its algorithms up once for each
 * kind of operation; one that could not be set up then, for want of memory, is missing
 * for good: the process lives on, and every handshake fails.  One that ends comes back
 * whole.
 *
 * Two sizes come and go with every record: a few words while it is put together, and the
 * buffer of a connection that has something to read or to write, which is given back as
 * soon as it is idle.  They are handed from one stream to the next by the loop's set, so
 * that a steady stream of records allocates nothing.
 *
 * What was read stands in the large ones, card numbers too: they are wiped when they come
 * back, which is when a connection has nothing left to read; as far as they were filled,
 * which the socket knows (tls_socket.h).  OpenSSL would do that by itself
 * (SSL_OP_CLEANSE_PLAINTEXT), the whole buffer and eight bytes at a time: at one record a
 * wake-up that took a quarter of all instructions of the daemon.
 *
 * OpenSSL says where it allocates, and not for whom: so which set is at work in a thread
 * is the one thing here that is known to the thread and not to the caller.
 */
#include "tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tls.h"

enum {
	SMALL_BYTES = 64,
	/* a record of 16 KiB with what goes around it: OpenSSL asks for 16.5 to 16.8 KB */
	LARGE_BYTES = 17 * 1024,
	LARGE_ABOVE_BYTES = 16 * 1024,
	SLACK_BYTES = 32, /* by which the allocator may have given more */
};

static _Thread_local struct tls_spares *spares_at_work;

void
tls_memory_use(struct tls_spares *spares)
{
	spares_at_work = spares;
}

void
tls_memory_begin(struct tls_spares *spares, struct tls_socket *socket)
{
	spares->at_work = socket;
	spares_at_work = spares;
}

void
tls_memory_end(struct tls_spares *spares)
{
	spares->at_work = NULL;
}

static void
spare_list_drop(void **list, unsigned *n)
{
	while (*n > 0)
		free(list[--*n]);
}

void
tls_memory_drop(struct tls_spares *spares)
{
	if (spares_at_work == spares)
		spares_at_work = NULL;
	spare_list_drop(spares->small, &spares->n_small);
	spare_list_drop(spares->large, &spares->n_large);
}

/* ---- What OpenSSL calls ----------------------------------------------------- */

static void *
tls_malloc(size_t n, const char *file, int line)
{
	struct tls_spares *spares = spares_at_work;

	(void)file;
	(void)line;
	if (n == 0)
		return NULL;
	if (n <= SMALL_BYTES) {
		if (spares != NULL && spares->n_small > 0)
			return spares->small[--spares->n_small];
		n = SMALL_BYTES;
	} else if (n > LARGE_ABOVE_BYTES && n <= LARGE_BYTES) {
		if (spares != NULL && spares->n_large > 0)
			return spares->large[--spares->n_large];
		n = LARGE_BYTES;
	}
	return xrealloc(NULL, n);
}

/* Whoever has room for what is asked for may be handed on, also where it was made for
 * something else. */
static bool
is_of(size_t has, size_t wanted)
{
	return has >= wanted && has <= wanted + SLACK_BYTES;
}

/* A large one that comes back: nothing that was read stays in it.  What a connection
 * read lies before `filled_to`; its buffer for writing holds what went over the line.
 * Where nobody is at work, a connection ends, or it is a handshake's. */
static void
wipe_read(const struct tls_spares *spares, char *ptr)
{
	struct tls_socket *socket = spares != NULL ? spares->at_work : NULL;

	if (socket == NULL) {
		explicit_bzero(ptr, LARGE_BYTES);
	} else if (socket->filled_to >= ptr && socket->filled_to <= ptr + LARGE_BYTES) {
		explicit_bzero(ptr, (size_t)(socket->filled_to - ptr));
		socket->filled_to = NULL;
	}
}

static void
tls_free(void *ptr, const char *file, int line)
{
	struct tls_spares *spares = spares_at_work;
	size_t has;

	(void)file;
	(void)line;
	if (ptr == NULL) /* which is most often */
		return;
	has = malloc_usable_size(ptr);
	if (is_of(has, LARGE_BYTES))
		wipe_read(spares, ptr);
	if (spares != NULL && is_of(has, SMALL_BYTES) && spares->n_small < ARRAY_LEN(spares->small))
		spares->small[spares->n_small++] = ptr;
	else if (spares != NULL && is_of(has, LARGE_BYTES) &&
		 spares->n_large < ARRAY_LEN(spares->large))
		spares->large[spares->n_large++] = ptr;
	else
		free(ptr);
}

static void *
tls_realloc(void *ptr, size_t n, const char *file, int line)
{
	if (ptr == NULL)
		return tls_malloc(n, file, line);
	if (n > 0)
		return xrealloc(ptr, n);
	tls_free(ptr, file, line);
	return NULL;
}

void
tls_fail_without_memory(void)
{
	must(CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) == 1);
}
