/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller's side of the contract: frames to messages, answers to frames.
 * Records are looked at in reported.c.
 */
#include "wire/controller_msg.h"

#include <string.h>

#include "pb.h"

const char *
goaway_name(enum goaway reason)
{
	static const char *const names[GOAWAY_COUNT] = {
		[GOAWAY_NONE] = "none",
		[GOAWAY_RESTART] = "restart",
		[GOAWAY_DISABLED] = "disabled",
		[GOAWAY_UNKNOWN] = "unknown_identity",
		[GOAWAY_SUPERSEDED] = "superseded",
		[GOAWAY_STALE_EPOCH] = "stale_epoch",
		[GOAWAY_FOREIGN_DOOR] = "foreign_door",
		[GOAWAY_PROTOCOL] = "protocol",
		[GOAWAY_VERSION] = "version",
		[GOAWAY_FRAME_TOO_LONG] = "frame_too_long",
		[GOAWAY_BAD_FRAME] = "bad_frame",
		[GOAWAY_IDLE] = "idle",
		[GOAWAY_SLOW] = "slow",
		[GOAWAY_OVERLOAD] = "overload",
		[GOAWAY_WRONG_ROLE] = "wrong_role",
	};

	return names[reason];
}

/* ---- What a controller says ---------------------------------------------- */

static enum rc
hello_doors(struct arena *arena, const Gatehouse__V1__Hello *from, struct hello *to,
	    struct err *err)
{
	if (from->n_doors > CONTROLLER_DOORS_MAX)
		return err_invalid(err, "hello names %zu doors, at most %d are allowed",
				   from->n_doors, CONTROLLER_DOORS_MAX);
	to->doors = arena_get(arena, from->n_doors * sizeof(*to->doors));
	if (to->doors == NULL && from->n_doors > 0)
		return err_invalid(err, "hello is too large");
	to->n_doors = from->n_doors;
	for (size_t i = 0; i < from->n_doors; i++) {
		if (!pb_text_ok(arena, from->doors[i]->code, HELLO_TEXT_MAX))
			return err_invalid(
				err, "code of door %u in hello is not a text of at most %d bytes",
				from->doors[i]->number, HELLO_TEXT_MAX);
		to->doors[i] = (struct hello_door){.number = from->doors[i]->number,
						   .code = from->doors[i]->code};
	}
	return RC_OK;
}

static enum rc
hello_take(struct arena *arena, const Gatehouse__V1__Hello *from, struct hello *to, struct err *err)
{
	*to = (struct hello){
		.protocol = from->protocol,
		.epoch = from->epoch,
		.acked_seq = from->acked_seq,
		.clock_us = from->clock_us,
		.firmware = from->firmware,
		.list_number = from->list_number,
	};
	/* only told to people: what can't be a clock counts as none */
	if (to->clock_us < 0 || to->clock_us > INT64_MAX / 2)
		to->clock_us = 0;
	if (to->epoch >= EPOCH_MAX || to->acked_seq > SEQ_MAX || to->list_number > LIST_NUMBER_MAX)
		return err_invalid(err, "epoch, acked_seq or list_number in hello is out of range");
	if (!pb_text_ok(arena, to->firmware, HELLO_TEXT_MAX))
		return err_invalid(err, "firmware in hello is not a text of at most %d bytes",
				   HELLO_TEXT_MAX);
	return hello_doors(arena, from, to, err);
}

/* The session counts on from == expected and to >= from; here only the range. */
static enum rc
lost_take(const Gatehouse__V1__Lost *from, struct controller_msg *msg, struct err *err)
{
	if (from->from_seq == 0 || from->to_seq < from->from_seq || from->to_seq > SEQ_MAX)
		return err_invalid(err, "lost names no range of sequence numbers");
	msg->lost.from = from->from_seq;
	msg->lost.to = from->to_seq;
	return RC_OK;
}

static enum rc
confirm_take(const Gatehouse__V1__ListConfirm *from, struct controller_msg *msg, struct err *err)
{
	if (from->number > LIST_NUMBER_MAX)
		return err_invalid(err, "number of a list is out of range");
	msg->type = CONTROLLER_MSG_CONFIRM;
	msg->confirmed = from->number;
	return RC_OK;
}

static enum rc
record_take(Gatehouse__V1__Record *from, struct controller_msg *msg, struct err *err)
{
	if (from->seq == 0 || from->seq > SEQ_MAX)
		return err_invalid(err, "sequence number of a record is out of range");
	msg->record = (struct reported *)from;
	return RC_OK;
}

