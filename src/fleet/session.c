/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One controller's or desk's conversation.  What is allowed when stands in one table, by
 * role; what isn't closes the connection with a reason.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sessions_priv.h"
#include "wire/frame.h"

/* ---- State, answers, end ------------------------------------------------- */

static void
session_set_state(struct session *session, enum session_state state)
{
	static const char *const names[SESSION_STATES] = {"hello", "claiming", "streaming",
							  "closed"};

	log_debug("session", "c=%" PRIu64 " ctl=%s %s -> %s", session->id, session->name,
		  names[session->state], names[state]);
	session->state = state;
}

void
session_answer(struct session *session, const uint8_t *bytes, size_t n)
{
	if (session->state != SESSION_CLOSED && stream_write(session->stream, bytes, n) != RC_OK)
		session_close(session, GOAWAY_SLOW, "answers are not being read");
}

static void
session_log_end(const struct session *session, const char *reason, const char *detail)
{
	uint64_t now = clock_mono_ms();

	log_info("session",
		 "c=%" PRIu64 " ctl=%s peer=%s closed reason=%s%s%s age_s=%" PRIu64
		 " records=%" PRIu64 " acked=%" PRIu64,
		 session->id, session->name, stream_peer_address(session->stream), reason,
		 detail[0] != '\0' ? ": " : "", detail, (now - session->opened_ms) / 1000,
		 session->records, session->acked);
}

/* Out of every list, and the controller or desk free for the next. */
static void
session_end(struct session *session)
{
	bool granted = session->state == SESSION_STREAMING;

	session_set_state(session, SESSION_CLOSED);
	list_unsubscribe(session);
	if (granted && session->role == TLS_ROLE_DESK)
		registration_release(session->all, session->id, session->client_id,
				     session->generation);
	else if (granted)
		sessions_release(session->all, session->client_id, session->generation,
				 &session->sequence, session->heard_ms);
	sessions_remove(session);
}

void
session_close(struct session *session, enum goaway reason, const char *fmt, ...)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];
	char detail[256];
	va_list args;

	if (session->state == SESSION_CLOSED)
		return;
	va_start(args, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	counter_add(&session->all->counters.closed[reason], 1);
	session_log_end(session, goaway_name(reason), detail);
	/* best effort: who doesn't read doesn't hear */
	(void)!stream_write(
		session->stream, bytes,
		controller_put_goaway(bytes, reason, session->all->conf.goaway_delay_ms, detail));
	session_end(session);
	stream_close(session->stream);
}

static void
session_closed_cb(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct session *session = arg;

	(void)stream;
	must(session->magic == SESSION_MAGIC);
	if (session->state == SESSION_CLOSED)
		return; /* our own doing, said already */
	counter_add(&session->all->counters.ended[end], 1);
	session_log_end(session, stream_end_name(end), err->msg);
	session_end(session);
}

void
session_ask_again(struct session *session, uint64_t seen)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];
	uint64_t from = session->sequence.last_seq + 1;

	session->hole_seen = seen;
	session->hole_reading = session->readings;
	session->sequence.asked_from = from;
	session->hole_deadline_ms = clock_mono_ms() + session->all->conf.gap_wait_ms;
	counter_add(&session->all->counters.resends, 1);
	session_answer(session, bytes, controller_put_resend(bytes, from));
}

static void
session_wait_for_group(struct session *session)
{
	struct sessions *all = session->all;

	session->waits_for_group = true;
	TAILQ_INSERT_TAIL(&all->waiting, session, in_waiting);
	counter_set(&all->counters.paused, counter_get(&all->counters.paused) + 1);
	stream_pause(session->stream);
}

/* ---- Messages ------------------------------------------------------------ */

