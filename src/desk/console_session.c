/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One console: hello, subscription, keep-alive, and the hub's bytes.
 *
 * What it may say when is one table; a pair that is not in it ends the session.
 * Who it is comes from its certificate, what it may see from the register: what
 * it asks for is a filter below that.
 *
 * The hub lends it a credit of bytes.  They are given back when the kernel has
 * them, so a console that doesn't read costs its credit and nothing more; when
 * nothing has moved for stall_ms it is closed, and may go on later from the
 * position it has.
 *
 * Owner: the worker's thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "console_priv.h"
#include "wire/frame.h"

enum { SESSION_MAGIC = 0x436f6e73 };

/* How each line about a session begins: id, name, address. */
#define SESSION_LOG "c=%" PRIu64 " name=%s peer=%s"

static void
session_set_state(struct session *session, enum session_state state)
{
	must(session->state != SESSION_CLOSED);
	session->state = state;
	log_debug("console", "c=%" PRIu64 " state=%d", session->id, (int)state);
}

/* ---- Writing, and the end ---------------------------------------------------------- */

void
console_session_close(struct session *session, enum goaway reason, const char *detail)
{
	uint8_t out[CONSOLE_ANSWER_MAX];
	size_t n;

	if (session->state == SESSION_CLOSED)
		return;
	n = console_put_goaway(out, reason, session->consoles->conf.goaway_delay_ms, detail);
	/* a console that doesn't read can't be told */
	if (stream_write(session->stream, out, n) == RC_OK)
		session->written += n;
	session->closing = goaway_name(reason);
	session->closing_detail = detail;
	counter_add(&session->consoles->counters.closed[reason], 1);
	stream_close(session->stream);
}

/* Returns false when that was the end of it. */
static bool
session_write(struct session *session, const uint8_t *bytes, size_t n)
{
	if (stream_write(session->stream, bytes, n) != RC_OK) {
		console_session_close(session, GOAWAY_SLOW, "no room for what waits to be sent");
		return false;
	}
	session->written += n;
	session->said_ms = clock_mono_ms();
	return true;
}

/* An alarm to a thousand consoles has a thousand notes behind it: they go together. */
static void
session_tell_hub(struct session *session, unsigned kind, size_t bytes)
{
	struct consoles *consoles = session->consoles;
	struct hub_note *note = xcalloc(1, sizeof(*note));

	note->mail.kind = kind;
	note->box = consoles->box;
	note->id = session->id;
	note->bytes = bytes;
	if (consoles->last_note != NULL)
		consoles->last_note->next = &note->mail;
	else
		consoles->first_note = &note->mail;
	consoles->last_note = &note->mail;
}

static void
session_log_closed(const struct session *session, const char *reason, const char *detail)
{
	uint64_t age_ms = clock_mono_ms() - session->opened_ms;

	log_info("console", SESSION_LOG " closed reason=%s age_s=%" PRIu64 " sent=%" PRIu64 "%s%s",
		 session->id, stream_peer_name(session->stream),
		 stream_peer_address(session->stream), reason, age_ms / 1000,
		 session->written - stream_unsent(session->stream), detail[0] != '\0' ? ": " : "",
		 detail);
}

static void
session_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct session *session = arg;
	struct consoles *consoles = session->consoles;

	must(session->magic == SESSION_MAGIC && session->stream == stream);
	if (session->closing != NULL) {
		session_log_closed(session, session->closing, session->closing_detail);
	} else {
		counter_add(&consoles->counters.ended[end], 1);
		session_log_closed(session, stream_end_name(end), err->msg);
	}
	if (session->state == SESSION_SUBSCRIBED)
		session_tell_hub(session, HUB_MAIL_UNSUBSCRIBE, 0);
	session_set_state(session, SESSION_CLOSED);
	session->stream = NULL;
	session->closing_detail = NULL;
	HASH_DEL(consoles->by_id, session);
	TAILQ_REMOVE(&consoles->live, session, in_all);
	/* its memory stays until the sweep: a handler may be at work on it */
	TAILQ_INSERT_TAIL(&consoles->dead, session, in_all);
	counter_set(&consoles->counters.open, HASH_COUNT(consoles->by_id));
}

/* ---- Subscribing -------------------------------------------------------------------- */

