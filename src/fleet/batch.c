/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of a worker, and what their return sets off.  There is a fixed number:
 * one is filled while others are on their way to the disk.  When all are on
 * their way, the sessions wait, and with them their controllers.
 *
 * Invariant: an ack is written only from batch_durable().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sessions_priv.h"

/* Less than any record takes: a group that is full of records of as many sessions has room
 * for their acks from the beginning.  Memory that was never needed is never touched. */
enum { BATCH_ENTRY_BYTES = 64 };

void
batches_init(struct sessions *all)
{
	all->batches = xcalloc(all->conf.groups, sizeof(*all->batches));
	for (unsigned i = 0; i < all->conf.groups; i++) {
		struct batch *batch = &all->batches[i];

		batch->group = group_new(all->conf.group_bytes, loop_mailbox(all->loop), batch);
		batch->group->mail.kind = SESSIONS_MAIL_GROUP;
		batch->acks_room = all->conf.group_bytes / BATCH_ENTRY_BYTES;
		batch->acks = xcalloc(batch->acks_room, sizeof(*batch->acks));
		batch->next_free = all->free_batches;
		all->free_batches = batch;
	}
	counter_set(&all->counters.groups_free, all->conf.groups);
}

void
batches_fini(struct sessions *all)
{
	for (unsigned i = 0; i < all->conf.groups; i++) {
		group_free(&all->batches[i].group);
		free(all->batches[i].acks);
		free(all->batches[i].refusals);
	}
	free(all->batches);
}

/* The batch that is being filled, or NULL when none is free. */
static struct batch *
batch_current(struct sessions *all)
{
	struct batch *batch = all->current;

	if (batch != NULL || all->free_batches == NULL)
		return batch;
	batch = all->free_batches;
	all->free_batches = batch->next_free;
	group_clear(batch->group);
	batch->n_acks = batch->n_refusals = 0;
	batch->number = ++all->batch_number;
	all->current = batch;
	counter_set(&all->counters.groups_free, counter_get(&all->counters.groups_free) - 1);
	/* the end of this turn looks after it, also if nothing else happens */
	loop_again(all->loop);
	return batch;
}

void
batch_post(struct sessions *all)
{
	struct batch *batch = all->current;

	if (batch == NULL)
		return;
	all->current = NULL;
	all->posted_ns = clock_mono_ns();
	journal_post(all->journal, batch->group);
}

/* How long the batch may wait for more; 0: not at all. */
static uint64_t
batch_patience_ns(const struct sessions *all)
{
	uint64_t due_ns = all->posted_ns + all->conf.gather_ms * 1000000, now_ns;

	/* an alarm never waits, and neither does whoever speaks for a controller next */
	if (all->conf.gather_ms == 0 || (all->current->group->flags & ENTRY_FLAG_DESK) != 0 ||
	    all->first_release != NULL || all->stopping)
		return 0;
	now_ns = clock_mono_ns();
	return now_ns < due_ns ? due_ns - now_ns : 0;
}

void
batch_turn(struct sessions *all)
{
	uint64_t patience_ns = all->current != NULL ? batch_patience_ns(all) : 0;

	if (patience_ns == 0)
		batch_post(all);
	else
		loop_within(all->loop, patience_ns / 1000000 + 1);
}

uint8_t *
batch_add(struct sessions *all, uint8_t type, uint8_t flags, size_t body_len)
{
	struct batch *batch = batch_current(all);
	uint8_t *body;

	if (batch == NULL)
		return NULL;
	body = group_add(batch->group, type, flags, body_len);
	if (body != NULL)
		return body;
	must(batch->group->entries > 0);
	batch_post(all);
	batch = batch_current(all);
	if (batch == NULL)
		return NULL;
	body = group_add(batch->group, type, flags, body_len);
	must(body != NULL);
	return body;
}

