/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registration desk's conversation, as far as it differs from a controller's: its
 * records go to the registrar one by one and in order, and what the registrar says of
 * them is what the desk is told.
 *
 * Invariants: acked <= sequence.last_seq, and between them lie at most `window` records:
 * so many may wait at the registrar, whatever the desk sends.  Only the seq behind
 * last_seq is passed on.
 *
 * A desk has nothing to declare lost: one that can't fill a hole begins a new epoch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sessions_priv.h"

/* ---- Who speaks for the desk ----------------------------------------------- */

void
registration_claim(struct session *session)
{
	struct registrar_claim *claim = xcalloc(1, sizeof(*claim));

	claim->mail.kind = REGISTRAR_MAIL_CLAIM;
	claim->box = loop_mailbox(session->all->loop);
	claim->session = session->id;
	claim->desk_id = session->client_id;
	claim->epoch = session->hello_epoch;
	claim->acked_seq = session->hello_acked;
	mailbox_post(session->all->conf.registrar, &claim->mail);
}

void
registration_release(struct sessions *all, uint64_t session, uint32_t desk_id, uint64_t generation)
{
	registrar_tell(all, REGISTRAR_MAIL_RELEASE, session, desk_id, generation, 0);
}

/* ---- A record's way to the registrar --------------------------------------- */

/* The last place that sees the card number.  False: there is no key for it. */
static bool
registration_take_card(struct session *session, const struct reported *reported,
		       const struct registration *ask, uint32_t site_id,
		       struct registrar_record *out)
{
	struct card_keys *keys = session->all->keys;
	size_t n;
	const uint8_t *card = reported_card(reported, &n);
	struct err err;
	enum rc rc = RC_OK;

	if (ask->card_key != NULL)
		memcpy(out->card_key, ask->card_key, CARD_KEY_BYTES);
	else
		rc = card_key_of(keys, site_id, card, n, out->card_key, &err);
	if (rc != RC_OK)
		log_error("fleet", "no card key: %s", err.msg);
	return rc == RC_OK;
}

/* What it asks for, and of which site; *site stays NULL where it is refused. */
static enum reject
registration_read(struct session *session, const struct reported *reported,
		  struct registration *ask, const struct site **site, struct err *err)
{
	const char *code = NULL;
	enum reject reject = registration_check(&session->all->arena, reported, ask, &code, err);

	*site = NULL;
	if (reject != REJECT_NONE)
		return reject;
	*site = reg_site_by_code(session->all->reg, code);
	if (*site != NULL)
		return REJECT_NONE;
	(void)err_invalid(err, "there is no site \"%s\"", code);
	return REJECT_FOREIGN_SITE;
}

static void
registration_stamp(struct session *session, struct registration *ask, int64_t received_us)
{
	if (ask->device_time_us < session->sequence.device_time_us)
		ask->flags |= RECORD_CLOCK_BACKWARDS;
	if (ask->device_time_us - received_us > session->all->conf.clock_tolerance_us)
		ask->flags |= RECORD_CLOCK_OFF;
}

/* NULL: the session was closed. */
static struct registrar_record *
registration_make(struct session *session, struct reported *reported, struct registration *ask)
{
	struct arena *arena = &session->all->arena;
	int64_t received_us = clock_wall_us();
	struct registrar_record *record;
	const struct site *site;
	struct err err = {0};
	enum reject reject = registration_read(session, reported, ask, &site, &err);
	struct registrar_record hashed = {.received_us = received_us};
	bool known =
		site == NULL || registration_take_card(session, reported, ask, site->id, &hashed);
	uint8_t *payload = arena_get(arena, DETAIL_MAX);
	size_t n = payload != NULL ? reported_pack_safely(reported, payload, DETAIL_MAX) : 0;

	reported_wipe_card(reported);
	if (!known) {
		session_close(session, GOAWAY_OVERLOAD, "the server can't make card keys now");
		return NULL;
	}
	registration_stamp(session, ask, received_us);
	record = registrar_record_new(ask, payload, n);
	record->mail.kind = REGISTRAR_MAIL_RECORD;
	record->desk_id = session->client_id;
	record->generation = session->generation;
	record->received_us = received_us;
	record->site_id = site != NULL ? site->id : 0;
	memcpy(record->card_key, hashed.card_key, sizeof(record->card_key));
	record->reject = reject;
	(void)snprintf(record->detail, sizeof(record->detail), "%.*s",
		       (int)sizeof(record->detail) - 1, err.msg);
	return record;
}

static enum intake
registration_pass_on(struct session *session, struct reported *reported)
{
	struct registration ask;
	struct registrar_record *record;

	if (session->sequence.last_seq - session->acked >= session->all->conf.window)
		return INTAKE_PAUSE;
	record = registration_make(session, reported, &ask);
	if (record == NULL)
		return INTAKE_DONE;
	session->sequence.last_seq = ask.seq;
	session->sequence.device_time_us = ask.device_time_us;
	session->hole_seen = 0;
	session->records++;
	counter_add(&session->all->counters.registrations, 1);
	mailbox_post(session->all->conf.registrar, &record->mail);
	return INTAKE_DONE;
}

static void
registration_ack(struct session *session)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];

	session_answer(session, bytes, controller_put_ack(bytes, session->acked));
	counter_add(&session->all->counters.acks, 1);
}

enum intake
registration_record(struct session *session, struct reported *reported)
{
	uint64_t seq = reported_seq(reported), last = session->sequence.last_seq;

	if (seq == last + 1)
		return registration_pass_on(session, reported);
	reported_wipe_card(reported);
	if (seq > last) {
		counter_add(&session->all->counters.out_of_order, 1);
		if (session->hole_seen == 0)
			session_ask_again(session, seq);
		return INTAKE_DONE;
	}
	counter_add(&session->all->counters.duplicates, 1);
	/* what isn't durable yet is acknowledged when it is */
	if (seq <= session->acked)
		registration_ack(session);
	return INTAKE_DONE;
}

/* ---- What the registrar says of them ---------------------------------------- */

static void
registration_go_on(struct session *session)
{
	if (!session->waits_for_acks)
		return;
	session->waits_for_acks = false;
	if (!session->all->stopping)
		stream_resume(session->stream);
}

void
registration_done(struct session *session, const struct registrar_done *done)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];

	for (size_t i = 0; i < done->n_refusals; i++)
		session_answer(session, bytes,
			       controller_put_reject(bytes, done->refusals[i].seq,
						     done->refusals[i].reason,
						     done->refusals[i].detail));
	counter_add(&session->all->counters.rejected, done->n_refusals);
	if (done->acked_seq > session->acked)
		session->acked = done->acked_seq;
	registration_ack(session);
	if (session->state == SESSION_STREAMING)
		registration_go_on(session);
}

void
registration_resend(struct session *session, const struct registrar_done *done)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];

	session->sequence.last_seq = session->acked = done->acked_seq;
	session->hole_seen = 0;
	counter_add(&session->all->counters.resends, 1);
	session_answer(session, bytes, controller_put_resend(bytes, done->acked_seq + 1));
	if (session->state == SESSION_STREAMING)
		registration_go_on(session);
}
