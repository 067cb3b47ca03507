/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint on its way to the disk: a thread of its own, so that no alarm waits
 * for it.  When it is written, the journal's hold moves up to it.
 *
 * Owner: the follower, which fills `bytes` and `position` while it isn't busy, and
 * doesn't touch them while it is.
 */
#ifndef GATEHOUSE_DAEMON_CHECKPOINTER_H
#define GATEHOUSE_DAEMON_CHECKPOINTER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/mailbox.h"
#include "daemon/checkpoint.h"

struct checkpointer {
	pthread_t thread;
	struct mailbox box;   /* rung: there is one to write, or the end */
	struct mailbox *done; /* the follower's, rung when it is written */
	struct buf bytes;
	uint64_t position; /* that `bytes` stand for */
	_Atomic bool busy; /* set by the follower, cleared by the thread */
	_Atomic bool stop;
	const char *dir; /* borrowed */
	struct journal *journal;
	unsigned hold;
};

enum rc checkpointer_start(struct checkpointer *saver, struct err *err) MUST_CHECK;
/* Ends the thread, after what it is writing. */
void checkpointer_stop(struct checkpointer *saver);

bool checkpointer_is_busy(const struct checkpointer *saver);
/* Writes `bytes`, and frees them. */
void checkpointer_begin(struct checkpointer *saver);

#endif
