/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page as cheaply as it can be played.  The time of an event is taken behind the read
 * that brought its end, before anything is looked at.
 *
 * Deliberately does not check who the server is, and takes for granted how our server
 * writes JSON: a key and its value without a blank between them.
 */
#include "page_client.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { REQUEST_MAX = 8 * 1024, BODY_MAX = 6 * 1024, TIME_TEXT = 27 };

/* ---- TLS ------------------------------------------------------------------------------ */

SSL_CTX *
pages_context_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx != NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static void
link_watch(struct page_link *link, int how, uint32_t events)
{
	struct epoll_event wish = {.events = events, .data.ptr = link};

	if (epoll_ctl(link->page->all->epoll, how, link->fd, &wish) != 0)
		fatal("could not watch a socket: %s", strerror(errno));
}

static void
link_begin(struct page_link *link, struct page *page)
{
	const struct pages *all = page->all;
	int yes = 1;

	link->page = page;
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		fatal("could not make a socket: %s", strerror(errno));
	(void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	link->ssl = SSL_new(all->ctx);
	must(link->ssl != NULL && SSL_set_fd(link->ssl, link->fd) == 1);
	SSL_set_connect_state(link->ssl);
	link_watch(link, EPOLL_CTL_ADD, EPOLLOUT);
	if (connect(link->fd, (const struct sockaddr *)&all->address, sizeof(all->address)) != 0 &&
	    errno != EINPROGRESS)
		fatal("could not connect: %s", strerror(errno));
}

/* A request is far below what a socket takes. */
static void PRINTF_LIKE(2, 3) link_say(struct page_link *link, const char *fmt, ...)
{
	char request[REQUEST_MAX];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(request, sizeof(request), fmt, args);
	va_end(args);
	must(n > 0 && (size_t)n < sizeof(request));
	if (SSL_write(link->ssl, request, n) != n)
		fatal("the server takes no request");
}

/* ---- What is asked ---------------------------------------------------------------------- */

static void
page_post(struct page *page, const char *path, const char *body)
{
	const struct pages *all = page->all;

	page->asking = true;
	link_say(&page->ask,
		 "POST /api/v1/%s HTTP/1.1\r\nHost: %s\r\nOrigin: https://%s\r\n"
		 "Cookie: %s\r\nX-Gatehouse-Token: %s\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 path, all->host, all->host, page->cookie, page->token, strlen(body), body);
}

static void
page_sign_in(struct page *page)
{
	char body[128];

	(void)snprintf(body, sizeof(body), "{\"secret\":\"%s\"}", page->secret);
	page_post(page, "session/link", body);
}

static void
page_open_stream(struct page *page)
{
	link_say(&page->stream,
		 "GET /api/v1/stream HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n"
		 "Cookie: %s\r\n\r\n",
		 page->all->host, page->cookie);
}

static void
page_say_shown(struct page *page)
{
	char body[BODY_MAX];
	size_t n = 0;

	for (size_t i = 0; i < page->n_to_show; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n,
				      "%s{\"alarm_id\":\"%" PRIu64 "\",\"change\":%u}",
				      i == 0 ? "{\"alarms\":[" : ",", page->to_show[i].alarm_id,
				      page->to_show[i].change);
	must(n + 3 < sizeof(body));
	(void)snprintf(body + n, sizeof(body) - n, "]}");
	page->n_to_show = 0;
	page->show_at_ms = 0;
	page->all->shown++;
	page_post(page, "alarms/shown", body);
}

void
page_tick(struct page *page, uint64_t now_ms)
{
	if (page->show_at_ms != 0 && now_ms >= page->show_at_ms && !page->asking)
		page_say_shown(page);
}

/* ---- Replies ---------------------------------------------------------------------------- */

/* The text between `before` and `behind`. */
static void
copy_between(const char *text, const char *before, const char *behind, char *out, size_t room)
{
	const char *from = strstr(text, before), *to;

	if (from == NULL)
		fatal("no %s in a reply", before);
	from += strlen(before);
	to = strpbrk(from, behind);
	if (to == NULL || (size_t)(to - from) >= room)
		fatal("no end of %s in a reply", before);
	memcpy(out, from, (size_t)(to - from));
	out[to - from] = '\0';
}

static void
page_take_session(struct page *page, const char *reply)
{
	copy_between(reply, "Set-Cookie: ", ";\r", page->cookie, sizeof(page->cookie));
	copy_between(reply, "\"csrf_token\":\"", "\"", page->token, sizeof(page->token));
	link_begin(&page->stream, page);
}

/* Length of the header with its empty line; 0: not whole.  Another status than 2xx ends us. */
static size_t
header_length(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n");

	if (end == NULL)
		return 0;
	if (strncmp(text, "HTTP/1.1 2", 10) != 0)
		fatal("the server refuses: %.300s", text);
	return (size_t)(end - text) + 4;
}

static void
page_take_reply(struct page *page)
{
	struct page_link *link = &page->ask;
	size_t header = header_length(link->in);
	const char *length = strstr(link->in, "Content-Length: ");

	if (header == 0)
		return;
	if (length != NULL && length < link->in + header)
		header += strtoul(length + strlen("Content-Length: "), NULL, 10);
	if (link->kept < header)
		return;
	page->asking = false;
	if (page->cookie[0] == '\0')
		page_take_session(page, link->in);
	must(link->kept == header); /* nothing was asked meanwhile */
	link->kept = 0;
}

/* ---- Events ------------------------------------------------------------------------------ */

/* The number behind the key; 0: there is none. */
static uint64_t
number_of(const char *event, const char *key)
{
	const char *at = strstr(event, key);

	return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

/* YYYY-MM-DDTHH:MM:SS.uuuuuuZ behind the key. */
static int64_t
time_of(const char *event, const char *key)
{
	const char *at = strstr(event, key);
	struct tm tm = {0};
	const char *rest;

	if (at == NULL || strnlen(at + strlen(key), TIME_TEXT) < TIME_TEXT)
		fatal("no %s in an event", key);
	rest = strptime(at + strlen(key), "%Y-%m-%dT%H:%M:%S.", &tm);
	if (rest == NULL)
		fatal("%s of an event is no time", key);
	return (int64_t)timegm(&tm) * 1000000 + strtol(rest, NULL, 10);
}

/* The first page that has it reads it for all. */
static void
pages_learn(struct pages *all, uint64_t position, const char *event)
{
	/* a person's doing, or the server's: not to be timed from a record */
	bool by_record = strstr(event, "\"verb\":null") != NULL &&
			 strstr(event, "\"device_time\":null") == NULL;

	if (all->n_changes == all->capacity) {
		all->capacity = all->capacity > 0 ? all->capacity * 2 : 1024;
		all->changes = xrealloc(all->changes, all->capacity * sizeof(*all->changes));
	}
	all->changes[all->n_changes++] = (struct page_change){
		.alarm_id = number_of(event, "\"alarm_id\":\""),
		.position = position,
		.change = (uint32_t)number_of(event, "\"change\":"),
		.waits = strstr(event, "\"state\":\"unacknowledged\"") != NULL,
		.device_us = by_record ? time_of(event, "\"device_time\":\"") : 0,
		.durable_us = by_record ? time_of(event, "\"durable_time\":\"") : 0,
	};
}

static void
page_will_show(struct page *page, const struct page_change *change, uint64_t now_ms)
{
	const struct pages *all = page->all;

	if (all->show_after_ms == 0 || page->n_to_show == PAGE_TO_SHOW_MAX)
		return;
	page->to_show[page->n_to_show].alarm_id = change->alarm_id;
	page->to_show[page->n_to_show++].change = change->change;
	if (page->show_at_ms == 0)
		page->show_at_ms = now_ms + all->show_after_ms;
}

static uint64_t
ns_between(int64_t from_us, int64_t to_us)
{
	return to_us > from_us ? (uint64_t)(to_us - from_us) * 1000 : 0;
}

static void
page_take_change(struct page *page, const char *event, int64_t now_us)
{
	struct pages *all = page->all;
	uint64_t position = number_of(event, "\"position\":");
	struct page_change *change;

	if (page->seen == all->n_changes)
		pages_learn(all, position, event);
	change = &all->changes[page->seen++];
	if (change->position != position) {
		all->wrong++;
		return;
	}
	change->last_us = now_us;
	if (change->device_us == 0)
		return;
	latency_add(&all->since_sent, ns_between(change->device_us, now_us));
	latency_add(&all->since_durable, ns_between(change->durable_us, now_us));
	if (change->waits)
		page_will_show(page, change, clock_mono_ms());
}

/* Only changes have an id: alarms of a snapshot don't. */
static void
page_take_event(struct page *page, const char *event, int64_t now_us)
{
	struct pages *all = page->all;

	if (strncmp(event, "id: ", 4) == 0 && strstr(event, "\nevent: alarm\n") != NULL) {
		page_take_change(page, event, now_us);
	} else if (strstr(event, "event: snapshot_end\n") != NULL) {
		all->ready += !page->ready;
		page->ready = true;
	} else if (strncmp(event, "event: resync\n", 14) == 0 && page->ready) {
		all->resyncs++;
	}
}

static void
page_take_text(struct page *page, const char *bytes, size_t n, int64_t now_us)
{
	char *from = page->text, *end;

	if (page->n_text + n >= sizeof(page->text))
		fatal("an event has more than %zu bytes", sizeof(page->text));
	memcpy(page->text + page->n_text, bytes, n);
	page->n_text += n;
	page->text[page->n_text] = '\0';
	while ((end = strstr(from, "\n\n")) != NULL) {
		end[1] = '\0';
		page_take_event(page, from, now_us);
		from = end + 2;
	}
	page->n_text -= (size_t)(from - page->text);
	memmove(page->text, from, page->n_text);
}

/* Bytes of the next piece of the body, which begins at *at; 0: no whole one is left. */
static size_t
page_next_piece(struct page *page, const char **at, const char *end)
{
	size_t n;

	while (page->left == 0) {
		const char *line_end = strstr(*at, "\r\n");

		if (line_end == NULL)
			return 0;
		/* empty behind a chunk, then the length of the next */
		if (line_end > *at)
			page->left = strtoul(*at, NULL, 16);
		if (line_end > *at && page->left == 0)
			fatal("the server ended a stream");
		*at = line_end + 2;
	}
	n = (size_t)(end - *at) < page->left ? (size_t)(end - *at) : page->left;
	page->left -= n;
	return n;
}

static void
page_take_body(struct page *page, int64_t now_us)
{
	struct page_link *link = &page->stream;
	const char *at = link->in, *end = link->in + link->kept;
	size_t n;

	if (!page->streaming) {
		size_t header = header_length(link->in);

		page->streaming = header > 0;
		at += header;
	}
	while (page->streaming && (n = page_next_piece(page, &at, end)) > 0) {
		page_take_text(page, at, n, now_us);
		at += n;
	}
	link->kept = (size_t)(end - at);
	memmove(link->in, at, link->kept);
}

/* ---- Wake-ups ---------------------------------------------------------------------------- */

/* False: there is nothing more. */
static bool
link_read(struct page_link *link)
{
	struct page *page = link->page;
	size_t room = sizeof(link->in) - 1 - link->kept;
	int64_t now_us;
	int n;

	must(room > 0);
	n = SSL_read(link->ssl, link->in + link->kept, (int)room);
	now_us = clock_wall_us();
	if (n <= 0 && SSL_get_error(link->ssl, n) == SSL_ERROR_WANT_READ)
		return false;
	if (n <= 0)
		fatal("the server closed a page's connection");
	link->kept += (size_t)n;
	link->in[link->kept] = '\0';
	if (link == &page->ask)
		page_take_reply(page);
	else
		page_take_body(page, now_us);
	return SSL_has_pending(link->ssl) == 1;
}

static void
link_shake(struct page_link *link)
{
	int done = SSL_connect(link->ssl), error = SSL_get_error(link->ssl, done);

	if (done != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		fatal("no handshake: %s", ERR_reason_error_string(ERR_get_error()));
	if (done != 1 && error == SSL_ERROR_WANT_WRITE)
		return;
	link_watch(link, EPOLL_CTL_MOD, EPOLLIN);
	if (done != 1)
		return;
	link->open = true;
	if (link == &link->page->ask)
		page_sign_in(link->page);
	else
		page_open_stream(link->page);
}

void
page_link_wake(struct page_link *link)
{
	bool more = true;

	if (!link->open) {
		link_shake(link);
		return;
	}
	while (more)
		more = link_read(link);
}

/* ---- Beginning and end --------------------------------------------------------------------- */

void
page_begin(struct page *page, struct pages *all, const char *secret)
{
	page->all = all;
	page->secret = secret;
	page->ask.fd = page->stream.fd = -1;
	link_begin(&page->ask, page);
}

static void
link_end(struct page_link *link)
{
	SSL_free(link->ssl);
	if (link->fd >= 0)
		(void)close(link->fd);
}

void
page_end(struct page *page)
{
	link_end(&page->ask);
	link_end(&page->stream);
}
