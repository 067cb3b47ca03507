/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS connection as a stream of bytes.  OpenSSL reads and writes the socket
 * itself; libevent only tells when.
 *
 * Memory: bytes are read into one scratch buffer per loop, and only what the
 * owner did not use up is kept with the stream.  An idle stream has neither an
 * input nor an output buffer, here or (SSL_MODE_RELEASE_BUFFERS) in OpenSSL.
 *
 * Fairness: one stream fills the scratch buffer at most once per turn; what is
 * left waits for the next turn, in which everybody else is served too.
 *
 * A stream is on at most one place of each list of its set; a dead one is on
 * `dead` alone, until the end of the turn, because libevent or the owner may
 * still hold its pointer within the turn.
 */
#include "wire/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tls_priv.h"

enum { STREAM_MAGIC = 0x53747265, STREAM_SWEEP_MS = 500, STREAM_ADDRESS_MAX = 56 };

enum stream_state { STREAM_HANDSHAKE, STREAM_OPEN, STREAM_DEAD };

/* Owner: the loop's thread. */
struct stream {
	unsigned magic;
	enum stream_state state;
	struct stream_set *set;
	struct tls *tls;
	SSL *ssl;
	int fd;
	struct event readable, writable;
	const struct stream_hooks *hooks;
	void *arg;
	struct buf kept; /* read, and not used up by the owner */
	struct buf out;  /* written, and not with the kernel */
	bool paused, dirty, left_over;
	uint64_t dirty_turn, left_over_turn; /* since when */
	uint64_t deadline_ms;                /* of the handshake */
	enum tls_role role;
	TAILQ_ENTRY(stream) in_all, in_dirty, in_left_over;
	char name[TLS_NAME_MAX + 1];
	char address[STREAM_ADDRESS_MAX];
};

TAILQ_HEAD(stream_list, stream);

/* Owner: the loop's thread. */
struct stream_set {
	struct loop *loop;
	struct stream_limits limits;
	uint8_t *scratch; /* limits.read_budget_bytes */
	uint64_t turn;
	struct stream_list handshaking; /* oldest first */
	struct stream_list open;
	struct stream_list dirty;     /* have something to send */
	struct stream_list left_over; /* may have more to read than one turn's budget */
	struct stream_list dead;
};

static void stream_end(struct stream *stream, enum stream_end end, const struct err *err);

const char *
stream_end_name(enum stream_end end)
{
	static const char *const names[STREAM_END_COUNT] = {
		[STREAM_END_LOCAL] = "local",
		[STREAM_END_PEER] = "peer_closed",
		[STREAM_END_RESET] = "reset",
		[STREAM_END_TLS] = "tls_error",
		[STREAM_END_HANDSHAKE] = "bad_handshake",
		[STREAM_END_HANDSHAKE_TIMEOUT] = "handshake_timeout",
		[STREAM_END_BAD_CERTIFICATE] = "bad_certificate",
		[STREAM_END_WRONG_ALPN] = "wrong_alpn",
		[STREAM_END_OVERFLOW] = "input_overflow",
		[STREAM_END_CONNECT] = "could_not_connect",
	};

	return names[end];
}

/* ---- Lists --------------------------------------------------------------- */

static void
stream_mark_dirty(struct stream *stream)
{
	if (stream->dirty)
		return;
	stream->dirty = true;
	stream->dirty_turn = stream->set->turn;
	TAILQ_INSERT_TAIL(&stream->set->dirty, stream, in_dirty);
	loop_again(stream->set->loop);
}

static void
stream_unmark_dirty(struct stream *stream)
{
	if (!stream->dirty)
		return;
	stream->dirty = false;
	TAILQ_REMOVE(&stream->set->dirty, stream, in_dirty);
}

static void
stream_mark_left_over(struct stream *stream)
{
	if (stream->left_over)
		return;
	stream->left_over = true;
	stream->left_over_turn = stream->set->turn;
	TAILQ_INSERT_TAIL(&stream->set->left_over, stream, in_left_over);
	loop_again(stream->set->loop);
}

static void
stream_unmark_left_over(struct stream *stream)
{
	if (!stream->left_over)
		return;
	stream->left_over = false;
	TAILQ_REMOVE(&stream->set->left_over, stream, in_left_over);
}

/* ---- Ends ---------------------------------------------------------------- */

