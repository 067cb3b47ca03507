/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own records: an identity that nobody else has, now or later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fleet/observer.h"
#include "wire/kind.h"

#define START_US (INT64_C(1767225600) * 1000000)

enum { OBSERVERS = 3, RECORDS_EACH = 50, NODE = 5 };

static const struct observed elm = {.controller_id = 7, .site_id = 41};

static void
a_record_says_who_what_and_when(void **state)
{
	struct observer observer;
	struct record record;

	(void)state;
	observer_init(&observer, START_US, NODE, 0, 1);
	observer_record(&observer, &elm, KIND_CODE_RECORDS_GAP, START_US + 9, "{\"to\":9}",
			&record);
	assert_int_equal(record.controller_id, elm.controller_id);
	assert_int_equal(record.site_id, elm.site_id);
	assert_int_equal(record.door_id, 0);
	assert_int_equal(record.kind, KIND_CODE_RECORDS_GAP);
	assert_int_equal(record.flags, 0);
	assert_int_equal(record.device_time_us, START_US + 9);
	assert_int_equal(record.received_us, START_US + 9);
	assert_int_equal(record.detail_len, strlen("{\"to\":9}"));
	assert_int_equal(record.raw_code_len, 0);
	observer_record(&observer, &elm, KIND_CODE_CONTROLLER_LOST, START_US + 9, NULL, &record);
	assert_int_equal(record.detail_len, 0);
}

static void
the_epoch_belongs_to_this_run_of_this_node(void **state)
{
	struct observer one, other_node, later;

	(void)state;
	observer_init(&one, START_US, NODE, 0, 1);
	observer_init(&other_node, START_US, NODE + 1, 0, 1);
	observer_init(&later, START_US + 1000, NODE, 0, 1);
	assert_true(one.epoch == -(START_US / 1000 * 32768 + NODE));
	assert_true(one.epoch < 0);
	assert_true(one.epoch != other_node.epoch);
	assert_true(one.epoch != later.epoch);
	/* the highest node of one run is not the lowest of the next */
	observer_init(&other_node, START_US, (1u << OBSERVER_NODE_BITS) - 1, 0, 1);
	observer_init(&later, START_US + 1000, 0, 0, 1);
	assert_true(other_node.epoch != later.epoch);
}

static void
numbers_of_several_observers_interleave(void **state)
{
	struct observer observers[OBSERVERS];
	bool seen[OBSERVERS * RECORDS_EACH + 1] = {false};
	struct record record;

	(void)state;
	for (unsigned i = 0; i < OBSERVERS; i++)
		observer_init(&observers[i], START_US, NODE, i, OBSERVERS);
	for (unsigned k = 0; k < RECORDS_EACH; k++) {
		for (unsigned i = 0; i < OBSERVERS; i++) {
			observer_record(&observers[i], &elm, KIND_CODE_CONTROLLER_LOST, START_US,
					NULL, &record);
			assert_true(record.epoch == observers[0].epoch);
			assert_in_range(record.seq, 1, OBSERVERS * RECORDS_EACH);
			assert_false(seen[record.seq]);
			seen[record.seq] = true;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_says_who_what_and_when),
		cmocka_unit_test(the_epoch_belongs_to_this_run_of_this_node),
		cmocka_unit_test(numbers_of_several_observers_interleave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
