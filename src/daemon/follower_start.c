/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The follower's beginning and end: what the checkpoint had, the replay of what came
 * behind it, and the thread.  Until the thread runs, whoever makes the follower owns it.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "daemon/worker.h"
#include "follower_priv.h"

static void *
follower_run(void *arg)
{
	struct follower *follower = arg;

	loop_run(follower->loop);
	return NULL;
}

/* ---- Beginning: checkpoint, replay --------------------------------------- */

/* Alarms of a part of the journal that is lost: their positions are given away
 * again.  The controllers' positions stay, they were acknowledged. */
static void
follower_forget_alarms(struct follower *follower)
{
	actions_free(&follower->actions);
	desk_free(&follower->desk);
	follower->desk = desk_new(&follower->conf.desk);
	follower->actions = actions_new(&follower->conf.actions, follower->desk);
}

static void
follower_new_tables(struct follower *follower)
{
	positions_free(&follower->positions);
	follower->positions = positions_new();
	follower_forget_alarms(follower);
}

/* Returns from where the journal is to be read. */
static uint64_t
follower_load_checkpoint(struct follower *follower)
{
	uint64_t first = journal_first(follower->journal), position = first;
	struct err err;
	enum rc rc;

	follower_new_tables(follower);
	rc = checkpoint_read(follower->conf.state_dir, &follower->key, &position,
			     follower->positions, follower->desk, &err);
	if (rc == RC_OK && position >= first && position <= journal_durable(follower->journal))
		return position;
	if (rc == RC_OK) {
		if (position > journal_durable(follower->journal))
			follower_forget_alarms(follower);
		log_error("follower",
			  "checkpoint stands at %lu, outside the journal (%lu to %lu): "
			  "the journal lost a part",
			  (unsigned long)position, (unsigned long)first,
			  (unsigned long)journal_durable(follower->journal));
		return first;
	}
	if (rc != RC_EOF) {
		log_warning("follower", "checkpoint not used: %s; reading the whole journal",
			    err.msg);
		follower_new_tables(follower);
	}
	return first;
}

static enum rc
follower_open_reader(struct follower *follower, struct err *err)
{
	uint64_t first = journal_first(follower->journal);
	uint64_t position = follower_load_checkpoint(follower);
	enum rc rc = journal_reader_new(&follower->reader, follower->journal, position, err);

	if (rc == RC_INVALID && position != first) {
		/* the journal lost a part, and has grown over the checkpoint since */
		log_error("follower", "checkpoint not used: %s; reading the whole journal",
			  err->msg);
		follower_forget_alarms(follower);
		position = first;
		rc = journal_reader_new(&follower->reader, follower->journal, position, err);
	}
	follower->saved_position = position;
	return rc;
}

/* On to the first change that the journal lacks, when it has those up to `position`. */
static void
follower_skip_journaled(struct follower *follower, uint64_t position)
{
	uint64_t oldest = desk_oldest(follower->desk);
	bool wrapped = follower->journaled < oldest;

	if (wrapped)
		follower->journaled = oldest;
	if (wrapped && desk_change(follower->desk, oldest)->position > position)
		log_error("follower",
			  "%zu changes of alarms or more were not in the journal yet: what the "
			  "history does not hold will be missing in PostgreSQL",
			  follower->conf.desk.history);
	while (follower->journaled < desk_next(follower->desk) &&
	       desk_change(follower->desk, follower->journaled)->position <= position)
		follower->journaled++;
}

/* The changes that a former run journaled need not be journaled again: the entries
 * name the position behind each change. */
static enum rc
follower_replay(struct follower *follower, uint64_t *replayed, struct err *err)
{
	uint64_t journaled_position = 0;
	struct journal_entry entry;
	struct alarm_change change;
	enum rc rc;

	follower->journaled = desk_next(follower->desk);
	while ((rc = journal_read(follower->reader, &entry, err)) == RC_OK) {
		follower_apply(follower, &entry);
		if (entry.type == ENTRY_ALARM &&
		    alarm_change_decode(entry.body, entry.len, &change, err) == RC_OK &&
		    change.position > journaled_position)
			journaled_position = change.position;
	}
	if (rc != RC_AGAIN)
		return rc;
	follower_skip_journaled(follower, journaled_position);
	*replayed = counter_get(&follower->counters.entries);
	counter_set(&follower->counters.position, journal_reader_position(follower->reader));
	counter_set(&follower->counters.alarms_open, desk_open_count(follower->desk));
	return RC_OK;
}

