/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both directions of the controller's contract against the generated code of
 * protobuf-c with its ordinary allocator: what a controller packs is decoded,
 * checked and bounded; what we answer can be unpacked by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/controller_msg.h"
#include "wire/frame.h"

enum { ARENA_BYTES = 64 * 1024, MESSAGE_MAX = 64 * 1024 };

struct fixture {
	struct arena arena;
	struct controller_msg msg;
	struct err err;
	uint8_t bytes[MESSAGE_MAX];
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	arena_init(&f->arena, ARENA_BYTES);
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

static enum rc
decode_bytes(struct fixture *f, const void *bytes, size_t n)
{
	arena_reset(&f->arena);
	memset(&f->msg, 0xee, sizeof(f->msg));
	f->err.msg[0] = '\0';
	return controller_msg_decode(&f->arena, bytes, n, &f->msg, &f->err);
}

static enum rc
decode(struct fixture *f, const Gatehouse__V1__FromController *from)
{
	size_t n = gatehouse__v1__from_controller__get_packed_size(from);

	assert_true(n <= sizeof(f->bytes));
	assert_int_equal(gatehouse__v1__from_controller__pack(from, f->bytes), n);
	return decode_bytes(f, f->bytes, n);
}

static void
assert_refused(struct fixture *f, enum rc rc, const char *because)
{
	assert_int_equal(rc, RC_INVALID);
	if (strstr(f->err.msg, because) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, f->err.msg);
}

/* ---- Hello ------------------------------------------------------------------------ */

static char empty[] = "";

static enum rc
decode_hello(struct fixture *f, Gatehouse__V1__Hello *hello)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;

	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	from.hello = hello;
	return decode(f, &from);
}

static Gatehouse__V1__Hello
sample_hello(void)
{
	Gatehouse__V1__Hello hello = GATEHOUSE__V1__HELLO__INIT;

	hello.protocol = 1;
	hello.epoch = 7;
	hello.acked_seq = 41;
	hello.clock_us = INT64_C(1769860800000000);
	hello.firmware = empty;
	return hello;
}

static void
a_hello_is_decoded_with_its_doors(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__Hello hello = sample_hello();
	Gatehouse__V1__Door doors[2], *pointers[2] = {&doors[0], &doors[1]};
	char front[] = "front", firmware[] = "v2.1 \xc3\xa9";

	gatehouse__v1__door__init(&doors[0]);
	gatehouse__v1__door__init(&doors[1]);
	doors[0].number = 1;
	doors[0].code = front;
	doors[1].number = 4000000000;
	hello.doors = pointers;
	hello.n_doors = 2;
	hello.firmware = firmware;
	assert_int_equal(decode_hello(f, &hello), RC_OK);
	assert_int_equal(f->msg.type, CONTROLLER_MSG_HELLO);
	assert_int_equal(f->msg.hello.protocol, 1);
	assert_int_equal(f->msg.hello.epoch, 7);
	assert_int_equal(f->msg.hello.acked_seq, 41);
	assert_int_equal(f->msg.hello.clock_us, hello.clock_us);
	assert_string_equal(f->msg.hello.firmware, firmware);
	assert_int_equal(f->msg.hello.n_doors, 2);
	assert_int_equal(f->msg.hello.doors[0].number, 1);
	assert_string_equal(f->msg.hello.doors[0].code, "front");
	assert_int_equal(f->msg.hello.doors[1].number, 4000000000);
	assert_string_equal(f->msg.hello.doors[1].code, "");
}

static void
a_hellos_numbers_have_bounds(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__Hello hello = sample_hello();

	hello.epoch = EPOCH_MAX - 1;
	hello.acked_seq = SEQ_MAX;
	assert_int_equal(decode_hello(f, &hello), RC_OK);
	hello.epoch = EPOCH_MAX;
	assert_refused(f, decode_hello(f, &hello), "out of range");
	hello.epoch = UINT64_MAX;
	assert_refused(f, decode_hello(f, &hello), "out of range");
	hello.epoch = 0;
	hello.acked_seq = SEQ_MAX + 1;
	assert_refused(f, decode_hello(f, &hello), "out of range");
}

static void
a_clock_that_can_not_be_counts_as_none(void **state)
{
	static const int64_t none[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX / 2 + 1};
	struct fixture *f = *state;
	Gatehouse__V1__Hello hello = sample_hello();

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		hello.clock_us = none[i];
		assert_int_equal(decode_hello(f, &hello), RC_OK);
		assert_int_equal(f->msg.hello.clock_us, 0);
	}
}

