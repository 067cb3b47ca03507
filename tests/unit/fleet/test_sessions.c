/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One controller's conversation with real TLS and a real journal: what an ack
 * stands for, and who is sent away and why.  Holes are in test_holes.c.
 */
#include "device.h"

/* ---- Hello ------------------------------------------------------------------------ */

static void
hello_is_welcomed(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_connect(rig, 0, 0, "elm-1");
	const Gatehouse__V1__Welcome *welcome;

	(void)state;
	device_say_hello(rig, elm, 3, 41);
	welcome = device_last(elm, TOLD(WELCOME))->welcome;
	assert_int_equal(welcome->server_time_us, CLOCK_FAKE_WALL_US);
	assert_int_equal(welcome->epoch, 3);
	assert_int_equal(welcome->resume_after, 41);
	assert_int_equal(welcome->heartbeat_s, 10);
	assert_int_equal(welcome->lease_s, LEASE_S);
	assert_int_equal(welcome->window, 64);
	assert_int_equal(welcome->frame_max_bytes, FRAME_MAX);
	assert_string_equal(welcome->controller, "elm-1");
	rig_free(rig);
}

static void
what_comes_with_the_hello_is_kept_for_the_welcome(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_connect(rig, 0, 0, "elm-1");

	(void)state;
	rig->roster_stands = true;
	device_put_hello(elm, 3, 0);
	device_say_records(elm, 1, 3);
	UNTIL(rig, loop_mailbox(rig->roster_loop)->first != NULL);
	rig_turn(rig, 0);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->records), 0);
	rig->roster_stands = false;
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == 3);
	UNTIL(rig, device_told(elm, TOLD(WELCOME)) == 1);
	rig_make_durable(rig, elm, 3);
	assert_all_once(rig, 3);
	rig_free(rig);
}

static void
expect_sent_away(struct rig *rig, Gatehouse__V1__FromController *from,
		 Gatehouse__V1__GoawayReason reason)
{
	struct device *elm = device_connect(rig, 0, 0, "elm-1");

	device_put(elm, from);
	device_send(elm);
	device_expect_goaway(rig, elm, reason);
}

static void
hello_that_cannot_be_is_refused(void **state)
{
	struct rig *rig = rig_new(4);
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Hello hello = GATEHOUSE__V1__HELLO__INIT;
	Gatehouse__V1__Door door = GATEHOUSE__V1__DOOR__INIT, *doors[] = {&door};
	char right[] = "elm-front", wrong[] = "oak-front";

	(void)state;
	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	from.hello = &hello;
	hello.protocol = 2;
	expect_sent_away(rig, &from, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_VERSION);
	hello.protocol = 1;
	hello.epoch = 3;
	hello.doors = doors;
	hello.n_doors = 1;
	door.number = 9;
	expect_sent_away(rig, &from, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_FOREIGN_DOOR);
	door.number = 1;
	door.code = wrong;
	expect_sent_away(rig, &from, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_FOREIGN_DOOR);
	door.code = right;
	device_put(device_connect(rig, 0, 0, "elm-1"), &from);
	device_send(&rig->devices[0]);
	UNTIL(rig, device_told(&rig->devices[0], TOLD(WELCOME)) == 1);
	/* only once */
	device_put_hello(&rig->devices[0], 3, 0);
	device_send(&rig->devices[0]);
	device_expect_goaway(rig, &rig->devices[0],
			     GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_PROTOCOL);
	rig_free(rig);
}

static void
nothing_comes_before_the_hello(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_connect(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 1, 1);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_PROTOCOL);
	book_turn(&rig->book);
	assert_int_equal(book_read(&rig->book), 0);
	rig_free(rig);
}

static void
a_stranger_and_a_silent_one_are_sent_away(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *stranger = device_connect(rig, 0, 0, "stranger"), *elm;

	(void)state;
	device_expect_goaway(rig, stranger, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_UNKNOWN);
	elm = device_connect(rig, 1, 0, "elm-1");
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->open) == 1);
	clock_fake_advance_ms(HELLO_MS - 1);
	rig_sweep(rig);
	assert_non_null(elm->stream);
	clock_fake_advance_ms(1);
	rig_sweep(rig);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_IDLE);
	rig_free(rig);
}

