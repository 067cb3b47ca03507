/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of journal entries: what goes in comes out, and a body that is cut,
 * stretched or beyond its bounds is refused.  Bodies are decoded from memory of
 * exactly their size, so that the address sanitizer sees a read beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/entry.h"

/* Places in the bodies, as the comments in wire/entry.c and wire/entry_alarm.c draw them. */
enum {
	RECORD_AT_FLAGS = 48,
	RECORD_AT_RAW_CODE_LEN = 52,
	RECORD_AT_DETAIL_LEN = 54,
	QUARANTINE_AT_DETAIL_LEN = 34,
	QUARANTINE_AT_PAYLOAD_LEN = 36,
	ALARM_AT_SEVERITY = 38,
	ALARM_AT_STATE = 39,
	ALARM_AT_SILENT = 40,
	ALARM_AT_RAW_CODE_LEN = 41,
	ACTION_AT_VERB = 20,
	ACTION_AT_ACTOR_KIND = 21,
	ACTION_AT_SUPERVISOR = 22,
	ACTION_AT_REJECT = 23,
	ACTION_AT_OUTCOME = 24,
	ACTION_AT_TEXT_LEN = 59,
};

static struct record
sample_record(void)
{
	struct record record = {
		.controller_id = 0x01020304,
		.site_id = UINT32_MAX,
		.door_id = 7,
		.kind = 103,
		.reason = 3,
		.epoch = -(INT64_C(1700000000) * 32768 + 5),
		.seq = UINT64_MAX,
		.device_time_us = INT64_MIN,
		.received_us = INT64_MAX,
		.flags = RECORD_HAS_TOKEN | RECORD_CLOCK_OFF,
		.raw_code = "E27",
		.raw_code_len = 3,
		.detail = "{\"reader\":2}",
		.detail_len = 12,
	};

	for (int i = 0; i < TOKEN_BYTES; i++)
		record.token[i] = (uint8_t)(0xf0 + i);
	return record;
}

static struct quarantine
sample_quarantine(void)
{
	return (struct quarantine){
		.controller_id = 1,
		.site_id = 2,
		.epoch = 3,
		.seq = 4,
		.received_us = 5,
		.reason = 6,
		.detail = "door 9",
		.detail_len = 6,
		.payload = (const uint8_t *)"\x08\x01\x00",
		.payload_len = 3,
	};
}

static struct alarm_change
sample_alarm(void)
{
	return (struct alarm_change){
		.alarm_id = UINT64_C(3) << 48 | 17,
		.change = 2,
		.position = UINT64_C(0x0102030405060708),
		.kind = 202,
		.severity = 4,
		.state = 7,
		.silent = 1,
		.count = 9,
		.controller_id = 10,
		.site_id = 11,
		.door_id = 12,
		.device_time_us = 13,
		.received_us = 14,
		.durable_us = 15,
		.raised_us = 16,
		.cleared_us = 17,
		.epoch = -18,
		.seq = 19,
		.raw_code = "raw",
		.latches = 1,
		.verb = VERB_DISPATCHED,
		.actor_kind = ACTOR_CONSOLE,
		.reject = REJECT_ALARM_TOO_OLD,
		.outcome = OUTCOME_TEST,
		.acted_us = 20,
		.stage = ALARM_STAGE_DISPATCHED,
		.escalation = 21,
		.handed_station_id = 22,
		.group_id = 23,
		.until_us = 24,
		.waiting_us = 25,
		.acknowledged_us = 26,
		.first_acknowledged_us = 27,
		.offered_us = 28,
		.shown_us = 29,
		.actor = "desk-north",
		.operator_code = "7",
		.acknowledged_by = "7@desk-north",
		.text = "two on the way",
	};
}

