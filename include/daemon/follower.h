/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The follower: reads the journal as it becomes durable, and hands each entry to
 * those whose state is a consequence of it: the controllers' positions and the
 * alarm desk.  It is the desk's thread: what changed goes to the consoles at once,
 * and into the journal for the store.  What only following shows (findings) goes into
 * the journal as records of the server's own.
 *
 * At start it replays from the checkpoint, before any thread exists.
 */
#ifndef GATEHOUSE_DAEMON_FOLLOWER_H
#define GATEHOUSE_DAEMON_FOLLOWER_H

#include "daemon/findings.h"
#include "desk/actions.h"
#include "desk/hub.h"
#include "fleet/positions.h"
#include "journal/journal.h"

struct follower_conf {
	const char *state_dir;
	struct desk_conf desk;
	struct actions_conf actions;
	size_t credit_bytes; /* of a console */
	uint64_t checkpoint_ms;
	uint32_t node;
	struct findings_conf findings;
};

enum {
	FOLLOWER_MAIL_REGISTER = 320, /* struct worker_register */
	FOLLOWER_MAIL_GROUP,
	FOLLOWER_MAIL_STOP, /* struct mail: go to the end of what is durable, save, end */
};

struct follower_counters {
	counter changes;     /* of alarms */
	counter alarms_open; /* now */
	counter position;    /* next entry to read */
	counter entries;
	counter ticks;
};

struct follower;

/* Opens a hold on the journal, loads the checkpoint, replays.  `replayed` says how
 * many entries.  RC_INVALID: the journal is damaged where it was durable. */
enum rc follower_new(struct follower **follower, const struct follower_conf *conf,
		     struct journal *journal, uint64_t *replayed, struct err *err) MUST_CHECK;
/* What the journal knew when follower_new() returned; until follower_start(). */
const struct positions *follower_positions(const struct follower *follower);
/* For journal_start() to ring, for registers, and for the hub's messages. */
struct mailbox *follower_mailbox(struct follower *follower);
enum rc follower_start(struct follower *follower, struct err *err) MUST_CHECK;
/* Follows to the end of what is durable, saves, ends the thread.  The journal must
 * still run. */
void follower_stop(struct follower *follower);
void follower_free(struct follower **follower);

/* Any thread. */
const struct follower_counters *follower_counters(const struct follower *follower);
const struct hub_counters *follower_hub(const struct follower *follower);
const struct actions_counters *follower_actions(const struct follower *follower);

#endif