bool
batch_note_ack(struct session *session)
{
	struct batch *batch = batch_current(session->all);

	if (batch == NULL)
		return false;
	if (session->ack_batch == batch->number) {
		batch->acks[session->ack_index].seq = session->sequence.last_seq;
		return true;
	}
	if (batch->n_acks == batch->acks_room) {
		batch->acks_room *= 2; /* by records that were there already */
		batch->acks = xrealloc(batch->acks, batch->acks_room * sizeof(*batch->acks));
	}
	session->ack_batch = batch->number;
	session->ack_index = batch->n_acks;
	batch->acks[batch->n_acks++] =
		(struct batch_ack){.session = session->id, .seq = session->sequence.last_seq};
	return true;
}

void
batch_note_refusal(struct session *session, uint64_t seq, enum reject reason, const char *detail)
{
	struct batch *batch = session->all->current;
	struct batch_refusal *refusal;

	if (batch->n_refusals == batch->refusals_room) {
		batch->refusals_room = batch->refusals_room > 0 ? batch->refusals_room * 2 : 16;
		batch->refusals =
			xrealloc(batch->refusals, batch->refusals_room * sizeof(*batch->refusals));
	}
	refusal = &batch->refusals[batch->n_refusals++];
	*refusal = (struct batch_refusal){.session = session->id, .seq = seq, .reason = reason};
	(void)snprintf(refusal->detail, sizeof(refusal->detail), "%s", detail);
}

/* The sessions of the acks are anywhere, and what was read of them is long out of the
 * processor's reach.  So those behind this one come nearer: what the processor has to know
 * to find the next thing was asked for one session earlier. */
static void
batch_approach(struct sessions *all, const struct batch *batch, size_t i)
{
	const struct session *session;

	if (i + 3 < batch->n_acks) {
		session = sessions_find(all, batch->acks[i + 3].session);
		PREFETCH(session);
		PREFETCH((const char *)session + CACHE_LINE);
	}
	if (i + 2 < batch->n_acks) {
		session = sessions_find(all, batch->acks[i + 2].session);
		if (session != NULL)
			stream_approach(session->stream);
	}
	if (i + 1 < batch->n_acks) {
		session = sessions_find(all, batch->acks[i + 1].session);
		if (session != NULL)
			stream_bring(session->stream);
	}
}

static void
batch_answer(struct sessions *all, const struct batch *batch)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];
	struct session *session;

	for (size_t i = 0; i < batch->n_refusals; i++) {
		const struct batch_refusal *refusal = &batch->refusals[i];

		session = sessions_find(all, refusal->session);
		if (session != NULL)
			session_answer(session, bytes,
				       controller_put_reject(bytes, refusal->seq, refusal->reason,
							     refusal->detail));
	}
	for (size_t i = 0; i < batch->n_acks; i++) {
		batch_approach(all, batch, i);
		session = sessions_find(all, batch->acks[i].session);
		if (session == NULL)
			continue;
		session->acked = batch->acks[i].seq;
		session_answer(session, bytes, controller_put_ack(bytes, session->acked));
		/* while all of it is near; a session that ended stays until the turn's end */
		stream_push(session->stream);
	}
	counter_add(&all->counters.acks, batch->n_acks);
}

static void
batch_wake_waiting(struct sessions *all)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&all->waiting)) != NULL) {
		TAILQ_REMOVE(&all->waiting, session, in_waiting);
		session->waits_for_group = false;
		if (session->owes_ack) /* one is free: it just came back */
			session->owes_ack = !batch_note_ack(session);
		counter_set(&all->counters.paused, counter_get(&all->counters.paused) - 1);
		if (!all->stopping)
			stream_resume(session->stream);
	}
}

void
batch_durable(struct sessions *all, struct group *group)
{
	struct batch *batch = group->owner;

	batch_answer(all, batch);
	batch->next_free = all->free_batches;
	all->free_batches = batch;
	counter_set(&all->counters.groups_free, counter_get(&all->counters.groups_free) + 1);
	batch_wake_waiting(all);
}