static struct action
sample_action(void)
{
	return (struct action){
		.alarm_id = UINT64_C(3) << 48 | 17,
		.ticket = 2,
		.seen_change = 3,
		.verb = VERB_HAND_OVER,
		.actor_kind = ACTOR_OPERATOR,
		.supervisor = 1,
		.reject = REJECT_ALARM_WRONG_KIND,
		.outcome = OUTCOME_TECHNICAL,
		.kind = 720,
		.site_id = 4,
		.count = 5,
		.to_station_id = 6,
		.when_us = 7,
		.until_us = -8,
		.actor = "root",
		.operator_code = "12",
		.text = "to you",
	};
}

static void
assert_record_equal(const struct record *a, const struct record *b)
{
	assert_int_equal(a->controller_id, b->controller_id);
	assert_int_equal(a->site_id, b->site_id);
	assert_int_equal(a->door_id, b->door_id);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->reason, b->reason);
	assert_true(a->epoch == b->epoch && a->seq == b->seq);
	assert_true(a->device_time_us == b->device_time_us && a->received_us == b->received_us);
	assert_int_equal(a->flags, b->flags);
	assert_memory_equal(a->token, b->token, TOKEN_BYTES);
	assert_int_equal(a->raw_code_len, b->raw_code_len);
	assert_memory_equal(a->raw_code, b->raw_code, a->raw_code_len);
	assert_int_equal(a->detail_len, b->detail_len);
	assert_memory_equal(a->detail, b->detail, a->detail_len);
}

/* One of the decoders, as a question of yes or no. */
typedef enum rc decoder(const uint8_t *body, size_t len, struct err *err);

static enum rc
decode_as_record(const uint8_t *body, size_t len, struct err *err)
{
	struct record record;

	return record_decode(body, len, &record, err);
}

static enum rc
decode_as_quarantine(const uint8_t *body, size_t len, struct err *err)
{
	struct quarantine q;

	return quarantine_decode(body, len, &q, err);
}

static enum rc
decode_as_alarm(const uint8_t *body, size_t len, struct err *err)
{
	struct alarm_change change;

	return alarm_change_decode(body, len, &change, err);
}

static enum rc
decode_as_action(const uint8_t *body, size_t len, struct err *err)
{
	struct action action;

	return action_decode(body, len, &action, err);
}

static enum rc
decode_as_seen(const uint8_t *body, size_t len, struct err *err)
{
	struct alarm_seen seen;

	return alarm_seen_decode(body, len, &seen, err);
}

static enum rc
decode_exactly(decoder *decode, const uint8_t *body, size_t len, struct err *err)
{
	uint8_t *copy = malloc(len);
	enum rc rc;

	assert_true(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, body, len);
	rc = decode(copy, len, err);
	free(copy);
	return rc;
}

static void
assert_refused(decoder *decode, const uint8_t *body, size_t len)
{
	struct err err = {0};

	assert_int_equal(decode_exactly(decode, body, len, &err), RC_INVALID);
	assert_true(err.msg[0] != '\0');
}

static void
assert_only_whole(decoder *decode, uint8_t *body, size_t len)
{
	struct err err = {0};

	for (size_t cut = 0; cut < len; cut++)
		assert_refused(decode, body, cut);
	body[len] = 0;
	assert_refused(decode, body, len + 1);
	assert_int_equal(decode_exactly(decode, body, len, &err), RC_OK);
}

static void
record_round_trip(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record(), out;
	struct err err = {0};
	size_t len = record_encoded_len(&in);

	(void)state;
	assert_ptr_equal(record_encode(&in, body), body + len);
	assert_int_equal(record_decode(body, len, &out, &err), RC_OK);
	assert_record_equal(&in, &out);
	/* borrowed, not copied */
	assert_true((const uint8_t *)out.detail + out.detail_len == body + len);
}

static void
record_layout_is_fixed(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record();

	(void)state;
	record_encode(&in, body);
	assert_memory_equal(body, "\x04\x03\x02\x01\xff\xff\xff\xff\x07\0\0\0\x67\0\x03\0", 16);
	assert_memory_equal(body + RECORD_AT_FLAGS, "\x0a\0\0\0\x03\0\x0c\0\xf0\xf1", 10);
}

