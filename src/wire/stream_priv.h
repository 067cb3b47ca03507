/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a stream share: stream.c (bytes, and the end),
 * stream_open.c (the beginning, until both sides know each other) and
 * stream_set.c (lists, and what is done once per turn).
 *
 * Invariant: a living stream is on `handshaking`, `open` or `renewing`, by its
 * state and whether it has a session to renew; on `dirty`, and on `to_read` or `left_over`,
 * when it says so of itself; a dead one is on `dead` alone, until the end of the turn, because
 * libevent or the owner may still hold its pointer within the turn.
 */
#ifndef GATEHOUSE_WIRE_STREAM_PRIV_H
#define GATEHOUSE_WIRE_STREAM_PRIV_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "tls_memory.h"
#include "tls_priv.h"
#include "wire/stream.h"

enum {
	STREAM_MAGIC = 0x53747265,
	STREAM_ADDRESS_MAX = 56,
	STREAM_SPARES = 512, /* buffers that wait for the next stream, at most */
};

enum stream_state { STREAM_HANDSHAKE, STREAM_OPEN, STREAM_DEAD };

/* What every reading and every answer needs stands in front: with thousands of
 * connections each of them is far from the processor when its turn comes, and what costs
 * is the number of cache lines.
 *
 * Owner: the loop's thread. */
struct stream {
	unsigned magic;
	enum stream_state state;
	struct stream_set *set;
	SSL *ssl;
	const struct stream_hooks *hooks;
	void *arg;
	bool paused, dirty, to_read, ready;
	bool lingers; /* at its end */
	bool begun;   /* its handshake has made a step */
	struct tls_socket socket;
	TAILQ_ENTRY(stream) in_to_read, in_dirty;
	uint64_t dirty_turn; /* since when */
	uint64_t read_turn;  /* when last; 0: never */
	struct buf kept;     /* read, and not used up by the owner */
	struct buf out;      /* written, and not with the kernel */
	struct event readable, writable;
	struct tls *tls;
	uint64_t deadline_ms;    /* of the handshake */
	uint64_t session_due_ms; /* of a fresh session; 0: never */
	TAILQ_ENTRY(stream) in_all, in_ready;
	struct tls_peer peer; /* once it is open */
	char address[STREAM_ADDRESS_MAX];
};

TAILQ_HEAD(stream_list, stream);
TAILQ_HEAD(parting_list, parting);

/* Owner: the loop's thread. */
struct stream_set {
	struct loop *loop;
	struct stream_limits limits;
	uint8_t *scratch; /* limits.read_budget_bytes */
	struct tls_spares spares;
	struct buf spare_bufs[STREAM_SPARES]; /* memory for the next `kept` and `out` */
	unsigned n_spares;
	uint64_t turn;
	struct stream_list handshaking; /* oldest first */
	struct stream_list open;
	struct stream_list renewing; /* open, too; by session_due_ms */
	/* in their handshake, and it can go on, or it can begin */
	struct stream_list ready, ready_new;
	size_t n_ready;
	struct stream_list dirty;     /* have something to send */
	struct stream_list to_read;   /* may have something, and were not read in this turn */
	struct stream_list left_over; /* were, up to their share of it, and may have more */
	struct event *reader;         /* reads those of to_read, behind all events of a turn */
	uint64_t reading_since_ns;    /* monotonic, in this turn; 0: not yet */
	struct stream_list dead;
	struct parting_list lingering; /* sockets of those that we ended; oldest first */
	size_t n_lingering;
};

/* ---- stream_set.c: lists -------------------------------------------------- */

/* That of a living stream's state. */
struct stream_list *stream_list_of(const struct stream *stream);

/* Something is to be sent; nothing is any more. */
void stream_mark_dirty(struct stream *stream);
void stream_unmark_dirty(struct stream *stream);
/* The handshake can go on, when it is its turn; it can't any more. */
void stream_mark_ready(struct stream *stream);
void stream_unmark_ready(struct stream *stream);
/* There may be something to read: it is read within this turn, or, who was read in it, in
 * the next.  There is nothing any more. */
void stream_mark_to_read(struct stream *stream);
void stream_unmark_to_read(struct stream *stream);

/* ---- stream.c: bytes, and the end ----------------------------------------- */

/* Reads once, and offers it; the stream may be dead afterwards. */
void stream_read(struct stream *stream);
/* Sends what is queued.  Returns false when the stream ended. */
bool stream_flush(struct stream *stream);
/* Ends it now, and tells the owner; err may be NULL. */
void stream_end(struct stream *stream, enum stream_end end, const struct err *err);
/* The same with what errno and OpenSSL say. */
void stream_end_error(struct stream *stream, enum stream_end end, int ssl_error);
/* Gives back what stream_open.c made. */
void stream_free(struct stream *stream);

/* ---- stream_bufs.c: memory of buffers ---------------------------------------- */

void stream_bufs_init(struct stream_set *set);
void stream_bufs_fini(struct stream_set *set);
/* Gives memory to a buffer that has none, where there is some. */
void stream_buf_borrow(struct stream_set *set, struct buf *buf);
/* Takes it from a buffer that is empty. */
void stream_buf_return(struct stream_set *set, struct buf *buf);

/* ---- stream_linger.c: behind the end ---------------------------------------- */

/* Takes fd: all was said on it, and may not have been heard. */
void stream_linger(struct stream_set *set, int fd);
void stream_linger_sweep(struct stream_set *set, uint64_t now_ms);

/* ---- stream_open.c: the beginning ------------------------------------------- */

/* One step of the handshake, as far as what came allows. */
void stream_shake(struct stream *stream);
/* The client is given a fresh session, for when it comes back. */
void stream_renew_session(struct stream *stream);

#endif