static void
stream_free(struct stream *stream)
{
	SSL_free(stream->ssl);
	if (stream->fd >= 0)
		(void)close(stream->fd);
	tls_unref(&stream->tls);
	buf_fini(&stream->kept);
	buf_fini(&stream->out);
	stream->magic = 0;
	free(stream);
}

static void
stream_end(struct stream *stream, enum stream_end end, const struct err *err)
{
	static const struct err none;
	struct stream_set *set = stream->set;

	if (stream->state == STREAM_DEAD)
		return;
	(void)event_del(&stream->readable);
	(void)event_del(&stream->writable);
	stream_unmark_dirty(stream);
	stream_unmark_left_over(stream);
	TAILQ_REMOVE(stream->state == STREAM_OPEN ? &set->open : &set->handshaking, stream, in_all);
	stream->state = STREAM_DEAD;
	TAILQ_INSERT_TAIL(&set->dead, stream, in_all);
	loop_again(set->loop);
	stream->hooks->on_closed(stream->arg, stream, end, err != NULL ? err : &none);
	/* the descriptor goes back at once, the memory at the end of the turn */
	(void)close(stream->fd);
	stream->fd = -1;
}

static void
stream_end_error(struct stream *stream, enum stream_end end, int ssl_error)
{
	struct err err = {0};

	if (ssl_error == SSL_ERROR_SYSCALL && errno != 0)
		(void)err_sys(&err, "connection lost");
	else
		(void)err_fail(&err, "TLS failed");
	tls_add_reasons(&err);
	stream_end(stream, end, &err);
}

void
stream_close(struct stream *stream)
{
	must(stream->magic == STREAM_MAGIC);
	if (stream->state == STREAM_DEAD)
		return;
	if (stream->state == STREAM_OPEN) {
		size_t sent;

		ERR_clear_error();
		/* what the kernel takes at once; a peer that doesn't read gets no more */
		if (buf_len(&stream->out) > 0 && SSL_write_ex(stream->ssl, buf_front(&stream->out),
							      buf_len(&stream->out), &sent) != 1)
			ERR_clear_error();
		(void)SSL_shutdown(stream->ssl);
		ERR_clear_error();
	}
	stream_end(stream, STREAM_END_LOCAL, NULL);
}

/* ---- Writing ------------------------------------------------------------- */

/* Returns false when the stream ended. */
static bool
stream_flush(struct stream *stream)
{
	while (buf_len(&stream->out) > 0) {
		size_t sent = 0;
		int error;

		ERR_clear_error();
		errno = 0;
		if (SSL_write_ex(stream->ssl, buf_front(&stream->out), buf_len(&stream->out),
				 &sent) == 1) {
			buf_consume(&stream->out, sent);
			continue;
		}
		error = SSL_get_error(stream->ssl, 0);
		if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
			(void)event_add(&stream->writable, NULL);
			return true;
		}
		stream_end_error(stream, STREAM_END_RESET, error);
		return false;
	}
	buf_release(&stream->out);
	if (stream->hooks->on_drained != NULL)
		stream->hooks->on_drained(stream->arg, stream);
	return stream->state != STREAM_DEAD;
}

static void
stream_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	must(stream->magic == STREAM_MAGIC);
	if (stream->state == STREAM_OPEN)
		(void)stream_flush(stream);
}

enum rc
stream_write(struct stream *stream, const void *bytes, size_t n)
{
	must(stream->magic == STREAM_MAGIC);
	if (stream->state != STREAM_OPEN || buf_append(&stream->out, bytes, n) != RC_OK)
		return RC_AGAIN;
	stream_mark_dirty(stream);
	return RC_OK;
}

size_t
stream_unsent(const struct stream *stream)
{
	return buf_len(&stream->out);
}

/* ---- Reading ------------------------------------------------------------- */

/* Fills the scratch buffer behind what was kept.  Returns the bytes there are;
 * *more when there may be more to read without the socket saying so, *error when
 * the stream is over. */
