/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of entries about cards and rights as bytes.  Pure functions over memory;
 * any thread.
 *
 * As in entry.c a body is a part of fixed size and what follows it, whose counts
 * stand in the fixed part.  Here the values are checked, too: whoever applies a
 * change looks things up by them, and applying must not fail.
 */
#include "entry_priv.h"
#include "wire/kind.h"

/*
 * struct right_change:
 *	  0 desk_id u32		  4 site_id u32		  8 kind u16
 *	 10 card_kind u8	 11 status u8		 12 flags u32
 *	 16 epoch i64		 24 seq u64		 32 device_time_us i64
 *	 40 received_us i64	 48 card_from_us i64	 56 card_until_us i64
 *	 64 valid_from_us i64	 72 valid_until_us i64
 *	 80 by_len u8		 81 unit_len u8		 82 sealed_len u16
 *	 84 n_hours u16		 86 n_doors u16		 88 card_key, 32 bytes
 *	120 hours, 2 x u16 each; doors, u32
 *	    each; by; unit; sealed
 */
enum { RIGHT_FIXED_BYTES = 120, RIGHT_HOURS_BYTES = 4, RIGHT_DOOR_BYTES = 4 };

/*
 * struct list_doors:
 *	 0 controller_id u32	 4 site_id u32		 8 timezone_len u16
 *	10 n_doors u16		12 timezone; door_id u32 and number u32, each
 */
enum { LIST_FIXED_BYTES = 12, LIST_DOOR_BYTES = 8 };

enum {
	RIGHT_FLAGS_KNOWN = RECORD_CLOCK_BACKWARDS | RECORD_CLOCK_OFF,
};

_Static_assert(RIGHT_FIXED_BYTES + RIGHT_HOURS_BYTES * RIGHT_HOURS_MAX +
			       RIGHT_DOOR_BYTES * RIGHT_DOORS_MAX + 2 * RIGHT_TEXT_MAX +
			       RIGHT_SEALED_MAX <=
		       ENTRY_BODY_MAX,
	       "a change of rights fits a body");
_Static_assert(LIST_FIXED_BYTES + RIGHT_TEXT_MAX + LIST_DOOR_BYTES * LIST_DOORS_MAX <=
		       ENTRY_BODY_MAX,
	       "the doors of a list fit a body");

/* ---- Changes of cards and rights ----------------------------------------- */

size_t
right_change_encoded_len(const struct right_change *c)
{
	return RIGHT_FIXED_BYTES + RIGHT_HOURS_BYTES * c->n_hours + RIGHT_DOOR_BYTES * c->n_doors +
	       c->by_len + c->unit_len + c->sealed_len;
}

static uint8_t *
right_encode_fixed(const struct right_change *c, uint8_t *out)
{
	out = le_put32(out, c->desk_id);
	out = le_put32(out, c->site_id);
	out = le_put16(out, c->kind);
	*out++ = c->card_kind;
	*out++ = c->status;
	out = le_put32(out, c->flags);
	out = le_put64(out, (uint64_t)c->epoch);
	out = le_put64(out, c->seq);
	out = le_put64(out, (uint64_t)c->device_time_us);
	out = le_put64(out, (uint64_t)c->received_us);
	out = le_put64(out, (uint64_t)c->card_from_us);
	out = le_put64(out, (uint64_t)c->card_until_us);
	out = le_put64(out, (uint64_t)c->valid_from_us);
	out = le_put64(out, (uint64_t)c->valid_until_us);
	*out++ = (uint8_t)c->by_len;
	*out++ = (uint8_t)c->unit_len;
	out = le_put16(out, (uint16_t)c->sealed_len);
	out = le_put16(out, (uint16_t)c->n_hours);
	out = le_put16(out, (uint16_t)c->n_doors);
	return put_bytes(out, c->card_key, CARD_KEY_BYTES);
}

