/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times and hours as people write them, in the time of a site: days as ends, clocks
 * that are put back or forward, what is refused and how.  Instants are held against
 * `date --date=@N` by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/when.h"

static const char berlin[] = "Europe/Berlin", shenzhen[] = "Asia/Shanghai";

static int64_t
parse_s(const char *text, const char *zone_name, enum when_side side)
{
	int64_t time_us;
	struct err err;

	if (when_parse(text, zone_name, side, &time_us, &err) != RC_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(time_us % 1000000, 0);
	return time_us / 1000000;
}

static void
refuses(const char *text, const char *zone_name, const char *words)
{
	int64_t time_us;
	struct err err;

	if (when_parse(text, zone_name, WHEN_FROM, &time_us, &err) != RC_INVALID)
		fail_msg("\"%s\" was taken", text);
	if (strstr(err.msg, words) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", err.msg, words);
}

static void
a_day_begins_and_ends_at_the_site(void **state)
{
	(void)state;
	assert_int_equal(parse_s("2026-12-31", "UTC", WHEN_FROM), 1798675200);
	assert_int_equal(parse_s("2026-12-31", "UTC", WHEN_UNTIL), 1798675200 + 86400);
	assert_int_equal(parse_s("2026-12-31", shenzhen, WHEN_FROM), 1798675200 - 8 * 3600);
	/* the days on which the clocks change have 23 and 25 hours */
	assert_int_equal(parse_s("2026-03-29", berlin, WHEN_UNTIL) -
				 parse_s("2026-03-29", berlin, WHEN_FROM),
			 23 * 3600);
	assert_int_equal(parse_s("2026-10-25", berlin, WHEN_UNTIL) -
				 parse_s("2026-10-25", berlin, WHEN_FROM),
			 25 * 3600);
}

static void
a_time_may_name_its_own_zone(void **state)
{
	(void)state;
	assert_int_equal(parse_s("2026-12-31T18:00", shenzhen, WHEN_UNTIL), 1798711200);
	assert_int_equal(parse_s("2026-12-31T18:00Z", shenzhen, WHEN_UNTIL), 1798740000);
	assert_int_equal(parse_s("2026-12-31 18:00:30+08:00", "UTC", WHEN_UNTIL), 1798711230);
}

static void
an_hour_that_happens_twice_is_the_first(void **state)
{
	(void)state;
	/* 2026-10-25 02:30 CEST, and an hour later 02:30 CET */
	assert_int_equal(parse_s("2026-10-25T02:30", berlin, WHEN_FROM), 1792888200);
}

static void
what_is_no_time_is_refused(void **state)
{
	(void)state;
	refuses("tomorrow", "UTC", "expected 2026-12-31");
	refuses("2026-12-31T", "UTC", "expected 2026-12-31");
	refuses("2026-12-31T18:00x", "UTC", "expected 2026-12-31");
	refuses("2026-12-31T18:00+99:00", "UTC", "no time zone");
	refuses("2026-02-29", "UTC", "not in the calendar");
	refuses("2026-13-01", "UTC", "not in the calendar");
	refuses("2026-01-01T24:30", "UTC", "not in the calendar");
	refuses("2026-01-01", "Middle/Earth", "no time zone");
	refuses("2026-03-29T02:30", berlin, "never happens");
}

static void
what_is_printed_reads_back(void **state)
{
	static const struct {
		const char *text, *zone_name;
		enum when_side side;
	} cases[] = {
		{"2026-12-31", "UTC", WHEN_FROM},
		{"2026-12-31", shenzhen, WHEN_UNTIL},
		{"2026-10-25", berlin, WHEN_UNTIL},
		{"2026-03-29", berlin, WHEN_FROM},
		{"2026-12-31T18:00", shenzhen, WHEN_UNTIL},
		{"2026-12-31T18:00:30", berlin, WHEN_FROM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t s = parse_s(cases[i].text, cases[i].zone_name, cases[i].side);
		char *text = when_print(s * 1000000, cases[i].zone_name, cases[i].side);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

static void
hours_say(const char *text, const char *printed, size_t spans)
{
	struct right_hours hours[RIGHT_HOURS_MAX];
	struct err err;
	size_t n;
	char *again;

	if (when_parse_hours(text, hours, &n, &err) != RC_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(n, spans);
	for (size_t i = 0; i < n; i++) {
		assert_true(hours[i].from_minute < hours[i].to_minute);
		assert_true(i == 0 || hours[i - 1].to_minute < hours[i].from_minute);
	}
	again = when_print_hours(hours, n);
	assert_string_equal(again, printed);
	free(again);
}

static void
hours_of_the_week(void **state)
{
	(void)state;
	hours_say("Mon 07:00-19:00", "Mon 07:00-19:00", 1);
	hours_say("Mon-Wed 07:00-19:00", "Mon 07:00-19:00, Tue 07:00-19:00, Wed 07:00-19:00", 3);
	hours_say("Sat,Sun 00:00-24:00", "Sat 00:00-24:00, Sun 00:00-24:00", 1);
	hours_say("Sun-Mon 08:00-09:00", "Mon 08:00-09:00, Sun 08:00-09:00", 2);
	hours_say("Mon 07:00-12:00, Mon 12:00-13:00", "Mon 07:00-13:00", 1);
	hours_say("Mon-Sun 00:00-24:00",
		  "Mon 00:00-24:00, Tue 00:00-24:00, Wed 00:00-24:00, Thu 00:00-24:00, "
		  "Fri 00:00-24:00, Sat 00:00-24:00, Sun 00:00-24:00",
		  1);
}

static void
what_are_no_hours_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"always",
		"Mon",
		"Mon 7-19",
		"Mon 19:00-07:00",
		"Mon 07:00-07:00",
		"Mon 07:60-08:00",
		"Mon 23:00-24:01",
		"Moo 07:00-08:00",
		"Mon 07:00-08:00, ",
		"Mon- 07:00-08:00",
		"Mon 07:00 08:00",
	};
	struct right_hours hours[RIGHT_HOURS_MAX];
	struct err err;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (when_parse_hours(wrong[i], hours, &n, &err) != RC_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_non_null(strstr(err.msg, "expected Mon-Fri 07:00-19:00"));
	}
	/* 5 in each of seven days are more than 32 */
	assert_int_equal(when_parse_hours("Mon-Sun 01:00-02:00, Mon-Sun 03:00-04:00, Mon-Sun "
					  "05:00-06:00, Mon-Sun 07:00-08:00, Mon-Sun 09:00-10:00",
					  hours, &n, &err),
			 RC_INVALID);
	assert_non_null(strstr(err.msg, "more than 32 spans"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_begins_and_ends_at_the_site),
		cmocka_unit_test(a_time_may_name_its_own_zone),
		cmocka_unit_test(an_hour_that_happens_twice_is_the_first),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(hours_of_the_week),
		cmocka_unit_test(what_are_no_hours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