static void
record_without_texts_and_token(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record(), out;
	struct err err = {0};
	size_t with_token = record_encoded_len(&in);

	(void)state;
	in.flags = 0;
	assert_int_equal(record_encoded_len(&in), with_token - TOKEN_BYTES);
	memset(in.token, 0, TOKEN_BYTES);
	in.raw_code = in.detail = NULL;
	in.raw_code_len = in.detail_len = 0;
	record_encode(&in, body);
	assert_int_equal(record_decode(body, record_encoded_len(&in), &out, &err), RC_OK);
	assert_record_equal(&in, &out);
}

static void
record_token_needs_its_flag(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record(), out;
	struct err err = {0};
	const uint8_t none[TOKEN_BYTES] = {0};

	(void)state;
	in.flags = 0;
	record_encode(&in, body);
	assert_int_equal(record_decode(body, record_encoded_len(&in), &out, &err), RC_OK);
	assert_memory_equal(out.token, none, TOKEN_BYTES);
}

static void
record_at_its_limits(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record(), out;
	struct err err = {0};
	char *detail = malloc(DETAIL_MAX);
	char raw_code[RAW_CODE_MAX];

	(void)state;
	assert_non_null(detail);
	memset(detail, 'x', DETAIL_MAX);
	memset(raw_code, 'y', sizeof(raw_code));
	in.raw_code = raw_code;
	in.raw_code_len = RAW_CODE_MAX;
	in.detail = detail;
	in.detail_len = DETAIL_MAX;
	assert_true(record_encoded_len(&in) <= ENTRY_BODY_MAX);
	record_encode(&in, body);
	assert_int_equal(record_decode(body, record_encoded_len(&in), &out, &err), RC_OK);
	assert_record_equal(&in, &out);

	/* one more, and the bytes for it are there */
	body[RECORD_AT_RAW_CODE_LEN] = RAW_CODE_MAX + 1;
	assert_refused(decode_as_record, body, record_encoded_len(&in) + 1);
	body[RECORD_AT_RAW_CODE_LEN] = RAW_CODE_MAX;
	body[RECORD_AT_DETAIL_LEN] = 1;
	assert_refused(decode_as_record, body, record_encoded_len(&in) + 1);
	free(detail);
}

static void
record_cut_anywhere_is_refused(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record();

	(void)state;
	record_encode(&in, body);
	assert_only_whole(decode_as_record, body, record_encoded_len(&in));
}

/* The number is there with its flag only, behind the token. */
static void
record_list_number_needs_its_flag(void **state)
{
	struct record in = sample_record(), out;
	struct err err = {0};
	uint8_t body[ENTRY_BODY_MAX];
	size_t without = record_encoded_len(&in);

	(void)state;
	in.list_number = UINT64_C(0x0123456789abcdef);
	(void)record_encode(&in, body);
	assert_int_equal(record_decode(body, without, &out, &err), RC_OK);
	assert_int_equal(out.list_number, 0);

	in.flags |= RECORD_HAS_LIST;
	assert_int_equal(record_encoded_len(&in), without + 8);
	assert_ptr_equal(record_encode(&in, body), body + without + 8);
	assert_int_equal(record_decode(body, without + 8, &out, &err), RC_OK);
	assert_true(out.list_number == in.list_number);
	assert_memory_equal(out.token, in.token, TOKEN_BYTES);
	assert_memory_equal(out.detail, in.detail, in.detail_len);
	assert_int_equal(record_decode(body, without, &out, &err), RC_INVALID);
}

static void
record_with_unknown_flag_is_refused(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct record in = sample_record();

	(void)state;
	record_encode(&in, body);
	body[RECORD_AT_FLAGS] |= 1u << 5;
	assert_refused(decode_as_record, body, record_encoded_len(&in));
}

