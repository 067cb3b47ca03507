/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS by libevent's evhttp over bufferevents of OpenSSL.
 *
 * evhttp tells nobody when a connection comes or goes; its bufferevent does: we make
 * it, and its SSL tells us by the destructor of its ex_data.  So connections are
 * counted and kept in a list, and those that never bring a whole request are found.
 *
 * Deliberately without resumption: a page keeps its connection.
 */
#include "wire/https.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/log_source.h"
#include "tls_priv.h"

enum { HTTPS_SWEEP_MS = 1000, HTTPS_GRACE_S = 5, HTTPS_PACE_MS = 10000, HTTPS_READ_SLACK = 4096 };

/* One connection, from accept to the end of its SSL. */
struct https_conn {
	struct https *https;
	struct tls *tls; /* by which it came */
	struct bufferevent *io;
	uint64_t since_ms; /* accepted, or its last request was whole */
	bool endless;      /* its reply has no end: not to be timed out */
	LIST_ENTRY(https_conn) in_all;
};

/* Owner: the loop's thread. */
struct https {
	struct loop *loop;
	struct tls *tls;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's */
	struct https_limits limits;
	void (*on_request)(struct evhttp_request *request, void *arg);
	void *arg;
	LIST_HEAD(, https_conn) conns;
	struct https_counters counters;
};

/* ---- Connections ------------------------------------------------------------- */

static void
conn_free_cb(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	struct https_conn *conn = ptr;

	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	if (conn == NULL)
		return;
	/* libevent may free a bufferevent after its server */
	if (conn->https != NULL) {
		LIST_REMOVE(conn, in_all);
		conn->https->counters.connections--;
	}
	tls_unref(&conn->tls);
	free(conn);
}

/* Of the process: OpenSSL's slots are. */
static int
conn_slot(void)
{
	static int slot = -1;

	if (slot < 0)
		slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, conn_free_cb);
	return slot;
}

/* Until the next sweep finds room. */
static void
https_pause(struct evconnlistener *listener, const char *why)
{
	uint64_t held_back;

	(void)evconnlistener_disable(listener);
	if (log_source_ok(why, strlen(why), HTTPS_PACE_MS, &held_back))
		log_warning("https", "not accepting connections for now: %s repeated=%lu", why,
			    (unsigned long)held_back);
}

/* Called by evhttp for each connection that it accepts. */
static struct bufferevent *
conn_new_cb(struct event_base *base, void *arg)
{
	struct https *https = arg;
	struct https_conn *conn = xcalloc(1, sizeof(*conn));
	SSL *ssl = SSL_new(https->tls->ctx);

	must(ssl != NULL);
	conn->https = https;
	conn->tls = tls_ref(https->tls);
	conn->since_ms = clock_mono_ms();
	LIST_INSERT_HEAD(&https->conns, conn, in_all);
	https->counters.accepted_total++;
	if (++https->counters.connections >= https->limits.connections_max)
		https_pause(https->listener, "the limit of connections is reached");
	must(SSL_set_ex_data(ssl, conn_slot(), conn) == 1);
	conn->io = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
						  BEV_OPT_CLOSE_ON_FREE);
	must(conn->io != NULL);
	/* whoever sends on while a reply is under way fills the kernel's buffers, not ours */
	bufferevent_setwatermark(conn->io, EV_READ, 0,
				 https->limits.headers_max_bytes + https->limits.body_max_bytes +
					 HTTPS_READ_SLACK);
	/* lengths and chunks say where a message ends */
	bufferevent_openssl_set_allow_dirty_shutdown(conn->io, 1);
	return conn->io;
}

static struct https_conn *
conn_of(struct evhttp_request *request)
{
	struct bufferevent *io =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));

	return SSL_get_ex_data(bufferevent_openssl_get_ssl(io), conn_slot());
}

/* Whoever sends a byte now and then, or nothing, holds a connection for no longer than
 * others; evhttp's own timer begins anew with each byte. */