static size_t
stream_fill(struct stream *stream, bool *more, int *error)
{
	struct stream_set *set = stream->set;
	size_t have = buf_len(&stream->kept), limit = set->limits.read_budget_bytes;

	must(have <= limit);
	if (have > 0)
		memcpy(set->scratch, buf_front(&stream->kept), have);
	buf_clear(&stream->kept);
	*more = true;
	*error = SSL_ERROR_NONE;
	while (have < limit && *more) {
		size_t got = 0;

		ERR_clear_error();
		errno = 0;
		if (SSL_read_ex(stream->ssl, set->scratch + have, limit - have, &got) == 1) {
			have += got;
			/* epoll says when the socket has more: no read() just to hear EAGAIN */
			*more = SSL_has_pending(stream->ssl) == 1;
			continue;
		}
		*more = false;
		*error = SSL_get_error(stream->ssl, 0);
		if (*error == SSL_ERROR_WANT_READ || *error == SSL_ERROR_WANT_WRITE)
			*error = SSL_ERROR_NONE;
	}
	return have;
}

/* Offers bytes to the owner and keeps the rest.  Returns false when the stream ended. */
static bool
stream_offer(struct stream *stream, size_t have)
{
	size_t used = 0;

	if (have > 0 && !stream->paused)
		used = stream->hooks->on_bytes(stream->arg, stream, stream->set->scratch, have);
	if (stream->state == STREAM_DEAD)
		return false;
	must(used <= have);
	have -= used;
	/* a full buffer of which nothing can be used will never get better */
	if ((used == 0 && !stream->paused && have == stream->set->limits.read_budget_bytes) ||
	    buf_append(&stream->kept, stream->set->scratch + used, have) != RC_OK) {
		stream_end(stream, STREAM_END_OVERFLOW, NULL);
		return false;
	}
	buf_release(&stream->kept);
	return true;
}

static void
stream_read(struct stream *stream)
{
	bool more;
	int error;
	size_t have = stream_fill(stream, &more, &error);

	if (!stream_offer(stream, have))
		return;
	if (error == SSL_ERROR_ZERO_RETURN)
		stream_end(stream, STREAM_END_PEER, NULL);
	else if (error == SSL_ERROR_SYSCALL)
		stream_end_error(stream, STREAM_END_RESET, error);
	else if (error != SSL_ERROR_NONE)
		stream_end_error(stream, STREAM_END_TLS, error);
	else if (more && !stream->paused)
		stream_mark_left_over(stream);
}

void
stream_pause(struct stream *stream)
{
	if (stream->paused || stream->state == STREAM_DEAD)
		return;
	stream->paused = true;
	(void)event_del(&stream->readable);
	stream_unmark_left_over(stream);
}

void
stream_resume(struct stream *stream)
{
	if (!stream->paused || stream->state == STREAM_DEAD)
		return;
	stream->paused = false;
	(void)event_add(&stream->readable, NULL);
	/* what was kept, and what OpenSSL holds, will not make the socket readable */
	stream_mark_left_over(stream);
}

/* ---- Handshake ----------------------------------------------------------- */

static void
stream_handshake_failed(struct stream *stream, int error)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
	long verified = SSL_get_verify_result(stream->ssl);
	struct err err = {0};

	if (verified != X509_V_OK) {
		(void)err_fail(&err, "%s", X509_verify_cert_error_string(verified));
		ERR_clear_error();
		stream_end(stream, STREAM_END_BAD_CERTIFICATE, &err);
	} else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		stream_end_error(stream, STREAM_END_BAD_CERTIFICATE, error);
	} else if (reason == SSL_R_NO_APPLICATION_PROTOCOL ||
		   reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) {
		stream_end_error(stream, STREAM_END_WRONG_ALPN, error);
	} else if (!stream->tls->server && error == SSL_ERROR_SYSCALL && errno == ECONNREFUSED) {
		stream_end_error(stream, STREAM_END_CONNECT, error);
	} else {
		stream_end_error(stream, STREAM_END_HANDSHAKE, error);
	}
}

static bool
stream_has_alpn(const struct stream *stream)
{
	const unsigned char *chosen = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(stream->ssl, &chosen, &n);
	return n == strlen(TLS_ALPN) && memcmp(chosen, TLS_ALPN, n) == 0;
}

static void
stream_opened(struct stream *stream)
{
	X509 *peer = SSL_get0_peer_certificate(stream->ssl);

	/* a client that offers no ALPN at all passes the handshake */
	if (!stream_has_alpn(stream)) {
		stream_end(stream, STREAM_END_WRONG_ALPN, NULL);
		return;
	}
	must(peer != NULL);
	stream->role = tls_peer_identity(peer, stream->name);
	TAILQ_REMOVE(&stream->set->handshaking, stream, in_all);
	TAILQ_INSERT_TAIL(&stream->set->open, stream, in_all);
	stream->state = STREAM_OPEN;
	stream->hooks->on_open(stream->arg, stream);
	/* the client's first bytes may have come with the end of the handshake */
	if (stream->state == STREAM_OPEN && !stream->paused)
		stream_mark_left_over(stream);
}

