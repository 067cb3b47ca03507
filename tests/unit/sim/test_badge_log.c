/* SPDX-License-Identifier: Apache-2.0 */
/* Badge logs: the mapping of columns, times, rows, mistakes; and who replays what. */
#include "../support/scratch.h"

#include "sim/badge_log.h"
#include "sim/replay.h"

#define MAPPING "time=timestamp,card=prox-id,door=floor+zone,type=type"
#define HEADER  "timestamp, type, prox-id, floor, zone\n"

static struct badge_map
mapping(const char *text)
{
	struct badge_map map;
	struct err err;

	assert_int_equal(badge_map_parse(&map, text, &err), RC_OK);
	return map;
}

static void
load(struct badge_log *log, const char *dir, const char *map_text, const char *csv)
{
	const struct badge_map map = mapping(map_text);
	char *path = scratch_write_text(dir, "log.csv", csv);
	struct err err = {0};

	if (badge_log_load(log, path, &map, &err) != RC_OK)
		fail_msg("%s", err.msg);
	free(path);
}

static void
assert_refused(const char *dir, const char *csv, const char *why)
{
	const struct badge_map map = mapping(MAPPING);
	char *path = scratch_write_text(dir, "log.csv", csv);
	struct badge_log log;
	struct err err;

	assert_int_equal(badge_log_load(&log, path, &map, &err), RC_INVALID);
	assert_contains(err.msg, why);
	assert_null(log.rows);
	free(path);
}

static void
test_mapping_is_read(void **state)
{
	const struct badge_map map = mapping(MAPPING);

	(void)state;
	assert_string_equal(map.time, "timestamp");
	assert_string_equal(map.card, "prox-id");
	assert_string_equal(map.type, "type");
	assert_int_equal(map.n_door, 2);
	assert_string_equal(map.door[0], "floor");
	assert_string_equal(map.door[1], "zone");
	assert_string_equal(mapping("door=d,card=c,time=t").type, "");
}

static void
assert_mapping_refused(const char *text, const char *why)
{
	struct badge_map map;
	struct err err;

	assert_int_equal(badge_map_parse(&map, text, &err), RC_INVALID);
	assert_contains(err.msg, why);
}

static void
test_bad_mappings_are_refused(void **state)
{
	(void)state;
	assert_mapping_refused("", "not of the form key=column");
	assert_mapping_refused("time=t,card=c", "must name the columns");
	assert_mapping_refused("time=t,card=c,door=d,floor=f", "\"floor\" in the mapping is not");
	assert_mapping_refused("time=,card=c,door=d", "0 bytes");
	assert_mapping_refused("time=t,card=c,door=a++b", "0 bytes");
	assert_mapping_refused("time=t,card=c,door=1+2+3+4+5+6+7+8+9", "more than 8 columns");
	assert_mapping_refused("time=t,card", "not of the form");
	assert_mapping_refused(
		"time=0123456789012345678901234567890123456789012345678901234567890123"
		",card=c,door=d",
		"64 bytes, expected 1 to 63");
}

static void
test_rows_with_blanks_and_text_zones(void **state)
{
	struct badge_log log;

	load(&log, *state, MAPPING,
	     HEADER "2016-05-31 00:05, fixed-prox, amsel001,1,1\n"
		    "2016-05-31 00:20 ,mobile, \"igel,002\" , 3 ,Server Room\n"
		    "\n"
		    "2016-05-31 00:05, fixed-prox, amsel001,1,1\n");
	assert_int_equal(log.n, 3);
	/* 2016-05-31 00:05 UTC, by date -u +%s */
	assert_int_equal(log.rows[0].time_us, 1464653100000000LL);
	assert_string_equal(names_text(&log.cards, log.rows[0].card), "amsel001");
	assert_string_equal(names_text(&log.doors, log.rows[0].door), "1-1");
	assert_string_equal(names_text(&log.types, log.rows[1].type), "mobile");
	assert_string_equal(names_text(&log.cards, log.rows[1].card), "igel,002");
	assert_string_equal(names_text(&log.doors, log.rows[1].door), "3-Server Room");
	/* an exact duplicate is a read of its own */
	assert_memory_equal(&log.rows[2], &log.rows[0], sizeof(log.rows[0]));
	assert_int_equal(log.doors.n, 2);
	badge_log_free(&log);
}

