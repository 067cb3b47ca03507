/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record's way into the group: its place in the sequence first, then what it
 * says.  Whatever is decided here is appended, rejected into the quarantine, or
 * left for the controller to send again; nothing is dropped.
 *
 * HOLES.  Behind a hole nothing is kept: the controller is asked to send on from
 * the hole, and what came behind it comes again.  The hole is declared a gap only
 * when the controller shows that it has nothing to fill it with: it says so
 * (Lost), it sends the first record behind the hole a second time after it was
 * asked, or it opens with a record behind the hole after a former session had
 * asked.  So a gap can never cost a record that the controller still has.  Should
 * what was declared come after all, it is taken, in whatever order, and the follower
 * says when the gap is filled.
 *
 * SHORT OF SPACE.  Records stay with their controller, unacknowledged, and it is
 * asked for them later.  The session reads on all the same, because alarms come
 * between and behind them: each goes ahead of its turn, and again in its turn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sessions_priv.h"
#include "wire/kind.h"

/* ---- What it says -------------------------------------------------------- */

static enum reject
intake_resolve_door(const struct session *session, const struct reported *reported,
		    struct record *record, struct err *err)
{
	uint32_t number = reported_door(reported);
	const struct door *door;

	record->controller_id = session->controller->id;
	record->site_id = session->controller->site_id;
	if (number == 0)
		return REJECT_NONE;
	door = controller_door(session->controller, number);
	if (door == NULL) {
		(void)err_invalid(err, "door is %" PRIu32 ", the register gives no such door to %s",
				  number, session->name);
		return REJECT_UNKNOWN_DOOR;
	}
	record->door_id = door->id;
	return REJECT_NONE;
}

static void
intake_stamp(const struct session *session, struct record *record)
{
	record->epoch = session->sequence.epoch;
	record->received_us = clock_wall_us();
	if (record->device_time_us < session->sequence.device_time_us)
		record->flags |= RECORD_CLOCK_BACKWARDS;
	/* behind is what every buffered record is; ahead is a wrong clock */
	if (record->device_time_us - record->received_us > session->all->conf.clock_tolerance_us)
		record->flags |= RECORD_CLOCK_OFF;
}

/* The last place that sees the card number.  False: there is no key for a token.  A
 * registration gets none: beside the unit in it, the token would tie the month's accesses
 * to a dwelling for good, also after the month's key was destroyed. */
static bool
intake_tokenise(struct session *session, struct reported *reported, struct record *record)
{
	size_t n;
	const uint8_t *card = reported_card(reported, &n);
	bool registers = (kind_get(record->kind)->flags & KIND_FLAG_CHANGE) != 0;
	struct err err;
	enum rc rc;

	if (n == 0 || registers) {
		reported_wipe_card(reported);
		return true;
	}
	rc = card_token(session->all->keys, record->site_id, record->received_us, card, n,
			record->token, &err);
	reported_wipe_card(reported);
	if (rc != RC_OK) {
		log_error("fleet", "no card token: %s", err.msg);
		return false;
	}
	record->flags |= RECORD_HAS_TOKEN;
	return true;
}

static uint8_t
intake_flags(const struct record *record)
{
	const struct kind *kind = kind_get(record->kind);

	return (kind->flags & KIND_FLAG_RAISES) != 0 || kind->restores != 0 ? ENTRY_FLAG_DESK : 0;
}

/* What a door did with a card is held against its rights. */
static uint8_t
intake_rights_flag(const struct record *record)
{
	bool decided =
		record->kind == KIND_CODE_ACCESS_GRANTED || record->kind == KIND_CODE_ACCESS_DENIED;

	return decided && (record->flags & RECORD_HAS_TOKEN) != 0 ? ENTRY_FLAG_RIGHTS : 0;
}

/* ---- Into the group ------------------------------------------------------ */

/* The sequence moves on to `seq`, or that one of a declared gap is here; and the
 * session is told when that is durable.  An entry was added just before, so there is
 * a batch. */