static void
subscribe_free(struct hub_subscribe **subscribe)
{
	if (*subscribe == NULL)
		return;
	free((*subscribe)->areas);
	free((*subscribe)->kinds);
	free(*subscribe);
	*subscribe = NULL;
}

static struct hub_subscribe *
subscribe_new(const struct session *session, const struct console_msg *msg)
{
	struct hub_subscribe *subscribe = xcalloc(1, sizeof(*subscribe));
	size_t n_areas = msg->subscribe.n_areas, n_kinds = msg->subscribe.n_kinds;

	subscribe->mail.kind = HUB_MAIL_SUBSCRIBE;
	subscribe->box = session->consoles->box;
	subscribe->id = session->id;
	subscribe->format = HUB_FORMAT_WIRE;
	subscribe->station_id = session->station_id;
	subscribe->from_position = msg->subscribe.from_position;
	subscribe->severity_min = msg->subscribe.severity_min;
	subscribe->called_only = msg->subscribe.called_only;
	/* bounded by the decoder, with both lists and each code */
	subscribe->n_areas = n_areas;
	subscribe->areas = xcalloc(n_areas + 1, sizeof(*subscribe->areas));
	for (size_t i = 0; i < n_areas; i++) {
		must(strlen(msg->subscribe.areas[i]) <= REGISTER_CODE_MAX);
		strcpy(subscribe->areas[i], msg->subscribe.areas[i]);
	}
	subscribe->n_kinds = n_kinds;
	subscribe->kinds = xcalloc(n_kinds + 1, sizeof(*subscribe->kinds));
	/* a number that no kind can have becomes 0, which no kind has; leaving it
	 * out could leave an empty list, which means all */
	for (size_t i = 0; i < n_kinds; i++)
		subscribe->kinds[i] = msg->subscribe.kinds[i] <= UINT16_MAX
					      ? (uint16_t)msg->subscribe.kinds[i]
					      : 0;
	return subscribe;
}

static void
session_post_wanted(struct session *session, uint64_t now_ms)
{
	if (session->wanted == NULL || now_ms < session->subscribed_ms + CONSOLE_SUBSCRIBE_PACE_MS)
		return;
	session->subscribed_ms = now_ms;
	session->position = session->wanted->from_position;
	mailbox_post(session->consoles->hub, &session->wanted->mail);
	session->wanted = NULL;
	if (session->state != SESSION_SUBSCRIBED)
		session_set_state(session, SESSION_SUBSCRIBED);
}

/* ---- What a console may say ----------------------------------------------------------- */

bool
console_session_check_rights(struct session *session)
{
	const struct reg *reg = session->consoles->reg;
	const struct console *console =
		reg != NULL ? reg_console_by_name(reg, stream_peer_name(session->stream)) : NULL;

	if (console == NULL) {
		console_session_close(session, GOAWAY_UNKNOWN, "the register has no such console");
		return false;
	}
	/* no station would mean all stations to the hub */
	if (!console->enabled || console->station_id == 0) {
		console_session_close(session, GOAWAY_DISABLED, "");
		return false;
	}
	if (session->state == SESSION_WAITING_HELLO) {
		session->station_id = console->station_id;
	} else if (session->station_id != console->station_id) {
		console_session_close(session, GOAWAY_RESTART, "it belongs to another station now");
		return false;
	}
	return true;
}

static void
session_take_hello(struct session *session, const struct console_msg *msg)
{
	const struct consoles *consoles = session->consoles;
	uint8_t out[CONSOLE_ANSWER_MAX];
	const struct station *station;
	size_t n;

	if (!console_session_check_rights(session))
		return;
	if (msg->hello.protocol != PROTOCOL_VERSION) {
		console_session_close(session, GOAWAY_VERSION, "this server speaks version 1");
		return;
	}
	station = reg_station(consoles->reg, session->station_id);
	must(station != NULL);
	log_debug("console", "c=%" PRIu64 " station=%s software=%s", session->id, station->code,
		  msg->hello.software);
	const struct console_welcome welcome = {
		.console = stream_peer_name(session->stream),
		.station = station->code,
		.keepalive_s = (uint32_t)(consoles->conf.keepalive_ms / 1000),
		.node = consoles->conf.node,
		.position = consoles->position,
		.server_time_us = clock_wall_us(),
	};
	n = console_put_welcome(out, &welcome);
	if (session_write(session, out, n))
		session_set_state(session, SESSION_WAITING_SUBSCRIBE);
}

