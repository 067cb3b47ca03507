/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries about cards and rights: what goes in comes out, and a body that is cut,
 * stretched or says what can't be is refused.  Guards that applying a change never has
 * to doubt it.  Bodies are decoded from memory of exactly their size, so that the
 * address sanitizer sees a read beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/entry.h"
#include "wire/kind.h"

/* Places in the bodies, as the comments in wire/entry_rights.c draw them. */
enum {
	RIGHT_AT_KIND = 8,
	RIGHT_AT_CARD_KIND = 10,
	RIGHT_AT_STATUS = 11,
	RIGHT_AT_FLAGS = 12,
	RIGHT_AT_CARD_UNTIL = 56,
	RIGHT_AT_VALID_UNTIL = 72,
	RIGHT_AT_HOURS = 120,
	RIGHT_AT_DOORS = 128, /* with two spans of hours */
	DOORS_AT_DOORS = 25,  /* with a time zone of 13 bytes */
};

static struct right_change
sample_right(void)
{
	struct right_change change = {
		.desk_id = 0x01020304,
		.site_id = 7,
		.kind = KIND_CODE_GRANT_SET,
		.epoch = 3,
		.seq = UINT64_MAX,
		.device_time_us = INT64_MAX,
		.received_us = INT64_MIN,
		.flags = RECORD_CLOCK_BACKWARDS | RECORD_CLOCK_OFF,
		.by = "north",
		.by_len = 5,
		.card_kind = CARD_KIND_TENANT,
		.status = CARD_SUSPENDED,
		.card_from_us = 100,
		.card_until_us = 200,
		.unit = "2-301",
		.unit_len = 5,
		.sealed = (const uint8_t *)"\x30\x00\xff",
		.sealed_len = 3,
		.valid_from_us = -5,
		.valid_until_us = 5,
		.n_hours = 2,
		.hours = {{0, 60}, {61, WEEK_MINUTES}},
		.n_doors = 3,
		.doors = {1, 2, UINT32_MAX},
	};

	memset(change.card_key, 0x5a, sizeof(change.card_key));
	return change;
}

static struct list_doors
sample_doors(void)
{
	return (struct list_doors){
		.controller_id = 9,
		.site_id = 8,
		.timezone = "Europe/Berlin",
		.timezone_len = 13,
		.n_doors = 2,
		.doors = {{4, 2}, {7, 1}},
	};
}

static enum rc
decode_right(const uint8_t *body, size_t len, struct right_change *out)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct err err = {0};
	enum rc rc;

	assert_non_null(exact);
	memcpy(exact, body, len);
	rc = right_change_decode(exact, len, out, &err);
	assert_true(rc == RC_OK || err.msg[0] != '\0');
	free(exact); /* the texts of `out` are gone */
	return rc;
}

static enum rc
decode_doors(const uint8_t *body, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct list_doors out;
	struct err err = {0};
	enum rc rc;

	assert_non_null(exact);
	memcpy(exact, body, len);
	rc = list_doors_decode(exact, len, &out, &err);
	assert_true(rc == RC_OK || err.msg[0] != '\0');
	free(exact);
	return rc;
}

static void
right_round_trip(void **state)
{
	struct right_change in = sample_right(), out;
	uint8_t body[ENTRY_BODY_MAX], again[ENTRY_BODY_MAX];
	size_t len = right_change_encoded_len(&in);
	struct err err;

	(void)state;
	assert_ptr_equal(right_change_encode(&in, body), body + len);
	assert_int_equal(right_change_decode(body, len, &out, &err), RC_OK);
	assert_int_equal(out.desk_id, in.desk_id);
	assert_int_equal(out.kind, in.kind);
	assert_true(out.seq == in.seq && out.epoch == in.epoch);
	assert_true(out.device_time_us == in.device_time_us && out.received_us == in.received_us);
	assert_memory_equal(out.card_key, in.card_key, CARD_KEY_BYTES);
	assert_int_equal(out.status, CARD_SUSPENDED);
	assert_int_equal(out.card_until_us, 200);
	assert_true(out.valid_from_us == -5 && out.valid_until_us == 5);
	assert_int_equal(out.n_hours, 2);
	assert_int_equal(out.hours[1].to_minute, WEEK_MINUTES);
	assert_int_equal(out.n_doors, 3);
	assert_true(out.doors[2] == UINT32_MAX);
	assert_memory_equal(out.by, "north", 5);
	assert_memory_equal(out.unit, "2-301", 5);
	assert_memory_equal(out.sealed, in.sealed, 3);
	assert_ptr_equal(right_change_encode(&out, again), again + len);
	assert_memory_equal(again, body, len);
}