static void
https_sweep(void *arg)
{
	struct https *https = arg;
	struct https_conn *conn, *next;
	uint64_t now_ms = clock_mono_ms();

	for (conn = LIST_FIRST(&https->conns); conn != NULL; conn = next) {
		next = LIST_NEXT(conn, in_all);
		if (conn->endless || now_ms - conn->since_ms < https->limits.idle_ms)
			continue;
		https->counters.timed_out_total++;
		/* the end comes by the socket: libevent may have freed this one already, and
		 * only wait to say so */
		(void)shutdown(bufferevent_getfd(conn->io), SHUT_RDWR);
	}
	if (https->counters.connections < https->limits.connections_max && https->listener != NULL)
		(void)evconnlistener_enable(https->listener);
}

/* Out of descriptors, mostly: the socket stays readable, don't spin. */
static void
https_accept_failed_cb(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	https_pause(listener, strerror(EVUTIL_SOCKET_ERROR()));
}

/* ---- Requests ---------------------------------------------------------------- */

static void
https_request_cb(struct evhttp_request *request, void *arg)
{
	struct https *https = arg;

	conn_of(request)->since_ms = clock_mono_ms();
	https->on_request(request, https->arg);
}

static void
ssl_peer(SSL *ssl, struct tls_peer *peer)
{
	*peer = (struct tls_peer){0};
	if (SSL_get0_peer_certificate(ssl) != NULL)
		tls_peer_learn(ssl, peer);
}

void
https_peer(struct evhttp_request *request, struct tls_peer *peer)
{
	ssl_peer(bufferevent_openssl_get_ssl(conn_of(request)->io), peer);
}

void
https_keep_open(struct evhttp_request *request)
{
	struct https_conn *conn = conn_of(request);

	const struct timeval stall = {
		.tv_sec = (time_t)(conn->https->limits.stall_ms / 1000),
		.tv_usec = (suseconds_t)(conn->https->limits.stall_ms % 1000 * 1000),
	};

	conn->endless = true;
	/* reading nothing is no fault of theirs; taking nothing is */
	(void)bufferevent_set_timeouts(conn->io, NULL, &stall);
	/* so that the other side's end is seen at once, not at the next write */
	(void)bufferevent_enable(conn->io, EV_READ);
}

void
https_end_open(struct evhttp_request *request)
{
	struct https_conn *conn = conn_of(request);

	conn->endless = false;
	conn->since_ms = clock_mono_ms();
}

void
https_send_chunk(struct evhttp_request *request, struct evbuffer *chunk,
		 void (*on_drained)(struct evhttp_connection *connection, void *arg), void *arg)
{
	struct evbuffer *output = bufferevent_get_output(conn_of(request)->io);
	bool idle = evbuffer_get_length(output) == 0;

	evhttp_send_reply_chunk_with_cb(request, chunk, on_drained, arg);
	/* length, chunk and end are pieces of their own by now, and libevent makes a TLS
	 * record and a system call of each */
	if (idle)
		(void)evbuffer_pullup(output, -1);
	(void)evbuffer_drain(chunk, evbuffer_get_length(chunk)); /* a connection that is gone */
}

size_t
https_unsent(struct evhttp_request *request)
{
	return evbuffer_get_length(bufferevent_get_output(conn_of(request)->io));
}

struct https_counters
https_counters(const struct https *https)
{
	return https->counters;
}

/* ---- Beginning and end ------------------------------------------------------- */

