/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Minutes of the week where a door is.  Guards the nights on which clocks change, and
 * that a name can't lead out of the table of zones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "register/zone.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

enum { DAY = 24 * 60, HOUR = 60 };

static struct zone *
zone_of(const char *name)
{
	struct zone *zone = NULL;
	struct err err;

	if (zone_new(&zone, name, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return zone;
}

static void
weeks_begin_on_monday(void **state)
{
	struct zone *zone = zone_of("UTC");

	(void)state;
	/* Thursday 1970-01-01T00:00:00Z */
	assert_int_equal(zone_week_minute(zone, 0), 3 * DAY);
	assert_int_equal(zone_week_minute(zone, -1), 3 * DAY - 1);
	assert_int_equal(zone_week_minute(zone, MINUTE - 1), 3 * DAY);
	assert_int_equal(zone_week_minute(zone, MINUTE), 3 * DAY + 1);
	/* Monday 2026-01-05T00:00:00Z, and the last moment before */
	assert_int_equal(zone_week_minute(zone, INT64_C(1767571200) * SECOND), 0);
	assert_int_equal(zone_week_minute(zone, INT64_C(1767571200) * SECOND - 1), 7 * DAY - 1);
	zone_free(&zone);
	assert_null(zone);
}

static void
clocks_go_forward_and_back(void **state)
{
	struct zone *zone = zone_of("Europe/Berlin");
	/* Sunday 2026-03-29T01:00:00Z: 02:00 becomes 03:00 */
	int64_t spring = INT64_C(1774746000) * SECOND;
	/* Sunday 2026-10-25T01:00:00Z: 03:00 becomes 02:00 */
	int64_t autumn = INT64_C(1792890000) * SECOND;

	(void)state;
	assert_int_equal(zone_week_minute(zone, spring - 1), 6 * DAY + 2 * HOUR - 1);
	assert_int_equal(zone_week_minute(zone, spring), 6 * DAY + 3 * HOUR);
	assert_int_equal(zone_week_minute(zone, autumn - 1), 6 * DAY + 3 * HOUR - 1);
	assert_int_equal(zone_week_minute(zone, autumn), 6 * DAY + 2 * HOUR);
	/* years that the table has no entry for follow its rule: 2060-07-01T12:00:00Z */
	assert_int_equal(zone_week_minute(zone, INT64_C(2855908800) * SECOND) % DAY, 14 * HOUR);
	zone_free(&zone);
}

static void
devices_get_the_rule_in_posix_form(void **state)
{
	struct zone *zone = zone_of("Europe/Berlin");

	(void)state;
	assert_string_equal(zone_name(zone), "Europe/Berlin");
	assert_string_equal(zone_posix(zone), "CET-1CEST,M3.5.0,M10.5.0/3");
	zone_free(&zone);
	zone = zone_of("UTC");
	assert_string_equal(zone_posix(zone), "UTC0");
	zone_free(&zone);
}

static void
what_is_no_zone_is_refused(void **state)
{
	static const char *const names[] = {
		"",       "Europe/Nowhere", "../../etc/passwd", "/usr/share/zoneinfo/UTC",
		"Europe", "Europe/Ber lin", "Europe/../UTC",
	};
	struct zone *zone;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (zone_new(&zone, names[i], &err) != RC_INVALID)
			fail_msg("\"%s\" is a zone", names[i]);
		assert_null(zone);
		assert_true(strlen(err.msg) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weeks_begin_on_monday),
		cmocka_unit_test(clocks_go_forward_and_back),
		cmocka_unit_test(devices_get_the_rule_in_posix_form),
		cmocka_unit_test(what_is_no_zone_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
