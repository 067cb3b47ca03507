/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream without a socket and without TLS, in the place of wire/stream.c: who the
 * peer is, what it says, and what was said to it are the test's.  So a session's whole
 * conversation can be driven byte by byte.
 *
 * Owner: the test's thread.
 */
#ifndef GATEHOUSE_TESTS_FAKE_STREAM_FAKE_H
#define GATEHOUSE_TESTS_FAKE_STREAM_FAKE_H

#include "base/buf.h"
#include "wire/stream.h"

struct stream {
	enum tls_role role;
	char name[TLS_NAME_MAX + 1];
	const struct stream_hooks *hooks;
	void *arg;
	struct buf in, out; /* said by the peer and not used yet; said to it */
	bool paused, closed;
};

/* Open.  To be adopted; then its hooks are set. */
struct stream *stream_fake_new(enum tls_role role, const char *name);
/* The peer says this; what a session that reads doesn't use is offered again with what
 * follows, as far as one read's budget goes. */
void stream_fake_say(struct stream *stream, const uint8_t *bytes, size_t n);
/* Offers what waits, unless the stream is paused or closed. */
void stream_fake_offer(struct stream *stream);
/* All that was said to the peer has been sent. */
void stream_fake_drain(struct stream *stream);
/* The peer is gone, unless the stream is closed already; and so is the stream. */
void stream_fake_free(struct stream **stream);

#endif