static void
a_hellos_texts_are_checked(void **state)
{
	static const char *const bad[] = {"a\nb", "\x1b[2J",      "\x7f",     "\xff",
					  "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"};
	struct fixture *f = *state;
	Gatehouse__V1__Hello hello = sample_hello();
	Gatehouse__V1__Door door = GATEHOUSE__V1__DOOR__INIT, *doors[] = {&door};
	char text[HELLO_TEXT_MAX + 2];

	hello.doors = doors;
	hello.n_doors = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(text, sizeof(text), "%s", bad[i]);
		hello.firmware = text;
		door.code = empty;
		assert_refused(f, decode_hello(f, &hello), "firmware in hello");
		hello.firmware = empty;
		door.code = text;
		assert_refused(f, decode_hello(f, &hello), "code of door");
	}
	memset(text, 'x', sizeof(text));
	text[HELLO_TEXT_MAX] = '\0';
	hello.firmware = text;
	assert_int_equal(decode_hello(f, &hello), RC_OK);
	assert_int_equal(strlen(f->msg.hello.firmware), HELLO_TEXT_MAX);
	text[HELLO_TEXT_MAX] = 'x';
	text[HELLO_TEXT_MAX + 1] = '\0';
	assert_refused(f, decode_hello(f, &hello), "at most 64 bytes");
}

/* FromController { hello { doors {} doors {} .. } }: two bytes for each door. */
static size_t
put_empty_doors(uint8_t *out, size_t n_doors)
{
	uint8_t *at = out;

	*at++ = 0x0a;
	at = frame_put_header(at, n_doors * 2);
	for (size_t i = 0; i < n_doors; i++) {
		*at++ = 6 << 3 | 2; /* Hello.doors */
		*at++ = 0;
	}
	return (size_t)(at - out);
}

static void
doors_have_a_limit(void **state)
{
	struct fixture *f = *state;
	size_t n = put_empty_doors(f->bytes, CONTROLLER_DOORS_MAX);

	assert_int_equal(decode_bytes(f, f->bytes, n), RC_OK);
	assert_int_equal(f->msg.hello.n_doors, CONTROLLER_DOORS_MAX);
	n = put_empty_doors(f->bytes, CONTROLLER_DOORS_MAX + 1);
	assert_refused(f, decode_bytes(f, f->bytes, n), "hello names 257 doors");
}

static void
a_hostile_repetition_meets_the_end_of_the_arena(void **state)
{
	struct fixture *f = *state;
	size_t n = put_empty_doors(f->bytes, 20000);

	/* 40 KB that would unpack to a megabyte */
	assert_refused(f, decode_bytes(f, f->bytes, n), "too large");
	assert_true(f->arena.used <= f->arena.size);
	/* and the arena serves the next one */
	n = put_empty_doors(f->bytes, 3);
	assert_int_equal(decode_bytes(f, f->bytes, n), RC_OK);
}

static void
an_arena_of_any_size_gives_a_message_or_none(void **state)
{
	struct fixture *f = *state;
	size_t n = put_empty_doors(f->bytes, 40);
	bool fitted = false;

	for (size_t size = 1; size < 8192; size += 7) {
		struct controller_msg msg;
		struct arena arena;
		enum rc rc;

		arena_init(&arena, size);
		rc = controller_msg_decode(&arena, f->bytes, n, &msg, &f->err);
		assert_true(rc == RC_OK || (rc == RC_INVALID && !fitted));
		fitted = fitted || rc == RC_OK;
		arena_fini(&arena);
	}
	assert_true(fitted);
}

/* ---- Records, heartbeats, losses ---------------------------------------------------- */

static void
a_record_is_decoded_ahead_or_in_turn(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__Record record = GATEHOUSE__V1__RECORD__INIT;
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	uint8_t card[] = {1, 2, 3, 4};
	size_t n;

	record.seq = 42;
	record.door = 3;
	record.card = (ProtobufCBinaryData){.data = card, .len = sizeof(card)};
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	from.record = &record;
	assert_int_equal(decode(f, &from), RC_OK);
	assert_int_equal(f->msg.type, CONTROLLER_MSG_RECORD);
	assert_int_equal(reported_seq(f->msg.record), 42);
	assert_int_equal(reported_door(f->msg.record), 3);
	assert_memory_equal(reported_card(f->msg.record, &n), card, sizeof(card));
	assert_int_equal(n, sizeof(card));
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD;
	from.ahead = &record;
	assert_int_equal(decode(f, &from), RC_OK);
	assert_int_equal(f->msg.type, CONTROLLER_MSG_AHEAD);
	assert_int_equal(reported_seq(f->msg.record), 42);
}

static void
a_records_number_has_bounds(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__Record record = GATEHOUSE__V1__RECORD__INIT;
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;

	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	from.record = &record;
	record.seq = 0;
	assert_refused(f, decode(f, &from), "out of range");
	record.seq = 1;
	assert_int_equal(decode(f, &from), RC_OK);
	record.seq = SEQ_MAX;
	assert_int_equal(decode(f, &from), RC_OK);
	record.seq = SEQ_MAX + 1;
	assert_refused(f, decode(f, &from), "out of range");
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD;
	from.ahead = &record;
	assert_refused(f, decode(f, &from), "out of range");
}