static void
session_take_subscribe(struct session *session, const struct console_msg *msg)
{
	subscribe_free(&session->wanted);
	session->wanted = subscribe_new(session, msg);
	session_post_wanted(session, clock_mono_ms());
}

/* That it said something is all that it says. */
static void
session_take_keep_alive(struct session *session, const struct console_msg *msg)
{
	(void)session;
	(void)msg;
}

/* An answer that needs nobody else. */
static void
session_refuse_action(struct session *session, const struct action_request *request)
{
	struct action_result result = {
		.request_id = request->request_id,
		.alarm_id = request->alarm_id,
		.refusal = REFUSAL_BUSY,
		.by = "",
		.detail = "too many actions wait for their answers",
	};
	uint8_t out[CONSOLE_ANSWER_MAX];

	(void)session_write(session, out, console_put_action_result(out, &result));
}

static void
session_take_action(struct session *session, const struct console_msg *msg)
{
	const struct console *console =
		reg_console_by_name(session->consoles->reg, stream_peer_name(session->stream));
	struct action_ask *ask;

	if (session->n_actions >= CONSOLE_ACTIONS_MAX || console == NULL) {
		session_refuse_action(session, &msg->action);
		return;
	}
	ask = action_ask_new(&msg->action);
	ask->box = session->consoles->box;
	ask->id = session->id;
	ask->actor_kind = ACTOR_CONSOLE;
	ask->station_id = session->station_id;
	ask->supervisor = console->supervisor;
	(void)snprintf(ask->actor, sizeof(ask->actor), "%s", console->name);
	session->n_actions++;
	mailbox_post(session->consoles->hub, &ask->mail);
}

void
console_session_answer(struct session *session, const struct action_result *result)
{
	uint8_t out[CONSOLE_ANSWER_MAX];

	must(session->n_actions > 0);
	session->n_actions--;
	(void)session_write(session, out, console_put_action_result(out, result));
}

static void
session_take_shown(struct session *session, const struct console_msg *msg)
{
	struct shown_ask *ask = xcalloc(1, sizeof(*ask));

	ask->mail.kind = ACTIONS_MAIL_SHOWN;
	ask->station_id = session->station_id;
	/* bounded by the decoder */
	ask->n = msg->shown.n;
	memcpy(ask->alarms, msg->shown.alarms, msg->shown.n * sizeof(ask->alarms[0]));
	mailbox_post(session->consoles->hub, &ask->mail);
}

enum { MESSAGE_TYPES = CONSOLE_MSG_SHOWN + 1 };

static void (*const session_handlers[SESSION_STATES][MESSAGE_TYPES])(struct session *,
								     const struct console_msg *) = {
	[SESSION_WAITING_HELLO] = {[CONSOLE_MSG_HELLO] = session_take_hello},
	[SESSION_WAITING_SUBSCRIBE] = {[CONSOLE_MSG_SUBSCRIBE] = session_take_subscribe,
				       [CONSOLE_MSG_KEEP_ALIVE] = session_take_keep_alive},
	[SESSION_SUBSCRIBED] = {[CONSOLE_MSG_SUBSCRIBE] = session_take_subscribe,
				[CONSOLE_MSG_KEEP_ALIVE] = session_take_keep_alive,
				[CONSOLE_MSG_ACTION] = session_take_action,
				[CONSOLE_MSG_SHOWN] = session_take_shown},
};

static void
session_take_frame(struct session *session, const uint8_t *payload, size_t n)
{
	struct arena *arena = &session->consoles->arena;
	struct console_msg msg;
	struct err err;

	arena_reset(arena);
	if (console_msg_decode(arena, payload, n, &msg, &err) != RC_OK) {
		console_session_close(session, GOAWAY_BAD_FRAME, err.msg);
		return;
	}
	session->heard_ms = clock_mono_ms();
	if (session_handlers[session->state][msg.type] == NULL) {
		console_session_close(session, GOAWAY_PROTOCOL, "this message is not allowed here");
		return;
	}
	session_handlers[session->state][msg.type](session, &msg);
}

