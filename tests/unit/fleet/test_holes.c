/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holes in a controller's sequence: asked for, filled, or declared, and never
 * declared while the controller may still have what is missing.
 */
#include "device.h"

static void
a_hole_is_asked_for_and_filled(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_put_record(elm, 1);
	device_say_records(elm, 4, 6);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(RESEND)), 1);
	assert_int_equal(device_last(elm, TOLD(RESEND))->resend->from_seq, 2);
	rig_make_durable(rig, elm, 1);
	device_say_records(elm, 2, 6);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 6);
	assert_int_equal(device_told(elm, TOLD(RESEND)), 1);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 0);
	assert_all_once(rig, 6);
	rig_free(rig);
}

static void
what_comes_again_from_behind_the_hole_declares_it(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_put_record(elm, 1);
	device_say_records(elm, 4, 5);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(RESEND)), 1);
	device_say_records(elm, 4, 5);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 5);
	assert_int_equal(book_read(&rig->book), 4);
	assert_sample(rig, 0, 1);
	assert_gap(rig, 1, 2, 3);
	assert_sample(rig, 2, 4);
	assert_sample(rig, 3, 5);
	rig_free(rig);
}

static void
what_was_sent_before_the_question_declares_nothing(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_put_record(elm, 1);
	device_put_record(elm, 4);
	device_put_record(elm, 4);
	device_put_lost(elm, 4, 9);
	device_send(elm);
	device_settle(rig, elm);
	/* a Lost that does not begin where it should asks, too, and only once */
	assert_int_equal(device_told(elm, TOLD(RESEND)), 1);
	device_say_records(elm, 2, 4);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 4);
	device_put_lost(elm, 7, 8);
	device_put_record(elm, 7);
	device_send(elm);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(RESEND)), 2);
	device_say_records(elm, 5, 7);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 7);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->gaps), 0);
	assert_all_once(rig, 7);
	rig_free(rig);
}

static void
lost_is_a_gap_at_once(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_put_record(elm, 1);
	device_put_lost(elm, 2, 9);
	device_put_lost(elm, 1, 9); /* said before */
	device_put_record(elm, 10);
	device_send(elm);
	device_settle(rig, elm);
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	rig_make_durable(rig, elm, 10);
	assert_int_equal(book_read(&rig->book), 3);
	assert_gap(rig, 1, 2, 9);
	assert_sample(rig, 2, 10);
	rig_free(rig);
}

static void
a_lost_that_comes_again_from_behind_the_hole_declares_it(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	for (int i = 0; i < 2; i++) {
		device_put_lost(elm, 5, 9);
		device_send(elm);
		device_settle(rig, elm);
	}
	rig_make_durable(rig, elm, 9);
	assert_int_equal(book_read(&rig->book), 1);
	assert_gap(rig, 0, 1, 9);
	rig_free(rig);
}

static void
a_hole_that_stays_ends_the_connection_and_is_a_gap_in_the_next(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 3, 3);
	device_settle(rig, elm);
	clock_fake_advance_ms(GAP_WAIT_MS - 1);
	rig_sweep(rig);
	assert_non_null(elm->stream);
	clock_fake_advance_ms(1);
	rig_sweep(rig);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_PROTOCOL);
	elm = device_begin(rig, 1, 1, "elm-1");
	assert_int_equal(device_last(elm, TOLD(WELCOME))->welcome->resume_after, 0);
	device_say_records(elm, 3, 3);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 3);
	assert_int_equal(book_read(&rig->book), 2);
	assert_gap(rig, 0, 1, 2);
	assert_sample(rig, 1, 3);
	rig_free(rig);
}

/* Seen to fail without the look at the gaps (src/fleet/intake.c): doubles, all of them. */
static void
what_was_given_up_is_taken_when_it_comes_after_all(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_put_record(elm, 1);
	device_put_lost(elm, 2, 4);
	device_put_record(elm, 5);
	device_put_record(elm, 3);
	device_put_record(elm, 3);
	device_send(elm);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 5);
	/* the next session knows of the gap, too */
	elm = device_begin(rig, 1, 1, "elm-1");
	assert_int_equal(device_last(elm, TOLD(WELCOME))->welcome->resume_after, 5);
	for (uint64_t seq = 1; seq <= 6; seq++)
		device_put_record(elm, seq);
	device_send(elm);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 6);
	static const uint64_t order[] = {1, 0, 5, 3, 2, 4, 6};
	assert_int_equal(book_read(&rig->book), ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (order[i] == 0)
			assert_gap(rig, i, 2, 4);
		else
			assert_sample(rig, i, order[i]);
	}
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_is_asked_for_and_filled),
		cmocka_unit_test(what_comes_again_from_behind_the_hole_declares_it),
		cmocka_unit_test(what_was_sent_before_the_question_declares_nothing),
		cmocka_unit_test(lost_is_a_gap_at_once),
		cmocka_unit_test(a_lost_that_comes_again_from_behind_the_hole_declares_it),
		cmocka_unit_test(a_hole_that_stays_ends_the_connection_and_is_a_gap_in_the_next),
		cmocka_unit_test(what_was_given_up_is_taken_when_it_comes_after_all),
	};

	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
