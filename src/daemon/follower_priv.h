/* SPDX-License-Identifier: Apache-2.0 */
/* What follower.c and follower_start.c share: the follower from inside. */
#ifndef GATEHOUSE_FOLLOWER_PRIV_H
#define GATEHOUSE_FOLLOWER_PRIV_H

#include "daemon/checkpoint.h"
#include "daemon/follower.h"
#include "journal/saver.h"

enum {
	FOLLOWER_GROUPS = 4,
	FOLLOWER_GROUP_BYTES = 256 * 1024,
	FOLLOWER_ENTRIES_PER_TURN = 4096, /* then messages and consoles get their turn */
	FOLLOWER_TICK_MS = 500,
	CHECKPOINT_LIMIT = 512 * 1024 * 1024,
};

/* Owner: its own thread, but for the counters. */
struct follower {
	struct follower_conf conf;
	struct checkpoint_key key;
	struct journal *journal;
	struct journal_reader *reader;
	struct positions *positions;
	struct findings *findings;
	struct desk *desk;
	struct hub *hub;
	struct actions *actions;
	struct loop *loop;
	struct group *free_groups[FOLLOWER_GROUPS], *group;
	unsigned n_free;
	uint64_t journaled; /* changes before this number of the desk's ring are in the journal */
	uint64_t saved_position;
	uint64_t next_save_ms;
	struct saver saver; /* of checkpoints */
	unsigned hold;      /* on the journal */
	pthread_t thread;
	bool started, stopping;
	struct follower_counters counters;
};

/* Hands the entry to those whose state is a consequence of it. */
void follower_apply(struct follower *follower, const struct journal_entry *entry);
/* Hooks of its loop, of its timer, and of the hub. */
void follower_mail_cb(void *arg, struct mail *mail);
void follower_turn_cb(void *arg);
void follower_tick(void *arg);
void follower_offered(void *arg, const struct alarm_change *change);

#endif
