/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes with a limit.  Grows by doubling; moves its content to
 * the front before it grows.
 */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 512 };

static void
buf_sane(const struct buf *buf)
{
	must(buf->begin <= buf->end);
	must(buf->end <= buf->capacity);
	must(buf->capacity <= buf->limit);
}

void
buf_init(struct buf *buf, size_t limit)
{
	*buf = (struct buf){.limit = limit};
}

void
buf_fini(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){.limit = buf->limit};
}

static void
buf_move_to_front(struct buf *buf)
{
	if (buf->begin == 0)
		return;
	memmove(buf->data, buf->data + buf->begin, buf_len(buf));
	buf->end -= buf->begin;
	buf->begin = 0;
}

static bool
buf_grow(struct buf *buf, size_t wanted)
{
	size_t capacity = buf->capacity > 0 ? buf->capacity : BUF_FIRST_BYTES;
	uint8_t *data;

	if (wanted > buf->limit)
		return false;
	while (capacity < wanted)
		capacity = capacity > buf->limit / 2 ? buf->limit : capacity * 2;
	if (capacity > buf->limit)
		capacity = buf->limit;
	data = realloc(buf->data, capacity);
	if (data == NULL)
		return false;
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

uint8_t *
buf_reserve(struct buf *buf, size_t n)
{
	buf_sane(buf);
	if (n > buf->limit)
		return NULL;
	if (buf->capacity - buf->end < n) {
		buf_move_to_front(buf);
		if (buf->capacity - buf->end < n && !buf_grow(buf, buf->end + n))
			return NULL;
	}
	return buf->data + buf->end;
}

void
buf_added(struct buf *buf, size_t n)
{
	must(n <= buf->capacity - buf->end);
	buf->end += n;
}

enum rc
buf_append(struct buf *buf, const void *bytes, size_t n)
{
	uint8_t *to;

	if (n == 0)
		return RC_OK; /* an empty buffer has no place to name */
	to = buf_reserve(buf, n);
	if (to == NULL)
		return RC_AGAIN;
	memcpy(to, bytes, n);
	buf_added(buf, n);
	return RC_OK;
}

void
buf_consume(struct buf *buf, size_t n)
{
	must(n <= buf_len(buf));
	buf->begin += n;
	if (buf->begin == buf->end)
		buf->begin = buf->end = 0;
}

void
buf_clear(struct buf *buf)
{
	buf->begin = buf->end = 0;
}

void
buf_release(struct buf *buf)
{
	if (buf_len(buf) == 0)
		buf_fini(buf);
}
