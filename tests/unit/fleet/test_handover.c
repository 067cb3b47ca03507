/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens between sessions, and around them: a controller that comes by a
 * second connection on another worker, all groups on their way to the disk, a new
 * register, the end.  In none of it is a record lost, doubled, or acknowledged
 * before it is durable.
 */
#include "device.h"

enum { GATHER_MS = 5 };

/* ---- From one session to the next ------------------------------------------------- */

/* A controller with record 2 in a group of worker 0 that still gathers (record 1 went by
 * itself before it), and a second connection on worker 1 that the roster has heard of. */
static struct device *
begin_handover(struct rig *rig)
{
	struct device *first = device_begin(rig, 0, 0, "elm-1"), *second;

	clock_fake_advance_ms(GATHER_MS);
	device_say_records(first, 1, 1);
	device_settle(rig, first);
	rig_make_durable(rig, first, 1);
	device_say_records(first, 2, 2);
	device_settle(rig, first);
	rig->sides[0].stands = true;
	second = device_connect(rig, 1, 1, "elm-1");
	device_put_hello(second, 3, 0);
	device_send(second);
	UNTIL(rig, counter_get(&roster_counters(rig->roster)->superseded) == 1);
	/* a turn begins: it gives the controller up */
	loop_fake_events(rig->sides[0].loop, 0);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->open), 0);
	return second;
}

static void
a_release_does_not_overtake_the_group_before_it(void **state)
{
	struct rig *rig = rig_new_gathering(4, GATHER_MS);
	struct device *second = begin_handover(rig);

	(void)state;
	for (int i = 0; i < 20; i++) {
		rig_turn(rig, 0);
		book_turn(&rig->book);
	}
	/* record 2 is not even with the journal: nobody may go on behind it */
	assert_int_equal(book_read(&rig->book), 1);
	assert_int_equal(device_told(second, TOLD(WELCOME)), 0);
	assert_int_equal(device_told(second, TOLD(ACK)), 0);
	loop_fake_end_turn(rig->sides[0].loop);
	rig->sides[0].stands = false;
	UNTIL(rig, device_told(second, TOLD(WELCOME)) == 1);
	assert_int_equal(device_last(second, TOLD(WELCOME))->welcome->resume_after, 2);
	device_settle(rig, second);
	assert_int_equal(device_told(second, TOLD(ACK)), 0);
	/* the ack that the first connection did not live to see */
	rig_make_durable(rig, second, 2);
	device_expect_goaway(rig, &rig->devices[0],
			     GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_SUPERSEDED);
	assert_int_equal(device_told(&rig->devices[0], TOLD(ACK)), 1);
	assert_all_once(rig, 2);
	rig_free(rig);
}

static void
what_was_sent_twice_by_two_connections_is_there_once(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *first = device_begin(rig, 0, 0, "elm-1"), *second;

	(void)state;
	device_say_records(first, 1, 5);
	device_settle(rig, first);
	second = device_connect(rig, 1, 1, "elm-1");
	device_put_hello(second, 3, 0);
	device_say_records(second, 1, 8); /* it has seen no ack */
	UNTIL(rig, counter_get(&rig_counters(rig, 1)->records) == 3);
	rig_make_durable(rig, second, 8);
	device_expect_goaway(rig, first, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_SUPERSEDED);
	assert_int_equal(counter_get(&rig_counters(rig, 1)->duplicates), 5);
	assert_all_once(rig, 8);
	rig_free(rig);
}

static void
a_session_that_ends_while_claiming_leaves_the_controller_free(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_connect(rig, 0, 0, "elm-1");

	(void)state;
	rig->roster_stands = true;
	device_put_hello(elm, 3, 17);
	device_send(elm);
	UNTIL(rig, loop_mailbox(rig->roster_loop)->first != NULL);
	clock_fake_advance_ms(HELLO_MS);
	loop_fake_tick(rig->sides[0].loop);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_IDLE);
	rig->roster_stands = false;
	UNTIL(rig, counter_get(&roster_counters(rig->roster)->online) == 0 &&
			   loop_mailbox(rig->roster_loop)->first == NULL &&
			   loop_mailbox(rig->sides[0].loop)->first == NULL);
	elm = device_connect(rig, 1, 1, "elm-1");
	device_say_hello(rig, elm, 3, 17);
	assert_int_equal(counter_get(&roster_counters(rig->roster)->superseded), 0);
	rig_free(rig);
}

static void
stale_epoch_is_sent_away(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1"),
		      *clone = device_connect(rig, 1, 1, "elm-1");

	(void)state;
	device_put_hello(clone, 2, 0);
	device_send(clone);
	device_expect_goaway(rig, clone, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_STALE_EPOCH);
	device_settle(rig, elm);
	rig_free(rig);
}