uint8_t *
right_change_encode(const struct right_change *c, uint8_t *out)
{
	must(c->by_len <= RIGHT_TEXT_MAX && c->unit_len <= RIGHT_TEXT_MAX);
	must(c->sealed_len <= RIGHT_SEALED_MAX);
	must(c->n_hours <= RIGHT_HOURS_MAX && c->n_doors <= RIGHT_DOORS_MAX);

	out = right_encode_fixed(c, out);
	for (size_t i = 0; i < c->n_hours; i++) {
		out = le_put16(out, c->hours[i].from_minute);
		out = le_put16(out, c->hours[i].to_minute);
	}
	for (size_t i = 0; i < c->n_doors; i++)
		out = le_put32(out, c->doors[i]);
	out = put_bytes(out, c->by, c->by_len);
	out = put_bytes(out, c->unit, c->unit_len);
	return put_bytes(out, c->sealed, c->sealed_len);
}

static void
right_decode_fixed(const uint8_t *in, struct right_change *c)
{
	/* the tables at its end are as long as their counts say, and no longer */
	memset(c, 0, offsetof(struct right_change, hours));
	c->desk_id = take32(&in);
	c->site_id = take32(&in);
	c->kind = take16(&in);
	c->card_kind = take8(&in);
	c->status = take8(&in);
	c->flags = take32(&in);
	c->epoch = (int64_t)take64(&in);
	c->seq = take64(&in);
	c->device_time_us = (int64_t)take64(&in);
	c->received_us = (int64_t)take64(&in);
	c->card_from_us = (int64_t)take64(&in);
	c->card_until_us = (int64_t)take64(&in);
	c->valid_from_us = (int64_t)take64(&in);
	c->valid_until_us = (int64_t)take64(&in);
	c->by_len = take8(&in);
	c->unit_len = take8(&in);
	c->sealed_len = take16(&in);
	c->n_hours = take16(&in);
	c->n_doors = take16(&in);
	memcpy(c->card_key, in, CARD_KEY_BYTES);
}

/* Counts first: the rest of the body is read by them. */
static enum rc
right_check_counts(const struct right_change *c, size_t len, struct err *err)
{
	if ((c->flags & ~(uint32_t)RIGHT_FLAGS_KNOWN) != 0)
		return err_invalid(err, "right entry has unknown flags 0x%x", c->flags);
	if (check_most("right", "by_len", c->by_len, RIGHT_TEXT_MAX, err) != RC_OK ||
	    check_most("right", "unit_len", c->unit_len, RIGHT_TEXT_MAX, err) != RC_OK ||
	    check_most("right", "sealed_len", c->sealed_len, RIGHT_SEALED_MAX, err) != RC_OK ||
	    check_most("right", "n_hours", c->n_hours, RIGHT_HOURS_MAX, err) != RC_OK ||
	    check_most("right", "n_doors", c->n_doors, RIGHT_DOORS_MAX, err) != RC_OK)
		return RC_INVALID;
	return check_whole("right", len, right_change_encoded_len(c), err);
}

static bool
kind_changes_rights(uint16_t kind)
{
	return kind == KIND_CODE_GRANT_SET || kind == KIND_CODE_GRANT_REMOVED;
}

static enum rc
right_check_values(const struct right_change *c, struct err *err)
{
	bool grant = kind_changes_rights(c->kind);

	if (!grant &&
	    (c->kind < KIND_CODE_CARD_REGISTERED || c->kind > KIND_CODE_CARD_REPORTED_LOST))
		return err_invalid(err, "right entry has kind %u", c->kind);
	if (c->card_kind < CARD_KIND_OWNER || c->card_kind > CARD_KIND_STAFF)
		return err_invalid(err, "right entry has card kind %u", c->card_kind);
	if (c->status < CARD_ACTIVE || c->status > CARD_REVOKED)
		return err_invalid(err, "right entry has status %u", c->status);
	if (c->card_until_us != 0 && c->card_until_us <= c->card_from_us)
		return err_invalid(err, "right entry has a card that ends before it begins");
	if (c->valid_until_us != 0 && c->valid_until_us <= c->valid_from_us)
		return err_invalid(err, "right entry has a right that ends before it begins");
	if (grant != (c->n_doors > 0) || (c->kind != KIND_CODE_GRANT_SET && c->n_hours > 0))
		return err_invalid(err, "right entry of kind %u has %zu doors and %zu hours",
				   c->kind, c->n_doors, c->n_hours);
	return RC_OK;
}