static void
intake_advance(struct session *session, uint64_t seq)
{
	struct gap filled;

	if (seq > session->sequence.last_seq) {
		session->sequence.last_seq = seq;
		session->sequence.asked_from = 0;
		session->hole_seen = 0;
		session->held_from = 0;
	} else {
		/* the follower says so when it was the last one */
		(void)gaps_take(&session->sequence.gaps, seq, &filled);
	}
	must(batch_note_ack(session));
}

static enum intake
intake_quarantine(struct session *session, struct reported *reported, enum reject reason,
		  const struct err *why)
{
	struct sessions *all = session->all;
	size_t room = JOURNAL_BODY_MAX / 2;
	uint8_t *payload = arena_get(&all->arena, room), *body;
	struct quarantine q = {
		.controller_id = session->controller->id,
		.site_id = session->controller->site_id,
		.epoch = session->sequence.epoch,
		.seq = reported_seq(reported),
		.received_us = clock_wall_us(),
		.reason = (uint16_t)reason,
		.detail = why->msg,
		.detail_len = strnlen(why->msg, QUARANTINE_DETAIL_MAX),
	};

	if (payload != NULL) {
		q.payload = payload;
		q.payload_len = reported_pack_safely(reported, payload,
						     room < DETAIL_MAX ? room : DETAIL_MAX);
	}
	body = batch_add(all, ENTRY_QUARANTINE, 0, quarantine_encoded_len(&q));
	if (body == NULL)
		return INTAKE_WAIT;
	(void)quarantine_encode(&q, body);
	batch_note_refusal(session, q.seq, reason, why->msg);
	intake_advance(session, q.seq);
	counter_add(&all->counters.rejected, 1);
	log_debug("fleet", "rejected ctl=%s seq=%" PRIu64 " reason=%s: %s", session->name, q.seq,
		  reject_name(reason), why->msg);
	return INTAKE_DONE;
}

static enum intake
intake_append(struct session *session, struct reported *reported)
{
	struct sessions *all = session->all;
	struct record record;
	struct err err;
	enum reject reject = reported_check(&all->arena, reported, &record, &err);
	size_t len;
	uint8_t *body;

	if (reject == REJECT_NONE)
		reject = intake_resolve_door(session, reported, &record, &err);
	if (reject != REJECT_NONE)
		return intake_quarantine(session, reported, reject, &err);
	intake_stamp(session, &record);
	if (!intake_tokenise(session, reported, &record)) {
		session_close(session, GOAWAY_OVERLOAD, "the server can't make card tokens now");
		return INTAKE_DONE;
	}
	len = record_encoded_len(&record);
	body = batch_add(all, ENTRY_RECORD, intake_flags(&record) | intake_rights_flag(&record),
			 len);
	if (body == NULL)
		return INTAKE_WAIT;
	(void)record_encode(&record, body);
	if (record.seq > session->sequence.last_seq)
		session->sequence.device_time_us = record.device_time_us;
	intake_advance(session, record.seq);
	session->records++;
	counter_add(&all->counters.records, 1);
	counter_add(&all->counters.bytes, len);
	return INTAKE_DONE;
}

/* ---- Its place in the sequence ------------------------------------------- */

/* Records last_seq + 1 .. to are gone for good: says so in the journal, goes on. */
static enum intake
intake_gap(struct session *session, uint64_t to)
{
	struct sessions *all = session->all;
	uint64_t from = session->sequence.last_seq + 1;
	const struct observed about = {session->controller->id, session->controller->site_id};
	struct record record;
	char detail[120];
	uint8_t *body;

	(void)snprintf(detail, sizeof(detail),
		       "{\"epoch\":%" PRId64 ",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}",
		       session->sequence.epoch, from, to);
	observer_record(&all->observer, &about, KIND_CODE_RECORDS_GAP, clock_wall_us(), detail,
			&record);
	body = batch_add(all, ENTRY_RECORD, ENTRY_FLAG_DESK, record_encoded_len(&record));
	if (body == NULL)
		return INTAKE_WAIT;
	(void)record_encode(&record, body);
	intake_advance(session, to);
	gaps_add(&session->sequence.gaps, from, to);
	counter_add(&all->counters.gaps, 1);
	log_warning("fleet", "gap ctl=%s epoch=%" PRId64 " from=%" PRIu64 " to=%" PRIu64,
		    session->name, session->sequence.epoch, from, to);
	return INTAKE_DONE;
}