static void
a_heartbeat_is_decoded(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__Heartbeat heartbeat = GATEHOUSE__V1__HEARTBEAT__INIT;
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;

	heartbeat.clock_us = 123456789;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HEARTBEAT;
	from.heartbeat = &heartbeat;
	assert_int_equal(decode(f, &from), RC_OK);
	assert_int_equal(f->msg.type, CONTROLLER_MSG_HEARTBEAT);
	assert_int_equal(f->msg.heartbeat_clock_us, 123456789);
}

static void
a_loss_names_a_range(void **state)
{
	static const struct {
		uint64_t from, to;
		bool good;
	} cases[] = {
		{1, 1, true},
		{5, 9, true},
		{SEQ_MAX, SEQ_MAX, true},
		{0, 5, false},
		{5, 4, false},
		{0, 0, false},
		{1, SEQ_MAX + 1, false},
		{UINT64_MAX, UINT64_MAX, false},
	};
	struct fixture *f = *state;
	Gatehouse__V1__Lost lost = GATEHOUSE__V1__LOST__INIT;
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;

	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_LOST;
	from.lost = &lost;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		lost.from_seq = cases[i].from;
		lost.to_seq = cases[i].to;
		if (!cases[i].good) {
			assert_refused(f, decode(f, &from), "no range");
			continue;
		}
		assert_int_equal(decode(f, &from), RC_OK);
		assert_int_equal(f->msg.type, CONTROLLER_MSG_LOST);
		assert_int_equal(f->msg.lost.from, cases[i].from);
		assert_int_equal(f->msg.lost.to, cases[i].to);
	}
}

static void
nothing_and_rubbish_are_refused(void **state)
{
	static const uint8_t field_99[] = {0x9a, 0x06, 0x01, 'x'};
	static const uint8_t cut[] = {0x0a, 0x05, 0x08};
	static const uint8_t bad_wire_type[] = {0x0f, 0x00};
	static const uint8_t field_0[] = {0x02, 0x00};
	static const uint8_t huge[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00};
	struct fixture *f = *state;

	assert_refused(f, decode_bytes(f, "", 0), "not in the contract");
	assert_refused(f, decode_bytes(f, field_99, sizeof(field_99)), "not in the contract");
	assert_refused(f, decode_bytes(f, cut, sizeof(cut)), "not a FromController message");
	assert_refused(f, decode_bytes(f, bad_wire_type, sizeof(bad_wire_type)),
		       "not a FromController message");
	assert_refused(f, decode_bytes(f, field_0, sizeof(field_0)), "not");
	assert_refused(f, decode_bytes(f, huge, sizeof(huge)), "not a FromController message");
}

static void
of_two_messages_in_one_the_last_counts(void **state)
{
	/* heartbeat {}, then lost { from_seq 1, to_seq 2 }, as the specification has it */
	static const uint8_t two[] = {0x1a, 0x00, 0x2a, 0x04, 0x08, 0x01, 0x10, 0x02};
	struct fixture *f = *state;

	assert_int_equal(decode_bytes(f, two, sizeof(two)), RC_OK);
	assert_int_equal(f->msg.type, CONTROLLER_MSG_LOST);
	assert_int_equal(f->msg.lost.to, 2);
}

/* ---- Answers -------------------------------------------------------------------------- */

/* As any client would: by frame, and with the generated code. */
static Gatehouse__V1__ToController *
unpack(const uint8_t *bytes, size_t n)
{
	const uint8_t *payload;
	size_t len, used;
	Gatehouse__V1__ToController *to;

	assert_true(n <= CONTROLLER_ANSWER_MAX);
	assert_int_equal(frame_parse(bytes, n, CONTROLLER_ANSWER_MAX, &payload, &len, &used),
			 FRAME_WHOLE);
	assert_int_equal(used, n);
	to = gatehouse__v1__to_controller__unpack(NULL, len, payload);
	assert_non_null(to);
	return to;
}

