/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the daemon: for each station a console of our own for dispatchers, and one
 * for supervisors, as gatehousectl enrols them, connected while somebody with that right
 * watches the station.  So what somebody may do is the daemon's to decide, and not ours.
 *
 * A connection that is lost comes back by itself, and goes on where it was.
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_UPSTREAM_H
#define GATEHOUSE_WEB_UPSTREAM_H

#include "wire/stream.h"

#include "web/sessions.h"
#include "web/station.h"

struct upstreams;
struct upstream;

struct upstreams_conf {
	const char *consoles_dir;
	uint64_t linger_ms, retry_ms;
	size_t history;
	/* Something came for the pages of that station. */
	void (*on_news)(void *arg, struct station *station);
	/* An action's answer; and that for those under way none will come. */
	void (*on_result)(void *arg, const struct action_result *result);
	void (*on_lost)(void *arg, const struct upstream *upstream);
	void *arg;
};

/* Who is told what comes; within these calls a taker may hold it, and must not free it. */
struct upstream_taker {
	/* Where to go on behind in the stream of that node; 0: with all that stands. */
	uint64_t (*welcome)(void *arg, uint32_t node);
	void (*connected)(void *arg, bool connected);
	void (*alarm)(void *arg, const struct console_alarm *alarm);
	/* What follows, up to the end, is all that stands. */
	void (*resync)(void *arg, const char *reason);
	void (*snapshot_end)(void *arg, uint64_t position);
	/* All up to here has come. */
	void (*position)(void *arg, uint64_t position);
	/* All that there is for now was told. */
	void (*news)(void *arg);
};

/* `streams` is borrowed, and must be turned by its owner. */
struct upstreams *upstreams_new(struct stream_set *streams, const struct upstreams_conf *conf);
void upstreams_free(struct upstreams **upstreams);

/* Reads the folder; stations that are there already stay as they are.  RC_INVALID
 * names the file and what is wrong; what was read until then stays. */
enum rc upstreams_load(struct upstreams *upstreams, struct err *err) MUST_CHECK;
/* How many stations there is a console for; and how many have a connection, whatever the
 * right. */
size_t upstreams_stations(const struct upstreams *upstreams);
size_t upstreams_stations_connected(const struct upstreams *upstreams);

/* The console of ours for that station with that right, or a smaller one where there is
 * no other; NULL when none is enrolled for it. */
struct upstream *upstreams_find(struct upstreams *upstreams, const char *station,
				enum web_right right);
struct station *upstream_station(struct upstream *upstream);
/* A further connection of the same console as dispatchers have, for this taker alone; NULL
 * when none is enrolled.  Not counted, and not found, with those of the pages. */
struct upstream *upstreams_join(struct upstreams *upstreams, const char *station,
				const struct console_filter *filter,
				const struct upstream_taker *taker, void *arg);
/* Ends one that was joined; its taker is told nothing more after this. */
void upstream_leave(struct upstream **upstream);
/* Nothing more is taken until it is let go: TCP pushes back, and the daemon may end the
 * connection, which then waits, too. */
void upstream_hold(struct upstream *upstream, bool held);
/* One watches more, or one less. */
void upstream_watch(struct upstream *upstream);
void upstream_unwatch(struct upstream *upstream);

/* While its station is connected; otherwise it is as if it were lost on the way. */
void upstream_act(struct upstream *upstream, const struct action_request *action);
void upstream_show(struct upstream *upstream, const struct alarm_seen *alarms, size_t n);

/* Several times a second: connects, keeps alive, gives up. */
void upstreams_tick(void *upstreams);

#endif
