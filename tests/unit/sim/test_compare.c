/* SPDX-License-Identifier: Apache-2.0 */
/* The cores of verify, on made-up data: each class of fault is found, and nothing else. */
#include "../support/scratch.h"

#include "sim/compare.h"
#include "sim/sightings.h"

enum { SENT = 100, ACKED = 90 };

/* Controller "a", epoch 1: 100 sent, 90 acknowledged. */
struct fixture {
	struct compare *compare;
	struct compare_result result;
	uint32_t stream;
};

static struct compare_row
row_of(uint64_t seq)
{
	return (struct compare_row){.epoch = 1,
				    .seq = seq,
				    .time_us = (int64_t)(seq * 1000),
				    .position = seq * 64,
				    .kind = 100,
				    .door = (uint16_t)(seq % 3),
				    .node = 1};
}

static struct compare_record
record_of(uint64_t seq)
{
	const struct compare_row row = row_of(seq);

	return (struct compare_record){
		.seq = seq, .time_us = row.time_us, .kind = row.kind, .door = row.door};
}

static int
fixture_make(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err;

	f->compare = compare_new();
	f->stream = compare_stream(f->compare, "a", 1);
	for (uint64_t seq = 1; seq <= SENT; seq++) {
		const struct compare_record record = record_of(seq);

		assert_int_equal(compare_sent(f->compare, f->stream, &record, &err), RC_OK);
	}
	compare_acked(f->compare, f->stream, ACKED);
	compare_begin_rows(f->compare);
	*state = f;
	return 0;
}

static int
fixture_free(void **state)
{
	struct fixture *f = *state;

	compare_free(&f->compare);
	free(f);
	return 0;
}

/* All rows but `but`, from the last to the first: the order must not matter. */
static void
store_all_but(struct fixture *f, uint64_t but)
{
	for (uint64_t seq = SENT; seq >= 1; seq--) {
		const struct compare_row row = row_of(seq);

		if (seq != but)
			compare_stored(f->compare, compare_controller(f->compare, "a"), &row);
	}
}

/* Exactly one fault of this kind, and none of another. */
static void
assert_only(struct fixture *f, enum compare_fault fault, uint64_t seq)
{
	compare_finish(f->compare, &f->result);
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		assert_int_equal(f->result.faults[i], i == fault ? 1 : 0);
	if (fault < COMPARE_FAULTS) {
		assert_string_equal(f->result.examples[fault][0].controller, "a");
		assert_int_equal(f->result.examples[fault][0].seq, seq);
	}
}

static void
test_all_is_right(void **state)
{
	struct fixture *f = *state;

	store_all_but(f, 0);
	assert_only(f, COMPARE_FAULTS, 0);
	assert_int_equal(f->result.controllers, 1);
	assert_int_equal(f->result.sent, SENT);
	assert_int_equal(f->result.acked, ACKED);
	assert_int_equal(f->result.stored, SENT);
	assert_int_equal(compare_count_acked(f->compare), ACKED);
}

static void
test_lost(void **state)
{
	store_all_but(*state, 42);
	assert_only(*state, COMPARE_LOST, 42);
}

static void
test_what_was_not_acked_may_be_missing(void **state)
{
	store_all_but(*state, ACKED + 1);
	assert_only(*state, COMPARE_FAULTS, 0);
}

static void
test_quarantine_keeps(void **state)
{
	struct fixture *f = *state;

	store_all_but(f, 42);
	compare_quarantined(f->compare, 0, 1, 42);
	assert_only(f, COMPARE_FAULTS, 0);
	assert_int_equal(f->result.quarantined, 1);
}

static void
test_duplicate(void **state)
{
	struct fixture *f = *state;
	struct compare_row row = row_of(42);

	store_all_but(f, 0);
	row.time_us++; /* as far as the primary key allows it */
	compare_stored(f->compare, 0, &row);
	assert_only(f, COMPARE_DUPLICATE, 42);
}

static void
test_invented_seq(void **state)
{
	struct fixture *f = *state;
	struct compare_row row = row_of(SENT + 1);

	store_all_but(f, 0);
	compare_stored(f->compare, 0, &row);
	assert_only(f, COMPARE_INVENTED, SENT + 1);
}

static void
test_foreign_epoch_is_counted_apart(void **state)
{
	struct fixture *f = *state;
	struct compare_row row = row_of(5);

	store_all_but(f, 0);
	row.epoch = 2;
	compare_stored(f->compare, 0, &row);
	assert_only(f, COMPARE_FAULTS, 0);
	assert_int_equal(f->result.foreign, 1);
}