static enum rc
follower_new_loop(struct follower *follower, struct err *err)
{
	struct loop_hooks hooks = {
		.on_mail = follower_mail_cb, .on_turn = follower_turn_cb, .arg = follower};
	enum rc rc = loop_new(&follower->loop, &hooks, err);

	if (rc != RC_OK)
		return rc;
	for (; follower->n_free < FOLLOWER_GROUPS; follower->n_free++) {
		struct group *group =
			group_new(FOLLOWER_GROUP_BYTES, loop_mailbox(follower->loop), follower);

		group->mail.kind = FOLLOWER_MAIL_GROUP;
		follower->free_groups[follower->n_free] = group;
	}
	return loop_every(follower->loop, FOLLOWER_TICK_MS, follower_tick, follower, err);
}

enum rc
follower_new(struct follower **out, const struct follower_conf *conf, struct journal *journal,
	     uint64_t *replayed, struct err *err)
{
	struct follower *follower = xcalloc(1, sizeof(*follower));
	enum rc rc;

	*out = follower;
	follower->conf = *conf;
	follower->journal = journal;
	journal_id(journal, follower->key.journal_id);
	follower->key.node = conf->node;
	follower->findings = findings_new(&conf->findings);
	rc = follower_new_loop(follower, err);
	if (rc != RC_OK)
		return rc;
	rc = follower_open_reader(follower, err);
	if (rc != RC_OK)
		return rc;
	follower->hold = journal_hold(journal, "desk", follower->saved_position);
	follower->hub = hub_new(follower->desk, conf->credit_bytes);
	hub_on_offer(follower->hub, follower_offered, follower);
	return follower_replay(follower, replayed, err);
}

const struct positions *
follower_positions(const struct follower *follower)
{
	return follower->positions;
}

struct mailbox *
follower_mailbox(struct follower *follower)
{
	return loop_mailbox(follower->loop);
}

enum rc
follower_start(struct follower *follower, struct err *err)
{
	const struct saver_conf saver_conf = {
		.room = "follower",
		.what = "checkpoint",
		.thread = "checkpoint",
		.dir = follower->conf.state_dir,
		.file = CHECKPOINT_NAME,
		.journal = follower->journal,
		.hold = follower->hold,
		.done = loop_mailbox(follower->loop),
		.before = CRASH_CHECKPOINT_BEFORE,
		.saved = CRASH_CHECKPOINT_SAVED,
		.held = CRASH_CHECKPOINT_HELD,
	};
	enum rc rc = saver_start(&follower->saver, &saver_conf, err);

	if (rc != RC_OK)
		return rc;
	if (pthread_create(&follower->thread, NULL, follower_run, follower) != 0)
		return err_fail(err, "could not start the desk's thread");
	(void)pthread_setname_np(follower->thread, "follower");
	follower->started = true;
	/* what replay found and no former run journaled */
	mailbox_ring(loop_mailbox(follower->loop));
	return RC_OK;
}

void
follower_stop(struct follower *follower)
{
	struct mail *mail;

	if (!follower->started)
		return;
	mail = xcalloc(1, sizeof(*mail));
	mail->kind = FOLLOWER_MAIL_STOP;
	mailbox_post(loop_mailbox(follower->loop), mail);
	(void)pthread_join(follower->thread, NULL);
	saver_stop(&follower->saver);
	follower->started = false;
}

static void
follower_discard(struct mail *mail)
{
	if (mail->kind == FOLLOWER_MAIL_REGISTER)
		reg_unref(&CONTAINER_OF(mail, struct worker_register, mail)->reg);
	if (mail->kind == HUB_MAIL_SUBSCRIBE) {
		free(CONTAINER_OF(mail, struct hub_subscribe, mail)->areas);
		free(CONTAINER_OF(mail, struct hub_subscribe, mail)->kinds);
	}
	free(mail);
}

void
follower_free(struct follower **out)
{
	struct follower *follower = *out;

	if (follower == NULL)
		return;
	*out = NULL;
	must(!follower->started);
	if (follower->loop != NULL)
		loop_discard_mail(follower->loop, follower_discard);
	while (follower->n_free > 0)
		group_free(&follower->free_groups[--follower->n_free]);
	group_free(&follower->group);
	journal_reader_free(&follower->reader);
	hub_free(&follower->hub);
	actions_free(&follower->actions);
	desk_free(&follower->desk);
	positions_free(&follower->positions);
	findings_free(&follower->findings);
	loop_free(&follower->loop);
	free(follower);
}

const struct follower_counters *
follower_counters(const struct follower *follower)
{
	return &follower->counters;
}

const struct hub_counters *
follower_hub(const struct follower *follower)
{
	return hub_counters(follower->hub);
}

const struct actions_counters *
follower_actions(const struct follower *follower)
{
	return actions_counters(follower->actions);
}
