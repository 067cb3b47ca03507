/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of rights on its way to a controller.  A list may have thousands of
 * rights, so they are written by hand over what protobuf-c can pack in one piece: one
 * Right at a time is made into its message, and ListChange's own fields are a tag and
 * a length before each.
 */
#include "wire/list_msg.h"

#include <string.h>

#include "pb.h"
#include "wire/frame.h"

/* Tags of length-delimited fields below 16. */
enum {
	TAG_LIST_CHANGE = 8 << 3 | 2, /* ToController.list_change */
	TAG_PUT = 1 << 3 | 2,         /* ListChange.put */
	TAG_REMOVE = 2 << 3 | 2,      /* ListChange.remove */
};

/* ---- Small messages ------------------------------------------------------- */

static enum rc
put_message(struct buf *out, const Gatehouse__V1__ToController *to)
{
	size_t len = gatehouse__v1__to_controller__get_packed_size(to);
	uint8_t *room = buf_reserve(out, frame_header_len(len) + len);

	if (room == NULL)
		return RC_AGAIN;
	buf_added(out, pb_put_framed(room, frame_header_len(len) + len, &to->base));
	return RC_OK;
}

enum rc
list_put_begin(struct buf *out, const struct list_begin *begin)
{
	Gatehouse__V1__ListBegin body = GATEHOUSE__V1__LIST_BEGIN__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;

	body.number = begin->number;
	body.full = begin->full;
	body.timezone = pb_text(begin->timezone);
	body.timezone_posix = pb_text(begin->timezone_posix);
	body.rights = begin->rights;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN;
	to.list_begin = &body;
	return put_message(out, &to);
}

enum rc
list_put_end(struct buf *out, uint64_t number)
{
	Gatehouse__V1__ListEnd body = GATEHOUSE__V1__LIST_END__INIT;
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;

	body.number = number;
	to.message_case = GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_END;
	to.list_end = &body;
	return put_message(out, &to);
}

/* ---- Rights --------------------------------------------------------------- */

/* A Right with its hours. */
struct right_pb {
	Gatehouse__V1__Right right;
	Gatehouse__V1__Hours hours[RIGHT_HOURS_MAX];
	Gatehouse__V1__Hours *list[RIGHT_HOURS_MAX];
};

static ProtobufCBinaryData
key_data(const struct list_right *from)
{
	union {
		const uint8_t *read;
		uint8_t *passed; /* protobuf-c wants it so where it only reads */
	} key = {.read = from->card_key};

	return (ProtobufCBinaryData){.len = LIST_KEY_BYTES, .data = key.passed};
}

static const ProtobufCMessage *
right_fill(struct right_pb *pb, const struct list_right *from)
{
	must(from->n_hours <= RIGHT_HOURS_MAX);
	gatehouse__v1__right__init(&pb->right);
	pb->right.card_key = key_data(from);
	pb->right.door = from->door;
	pb->right.valid_from_us = from->valid_from_us;
	pb->right.valid_until_us = from->valid_until_us;
	pb->right.not_before_us = from->not_before_us;
	pb->right.active = from->active;
	for (size_t i = 0; i < from->n_hours; i++) {
		gatehouse__v1__hours__init(&pb->hours[i]);
		pb->hours[i].from_minute = from->hours[i].from_minute;
		pb->hours[i].to_minute = from->hours[i].to_minute;
		pb->list[i] = &pb->hours[i];
	}
	pb->right.n_hours = from->n_hours;
	pb->right.hours = pb->list;
	return &pb->right.base;
}

static const ProtobufCMessage *
ref_fill(Gatehouse__V1__RightRef *pb, const struct list_right *from)
{
	gatehouse__v1__right_ref__init(pb);
	pb->card_key = key_data(from);
	pb->door = from->door;
	pb->valid_from_us = from->valid_from_us;
	return &pb->base;
}

/* A field: tag, length, message.  With `out` NULL only counts. */
static size_t
field_put(uint8_t *out, uint8_t tag, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	if (out != NULL) {
		*out = tag;
		(void)protobuf_c_message_pack(message, frame_put_header(out + 1, len));
	}
	return 1 + frame_header_len(len) + len;
}

/* The fields of a ListChange; with `out` NULL only counts. */
static size_t
change_put(uint8_t *out, const struct list_right *put, size_t n_put,
	   const struct list_right *removed, size_t n_removed)
{
	Gatehouse__V1__RightRef ref;
	struct right_pb right;
	size_t n = 0;

	for (size_t i = 0; i < n_put; i++)
		n += field_put(out != NULL ? out + n : NULL, TAG_PUT, right_fill(&right, &put[i]));
	for (size_t i = 0; i < n_removed; i++)
		n += field_put(out != NULL ? out + n : NULL, TAG_REMOVE,
			       ref_fill(&ref, &removed[i]));
	return n;
}

enum rc
list_put_change(struct buf *out, const struct list_right *put, size_t n_put,
		const struct list_right *removed, size_t n_removed)
{
	size_t body = change_put(NULL, put, n_put, removed, n_removed);
	size_t message = 1 + frame_header_len(body) + body; /* the oneof's field */
	size_t whole = frame_header_len(message) + message;
	uint8_t *at = buf_reserve(out, whole);

	if (at == NULL)
		return RC_AGAIN;
	at = frame_put_header(at, message);
	*at++ = TAG_LIST_CHANGE;
	at = frame_put_header(at, body);
	(void)change_put(at, put, n_put, removed, n_removed);
	buf_added(out, whole);
	return RC_OK;
}
