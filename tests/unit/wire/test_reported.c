/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record as a controller reported it: each reason to reject it, what is taken
 * over when it is good, and that the card number is gone from what is kept.
 * Records go through the wire, so that protobuf-c's own view of them is tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/controller_msg.h"
#include "wire/kind.h"

enum { ARENA_BYTES = 256 * 1024, SEALED_MAX = 16384 };

/* 2026-01-31T12:00:00Z */
#define NOON INT64_C(1769860800000000)

struct fixture {
	struct arena arena;
	struct reported *reported;
	struct record record;
	struct err err;
	Gatehouse__V1__Record pb; /* what the controller sends */
	Gatehouse__V1__CardChange change;
	Gatehouse__V1__DeviceState device;
	uint8_t card[CARD_MAX + 1], sealed[SEALED_MAX + 1];
	char text[256];
	uint8_t bytes[64 * 1024];
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	arena_init(&f->arena, ARENA_BYTES);
	gatehouse__v1__record__init(&f->pb);
	gatehouse__v1__card_change__init(&f->change);
	gatehouse__v1__device_state__init(&f->device);
	/* a number that nothing else here looks like */
	for (size_t i = 0; i < sizeof(f->card); i++)
		f->card[i] = (uint8_t)(0xc1 + i * 5);
	for (size_t i = 0; i < sizeof(f->sealed); i++)
		f->sealed[i] = (uint8_t)(i * 3);
	f->pb.seq = 42;
	f->pb.time_us = NOON;
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED;
	f->pb.door = 3;
	f->pb.card = (ProtobufCBinaryData){.data = f->card, .len = 7};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* Through the wire and back. */
static void
send(struct fixture *f)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	struct controller_msg msg;
	size_t n;

	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	from.record = &f->pb;
	n = gatehouse__v1__from_controller__get_packed_size(&from);
	assert_true(n <= sizeof(f->bytes));
	(void)gatehouse__v1__from_controller__pack(&from, f->bytes);
	arena_reset(&f->arena);
	if (controller_msg_decode(&f->arena, f->bytes, n, &msg, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
	f->reported = msg.record;
}

static enum reject
check(struct fixture *f)
{
	send(f);
	f->err.msg[0] = '\0';
	return reported_check(&f->arena, f->reported, &f->record, &f->err);
}

static void
assert_rejected(struct fixture *f, enum reject expected, const char *because)
{
	enum reject reject = check(f);

	assert_int_equal(reject, expected);
	if (strstr(f->err.msg, because) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, f->err.msg);
}

static void
assert_good(struct fixture *f)
{
	enum reject reject = check(f);

	if (reject != REJECT_NONE)
		fail_msg("%s: %s", reject_name(reject), f->err.msg);
}

static char *
text_of(struct fixture *f, const char *text)
{
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
	return f->text;
}

/* ---- Good ones ----------------------------------------------------------------------- */

static void
a_good_record_is_taken_over(void **state)
{
	struct fixture *f = *state;

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_DENIED;
	f->pb.reason = GATEHOUSE__V1__REASON__REASON_EXPIRED;
	f->pb.raw_code = text_of(f, "E27 \xc3\xa9");
	assert_good(f);
	assert_int_equal(f->record.seq, 42);
	assert_int_equal(f->record.device_time_us, NOON);
	assert_int_equal(f->record.kind, 103);
	assert_int_equal(f->record.reason, 3);
	assert_int_equal(f->record.flags, 0);
	assert_int_equal(f->record.raw_code_len, 6);
	assert_memory_equal(f->record.raw_code, "E27 \xc3\xa9", 6);
	assert_int_equal(f->record.detail_len, 0);
	/* the session's, not ours */
	assert_int_equal(f->record.door_id + f->record.site_id + f->record.controller_id, 0);
	assert_int_equal(f->record.received_us + f->record.epoch, 0);
}

static void
every_kind_of_a_controller_is_good(void **state)
{
	struct fixture *f = *state;
	size_t n;
	const struct kind *kinds = kind_table(&n);

	for (size_t i = 0; i < n; i++) {
		f->pb.kind = (Gatehouse__V1__Kind)kinds[i].code;
		f->pb.reason = kinds[i].code == KIND_CODE_ACCESS_DENIED ? 1 : 0;
		if ((kinds[i].flags & KIND_FLAG_SERVER) != 0) {
			assert_rejected(f, REJECT_NOT_YOURS, "is reported by the server only");
			continue;
		}
		if ((kinds[i].flags & KIND_FLAG_GRANT) != 0) {
			assert_rejected(f, REJECT_NOT_YOURS, "by registration desks only");
			continue;
		}
		assert_good(f);
		assert_int_equal(f->record.kind, kinds[i].code);
	}
}

static void
a_kind_that_is_not_known_keeps_its_number(void **state)
{
	static const struct {
		uint32_t kind;
		const char *detail;
	} cases[] = {
		{0, "{\"kind\":0}"},
		{9999, "{\"kind\":9999}"},
		{1u << 16 | 202, "{\"kind\":65738}"},
		{UINT32_MAX, "{\"kind\":4294967295}"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->pb.kind = (Gatehouse__V1__Kind)cases[i].kind;
		/* beside the device's own code, if there is one */
		f->pb.raw_code = text_of(f, i % 2 == 0 ? "" : "X9");
		assert_good(f);
		assert_int_equal(f->record.kind, KIND_CODE_DEVICE_OTHER);
		assert_int_equal(f->record.flags, RECORD_UNKNOWN_KIND);
		assert_int_equal(f->record.raw_code_len, i % 2 == 0 ? 0 : 2);
		assert_int_equal(f->record.detail_len, strlen(cases[i].detail));
		assert_memory_equal(f->record.detail, cases[i].detail, f->record.detail_len);
	}
}

/* ---- Rejected ones ----------------------------------------------------------------------- */

static void
a_time_outside_2000_to_2100_is_impossible(void **state)
{
	static const int64_t bad[] = {
		0, -1, INT64_MIN, INT64_MAX, INT64_C(946684799999999), INT64_C(4102444800000000)};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		f->pb.time_us = bad[i];
		assert_rejected(f, REJECT_IMPOSSIBLE_TIME, "expected a time from 2000 to 2100");
	}
	f->pb.time_us = INT64_C(946684800000000);
	assert_good(f);
	f->pb.time_us = INT64_C(4102444799999999);
	assert_good(f);
}

static void
a_raw_code_is_a_short_text(void **state)
{
	static const char *const bad[] = {"a\nb",
					  "\x1f",
					  "\x7f",
					  "\xff",
					  "\xc3",
					  "\xed\xa0\x80",
					  "012345678901234567890123456789012"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		f->pb.raw_code = text_of(f, bad[i]);
		assert_rejected(f, REJECT_BAD_TEXT, "raw_code is not UTF-8 text of at most 32");
	}
	f->pb.raw_code = text_of(f, "01234567890123456789012345678901");
	assert_good(f);
	assert_int_equal(f->record.raw_code_len, RAW_CODE_MAX);
}

static void
a_card_is_bounded_and_there_where_needed(void **state)
{
	struct fixture *f = *state;

	f->pb.card.len = CARD_MAX;
	assert_good(f);
	f->pb.card.len = CARD_MAX + 1;
	assert_rejected(f, REJECT_BAD_CARD, "card has 33 bytes, at most 32 are allowed");
	f->pb.card.len = 0;
	assert_rejected(f, REJECT_BAD_CARD, "card is missing, and required with access.granted");
	/* a damaged card has no number, and a keypad has no card */
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_DENIED;
	f->pb.reason = GATEHOUSE__V1__REASON__REASON_UNREADABLE;
	assert_good(f);
}

static void
a_reason_belongs_to_a_denial_alone(void **state)
{
	static const int bad[] = {0, -1, 11, INT32_MIN, INT32_MAX, 65537};
	struct fixture *f = *state;

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_DENIED;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		f->pb.reason = (Gatehouse__V1__Reason)bad[i];
		assert_rejected(f, REJECT_BAD_REASON, "expected 1 to 10 with access.denied");
	}
	for (uint32_t reason = 1; reason <= reason_count(); reason++) {
		f->pb.reason = (Gatehouse__V1__Reason)reason;
		assert_good(f);
		assert_int_equal(f->record.reason, reason);
	}
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED;
	f->pb.reason = GATEHOUSE__V1__REASON__REASON_EXPIRED;
	assert_rejected(f, REJECT_BAD_REASON, "expected none with access.granted");
}

/* ---- Detail ------------------------------------------------------------------------------- */

static json_t *
detail_of(struct fixture *f)
{
	json_error_t error;
	json_t *json;

	assert_good(f);
	assert_in_range(f->record.detail_len, 2, DETAIL_MAX);
	json = json_loadb(f->record.detail, f->record.detail_len, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(json);
	assert_true(json_is_object(json));
	return json;
}

static json_int_t
number_in(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

/* Base64 by hand: RFC 4648. */
static size_t
base64_decode(const char *text, uint8_t *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;
	uint32_t bits = 0;
	int have = 0;

	for (; *text != '\0' && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		assert_non_null(digit);
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

static void
a_card_change_becomes_json(void **state)
{
	struct fixture *f = *state;
	uint8_t sealed[SEALED_MAX + 4];
	char unit[] = "12/3 \"left\" \xc3\xa9";
	json_t *json;
	size_t n;

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_CARD_REGISTERED;
	f->pb.card_change = &f->change;
	f->change.card_kind = GATEHOUSE__V1__CARD_KIND__CARD_KIND_TENANT;
	f->change.valid_from_us = NOON;
	f->change.valid_until_us = NOON + 1;
	f->change.unit = unit;
	f->change.sealed = (ProtobufCBinaryData){.data = f->sealed, .len = SEALED_MAX};
	json = detail_of(f);
	assert_int_equal(number_in(json, "card_kind"), 2);
	assert_int_equal(number_in(json, "valid_from_us"), NOON);
	assert_int_equal(number_in(json, "valid_until_us"), NOON + 1);
	assert_string_equal(json_string_value(json_object_get(json, "unit")), unit);
	n = base64_decode(json_string_value(json_object_get(json, "sealed")), sealed);
	assert_int_equal(n, SEALED_MAX);
	assert_memory_equal(sealed, f->sealed, SEALED_MAX);
	json_decref(json);
}

static void
what_a_card_change_does_not_say_is_not_there(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_CARD_REVOKED;
	f->pb.card_change = &f->change;
	json = detail_of(f);
	assert_int_equal(json_object_size(json), 1);
	assert_int_equal(number_in(json, "card_kind"), 0);
	json_decref(json);
	/* each length of sealed has another padding */
	for (size_t len = 1; len <= 4; len++) {
		uint8_t sealed[8];

		f->change.sealed = (ProtobufCBinaryData){.data = f->sealed, .len = len};
		json = detail_of(f);
		assert_int_equal(
			base64_decode(json_string_value(json_object_get(json, "sealed")), sealed),
			len);
		assert_memory_equal(sealed, f->sealed, len);
		json_decref(json);
	}
}

static void
a_card_change_that_makes_no_sense_is_rejected(void **state)
{
	struct fixture *f = *state;
	char unit[66];

	f->pb.card_change = &f->change;
	assert_rejected(f, REJECT_BAD_DETAIL, "card_change does not go with kind access.granted");
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_CARD_REGISTERED;
	f->pb.device_state = &f->device;
	assert_rejected(f, REJECT_BAD_DETAIL, "card_change does not go with kind card.registered");
	f->pb.device_state = NULL;
	f->change.valid_from_us = NOON;
	f->change.valid_until_us = NOON;
	assert_rejected(f, REJECT_BAD_DETAIL, "card_change ends before it begins");
	f->change.valid_until_us = 0;
	assert_good(f);
	memset(unit, 'x', sizeof(unit));
	unit[65] = '\0';
	f->change.unit = unit;
	assert_rejected(f, REJECT_BAD_DETAIL, "card_change.unit");
	unit[64] = '\0';
	assert_good(f);
	unit[3] = '\n';
	assert_rejected(f, REJECT_BAD_DETAIL, "card_change.unit");
	unit[0] = '\0';
	f->change.sealed = (ProtobufCBinaryData){.data = f->sealed, .len = SEALED_MAX + 1};
	assert_rejected(f, REJECT_BAD_DETAIL, "card_change.sealed has 16385 bytes");
}

static void
a_device_state_becomes_json(void **state)
{
	struct fixture *f = *state;
	char firmware[] = "v2.1";
	json_t *json;

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_DEVICE_BOOT;
	f->pb.device_state = &f->device;
	json = detail_of(f);
	assert_int_equal(json_object_size(json), 0);
	json_decref(json);
	f->device.uptime_s = UINT32_MAX;
	f->device.firmware = firmware;
	f->device.battery_mv = 12600;
	f->device.records_waiting = 3;
	f->device.clock_before_us = INT64_MIN;
	f->device.reader = 2;
	f->device.records_overwritten = INT64_MAX;
	json = detail_of(f);
	assert_int_equal(json_object_size(json), 7);
	assert_int_equal(number_in(json, "uptime_s"), UINT32_MAX);
	assert_int_equal(number_in(json, "battery_mv"), 12600);
	assert_int_equal(number_in(json, "records_waiting"), 3);
	assert_int_equal(number_in(json, "clock_before_us"), INT64_MIN);
	assert_int_equal(number_in(json, "reader"), 2);
	assert_int_equal(number_in(json, "records_overwritten"), INT64_MAX);
	assert_string_equal(json_string_value(json_object_get(json, "firmware")), "v2.1");
	json_decref(json);
}

static void
a_device_state_that_makes_no_sense_is_rejected(void **state)
{
	struct fixture *f = *state;
	char firmware[66];

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_DEVICE_LOG_OVERFLOW;
	f->pb.device_state = &f->device;
	f->device.records_overwritten = (uint64_t)INT64_MAX + 1;
	assert_rejected(f, REJECT_BAD_DETAIL, "records_overwritten is out of range");
	f->device.records_overwritten = 0;
	memset(firmware, 'x', sizeof(firmware));
	firmware[65] = '\0';
	f->device.firmware = firmware;
	assert_rejected(f, REJECT_BAD_DETAIL, "device_state.firmware");
}

static void
an_arena_that_is_used_up_rejects(void **state)
{
	struct fixture *f = *state;

	f->pb.kind = GATEHOUSE__V1__KIND__KIND_DEVICE_BOOT;
	f->pb.device_state = &f->device;
	f->device.uptime_s = 1;
	send(f);
	f->arena.used = f->arena.size;
	assert_int_equal(reported_check(&f->arena, f->reported, &f->record, &f->err),
			 REJECT_BAD_DETAIL);
	f->pb.device_state = NULL;
	f->pb.kind = (Gatehouse__V1__Kind)9999;
	send(f);
	f->arena.used = f->arena.size;
	assert_int_equal(reported_check(&f->arena, f->reported, &f->record, &f->err),
			 REJECT_BAD_DETAIL);
}

/* ---- The card number goes -------------------------------------------------------------------- */

static void
assert_not_in(const uint8_t *bytes, size_t n, const uint8_t *card, size_t card_len)
{
	assert_null(memmem(bytes, n, card, card_len));
}

static void
a_wiped_card_is_gone_from_the_arena(void **state)
{
	struct fixture *f = *state;
	size_t n;

	send(f);
	assert_non_null(memmem(f->arena.block, f->arena.used, f->card, 7));
	reported_wipe_card(f->reported);
	(void)reported_card(f->reported, &n);
	assert_int_equal(n, 0);
	assert_not_in(f->arena.block, f->arena.used, f->card, 7);
	reported_wipe_card(f->reported);
}

/* The record's bytes, and behind them a field of a later version with the card in it. */
static void
send_with_unknown_fields(struct fixture *f)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	struct controller_msg msg;
	ProtobufCMessageUnknownField unknown = {.tag = 77,
						.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED};
	uint8_t field[8] = {7};
	size_t n;

	memcpy(field + 1, f->card, 7);
	unknown.data = field;
	unknown.len = sizeof(field);
	f->pb.base.n_unknown_fields = 1;
	f->pb.base.unknown_fields = &unknown;
	f->change.base.n_unknown_fields = 1;
	f->change.base.unknown_fields = &unknown;
	f->device.base.n_unknown_fields = 1;
	f->device.base.unknown_fields = &unknown;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	from.record = &f->pb;
	n = gatehouse__v1__from_controller__pack(&from, f->bytes);
	arena_reset(&f->arena);
	assert_int_equal(controller_msg_decode(&f->arena, f->bytes, n, &msg, &f->err), RC_OK);
	f->reported = msg.record;
}

static void
what_goes_into_quarantine_has_no_card_and_no_unknown_field(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__Record *back;
	uint8_t out[4096];
	size_t n;

	/* rejected for both details at once, which is how both get there */
	f->pb.card_change = &f->change;
	f->pb.device_state = &f->device;
	f->device.uptime_s = 9;
	f->change.valid_from_us = NOON;
	f->pb.raw_code = text_of(f, "E27");
	send_with_unknown_fields(f);
	n = reported_pack_safely(f->reported, out, sizeof(out));
	assert_in_range(n, 1, sizeof(out));
	/* not even three bytes of it in a row */
	for (size_t i = 0; i + 3 <= 7; i++)
		assert_not_in(out, n, f->card + i, 3);
	back = gatehouse__v1__record__unpack(NULL, n, out);
	assert_non_null(back);
	assert_int_equal(back->seq, 42);
	assert_int_equal(back->time_us, NOON);
	assert_int_equal(back->door, 3);
	assert_int_equal(back->card.len, 0);
	assert_string_equal(back->raw_code, "E27");
	assert_int_equal(back->device_state->uptime_s, 9);
	assert_int_equal(back->card_change->valid_from_us, NOON);
	assert_int_equal(back->base.n_unknown_fields, 0);
	assert_int_equal(back->card_change->base.n_unknown_fields, 0);
	assert_int_equal(back->device_state->base.n_unknown_fields, 0);
	gatehouse__v1__record__free_unpacked(back, NULL);
}

static void
a_record_too_long_for_quarantine_is_not_packed(void **state)
{
	struct fixture *f = *state;
	uint8_t out[64];
	size_t n;

	send(f);
	n = reported_pack_safely(f->reported, out, sizeof(out));
	assert_in_range(n, 1, sizeof(out));
	send(f);
	memset(out, 0xaa, sizeof(out));
	assert_int_equal(reported_pack_safely(f->reported, out, n - 1), 0);
	assert_int_equal(out[0], 0xaa);
	assert_int_equal(reported_pack_safely(f->reported, out, n), n);
}

int
main(void)
{
#define RECORD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RECORD(a_good_record_is_taken_over),
		RECORD(every_kind_of_a_controller_is_good),
		RECORD(a_kind_that_is_not_known_keeps_its_number),
		RECORD(a_time_outside_2000_to_2100_is_impossible),
		RECORD(a_raw_code_is_a_short_text),
		RECORD(a_card_is_bounded_and_there_where_needed),
		RECORD(a_reason_belongs_to_a_denial_alone),
		RECORD(a_card_change_becomes_json),
		RECORD(what_a_card_change_does_not_say_is_not_there),
		RECORD(a_card_change_that_makes_no_sense_is_rejected),
		RECORD(a_device_state_becomes_json),
		RECORD(a_device_state_that_makes_no_sense_is_rejected),
		RECORD(an_arena_that_is_used_up_rejects),
		RECORD(a_wiped_card_is_gone_from_the_arena),
		RECORD(what_goes_into_quarantine_has_no_card_and_no_unknown_field),
		RECORD(a_record_too_long_for_quarantine_is_not_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
