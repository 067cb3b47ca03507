/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of a test: libevent for descriptors, nothing for time.  See the header.
 *
 * Owner: the test's thread; the mailbox is for others, as ever.
 */
#include "loop_fake.h"

#include <event2/event.h>
#include <stdlib.h>

struct loop_timer {
	void (*call)(void *arg);
	void *arg;
	struct loop_timer *next;
};

struct loop {
	struct event_base *base;
	struct mailbox box;
	struct loop_hooks hooks;
	struct loop_timer *timers;
	uint64_t within_ms;
	bool again, stop;
};

static void
loop_take_mail(struct loop *loop)
{
	struct mail *mail = mailbox_take_all(&loop->box), *next;

	for (; mail != NULL; mail = next) {
		next = mail->next;
		loop->hooks.on_mail(loop->hooks.arg, mail);
	}
}

enum rc
loop_new(struct loop **out, const struct loop_hooks *hooks, struct err *err)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	enum rc rc = mailbox_init(&loop->box, err);

	must(rc == RC_OK);
	loop->hooks = *hooks;
	loop->within_ms = UINT64_MAX;
	loop->base = event_base_new();
	must(loop->base != NULL);
	*out = loop;
	return rc;
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
		free(timer);
	}
	event_base_free(loop->base);
	mailbox_fini(&loop->box);
	free(loop);
}

void
loop_fake_events(struct loop *loop, unsigned wait_ms)
{
	struct timeval wait = {.tv_usec = (suseconds_t)wait_ms * 1000};

	loop_take_mail(loop);
	if (wait_ms > 0 && !loop->again) {
		must(event_base_loopexit(loop->base, &wait) == 0);
		must(event_base_loop(loop->base, EVLOOP_ONCE) >= 0);
	} else {
		must(event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
	}
}

void
loop_fake_end_turn(struct loop *loop)
{
	loop->again = false;
	loop->within_ms = UINT64_MAX;
	if (loop->hooks.on_turn != NULL)
		loop->hooks.on_turn(loop->hooks.arg);
}

void
loop_fake_turn(struct loop *loop, unsigned wait_ms)
{
	loop_fake_events(loop, wait_ms);
	loop_fake_end_turn(loop);
}

void
loop_fake_tick(struct loop *loop)
{
	for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
		timer->call(timer->arg);
}

void
loop_run(struct loop *loop)
{
	while (!loop->stop)
		loop_fake_turn(loop, 1);
}

void
loop_stop(struct loop *loop)
{
	loop->stop = true;
}

struct mailbox *
loop_mailbox(struct loop *loop)
{
	return &loop->box;
}

void
loop_discard_mail(struct loop *loop, void (*discard)(struct mail *mail))
{
	struct mail *mail = mailbox_take_all(&loop->box), *next;

	for (; mail != NULL; mail = next) {
		next = mail->next;
		discard(mail);
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
	if (ms < loop->within_ms)
		loop->within_ms = ms;
}

uint64_t
loop_fake_within_ms(const struct loop *loop)
{
	return loop->within_ms;
}

enum rc
loop_every(struct loop *loop, uint64_t interval_ms, void (*call)(void *arg), void *arg,
	   struct err *err)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	(void)interval_ms;
	(void)err;
	*timer = (struct loop_timer){.call = call, .arg = arg, .next = loop->timers};
	loop->timers = timer;
	return RC_OK;
}
