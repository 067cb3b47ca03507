/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The follower's thread.  Invariants: entries are applied in order, each once; the
 * hold never passes the position of a checkpoint that is durable.
 *
 * A change of an alarm goes to the consoles first and into the journal second.  A
 * crash between the two costs nothing: replay makes the same change again, under
 * the same number, and the store takes each number once.
 */
#include "daemon/follower.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/checkpointer.h"
#include "daemon/worker.h"
#include "wire/kind.h"

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
	struct checkpointer saver;
	pthread_t thread;
	bool started, stopping;
	struct follower_counters counters;
};

/* ---- Applying ------------------------------------------------------------ */

static void
follower_apply_place(struct follower *follower, const struct record *record)
{
	const struct observed about = {record->controller_id, record->site_id};
	struct position_change change = positions_apply_record(follower->positions, record);

	findings_take_change(follower->findings, &about, &change);
	if (record->epoch < 0)
		findings_note_said(follower->findings, record);
}

static void
follower_apply_record(struct follower *follower, const struct journal_entry *entry, bool ahead)
{
	struct record record;
	struct err err;

	if (record_decode(entry->body, entry->len, &record, &err) != RC_OK) {
		log_error("follower", "entry at %lu is not a record: %s",
			  (unsigned long)entry->position, err.msg);
		return;
	}
	if (!ahead)
		follower_apply_place(follower, &record);
	if ((entry->flags & ENTRY_FLAG_DESK) != 0 &&
	    desk_apply(follower->desk, &record, ahead, entry->next,
		       journal_durable_us(follower->journal)) != NULL)
		counter_add(&follower->counters.changes, 1);
}

/* A registration desk's sequence is kept as a controller's is. */
static void
follower_apply_right(struct follower *follower, const struct journal_entry *entry)
{
	struct right_change change;
	struct err err;

	if (right_change_decode(entry->body, entry->len, &change, &err) == RC_OK)
		positions_apply_right(follower->positions, &change);
	else
		log_error("follower", "entry at %lu is not a change of rights: %s",
			  (unsigned long)entry->position, err.msg);
}

static void
follower_apply_quarantine(struct follower *follower, const struct journal_entry *entry)
{
	struct position_change change;
	struct quarantine q;
	struct err err;

	if (quarantine_decode(entry->body, entry->len, &q, &err) != RC_OK) {
		log_error("follower", "entry at %lu is not a rejected record: %s",
			  (unsigned long)entry->position, err.msg);
		return;
	}
	change = positions_apply_quarantine(follower->positions, &q);
	findings_take_change(follower->findings, &(struct observed){q.controller_id, q.site_id},
			     &change);
}

static void
follower_apply_action(struct follower *follower, const struct journal_entry *entry)
{
	bool changed;
	struct err err;

	if (actions_apply(follower->actions, entry->type, entry->body, entry->len, entry->next,
			  &changed, &err) != RC_OK)
		log_error("follower", "entry at %lu is not an action: %s",
			  (unsigned long)entry->position, err.msg);
	else if (changed)
		counter_add(&follower->counters.changes, 1);
}

static void
follower_apply(struct follower *follower, const struct journal_entry *entry)
{
	switch (entry->type) {
	case ENTRY_RECORD:
		follower_apply_record(follower, entry, false);
		break;
	case ENTRY_AHEAD:
		follower_apply_record(follower, entry, true);
		break;
	case ENTRY_QUARANTINE:
		follower_apply_quarantine(follower, entry);
		break;
	case ENTRY_ACTION:
	case ENTRY_SEEN:
		follower_apply_action(follower, entry);
		break;
	case ENTRY_RIGHT:
		follower_apply_right(follower, entry);
		break;
	default:
		break; /* our own changes, and what later versions write */
	}
	counter_add(&follower->counters.entries, 1);
}