static void
a_new_epoch_begins_at_one(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_connect(rig, 0, 0, "elm-1");
	const Gatehouse__V1__Welcome *welcome;

	(void)state;
	device_say_hello(rig, elm, 0, 0);
	welcome = device_last(elm, TOLD(WELCOME))->welcome;
	assert_int_equal(welcome->epoch, CLOCK_FAKE_WALL_US / 1000000);
	assert_int_equal(welcome->resume_after, 0);
	device_say_records(elm, 1, 2);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 2);
	assert_int_equal(book_read(&rig->book), 2);
	assert_int_equal(book_record(&rig->book, 1).epoch, CLOCK_FAKE_WALL_US / 1000000);
	rig_free(rig);
}

/* ---- No group is free ------------------------------------------------------------------ */

/* Records one by one until each of worker 0's groups is on its way; how many. */
static uint64_t
use_up_groups(struct rig *rig, struct device *device)
{
	uint64_t seq = 0;

	while (counter_get(&rig_counters(rig, 0)->groups_free) > 0) {
		seq++;
		device_say_records(device, seq, seq);
		UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == seq);
	}
	return seq;
}

static void
without_a_free_group_it_waits_and_loses_nothing(void **state)
{
	struct rig *rig = rig_new(2);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	uint64_t seq = use_up_groups(rig, elm);

	(void)state;
	assert_int_equal(seq, 2);
	device_say_records(elm, seq + 1, seq + 100);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->paused) == 1);
	/* it is we who don't listen: that is not its silence */
	for (int i = 0; i < 5; i++) {
		clock_fake_advance_ms(LEASE_S * 1000 - 1);
		rig_sweep(rig);
	}
	assert_non_null(elm->stream);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->records), seq);
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	book_turn(&rig->book);
	/* it may read again, and has not yet come to it */
	loop_fake_events(rig->sides[0].loop, 0);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->paused), 0);
	rig_sweep(rig);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == seq + 100);
	rig_make_durable(rig, elm, seq + 100);
	assert_all_once(rig, seq + 100);
	rig_free(rig);
}

static void
a_group_that_fills_up_is_followed_by_another(void **state)
{
	enum { BIG = 15000, RECORDS = 30 };
	struct rig *rig = rig_new(2);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	Gatehouse__V1__CardChange change = GATEHOUSE__V1__CARD_CHANGE__INIT;

	(void)state;
	change.sealed.len = BIG;
	change.sealed.data = xcalloc(1, BIG);
	for (uint64_t seq = 1; seq <= RECORDS; seq++) {
		Gatehouse__V1__Record record = device_record(seq);

		record.kind = GATEHOUSE__V1__KIND__KIND_CARD_REGISTERED;
		record.card_change = &change;
		device_put_this(elm, &record, false);
		if (seq % 3 == 0)
			device_send(elm);
	}
	free(change.sealed.data);
	/* more than all groups hold: it has to wait in the middle of a turn */
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->paused) == 1);
	UNTIL(rig, (book_turn(&rig->book), device_acked(elm) == RECORDS));
	assert_int_equal(book_read(&rig->book), RECORDS);
	for (size_t i = 0; i < RECORDS; i++)
		assert_int_equal(book_record(&rig->book, i).seq, i + 1);
	rig_free(rig);
}

static void
a_gap_is_told_once_when_the_record_behind_it_has_to_wait(void **state)
{
	struct rig *rig = rig_new(2);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	uint64_t seq = use_up_groups(rig, elm);

	(void)state;
	device_put_lost(elm, seq + 1, seq + 9);
	device_say_records(elm, seq + 10, seq + 10);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->paused) == 1);
	book_turn(&rig->book);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->records) == seq + 1);
	rig_make_durable(rig, elm, seq + 10);
	assert_int_equal(book_read(&rig->book), seq + 2);
	assert_gap(rig, seq, seq + 1, seq + 9);
	assert_sample(rig, seq + 1, seq + 10);
	rig_free(rig);
}

static void
the_ack_owed_to_a_new_session_comes_without_a_new_record(void **state)
{
	struct rig *rig = rig_new(2);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	uint64_t seq = use_up_groups(rig, elm);

	(void)state;
	elm = device_connect(rig, 1, 0, "elm-1");
	device_say_hello(rig, elm, 3, 0);
	assert_int_equal(device_last(elm, TOLD(WELCOME))->welcome->resume_after, seq);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->groups_free), 0);
	/* its window may be full of what was before: it has nothing more to say */
	book_turn(&rig->book);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->paused) == 0);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, seq);
	assert_all_once(rig, seq);
	rig_free(rig);
}

static void
one_that_leaves_while_it_waits_is_not_waited_for(void **state)
{
	struct rig *rig = rig_new(2);
	struct device *elm = device_begin(rig, 0, 0, "elm-1"), *oak;
	uint64_t seq = use_up_groups(rig, elm);

	(void)state;
	device_say_records(elm, seq + 1, seq + 1);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->paused) == 1);
	oak = device_connect(rig, 1, 0, "oak-1");
	sessions_set_register(rig->sides[0].sessions, rig_reg(NULL, false));
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_UNKNOWN);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->paused), 0);
	book_turn(&rig->book);
	device_say_hello(rig, oak, 3, 0);
	assert_all_once(rig, seq);
	rig_free(rig);
}