/* Browsers speak of this protocol, scripts of none. */
static int
https_choose_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		     const unsigned char *in, unsigned int in_len, void *arg)
{
	static const uint8_t ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* As for our own protocol, but that the other side may be nobody yet. */
static enum rc
https_tls_new(struct tls **tls, const struct tls_files *files, struct err *err)
{
	enum rc rc = tls_server_new(tls, files, err);
	STACK_OF(X509_NAME) * names;
	SSL_CTX *ctx;

	if (rc != RC_OK)
		return rc;
	ctx = (*tls)->ctx;
	SSL_CTX_set_alpn_select_cb(ctx, https_choose_alpn_cb, NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_verify_cb);
	/* libevent asks OpenSSL how much is there, and not what it has read ahead */
	SSL_CTX_set_read_ahead(ctx, 0);
	/* so that a browser offers ours, and bothers nobody who has none */
	names = SSL_load_client_CA_file(files->ca);
	if (names != NULL)
		SSL_CTX_set_client_CA_list(ctx, names);
	return RC_OK;
}

static void
https_end_revoked(struct https *https)
{
	struct https_conn *conn;

	LIST_FOREACH(conn, &https->conns, in_all)
	{
		struct tls_peer peer;

		ssl_peer(bufferevent_openssl_get_ssl(conn->io), &peer);
		if (tls_peer_is_revoked(https->tls, &peer))
			/* as in https_sweep() */
			(void)shutdown(bufferevent_getfd(conn->io), SHUT_RDWR);
	}
}

enum rc
https_reload(struct https *https, const struct tls_files *files, struct err *err)
{
	struct tls *tls;
	enum rc rc = https_tls_new(&tls, files, err);

	if (rc != RC_OK)
		return rc;
	tls_unref(&https->tls);
	https->tls = tls;
	https_end_revoked(https);
	return RC_OK;
}

bool
https_is_revoked(const struct https *https, const struct tls_peer *peer)
{
	return tls_peer_is_revoked(https->tls, peer);
}

int
https_days_left(const struct https *https)
{
	return tls_days_left(https->tls);
}

enum rc
https_new(struct https **out, struct loop *loop, const struct https_conf *conf, struct err *err)
{
	const struct https_limits *limits = &conf->limits;
	struct https *https = xcalloc(1, sizeof(*https));
	enum rc rc;

	*https = (struct https){
		.loop = loop, .limits = *limits, .on_request = conf->on_request, .arg = conf->arg};
	LIST_INIT(&https->conns);
	rc = https_tls_new(&https->tls, conf->files, err);
	if (rc == RC_OK)
		rc = loop_every(loop, HTTPS_SWEEP_MS, https_sweep, https, err);
	if (rc == RC_OK) {
		https->http = evhttp_new(loop_base(loop));
		if (https->http == NULL)
			rc = err_fail(err, "could not create an HTTP server");
	}
	if (rc != RC_OK) {
		https_free(&https);
		return rc;
	}
	evhttp_set_bevcb(https->http, conn_new_cb, https);
	evhttp_set_gencb(https->http, https_request_cb, https);
	evhttp_set_allowed_methods(https->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(https->http, (ev_ssize_t)limits->headers_max_bytes);
	evhttp_set_max_body_size(https->http, (ev_ssize_t)limits->body_max_bytes);
	evhttp_set_timeout(https->http, (int)(limits->idle_ms / 1000) + HTTPS_GRACE_S);
	*out = https;
	return RC_OK;
}

enum rc
https_listen(struct https *https, const char *address, uint16_t port, uint16_t *bound,
	     struct err *err)
{
	int fd;
	enum rc rc = listen_tcp(address, port, &fd, bound, err);
	int on = 1;

	if (rc != RC_OK)
		return rc;
	/* whoever is accepted has it, too: an alarm must not wait until the other side has
	 * said that it has the one before */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* backlog 0: it listens already */
	https->listener = evconnlistener_new(loop_base(https->loop), NULL, NULL,
					     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (https->listener == NULL) {
		(void)close(fd);
		return err_fail(err, "could not watch a listening socket");
	}
	if (evhttp_bind_listener(https->http, https->listener) == NULL) {
		evconnlistener_free(https->listener);
		return err_fail(err, "could not watch a listening socket");
	}
	evconnlistener_set_error_cb(https->listener, https_accept_failed_cb);
	return RC_OK;
}

void
https_free(struct https **out)
{
	struct https *https = *out;
	struct https_conn *conn;

	if (https == NULL)
		return;
	*out = NULL;
	if (https->http != NULL)
		evhttp_free(https->http);
	while ((conn = LIST_FIRST(&https->conns)) != NULL) {
		LIST_REMOVE(conn, in_all);
		conn->https = NULL;
	}
	tls_unref(&https->tls);
	free(https);
}
