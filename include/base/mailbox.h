/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from many threads to one.  The message embeds `struct mail`, so
 * posting allocates nothing.  Posting moves ownership to the receiver.  An
 * eventfd becomes readable when the box is not empty; one write wakes for many
 * messages.
 */
#ifndef GATEHOUSE_BASE_MAILBOX_H
#define GATEHOUSE_BASE_MAILBOX_H

#include <pthread.h>

#include "base/base.h"

/* First member of every message.  `kind` belongs to the receiver's protocol. */
struct mail {
	struct mail *next;
	unsigned kind;
};

/* Owner: the receiving thread.  Others only post. */
struct mailbox {
	pthread_mutex_t lock;
	struct mail *first, *last; /* guarded by lock */
	bool rung;                 /* guarded by lock: the eventfd was written */
	int fd;                    /* readable while rung */
};

enum rc mailbox_init(struct mailbox *box, struct err *err) MUST_CHECK;
/* The box must be empty. */
void mailbox_fini(struct mailbox *box);

/* Takes `mail`.  Any thread. */
void mailbox_post(struct mailbox *box, struct mail *mail);
/* The same for some that are linked by `next`, first .. last: the receiver is woken once. */
void mailbox_post_list(struct mailbox *box, struct mail *first, struct mail *last);
/* Wakes the receiver without a message: to look at a position, or to stop.  Any thread. */
void mailbox_ring(struct mailbox *box);

/* The receiver takes all, oldest first, linked by `next`; NULL when empty.  Resets the bell. */
struct mail *mailbox_take_all(struct mailbox *box);

/* The receiver sleeps until the bell rings or timeout_ms passed (-1: for ever).
 * Returns true when it rang. */
bool mailbox_wait(struct mailbox *box, int timeout_ms);

#endif
