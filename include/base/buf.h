/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes with a limit: filled at the end, used up from the
 * front.  Invariant: begin <= end <= capacity <= limit, checked at each step.
 * Owner: whoever owns the struct; no thread safety.
 */
#ifndef GATEHOUSE_BASE_BUF_H
#define GATEHOUSE_BASE_BUF_H

#include "base/base.h"

struct buf {
	uint8_t *data;
	size_t begin;    /* first byte not used up */
	size_t end;      /* one behind the last byte */
	size_t capacity; /* bytes allocated */
	size_t limit;    /* never grows beyond */
};

void buf_init(struct buf *buf, size_t limit);
void buf_fini(struct buf *buf);

static inline size_t
buf_len(const struct buf *buf)
{
	return buf->end - buf->begin;
}

static inline uint8_t *
buf_front(const struct buf *buf)
{
	return buf->data + buf->begin;
}

/* Makes room for n more bytes and returns where they go, or NULL when the limit
 * or memory is reached; then nothing has changed.  buf_added() counts them in. */
uint8_t *buf_reserve(struct buf *buf, size_t n);
void buf_added(struct buf *buf, size_t n);

/* RC_AGAIN when the limit or memory is reached; then nothing was added. */
enum rc buf_append(struct buf *buf, const void *bytes, size_t n) MUST_CHECK;

/* Uses up n bytes from the front. */
void buf_consume(struct buf *buf, size_t n);
/* Forgets the content, keeps the memory. */
void buf_clear(struct buf *buf);
/* Gives the memory back when it is empty. */
void buf_release(struct buf *buf);

#endif
