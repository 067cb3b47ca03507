/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of TLS: what a server pays that does nothing else.  One thread, epoll,
 * SSL_read, one cumulative ack for each wake-up of a connection.  It parses nothing
 * and stores nothing: what it reads first is taken for a hello, and each TLS record
 * after that for a record.
 *
 *	tls_floor PORT CA CERTIFICATE KEY CIPHERSUITE GROUP TICKETS
 *
 * Certificates of both sides, one suite and one group, so that they are the daemon's.
 * "ready" on stdout when it listens; SIGTERM ends it.  Its CPU and its memory are read
 * from /proc, as the daemon's are.
 *
 * A wake-up ends when OpenSSL has nothing left of what it read: epoll is level
 * triggered, so there is no second read() that finds nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/base.h"
#include "wire/frame.h"

enum {
	EVENTS_MAX = 512,
	BACKLOG = 4096,
	ACK_MAX = 24,
	READ_BYTES = 16 * 1024, /* the longest TLS record */
};

struct conn {
	SSL *ssl;
	int fd;
	bool open;        /* the handshake is done */
	bool greeted;     /* the hello came */
	uint64_t records; /* read since */
};

struct args {
	const char *ca, *certificate, *key, *suite, *group;
	uint16_t port;
	size_t tickets;
};

/* ---- The contract's two answers, by hand --------------------------------------------- */

static uint8_t *
put_varint(uint8_t *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*out++ = (uint8_t)(value | 0x80);
	*out++ = (uint8_t)value;
	return out;
}

/* ToController{welcome{epoch=1, window=65536}} */
static const uint8_t welcome[] = {8, 0x0a, 6, 0x10, 1, 0x30, 0x80, 0x80, 4};

/* ToController{ack{seq}} */
static size_t
put_ack(uint8_t *out, uint64_t seq)
{
	uint8_t body[ACK_MAX], *end = body, *p;

	*end++ = 0x08;
	end = put_varint(end, seq);
	p = frame_put_header(out, (size_t)(end - body) + 2);
	*p++ = 0x12;
	*p++ = (uint8_t)(end - body);
	memcpy(p, body, (size_t)(end - body));
	return (size_t)(p - out) + (size_t)(end - body);
}

/* ---- Connections ------------------------------------------------------------------------ */

static void
conn_free(struct conn *conn)
{
	SSL_free(conn->ssl);
	(void)close(conn->fd);
	free(conn);
}

/* False: it is to end. */
static bool
conn_is_well(const struct conn *conn, int result)
{
	int error = SSL_get_error(conn->ssl, result);

	ERR_clear_error();
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* A socket whose buffer is full of acks is nobody's that this program serves. */
static bool
conn_write(const struct conn *conn, const uint8_t *bytes, size_t n)
{
	return SSL_write(conn->ssl, bytes, (int)n) == (int)n;
}

static bool
conn_answer(struct conn *conn, uint64_t messages)
{
	uint8_t ack[ACK_MAX];

	if (!conn->greeted) {
		conn->greeted = true;
		messages--;
		if (!conn_write(conn, welcome, sizeof(welcome)))
			return false;
	}
	conn->records += messages;
	return messages == 0 || conn_write(conn, ack, put_ack(ack, conn->records));
}

/* One wake-up.  False: the connection is to end. */
static bool
conn_serve(struct conn *conn, uint8_t *scratch)
{
	uint64_t messages = 0;

	if (!conn->open) {
		int done = SSL_accept(conn->ssl);

		if (done != 1)
			return conn_is_well(conn, done);
		conn->open = true;
		if (SSL_has_pending(conn->ssl) != 1)
			return true;
	}
	do {
		int n = SSL_read(conn->ssl, scratch, READ_BYTES);

		if (n <= 0 && !conn_is_well(conn, n))
			return false;
		if (n <= 0)
			break;
		messages++;
	} while (SSL_has_pending(conn->ssl) == 1);
	return messages == 0 || conn_answer(conn, messages);
}

/* ---- The server ---------------------------------------------------------------------------- */

static int
choose_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
	       unsigned int in_len, void *arg)
{
	(void)ssl;
	(void)arg;
	must(in_len > 0); /* the first that is offered */
	*out = in + 1;
	*out_len = in[0];
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
make_context(const struct args *args)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	must(ctx != NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, args->tickets);
	must(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"floor", 5) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn_cb, NULL);
	if (SSL_CTX_load_verify_file(ctx, args->ca) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, args->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, args->key, SSL_FILETYPE_PEM) != 1)
		fatal("could not load the certificates");
	if (SSL_CTX_set_ciphersuites(ctx, args->suite) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, args->group) != 1)
		fatal("could not set suite \"%s\" and group \"%s\"", args->suite, args->group);
	return ctx;
}

static int
open_listener(uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		fatal("could not listen on port %u: %s", port, strerror(errno));
	return fd;
}

static void
watch(int epoll, int fd, void *what)
{
	struct epoll_event wish = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wish) != 0)
		fatal("could not watch a socket: %s", strerror(errno));
}

static void
accept_all(SSL_CTX *ctx, int epoll, int listener)
{
	int fd, yes = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = xcalloc(1, sizeof(*conn));

		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		conn->fd = fd;
		conn->ssl = SSL_new(ctx);
		must(conn->ssl != NULL && SSL_set_fd(conn->ssl, fd) == 1);
		watch(epoll, fd, conn);
	}
}

static void
serve(SSL_CTX *ctx, int listener)
{
	struct epoll_event events[EVENTS_MAX];
	uint8_t *scratch = xcalloc(1, READ_BYTES);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	must(epoll >= 0);
	watch(epoll, listener, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			struct conn *conn = events[i].data.ptr;

			if (conn == NULL)
				accept_all(ctx, epoll, listener);
			else if (!conn_serve(conn, scratch))
				conn_free(conn);
		}
	}
}

int
main(int argc, char **argv)
{
	struct args args;

	if (argc != 8)
		fatal("expected PORT CA CERTIFICATE KEY CIPHERSUITE GROUP TICKETS");
	args = (struct args){.port = (uint16_t)strtoul(argv[1], NULL, 10),
			     .ca = argv[2],
			     .certificate = argv[3],
			     .key = argv[4],
			     .suite = argv[5],
			     .group = argv[6],
			     .tickets = strtoul(argv[7], NULL, 10)};
	(void)signal(SIGPIPE, SIG_IGN);
	SSL_CTX *ctx = make_context(&args);
	int listener = open_listener(args.port);

	(void)puts("ready");
	(void)fflush(stdout);
	serve(ctx, listener);
}