static void
test_columns_are_found_by_name_not_by_place(void **state)
{
	struct badge_log log;

	load(&log, *state, "time=when,card=who,door=where",
	     "x,who,y,where,when\n"
	     "1,a,2,d,2020-02-29T23:59:58.5Z\n");
	assert_int_equal(log.n, 1);
	assert_int_equal(log.rows[0].time_us, 1583020798500000LL);
	assert_int_equal(log.rows[0].type, NAMES_NONE);
	assert_string_equal(names_text(&log.doors, 0), "d");
	badge_log_free(&log);
}

static void
test_mistakes_name_the_row(void **state)
{
	const char *dir = *state;

	assert_refused(dir, "timestamp, type, prox-id, floor\n", "row 1: the header has no column");
	assert_refused(dir, HEADER, "no row behind the header");
	assert_refused(dir, "", "no row behind the header");
	assert_refused(dir, HEADER "2016-05-31 00:05,t,c,1,1\n2016-05-31,t,c,1,1\n",
		       "row 3: \"2016-05-31\" is not a time");
	assert_refused(dir, HEADER "2016-06-31 00:05,t,c,1,1\n", "not a time that exists");
	assert_refused(dir, HEADER "2016-05-31 00:05,t,,1,1\n", "row 2: the card has 0 bytes");
	assert_refused(dir, HEADER "2016-05-31 00:05,t,012345678901234567890123456789012,1,1\n",
		       "the card has 33 bytes");
	assert_refused(dir, HEADER "2016-05-31 00:05,012345678901234567890123456789012,c,1,1\n",
		       "the type has 33 bytes");
	/* a short row must not inherit what is missing */
	assert_refused(dir, HEADER "2016-05-31 00:05,t,c,1,1\n2016-05-31 00:06,t,c,1\n",
		       "row 3: \"zone\" is empty");
	assert_refused(dir, HEADER "2016-05-31 00:05,\"t,c,1,1\n", "");
}

static void
test_missing_file_is_said(void **state)
{
	const struct badge_map map = mapping(MAPPING);
	struct badge_log log;
	struct err err;

	(void)state;
	assert_int_equal(badge_log_load(&log, "/nowhere/log.csv", &map, &err), RC_FAIL);
	assert_contains(err.msg, "could not open file \"/nowhere/log.csv\"");
}

/* ---- Replay --------------------------------------------------------------------------- */

/* Controllers a, b, .. with doors 1 .. n_doors. */
static void
make_fleet(struct enrolments *fleet, size_t n, uint16_t n_doors)
{
	fleet->n = n;
	fleet->items = xcalloc(n, sizeof(*fleet->items));
	for (size_t i = 0; i < n; i++) {
		struct enrolment *e = &fleet->items[i];

		e->name = xasprintf("c%zu", i);
		e->doors = xcalloc(n_doors, sizeof(*e->doors));
		for (uint16_t d = 1; d <= n_doors; d++)
			e->doors[e->n_doors++].number = d;
	}
}

/* Five doors, in order of first appearance: A B C D E. */
#define FIVE_DOORS                                                                                 \
	"time,card,door\n2020-01-01 00:00,x,A\n2020-01-01 00:00,x,B\n2020-01-01 00:01,y,C\n"       \
	"2020-01-01 00:02,x,A\n2020-01-01 00:02,x,D\n2020-01-01 00:03,x,E\n"

