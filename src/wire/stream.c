/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS connection as a stream of bytes: reading, writing, the end.  OpenSSL
 * reads and writes the socket itself; libevent only tells when.
 *
 * Memory: bytes are read into one scratch buffer per loop, and only what the
 * owner did not use up is kept with the stream.  An idle stream has neither an
 * input nor an output buffer, here or (SSL_MODE_RELEASE_BUFFERS) in OpenSSL.
 *
 * Owner: the loop's thread.  What it deliberately does not do: look into the
 * bytes, or decide when a stream is too slow or too quiet.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream_priv.h"

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

/* ---- Ends ---------------------------------------------------------------- */

/* Card numbers pass through: what was read leaves no trace where it stood.  What
 * OpenSSL had of it is wiped when it gives its buffer back: tls_memory.c. */
static void
stream_wipe_kept(struct stream *stream)
{
	if (buf_len(&stream->kept) > 0)
		OPENSSL_cleanse(buf_front(&stream->kept), buf_len(&stream->kept));
	buf_clear(&stream->kept);
}

void
stream_free(struct stream *stream)
{
	/* OpenSSL takes a session for spoilt whose connection ended without a goodbye */
	if (SSL_is_init_finished(stream->ssl) == 1)
		SSL_set_shutdown(stream->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(stream->ssl);
	if (stream->socket.fd >= 0)
		(void)close(stream->socket.fd);
	tls_unref(&stream->tls);
	stream_wipe_kept(stream);
	buf_fini(&stream->kept);
	buf_fini(&stream->out);
	stream->magic = 0;
	free(stream);
}

void
stream_end(struct stream *stream, enum stream_end end, const struct err *err)
{
	static const struct err none;
	struct stream_set *set = stream->set;

	if (stream->state == STREAM_DEAD)
		return;
	(void)event_del(&stream->readable);
	(void)event_del(&stream->writable);
	stream_unmark_dirty(stream);
	stream_unmark_to_read(stream);
	stream_unmark_ready(stream);
	TAILQ_REMOVE(stream_list_of(stream), stream, in_all);
	stream->state = STREAM_DEAD;
	TAILQ_INSERT_TAIL(&set->dead, stream, in_all);
	loop_again(set->loop);
	stream->hooks->on_closed(stream->arg, stream, end, err != NULL ? err : &none);
	/* the descriptor goes back at once, the memory at the end of the turn */
	if (stream->lingers)
		stream_linger(set, stream->socket.fd);
	else
		(void)close(stream->socket.fd);
	stream->socket.fd = -1;
}

void
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

/* After the handshake: the network's fault, or the other side's. */
static void
stream_broken(struct stream *stream, int ssl_error)
{
	stream_end_error(stream, ssl_error == SSL_ERROR_SYSCALL ? STREAM_END_RESET : STREAM_END_TLS,
			 ssl_error);
}

/* Passes to the kernel what it takes.  Returns SSL_ERROR_NONE when that is all. */
static int
stream_send(struct stream *stream)
{
	while (buf_len(&stream->out) > 0) {
		size_t sent = 0;

		int done;

		tls_forget_errors();
		errno = 0;
		/* at most one TLS record at a time: partial writes are on */
		tls_memory_begin(&stream->set->spares, &stream->socket);
		done = SSL_write_ex(stream->ssl, buf_front(&stream->out), buf_len(&stream->out),
				    &sent);
		tls_memory_end(&stream->set->spares);
		if (done != 1)
			return SSL_get_error(stream->ssl, 0);
		buf_consume(&stream->out, sent);
	}
	return SSL_ERROR_NONE;
}

void
stream_close(struct stream *stream)
{
	must(stream->magic == STREAM_MAGIC);
	if (stream->state == STREAM_DEAD)
		return;
	if (stream->state == STREAM_OPEN) {
		/* what the kernel takes at once; a peer that doesn't read gets no more */
		stream->lingers = stream_send(stream) == SSL_ERROR_NONE &&
				  stream->set->n_lingering < stream->set->limits.linger_max;
		ERR_clear_error();
		(void)SSL_shutdown(stream->ssl);
		ERR_clear_error();
	}
	stream_end(stream, STREAM_END_LOCAL, NULL);
}

/* ---- Writing ------------------------------------------------------------- */

bool
stream_flush(struct stream *stream)
{
	int error = stream_send(stream);

	if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
		(void)event_add(&stream->writable, NULL);
		return true;
	}
	if (error != SSL_ERROR_NONE) {
		stream_broken(stream, error);
		return false;
	}
	stream_buf_return(stream->set, &stream->out);
	if (stream->hooks->on_drained != NULL)
		stream->hooks->on_drained(stream->arg, stream);
	return stream->state != STREAM_DEAD;
}

