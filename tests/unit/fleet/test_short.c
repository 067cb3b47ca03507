/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal that is short of space: alarms are kept, everything else stays with its
 * controller, nothing is taken for a hole, and it is asked for when there is space.
 */
#include "device.h"

static void
set_short(struct rig *rig, bool is_short)
{
	atomic_store(&rig->book.journal->is_short, is_short);
}

static void
put_alarm(struct device *device, uint64_t seq, bool ahead)
{
	Gatehouse__V1__Record record = device_record(seq);

	record.kind = GATEHOUSE__V1__KIND__KIND_DOOR_FORCED;
	record.card.len = 0;
	device_put_this(device, &record, ahead);
}

/* What is in the journal, in order. */
static void
expect_entry(const struct rig *rig, size_t i, uint8_t type, uint64_t seq)
{
	assert_int_equal(rig->book.entries[i].type, type);
	assert_int_equal(book_record(&rig->book, i).seq, seq);
}

static uint64_t
asked_from(const struct device *device)
{
	return device_last(device, TOLD(RESEND))->resend->from_seq;
}

static void
only_alarms_are_kept_and_the_rest_is_asked_for(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 1, 1);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == 1);
	rig_make_durable(rig, elm, 1);

	set_short(rig, true);
	device_put_record(elm, 2);
	put_alarm(elm, 3, false); /* in its turn ... */
	put_alarm(elm, 9, true);  /* ... and ahead of it */
	device_settle(rig, elm);
	rig_sweep(rig);
	device_settle(rig, elm);
	book_turn(&rig->book);
	assert_int_equal(book_read(&rig->book), 3);
	expect_entry(rig, 1, ENTRY_AHEAD, 3);
	expect_entry(rig, 2, ENTRY_AHEAD, 9);
	assert_int_equal(device_acked(elm), 1);
	assert_int_equal(device_told(elm, TOLD(RESEND)), 0);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->held), 2);

	set_short(rig, false);
	rig_sweep(rig);
	UNTIL(rig, device_told(elm, TOLD(RESEND)) == 1);
	assert_int_equal(asked_from(elm), 2);
	device_put_record(elm, 2);
	put_alarm(elm, 3, false);
	device_send(elm);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == 3);
	rig_make_durable(rig, elm, 3);
	assert_int_equal(book_read(&rig->book), 5);
	expect_entry(rig, 3, ENTRY_RECORD, 2);
	expect_entry(rig, 4, ENTRY_RECORD, 3);
	rig_free(rig);
}

/* Over two times of want, and with records that come before the question. */
static void
what_was_held_is_never_taken_for_a_gap(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	for (uint64_t seq = 1; seq <= 3; seq += 2) {
		set_short(rig, true);
		device_say_records(elm, 1, seq);
		device_settle(rig, elm);
		set_short(rig, false);
		device_say_records(elm, seq + 1, seq + 1);
		device_settle(rig, elm);
		rig_sweep(rig);
		device_settle(rig, elm);
		assert_int_equal(asked_from(elm), 1);
		device_say_records(elm, seq + 1, seq + 1);
		device_settle(rig, elm);
	}
	device_say_records(elm, 1, 4);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == 4);
	rig_make_durable(rig, elm, 4);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 0);
	assert_int_equal(book_read(&rig->book), 4);
	rig_free(rig);
}

/* There is a hole from a former session, and what came behind it was held: only
 * what the controller lacks is a gap. */
static void
a_gap_does_not_take_with_it_what_was_held(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 2, 2);
	UNTIL(rig, device_told(elm, TOLD(RESEND)) == 1);
	stream_close(elm->stream);
	elm->stream = NULL;
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->open) == 0);
	elm = device_begin(rig, 1, 0, "elm-1");

	set_short(rig, true);
	device_say_records(elm, 2, 2);
	device_settle(rig, elm);
	set_short(rig, false);
	device_say_records(elm, 3, 3);
	device_settle(rig, elm);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 0);
	rig_sweep(rig);
	device_settle(rig, elm);
	assert_int_equal(asked_from(elm), 1);
	device_say_records(elm, 2, 3);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 3);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 1);
	assert_int_equal(book_read(&rig->book), 3);
	expect_entry(rig, 1, ENTRY_RECORD, 2);
	expect_entry(rig, 2, ENTRY_RECORD, 3);
	rig_free(rig);
}

/* A range that is lost behind what was held has to wait for it; one at the front not. */
static void
lost_goes_on_where_it_may(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	set_short(rig, true);
	device_put_record(elm, 1);
	device_put_lost(elm, 2, 5);
	device_settle(rig, elm);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 0);
	device_put_lost(elm, 1, 5);
	device_settle(rig, elm);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 1);
	rig_make_durable(rig, elm, 5);
	rig_free(rig);
}

/* While we take nothing, its patience with our question has no end. */
static void
no_deadline_passes_while_it_is_short(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 2, 2);
	UNTIL(rig, device_told(elm, TOLD(RESEND)) == 1);
	set_short(rig, true);
	device_say_records(elm, 3, 3);
	device_settle(rig, elm);
	for (unsigned i = 0; i < 4; i++) {
		rig_sweep(rig);
		clock_fake_advance_ms(GAP_WAIT_MS - 1);
		device_settle(rig, elm);
	}
	rig_sweep(rig);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(GOAWAY)), 0);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_alarms_are_kept_and_the_rest_is_asked_for),
		cmocka_unit_test(what_was_held_is_never_taken_for_a_gap),
		cmocka_unit_test(a_gap_does_not_take_with_it_what_was_held),
		cmocka_unit_test(lost_goes_on_where_it_may),
		cmocka_unit_test(no_deadline_passes_while_it_is_short),
	};

	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
