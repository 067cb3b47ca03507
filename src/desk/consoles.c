/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console sessions of one worker, found by their ids.  An id is never used
 * again, so what the hub sends to a session that has ended meanwhile finds
 * nobody and is dropped.
 *
 * A session that has ended keeps its memory until the next sweep, because the
 * call that ended it may still be at work on it.
 *
 * Owner: the worker's thread.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "console_priv.h"

static void
consoles_bury(struct consoles *consoles)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&consoles->dead)) != NULL) {
		TAILQ_REMOVE(&consoles->dead, session, in_all);
		console_session_free(session);
	}
}

static void
consoles_sweep(void *arg)
{
	struct consoles *consoles = arg;
	uint64_t now_ms = clock_mono_ms();
	struct session *session, *next;

	consoles_bury(consoles);
	for (session = TAILQ_FIRST(&consoles->live); session != NULL; session = next) {
		next = TAILQ_NEXT(session, in_all);
		console_session_sweep(session, now_ms);
	}
}

void
consoles_adopt(struct consoles *consoles, struct stream *stream)
{
	must(stream_peer_role(stream) == TLS_ROLE_CONSOLE);
	console_session_open(consoles, stream);
}

void
consoles_set_register(struct consoles *consoles, struct reg *reg)
{
	struct session *session, *next;

	reg_unref(&consoles->reg);
	consoles->reg = reg;
	for (session = TAILQ_FIRST(&consoles->live); session != NULL; session = next) {
		next = TAILQ_NEXT(session, in_all);
		if (session->state != SESSION_WAITING_HELLO)
			(void)console_session_check_rights(session);
	}
}

void
consoles_deliver(struct consoles *consoles, struct hub_delivery *delivery)
{
	if (delivery->position > consoles->position)
		consoles->position = delivery->position;
	for (size_t i = 0; i < delivery->n_ids; i++) {
		struct session *session;

		HASH_FIND(hh, consoles->by_id, &delivery->ids[i], sizeof(session->id), session);
		if (session != NULL)
			console_session_deliver(session, delivery);
	}
	hub_delivery_free(&delivery);
}

void
consoles_answer(struct consoles *consoles, struct action_answer *answer)
{
	struct session *session;

	HASH_FIND(hh, consoles->by_id, &answer->id, sizeof(session->id), session);
	if (session != NULL)
		console_session_answer(session, &answer->result);
	free(answer);
}

void
consoles_turn(struct consoles *consoles)
{
	if (consoles->first_note == NULL)
		return;
	mailbox_post_list(consoles->hub, consoles->first_note, consoles->last_note);
	consoles->first_note = consoles->last_note = NULL;
}

void
consoles_close_all(struct consoles *consoles, enum goaway reason, const char *detail)
{
	struct session *session;

	/* closing takes it off the list */
	while ((session = TAILQ_FIRST(&consoles->live)) != NULL)
		console_session_close(session, reason, detail);
}

const struct consoles_counters *
consoles_counters(const struct consoles *consoles)
{
	return &consoles->counters;
}

enum rc
consoles_new(struct consoles **out, struct loop *loop, const struct consoles_conf *conf,
	     struct mailbox *hub, struct err *err)
{
	struct consoles *consoles = xcalloc(1, sizeof(*consoles));

	consoles->conf = *conf;
	consoles->box = loop_mailbox(loop);
	consoles->hub = hub;
	TAILQ_INIT(&consoles->live);
	TAILQ_INIT(&consoles->dead);
	arena_init(&consoles->arena, CONSOLE_ARENA_BYTES);
	if (loop_every(loop, CONSOLE_SWEEP_MS, consoles_sweep, consoles, err) != RC_OK) {
		consoles_free(&consoles);
		return RC_FAIL;
	}
	*out = consoles;
	return RC_OK;
}

void
consoles_free(struct consoles **out)
{
	struct consoles *consoles = *out;

	if (consoles == NULL)
		return;
	*out = NULL;
	must(TAILQ_EMPTY(&consoles->live));
	while (consoles->first_note != NULL) {
		struct mail *note = consoles->first_note;

		consoles->first_note = note->next;
		free(note);
	}
	consoles_bury(consoles);
	arena_fini(&consoles->arena);
	reg_unref(&consoles->reg);
	free(consoles);
}