enum rc
stream_write(struct stream *stream, const void *bytes, size_t n)
{
	must(stream->magic == STREAM_MAGIC);
	if (stream->state != STREAM_OPEN)
		return RC_AGAIN;
	stream_buf_borrow(stream->set, &stream->out);
	if (buf_append(&stream->out, bytes, n) != RC_OK)
		return RC_AGAIN;
	stream_mark_dirty(stream);
	return RC_OK;
}

void
stream_push(struct stream *stream)
{
	must(stream->magic == STREAM_MAGIC);
	if (!stream->dirty)
		return;
	stream_unmark_dirty(stream);
	(void)stream_flush(stream);
}

size_t
stream_unsent(const struct stream *stream)
{
	return buf_len(&stream->out);
}

void
stream_approach(const struct stream *stream)
{
	PREFETCH(stream);
	PREFETCH((const char *)stream + CACHE_LINE);
	PREFETCH((const char *)stream + 2 * CACHE_LINE);
}

/* The owner and OpenSSL are what the next reading or sending of it begins with. */
void
stream_bring(const struct stream *stream)
{
	PREFETCH(stream->arg);
	PREFETCH((const char *)stream->arg + CACHE_LINE);
	PREFETCH((const char *)stream->arg + 2 * CACHE_LINE);
	PREFETCH(stream->ssl);
	PREFETCH((const char *)(const void *)stream->ssl + CACHE_LINE);
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
	stream_wipe_kept(stream);
	*more = true;
	*error = SSL_ERROR_NONE;
	while (have < limit && *more) {
		size_t got = 0;
		int done;

		tls_forget_errors();
		errno = 0;
		tls_memory_begin(&set->spares, &stream->socket);
		done = SSL_read_ex(stream->ssl, set->scratch + have, limit - have, &got);
		tls_memory_end(&set->spares);
		if (done == 1) {
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
	if (have > 0)
		stream_buf_borrow(stream->set, &stream->kept);
	/* a full buffer of which nothing can be used will never get better */
	if ((used == 0 && !stream->paused && have == stream->set->limits.read_budget_bytes) ||
	    buf_append(&stream->kept, stream->set->scratch + used, have) != RC_OK) {
		stream_end(stream, STREAM_END_OVERFLOW, NULL);
		return false;
	}
	if (have == 0)
		stream_buf_return(stream->set, &stream->kept);
	return true;
}

void
stream_read(struct stream *stream)
{
	bool more;
	int error;
	size_t have = stream_fill(stream, &more, &error);
	int sys = errno;
	bool alive = stream_offer(stream, have);

	OPENSSL_cleanse(stream->set->scratch, have);
	if (!alive)
		return;
	/* the owner's hook came in between */
	errno = sys;
	if (error == SSL_ERROR_ZERO_RETURN)
		stream_end(stream, STREAM_END_PEER, NULL);
	else if (error != SSL_ERROR_NONE)
		stream_broken(stream, error);
	else if (more && !stream->paused)
		stream_mark_to_read(stream);
}

void
stream_pause(struct stream *stream)
{
	if (stream->paused || stream->state == STREAM_DEAD)
		return;
	stream->paused = true;
	/* a handshake goes on: it reads for itself */
	if (stream->state == STREAM_OPEN)
		(void)event_del(&stream->readable);
	stream_unmark_to_read(stream);
}

void
stream_resume(struct stream *stream)
{
	if (!stream->paused || stream->state == STREAM_DEAD)
		return;
	stream->paused = false;
	if (stream->state != STREAM_OPEN)
		return;
	(void)event_add(&stream->readable, NULL);
	/* what was kept, and what OpenSSL holds, will not make the socket readable */
	stream_mark_to_read(stream);
	loop_again(stream->set->loop);
}

/* ---- Whose it is, and who is there ----------------------------------------- */

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
	return stream->peer.role;
}

const char *
stream_peer_name(const struct stream *stream)
{
	return stream->peer.name;
}

bool
stream_was_resumed(const struct stream *stream)
{
	return SSL_session_reused(stream->ssl) == 1;
}

const char *
stream_peer_address(const struct stream *stream)
{
	return stream->address;
}