/* ---- The register ------------------------------------------------------------------------ */

static void
a_new_register_sends_away_who_may_not_stay(void **state)
{
	static const struct {
		const char *name;
		bool enabled;
		Gatehouse__V1__GoawayReason reason;
	} cases[] = {
		{"elm-1", false, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_DISABLED},
		{NULL, false, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_UNKNOWN},
		/* its number now belongs to another name */
		{"elm-2", true, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig *rig = rig_new(4);
		struct device *elm = device_begin(rig, 0, 0, "elm-1"),
			      *oak = device_begin(rig, 1, 0, "oak-1");

		device_say_records(elm, 1, 2);
		device_settle(rig, elm);
		sessions_set_register(rig->sides[0].sessions,
				      rig_reg(cases[i].name, cases[i].enabled));
		device_expect_goaway(rig, elm, cases[i].reason);
		device_settle(rig, oak);
		/* what was taken on before stays taken on */
		book_turn(&rig->book);
		assert_all_once(rig, 2);
		/* nor may it enter again */
		elm = device_connect(rig, 2, 0, "elm-1");
		device_expect_goaway(rig, elm, cases[i].reason);
		rig_free(rig);
	}
}

static void
a_new_register_changes_nothing_for_the_others(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");

	(void)state;
	device_say_records(elm, 1, 2);
	device_settle(rig, elm);
	sessions_set_register(rig->sides[0].sessions, rig_reg("elm-1", true));
	device_say_records(elm, 3, 4);
	device_settle(rig, elm);
	rig_make_durable(rig, elm, 4);
	assert_all_once(rig, 4);
	rig_free(rig);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void
stop_waits_until_everything_is_acknowledged(void **state)
{
	struct rig *rig = rig_new(4);
	struct device *elm = device_begin(rig, 0, 0, "elm-1"), *late;
	struct sessions *sessions = rig->sides[0].sessions;

	(void)state;
	device_say_records(elm, 1, 3);
	device_settle(rig, elm);
	sessions_stop_reading(sessions);
	assert_false(sessions_drained(sessions));
	device_say_records(elm, 4, 6); /* too late */
	late = device_connect(rig, 1, 0, "oak-1");
	device_expect_goaway(rig, late, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_RESTART);
	assert_false(sessions_drained(sessions));
	assert_int_equal(device_told(elm, TOLD(ACK)), 0);
	book_turn(&rig->book);
	UNTIL(rig, sessions_drained(sessions));
	sessions_close_all(sessions, GOAWAY_RESTART, "the server is stopping");
	sessions_turn(sessions);
	device_expect_goaway(rig, elm, GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_RESTART);
	assert_int_equal(device_acked(elm), 3);
	assert_int_equal(counter_get(&rig_counters(rig, 0)->open), 0);
	assert_all_once(rig, 3);
	rig_free(rig);
}

static void
stop_lets_those_go_who_waited_for_a_group(void **state)
{
	struct rig *rig = rig_new(2);
	struct device *elm = device_begin(rig, 0, 0, "elm-1");
	uint64_t seq = use_up_groups(rig, elm);

	(void)state;
	device_say_records(elm, seq + 1, seq + 1);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->paused) == 1);
	sessions_stop_reading(rig->sides[0].sessions);
	book_turn(&rig->book);
	UNTIL(rig, sessions_drained(rig->sides[0].sessions));
	UNTIL(rig, device_acked(elm) == seq);
	/* what it read and did not take on is not acknowledged, and comes again */
	assert_int_equal(counter_get(&rig_counters(rig, 0)->records), seq);
	assert_all_once(rig, seq);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_release_does_not_overtake_the_group_before_it),
		cmocka_unit_test(what_was_sent_twice_by_two_connections_is_there_once),
		cmocka_unit_test(a_session_that_ends_while_claiming_leaves_the_controller_free),
		cmocka_unit_test(stale_epoch_is_sent_away),
		cmocka_unit_test(a_new_epoch_begins_at_one),
		cmocka_unit_test(without_a_free_group_it_waits_and_loses_nothing),
		cmocka_unit_test(a_group_that_fills_up_is_followed_by_another),
		cmocka_unit_test(a_gap_is_told_once_when_the_record_behind_it_has_to_wait),
		cmocka_unit_test(the_ack_owed_to_a_new_session_comes_without_a_new_record),
		cmocka_unit_test(one_that_leaves_while_it_waits_is_not_waited_for),
		cmocka_unit_test(a_new_register_sends_away_who_may_not_stay),
		cmocka_unit_test(a_new_register_changes_nothing_for_the_others),
		cmocka_unit_test(stop_waits_until_everything_is_acknowledged),
		cmocka_unit_test(stop_lets_those_go_who_waited_for_a_group),
	};

	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