static bool
session_doors_ok(struct session *session, const struct hello *hello)
{
	if (session->role == TLS_ROLE_DESK && hello->n_doors > 0) {
		session_close(session, GOAWAY_FOREIGN_DOOR, "a registration desk has no doors");
		return false;
	}
	for (size_t i = 0; i < hello->n_doors; i++) {
		const struct hello_door *claim = &hello->doors[i];
		const struct door *door = controller_door(session->controller, claim->number);

		if (door == NULL) {
			session_close(session, GOAWAY_FOREIGN_DOOR,
				      "the register gives no door number %" PRIu32 " to %s",
				      claim->number, session->name);
			return false;
		}
		if (claim->code[0] != '\0' && strcmp(claim->code, door->code) != 0) {
			session_close(session, GOAWAY_FOREIGN_DOOR,
				      "door number %" PRIu32
				      " of %s is \"%s\" in the register, not \"%s\"",
				      claim->number, session->name, door->code, claim->code);
			return false;
		}
	}
	return true;
}

static void
session_claim(struct session *session)
{
	struct roster_claim *claim = xcalloc(1, sizeof(*claim));

	claim->mail.kind = ROSTER_MAIL_CLAIM;
	claim->controller_id = session->client_id;
	claim->box = loop_mailbox(session->all->loop);
	claim->session = session->id;
	claim->epoch = session->hello_epoch;
	claim->acked_seq = session->hello_acked;
	mailbox_post(session->all->roster, &claim->mail);
}

static enum intake
session_take_hello(struct session *session, const struct controller_msg *msg)
{
	const struct hello *hello = &msg->hello;

	if (hello->protocol != PROTOCOL_VERSION) {
		session_close(session, GOAWAY_VERSION,
			      "protocol %" PRIu32 " is not spoken here, %d is", hello->protocol,
			      PROTOCOL_VERSION);
		return INTAKE_DONE;
	}
	if (!session_doors_ok(session, hello))
		return INTAKE_DONE;
	log_info("session",
		 "c=%" PRIu64 " ctl=%s peer=%s hello epoch=%" PRIu64 " acked=%" PRIu64
		 " firmware=\"%s\" clock_off_ms=%" PRId64,
		 session->id, session->name, stream_peer_address(session->stream), hello->epoch,
		 hello->acked_seq, hello->firmware, (hello->clock_us - clock_wall_us()) / 1000);
	session->hello_epoch = hello->epoch;
	session->hello_acked = hello->acked_seq;
	session->hello_list = hello->list_number;
	session_set_state(session, SESSION_CLAIMING);
	/* what follows the hello already is kept until there is an answer */
	stream_pause(session->stream);
	if (session->role == TLS_ROLE_DESK)
		registration_claim(session);
	else
		session_claim(session);
	return INTAKE_DONE;
}

/* From here on a controller's and a desk's conversation differ. */
static void
session_begin_controller(struct session *session)
{
	/* what it must not open any more comes before all else */
	list_subscribe(session);
	/* What the session before this one appended may not be durable yet, and its
	 * acks have nobody to go to: this batch comes back behind it.  Where no batch
	 * is free, the next one does the same: a controller whose window is full of
	 * what was before would wait for this ack for ever. */
	if (session->sequence.last_seq > 0 && !batch_note_ack(session)) {
		session->owes_ack = true;
		session_wait_for_group(session);
		return;
	}
	if (!session->all->stopping)
		stream_resume(session->stream);
}

static void
session_begin_desk(struct session *session)
{
	/* what the registrar knows of may not be durable yet; it says so when it is */
	session->acked = session->hello_acked < session->sequence.last_seq
				 ? session->hello_acked
				 : session->sequence.last_seq;
	if (!session->all->stopping)
		stream_resume(session->stream);
}