/* RC_OK: the budget ended; RC_AGAIN: all that is durable was read. */
static enum rc
follower_read(struct follower *follower, uint64_t budget, struct err *err)
{
	struct journal_entry entry;
	enum rc rc = RC_OK;

	while (budget-- > 0 && (rc = journal_read(follower->reader, &entry, err)) == RC_OK)
		follower_apply(follower, &entry);
	counter_set(&follower->counters.position, journal_reader_position(follower->reader));
	counter_set(&follower->counters.alarms_open, desk_open_count(follower->desk));
	return rc;
}

/* The hub writes it to a console. */
static void
follower_offered(void *arg, const struct alarm_change *change)
{
	struct follower *follower = arg;

	actions_offered(follower->actions, change, clock_wall_us());
}

/* ---- Changes into the journal -------------------------------------------- */

static void
follower_post(struct follower *follower)
{
	if (follower->group == NULL || follower->group->entries == 0)
		return;
	journal_post(follower->journal, follower->group);
	follower->group = NULL;
}

static uint8_t *
follower_room(struct follower *follower, uint8_t type, uint8_t flags, size_t len)
{
	for (;;) {
		uint8_t *body;

		if (follower->group == NULL) {
			if (follower->n_free == 0)
				return NULL;
			follower->group = follower->free_groups[--follower->n_free];
			group_clear(follower->group);
		}
		body = group_add(follower->group, type, flags, len);
		if (body != NULL)
			return body;
		follower_post(follower);
	}
}

static uint8_t *
follower_action_room(void *arg, uint8_t type, size_t len)
{
	return follower_room(arg, type, 0, len);
}

static bool
follower_journal_findings(struct follower *follower)
{
	struct record record;
	uint8_t flags;

	findings_take_damage(follower->findings, follower->journal, follower->positions);
	while (findings_first(follower->findings, &record, &flags)) {
		uint8_t *body =
			follower_room(follower, ENTRY_RECORD, flags, record_encoded_len(&record));

		if (body == NULL)
			return false;
		(void)record_encode(&record, body);
		log_warning("follower", "%s ctl_id=%u %s", kind_get(record.kind)->name,
			    record.controller_id, record.detail);
		findings_done(follower->findings);
	}
	return true;
}

/* Journals what is not there yet.  False: no group is free; then the follower reads
 * on only when one came back. */
static bool
follower_journal_news(struct follower *follower)
{
	must(follower->journaled >= desk_oldest(follower->desk));
	for (; follower->journaled < desk_next(follower->desk); follower->journaled++) {
		const struct alarm_change *change =
			desk_change(follower->desk, follower->journaled);
		uint8_t *body =
			follower_room(follower, ENTRY_ALARM, 0, alarm_change_encoded_len(change));

		if (body == NULL)
			return false;
		(void)alarm_change_encode(change, body);
	}
	if (!follower_journal_findings(follower) ||
	    !actions_journal(follower->actions, follower_action_room, follower))
		return false;
	follower_post(follower);
	return true;
}

/* ---- Checkpoint ---------------------------------------------------------- */

/* Valid as soon as the changes and findings so far are in the journal: they are not
 * made again behind this position. */
static bool
follower_save(struct follower *follower)
{
	struct checkpointer *saver = &follower->saver;
	struct record record;
	uint8_t flags;

	if (checkpointer_is_busy(saver) || follower->journaled != desk_next(follower->desk) ||
	    findings_first(follower->findings, &record, &flags) ||
	    follower->n_free != FOLLOWER_GROUPS)
		return false;
	saver->position = journal_reader_position(follower->reader);
	if (saver->position == follower->saved_position)
		return true;
	if (checkpoint_make(&follower->key, saver->position, follower->positions, follower->desk,
			    &saver->bytes) != RC_OK) {
		log_error("follower", "checkpoint not saved: larger than %d MiB",
			  CHECKPOINT_LIMIT >> 20);
		buf_fini(&saver->bytes);
		return true;
	}
	follower->saved_position = saver->position;
	checkpointer_begin(saver);
	return true;
}