/* ---- Frames ------------------------------------------------------------------------- */

static void
expect_bytes_refused(struct rig *rig, bool welcomed, const uint8_t *bytes, size_t n,
		     Gatehouse__V1__GoawayReason reason)
{
	struct device *elm =
		welcomed ? device_begin(rig, 0, 0, "elm-1") : device_connect(rig, 0, 0, "elm-1");

	memcpy(elm->out, bytes, n);
	elm->n_out = n;
	device_send(elm);
	device_expect_goaway(rig, elm, reason);
}

static void
broken_frames_are_refused(void **state)
{
	static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			     garbage[] = {0x03, 0xff, 0xff, 0xff}, empty[] = {0x00};
	struct rig *rig = rig_new(4);
	uint8_t header[FRAME_HEADER_MAX];
	const Gatehouse__V1__GoawayReason
		bad = GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_BAD_FRAME,
		too_long = GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_FRAME_TOO_LONG;

	(void)state;
	for (int welcomed = 0; welcomed < 2; welcomed++) {
		size_t max = welcomed ? FRAME_MAX : HELLO_FRAME_MAX, n;

		expect_bytes_refused(rig, welcomed, endless, sizeof(endless), bad);
		expect_bytes_refused(rig, welcomed, garbage, sizeof(garbage), bad);
		expect_bytes_refused(rig, welcomed, empty, sizeof(empty), bad);
		/* by its length alone: nobody waits for the rest */
		n = (size_t)(frame_put_header(header, max + 1) - header);
		expect_bytes_refused(rig, welcomed, header, n, too_long);
	}
	assert_int_equal(counter_get(&rig_counters(rig, 0)->closed[GOAWAY_BAD_FRAME]), 6);
	rig_free(rig);
}

static void
a_frame_may_come_byte_by_byte(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	uint8_t bytes[512];
	size_t n;

	(void)state;
	device_put_record(elm, 1);
	n = elm->n_out;
	assert_true(n < sizeof(bytes));
	memcpy(bytes, elm->out, n);
	for (size_t i = 0; i < n; i++) {
		elm->out[0] = bytes[i];
		elm->n_out = 1;
		device_send(elm);
		rig_turn(rig, 0);
	}
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == 1);
	rig_make_durable(rig, elm, 1);
	assert_all_once(rig, 1);
	rig_free(rig);
}

/* ---- Records ------------------------------------------------------------------------- */

static void
no_ack_before_it_is_durable(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	for (uint64_t seq = 1; seq <= 3; seq++) {
		device_say_records(elm, seq, seq);
		device_settle(rig, elm);
	}
	assert_int_equal(counter_get(&rig_counters(rig, 0)->records), 3);
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	book_turn(&rig->book);
	/* durable, and the worker has not heard of it yet */
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	UNTIL(rig, device_acked(elm) == 3);
	assert_all_once(rig, 3);
	rig_free(rig);
}

static void
one_ack_covers_many(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 1, 200);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 200);
	assert_int_equal(device_told(elm, TOLD(ACK)), 1);
	assert_all_once(rig, 200);
	rig_free(rig);
}