void
session_granted(struct session *session, uint64_t generation, const struct sequence *sequence)
{
	const struct sessions_conf *conf = &session->all->conf;
	uint8_t bytes[CONTROLLER_ANSWER_MAX];
	struct welcome welcome = {
		.server_time_us = clock_wall_us(),
		.epoch = (uint64_t)sequence->epoch,
		.resume_after = sequence->last_seq,
		.heartbeat_s = conf->heartbeat_s,
		.lease_s = conf->lease_s,
		.window = conf->window,
		.frame_max_bytes = conf->frame_max_bytes,
		.controller = session->name,
	};

	session->generation = generation;
	session->sequence = *sequence;
	session_set_state(session, SESSION_STREAMING);
	session_answer(session, bytes, controller_put_welcome(bytes, &welcome));
	if (session->state != SESSION_STREAMING)
		return;
	if (session->role == TLS_ROLE_DESK)
		session_begin_desk(session);
	else
		session_begin_controller(session);
}

static enum intake
session_take_record(struct session *session, const struct controller_msg *msg)
{
	return intake_record(session, msg->record);
}

static enum intake
session_take_ahead(struct session *session, const struct controller_msg *msg)
{
	return intake_ahead(session, msg->record);
}

static enum intake
session_take_lost(struct session *session, const struct controller_msg *msg)
{
	return intake_lost(session, msg->lost.from, msg->lost.to);
}

static enum intake
session_take_heartbeat(struct session *session, const struct controller_msg *msg)
{
	uint8_t bytes[CONTROLLER_ANSWER_MAX];

	(void)msg;
	counter_add(&session->all->counters.heartbeats, 1);
	session_answer(session, bytes, controller_put_heartbeat_reply(bytes, clock_wall_us()));
	return INTAKE_DONE;
}

static enum intake
session_take_confirm(struct session *session, const struct controller_msg *msg)
{
	list_confirm(session, msg->confirmed);
	return INTAKE_DONE;
}

static enum intake
session_take_registration(struct session *session, const struct controller_msg *msg)
{
	return registration_record(session, msg->record);
}

typedef enum intake session_handler(struct session *session, const struct controller_msg *msg);

/* While CLAIMING nothing is read; what isn't here is a breach of the contract. */
static session_handler *const session_handlers[TLS_ROLES][SESSION_STATES][CONTROLLER_MSG_TYPES] = {
	[TLS_ROLE_CONTROLLER] =
		{
			[SESSION_HELLO] =
				{
					[CONTROLLER_MSG_HELLO] = session_take_hello,
				},
			[SESSION_STREAMING] =
				{
					[CONTROLLER_MSG_RECORD] = session_take_record,
					[CONTROLLER_MSG_HEARTBEAT] = session_take_heartbeat,
					[CONTROLLER_MSG_AHEAD] = session_take_ahead,
					[CONTROLLER_MSG_LOST] = session_take_lost,
					[CONTROLLER_MSG_CONFIRM] = session_take_confirm,
				},
		},
	[TLS_ROLE_DESK] =
		{
			[SESSION_HELLO] =
				{
					[CONTROLLER_MSG_HELLO] = session_take_hello,
				},
			[SESSION_STREAMING] =
				{
					[CONTROLLER_MSG_RECORD] = session_take_registration,
					[CONTROLLER_MSG_HEARTBEAT] = session_take_heartbeat,
				},
		},
};

/* ---- Frames -------------------------------------------------------------- */

static enum intake
session_take_frame(struct session *session, const uint8_t *payload, size_t n)
{
	static const char *const names[CONTROLLER_MSG_TYPES] = {"hello", "record", "heartbeat",
								"ahead", "lost",   "confirm"};
	struct controller_msg msg;
	struct err err;
	session_handler *handler;

	arena_reset(&session->all->arena);
	if (controller_msg_decode(&session->all->arena, payload, n, &msg, &err) != RC_OK) {
		session_close(session, GOAWAY_BAD_FRAME, "%s", err.msg);
		return INTAKE_DONE;
	}
	handler = session_handlers[session->role][session->state][msg.type];
	if (handler == NULL) {
		session_close(session, GOAWAY_PROTOCOL, "%s is not expected %s", names[msg.type],
			      session->state == SESSION_HELLO ? "before hello" : "here");
		return INTAKE_DONE;
	}
	return handler(session, &msg);
}