static void
stream_shake(struct stream *stream)
{
	int result, error;

	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(stream->ssl);
	if (result == 1) {
		stream_opened(stream);
		return;
	}
	error = SSL_get_error(stream->ssl, result);
	if (error == SSL_ERROR_WANT_WRITE)
		(void)event_add(&stream->writable, NULL);
	else if (error != SSL_ERROR_WANT_READ)
		stream_handshake_failed(stream, error);
}

static void
stream_readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	must(stream->magic == STREAM_MAGIC);
	if (stream->state == STREAM_HANDSHAKE)
		stream_shake(stream);
	else if (stream->state == STREAM_OPEN && !stream->left_over)
		stream_read(stream);
}

/* One event serves both: connecting ends, or the handshake wants to write. */
static void
stream_first_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	must(stream->magic == STREAM_MAGIC);
	if (stream->state == STREAM_HANDSHAKE)
		stream_shake(stream);
	else
		stream_writable_cb(fd, what, arg);
}

/* ---- Beginning ----------------------------------------------------------- */

static void
stream_write_address(char out[STREAM_ADDRESS_MAX], const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;

		(void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		(void)snprintf(out, STREAM_ADDRESS_MAX, "%s:%u", host, ntohs(in->sin_port));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)address;

		(void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
		(void)snprintf(out, STREAM_ADDRESS_MAX, "[%s]:%u", host, ntohs(in->sin6_port));
	} else {
		(void)snprintf(out, STREAM_ADDRESS_MAX, "?");
	}
}

static struct stream *
stream_new(struct stream_set *set, struct tls *tls, int fd, const struct stream_hooks *hooks,
	   void *arg)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->ssl = SSL_new(tls->ctx);
	if (stream->ssl == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
		SSL_free(stream->ssl);
		free(stream);
		return NULL;
	}
	if (tls->server)
		SSL_set_accept_state(stream->ssl);
	else
		SSL_set_connect_state(stream->ssl);
	stream->magic = STREAM_MAGIC;
	stream->set = set;
	stream->tls = tls_ref(tls);
	stream->fd = fd;
	stream->hooks = hooks;
	stream->arg = arg;
	stream->deadline_ms = clock_mono_ms() + set->limits.handshake_timeout_ms;
	buf_init(&stream->kept, set->limits.read_budget_bytes);
	buf_init(&stream->out, set->limits.output_limit_bytes);
	(void)event_assign(&stream->readable, loop_base(set->loop), fd, EV_READ | EV_PERSIST,
			   stream_readable_cb, stream);
	(void)event_assign(&stream->writable, loop_base(set->loop), fd, EV_WRITE,
			   stream_first_writable_cb, stream);
	TAILQ_INSERT_TAIL(&set->handshaking, stream, in_all);
	return stream;
}

static void
stream_set_nodelay(int fd)
{
	int on = 1;

	/* an ack or an alarm must not wait for more of its kind; where the socket
	 * has no such option, it has no such delay either */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

enum rc
stream_accept(struct stream_set *set, struct tls *tls, int fd, const struct stream_hooks *hooks,
	      void *arg, struct stream **out, struct err *err)
{
	struct sockaddr_storage peer = {0};
	socklen_t peer_len = sizeof(peer);
	struct stream *stream;

	(void)evutil_make_socket_nonblocking(fd);
	stream_set_nodelay(fd);
	stream = stream_new(set, tls, fd, hooks, arg);
	if (stream == NULL) {
		(void)close(fd);
		return err_fail(err, "out of memory for a connection");
	}
	(void)getpeername(fd, (struct sockaddr *)&peer, &peer_len);
	stream_write_address(stream->address, (const struct sockaddr *)&peer);
	(void)event_add(&stream->readable, NULL);
	*out = stream;
	return RC_OK;
}

enum rc
stream_connect(struct stream_set *set, struct tls *tls, const struct sockaddr *to, socklen_t to_len,
	       const struct sockaddr *from, socklen_t from_len, const struct stream_hooks *hooks,
	       void *arg, struct stream **out, struct err *err)
{
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stream *stream;

	if (fd < 0)
		return err_sys(err, "could not create a socket");
	if (from != NULL) {
		int on = 1;

		/* the port is chosen at connect(), by the whole connection, not before */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, from, from_len) != 0) {
			(void)err_sys(err, "could not bind a socket");
			(void)close(fd);
			return RC_FAIL;
		}
	}
	stream_set_nodelay(fd);
	if (connect(fd, to, to_len) != 0 && errno != EINPROGRESS) {
		(void)err_sys(err, "could not connect");
		(void)close(fd);
		return RC_FAIL;
	}
	stream = stream_new(set, tls, fd, hooks, arg);
	if (stream == NULL) {
		(void)close(fd);
		return err_fail(err, "out of memory for a connection");
	}
	stream_write_address(stream->address, to);
	(void)event_add(&stream->readable, NULL);
	(void)event_add(&stream->writable, NULL);
	*out = stream;
	return RC_OK;
}

