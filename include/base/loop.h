/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's event loop: libevent's base without locks, a mailbox as the only
 * way in for other threads, and a hook at the end of each turn, where what
 * gathered during the turn is passed on in one piece.
 *
 * Owner: the thread that runs it.  loop_stop() and the mailbox are for others.
 */
#ifndef GATEHOUSE_BASE_LOOP_H
#define GATEHOUSE_BASE_LOOP_H

#include "base/mailbox.h"

struct event_base;
struct loop;

/* `on_mail` gets each message and owns it; `on_turn` may be NULL. */
struct loop_hooks {
	void (*on_mail)(void *arg, struct mail *mail);
	void (*on_turn)(void *arg);
	void *arg;
};

enum rc loop_new(struct loop **loop, const struct loop_hooks *hooks, struct err *err) MUST_CHECK;
void loop_free(struct loop **loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
/* Any thread: the loop ends after the turn that it is in. */
void loop_stop(struct loop *loop);

/* Any thread may post to it. */
struct mailbox *loop_mailbox(struct loop *loop);

/* After loop_run(): what nobody will read any more goes to `discard`, which owns it. */
void loop_discard_mail(struct loop *loop, void (*discard)(struct mail *mail));

/* For modules that watch file descriptors of their own (streams, listeners). */
struct event_base *loop_base(struct loop *loop);

/* Run another turn at once although nothing is due: work was left over. */
void loop_again(struct loop *loop);

/* Run the next turn after so long at the latest, although nothing may be due. */
void loop_within(struct loop *loop, uint64_t ms);

/* Before loop_run(): descriptors are looked at once in so long at most, so that one waking
 * serves more than one; but for a few turns behind a quiet time, and those for work left
 * over.  Mail never waits. */
void loop_set_pace(struct loop *loop, uint64_t us);

/* A timer that calls every `interval_ms` until loop_free(). */
enum rc loop_every(struct loop *loop, uint64_t interval_ms, void (*call)(void *arg), void *arg,
		   struct err *err) MUST_CHECK;

#endif