static void
right_at_its_limits(void **state)
{
	struct right_change in = sample_right(), out;
	static uint8_t sealed[RIGHT_SEALED_MAX];
	char text[RIGHT_TEXT_MAX];
	uint8_t body[ENTRY_BODY_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	in.by = in.unit = text;
	in.by_len = in.unit_len = RIGHT_TEXT_MAX;
	in.sealed = sealed;
	in.sealed_len = RIGHT_SEALED_MAX;
	in.n_hours = RIGHT_HOURS_MAX;
	for (unsigned i = 0; i < RIGHT_HOURS_MAX; i++)
		in.hours[i] = (struct right_hours){(uint16_t)(i * 2), (uint16_t)(i * 2 + 1)};
	in.n_doors = RIGHT_DOORS_MAX;
	for (uint32_t i = 0; i < RIGHT_DOORS_MAX; i++)
		in.doors[i] = i + 1;
	assert_true(right_change_encoded_len(&in) <= ENTRY_BODY_MAX);
	(void)right_change_encode(&in, body);
	assert_int_equal(decode_right(body, right_change_encoded_len(&in), &out), RC_OK);
	assert_int_equal(out.doors[RIGHT_DOORS_MAX - 1], RIGHT_DOORS_MAX);
}

static void
right_cut_or_stretched_is_refused(void **state)
{
	struct right_change in = sample_right(), out;
	uint8_t body[ENTRY_BODY_MAX] = {0};
	size_t len = right_change_encoded_len(&in);

	(void)state;
	(void)right_change_encode(&in, body);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(decode_right(body, n, &out), RC_INVALID);
	assert_int_equal(decode_right(body, len + 1, &out), RC_INVALID);
}

/* One byte at a time, to what was never written. */
static void
right_that_cannot_be_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} spoilt[] = {
		{RIGHT_AT_KIND, 100},
		{RIGHT_AT_KIND, KIND_CODE_CARD_REGISTERED & 0xff}, /* has no doors */
		{RIGHT_AT_CARD_KIND, CARD_KIND_NONE},
		{RIGHT_AT_CARD_KIND, CARD_KIND_STAFF + 1},
		{RIGHT_AT_STATUS, 0},
		{RIGHT_AT_STATUS, CARD_REVOKED + 1},
		{RIGHT_AT_FLAGS, 0xff},
		{RIGHT_AT_CARD_UNTIL, 100}, /* as it begins */
		{RIGHT_AT_HOURS + 2, 0},    /* ends as it begins */
		{RIGHT_AT_HOURS + 2, 61},   /* touches the second */
		{RIGHT_AT_HOURS + 6, 0xff}, /* beyond the week */
		{RIGHT_AT_DOORS, 0},        /* no door */
		{RIGHT_AT_DOORS, 2},        /* twice */
	};
	struct right_change in = sample_right(), out;
	uint8_t body[ENTRY_BODY_MAX];
	size_t len = right_change_encoded_len(&in);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		(void)right_change_encode(&in, body);
		assert_int_equal(decode_right(body, len, &out), RC_OK);
		body[spoilt[i].at] = spoilt[i].value;
		if (decode_right(body, len, &out) != RC_INVALID)
			fail_msg("byte %zu may be %u", spoilt[i].at, spoilt[i].value);
	}
	in.valid_until_us = in.valid_from_us;
	(void)right_change_encode(&in, body);
	assert_int_equal(decode_right(body, len, &out), RC_INVALID);
}

static void
doors_round_trip(void **state)
{
	struct list_doors in = sample_doors(), out;
	uint8_t body[ENTRY_BODY_MAX];
	size_t len = list_doors_encoded_len(&in);
	struct err err;

	(void)state;
	assert_ptr_equal(list_doors_encode(&in, body), body + len);
	assert_int_equal(list_doors_decode(body, len, &out, &err), RC_OK);
	assert_int_equal(out.controller_id, 9);
	assert_int_equal(out.site_id, 8);
	assert_int_equal(out.timezone_len, 13);
	assert_memory_equal(out.timezone, "Europe/Berlin", 13);
	assert_int_equal(out.n_doors, 2);
	assert_int_equal(out.doors[1].door_id, 7);
	assert_int_equal(out.doors[1].number, 1);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(decode_doors(body, n), RC_INVALID);
	assert_int_equal(decode_doors(body, len), RC_OK);
	body[DOORS_AT_DOORS + 8] = 4; /* twice */
	assert_int_equal(decode_doors(body, len), RC_INVALID);
}

static void
doors_at_their_limits(void **state)
{
	struct list_doors in = sample_doors();
	uint8_t body[ENTRY_BODY_MAX];

	(void)state;
	in.n_doors = LIST_DOORS_MAX;
	for (uint32_t i = 0; i < LIST_DOORS_MAX; i++) {
		in.doors[i].door_id = i + 1;
		in.doors[i].number = LIST_DOORS_MAX - i;
	}
	(void)list_doors_encode(&in, body);
	assert_int_equal(decode_doors(body, list_doors_encoded_len(&in)), RC_OK);
	in.n_doors = in.timezone_len = 0;
	(void)list_doors_encode(&in, body);
	assert_int_equal(decode_doors(body, list_doors_encoded_len(&in)), RC_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_round_trip),
		cmocka_unit_test(right_at_its_limits),
		cmocka_unit_test(right_cut_or_stretched_is_refused),
		cmocka_unit_test(right_that_cannot_be_is_refused),
		cmocka_unit_test(doors_round_trip),
		cmocka_unit_test(doors_at_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
