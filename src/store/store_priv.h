/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the store share.
 *
 *	store.c       the thread, its state, stopping
 *	session.c     one connection's life: what is checked first, then the loop
 *	commit.c      one transaction by the fast path
 *	sieve.c       the rows of a batch that a check refuses, found in one go
 *	slow.c        the same by the slow path, and finding the row that is to blame
 *	heard.c       which controllers have ever sent a record
 *	partitions.c  the coming days' partitions
 *	load.c        the register
 */
#ifndef GATEHOUSE_STORE_STORE_PRIV_H
#define GATEHOUSE_STORE_STORE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "base/log.h"
#include "batch.h"
#include "copy.h"
#include "link.h"
#include "store/store.h"

/* Refused rows are said once in so long, with how many were not. */
enum { REFUSED_LOG_MS = 10000 };

struct store {
	/* Set by store_new(), then read only. */
	struct store_conf conf;
	struct link_conf link_conf;
	char *conninfo;
	struct journal *journal;
	char journal_id[2 + 2 * JOURNAL_ID_BYTES + 1]; /* as a bytea's text: \x.. */
	struct store_hooks hooks;
	unsigned hold; /* of the journal: at `cursor` */
	struct mailbox box;

	/* Owner: who calls store_start() and store_stop(). */
	pthread_t thread;
	bool started;

	/* Any thread. */
	_Atomic uint64_t stop_at_ms; /* monotonic; UINT64_MAX: go on */
	atomic_bool reload;          /* load the register again */
	pthread_mutex_t status_lock;
	struct store_status status; /* guarded by status_lock */

	/* Owner: the store's thread. */
	struct link link;
	struct copy copy;
	struct heard heard;
	struct batch batch;
	struct batch ahead;            /* what comes behind `batch`, as far as it was read */
	struct journal_reader *reader; /* NULL: no session */
	enum store_state down_state;   /* what a failure of this session makes of the state */
	/* All before it is in PostgreSQL.  cursor <= reached, which is the furthest that
	 * we ever asked PostgreSQL to move it, UINT64_MAX before the first answer. */
	uint64_t cursor, reached;
	uint64_t gather_until_ms;  /* commit then, even when the batch isn't full */
	uint64_t partitions_at_ms; /* look again after the coming days then */
	bool expect_duplicates;    /* the last batch had some: begin with the slow path */
	bool expect_refusals;      /* the last batch had some: begin with the sieve */
	struct log_pace pace_down, pace_refused;
	struct backoff backoff; /* a session has succeeded when it stored something */
};

/* ---- store.c --------------------------------------------------------------- */

bool store_is_stopping(const struct store *store);
/* What a committed batch adds to the status. */
struct store_tally {
	uint64_t records, quarantined, duplicates;
	bool slow;
};
void store_count_batch(struct store *store, const struct store_tally *tally);
void store_count_register_load(struct store *store);
void store_set_state(struct store *store, enum store_state state, const char *reason);
/* Moves cursor, hold and status; never called before PostgreSQL has said so. */
void store_set_cursor(struct store *store, uint64_t position);

/* ---- session.c ------------------------------------------------------------- */

/* Connects, checks, finds where to go on.  On failure store_session_close() is still due. */
enum rc store_session_open(struct store *store, struct err *err) MUST_CHECK;
/* Stores until something fails, or RC_EOF: stopping, and all that is durable is stored. */
enum rc session_run(struct store *store, struct err *err) MUST_CHECK;
void store_session_close(struct store *store);
/* While a batch is being stored, for link_meanwhile: reads some of what comes behind it, so
 * that PostgreSQL, which is slower, finds the next one ready.  `arg`: the store. */
bool session_read_ahead(void *arg);

/* ---- commit.c -------------------------------------------------------------- */

/* Stores the batch in one transaction, moves the cursor, empties the batch.  On
 * failure the batch stands, and the session must end: what became of the
 * transaction is in the cursor. */
enum rc commit_batch(struct store *store, struct err *err) MUST_CHECK;
/* BEGIN, and the cursor's row moved from the batch's begin to its end. */
enum rc commit_begin(struct store *store, struct err *err) MUST_CHECK;
enum rc commit_end(struct store *store, struct err *err) MUST_CHECK;

/* ---- sieve.c --------------------------------------------------------------- */

/* Marks the records of the batch that the table's checks refuse; *marked: how many.
 * No transaction is open before and after.  RC_INVALID: it could not be told. */
enum rc sieve_batch(struct store *store, size_t *marked, struct err *err) MUST_CHECK;

/* ---- slow.c ---------------------------------------------------------------- */

/* Like the fast path, whole transaction; RC_INVALID doesn't come out of it. */
enum rc slow_commit(struct store *store, struct store_tally *tally, struct err *err) MUST_CHECK;

/* ---- partitions.c ---------------------------------------------------------- */

/* Makes what is missing from yesterday to partitions_ahead_days.  RC_FAIL only when
 * the link is lost; other failures are logged, and tried again soon. */
enum rc partitions_make(struct store *store, struct err *err) MUST_CHECK;

/* ---- load.c ---------------------------------------------------------------- */

/* Loads the register and hands it on.  One that makes no sense is logged, and the
 * one before it stays; RC_FAIL is for the link. */
enum rc load_register(struct store *store, struct err *err) MUST_CHECK;
/* Before the first batch of a session: cards and rights, once, if they are wanted. */
enum rc load_wanted_rights(struct store *store, struct err *err) MUST_CHECK;

#endif