static void
quarantine_round_trip(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct quarantine in = sample_quarantine(), out;
	struct err err = {0};
	size_t len = quarantine_encoded_len(&in);

	(void)state;
	assert_ptr_equal(quarantine_encode(&in, body), body + len);
	assert_int_equal(quarantine_decode(body, len, &out, &err), RC_OK);
	assert_int_equal(out.controller_id, 1);
	assert_int_equal(out.site_id, 2);
	assert_int_equal(out.epoch, 3);
	assert_int_equal(out.seq, 4);
	assert_int_equal(out.received_us, 5);
	assert_int_equal(out.reason, 6);
	assert_int_equal(out.detail_len, in.detail_len);
	assert_memory_equal(out.detail, in.detail, in.detail_len);
	assert_int_equal(out.payload_len, in.payload_len);
	assert_memory_equal(out.payload, in.payload, in.payload_len);
	assert_only_whole(decode_as_quarantine, body, len);
}

static void
quarantine_at_its_limits(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct quarantine in = sample_quarantine();
	struct err err = {0};
	uint8_t *much = calloc(1, DETAIL_MAX);
	size_t len;

	(void)state;
	assert_non_null(much);
	in.detail = (const char *)much;
	in.detail_len = QUARANTINE_DETAIL_MAX;
	in.payload = much;
	in.payload_len = DETAIL_MAX;
	len = quarantine_encoded_len(&in);
	quarantine_encode(&in, body);
	assert_int_equal(decode_exactly(decode_as_quarantine, body, len, &err), RC_OK);

	body[QUARANTINE_AT_DETAIL_LEN]++;
	assert_refused(decode_as_quarantine, body, len + 1);
	body[QUARANTINE_AT_DETAIL_LEN]--;
	body[QUARANTINE_AT_PAYLOAD_LEN]++;
	assert_refused(decode_as_quarantine, body, len + 1);
	free(much);
}

static void
alarm_change_round_trip(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct alarm_change in = sample_alarm(), out;
	struct err err = {0};
	size_t len = alarm_change_encoded_len(&in);

	(void)state;
	assert_ptr_equal(alarm_change_encode(&in, body), body + len);
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(alarm_change_decode(body, len, &out, &err), RC_OK);
	assert_string_equal(out.raw_code, in.raw_code);
	assert_true(out.alarm_id == in.alarm_id && out.position == in.position);
	assert_true(out.change == 2 && out.count == 9 && out.kind == 202);
	assert_true(out.severity == 4 && out.state == 7 && out.silent == 1);
	assert_true(out.controller_id == 10 && out.site_id == 11 && out.door_id == 12);
	assert_true(out.device_time_us == 13 && out.received_us == 14 && out.durable_us == 15);
	assert_true(out.raised_us == 16 && out.cleared_us == 17);
	assert_true(out.epoch == -18 && out.seq == 19);
	assert_only_whole(decode_as_alarm, body, len);
}

static void
alarm_change_keeps_its_life(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct alarm_change in = sample_alarm(), out;
	struct err err = {0};

	(void)state;
	alarm_change_encode(&in, body);
	assert_int_equal(alarm_change_decode(body, alarm_change_encoded_len(&in), &out, &err),
			 RC_OK);
	assert_true(out.latches == 1 && out.verb == VERB_DISPATCHED);
	assert_true(out.actor_kind == ACTOR_CONSOLE && out.reject == REJECT_ALARM_TOO_OLD);
	assert_true(out.outcome == OUTCOME_TEST && out.stage == ALARM_STAGE_DISPATCHED);
	assert_true(out.acted_us == 20 && out.escalation == 21 && out.handed_station_id == 22);
	assert_true(out.group_id == 23 && out.until_us == 24 && out.waiting_us == 25);
	assert_true(out.acknowledged_us == 26 && out.first_acknowledged_us == 27);
	assert_true(out.offered_us == 28 && out.shown_us == 29);
	assert_string_equal(out.actor, "desk-north");
	assert_string_equal(out.operator_code, "7");
	assert_string_equal(out.acknowledged_by, "7@desk-north");
	assert_string_equal(out.text, "two on the way");
}

