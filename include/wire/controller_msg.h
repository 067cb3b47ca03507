/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller's side of the contract: bytes of a frame to a message, its form
 * and bounds checked; and the server's answers to framed bytes.
 *
 * What a record refers to (doors, cards) is for the session to decide: this
 * module knows no register.  Any thread; an arena belongs to one.
 */
#ifndef GATEHOUSE_WIRE_CONTROLLER_MSG_H
#define GATEHOUSE_WIRE_CONTROLLER_MSG_H

#include "wire/arena.h"
#include "wire/entry.h"

enum { CONTROLLER_DOORS_MAX = 256, HELLO_TEXT_MAX = 64, CARD_MAX = 32, PROTOCOL_VERSION = 1 };

/* Longest message before the welcome (console or controller), as the contract says. */
enum { HELLO_FRAME_MAX = 4096 };

/* Highest epoch and seq: they are positive bigints in PostgreSQL. */
#define EPOCH_MAX ((uint64_t)1 << 62)
#define SEQ_MAX   ((uint64_t)INT64_MAX)
/* Highest number of a list of rights: a position in a journal. */
#define LIST_NUMBER_MAX ((uint64_t)INT64_MAX)

/* The numbers of `enum RejectReason` of the contract. */
enum reject {
	REJECT_NONE = 0,
	REJECT_UNKNOWN_DOOR = 1,
	REJECT_IMPOSSIBLE_TIME = 2,
	REJECT_BAD_TEXT = 3,
	REJECT_BAD_CARD = 4,
	REJECT_BAD_REASON = 5,
	REJECT_BAD_DETAIL = 6,
	REJECT_NOT_YOURS = 7,
	REJECT_UNKNOWN_CARD = 8,
	REJECT_CARD_EXISTS = 9,
	REJECT_BAD_WINDOW = 10,
	REJECT_OVERLAP = 11,
	REJECT_FOREIGN_SITE = 12,
	REJECT_NOT_YOUR_UNIT = 13,
	REJECT_RULE = 14,
	REJECT_UNKNOWN_UNIT = 15,
	REJECT_CARD_ENDED = 16,
};

/* The numbers of `enum GoawayReason` of the contract. */
enum goaway {
	GOAWAY_NONE = 0,
	GOAWAY_RESTART = 1,
	GOAWAY_DISABLED = 2,
	GOAWAY_UNKNOWN = 3,
	GOAWAY_SUPERSEDED = 4,
	GOAWAY_STALE_EPOCH = 5,
	GOAWAY_FOREIGN_DOOR = 6,
	GOAWAY_PROTOCOL = 7,
	GOAWAY_VERSION = 8,
	GOAWAY_FRAME_TOO_LONG = 9,
	GOAWAY_BAD_FRAME = 10,
	GOAWAY_IDLE = 11,
	GOAWAY_SLOW = 12,
	GOAWAY_OVERLOAD = 13,
	GOAWAY_WRONG_ROLE = 14,
	GOAWAY_COUNT,
};
/* "superseded" and so on. */
const char *goaway_name(enum goaway reason);

enum controller_msg_type {
	CONTROLLER_MSG_HELLO,
	CONTROLLER_MSG_RECORD,
	CONTROLLER_MSG_HEARTBEAT,
	CONTROLLER_MSG_AHEAD,
	CONTROLLER_MSG_LOST,
	CONTROLLER_MSG_CONFIRM,
	CONTROLLER_MSG_TYPES,
};

struct hello_door {
	uint32_t number;
	const char *code; /* "" when not given */
};

struct hello {
	uint32_t protocol;
	uint64_t epoch, acked_seq;
	int64_t clock_us;
	const char *firmware;
	struct hello_door *doors;
	size_t n_doors;       /* <= CONTROLLER_DOORS_MAX */
	uint64_t list_number; /* of its list of rights; 0: none */
};

/* A Record as it was sent: opaque here, in the arena. */
struct reported;

struct controller_msg {
	enum controller_msg_type type;
	union {
		struct hello hello;
		struct reported *record; /* RECORD, AHEAD */
		struct {
			uint64_t from, to;
		} lost;
		int64_t heartbeat_clock_us;
		uint64_t confirmed; /* CONFIRM: number of the list that is in force */
	};
};

/*
 * Everything that the message points to lies in the arena or in `bytes`, until
 * the arena is reset.  RC_INVALID: not a message of the contract, more than the
 * arena holds, or numbers out of bounds; then the connection is of no use.
 */
enum rc controller_msg_decode(struct arena *arena, const uint8_t *bytes, size_t n,
			      struct controller_msg *msg, struct err *err) MUST_CHECK;

uint64_t reported_seq(const struct reported *reported);
uint32_t reported_door(const struct reported *reported);
/* The card number; *n is 0 when there is none. */
const uint8_t *reported_card(const struct reported *reported, size_t *n);
/* Overwrites the card number where it stands, in the arena. */
void reported_wipe_card(struct reported *reported);

/*
 * Form and bounds of a record.  Fills what doesn't need the register: seq, kind,
 * reason, device time, flags, raw code, detail.  Otherwise why not, and in
 * err->msg what was wrong with which field.
 */
enum reject reported_check(struct arena *arena, const struct reported *reported,
			   struct record *record, struct err *err) MUST_CHECK;

/* The record as protobuf, without card number and unknown fields, for the
 * quarantine.  Returns its length, or 0 when it would be more than `max`. */
size_t reported_pack_safely(struct reported *reported, uint8_t *out, size_t max);

/* ---- Answers: framed, ready to be sent ----------------------------------- */

/* Long enough for each of these. */
enum { CONTROLLER_ANSWER_MAX = 512 };

struct welcome {
	int64_t server_time_us;
	uint64_t epoch, resume_after;
	uint32_t heartbeat_s, lease_s, window, frame_max_bytes;
	const char *controller;
};

/* Each returns the number of bytes. */
size_t controller_put_welcome(uint8_t out[CONTROLLER_ANSWER_MAX], const struct welcome *welcome);
size_t controller_put_ack(uint8_t out[CONTROLLER_ANSWER_MAX], uint64_t seq);
/* `detail` is cut to what fits. */
size_t controller_put_reject(uint8_t out[CONTROLLER_ANSWER_MAX], uint64_t seq, enum reject reason,
			     const char *detail);
size_t controller_put_resend(uint8_t out[CONTROLLER_ANSWER_MAX], uint64_t from_seq);
size_t controller_put_heartbeat_reply(uint8_t out[CONTROLLER_ANSWER_MAX], int64_t server_time_us);
size_t controller_put_goaway(uint8_t out[CONTROLLER_ANSWER_MAX], enum goaway reason,
			     uint32_t delay_ms, const char *detail);

#endif
