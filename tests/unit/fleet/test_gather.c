/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that can wait go to the journal once in so long; an alarm, a controller that
 * changes hands and the stop take along what waits.  Time stands still here: what went,
 * went without waiting for it.
 *
 * Seen to fail: with the look at ENTRY_FLAG_DESK, at the releases or at `stopping` left
 * out of batch_patience_ns(), each in its test; and the first one with the wait left out.
 */
#include "device.h"

enum { GATHER_MS = 5 };

/* One record is on its way to the disk, and another one came behind it. */
static struct rig *
begin_waiting(struct device **elm)
{
	struct rig *rig = rig_new_gathering(4, GATHER_MS);

	*elm = device_begin(rig, 0, 0, "elm-1");
	clock_fake_advance_ms(GATHER_MS);
	device_say_records(*elm, 1, 1);
	device_settle(rig, *elm);
	device_say_records(*elm, 2, 2);
	device_settle(rig, *elm);
	return rig;
}

/* What is posted becomes durable: so many entries are in the journal then. */
static void
expect_posted(struct rig *rig, size_t n)
{
	rig_turn(rig, 0);
	book_turn(&rig->book);
	assert_int_equal(book_read(&rig->book), n);
}

static void
what_can_wait_goes_once_in_so_long(void **state)
{
	struct device *elm;
	struct rig *rig = begin_waiting(&elm);

	(void)state;
	expect_posted(rig, 1);
	UNTIL(rig, device_acked(elm) == 1);
	clock_fake_advance_ms(GATHER_MS - 1);
	expect_posted(rig, 1);
	/* nothing else may happen until then: the loop was told when to look again */
	assert_true(loop_fake_within_ms(rig->sides[0].loop) <= 2);
	device_say_records(elm, 3, 3);
	device_settle(rig, elm);
	clock_fake_advance_ms(1);
	expect_posted(rig, 3);
	UNTIL(rig, device_acked(elm) == 3);
	/* and who comes after a while finds nobody to wait for */
	clock_fake_advance_ms(GATHER_MS);
	device_say_records(elm, 4, 4);
	device_settle(rig, elm);
	expect_posted(rig, 4);
	assert_all_once(rig, 4);
	rig_free(rig);
}

static void
say_alarm(struct rig *rig, struct device *elm, uint64_t seq, bool ahead)
{
	Gatehouse__V1__Record record = device_record(seq);

	record.kind = GATEHOUSE__V1__KIND__KIND_DOOR_FORCED;
	record.card.len = 0;
	device_put_this(elm, &record, ahead);
	device_send(elm);
	device_settle(rig, elm);
}

static void
an_alarm_does_not_wait(void **state)
{
	struct device *elm;
	struct rig *rig = begin_waiting(&elm);

	(void)state;
	say_alarm(rig, elm, 3, false);
	expect_posted(rig, 3);
	say_alarm(rig, elm, 9, true);
	expect_posted(rig, 4);
	assert_int_equal(rig->book.entries[3].type, ENTRY_AHEAD);
	rig_free(rig);
}

static void
who_leaves_takes_along_what_waits(void **state)
{
	struct device *elm;
	struct rig *rig = begin_waiting(&elm);

	(void)state;
	stream_close(elm->stream);
	UNTIL(rig, counter_get(&rig_counters(rig, 0)->open) == 0);
	expect_posted(rig, 2);
	rig_free(rig);
}

static void
the_stop_takes_along_what_waits(void **state)
{
	struct device *elm;
	struct rig *rig = begin_waiting(&elm);

	(void)state;
	sessions_stop_reading(rig->sides[0].sessions);
	expect_posted(rig, 2);
	UNTIL(rig, sessions_drained(rig->sides[0].sessions));
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_wait_goes_once_in_so_long),
		cmocka_unit_test(an_alarm_does_not_wait),
		cmocka_unit_test(who_leaves_takes_along_what_waits),
		cmocka_unit_test(the_stop_takes_along_what_waits),
	};

	return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