enum rc
controller_msg_decode(struct arena *arena, const uint8_t *bytes, size_t n,
		      struct controller_msg *msg, struct err *err)
{
	ProtobufCAllocator allocator = pb_allocator(arena);
	Gatehouse__V1__FromController *from =
		gatehouse__v1__from_controller__unpack(&allocator, n, bytes);

	if (from == NULL)
		return err_invalid(err, "not a FromController message, or too large");
	switch (from->message_case) {
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO:
		msg->type = CONTROLLER_MSG_HELLO;
		return hello_take(arena, from->hello, &msg->hello, err);
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD:
		msg->type = CONTROLLER_MSG_RECORD;
		return record_take(from->record, msg, err);
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD:
		msg->type = CONTROLLER_MSG_AHEAD;
		return record_take(from->ahead, msg, err);
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HEARTBEAT:
		msg->type = CONTROLLER_MSG_HEARTBEAT;
		msg->heartbeat_clock_us = from->heartbeat->clock_us;
		return RC_OK;
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_LOST:
		msg->type = CONTROLLER_MSG_LOST;
		return lost_take(from->lost, msg, err);
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_CONFIRM:
		return confirm_take(from->confirm, msg, err);
	case GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE__NOT_SET:
	case _GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE__CASE_IS_INT_SIZE:
		break;
	}
	return err_invalid(err, "a FromController message of a kind that is not in the contract");
}

/* ---- What it is told ----------------------------------------------------- */

static size_t
put_answer(uint8_t out[CONTROLLER_ANSWER_MAX], const Gatehouse__V1__ToController *to)
{
	return pb_put_framed(out, CONTROLLER_ANSWER_MAX, &to->base);
}

size_t
controller_put_welcome(uint8_t out[CONTROLLER_ANSWER_MAX], const struct welcome *welcome)
{
	Gatehouse__V1__Welcome body = GATEHOUSE__V1__WELCOME__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;

	body.server_time_us = welcome->server_time_us;
	body.epoch = welcome->epoch;
	body.resume_after = welcome->resume_after;
	body.heartbeat_s = welcome->heartbeat_s;
	body.lease_s = welcome->lease_s;
	body.window = welcome->window;
	body.frame_max_bytes = welcome->frame_max_bytes;
	body.controller = pb_text(welcome->controller);
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME;
	to.welcome = &body;
	return put_answer(out, &to);
}

size_t
controller_put_ack(uint8_t out[CONTROLLER_ANSWER_MAX], uint64_t seq)
{
	Gatehouse__V1__Ack body = GATEHOUSE__V1__ACK__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;

	body.seq = seq;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK;
	to.ack = &body;
	return put_answer(out, &to);
}

size_t
controller_put_reject(uint8_t out[CONTROLLER_ANSWER_MAX], uint64_t seq, enum reject reason,
		      const char *detail)
{
	Gatehouse__V1__Reject body = GATEHOUSE__V1__REJECT__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	char text[320];

	pb_cut_text(text, sizeof(text), detail);
	body.seq = seq;
	body.reason = (Gatehouse__V1__RejectReason)reason;
	body.detail = text;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_REJECT;
	to.reject = &body;
	return put_answer(out, &to);
}

size_t
controller_put_resend(uint8_t out[CONTROLLER_ANSWER_MAX], uint64_t from_seq)
{
	Gatehouse__V1__Resend body = GATEHOUSE__V1__RESEND__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;

	body.from_seq = from_seq;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_RESEND;
	to.resend = &body;
	return put_answer(out, &to);
}

size_t
controller_put_heartbeat_reply(uint8_t out[CONTROLLER_ANSWER_MAX], int64_t server_time_us)
{
	Gatehouse__V1__HeartbeatReply body = GATEHOUSE__V1__HEARTBEAT_REPLY__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;

	body.server_time_us = server_time_us;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_HEARTBEAT_REPLY;
	to.heartbeat_reply = &body;
	return put_answer(out, &to);
}

size_t
controller_put_goaway(uint8_t out[CONTROLLER_ANSWER_MAX], enum goaway reason, uint32_t delay_ms,
		      const char *detail)
{
	Gatehouse__V1__Goaway body = GATEHOUSE__V1__GOAWAY__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	char text[320];

	pb_cut_text(text, sizeof(text), detail);
	body.reason = (Gatehouse__V1__GoawayReason)reason;
	body.delay_ms = delay_ms;
	body.detail = text;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY;
	to.goaway = &body;
	return put_answer(out, &to);
}
