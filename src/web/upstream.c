/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consoles of our own.  What they have to say again after a loss is the taker's: a station
 * of the pages, or a webhook.
 */
#include "web/upstream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/log_source.h"
#include "base/version.h"
#include "upstream_priv.h"
#include "web/enrolled.h"
#include "wire/frame.h"

enum {
	UPSTREAM_FIRST_RETRY_MS = 50,
	UPSTREAM_HELLO_TIMEOUT_MS = 10000,
	UPSTREAM_SILENCE = 3, /* keep-alives that may be missing */
	UPSTREAM_ARENA_BYTES = 4 * CONSOLE_NEWS_MAX,
	UPSTREAM_LOG_PACE_MS = 60000,
};

enum upstream_state {
	UPSTREAM_IDLE, /* nobody watches */
	UPSTREAM_AWAY, /* wanted, not connected: tries at retry_at_ms */
	UPSTREAM_CONNECTING,
	UPSTREAM_GREETING, /* said hello */
	UPSTREAM_READY,    /* subscribed */
};

/* Owner: the loop's thread. */
struct upstream {
	struct upstreams *all;
	struct enrolled console;
	struct station *station; /* of the pages; NULL: it is somebody else's */
	const struct upstream_taker *taker;
	void *taker_arg;
	struct console_filter filter;
	enum upstream_state state;
	struct stream *stream;
	size_t watchers;
	uint64_t unwatched_ms; /* since when nobody watches */
	uint64_t retry_at_ms, heard_ms, spoke_ms, keepalive_ms;
	unsigned failures; /* in a row */
	bool held;
	LIST_ENTRY(upstream) in_all;
};

struct upstreams {
	struct stream_set *streams;
	struct upstreams_conf conf;
	struct arena arena;
	LIST_HEAD(, upstream) list;
};

/* ---- Losing it --------------------------------------------------------------- */

static void
upstream_log(const struct upstream *upstream, const char *what, const char *why)
{
	const char *name = upstream->console.name;
	uint64_t held_back;

	if (log_source_ok(name, strlen(name), UPSTREAM_LOG_PACE_MS, &held_back))
		log_warning("upstream", "console=%s %s: %s held_back=%lu", name, what, why,
			    (unsigned long)held_back);
}

static void
upstream_plan_return(struct upstream *upstream)
{
	uint64_t wait = upstream->all->conf.retry_ms;
	uint64_t first = (uint64_t)UPSTREAM_FIRST_RETRY_MS << (upstream->failures & 15);

	if (first < wait)
		wait = first;
	if (upstream->failures < 15)
		upstream->failures++;
	/* half to once: pages of many stations must not come back in step */
	upstream->retry_at_ms = clock_mono_ms() + wait / 2 + (uint64_t)rand() % (wait / 2 + 1);
}

static void
upstream_news(struct upstream *upstream)
{
	if (upstream->station != NULL)
		upstream->all->conf.on_news(upstream->all->conf.arg, upstream->station);
	else
		upstream->taker->news(upstream->taker_arg);
}

static void
upstream_down(struct upstream *upstream)
{
	bool was_ready = upstream->state == UPSTREAM_READY;

	upstream->stream = NULL;
	upstream->state = upstream->watchers > 0 ? UPSTREAM_AWAY : UPSTREAM_IDLE;
	upstream_plan_return(upstream);
	upstream->taker->connected(upstream->taker_arg, false);
	if (was_ready) {
		log_info("upstream", "console=%s station=%s disconnected", upstream->console.name,
			 upstream->console.station);
		if (upstream->station != NULL)
			upstream->all->conf.on_lost(upstream->all->conf.arg, upstream);
		upstream_news(upstream);
	}
}

static void
upstream_closed_cb(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct upstream *upstream = arg;

	(void)stream;
	if (end != STREAM_END_LOCAL)
		upstream_log(upstream, stream_end_name(end), err->msg);
	upstream_down(upstream);
}

static void
upstream_close(struct upstream *upstream, const char *why)
{
	if (why != NULL)
		upstream_log(upstream, "closed", why);
	stream_close(upstream->stream);
}

/* ---- Talking ----------------------------------------------------------------- */

static void
upstream_say(struct upstream *upstream, const uint8_t *frame, size_t n)
{
	if (stream_write(upstream->stream, frame, n) != RC_OK)
		upstream_close(upstream, "the daemon doesn't read");
	else
		upstream->spoke_ms = clock_mono_ms();
}

