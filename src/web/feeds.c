/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events over evhttp's chunks. */
#include "web/feeds.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "web/cloudevent.h"
#include "web/http.h"
#include "wire/https.h"

/* Owner: the loop's thread. */
struct feed {
	struct feeds *feeds;
	struct evhttp_request *request;
	struct upstream *upstream;
	struct station_place place;
	char secret[SECRET_TEXT + 1]; /* of its session */
	uint64_t said_ms;
	bool waits; /* something may be there for it */
	LIST_ENTRY(feed) in_all;
};

struct feeds {
	struct feeds_conf conf;
	struct evbuffer *chunk; /* of the page that is served now; empty in between */
	LIST_HEAD(, feed) list;
	size_t n;
	bool any_waits;
};

struct feeds *
feeds_new(const struct feeds_conf *conf)
{
	struct feeds *feeds = xcalloc(1, sizeof(*feeds));

	feeds->conf = *conf;
	feeds->chunk = evbuffer_new();
	must(feeds->chunk != NULL);
	LIST_INIT(&feeds->list);
	return feeds;
}

static void
feed_forget(struct feed *feed)
{
	LIST_REMOVE(feed, in_all);
	feed->feeds->n--;
	upstream_unwatch(feed->upstream);
	station_leave(&feed->place);
	explicit_bzero(feed->secret, sizeof(feed->secret));
	free(feed);
}

/* The connection is gone, and the request with it. */
static void
feed_closed_cb(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	feed_forget(arg);
}

/* In order: the rest of the stream has an end, which a page takes for a sign-out. */
static void
feed_end(struct feed *feed)
{
	struct evhttp_request *request = feed->request;

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	feed_forget(feed);
	https_end_open(request);
	evhttp_send_reply_end(request);
}

/* ---- Sending ----------------------------------------------------------------- */

static void
feed_mark(struct feed *feed)
{
	feed->waits = true;
	feed->feeds->any_waits = true;
}

/* All that was sent is with the kernel: there is room for what is left. */
static void
feed_drained_cb(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	feed_mark(arg);
}

static void
feed_send_chunk(struct feed *feed)
{
	feed->said_ms = clock_mono_ms();
	https_send_chunk(feed->request, feed->feeds->chunk, feed_drained_cb, feed);
}

static void
feed_put(void *arg, const char *text, size_t n)
{
	must(evbuffer_add(arg, text, n) == 0);
}

static void
feed_pump(struct feed *feed)
{
	size_t unsent = https_unsent(feed->request), queue = feed->feeds->conf.queue_bytes;

	feed->waits = false;
	if (unsent >= queue)
		return; /* drained_cb marks it again */
	if (station_pull(upstream_station(feed->upstream), &feed->place, queue - unsent, feed_put,
			 feed->feeds->chunk) > 0)
		feed_send_chunk(feed);
}

void
feeds_turn(struct feeds *feeds)
{
	struct feed *feed, *next;

	if (!feeds->any_waits)
		return;
	feeds->any_waits = false;
	for (feed = LIST_FIRST(&feeds->list); feed != NULL; feed = next) {
		next = LIST_NEXT(feed, in_all);
		if (feed->waits)
			feed_pump(feed);
	}
}

void
feeds_news(struct feeds *feeds, const struct station *station)
{
	struct feed *feed;

	LIST_FOREACH(feed, &feeds->list, in_all)
	{
		if (upstream_station(feed->upstream) == station)
			feed_mark(feed);
	}
}

/* ---- Time -------------------------------------------------------------------- */

/* An event of its own, so that a page can tell silence from a dead connection; and it
 * says how far the daemon's stream has come. */
static void
feed_keep_alive(struct feed *feed)
{
	const struct station *station = upstream_station(feed->upstream);
	json_t *data = json_pack("{s:I}", "position", (json_int_t)station_end(station));
	const struct cloudevent event = {
		.name = "keepalive",
		.node = station_node(station),
		.subject = station_code(station),
		.time_us = clock_wall_us(),
		.data = data,
	};
	size_t n;
	char *text = event_frame(&event, &n);

	must(evbuffer_add(feed->feeds->chunk, text, n) == 0);
	free(text);
	json_decref(data);
	feed_send_chunk(feed);
}

void
feeds_tick(struct feeds *feeds)
{
	struct feed *feed, *next;
	uint64_t now_ms = clock_mono_ms();

	for (feed = LIST_FIRST(&feeds->list); feed != NULL; feed = next) {
		next = LIST_NEXT(feed, in_all);
		/* a page that is open uses its session */
		if (sessions_find(feeds->conf.sessions, feed->secret, now_ms) == NULL)
			feed_end(feed);
		else if (now_ms - feed->said_ms >= feeds->conf.keepalive_ms &&
			 https_unsent(feed->request) == 0)
			feed_keep_alive(feed);
	}
}

/* ---- Beginning and end ------------------------------------------------------- */

void
feeds_open(struct feeds *feeds, struct evhttp_request *request, struct upstream *upstream,
	   const struct session *session, const char *last_id)
{
	struct feed *feed = xcalloc(1, sizeof(*feed));

	*feed = (struct feed){.feeds = feeds, .request = request, .upstream = upstream};
	memcpy(feed->secret, session->secret, sizeof(feed->secret));
	LIST_INSERT_HEAD(&feeds->list, feed, in_all);
	feeds->n++;
	upstream_watch(upstream);
	station_join(upstream_station(upstream), &feed->place, last_id);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), feed_closed_cb, feed);
	https_keep_open(request);
	http_begin_stream(request);
	feed_keep_alive(feed);
	feed_mark(feed);
}

size_t
feeds_count(const struct feeds *feeds)
{
	return feeds->n;
}

void
feeds_free(struct feeds **out)
{
	struct feeds *feeds = *out;

	if (feeds == NULL)
		return;
	*out = NULL;
	while (!LIST_EMPTY(&feeds->list))
		feed_end(LIST_FIRST(&feeds->list));
	evbuffer_free(feeds->chunk);
	free(feeds);
}
