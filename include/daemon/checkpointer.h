/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint on its way to the disk: a thread of its own, so that no alarm waits for
 * it.  When it is durable, the hold on the journal moves up to it.
 *
 * Owner: whoever makes the checkpoints; of `bytes`, while it is busy, its thread.
 */
#ifndef GATEHOUSE_DAEMON_CHECKPOINTER_H
#define GATEHOUSE_DAEMON_CHECKPOINTER_H

#include <pthread.h>

#include "base/mailbox.h"
#include "daemon/checkpoint.h"

enum { CHECKPOINT_LIMIT = 512 * 1024 * 1024 };

struct checkpointer {
	pthread_t thread;
	struct mailbox box;   /* rung: there is one to write, or the end */
	struct mailbox *done; /* the owner's, rung when it is written */
	struct buf bytes;     /* to be filled while it is not busy */
	uint64_t position;    /* that `bytes` stand for */
	_Atomic bool busy;    /* set by the owner, cleared by the thread */
	_Atomic bool stop;
	const char *dir;
	struct journal *journal;
	unsigned hold;
};

/* All but the box and the bytes is the owner's to set, before the start. */
enum rc checkpointer_init(struct checkpointer *saver, struct err *err) MUST_CHECK;
void checkpointer_fini(struct checkpointer *saver);
enum rc checkpointer_start(struct checkpointer *saver, struct err *err) MUST_CHECK;
/* When what is on its way is written. */
void checkpointer_stop(struct checkpointer *saver);
bool checkpointer_is_busy(const struct checkpointer *saver);
/* It must not be busy. */
void checkpointer_write(struct checkpointer *saver);

#endif
