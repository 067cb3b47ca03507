/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams over real TLS on the loopback, both ends on one loop that the test
 * turns by hand, with a clock that stands until the test moves it; and a raw
 * OpenSSL client for what our own client would never do.
 */
#ifndef GATEHOUSE_TESTS_UNIT_WIRE_STREAM_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_WIRE_STREAM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>

#include "../support/by_hand.h"
#include "../support/loopback.h"
#include "certificates.h"
#include "wire/stream.h"

enum {
	BUDGET = 4096,
	HANDSHAKE_STEPS = 1,
	LINGER_MS = 1000,
	LINGER_MAX = 2,
	OUTPUT_LIMIT = 256 * 1024,
	HANDSHAKE_MS = 5,
	TICK_MS = 1
};
enum { SIDES_MAX = 4 };

/* ---- One end of a connection -------------------------------------------------------- */

struct side {
	struct stream *stream; /* NULL once closed */
	unsigned opened, closed, drained;
	enum stream_end end;
	struct err err;
	uint64_t received;  /* bytes used up; each was byte_of() its number */
	size_t offered;     /* by the last on_bytes */
	size_t offers;      /* calls of on_bytes */
	size_t taken_turn;  /* bytes that were new in this turn */
	size_t kept;        /* offered and not used up */
	size_t use_at_most; /* 0: all */
	uint64_t takes_ms;  /* each on_bytes */
	bool use_nothing, pause_in_bytes, close_in_bytes, close_in_open;
};

/* Byte number i of what is sent. */
static inline uint8_t
byte_of(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static inline void
side_on_open(void *arg, struct stream *stream)
{
	struct side *side = arg;

	side->stream = stream;
	side->opened++;
	assert_int_equal(side->closed, 0);
	if (side->close_in_open)
		stream_close(stream);
}

static inline size_t
side_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct side *side = arg;
	size_t use = side->use_nothing ? 0 : n;

	assert_ptr_equal(stream, side->stream);
	assert_int_equal(side->closed, 0);
	assert_true(n > 0 && n <= BUDGET);
	/* what was kept is offered again, in front */
	assert_true(n >= side->kept);
	side->taken_turn += n - side->kept;
	side->offered = n;
	side->offers++;
	now_ms += side->takes_ms;
	if (side->use_at_most > 0 && use > side->use_at_most)
		use = side->use_at_most;
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_of(side->received + i))
			fail_msg("byte %zu of the stream is wrong", (size_t)side->received + i);
	side->received += use;
	side->kept = n - use;
	if (side->pause_in_bytes)
		stream_pause(stream);
	if (side->close_in_bytes)
		stream_close(stream);
	return use;
}

static inline void
side_on_drained(void *arg, struct stream *stream)
{
	struct side *side = arg;

	assert_int_equal(stream_unsent(stream), 0);
	assert_int_equal(side->closed, 0);
	side->drained++;
}

static inline void
side_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct side *side = arg;

	assert_int_equal(++side->closed, 1);
	side->end = end;
	side->err = *err;
	side->stream = NULL;
	/* of no effect any more */
	stream_close(stream);
	assert_int_equal(stream_write(stream, "x", 1), RC_AGAIN);
}

static const struct stream_hooks side_hooks = {
	.on_open = side_on_open,
	.on_bytes = side_on_bytes,
	.on_drained = side_on_drained,
	.on_closed = side_on_closed,
};

/* ---- The loop with both ends ----------------------------------------------------------- */

struct fixture {
	const struct pki *pki;
	struct loop *loop;
	struct stream_set *set;
	struct tls *server_tls;
	int listener;
	struct sockaddr_in address;
	struct side servers[SIDES_MAX], clients[SIDES_MAX]; /* in the order of coming */
	struct stream *accepted[SIDES_MAX];                 /* before they are open */
	size_t n_servers, n_clients;
	struct err err;
};

static inline void
fixture_no_mail(void *arg, struct mail *mail)
{
	(void)arg;
	(void)mail;
	fail();
}

/* Keeps a turn from waiting for ever. */
static inline void
fixture_on_tick(void *arg)
{
	(void)arg;
}

