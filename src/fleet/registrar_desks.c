/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Desks: who speaks for one, and what becomes of its records.
 *
 * A record is decided when its turn comes, in the order of arrival over all desks.  Its
 * desk hears of it when the group it went into is durable: one message for all that was
 * decided together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "registrar_priv.h"
#include "wire/kind.h"

static struct desk_row *
desk_xget(struct registrar *r, uint32_t desk_id)
{
	struct desk_row *desk;

	HASH_FIND(hh, r->desks, &desk_id, sizeof(desk_id), desk);
	if (desk == NULL) {
		desk = xcalloc(1, sizeof(*desk));
		desk->desk_id = desk_id;
		HASH_ADD(hh, r->desks, desk_id, sizeof(desk_id), desk);
	}
	return desk;
}

/* ---- Who speaks for it ------------------------------------------------------ */

static void
desk_grant(const struct desk_row *desk, struct mailbox *box, uint64_t session, unsigned kind,
	   enum goaway reason)
{
	struct registrar_grant *grant = xcalloc(1, sizeof(*grant));

	grant->mail.kind = kind;
	grant->session = session;
	grant->desk_id = desk->desk_id;
	grant->generation = desk->generation;
	grant->sequence = desk->sequence;
	grant->reason = reason;
	mailbox_post(box, &grant->mail);
}

static void
desk_answer(struct desk_row *desk, unsigned kind)
{
	size_t n = kind == REGISTRAR_MAIL_DONE ? desk->n_refusals : 0;
	struct registrar_done *done;

	if (desk->box == NULL)
		return;
	done = xcalloc(1, sizeof(*done) + n * sizeof(done->refusals[0]));
	done->mail.kind = kind;
	done->session = desk->session;
	done->acked_seq = desk->sequence.last_seq;
	done->n_refusals = n;
	if (n > 0)
		memcpy(done->refusals, desk->refusals, n * sizeof(done->refusals[0]));
	mailbox_post(desk->box, &done->mail);
}

/* As for controllers: the server gives epochs by its clock, and they only grow. */
static void
desk_choose_sequence(struct desk_row *desk, const struct registrar_claim *claim)
{
	struct sequence *known = &desk->sequence;
	int64_t epoch = (int64_t)claim->epoch, now_s = clock_wall_us() / 1000000;

	if (epoch == 0)
		*known =
			(struct sequence){.epoch = now_s > known->epoch ? now_s : known->epoch + 1};
	else if (epoch > known->epoch)
		*known = (struct sequence){.epoch = epoch, .last_seq = claim->acked_seq};
	else if (claim->acked_seq > known->last_seq)
		log_error("rights",
			  "desk id=%u has acknowledgements up to seq=%lu, the journal ends at "
			  "seq=%lu: acknowledged records were lost here",
			  desk->desk_id, (unsigned long)claim->acked_seq,
			  (unsigned long)known->last_seq);
}

void
desks_claim(struct registrar *r, const struct registrar_claim *claim)
{
	struct desk_row *desk = desk_xget(r, claim->desk_id);

	if (!r->ready || r->stopping) {
		desk_grant(desk, claim->box, claim->session, REGISTRAR_MAIL_DENY, GOAWAY_OVERLOAD);
		return;
	}
	if (claim->epoch != 0 && (int64_t)claim->epoch < desk->sequence.epoch) {
		desk_grant(desk, claim->box, claim->session, REGISTRAR_MAIL_DENY,
			   GOAWAY_STALE_EPOCH);
		return;
	}
	if (desk->box != NULL)
		desk_grant(desk, desk->box, desk->session, REGISTRAR_MAIL_DENY, GOAWAY_SUPERSEDED);
	else
		counter_add(&r->counters.desks, 1);
	desk_choose_sequence(desk, claim);
	desk->box = claim->box;
	desk->session = claim->session;
	desk->generation++;
	desk->told_resend = false;
	desk_grant(desk, desk->box, desk->session, REGISTRAR_MAIL_GRANT, GOAWAY_NONE);
	/* what is durable and was not acknowledged to the session before this one */
	if (!desk->dirty && desk->sequence.last_seq > 0)
		desk_answer(desk, REGISTRAR_MAIL_DONE);
}

void
desks_release(struct registrar *r, const struct registrar_note *note)
{
	struct desk_row *desk = desk_xget(r, note->id);

	if (desk->box == NULL || note->number != desk->generation)
		return;
	desk->box = NULL;
	counter_set(&r->counters.desks, counter_get(&r->counters.desks) - 1);
}

/* ---- Records: taken in ------------------------------------------------------- */

void
desks_take(struct registrar *r, struct registrar_record *record)
{
	record->mail.next = NULL;
	if (r->last_record != NULL)
		r->last_record->next = &record->mail;
	else
		r->first_record = &record->mail;
	r->last_record = &record->mail;
}

static struct registrar_record *
desks_next_record(struct registrar *r)
{
	return r->first_record != NULL
		       ? CONTAINER_OF(r->first_record, struct registrar_record, mail)
		       : NULL;
}

static void
desks_drop_record(struct registrar *r)
{
	struct registrar_record *record = desks_next_record(r);

	r->first_record = record->mail.next;
	if (r->first_record == NULL)
		r->last_record = NULL;
	free(record);
}

/* ---- ... and decided ---------------------------------------------------------- */

static void
desk_advance(struct registrar *r, struct desk_row *desk, const struct registrar_record *record)
{
	desk->sequence.last_seq = record->ask.seq;
	desk->told_resend = false;
	if (desk->dirty)
		return;
	desk->dirty = true;
	desk->next_dirty = r->dirty_desks;
	r->dirty_desks = desk;
}