static void
test_invented_quarantine(void **state)
{
	struct fixture *f = *state;

	store_all_but(f, 0);
	compare_quarantined(f->compare, 0, 1, 0);
	assert_only(f, COMPARE_INVENTED, 0);
}

static void
test_out_of_order(void **state)
{
	struct fixture *f = *state;
	struct compare_row row = row_of(42);

	store_all_but(f, 42);
	row.position = row_of(41).position; /* not above that of the one before */
	compare_stored(f->compare, 0, &row);
	assert_only(f, COMPARE_ORDER, 42);
}

static void
test_order_holds_within_a_node(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= SENT; seq++) {
		struct compare_row row = row_of(seq);

		if (seq > 50) { /* failed over to another server, with its own journal */
			row.node = 2;
			row.position -= 50 * 64;
		}
		compare_stored(f->compare, 0, &row);
	}
	assert_only(f, COMPARE_FAULTS, 0);
}

static void
assert_wrong(struct fixture *f, struct compare_row row)
{
	compare_begin_rows(f->compare);
	store_all_but(f, row.seq);
	compare_stored(f->compare, 0, &row);
	assert_only(f, COMPARE_CONTENT, row.seq);
}

static void
test_wrong_content(void **state)
{
	struct compare_row row = row_of(42);

	row.time_us++;
	assert_wrong(*state, row);
	row = row_of(42);
	row.kind++;
	assert_wrong(*state, row);
	row = row_of(42);
	row.door++;
	assert_wrong(*state, row);
}

static void
test_second_look_forgets_the_first(void **state)
{
	struct fixture *f = *state;

	store_all_but(f, 42);
	assert_only(f, COMPARE_LOST, 42);
	compare_begin_rows(f->compare);
	store_all_but(f, 0);
	assert_only(f, COMPARE_FAULTS, 0);
}

static void
test_hole_of_the_sequence_is_not_sent(void **state)
{
	struct fixture *f = *state;
	const struct compare_record record = record_of(200);
	struct err err;

	store_all_but(f, 0);
	/* the server knew of more: the ledger goes on at 200 */
	assert_int_equal(compare_sent(f->compare, f->stream, &record, &err), RC_OK);
	compare_acked(f->compare, f->stream, 199);
	compare_finish(f->compare, &f->result);
	assert_int_equal(f->result.sent, SENT + 1);
	assert_int_equal(f->result.acked, SENT);
	assert_int_equal(f->result.faults[COMPARE_LOST], 0);
}

static void
test_absurd_seq_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct compare_record far = record_of(UINT64_MAX), before = record_of(0);
	struct err err;

	assert_int_equal(compare_sent(f->compare, f->stream, &far, &err), RC_INVALID);
	assert_int_equal(compare_sent(f->compare, f->stream, &before, &err), RC_INVALID);
	assert_contains(err.msg, "seq 0 of controller \"a\" doesn't follow");
}

static void
test_foreign_controller_is_not_our_business(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(compare_controller(f->compare, "b"), COMPARE_NO_CONTROLLER);
	assert_int_equal(compare_find_stream(f->compare, "a", 2), COMPARE_NO_STREAM);
	assert_int_equal(compare_find_stream(f->compare, "a", 1), f->stream);
}

/* ---- Alarms --------------------------------------------------------------------------------- */

/* Alarms of the records 10, 20, .. 50 were sent at 1000 * seq; two consoles. */
static struct sightings *
sightings_make(struct fixture *f)
{
	struct sightings *s = sightings_new();

	for (uint64_t seq = 10; seq <= 50; seq += 10)
		sightings_sent(s, f->stream, seq, seq * 1000);
	assert_int_equal(sightings_console(s, "north"), 0);
	assert_int_equal(sightings_console(s, "south"), 1);
	assert_int_equal(sightings_console(s, "north"), 0);
	sightings_subscribed(s);
	return s;
}

static void
see(struct sightings *s, uint32_t console, uint64_t seq, uint64_t position, uint64_t after_ns,
    bool snapshot)
{
	const struct sighting sighting = {.at_ns = seq * 1000 + after_ns,
					  .position = position,
					  .seq = seq,
					  .stream = 0,
					  .console = console,
					  .snapshot = snapshot};

	sightings_seen(s, &sighting);
}

static void
see_all(struct sightings *s, uint64_t but)
{
	for (uint64_t seq = 50; seq >= 10; seq -= 10)
		if (seq != but)
			see(s, 0, seq, seq, seq, false);
}