static inline struct fixture *
fixture_new(const struct pki *pki)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct loop_hooks hooks = {.on_mail = fixture_no_mail};
	struct stream_limits limits = {.handshake_timeout_ms = HANDSHAKE_MS,
				       .handshake_steps = HANDSHAKE_STEPS,
				       .linger_ms = LINGER_MS,
				       .linger_max = LINGER_MAX,
				       .read_budget_bytes = BUDGET,
				       .output_limit_bytes = OUTPUT_LIMIT};

	(void)signal(SIGPIPE, SIG_IGN); /* as the programs do */
	f->pki = pki;
	assert_int_equal(loop_new(&f->loop, &hooks, &f->err), RC_OK);
	assert_int_equal(loop_every(f->loop, TICK_MS, fixture_on_tick, NULL, &f->err), RC_OK);
	assert_int_equal(stream_set_new(&f->set, f->loop, &limits, &f->err), RC_OK);
	if (pki_tls(pki, "ca", "server", true, &f->server_tls, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
	f->listener = loopback_listen(&f->address);
	return f;
}

static inline void
fixture_free(struct fixture *f)
{
	stream_set_free(&f->set);
	loop_free(&f->loop);
	tls_unref(&f->server_tls);
	(void)close(f->listener);
	for (size_t i = 0; i < SIDES_MAX; i++) {
		/* each that began has ended, and was told so once */
		assert_null(f->servers[i].stream);
		assert_null(f->clients[i].stream);
	}
	assert_int_equal(ERR_peek_error(), 0);
	free(f);
}

/* ---- For cmocka: certificates of all tests, and a fixture of each as its state ---------- */

static struct pki pki;

static inline int
remove_pki(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

static inline int
fixture_set_up(void **state)
{
	*state = fixture_new(&pki);
	return 0;
}

static inline int
fixture_tear_down(void **state)
{
	fixture_free(*state);
	return 0;
}

/* ---- Turning ---------------------------------------------------------------------------- */

static inline void
turn(struct fixture *f)
{
	int fd = accept(f->listener, NULL, NULL);

	if (fd >= 0) {
		assert_true(f->n_servers < SIDES_MAX);
		assert_int_equal(stream_accept(f->set, f->server_tls, fd, &side_hooks,
					       &f->servers[f->n_servers],
					       &f->accepted[f->n_servers], &f->err),
				 RC_OK);
		f->n_servers++;
	}
	for (size_t i = 0; i < SIDES_MAX; i++)
		f->servers[i].taken_turn = f->clients[i].taken_turn = 0;
	assert_true(event_base_loop(loop_base(f->loop), EVLOOP_ONCE) >= 0);
	stream_set_turn(f->set);
}

static inline struct side *
client_begin_to(struct fixture *f, const char *ca, const char *who, const struct sockaddr_in *to)
{
	struct side *side = &f->clients[f->n_clients++];
	struct tls *tls;

	if (pki_tls(f->pki, ca, who, false, &tls, &f->err) != RC_OK ||
	    stream_connect(f->set, tls, (const struct sockaddr *)to, sizeof(*to), NULL, 0,
			   &side_hooks, side, &side->stream, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
	tls_unref(&tls);
	return side;
}

static inline struct side *
client_begin(struct fixture *f, const char *who)
{
	return client_begin_to(f, "ca", who, &f->address);
}

/* A client that is open at both ends; its server side has the same index. */
static inline struct side *
client_open(struct fixture *f, const char *who)
{
	struct side *client = client_begin(f, who);

	UNTIL(f,
	      client->opened == 1 && f->n_servers > 0 && f->servers[f->n_servers - 1].opened == 1);
	assert_int_equal(f->n_servers, f->n_clients);
	return client;
}

/* Queues bytes [*written, *written + n) of the endless text. */
static inline enum rc
side_write(struct side *side, uint64_t *written, size_t n)
{
	uint8_t *bytes = xcalloc(1, n);
	enum rc rc;

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_of(*written + i);
	rc = stream_write(side->stream, bytes, n);
	free(bytes);
	if (rc == RC_OK)
		*written += n;
	return rc;
}

/* ---- A raw client ------------------------------------------------------------------------- */

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

struct raw_wish {
	const char *who;  /* NULL: no certificate */
	const char *alpn; /* in the protocol's form, with its length; NULL: none */
	int max_version;
};

static inline void
raw_begin(struct fixture *f, struct raw *raw, const struct raw_wish *wish)
{
	raw->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(raw->ctx, SSL_VERIFY_NONE, NULL);
	if (wish->max_version != 0)
		SSL_CTX_set_max_proto_version(raw->ctx, wish->max_version);
	if (wish->who != NULL) {
		char *certificate = pki_path(f->pki, wish->who, "pem"),
		     *key = pki_path(f->pki, wish->who, "key");

		assert_int_equal(SSL_CTX_use_certificate_chain_file(raw->ctx, certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(raw->ctx, key, SSL_FILETYPE_PEM), 1);
		free(certificate);
		free(key);
	}
	if (wish->alpn != NULL)
		assert_int_equal(SSL_CTX_set_alpn_protos(raw->ctx,
							 (const unsigned char *)wish->alpn,
							 (unsigned)strlen(wish->alpn)),
				 0);
	raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(raw->fd, (const struct sockaddr *)&f->address, sizeof(f->address)),
			 0);
	assert_int_equal(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
	raw->ssl = SSL_new(raw->ctx);
	assert_int_equal(SSL_set_fd(raw->ssl, raw->fd), 1);
	SSL_set_connect_state(raw->ssl);
}

/* One step of its handshake; whatever comes out is the server's to judge. */
static inline void
raw_step(struct raw *raw)
{
	(void)SSL_do_handshake(raw->ssl);
	ERR_clear_error();
}

static inline void
raw_end(struct raw *raw)
{
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->ctx);
	if (raw->fd >= 0)
		(void)close(raw->fd);
}

#endif