static enum rc
right_take_hours(struct right_change *c, const uint8_t **in, struct err *err)
{
	unsigned free_from = 0;

	for (size_t i = 0; i < c->n_hours; i++) {
		struct right_hours *hours = &c->hours[i];

		hours->from_minute = take16(in);
		hours->to_minute = take16(in);
		if (hours->from_minute < free_from || hours->to_minute <= hours->from_minute ||
		    hours->to_minute > WEEK_MINUTES)
			return err_invalid(err, "right entry has hours %u to %u of the week",
					   hours->from_minute, hours->to_minute);
		free_from = hours->to_minute + 1u;
	}
	return RC_OK;
}

static enum rc
right_take_doors(struct right_change *c, const uint8_t **in, struct err *err)
{
	for (size_t i = 0; i < c->n_doors; i++) {
		c->doors[i] = take32(in);
		if (c->doors[i] == 0 || (i > 0 && c->doors[i] <= c->doors[i - 1]))
			return err_invalid(err, "right entry has door %u out of order",
					   c->doors[i]);
	}
	return RC_OK;
}

enum rc
right_change_decode(const uint8_t *body, size_t len, struct right_change *c, struct err *err)
{
	const uint8_t *in;

	if (check_fixed("right", len, RIGHT_FIXED_BYTES, err) != RC_OK)
		return RC_INVALID;
	right_decode_fixed(body, c);
	if (right_check_counts(c, len, err) != RC_OK || right_check_values(c, err) != RC_OK)
		return RC_INVALID;

	in = body + RIGHT_FIXED_BYTES;
	if (right_take_hours(c, &in, err) != RC_OK || right_take_doors(c, &in, err) != RC_OK)
		return RC_INVALID;
	c->by = (const char *)in;
	c->unit = c->by + c->by_len;
	c->sealed = in + c->by_len + c->unit_len;
	return RC_OK;
}

/* ---- The doors of a list ------------------------------------------------- */

size_t
list_doors_encoded_len(const struct list_doors *doors)
{
	return LIST_FIXED_BYTES + doors->timezone_len + LIST_DOOR_BYTES * doors->n_doors;
}

uint8_t *
list_doors_encode(const struct list_doors *doors, uint8_t *out)
{
	must(doors->timezone_len <= RIGHT_TEXT_MAX && doors->n_doors <= LIST_DOORS_MAX);

	out = le_put32(out, doors->controller_id);
	out = le_put32(out, doors->site_id);
	out = le_put16(out, (uint16_t)doors->timezone_len);
	out = le_put16(out, (uint16_t)doors->n_doors);
	out = put_bytes(out, doors->timezone, doors->timezone_len);
	for (size_t i = 0; i < doors->n_doors; i++) {
		out = le_put32(out, doors->doors[i].door_id);
		out = le_put32(out, doors->doors[i].number);
	}
	return out;
}

enum rc
list_doors_decode(const uint8_t *body, size_t len, struct list_doors *doors, struct err *err)
{
	const uint8_t *in = body;

	if (check_fixed("doors", len, LIST_FIXED_BYTES, err) != RC_OK)
		return RC_INVALID;
	memset(doors, 0, offsetof(struct list_doors, doors));
	doors->controller_id = take32(&in);
	doors->site_id = take32(&in);
	doors->timezone_len = take16(&in);
	doors->n_doors = take16(&in);
	if (check_most("doors", "timezone_len", doors->timezone_len, RIGHT_TEXT_MAX, err) !=
		    RC_OK ||
	    check_most("doors", "n_doors", doors->n_doors, LIST_DOORS_MAX, err) != RC_OK ||
	    check_whole("doors", len, list_doors_encoded_len(doors), err) != RC_OK)
		return RC_INVALID;
	doors->timezone = (const char *)in;
	in += doors->timezone_len;
	for (size_t i = 0; i < doors->n_doors; i++) {
		doors->doors[i].door_id = take32(&in);
		doors->doors[i].number = take32(&in);
		if (doors->doors[i].door_id == 0 ||
		    (i > 0 && doors->doors[i].door_id <= doors->doors[i - 1].door_id))
			return err_invalid(err, "doors entry has door %u out of order",
					   doors->doors[i].door_id);
	}
	return RC_OK;
}