static size_t
session_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct session *session = arg;
	size_t done = 0;

	must(session->magic == SESSION_MAGIC && session->stream == stream);
	while (session->state != SESSION_CLOSED) {
		const uint8_t *payload = NULL;
		size_t len = 0, used = 0;

		switch (frame_parse(bytes + done, n - done, session->consoles->conf.frame_max_bytes,
				    &payload, &len, &used)) {
		case FRAME_WHOLE:
			session_take_frame(session, payload, len);
			done += used;
			break;
		case FRAME_PARTIAL:
			return done;
		case FRAME_TOO_LONG:
			console_session_close(session, GOAWAY_FRAME_TOO_LONG, "");
			break;
		case FRAME_BAD:
			console_session_close(session, GOAWAY_BAD_FRAME, "the length does not end");
			break;
		}
	}
	return done;
}

/* ---- What it is told --------------------------------------------------------------------- */

void
console_session_deliver(struct session *session, const struct hub_delivery *delivery)
{
	if (!session_write(session, delivery->bytes, delivery->n))
		return;
	session->owed += delivery->n;
	session->position = delivery->position;
}

static void
session_on_drained(void *arg, struct stream *stream)
{
	struct session *session = arg;

	must(session->magic == SESSION_MAGIC && session->stream == stream);
	if (session->owed == 0)
		return;
	session_tell_hub(session, HUB_MAIL_SENT, session->owed);
	session->owed = 0;
}

static void
session_keep_alive(struct session *session)
{
	uint8_t out[CONSOLE_ANSWER_MAX];
	size_t n = console_put_keep_alive(out, clock_wall_us(), session->position);

	(void)session_write(session, out, n);
}

/* ---- Time --------------------------------------------------------------------------------- */

static void
session_note_movement(struct session *session, uint64_t now_ms)
{
	uint64_t moved = session->written - stream_unsent(session->stream);

	if (moved != session->moved || stream_unsent(session->stream) == 0)
		session->moved_ms = now_ms;
	session->moved = moved;
}

void
console_session_sweep(struct session *session, uint64_t now_ms)
{
	const struct consoles_conf *conf = &session->consoles->conf;

	session_note_movement(session, now_ms);
	if (session->state == SESSION_WAITING_HELLO) {
		if (now_ms - session->opened_ms >= conf->hello_timeout_ms)
			console_session_close(session, GOAWAY_IDLE, "no hello came");
		return;
	}
	if (now_ms - session->moved_ms >= conf->stall_ms) {
		console_session_close(session, GOAWAY_SLOW, "it does not read");
		return;
	}
	if (now_ms - session->heard_ms >= CONSOLE_SILENCES_MAX * conf->keepalive_ms) {
		console_session_close(session, GOAWAY_IDLE, "");
		return;
	}
	session_post_wanted(session, now_ms);
	/* one sweep early, or it could come one sweep late; behind bytes that wait it
	 * would say nothing new */
	if (now_ms - session->said_ms + CONSOLE_SWEEP_MS >= conf->keepalive_ms &&
	    stream_unsent(session->stream) == 0)
		session_keep_alive(session);
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

/* on_open was called for the owner before us. */
static const struct stream_hooks session_hooks = {
	.on_bytes = session_on_bytes,
	.on_drained = session_on_drained,
	.on_closed = session_on_closed,
};

void
console_session_open(struct consoles *consoles, struct stream *stream)
{
	struct session *session = xcalloc(1, sizeof(*session));
	uint64_t now_ms = clock_mono_ms();

	session->magic = SESSION_MAGIC;
	session->state = SESSION_WAITING_HELLO;
	session->consoles = consoles;
	session->stream = stream;
	session->id = ++consoles->next_id;
	session->opened_ms = session->heard_ms = session->said_ms = session->moved_ms = now_ms;
	TAILQ_INSERT_TAIL(&consoles->live, session, in_all);
	HASH_ADD(hh, consoles->by_id, id, sizeof(session->id), session);
	counter_set(&consoles->counters.open, HASH_COUNT(consoles->by_id));
	stream_hand_over(stream, &session_hooks, session);
	log_info("console", SESSION_LOG " opened", session->id, stream_peer_name(stream),
		 stream_peer_address(stream));
}

void
console_session_free(struct session *session)
{
	must(session->state == SESSION_CLOSED);
	subscribe_free(&session->wanted);
	session->magic = 0;
	free(session);
}
