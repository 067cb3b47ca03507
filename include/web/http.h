/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and replies as this program has them: JSON, problems as RFC 9457 wants
 * them, and on each reply the headers that tell a browser what it must not do.
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_HTTP_H
#define GATEHOUSE_WEB_HTTP_H

#include <jansson.h>

#include "base/base.h"

struct evhttp_request;

enum { HTTP_COOKIE_MAX = 128, HTTP_HOST_MAX = 64 };

/* __Host-: set by this host, for this host, over TLS only. */
#define HTTP_COOKIE "__Host-gatehouse"

bool http_is_get(const struct evhttp_request *request); /* or HEAD */
bool http_is_post(const struct evhttp_request *request);
/* The path without what follows it; NULL when there is none.  Borrowed. */
const char *http_path(const struct evhttp_request *request);
/* The other side's address, without the port. */
const char *http_peer_address(struct evhttp_request *request);
const char *http_header(struct evhttp_request *request, const char *name);
/* The value of our cookie; false when there is none of that length. */
bool http_cookie(struct evhttp_request *request, char out[HTTP_COOKIE_MAX]);
/* The request comes from a page of ours, as far as the browser says. */
bool http_is_same_origin(struct evhttp_request *request);
/* New: the body, which must be a JSON object.  RC_INVALID says what it is instead. */
enum rc http_body_json(struct evhttp_request *request, json_t **body, struct err *err) MUST_CHECK;

void http_set_header(struct evhttp_request *request, const char *name, const char *value);
/* The cookie for that secret; NULL takes it back. */
void http_set_cookie(struct evhttp_request *request, const char *secret);

/* Each sends the whole reply. */
void http_reply(struct evhttp_request *request, int status, const char *type, const void *bytes,
		size_t n);
/* Takes `body`. */
void http_reply_json(struct evhttp_request *request, int status, json_t *body);
/* `detail`: in words, for people. */
void http_problem(struct evhttp_request *request, int status, const char *detail);
/* The beginning of a stream of events; chunks follow. */
void http_begin_stream(struct evhttp_request *request);

#endif
