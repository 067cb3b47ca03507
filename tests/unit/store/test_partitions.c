/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The days' partitions: made ahead, and over rows that had gone astray.
 */
#include "scene.h"

#define DAY(n)  "(now() AT TIME ZONE 'UTC')::date + " n
#define NAME(n) "to_char(" DAY(n) ", '\"records_\"YYYYMMDD')"

/* One record at noon of a day, relative to today. */
static void
insert_record(const char *days, unsigned seq)
{
	char *sql = xasprintf(
		"INSERT INTO records SELECT (" DAY(
			"(%s)") " + time '12:00') AT TIME ZONE 'UTC', now(), 1, %u, 0, 3, 11, NULL,"
				" 0, 200, NULL, 7",
		days, seq);

	pg_do(conn, sql);
	free(sql);
}

/* First of the tests: no day has a partition yet. */
static void
test_made_over_stray_rows(void **state)
{
	(void)state;
	insert_record("1", 1);
	insert_record("1", 2);
	insert_record("-400", 3);
	pg_expect(conn, "SELECT count(*) FROM records_stray", "3");
	feed_open(&feed, &pg, "stray");
	feed_start(&feed);
	feed_await_state(&feed, STORE_RUNNING);
	/* from yesterday to two days ahead, as the test's configuration has it */
	pg_expect(conn,
		  "SELECT string_agg(n::text, ',' ORDER BY n) FROM generate_series(-3, 5) n"
		  " WHERE to_regclass(" NAME("n") ") IS NOT NULL",
		  "-1,0,1,2");
	pg_expect(conn,
		  "SELECT string_agg(seq || ' ' || (tableoid::regclass::text = " NAME(
			  "1") "), ',' ORDER BY seq) FROM records",
		  "1 true,2 true,3 false");
	pg_expect(conn, "SELECT count(*) FROM records_stray", "1");
	insert_record("1", 4);
	pg_expect(conn, "SELECT count(*) FROM records_stray", "1");
}

static void
test_identity_holds_across_the_move(void **state)
{
	struct record record = feed_plain(1);

	(void)state;
	feed_open(&feed, &pg, "again");
	feed_record(&feed, &record);
	feed_flush(&feed);
	feed_start(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT make_partition('2020-01-03')", "t");
	pg_expect(conn, "SELECT make_partition('2020-01-03')", "f");
	pg_expect(conn, "SELECT count(*) FROM records_20200103", "1");
	feed_record(&feed, &record);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) FROM records_20200103", "1");
	assert_int_equal(feed_status(&feed).duplicates, 1);
}

/* Somebody reads the stray records for long: no partition, but storing goes on. */
static void
test_a_partition_that_cannot_be_made_stops_nothing(void **state)
{
	PGconn *reader = pg_connect(&pg);
	char *drop;

	(void)state;
	drop = pg_ask(conn, "SELECT 'DROP TABLE ' || " NAME("2"));
	pg_do(conn, drop);
	pg_do(conn, "ALTER FUNCTION make_partition SET lock_timeout = '10ms'");
	pg_do(reader, "BEGIN; SELECT count(*) FROM records_stray");
	feed_open(&feed, &pg, "locked");
	feed_plain_records(&feed, 2, 10);
	feed_start(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT to_regclass(" NAME("2") ")", "null");
	pg_expect(conn, "SELECT count(*) FROM records WHERE device_time < '2020-02-01'", "10");
	PQfinish(reader);
	free(drop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_made_over_stray_rows, scene_close_feed),
		cmocka_unit_test_teardown(test_identity_holds_across_the_move, scene_close_feed),
		cmocka_unit_test_teardown(test_a_partition_that_cannot_be_made_stops_nothing,
					  scene_close_feed),
	};

	return cmocka_run_group_tests(tests, scene_start, scene_end);
}