/* Texts are borrowed with their ends: one that ends early or not at all, or is empty and
 * yet takes a byte, was never written. */
static void
texts_end_where_they_say(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct action in = sample_action();
	size_t len = action_encoded_len(&in);

	(void)state;
	action_encode(&in, body);
	body[len - 1] = 'x';
	assert_refused(decode_as_action, body, len);
	action_encode(&in, body);
	body[len - 2] = '\0';
	assert_refused(decode_as_action, body, len);
	in.text = NULL;
	len = action_encoded_len(&in);
	action_encode(&in, body);
	body[ACTION_AT_TEXT_LEN] = 1;
	body[len] = '\0';
	assert_refused(decode_as_action, body, len + 1);
}

static void
action_round_trip(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct action in = sample_action(), out;
	struct err err = {0};
	size_t len = action_encoded_len(&in);

	(void)state;
	assert_ptr_equal(action_encode(&in, body), body + len);
	assert_int_equal(action_decode(body, len, &out, &err), RC_OK);
	assert_true(out.alarm_id == in.alarm_id && out.ticket == 2 && out.seen_change == 3);
	assert_true(out.verb == VERB_HAND_OVER && out.actor_kind == ACTOR_OPERATOR);
	assert_true(out.supervisor == 1 && out.reject == REJECT_ALARM_WRONG_KIND);
	assert_true(out.outcome == OUTCOME_TECHNICAL && out.kind == 720 && out.site_id == 4);
	assert_true(out.count == 5 && out.to_station_id == 6);
	assert_true(out.when_us == 7 && out.until_us == -8);
	assert_string_equal(out.actor, "root");
	assert_string_equal(out.operator_code, "12");
	assert_string_equal(out.text, "to you");
	assert_only_whole(decode_as_action, body, len);
}

static void
action_beyond_its_tables_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t wrong;
	} fields[] = {
		{ACTION_AT_VERB, 0},
		{ACTION_AT_VERB, VERB_OF_PEOPLE_LAST + 1},
		{ACTION_AT_VERB, VERBS},
		{ACTION_AT_ACTOR_KIND, 0},
		{ACTION_AT_ACTOR_KIND, ACTOR_KINDS},
		{ACTION_AT_SUPERVISOR, 2},
		{ACTION_AT_REJECT, REJECT_ALARMS},
		{ACTION_AT_OUTCOME, OUTCOMES},
	};
	uint8_t body[ENTRY_BODY_MAX];
	struct action in = sample_action();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		action_encode(&in, body);
		body[fields[i].at] = fields[i].wrong;
		assert_refused(decode_as_action, body, action_encoded_len(&in));
	}
}

static void
action_text_at_its_limit(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct action in = sample_action();
	char text[ALARM_TEXT_MAX + 1];
	struct err err = {0};
	size_t len;

	(void)state;
	memset(text, 'z', ALARM_TEXT_MAX);
	text[ALARM_TEXT_MAX] = '\0';
	in.text = text;
	len = action_encoded_len(&in);
	action_encode(&in, body);
	assert_int_equal(decode_exactly(decode_as_action, body, len, &err), RC_OK);
	/* one byte longer, and whole */
	body[len - 1] = 'z';
	body[len] = '\0';
	body[ACTION_AT_TEXT_LEN]++;
	assert_refused(decode_as_action, body, len + 1);
}