void
upstream_act(struct upstream *upstream, const struct action_request *action)
{
	uint8_t out[CONSOLE_ANSWER_MAX];

	if (upstream->state == UPSTREAM_READY)
		upstream_say(upstream, out, console_say_action(out, action));
	else
		upstream->all->conf.on_lost(upstream->all->conf.arg, upstream);
}

void
upstream_show(struct upstream *upstream, const struct alarm_seen *alarms, size_t n)
{
	uint8_t out[CONSOLE_ANSWER_MAX];

	if (upstream->state == UPSTREAM_READY)
		upstream_say(upstream, out, console_say_shown(out, alarms, n));
}

static void
upstream_open_cb(void *arg, struct stream *stream)
{
	struct upstream *upstream = arg;
	uint8_t out[CONSOLE_ANSWER_MAX];

	(void)stream;
	upstream->state = UPSTREAM_GREETING;
	upstream->heard_ms = clock_mono_ms();
	upstream_say(upstream, out, console_say_hello(out, "gatehouse-web " GATEHOUSE_VERSION));
}

static void
upstream_take_welcome(struct upstream *upstream, const struct console_news *news)
{
	uint8_t out[CONSOLE_ANSWER_MAX];
	uint64_t position;

	if (upstream->state != UPSTREAM_GREETING) {
		upstream_close(upstream, "the daemon welcomes twice");
		return;
	}
	if (strcmp(news->welcome.station, upstream->console.station) != 0) {
		upstream_close(upstream, "the register has moved this console to another station");
		return;
	}
	upstream->state = UPSTREAM_READY;
	upstream->failures = 0;
	upstream->keepalive_ms = (uint64_t)news->welcome.keepalive_s * 1000;
	position = upstream->taker->welcome(upstream->taker_arg, news->welcome.node);
	upstream_say(upstream, out, console_say_subscribe(out, position, &upstream->filter));
	if (upstream->state != UPSTREAM_READY)
		return;
	upstream->taker->connected(upstream->taker_arg, true);
	log_info("upstream", "console=%s station=%s connected", upstream->console.name,
		 upstream->console.station);
}

static void
upstream_take_goaway(struct upstream *upstream, const struct console_news *news)
{
	upstream_close(upstream, news->goaway.detail[0] != '\0' ? news->goaway.detail
								: "sent away by the daemon");
	if (news->goaway.delay_ms > 0 && news->goaway.delay_ms < upstream->all->conf.retry_ms)
		upstream->retry_at_ms = clock_mono_ms() + news->goaway.delay_ms;
}

static void
upstream_take(struct upstream *upstream, const struct console_news *news)
{
	const struct upstream_taker *taker = upstream->taker;
	void *arg = upstream->taker_arg;

	switch (news->type) {
	case CONSOLE_NEWS_WELCOME:
		upstream_take_welcome(upstream, news);
		break;
	case CONSOLE_NEWS_ALARM:
		taker->alarm(arg, &news->alarm);
		break;
	case CONSOLE_NEWS_RESYNC:
		taker->resync(arg, news->resync_reason);
		break;
	case CONSOLE_NEWS_SNAPSHOT_END:
		taker->snapshot_end(arg, news->position);
		break;
	case CONSOLE_NEWS_GOAWAY:
		upstream_take_goaway(upstream, news);
		break;
	case CONSOLE_NEWS_ACTION_RESULT:
		upstream->all->conf.on_result(upstream->all->conf.arg, &news->result);
		break;
	case CONSOLE_NEWS_KEEP_ALIVE:
		taker->position(arg, news->position);
		break;
	case CONSOLE_NEWS_OTHER:
		break;
	}
}

static size_t
upstream_bytes_cb(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct upstream *upstream = arg;
	struct arena *arena = &upstream->all->arena;
	size_t done = 0;

	upstream->heard_ms = clock_mono_ms();
	/* a message may have closed the stream; what follows it is nobody's then.  Or its
	 * taker may hold it, and what follows is kept */
	while (upstream->stream == stream && !upstream->held) {
		const uint8_t *payload;
		size_t len, used;
		struct console_news news;
		struct err err;
		enum frame_result result = frame_parse(bytes + done, n - done, CONSOLE_NEWS_MAX,
						       &payload, &len, &used);

		if (result == FRAME_PARTIAL)
			break;
		if (result != FRAME_WHOLE) {
			upstream_close(upstream, "the daemon's frame is not one");
			break;
		}
		done += used;
		arena_reset(arena);
		if (console_news_decode(arena, payload, len, &news, &err) == RC_OK)
			upstream_take(upstream, &news);
		else
			upstream_close(upstream, err.msg);
	}
	if (upstream->stream == stream)
		upstream_news(upstream);
	return done;
}