/* `seq` came behind a hole: does the controller show that it can't fill it? */
static bool
intake_hole_is_gap(const struct session *session, uint64_t seq)
{
	if (session->hole_seen == 0)
		return session->sequence.asked_from == session->sequence.last_seq + 1;
	/* what came in one piece with the hole was sent before the question arrived */
	return seq <= session->hole_seen && session->readings != session->hole_reading;
}

static enum intake
intake_behind_hole(struct session *session, struct reported *reported)
{
	uint64_t seq = reported_seq(reported);

	if (intake_hole_is_gap(session, seq)) {
		if (intake_gap(session, seq - 1) == INTAKE_WAIT)
			return INTAKE_WAIT;
		return intake_append(session, reported);
	}
	counter_add(&session->all->counters.out_of_order, 1);
	if (session->hole_seen == 0)
		session_ask_again(session, seq);
	return INTAKE_DONE;
}

/* ---- Short of space ------------------------------------------------------ */

/* May `seq`, which we don't have, not be kept now?  Once one was held, what comes
 * behind it is no evidence of a hole. */
static bool
intake_must_hold(const struct session *session, uint64_t seq)
{
	if (journal_is_short(session->all->journal))
		return true;
	return session->held_from != 0 && seq != session->sequence.last_seq + 1;
}

static void
intake_note_held(struct session *session, uint64_t seq)
{
	if (session->held_from == 0 || seq < session->held_from)
		session->held_from = seq;
}

static enum intake
intake_hold(struct session *session, struct reported *reported)
{
	if (intake_ahead(session, reported) == INTAKE_WAIT)
		return INTAKE_WAIT;
	intake_note_held(session, reported_seq(reported));
	counter_add(&session->all->counters.held, 1);
	return INTAKE_DONE;
}

enum intake
intake_record(struct session *session, struct reported *reported)
{
	uint64_t seq = reported_seq(reported), last = session->sequence.last_seq;

	if (seq > last && intake_must_hold(session, seq))
		return intake_hold(session, reported);
	if (seq == last + 1)
		return intake_append(session, reported);
	if (seq > last)
		return intake_behind_hole(session, reported);
	if (gaps_has(&session->sequence.gaps, seq))
		return intake_append(session, reported);
	/* had already: the ack that covers it may have been lost on the way */
	if (!batch_note_ack(session))
		return INTAKE_WAIT;
	counter_add(&session->all->counters.duplicates, 1);
	return INTAKE_DONE;
}

enum intake
intake_lost(struct session *session, uint64_t from, uint64_t to)
{
	uint64_t last = session->sequence.last_seq;

	if (to <= last)
		return INTAKE_DONE;
	if (from > last + 1 && intake_must_hold(session, from)) {
		intake_note_held(session, from);
		return INTAKE_DONE;
	}
	/* little to write, and an alarm: also when short of space */
	if (from <= last + 1 || intake_hole_is_gap(session, from))
		return intake_gap(session, to);
	if (session->hole_seen == 0)
		session_ask_again(session, from);
	return INTAKE_DONE;
}

enum intake
intake_ahead(struct session *session, struct reported *reported)
{
	struct sessions *all = session->all;
	struct record record;
	struct err err;
	uint8_t *body;

	/* what does not make sense is rejected in its turn, where it has a place */
	if (reported_seq(reported) <= session->sequence.last_seq ||
	    reported_check(&all->arena, reported, &record, &err) != REJECT_NONE ||
	    intake_resolve_door(session, reported, &record, &err) != REJECT_NONE ||
	    intake_flags(&record) == 0)
		return INTAKE_DONE;
	intake_stamp(session, &record);
	reported_wipe_card(reported); /* the desk has no use for a token */
	body = batch_add(all, ENTRY_AHEAD, ENTRY_FLAG_DESK, record_encoded_len(&record));
	if (body == NULL)
		return INTAKE_WAIT;
	(void)record_encode(&record, body);
	counter_add(&all->counters.ahead, 1);
	return INTAKE_DONE;
}
