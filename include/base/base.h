/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file of the project uses: result codes, the error text that a
 * leaf hands to its boundary, and the assertion that stays in.
 *
 * A leaf fills `struct err` and returns a code; the boundary (session close,
 * journal loop, store loop, main) logs it once.
 */
#ifndef GATEHOUSE_BASE_BASE_H
#define GATEHOUSE_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NO_RETURN              __attribute__((noreturn))

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* What a function that can fail says. */
enum rc {
	RC_OK = 0,
	RC_AGAIN,   /* not now: would block, or a queue is full; nothing happened */
	RC_EOF,     /* the regular end */
	RC_INVALID, /* what came from outside is wrong; err says what */
	RC_FAIL,    /* the system refused (disk, network, memory); err says what */
};

/* The reason of a failure, in PostgreSQL's style: lower case, no full stop. */
struct err {
	int sys;       /* errno, or 0 */
	char msg[320]; /* always terminated */
};

/* Sets the text; sys becomes 0.  Returns RC_INVALID, for `return err_invalid(..)`. */
enum rc err_invalid(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the text; sys becomes 0.  Returns RC_FAIL. */
enum rc err_fail(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the text and appends ": strerror(errno)"; keeps errno in sys.  Returns RC_FAIL. */
enum rc err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Our own mistakes only, never a peer's, a disk's or PostgreSQL's.  Compiled in
 * always: nothing acknowledged can be lost by it, because nothing is
 * acknowledged before it is durable, and systemd starts us again.
 */
#define must(expr) ((expr) ? (void)0 : must_failed(#expr, __FILE__, __LINE__))
void must_failed(const char *expr, const char *file, int line) NO_RETURN;

/* Logs at critical and exits with 1: the journal can't go on, say. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NO_RETURN;

/* A hint: what is there is wanted soon.  Any address is allowed, also NULL.  Pays where one
 * thing of thousands comes after the other, and which is known before its turn. */
#define PREFETCH(ptr) __builtin_prefetch(ptr)
enum { CACHE_LINE = 64 }; /* bytes, on the processors that we know of; only hints depend on it */

/* Memory of a small size that we choose: aborts when there is none.  What a
 * peer sizes is allocated with malloc() and may fail. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *ptr, size_t size);
char *xstrdup(const char *s);

/* printf into new memory; the caller frees. */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
