/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's event loop over libevent.  The base has no locks: other threads
 * reach it by the mailbox's eventfd only.
 */
#include "base/loop.h"

#include <event2/event.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

/* So many turns may follow each other before the pace holds: what comes alone, and what
 * it brings with it, never waits. */
enum { LOOP_PACE_TURNS = 4 };

struct loop_timer {
	struct event *tick;
	void (*call)(void *arg);
	void *arg;
	struct loop_timer *next;
};

/* Owner: the thread in loop_run(); `stop` may be set by any. */
struct loop {
	struct event_base *base;
	struct event *mail_ready, *within;
	struct mailbox box;
	struct loop_hooks hooks;
	struct loop_timer *timers;
	uint64_t within_ms; /* monotonic: when `within` comes; 0: not */
	bool again;         /* work was left over: the next turn doesn't sleep */
	uint64_t pace_ns;   /* of turns; 0: none */
	uint64_t turn_ns;   /* monotonic: when the last turn began */
	uint64_t credit_ns; /* time that passed without turns; a turn costs pace_ns of it */
	atomic_bool stop;
};

static void
loop_mail_cb(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct mail *mail = mailbox_take_all(&loop->box);

	(void)fd;
	(void)what;
	while (mail != NULL) {
		struct mail *next = mail->next;

		loop->hooks.on_mail(loop->hooks.arg, mail);
		mail = next;
	}
}

/* Coming back was all that was wanted: the turn's end does the rest. */
static void
loop_within_cb(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->within_ms = 0;
}

static struct event_base *
loop_new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL)
		return NULL;
	(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

enum rc
loop_new(struct loop **out, const struct loop_hooks *hooks, struct err *err)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	enum rc rc;

	loop->hooks = *hooks;
	rc = mailbox_init(&loop->box, err);
	if (rc != RC_OK) {
		free(loop);
		return rc;
	}
	loop->base = loop_new_base();
	if (loop->base != NULL) {
		loop->mail_ready = event_new(loop->base, loop->box.fd, EV_READ | EV_PERSIST,
					     loop_mail_cb, loop);
		loop->within = event_new(loop->base, -1, 0, loop_within_cb, loop);
	}
	if (loop->within == NULL || loop->mail_ready == NULL ||
	    event_add(loop->mail_ready, NULL) != 0) {
		loop_free(&loop);
		return err_fail(err, "could not create an event loop");
	}
	*out = loop;
	return RC_OK;
}

void
loop_free(struct loop **out)
{
	struct loop *loop = *out;

	if (loop == NULL)
		return;
	*out = NULL;
	while (loop->timers != NULL) {
		struct loop_timer *timer = loop->timers;

		loop->timers = timer->next;
		event_free(timer->tick);
		free(timer);
	}
	if (loop->mail_ready != NULL)
		event_free(loop->mail_ready);
	if (loop->within != NULL)
		event_free(loop->within);
	if (loop->base != NULL)
		event_base_free(loop->base);
	mailbox_fini(&loop->box);
	free(loop);
}

static void
loop_earn(struct loop *loop)
{
	uint64_t now_ns = clock_mono_ns(), most_ns = LOOP_PACE_TURNS * loop->pace_ns;

	loop->credit_ns += now_ns - loop->turn_ns;
	if (loop->credit_ns > most_ns)
		loop->credit_ns = most_ns;
	loop->turn_ns = now_ns;
}

static void
loop_keep_pace(struct loop *loop)
{
	struct pollfd mail = {.fd = loop->box.fd, .events = POLLIN};
	struct timespec rest;
	uint64_t short_ns;

	loop_earn(loop);
	if (loop->credit_ns < loop->pace_ns && !loop->again) {
		short_ns = loop->pace_ns - loop->credit_ns;
		rest = (struct timespec){.tv_sec = (time_t)(short_ns / 1000000000),
					 .tv_nsec = (long)(short_ns % 1000000000)};
		(void)ppoll(&mail, 1, &rest, NULL);
		loop_earn(loop);
	}
	loop->credit_ns -= loop->credit_ns < loop->pace_ns ? loop->credit_ns : loop->pace_ns;
}

void
loop_set_pace(struct loop *loop, uint64_t us)
{
	loop->pace_ns = us * 1000;
	loop->turn_ns = clock_mono_ns();
	loop->credit_ns = LOOP_PACE_TURNS * loop->pace_ns;
}

void
loop_run(struct loop *loop)
{
	while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
		int flags = EVLOOP_ONCE | (loop->again ? EVLOOP_NONBLOCK : 0);

		if (loop->pace_ns > 0)
			loop_keep_pace(loop);
		loop->again = false;
		must(event_base_loop(loop->base, flags) >= 0);
		if (loop->hooks.on_turn != NULL)
			loop->hooks.on_turn(loop->hooks.arg);
	}
}

void
loop_stop(struct loop *loop)
{
	atomic_store_explicit(&loop->stop, true, memory_order_release);
	mailbox_ring(&loop->box);
}

struct mailbox *
loop_mailbox(struct loop *loop)
{
	return &loop->box;
}

void
loop_discard_mail(struct loop *loop, void (*discard)(struct mail *mail))
{
	struct mail *mail = mailbox_take_all(&loop->box);

	while (mail != NULL) {
		struct mail *next = mail->next;

		discard(mail);
		mail = next;
	}
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

void
loop_again(struct loop *loop)
{
	loop->again = true;
}

void
loop_within(struct loop *loop, uint64_t ms)
{
	const struct timeval wait = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};
	uint64_t due_ms = clock_mono_ms() + ms;

	/* one that comes sooner does as well */
	if (loop->within_ms != 0 && loop->within_ms <= due_ms)
		return;
	loop->within_ms = due_ms;
	must(event_add(loop->within, &wait) == 0);
}

static void
loop_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->call(timer->arg);
}

enum rc
loop_every(struct loop *loop, uint64_t interval_ms, void (*call)(void *arg), void *arg,
	   struct err *err)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));
	struct timeval interval = {
		.tv_sec = (time_t)(interval_ms / 1000),
		.tv_usec = (suseconds_t)(interval_ms % 1000 * 1000),
	};

	*timer = (struct loop_timer){.call = call, .arg = arg};
	timer->tick = event_new(loop->base, -1, EV_PERSIST, loop_tick_cb, timer);
	if (timer->tick == NULL || event_add(timer->tick, &interval) != 0) {
		if (timer->tick != NULL)
			event_free(timer->tick);
		free(timer);
		return err_fail(err, "could not create a timer");
	}
	timer->next = loop->timers;
	loop->timers = timer;
	return RC_OK;
}