static const struct stream_hooks upstream_hooks = {
	.on_open = upstream_open_cb,
	.on_bytes = upstream_bytes_cb,
	.on_closed = upstream_closed_cb,
};

/* ---- Coming and going -------------------------------------------------------- */

static void
upstream_connect(struct upstream *upstream)
{
	const struct enrolled *console = &upstream->console;
	struct err err;

	upstream->state = UPSTREAM_CONNECTING;
	upstream->heard_ms = clock_mono_ms();
	if (stream_connect(upstream->all->streams, console->tls,
			   (const struct sockaddr *)&console->address, console->address_len, NULL,
			   0, &upstream_hooks, upstream, &upstream->stream, &err) != RC_OK) {
		upstream_log(upstream, "could not connect", err.msg);
		upstream_down(upstream);
	}
}

static void
upstream_tick_ready(struct upstream *upstream, uint64_t now_ms)
{
	uint8_t out[CONSOLE_ANSWER_MAX];

	if (upstream->watchers == 0 &&
	    now_ms - upstream->unwatched_ms >= upstream->all->conf.linger_ms)
		upstream_close(upstream, NULL);
	else if (!upstream->held &&
		 now_ms - upstream->heard_ms > UPSTREAM_SILENCE * upstream->keepalive_ms)
		upstream_close(upstream, "the daemon is silent");
	else if (now_ms - upstream->spoke_ms >= upstream->keepalive_ms / 2)
		upstream_say(upstream, out, console_say_keep_alive(out, clock_wall_us()));
}

static void
upstream_tick(struct upstream *upstream, uint64_t now_ms)
{
	switch (upstream->state) {
	case UPSTREAM_IDLE:
		break;
	case UPSTREAM_AWAY:
		if (upstream->watchers == 0)
			upstream->state = UPSTREAM_IDLE;
		else if (now_ms >= upstream->retry_at_ms && !upstream->held)
			upstream_connect(upstream);
		break;
	case UPSTREAM_CONNECTING:
	case UPSTREAM_GREETING:
		if (now_ms - upstream->heard_ms > UPSTREAM_HELLO_TIMEOUT_MS)
			upstream_close(upstream, "no welcome came");
		break;
	case UPSTREAM_READY:
		upstream_tick_ready(upstream, now_ms);
		break;
	}
}

void
upstreams_tick(void *arg)
{
	struct upstreams *upstreams = arg;
	struct upstream *upstream;
	uint64_t now_ms = clock_mono_ms();

	LIST_FOREACH(upstream, &upstreams->list, in_all)
	{
		upstream_tick(upstream, now_ms);
	}
}

void
upstream_watch(struct upstream *upstream)
{
	upstream->watchers++;
	if (upstream->state == UPSTREAM_IDLE) {
		upstream->failures = 0;
		upstream_connect(upstream);
	}
}

void
upstream_unwatch(struct upstream *upstream)
{
	must(upstream->watchers > 0);
	if (--upstream->watchers == 0)
		upstream->unwatched_ms = clock_mono_ms();
}

void
upstream_hold(struct upstream *upstream, bool held)
{
	if (held == upstream->held)
		return;
	upstream->held = held;
	upstream->heard_ms = clock_mono_ms();
	if (upstream->stream == NULL)
		return;
	if (held)
		stream_pause(upstream->stream);
	else
		stream_resume(upstream->stream);
}

/* ---- All of them ------------------------------------------------------------- */

struct upstream *
upstreams_find(struct upstreams *upstreams, const char *station, enum web_right right)
{
	struct upstream *upstream, *best = NULL;

	LIST_FOREACH(upstream, &upstreams->list, in_all)
	{
		const struct enrolled *console = &upstream->console;

		if (upstream->station != NULL && strcmp(console->station, station) == 0 &&
		    console->right <= right &&
		    (best == NULL || console->right > best->console.right))
			best = upstream;
	}
	return best;
}

static bool
upstreams_have(const struct upstreams *upstreams, const char *name)
{
	const struct upstream *upstream;

	LIST_FOREACH(upstream, &upstreams->list, in_all)
	{
		if (upstream->station != NULL && strcmp(upstream->console.name, name) == 0)
			return true;
	}
	return false;
}

struct station *
upstream_station(struct upstream *upstream)
{
	return upstream->station;
}

