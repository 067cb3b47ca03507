/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS connection as a stream of bytes on one loop.  OpenSSL works straight on
 * the socket; neither OpenSSL nor libevent shows through.  Built for very many
 * idle connections: an idle stream keeps no buffer of its own.
 *
 * Owner: the thread of the loop.  A stream dies in two steps: stream_close()
 * ends it now (no hook is called any more, except on_closed once), its memory
 * goes at the end of the loop's turn.
 */
#ifndef GATEHOUSE_WIRE_STREAM_H
#define GATEHOUSE_WIRE_STREAM_H

#include <sys/socket.h>

#include "base/counter.h"
#include "base/loop.h"
#include "wire/tls.h"

struct stream;
struct stream_set;

/* Why a stream ended by itself.  Ends that the owner decides have the owner's reasons. */
enum stream_end {
	STREAM_END_LOCAL,             /* stream_close() */
	STREAM_END_PEER,              /* the other side closed */
	STREAM_END_RESET,             /* network error; err->sys */
	STREAM_END_TLS,               /* broken TLS after the handshake */
	STREAM_END_HANDSHAKE,         /* not TLS, wrong version, no common anything */
	STREAM_END_HANDSHAKE_TIMEOUT, /* not done in time */
	STREAM_END_BAD_CERTIFICATE,   /* missing, unknown, expired: err says */
	STREAM_END_WRONG_ALPN,
	STREAM_END_OVERFLOW, /* on_bytes used nothing of a full read budget */
	STREAM_END_CONNECT,  /* client: could not connect */
	STREAM_END_COUNT,
};
const char *stream_end_name(enum stream_end end);

struct stream_hooks {
	/* The handshake is done; the peer's name can be asked for. */
	void (*on_open)(void *arg, struct stream *stream);
	/* Bytes came in.  Returns how many were used up; the rest is kept, and offered
	 * again in front of what follows.  May pause or close the stream. */
	size_t (*on_bytes)(void *arg, struct stream *stream, const uint8_t *bytes, size_t n);
	/* All that was written is with the kernel.  May be NULL. */
	void (*on_drained)(void *arg, struct stream *stream);
	/* The stream ended.  Called exactly once, also for STREAM_END_LOCAL; then the
	 * pointer must not be used again. */
	void (*on_closed)(void *arg, struct stream *stream, enum stream_end end,
			  const struct err *err);
};

struct stream_limits {
	uint64_t handshake_timeout_ms;
	unsigned handshake_steps; /* of all handshakes together in one turn; one takes two */
	/* Read from one stream in one turn, then it is the others' turn; also the most
	 * that is kept of what on_bytes did not use up.  Above the longest message. */
	size_t read_budget_bytes;
	/* Reading from all in one turn, then it is time for what came; 0: no limit. */
	uint64_t read_ns;
	size_t output_limit_bytes; /* waiting to be sent */
	/* Small buffers that are there from the beginning; up to STREAM_SPARES gather anyway. */
	size_t spare_buffers;
	/* Sockets that stay for a moment behind stream_close(), so that a reset does not
	 * take away what was said last; for how long, and how many, at most. */
	uint64_t linger_ms;
	size_t linger_max;
};

/* The streams of one loop: shared scratch memory, and whose work is left over. */
enum rc stream_set_new(struct stream_set **set, struct loop *loop,
		       const struct stream_limits *limits, struct err *err) MUST_CHECK;
/* Ends all that are left (on_closed is called). */
void stream_set_free(struct stream_set **set);
/* Call at the end of each turn: sends what was written, goes on with streams
 * whose budget ran out in the next turn, frees what is dead. */
void stream_set_turn(struct stream_set *set);

/* Handshakes that could go on, and wait for a turn: more than a few, and it is better
 * to let others wait in the kernel's queue. */
size_t stream_set_handshakes_ready(const struct stream_set *set);
/* At a stop, when no descriptor is needed for another: any number may linger. */
void stream_set_linger_all(struct stream_set *set);
/* How many do. */
size_t stream_set_lingering(const struct stream_set *set);
/* Ends the open ones whose certificate is revoked by `tls`, a context that is newer
 * than theirs: on_closed(STREAM_END_BAD_CERTIFICATE). */
void stream_set_end_revoked(struct stream_set *set, const struct tls *tls);

/* Takes fd (also on failure).  `hooks` is borrowed for ever. */
enum rc stream_accept(struct stream_set *set, struct tls *tls, int fd,
		      const struct stream_hooks *hooks, void *arg, struct stream **stream,
		      struct err *err) MUST_CHECK;
/* `from` (may be NULL): local address to bind, so that a fleet has more ports.
 * Failure to connect comes by on_closed. */
enum rc stream_connect(struct stream_set *set, struct tls *tls, const struct sockaddr *to,
		       socklen_t to_len, const struct sockaddr *from, socklen_t from_len,
		       const struct stream_hooks *hooks, void *arg, struct stream **stream,
		       struct err *err) MUST_CHECK;

/* Another owner takes over, for instance once the handshake told who it is.
 * Allowed within a hook. */
void stream_hand_over(struct stream *stream, const struct stream_hooks *hooks, void *arg);

/* Queues bytes; they leave at the end of the turn.  RC_AGAIN when the output
 * limit or memory is reached: nothing was queued. */
enum rc stream_write(struct stream *stream, const void *bytes, size_t n) MUST_CHECK;
/* Sends what is queued now, and not at the end of the turn: for whoever answers many, one
 * after the other.  The stream may be over afterwards, and on_drained and on_closed have been
 * called within it. */
void stream_push(struct stream *stream);
/* Bytes queued and not with the kernel yet. */
size_t stream_unsent(const struct stream *stream);
/* Hints, where many are written to one after the other: this one comes soon; it is next, and
 * it was said before that it comes soon. */
void stream_approach(const struct stream *stream);
void stream_bring(const struct stream *stream);

/* Stops and resumes reading; TCP pushes back.  What was kept is offered again on resume. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Sends what is queued as far as the kernel takes it at once, says goodbye, and
 * ends.  on_closed(STREAM_END_LOCAL) is called before this returns. */
void stream_close(struct stream *stream);

/* After on_open.  The name is empty with TLS_ROLE_NONE. */
enum tls_role stream_peer_role(const struct stream *stream);
const char *stream_peer_name(const struct stream *stream);
/* It came back by a short handshake; see wire/tls_sessions.h. */
bool stream_was_resumed(const struct stream *stream);
/* "10.0.3.7:49152"; from the beginning. */
const char *stream_peer_address(const struct stream *stream);

#endif
