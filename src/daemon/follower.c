/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The follower's thread.  Invariants: entries are applied in order, each once; the
 * hold never passes the position of a checkpoint that is durable.
 *
 * A change of an alarm goes to the consoles first and into the journal second.  A
 * crash between the two costs nothing: replay makes the same change again, under
 * the same number, and the store takes each number once.
 *
 * How it begins and ends is in follower_start.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/worker.h"
#include "follower_priv.h"
#include "wire/kind.h"

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

	if (actions_apply(follower->actions, entry->body, entry->len, entry->next, &changed,
			  &err) != RC_OK)
		log_error("follower", "entry at %lu is not an action: %s",
			  (unsigned long)entry->position, err.msg);
	else if (changed)
		counter_add(&follower->counters.changes, 1);
}

static void
follower_apply_seen(struct follower *follower, const struct journal_entry *entry)
{
	struct err err;

	if (actions_apply_seen(follower->actions, entry->body, entry->len, &err) != RC_OK)
		log_error("follower", "entry at %lu does not say what was seen: %s",
			  (unsigned long)entry->position, err.msg);
}

void
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
		follower_apply_action(follower, entry);
		break;
	case ENTRY_SEEN:
		follower_apply_seen(follower, entry);
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
void
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
	uint64_t position = journal_reader_position(follower->reader);
	struct buf bytes;
	struct record record;
	uint8_t flags;

	if (saver_is_busy(&follower->saver) || follower->journaled != desk_next(follower->desk) ||
	    findings_first(follower->findings, &record, &flags) ||
	    follower->n_free != FOLLOWER_GROUPS)
		return false;
	if (position == follower->saved_position)
		return true;
	buf_init(&bytes, CHECKPOINT_LIMIT);
	if (checkpoint_make(&follower->key, position, follower->positions, follower->desk,
			    &bytes) != RC_OK) {
		log_error("follower", "checkpoint not saved: larger than %d MiB",
			  CHECKPOINT_LIMIT >> 20);
		buf_fini(&bytes);
		return true;
	}
	follower->saved_position = position;
	saver_begin(&follower->saver, &bytes, position);
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

void
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

/* A look at the front of a heap. */
static void
follower_look_at_time(struct follower *follower)
{
	if (!follower->stopping)
		actions_due(follower->actions, clock_wall_us());
}

/* What was read may be due at once: a group begins, or takes its members. */
void
follower_turn_cb(void *arg)
{
	struct follower *follower = arg;
	struct err err;
	enum rc rc = RC_AGAIN;

	if (follower_journal_news(follower)) {
		rc = follower_read(follower, follower_budget(follower), &err);
		if (rc != RC_OK && rc != RC_AGAIN)
			fatal("the journal can't be read back: %s", err.msg);
		follower_look_at_time(follower);
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

void
follower_tick(void *arg)
{
	struct follower *follower = arg;

	counter_add(&follower->counters.ticks, 1);
	follower_look_at_time(follower);
}
