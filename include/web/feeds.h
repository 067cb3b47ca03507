/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages that watch: each is a reply without end, with a place in its station's
 * stream.  What came in a turn of the loop leaves at its end, in one piece per page.
 * A page that takes nothing costs no more than what is queued for it, and goes on
 * from its place when it reads again.
 *
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_FEEDS_H
#define GATEHOUSE_WEB_FEEDS_H

#include "web/sessions.h"
#include "web/upstream.h"

struct evhttp_request;
struct feeds;

struct feeds_conf {
	size_t queue_bytes;
	uint64_t keepalive_ms;
	struct sessions *sessions; /* borrowed: a feed ends with its session */
};

struct feeds *feeds_new(const struct feeds_conf *conf);
void feeds_free(struct feeds **feeds);

/* Takes the request.  `last_id` may be NULL. */
void feeds_open(struct feeds *feeds, struct evhttp_request *request, struct upstream *upstream,
		const struct session *session, const char *last_id);
/* Something came for the pages of that station. */
void feeds_news(struct feeds *feeds, const struct station *station);
/* At the end of each turn. */
void feeds_turn(struct feeds *feeds);
/* Each second: keep-alives, and sessions that have ended. */
void feeds_tick(struct feeds *feeds);
size_t feeds_count(const struct feeds *feeds);

#endif