static void
an_entry_has_everything_but_the_card(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	Gatehouse__V1__Record denied = device_record(1), forced = device_record(2);
	Gatehouse__V1__DeviceState device = GATEHOUSE__V1__DEVICE_STATE__INIT;
	char *keys_dir = xasprintf("%s/keys", rig_folder), raw_code[] = "E17";
	struct card_keys *keys;
	struct record record;
	uint8_t token[TOKEN_BYTES];
	struct err err;

	(void)state;
	denied.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_DENIED;
	denied.reason = GATEHOUSE__V1__REASON__REASON_EXPIRED;
	denied.raw_code = raw_code;
	denied.door = 2;
	device_put_this(elm, &denied, false);
	forced.kind = GATEHOUSE__V1__KIND__KIND_DOOR_FORCED;
	forced.card.len = 0;
	forced.time_us = denied.time_us - 1;
	forced.device_state = &device;
	device.battery_mv = 3300;
	device_put_this(elm, &forced, false);
	forced.seq = 3;
	forced.time_us = CLOCK_FAKE_WALL_US + INT64_C(61) * 1000000;
	device_put_this(elm, &forced, false);
	device_send(elm);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 3);
	assert_int_equal(book_read(&rig->book), 3);

	record = book_record(&rig->book, 0);
	assert_int_equal(rig->book.entries[0].flags, ENTRY_FLAG_RIGHTS);
	assert_int_equal(record.controller_id, ELM);
	assert_int_equal(record.site_id, SITE);
	assert_int_equal(record.door_id, BACK);
	assert_int_equal(record.kind, KIND_CODE_ACCESS_DENIED);
	assert_int_equal(record.reason, 3);
	assert_int_equal(record.device_time_us, denied.time_us);
	assert_int_equal(record.received_us, CLOCK_FAKE_WALL_US);
	assert_int_equal(record.flags, RECORD_HAS_TOKEN);
	assert_int_equal(record.raw_code_len, 3);
	assert_memory_equal(record.raw_code, "E17", 3);
	assert_int_equal(card_keys_open(&keys, keys_dir, &err), RC_OK);
	assert_int_equal(card_token(keys, SITE, CLOCK_FAKE_WALL_US, denied.card.data,
				    denied.card.len, token, &err),
			 RC_OK);
	assert_memory_equal(record.token, token, TOKEN_BYTES);
	card_keys_close(&keys);
	free(keys_dir);
	assert_null(memmem(rig->book.entries[0].body, rig->book.entries[0].len, denied.card.data,
			   denied.card.len));

	record = book_record(&rig->book, 1);
	assert_int_equal(rig->book.entries[1].flags, ENTRY_FLAG_DESK);
	assert_int_equal(record.door_id, FRONT);
	assert_int_equal(record.flags, RECORD_CLOCK_BACKWARDS);
	assert_int_equal(record.detail_len, strlen("{\"battery_mv\":3300}"));
	assert_memory_equal(record.detail, "{\"battery_mv\":3300}", record.detail_len);
	record = book_record(&rig->book, 2);
	assert_int_equal(record.flags, RECORD_CLOCK_OFF);
	rig_free(rig);
}

static void
a_duplicate_is_acked_again_and_not_kept(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 1, 3);
	device_settle(rig, elm);
	device_say_records(elm, 2, 2); /* before the first ones are durable */
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	rig_make_durable(rig, elm, 3);
	UNTIL(rig, device_told(elm, TOLD(ACK)) == 2);
	device_say_records(elm, 1, 3);
	device_settle(rig, elm);
	book_turn(&rig->book);
	UNTIL(rig, device_told(elm, TOLD(ACK)) == 3);
	assert_int_equal(device_acked(elm), 3);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->duplicates), 4);
	assert_all_once(rig, 3);
	rig_free(rig);
}

static void
what_can_not_be_is_rejected_and_kept_apart(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	Gatehouse__V1__Record wrong = device_record(2);
	const Gatehouse__V1__Reject *reject;
	Gatehouse__V1__Record *kept;
	struct quarantine q;
	struct err err;

	(void)state;
	wrong.door = 9;
	device_put_record(elm, 1);
	device_put_this(elm, &wrong, false);
	device_put_record(elm, 3);
	device_send(elm);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(REJECT)), 0); /* it isn't kept yet */
	rig_make_durable(rig, elm, 3);
	reject = device_last(elm, TOLD(REJECT))->reject;
	assert_int_equal(reject->seq, 2);
	assert_int_equal(reject->reason, GATEHOUSE__V1__REJECT_REASON__REJECT_REASON_UNKNOWN_DOOR);
	assert_non_null(strstr(reject->detail, "door is 9"));

	assert_int_equal(book_read(&rig->book), 3);
	assert_sample(rig, 0, 1);
	assert_sample(rig, 2, 3);
	assert_int_equal(rig->book.entries[1].type, ENTRY_QUARANTINE);
	assert_int_equal(
		quarantine_decode(rig->book.entries[1].body, rig->book.entries[1].len, &q, &err),
		RC_OK);
	assert_int_equal(q.controller_id, ELM);
	assert_int_equal(q.site_id, SITE);
	assert_int_equal(q.epoch, 3);
	assert_int_equal(q.seq, 2);
	assert_int_equal(q.reason, REJECT_UNKNOWN_DOOR);
	kept = gatehouse__v1__record__unpack(NULL, q.payload_len, q.payload);
	assert_non_null(kept);
	assert_int_equal(kept->door, 9);
	assert_int_equal(kept->card.len, 0);
	gatehouse__v1__record__free_unpacked(kept, NULL);
	assert_null(memmem(rig->book.entries[1].body, rig->book.entries[1].len, wrong.card.data,
			   wrong.card.len));
	rig_free(rig);
}