void
stream_hand_over(struct stream *stream, const struct stream_hooks *hooks, void *arg)
{
	must(stream->magic == STREAM_MAGIC);
	stream->hooks = hooks;
	stream->arg = arg;
}

enum tls_role
stream_peer_role(const struct stream *stream)
{
	return stream->role;
}

const char *
stream_peer_name(const struct stream *stream)
{
	return stream->name;
}

const char *
stream_peer_address(const struct stream *stream)
{
	return stream->address;
}

/* ---- The set ------------------------------------------------------------- */

static void
stream_set_sweep(void *arg)
{
	struct stream_set *set = arg;
	uint64_t now = clock_mono_ms();
	struct stream *oldest;

	while ((oldest = TAILQ_FIRST(&set->handshaking)) != NULL && oldest->deadline_ms <= now)
		stream_end(oldest, STREAM_END_HANDSHAKE_TIMEOUT, NULL);
}

enum rc
stream_set_new(struct stream_set **out, struct loop *loop, const struct stream_limits *limits,
	       struct err *err)
{
	struct stream_set *set = xcalloc(1, sizeof(*set));
	enum rc rc;

	set->loop = loop;
	set->limits = *limits;
	set->scratch = xcalloc(1, limits->read_budget_bytes);
	TAILQ_INIT(&set->handshaking);
	TAILQ_INIT(&set->open);
	TAILQ_INIT(&set->dirty);
	TAILQ_INIT(&set->left_over);
	TAILQ_INIT(&set->dead);
	rc = loop_every(loop, STREAM_SWEEP_MS, stream_set_sweep, set, err);
	if (rc != RC_OK) {
		free(set->scratch);
		free(set);
		return rc;
	}
	*out = set;
	return RC_OK;
}

static void
stream_set_bury(struct stream_set *set)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(&set->dead)) != NULL) {
		TAILQ_REMOVE(&set->dead, stream, in_all);
		stream_free(stream);
	}
}

void
stream_set_free(struct stream_set **out)
{
	struct stream_set *set = *out;
	struct stream *stream;

	if (set == NULL)
		return;
	*out = NULL;
	while ((stream = TAILQ_FIRST(&set->open)) != NULL ||
	       (stream = TAILQ_FIRST(&set->handshaking)) != NULL)
		stream_close(stream);
	stream_set_bury(set);
	free(set->scratch);
	free(set);
}

/* Each once: one that is left over again during this has this turn's number. */
static void
stream_set_read_left_over(struct stream_set *set)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(&set->left_over)) != NULL &&
	       stream->left_over_turn != set->turn) {
		stream_unmark_left_over(stream);
		stream_read(stream);
	}
}

static void
stream_set_flush(struct stream_set *set)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(&set->dirty)) != NULL && stream->dirty_turn != set->turn) {
		stream_unmark_dirty(stream);
		(void)stream_flush(stream);
	}
}

void
stream_set_turn(struct stream_set *set)
{
	set->turn++;
	stream_set_read_left_over(set);
	/* what was written while reading leaves in this turn, too */
	set->turn++;
	stream_set_flush(set);
	stream_set_bury(set);
	if (!TAILQ_EMPTY(&set->left_over) || !TAILQ_EMPTY(&set->dirty) || !TAILQ_EMPTY(&set->dead))
		loop_again(set->loop);
}
