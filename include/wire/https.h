/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS for browsers and scripts: libevent's HTTP server over OpenSSL, with limits
 * on connections, headers, bodies and time.  TLS 1.3 only.  A client certificate is
 * asked for and may be missing; one that our authority did not sign ends the
 * handshake.
 *
 * Requests are libevent's evhttp_request; OpenSSL doesn't show through.
 *
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WIRE_HTTPS_H
#define GATEHOUSE_WIRE_HTTPS_H

#include "base/loop.h"
#include "wire/tls.h"

struct evbuffer;
struct evhttp_connection;
struct evhttp_request;
struct https;

struct https_limits {
	size_t connections_max;   /* further ones wait in the kernel's backlog */
	size_t headers_max_bytes; /* all headers of a request together */
	size_t body_max_bytes;
	/* A connection without a whole request for so long is closed, however busy. */
	uint64_t idle_ms;
	/* A reply without end that nobody takes for so long ends. */
	uint64_t stall_ms;
};

struct https_counters {
	size_t connections;
	uint64_t accepted_total, timed_out_total;
};

/* Copied, but for the files, which are read. */
struct https_conf {
	const struct tls_files *files;
	struct https_limits limits;
	/* Owns the request until it has replied. */
	void (*on_request)(struct evhttp_request *request, void *arg);
	void *arg;
};
enum rc https_new(struct https **https, struct loop *loop, const struct https_conf *conf,
		  struct err *err) MUST_CHECK;
/* Ends all connections. */
void https_free(struct https **https);

/* Port 0 lets the kernel choose; *bound says which. */
enum rc https_listen(struct https *https, const char *address, uint16_t port, uint16_t *bound,
		     struct err *err) MUST_CHECK;

/* New certificates and lists, for new connections.  Those that stand keep theirs, but for
 * those whose certificate is on a list now: they end.  On an error all stays. */
enum rc https_reload(struct https *https, const struct tls_files *files,
		     struct err *err) MUST_CHECK;
/* One of the peer's certificates is on the lists. */
bool https_is_revoked(const struct https *https, const struct tls_peer *peer);
/* Until our certificate ends; negative when it has. */
int https_days_left(const struct https *https);

/* Who is at the other end of the request's connection, by its certificate. */
void https_peer(struct evhttp_request *request, struct tls_peer *peer);

/* The request's reply is one without end: its connection does not time out any more. */
void https_keep_open(struct evhttp_request *request);
/* It has one after all, which comes now. */
void https_end_open(struct evhttp_request *request);
/* Drains the chunk into the reply; as one write when nothing is unsent.  `on_drained` comes
 * when all is with the kernel. */
void https_send_chunk(struct evhttp_request *request, struct evbuffer *chunk,
		      void (*on_drained)(struct evhttp_connection *connection, void *arg),
		      void *arg);
/* Bytes of the reply that are not with the kernel yet. */
size_t https_unsent(struct evhttp_request *request);

struct https_counters https_counters(const struct https *https);

#endif
