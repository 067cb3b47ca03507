/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of rights on its way to a controller: framed ToController messages, one
 * behind the other, in a buffer.  Any thread.
 */
#ifndef GATEHOUSE_WIRE_LIST_MSG_H
#define GATEHOUSE_WIRE_LIST_MSG_H

#include "base/buf.h"
#include "wire/entry.h"

/* Of the card's key so much travels. */
enum { LIST_KEY_BYTES = 16 };

/* One right as a controller is to hold it. */
struct list_right {
	const uint8_t *card_key; /* borrowed; LIST_KEY_BYTES of it travel */
	uint32_t door;           /* number on the controller */
	int64_t valid_from_us;   /* with card and door: its name */
	int64_t valid_until_us;  /* 0: open end */
	int64_t not_before_us;   /* 0: no such bound */
	bool active;
	const struct right_hours *hours; /* borrowed */
	size_t n_hours;
};

struct list_begin {
	uint64_t number;
	bool full;
	const char *timezone, *timezone_posix;
	uint32_t rights;
};

/* Each appends one framed message; RC_AGAIN when the buffer's limit is reached, and
 * then nothing was added. */
enum rc list_put_begin(struct buf *out, const struct list_begin *begin) MUST_CHECK;
enum rc list_put_change(struct buf *out, const struct list_right *put, size_t n_put,
			const struct list_right *removed, size_t n_removed) MUST_CHECK;
enum rc list_put_end(struct buf *out, uint64_t number) MUST_CHECK;

#endif