/* Who has not been welcomed has not been told how much is allowed. */
static size_t
session_frame_max(const struct session *session)
{
	size_t max = session->all->conf.frame_max_bytes;

	return session->state == SESSION_HELLO && max > HELLO_FRAME_MAX ? HELLO_FRAME_MAX : max;
}

static size_t
session_bytes_cb(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct session *session = arg;
	size_t used = 0;

	(void)stream;
	must(session->magic == SESSION_MAGIC);
	PREFETCH(session->controller); /* wanted once the record is decoded */
	session->readings++;
	session->heard_ms = clock_mono_ms();
	while (session->state == SESSION_HELLO || session->state == SESSION_STREAMING) {
		const uint8_t *payload;
		size_t len, frame;

		switch (frame_parse(bytes + used, n - used, session_frame_max(session), &payload,
				    &len, &frame)) {
		case FRAME_PARTIAL:
			return used;
		case FRAME_TOO_LONG:
			session_close(session, GOAWAY_FRAME_TOO_LONG,
				      "a frame is longer than %zu bytes",
				      session_frame_max(session));
			return used;
		case FRAME_BAD:
			session_close(session, GOAWAY_BAD_FRAME,
				      "the length of a frame does not end within %d bytes",
				      FRAME_HEADER_MAX);
			return used;
		case FRAME_WHOLE:
			break;
		}
		switch (session_take_frame(session, payload, len)) {
		case INTAKE_WAIT:
			session_wait_for_group(session);
			return used;
		case INTAKE_PAUSE:
			session->waits_for_acks = true;
			stream_pause(session->stream);
			return used;
		case INTAKE_DONE:
			used += frame;
			break;
		}
	}
	return used;
}

static void
session_drained_cb(void *arg, struct stream *stream)
{
	struct session *session = arg;

	(void)stream;
	must(session->magic == SESSION_MAGIC);
	list_drained(session);
}

const struct stream_hooks session_hooks = {
	.on_bytes = session_bytes_cb,
	.on_drained = session_drained_cb,
	.on_closed = session_closed_cb,
};

/* ---- Time ---------------------------------------------------------------- */

/* What was left with the controller for want of space is asked for when there is
 * some: before, its patience and ours have no end. */
static void
session_check_held(struct session *session, uint64_t now_ms)
{
	if (session->held_from == 0)
		return;
	if (journal_is_short(session->all->journal)) {
		session->hole_deadline_ms = now_ms + session->all->conf.gap_wait_ms;
		return;
	}
	session_ask_again(session, session->held_from);
	session->held_from = 0;
}

void
session_check_time(struct session *session, uint64_t now_ms)
{
	const struct sessions_conf *conf = &session->all->conf;
	uint64_t silent_ms = now_ms - session->heard_ms;

	session_check_held(session, now_ms);
	if (session->state != SESSION_STREAMING) {
		if (now_ms - session->opened_ms >= conf->hello_timeout_ms)
			session_close(session, GOAWAY_IDLE, "no hello within %" PRIu64 " ms",
				      conf->hello_timeout_ms);
	} else if (session->waits_for_group || session->waits_for_acks) {
		/* it is we who don't listen: no time of its can run out by that */
		session->heard_ms = now_ms;
		session->hole_deadline_ms = now_ms + conf->gap_wait_ms;
	} else if (silent_ms >= (uint64_t)conf->lease_s * 1000) {
		session_close(session, GOAWAY_IDLE, "silent for %" PRIu64 " s", silent_ms / 1000);
	} else if (session->hole_seen != 0 && session->hole_deadline_ms <= now_ms) {
		session_close(session, GOAWAY_PROTOCOL,
			      "records from %" PRIu64 " were asked for and did not come",
			      session->sequence.asked_from);
	}
}
