/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST requests that this program sends to others, by libcurl on our loop: no thread waits
 * for an answer.  libcurl doesn't show through.
 *
 * HTTPS only, with the other side's certificate and name verified always; plain HTTP where
 * the call says so, and then to a loopback address only.  No redirect is followed, no proxy
 * and no cookie is used, and of what comes back a bounded number of bytes is read.
 *
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_CALLER_H
#define GATEHOUSE_WEB_CALLER_H

#include "base/loop.h"

struct caller;
struct calling; /* one request under way */

enum { CALL_ANSWER_MAX = 64 * 1024, CALL_HEADERS_MAX = 8 };

struct call {
	const char *url;
	bool loopback_http;  /* http:// is allowed, to this machine */
	const char *ca_file; /* PEM: who signs the other side; "" : the system's authorities */
	const char *headers[CALL_HEADERS_MAX]; /* "name: value", up to a NULL */
	const void *body;                      /* borrowed until it is over */
	size_t body_bytes;
	uint64_t timeout_ms; /* of all, from the name's look-up to the end of the answer */
	size_t answer_max;   /* bytes of the answer's body that are kept; its end is not read */
};

struct call_result {
	int status;              /* of HTTP; 0: no answer came */
	const char *why;         /* with status 0: in words */
	uint64_t retry_after_ms; /* asked for by the answer; 0: not */
	uint64_t took_ms;
	const char *answer; /* not text that anybody checked; `answer_bytes` of it */
	size_t answer_bytes;
};

enum rc caller_new(struct caller **caller, struct loop *loop, struct err *err) MUST_CHECK;
/* Ends what is under way; nobody is told. */
void caller_free(struct caller **caller);

/* `on_done` is called once, not within this call, unless it is cancelled before; the result
 * is valid within it.  Other than the body everything is copied.  NULL: out of memory. */
struct calling *caller_post(struct caller *caller, const struct call *call,
			    void (*on_done)(void *arg, const struct call_result *result),
			    void *arg);
void caller_cancel(struct calling **calling);

/* RC_INVALID: it is no https:// address with a host, or has a name and password in it, or
 * is http:// where that is not allowed. */
enum rc caller_check_url(const char *url, bool loopback_http, struct err *err) MUST_CHECK;

#endif