static void
desk_note_refusal(struct desk_row *desk, uint64_t seq, enum reject reason, const char *detail)
{
	struct registrar_refusal *refusal;

	if (desk->n_refusals == desk->refusals_room) {
		desk->refusals_room = desk->refusals_room > 0 ? desk->refusals_room * 2 : 16;
		desk->refusals =
			xrealloc(desk->refusals, desk->refusals_room * sizeof(*desk->refusals));
	}
	refusal = &desk->refusals[desk->n_refusals++];
	refusal->seq = seq;
	refusal->reason = reason;
	(void)snprintf(refusal->detail, sizeof(refusal->detail), "%.*s",
		       (int)sizeof(refusal->detail) - 1, detail);
}

/* False: no group is free. */
static bool
desk_refuse(struct registrar *r, struct desk_row *desk, const struct registrar_record *record,
	    enum reject reason, const char *detail)
{
	struct quarantine q = {
		.controller_id = desk->desk_id,
		.site_id = record->site_id,
		.epoch = desk->sequence.epoch,
		.seq = record->ask.seq,
		.received_us = record->received_us,
		.reason = (uint16_t)reason,
		.detail = detail,
		.detail_len = strnlen(detail, QUARANTINE_DETAIL_MAX),
		.payload = record->payload,
		.payload_len = record->payload_len,
	};
	uint8_t *body = registrar_room(r, ENTRY_QUARANTINE, 0, quarantine_encoded_len(&q));

	if (body == NULL)
		return false;
	(void)quarantine_encode(&q, body);
	desk_note_refusal(desk, q.seq, reason, detail);
	desk_advance(r, desk, record);
	counter_add(&r->counters.refused, 1);
	return true;
}

/* False: no group is free. */
static bool
desk_accept(struct registrar *r, struct desk_row *desk, const struct registrar_record *record,
	    struct right_change *change)
{
	uint8_t *body;

	change->epoch = desk->sequence.epoch;
	body = registrar_room(r, ENTRY_RIGHT, 0, right_change_encoded_len(change));
	if (body == NULL)
		return false;
	(void)right_change_encode(change, body);
	rights_apply(r->rights, change);
	desk->sequence.device_time_us = change->device_time_us;
	desk_advance(r, desk, record);
	counter_add(&r->counters.changes, 1);
	return true;
}

static bool
desk_decide(struct registrar *r, struct desk_row *desk, const struct registration_desk *who,
	    const struct registrar_record *record)
{
	struct rules_request request = {
		.desk = who,
		.site = reg_site(r->reg, record->site_id),
		.card_key = record->card_key,
		.now_us = record->received_us,
	};
	enum reject reject = record->reject;
	struct right_change change;
	struct err err;

	if (reject != REJECT_NONE)
		return desk_refuse(r, desk, record, reject, record->detail);
	if (request.site == NULL)
		return desk_refuse(r, desk, record, REJECT_FOREIGN_SITE,
				   "the site is not in the register any more");
	reject = rules_decide(r->rights, r->reg, &request, &record->ask, &change, &err);
	if (reject != REJECT_NONE)
		return desk_refuse(r, desk, record, reject, err.msg);
	return desk_accept(r, desk, record, &change);
}

/* False: it has to wait for a group. */
static bool
desks_decide_one(struct registrar *r, const struct registrar_record *record)
{
	struct desk_row *desk = desk_xget(r, record->desk_id);
	const struct registration_desk *who = reg_desk(r->reg, record->desk_id);

	/* of a session that was superseded, of a desk that was disabled: comes again, or not */
	if (desk->box == NULL || record->generation != desk->generation || who == NULL ||
	    !who->enabled || record->ask.seq <= desk->sequence.last_seq)
		return true;
	if (record->ask.seq > desk->sequence.last_seq + 1) {
		if (!desk->told_resend)
			desk_answer(desk, REGISTRAR_MAIL_RESEND);
		desk->told_resend = true;
		return true;
	}
	return desk_decide(r, desk, who, record);
}

void
desks_decide(struct registrar *r)
{
	const struct registrar_record *record;

	if (r->reg == NULL || journal_is_short(r->journal))
		return;
	while ((record = desks_next_record(r)) != NULL && desks_decide_one(r, record))
		desks_drop_record(r);
}

void
desks_tell(struct registrar *r)
{
	while (r->dirty_desks != NULL) {
		struct desk_row *desk = r->dirty_desks;

		r->dirty_desks = desk->next_dirty;
		desk->dirty = false;
		desk_answer(desk, REGISTRAR_MAIL_DONE);
		desk->n_refusals = 0;
	}
}

/* ---- Beginning and end -------------------------------------------------------- */

static void
desks_add_known(void *arg, const struct position *position)
{
	struct desk_row *desk = desk_xget(arg, position->controller_id);

	desk->sequence = (struct sequence){.epoch = position->epoch,
					   .last_seq = position->last_seq,
					   .device_time_us = position->device_time_us};
}

/* Controllers' rows, too: numbers are of one sequence, and who is a desk only the
 * register tells, which may come later. */
void
desks_start(struct registrar *r, const struct positions *start)
{
	positions_each(start, desks_add_known, r);
}

void
desks_free(struct registrar *r)
{
	struct desk_row *desk, *next;

	while (r->first_record != NULL)
		desks_drop_record(r);
	HASH_ITER (hh, r->desks, desk, next) {
		HASH_DEL(r->desks, desk);
		free(desk->refusals);
		free(desk);
	}
}