static void
follower_save_when_due(struct follower *follower)
{
	uint64_t now = clock_mono_ms();

	if (now >= follower->next_save_ms && follower_save(follower))
		follower->next_save_ms = now + follower->conf.checkpoint_ms;
}

/* ---- The loop's hooks ---------------------------------------------------- */

static void
follower_mail_cb(void *arg, struct mail *mail)
{
	struct follower *follower = arg;
	struct worker_register *reg;

	switch (mail->kind) {
	case FOLLOWER_MAIL_GROUP:
		follower->free_groups[follower->n_free++] = CONTAINER_OF(mail, struct group, mail);
		break;
	case FOLLOWER_MAIL_REGISTER:
		reg = CONTAINER_OF(mail, struct worker_register, mail);
		hub_set_register(follower->hub, reg->reg);
		actions_set_register(follower->actions, reg->reg);
		free(reg);
		break;
	case FOLLOWER_MAIL_STOP:
		follower->stopping = true;
		free(mail);
		break;
	case ACTIONS_MAIL_ASK:
	case ACTIONS_MAIL_SHOWN:
		actions_mail(follower->actions, mail);
		break;
	default:
		hub_mail(follower->hub, mail);
	}
}

/* Saves once more when everything is read and journaled; then the thread ends.
 * What isn't back yet, a group or a checkpoint, brings the next turn with it. */
static void
follower_finish(struct follower *follower)
{
	if (follower_save(follower))
		loop_stop(follower->loop);
}

/* No more changes than the ring keeps: one that left it could not be journaled. */
static uint64_t
follower_budget(const struct follower *follower)
{
	uint64_t history = follower->conf.desk.history;

	return history < FOLLOWER_ENTRIES_PER_TURN ? history : FOLLOWER_ENTRIES_PER_TURN;
}

static void
follower_turn_cb(void *arg)
{
	struct follower *follower = arg;
	struct err err;
	enum rc rc = RC_AGAIN;

	if (follower_journal_news(follower)) {
		rc = follower_read(follower, follower_budget(follower), &err);
		if (rc != RC_OK && rc != RC_AGAIN)
			fatal("the journal can't be read back: %s", err.msg);
	}
	if (hub_pump(follower->hub)) /* somebody is catching up */
		loop_again(follower->loop);
	(void)follower_journal_news(follower);
	follower_save_when_due(follower);
	if (rc == RC_OK)
		loop_again(follower->loop);
	else if (follower->stopping)
		follower_finish(follower);
}

static void
follower_tick(void *arg)
{
	struct follower *follower = arg;

	counter_add(&follower->counters.ticks, 1);
	if (!follower->stopping)
		actions_due(follower->actions, clock_wall_us());
}

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
	rc = mailbox_init(&follower->saver.box, err);
	if (rc == RC_OK)
		rc = follower_new_loop(follower, err);
	if (rc != RC_OK)
		return rc;
	rc = follower_open_reader(follower, err);
	if (rc != RC_OK)
		return rc;
	follower->saver.dir = conf->state_dir;
	follower->saver.journal = journal;
	follower->saver.done = loop_mailbox(follower->loop);
	buf_init(&follower->saver.bytes, CHECKPOINT_LIMIT);
	follower->saver.hold = journal_hold(journal, "desk", follower->saved_position);
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
	enum rc rc = checkpointer_start(&follower->saver, err);

	if (rc != RC_OK)
		return rc;
	if (pthread_create(&follower->thread, NULL, follower_run, follower) != 0)
		return err_fail(err, "could not start the desk's thread");
	(void)pthread_setname_np(follower->saver.thread, "checkpoint");
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
	checkpointer_stop(&follower->saver);
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
	buf_fini(&follower->saver.bytes);
	if (follower->saver.box.fd > 0)
		mailbox_fini(&follower->saver.box);
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