static void
test_alarms_are_right(void **state)
{
	struct fixture *f = *state;
	struct sightings *s = sightings_make(f);
	struct sightings_result result;

	see_all(s, 0);
	see(s, 1, 10, 10, 7, false);      /* another console: another sample */
	see(s, 0, 10, 99, 500000, false); /* acknowledged later: a change, no sample */
	sightings_finish(s, f->compare, &result);
	assert_int_equal(result.sent, 5);
	assert_int_equal(result.seen, 5);
	assert_int_equal(result.missing, 0);
	assert_int_equal(result.merged, 0);
	assert_int_equal(result.twice, 0);
	assert_true(result.subscribed);
	assert_int_equal(result.latency.n, 6);
	assert_int_equal(result.latency.max_ns, 50);
	assert_int_equal(result.consoles[0].latency.n, 5);
	assert_int_equal(result.consoles[0].messages, 6);
	assert_int_equal(result.consoles[1].latency.n, 1);
	assert_int_equal(result.consoles[1].latency.max_ns, 7);
	sightings_free(&s);
}

static void
test_missing_alarm(void **state)
{
	struct fixture *f = *state;
	struct sightings *s = sightings_make(f);
	struct sightings_result result;

	see_all(s, 30);
	/* a resync before it was sent excuses nothing */
	sightings_resync(s, 1, 29999);
	sightings_finish(s, f->compare, &result);
	assert_int_equal(result.missing, 1);
	assert_int_equal(result.merged, 0);
	assert_int_equal(result.seen, 4);
	sightings_free(&s);
}

static void
test_resync_may_merge_alarms(void **state)
{
	struct fixture *f = *state;
	struct sightings *s = sightings_make(f);
	struct sightings_result result;

	see_all(s, 30);
	sightings_resync(s, 1, 30001);
	sightings_finish(s, f->compare, &result);
	assert_int_equal(result.missing, 0);
	assert_int_equal(result.merged, 1);
	sightings_free(&s);
}

static void
test_alarm_that_was_not_acked_may_be_missing(void **state)
{
	struct fixture *f = *state;
	struct sightings *s = sightings_make(f);
	struct sightings_result result;

	see_all(s, 0);
	sightings_sent(s, f->stream, ACKED + 1, 1);
	sightings_finish(s, f->compare, &result);
	assert_int_equal(result.sent, 6);
	assert_int_equal(result.missing, 0);
	sightings_free(&s);
}

static void
test_alarm_seen_twice(void **state)
{
	struct fixture *f = *state;
	struct sightings *s = sightings_make(f);
	struct sightings_result result;

	see_all(s, 0);
	see(s, 0, 20, 20, 900, false);
	sightings_finish(s, f->compare, &result);
	assert_int_equal(result.twice, 1);
	assert_int_equal(result.consoles[0].twice, 1);
	assert_int_equal(result.missing, 0);
	sightings_free(&s);
}

static void
test_snapshot_and_resync_may_repeat(void **state)
{
	struct fixture *f = *state;
	struct sightings *s = sightings_make(f);
	struct sightings_result result;

	see_all(s, 40);
	see(s, 0, 20, 20, 900, true); /* stands in a snapshot, too */
	see(s, 0, 20, 20, 950, true);
	see(s, 0, 40, 40, 900, true); /* seen, but only there: no sample */
	sightings_resync(s, 0, 1000);
	see(s, 0, 10, 10, 990000, false); /* a new journal: positions begin anew */
	sightings_finish(s, f->compare, &result);
	assert_int_equal(result.twice, 0);
	assert_int_equal(result.missing, 0);
	assert_int_equal(result.seen, 5);
	/* 10, 20, 30, 50; and 10 again, which has the position of its first sight */
	assert_int_equal(result.latency.n, 5);
	assert_int_equal(result.consoles[0].resyncs, 1);
	sightings_free(&s);
}

#define CORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_free)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CORE(test_all_is_right),
		CORE(test_lost),
		CORE(test_what_was_not_acked_may_be_missing),
		CORE(test_quarantine_keeps),
		CORE(test_duplicate),
		CORE(test_invented_seq),
		CORE(test_foreign_epoch_is_counted_apart),
		CORE(test_invented_quarantine),
		CORE(test_out_of_order),
		CORE(test_order_holds_within_a_node),
		CORE(test_wrong_content),
		CORE(test_second_look_forgets_the_first),
		CORE(test_hole_of_the_sequence_is_not_sent),
		CORE(test_absurd_seq_is_refused),
		CORE(test_foreign_controller_is_not_our_business),
		CORE(test_alarms_are_right),
		CORE(test_missing_alarm),
		CORE(test_resync_may_merge_alarms),
		CORE(test_alarm_that_was_not_acked_may_be_missing),
		CORE(test_alarm_seen_twice),
		CORE(test_snapshot_and_resync_may_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