static void
seen_round_trip(void **state)
{
	struct alarm_seen in = {.alarm_id = 1, .change = 2, .offered_us = 3, .shown_us = -4}, out;
	uint8_t body[ALARM_SEEN_BYTES + 1];
	struct err err = {0};

	(void)state;
	assert_ptr_equal(alarm_seen_encode(&in, body), body + ALARM_SEEN_BYTES);
	assert_int_equal(alarm_seen_decode(body, ALARM_SEEN_BYTES, &out, &err), RC_OK);
	assert_true(out.alarm_id == 1 && out.change == 2);
	assert_true(out.offered_us == 3 && out.shown_us == -4);
	assert_only_whole(decode_as_seen, body, ALARM_SEEN_BYTES);
}

static void
alarm_change_raw_code_at_its_limits(void **state)
{
	uint8_t body[ENTRY_BODY_MAX];
	struct alarm_change in = sample_alarm(), out;
	struct err err = {0};

	(void)state;
	memset(in.raw_code, 'z', RAW_CODE_MAX);
	alarm_change_encode(&in, body);
	assert_int_equal(alarm_change_decode(body, alarm_change_encoded_len(&in), &out, &err),
			 RC_OK);
	assert_string_equal(out.raw_code, in.raw_code);
	body[ALARM_AT_RAW_CODE_LEN] = RAW_CODE_MAX + 1;
	assert_refused(decode_as_alarm, body, alarm_change_encoded_len(&in) + 1);
}

static void
alarm_change_with_nul_in_its_raw_code_is_refused(void **state)
{
	struct alarm_change in = sample_alarm();
	uint8_t body[ENTRY_BODY_MAX];
	size_t len;

	(void)state;
	memcpy(in.raw_code, "AB", sizeof("AB"));
	in.actor = in.operator_code = in.acknowledged_by = in.text = NULL;
	len = alarm_change_encoded_len(&in);
	alarm_change_encode(&in, body);
	body[len - 1] = '\0';
	assert_refused(decode_as_alarm, body, len);
}

static void
alarm_change_beyond_its_tables_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t most;
	} fields[] = {
		{ALARM_AT_SEVERITY, GATEHOUSE__V1__SEVERITY__SEVERITY_CRITICAL},
		{ALARM_AT_STATE, GATEHOUSE__V1__ALARM_STATE__ALARM_STATE_OUT_OF_SERVICE},
		{ALARM_AT_SILENT, 1},
	};
	uint8_t body[ENTRY_BODY_MAX];
	struct alarm_change in = sample_alarm();
	struct err err = {0};
	size_t len = alarm_change_encoded_len(&in);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		alarm_change_encode(&in, body);
		body[fields[i].at] = fields[i].most;
		assert_int_equal(decode_exactly(decode_as_alarm, body, len, &err), RC_OK);
		body[fields[i].at]++;
		assert_refused(decode_as_alarm, body, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_round_trip),
		cmocka_unit_test(record_layout_is_fixed),
		cmocka_unit_test(record_without_texts_and_token),
		cmocka_unit_test(record_token_needs_its_flag),
		cmocka_unit_test(record_at_its_limits),
		cmocka_unit_test(record_cut_anywhere_is_refused),
		cmocka_unit_test(record_list_number_needs_its_flag),
		cmocka_unit_test(record_with_unknown_flag_is_refused),
		cmocka_unit_test(quarantine_round_trip),
		cmocka_unit_test(quarantine_at_its_limits),
		cmocka_unit_test(alarm_change_round_trip),
		cmocka_unit_test(alarm_change_keeps_its_life),
		cmocka_unit_test(texts_end_where_they_say),
		cmocka_unit_test(action_round_trip),
		cmocka_unit_test(action_beyond_its_tables_is_refused),
		cmocka_unit_test(action_text_at_its_limit),
		cmocka_unit_test(seen_round_trip),
		cmocka_unit_test(alarm_change_raw_code_at_its_limits),
		cmocka_unit_test(alarm_change_with_nul_in_its_raw_code_is_refused),
		cmocka_unit_test(alarm_change_beyond_its_tables_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
