/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that was made of the journal's entries, on its way to the disk: a thread of its own,
 * so that nobody who follows the journal waits for it.  When the file is durable, the hold
 * on the journal moves up to the position that it stands for, and not before.
 *
 * Owner: who follows the journal.  One file is under way at a time.
 */
#ifndef GATEHOUSE_JOURNAL_SAVER_H
#define GATEHOUSE_JOURNAL_SAVER_H

#include <pthread.h>

#include "base/buf.h"
#include "base/counter.h"
#include "base/crash_point.h"
#include "base/mailbox.h"
#include "journal/journal.h"

/* All borrowed. */
struct saver_conf {
	const char *room, *what; /* "follower", "checkpoint": in the log */
	const char *thread;      /* its name, of 15 bytes at most */
	const char *dir, *file;  /* what is replaced: fs_replace_file() */
	struct journal *journal;
	unsigned hold;
	struct mailbox *done;                 /* rung when one is written, or failed */
	counter *saved_us;                    /* when one was durable, wall clock; or NULL */
	enum crash_point before, saved, held; /* where a test may end the process */
};

/* Zero it to begin. */
struct saver {
	struct saver_conf conf;
	bool started;
	pthread_t thread;
	struct mailbox box; /* rung: there is one to write, or the end */
	struct buf bytes;   /* the thread's while busy */
	uint64_t position;  /* that they stand for */
	_Atomic bool busy;  /* set by the owner, cleared by the thread */
	_Atomic bool stop;
};

enum rc saver_start(struct saver *saver, const struct saver_conf *conf, struct err *err) MUST_CHECK;
/* Ends the thread, after what it is writing.  Nothing happens when it never started. */
void saver_stop(struct saver *saver);

bool saver_is_busy(const struct saver *saver);
/* Takes the bytes and writes them.  It must not be busy. */
void saver_begin(struct saver *saver, struct buf *bytes, uint64_t position);

#endif
