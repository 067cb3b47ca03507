/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stream begins: the socket, the handshake, and who is at the other end.
 * Whatever goes wrong here ends the stream with the reason by which people will
 * look for the mistake: the certificate, the protocol, the address.
 *
 * Owner: the loop's thread.  What it deliberately does not do: know which names
 * are welcome; that is the register's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream_priv.h"

/* ---- Handshake ----------------------------------------------------------- */

/* What the first use of a client's socket says when nobody was reached. */
static bool
stream_not_connected(const struct stream *stream, int ssl_error, int sys)
{
	return !stream->tls->server && ssl_error == SSL_ERROR_SYSCALL &&
	       (sys == ECONNREFUSED || sys == ETIMEDOUT || sys == EHOSTUNREACH ||
		sys == ENETUNREACH);
}

static void
stream_handshake_failed(struct stream *stream, int error)
{
	int sys = errno;
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
	} else if (stream_not_connected(stream, error, sys)) {
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

/* A connection may stand for longer than its session is good for. */
static void
stream_plan_renewal(struct stream *stream)
{
	const struct tls_sessions *sessions = stream->tls->sessions;

	if (sessions != NULL)
		stream->session_due_ms =
			clock_mono_ms() + (uint64_t)tls_sessions_lifetime_s(sessions) * 500;
}

void
stream_renew_session(struct stream *stream)
{
	TAILQ_REMOVE(stream_list_of(stream), stream, in_all);
	stream_plan_renewal(stream);
	TAILQ_INSERT_TAIL(stream_list_of(stream), stream, in_all);
	/* what the kernel doesn't take now, the next read or write passes on; a
	 * connection that is broken says so then, too */
	if (buf_len(&stream->out) == 0 && SSL_new_session_ticket(stream->ssl) == 1)
		(void)SSL_do_handshake(stream->ssl);
	ERR_clear_error();
}

static void
stream_opened(struct stream *stream)
{
	/* a client that offers no ALPN at all passes the handshake */
	if (!stream_has_alpn(stream)) {
		stream_end(stream, STREAM_END_WRONG_ALPN, NULL);
		return;
	}
	tls_peer_learn(stream->ssl, &stream->peer);
	if (stream->tls->server)
		tls_peer_shed(stream->ssl);
	TAILQ_REMOVE(stream_list_of(stream), stream, in_all);
	stream->state = STREAM_OPEN;
	stream_plan_renewal(stream);
	TAILQ_INSERT_TAIL(stream_list_of(stream), stream, in_all);
	if (!stream->paused)
		(void)event_add(&stream->readable, NULL);
	stream->hooks->on_open(stream->arg, stream);
	/* the client's first bytes may have come with the end of the handshake */
	if (stream->state == STREAM_OPEN && !stream->paused)
		stream_mark_to_read(stream);
}

void
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
	else if (error == SSL_ERROR_WANT_READ)
		(void)event_add(&stream->readable, NULL);
	else
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
		stream_mark_ready(stream);
	else if (stream->state == STREAM_OPEN)
		stream_mark_to_read(stream);
}

/* One event serves all: connecting ends, the handshake wants to write, or we do. */
static void
stream_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	must(stream->magic == STREAM_MAGIC);
	if (stream->state == STREAM_HANDSHAKE)
		stream_mark_ready(stream);
	else if (stream->state == STREAM_OPEN)
		(void)stream_flush(stream);
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
	BIO *bio;

	if (stream == NULL)
		return NULL;
	stream->socket.fd = fd;
	stream->ssl = SSL_new(tls->ctx);
	bio = tls_socket_bio(tls->socket, &stream->socket);
	if (stream->ssl == NULL || bio == NULL) {
		SSL_free(stream->ssl);
		BIO_free(bio);
		free(stream);
		return NULL;
	}
	SSL_set_bio(stream->ssl, bio, bio); /* it owns it */
	if (tls->server)
		SSL_set_accept_state(stream->ssl);
	else
		SSL_set_connect_state(stream->ssl);
	tls_offer_session(tls, stream->ssl);
	stream->magic = STREAM_MAGIC;
	stream->set = set;
	stream->tls = tls_ref(tls);
	stream->hooks = hooks;
	stream->arg = arg;
	stream->deadline_ms = clock_mono_ms() + set->limits.handshake_timeout_ms;
	buf_init(&stream->kept, set->limits.read_budget_bytes);
	buf_init(&stream->out, set->limits.output_limit_bytes);
	(void)event_assign(&stream->readable, loop_base(set->loop), fd, EV_READ | EV_PERSIST,
			   stream_readable_cb, stream);
	(void)event_assign(&stream->writable, loop_base(set->loop), fd, EV_WRITE,
			   stream_writable_cb, stream);
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