static void
an_alarm_ahead_of_its_turn_is_the_desks_only(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	Gatehouse__V1__Record panic = device_record(2), plain = device_record(9);
	struct record record;

	(void)state;
	panic.kind = GATEHOUSE__V1__KIND__KIND_PANIC;
	device_put_this(elm, &panic, true);
	device_put_this(elm, &plain, true); /* no alarm: it has nothing to do here */
	device_send(elm);
	device_settle(rig, elm);
	book_turn(&rig->book);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	assert_int_equal(book_read(&rig->book), 1);
	assert_int_equal(rig->book.entries[0].type, ENTRY_AHEAD);
	assert_int_equal(rig->book.entries[0].flags, ENTRY_FLAG_DESK);
	record = book_record(&rig->book, 0);
	assert_int_equal(record.seq, 2);
	assert_int_equal(record.flags & RECORD_HAS_TOKEN, 0);

	device_put_record(elm, 1);
	device_put_this(elm, &panic, false); /* in its turn */
	device_put_this(elm, &panic, true);  /* too late to be ahead */
	device_send(elm);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 2);
	assert_int_equal(book_read(&rig->book), 3);
	assert_int_equal(rig->book.entries[2].type, ENTRY_RECORD);
	assert_int_equal(book_record(&rig->book, 2).seq, 2);
	rig_free(rig);
}

static void
without_a_key_for_tokens_nothing_is_taken(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	char *there = xasprintf("%s/keys", rig_folder), *away = xasprintf("%s/away", rig_folder);

	(void)state;
	clock_fake_step_wall_us(INT64_C(400) * 86400 * 1000000); /* a month without a key */
	assert_int_equal(rename(there, away), 0);
	device_say_records(elm, 1, 1);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_OVERLOAD);
	assert_int_equal(rename(away, there), 0);
	book_turn(&rig->book);
	assert_int_equal(book_read(&rig->book), 0);
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	free(there);
	free(away);
	rig_free(rig);
}

static void
silence_ends_it_and_a_heartbeat_keeps_it(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	for (int i = 0; i < 3; i++) {
		clock_fake_advance_ms(LEASE_S * 1000 - 1);
		rig_sweep(rig);
		device_settle(rig, elm);
	}
	clock_fake_advance_ms(LEASE_S * 1000);
	rig_sweep(rig);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_IDLE);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_is_welcomed),
		cmocka_unit_test(what_comes_with_the_hello_is_kept_for_the_welcome),
		cmocka_unit_test(hello_that_cannot_be_is_refused),
		cmocka_unit_test(nothing_comes_before_the_hello),
		cmocka_unit_test(a_stranger_and_a_silent_one_are_sent_away),
		cmocka_unit_test(broken_frames_are_refused),
		cmocka_unit_test(a_frame_may_come_byte_by_byte),
		cmocka_unit_test(no_ack_before_it_is_durable),
		cmocka_unit_test(one_ack_covers_many),
		cmocka_unit_test(an_entry_has_everything_but_the_card),
		cmocka_unit_test(a_duplicate_is_acked_again_and_not_kept),
		cmocka_unit_test(what_can_not_be_is_rejected_and_kept_apart),
		cmocka_unit_test(an_alarm_ahead_of_its_turn_is_the_desks_only),
		cmocka_unit_test(without_a_key_for_tokens_nothing_is_taken),
		cmocka_unit_test(silence_ends_it_and_a_heartbeat_keeps_it),
	};

	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
