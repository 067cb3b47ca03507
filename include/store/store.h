/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: turns the journal into PostgreSQL.  One thread with one libpq
 * connection follows the journal's files from the cursor that PostgreSQL itself
 * keeps; rows and cursor commit in one transaction, so that each entry is there
 * exactly once, whatever dies in between.
 *
 * FAST: binary COPY straight into `records`, alarm changes and quarantine rows
 * beside it, cursor, commit.  SLOW: the same batch through a temporary table and
 * INSERT .. ON CONFLICT DO NOTHING; a row that PostgreSQL refuses is found by
 * halving, and goes to `quarantine` with PostgreSQL's reason.
 *
 * It also loads the register, at first and whenever a NOTIFY on channel
 * "gatehouse_register" says that it changed, and makes the partitions of the
 * coming days.
 *
 * Never blocks anyone: while PostgreSQL is away it waits and tries again, after ever
 * longer pauses, and the journal keeps what is not stored.
 */
#ifndef GATEHOUSE_STORE_STORE_H
#define GATEHOUSE_STORE_STORE_H

#include "journal/journal.h"
#include "register/register.h"
#include "register/rights.h"

struct store_conf {
	const char *conninfo; /* libpq's; may name several hosts */
	uint32_t node;
	uint64_t batch_records; /* at most, in one transaction */
	uint64_t batch_bytes;   /* at most, of COPY data */
	uint64_t batch_wait_ms; /* gather for so long when little comes in */
	uint64_t connect_timeout_s;
	uint64_t statement_timeout_s; /* a server that hangs is left after this */
	/* Between sessions that stored nothing, doubled from one to the next up to the most. */
	uint64_t retry_ms, retry_max_ms;
	uint64_t partitions_ahead_days;
	/* Not NULL: cards and rights are to be loaded once, with the first session, and handed
	 * on as they are at the cursor.  Borrowed for ever. */
	const struct rights_conf *rights;
	/* Once, at the first session: store all that the journal has, whatever the cursor
	 * says.  What is there already changes nothing. */
	bool from_first;
};

enum store_state {
	STORE_CONNECTING,
	STORE_RUNNING,
	STORE_DOWN,         /* PostgreSQL does not answer, or refused: see reason */
	STORE_WRONG_SCHEMA, /* older or newer than this program: see reason */
	STORE_STOPPED,
};

struct store_status {
	enum store_state state;
	char reason[320];     /* why not RUNNING, or empty */
	uint64_t stored;      /* position: all before it is committed */
	uint64_t records;     /* committed since start */
	uint64_t quarantined; /* refused by PostgreSQL since start */
	uint64_t duplicates;  /* found to be there already since start */
	uint64_t batches, slow_batches;
	int64_t last_commit_us;
	uint64_t register_loads;
	uint64_t pause_ms; /* between the last session that failed and the one after it */
};

struct store_hooks {
	/* A new register was loaded.  Called by the store's thread; takes the reference.
	 * Must be there. */
	void (*on_register)(void *arg, struct reg *reg);
	/* The database knows more of this journal than the journal itself, which therefore
	 * lost its end; `why` is one line.  Called by the store's thread; may be NULL: then
	 * nothing is stored until it has grown back. */
	void (*on_journal_loss)(void *arg, const char *why);
	/* Cards and rights, as store_conf.rights asked: all before `position` of the journal
	 * is in them.  Called by the store's thread; takes them.  With store_conf.rights it
	 * must be there. */
	void (*on_rights)(void *arg, struct rights *rights, uint64_t position);
	void *arg;
};

struct store;

/* Creates; opens a hold on the journal at its first position.  Before journal_start(). */
enum rc store_new(struct store **store, const struct store_conf *conf, struct journal *journal,
		  const struct store_hooks *hooks, struct err *err) MUST_CHECK;
/* The box that journal_start() is to ring. */
struct mailbox *store_mailbox(struct store *store);
enum rc store_start(struct store *store, struct err *err) MUST_CHECK;
/* Any thread: load the register again soon. */
void store_reload_register(struct store *store);
/* Any thread. */
void store_get_status(struct store *store, struct store_status *status);
/* Stores what is durable, until `deadline_ms` from now passed, then ends the thread.
 * Where PostgreSQL is away it tries once more, and leaves the rest to the journal. */
void store_stop(struct store *store, uint64_t deadline_ms);
void store_free(struct store **store);

#endif