static void
test_doors_are_spread_in_order_of_appearance(void **state)
{
	struct enrolments fleet = {0};
	struct badge_log log;
	struct replay replay;
	struct err err;

	load(&log, *state, "time=time,card=card,door=door", FIVE_DOORS);
	make_fleet(&fleet, 2, 3);
	assert_int_equal(replay_init(&replay, &log, &fleet, 2, &err), RC_OK);
	/* door i: controller i % 2, number i / 2 + 1 */
	assert_int_equal(replay_controller_of(&replay, 4), 1); /* D is door 3 */
	assert_int_equal(replay_door_of(&replay, 4), 2);
	assert_int_equal(replay_controller_of(&replay, 5), 0); /* E is door 4 */
	assert_int_equal(replay_door_of(&replay, 5), 3);
	assert_int_equal(replay_rows(&replay, 0), 4); /* A C A E */
	assert_int_equal(replay_rows(&replay, 1), 2); /* B D */
	assert_int_equal(replay_row(&replay, 0, 0), 0);
	assert_int_equal(replay_row(&replay, 0, 2), 3);
	assert_int_equal(replay_row(&replay, 0, 3), 5);
	assert_int_equal(replay_row(&replay, 1, 1), 4);
	replay_fini(&replay);
	enrolments_free(&fleet);
	badge_log_free(&log);
}

static void
test_missing_doors_are_said(void **state)
{
	struct enrolments fleet = {0};
	struct badge_log log;
	struct replay replay;
	struct err err;

	load(&log, *state, "time=time,card=card,door=door", FIVE_DOORS);
	make_fleet(&fleet, 2, 2);
	assert_int_equal(replay_init(&replay, &log, &fleet, 2, &err), RC_INVALID);
	assert_contains(err.msg,
			"5 doors: controller \"c0\" needs doors 1 to 3, and has no door 3");
	assert_int_equal(replay_init(&replay, &log, &fleet, 3, &err), RC_INVALID);
	assert_contains(err.msg, "1 to 2 controllers, not 3");
	enrolments_free(&fleet);
	badge_log_free(&log);
}

static void
test_rows_come_due_by_the_log_and_the_speed(void **state)
{
	struct enrolments fleet = {0};
	struct badge_log log;
	struct replay replay;
	struct err err;
	uint32_t row;

	load(&log, *state, "time=time,card=card,door=door", FIVE_DOORS);
	make_fleet(&fleet, 1, 5);
	assert_int_equal(replay_init(&replay, &log, &fleet, 1, &err), RC_OK);
	replay.speed = 60.0; /* a minute of the log in a second */
	assert_true(replay_next_due(&replay, 0, &row));
	assert_true(replay_next_due(&replay, 0, &row));
	assert_int_equal(row, 1);
	assert_false(replay_next_due(&replay, 999999999, &row));
	assert_true(replay_next_due(&replay, 1000000000, &row));
	assert_int_equal(row, 2);
	assert_false(replay_next_due(&replay, 1000000000, &row));
	assert_false(replay_is_over(&replay));
	for (int i = 0; i < 3; i++)
		assert_true(replay_next_due(&replay, 3000000000, &row));
	assert_true(replay_is_over(&replay));
	assert_false(replay_next_due(&replay, UINT64_MAX, &row));
	replay_fini(&replay);
	enrolments_free(&fleet);
	badge_log_free(&log);
}

static void
test_shipped_log_can_be_replayed(void **state)
{
	const struct badge_map map = mapping(MAPPING);
	struct badge_log log;
	struct err err;

	(void)state;
	assert_int_equal(badge_log_load(&log, "tests/data/badge-log.csv", &map, &err), RC_OK);
	assert_true(log.n > 300);
	assert_int_equal(names_find(&log.doors, "3-Archive") == NAMES_NONE, 0);
	badge_log_free(&log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapping_is_read),
		cmocka_unit_test(test_bad_mappings_are_refused),
		cmocka_unit_test(test_rows_with_blanks_and_text_zones),
		cmocka_unit_test(test_columns_are_found_by_name_not_by_place),
		cmocka_unit_test(test_mistakes_name_the_row),
		cmocka_unit_test(test_missing_file_is_said),
		cmocka_unit_test(test_doors_are_spread_in_order_of_appearance),
		cmocka_unit_test(test_missing_doors_are_said),
		cmocka_unit_test(test_rows_come_due_by_the_log_and_the_speed),
		cmocka_unit_test(test_shipped_log_can_be_replayed),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