static void
a_welcome_can_be_read(void **state)
{
	char name[HELLO_TEXT_MAX + 1];
	struct welcome welcome = {
		.server_time_us = INT64_MAX,
		.epoch = UINT64_MAX,
		.resume_after = UINT64_MAX,
		.heartbeat_s = UINT32_MAX,
		.lease_s = 90,
		.window = 64,
		.frame_max_bytes = 65536,
		.controller = name,
	};
	uint8_t out[CONTROLLER_ANSWER_MAX];
	Gatehouse__V1__ToController *to;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	to = unpack(out, controller_put_welcome(out, &welcome));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME);
	assert_int_equal(to->welcome->server_time_us, INT64_MAX);
	assert_int_equal(to->welcome->epoch, UINT64_MAX);
	assert_int_equal(to->welcome->resume_after, UINT64_MAX);
	assert_int_equal(to->welcome->heartbeat_s, UINT32_MAX);
	assert_int_equal(to->welcome->lease_s, 90);
	assert_int_equal(to->welcome->window, 64);
	assert_int_equal(to->welcome->frame_max_bytes, 65536);
	assert_string_equal(to->welcome->controller, name);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
}

static void
short_answers_can_be_read(void **state)
{
	uint8_t out[CONTROLLER_ANSWER_MAX];
	Gatehouse__V1__ToController *to;

	(void)state;
	to = unpack(out, controller_put_ack(out, UINT64_MAX));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK);
	assert_int_equal(to->ack->seq, UINT64_MAX);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
	to = unpack(out, controller_put_resend(out, 17));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_RESEND);
	assert_int_equal(to->resend->from_seq, 17);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
	to = unpack(out, controller_put_heartbeat_reply(out, -5));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_HEARTBEAT_REPLY);
	assert_int_equal(to->heartbeat_reply->server_time_us, -5);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
}

static void
a_reject_and_a_goaway_say_why(void **state)
{
	uint8_t out[CONTROLLER_ANSWER_MAX];
	Gatehouse__V1__ToController *to;

	(void)state;
	to = unpack(out, controller_put_reject(out, 42, REJECT_BAD_CARD, "card is missing"));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_REJECT);
	assert_int_equal(to->reject->seq, 42);
	assert_int_equal(to->reject->reason, GATEHOUSE__V1__REJECT_REASON__REJECT_REASON_BAD_CARD);
	assert_string_equal(to->reject->detail, "card is missing");
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
	to = unpack(out, controller_put_goaway(out, GOAWAY_OVERLOAD, 5000, "later"));
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY);
	assert_int_equal(to->goaway->reason, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_OVERLOAD);
	assert_int_equal(to->goaway->delay_ms, 5000);
	assert_string_equal(to->goaway->detail, "later");
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
}

static void
a_long_detail_is_cut_between_characters(void **state)
{
	/* one of each length in UTF-8 */
	static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac",
						 "\xf0\x9f\x9a\xaa"};
	uint8_t out[CONTROLLER_ANSWER_MAX];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
			Gatehouse__V1__ToController *to;
			char text[1000] = "";
			size_t n = strlen(characters[i]), cut;

			memset(text, '.', shift);
			while (strlen(text) + n < sizeof(text))
				(void)strcat(text, characters[i]);
			to = unpack(out, controller_put_goaway(out, GOAWAY_PROTOCOL, 0, text));
			cut = strlen(to->goaway->detail);
			assert_in_range(cut, 316, 319);
			assert_int_equal((cut - shift) % n, 0);
			assert_memory_equal(to->goaway->detail, text, cut);
			gatehouse__v1__to_controller__free_unpacked(to, NULL);
		}
	}
}

static void
every_goaway_has_a_name(void **state)
{
	const ProtobufCEnumDescriptor *numbers = &gatehouse__v1__goaway_reason__descriptor;

	(void)state;
	assert_int_equal(numbers->n_values, GOAWAY_COUNT);
	for (unsigned i = 0; i < GOAWAY_COUNT; i++) {
		assert_non_null(goaway_name((enum goaway)i));
		assert_int_equal(numbers->values[i].value, i);
	}
}

int
main(void)
{
#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_ARENA(a_hello_is_decoded_with_its_doors),
		WITH_ARENA(a_hellos_numbers_have_bounds),
		WITH_ARENA(a_clock_that_can_not_be_counts_as_none),
		WITH_ARENA(a_hellos_texts_are_checked),
		WITH_ARENA(doors_have_a_limit),
		WITH_ARENA(a_hostile_repetition_meets_the_end_of_the_arena),
		WITH_ARENA(an_arena_of_any_size_gives_a_message_or_none),
		WITH_ARENA(a_record_is_decoded_ahead_or_in_turn),
		WITH_ARENA(a_records_number_has_bounds),
		WITH_ARENA(a_heartbeat_is_decoded),
		WITH_ARENA(a_loss_names_a_range),
		WITH_ARENA(nothing_and_rubbish_are_refused),
		WITH_ARENA(of_two_messages_in_one_the_last_counts),
		cmocka_unit_test(a_welcome_can_be_read),
		cmocka_unit_test(short_answers_can_be_read),
		cmocka_unit_test(a_reject_and_a_goaway_say_why),
		cmocka_unit_test(a_long_detail_is_cut_between_characters),
		cmocka_unit_test(every_goaway_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