/* Takes what `console` has. */
static struct upstream *
upstream_new(struct upstreams *all, const struct enrolled *console,
	     const struct upstream_taker *taker)
{
	struct upstream *upstream = xcalloc(1, sizeof(*upstream));

	upstream->all = all;
	upstream->console = *console;
	upstream->taker = taker;
	LIST_INSERT_HEAD(&all->list, upstream, in_all);
	return upstream;
}

struct upstream *
upstreams_join(struct upstreams *upstreams, const char *station,
	       const struct console_filter *filter, const struct upstream_taker *taker, void *arg)
{
	const struct upstream *of = upstreams_find(upstreams, station, WEB_RIGHT_DISPATCHER);
	struct upstream *upstream;
	struct enrolled console;

	if (of == NULL)
		return NULL;
	enrolled_copy(&console, &of->console);
	upstream = upstream_new(upstreams, &console, taker);
	upstream->filter = *filter;
	upstream->taker_arg = arg;
	return upstream;
}

struct load {
	struct upstreams *upstreams;
	struct err *err;
};

static enum rc
load_one(void *arg, const char *name)
{
	struct load *load = arg;
	struct upstreams *all = load->upstreams;
	struct upstream *upstream;
	struct enrolled console;
	char *dir;
	enum rc rc;

	if (name[0] == '.') /* one that is being made */
		return RC_OK;
	dir = xasprintf("%s/%s", all->conf.consoles_dir, name);
	rc = enrolled_load(&console, dir, load->err);
	free(dir);
	if (rc != RC_OK)
		return rc;
	if (upstreams_have(all, console.name)) {
		enrolled_fini(&console);
		return RC_OK;
	}
	upstream = upstream_new(all, &console, &station_taker);
	upstream->station = station_new(console.station, all->conf.history);
	upstream->taker_arg = upstream->station;
	return RC_OK;
}

enum rc
upstreams_load(struct upstreams *upstreams, struct err *err)
{
	struct load load = {.upstreams = upstreams, .err = err};

	return fs_list(upstreams->conf.consoles_dir, load_one, &load, err);
}

/* A station has a console for each right; those of others are not counted.  Consoles that
 * are ready, or all of them. */
static bool
upstream_counts(const struct upstream *upstream, bool ready)
{
	return upstream->station != NULL && (!ready || upstream->state == UPSTREAM_READY);
}

/* Whether a console before this one counted for the same station. */
static bool
upstreams_counted(const struct upstreams *upstreams, const struct upstream *this, bool ready)
{
	const struct upstream *before;

	LIST_FOREACH(before, &upstreams->list, in_all)
	{
		if (before == this)
			return false;
		if (upstream_counts(before, ready) &&
		    strcmp(before->console.station, this->console.station) == 0)
			return true;
	}
	return false;
}

static size_t
upstreams_count_stations(const struct upstreams *upstreams, bool ready)
{
	const struct upstream *upstream;
	size_t n = 0;

	LIST_FOREACH(upstream, &upstreams->list, in_all)
	{
		if (upstream_counts(upstream, ready) &&
		    !upstreams_counted(upstreams, upstream, ready))
			n++;
	}
	return n;
}

size_t
upstreams_stations(const struct upstreams *upstreams)
{
	return upstreams_count_stations(upstreams, false);
}

size_t
upstreams_stations_connected(const struct upstreams *upstreams)
{
	return upstreams_count_stations(upstreams, true);
}

struct upstreams *
upstreams_new(struct stream_set *streams, const struct upstreams_conf *conf)
{
	struct upstreams *upstreams = xcalloc(1, sizeof(*upstreams));

	upstreams->streams = streams;
	upstreams->conf = *conf;
	arena_init(&upstreams->arena, UPSTREAM_ARENA_BYTES);
	LIST_INIT(&upstreams->list);
	return upstreams;
}

static void
upstream_free(struct upstream *upstream)
{
	LIST_REMOVE(upstream, in_all);
	upstream->watchers = 0;
	if (upstream->stream != NULL)
		stream_close(upstream->stream);
	station_free(&upstream->station);
	enrolled_fini(&upstream->console);
	free(upstream);
}

void
upstream_leave(struct upstream **upstream)
{
	if (*upstream == NULL)
		return;
	must((*upstream)->station == NULL);
	upstream_free(*upstream);
	*upstream = NULL;
}

void
upstreams_free(struct upstreams **out)
{
	struct upstreams *upstreams = *out;

	if (upstreams == NULL)
		return;
	*out = NULL;
	while (!LIST_EMPTY(&upstreams->list))
		upstream_free(LIST_FIRST(&upstreams->list));
	arena_fini(&upstreams->arena);
	free(upstreams);
}
