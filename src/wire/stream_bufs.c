/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of the streams' buffers, handed from one stream to the next: what is read and not
 * used up, and what waits to be sent, is short and gone within a turn or two.  So a few
 * hundred serve thousands of streams, and a steady stream of records allocates nothing.
 *
 * Owner: the loop's thread.  A spare holds no bytes; what was in it was wiped by whoever
 * had it, where it was worth it.
 */
#include "stream_priv.h"

enum {
	SPARE_BYTES = 512, /* the first size of a buffer */
	SPARE_MOST = 4096, /* what has grown beyond is given back */
};

void
stream_bufs_init(struct stream_set *set)
{
	must(set->limits.spare_buffers <= STREAM_SPARES);
	while (set->n_spares < set->limits.spare_buffers) {
		struct buf *spare = &set->spare_bufs[set->n_spares];

		buf_init(spare, SPARE_BYTES);
		if (buf_reserve(spare, SPARE_BYTES) == NULL)
			return; /* they come when they are needed, or not then either */
		set->n_spares++;
	}
}

void
stream_bufs_fini(struct stream_set *set)
{
	while (set->n_spares > 0)
		buf_fini(&set->spare_bufs[--set->n_spares]);
}

void
stream_buf_borrow(struct stream_set *set, struct buf *buf)
{
	size_t limit = buf->limit;

	if (buf->capacity > 0 || set->n_spares == 0 ||
	    set->spare_bufs[set->n_spares - 1].capacity > limit)
		return;
	*buf = set->spare_bufs[--set->n_spares];
	buf->limit = limit;
}

void
stream_buf_return(struct stream_set *set, struct buf *buf)
{
	must(buf_len(buf) == 0);
	if (buf->capacity == 0 || buf->capacity > SPARE_MOST || set->n_spares == STREAM_SPARES) {
		buf_release(buf);
		return;
	}
	set->spare_bufs[set->n_spares++] = *buf;
	buf_init(buf, buf->limit);
}
