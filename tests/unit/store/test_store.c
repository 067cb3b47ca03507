/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a real journal into a real PostgreSQL: what arrives there is what was
 * taken on, once, with the cursor; what can't be a row is in quarantine, and
 * holds up nothing.
 */
#include "scene.h"

/* Each test has a journal of its own and empty tables. */
static int
open_feed(void **state)
{
	(void)state;
	pg_do(conn, "TRUNCATE records, alarms, alarm_changes, quarantine, cursors,"
		    " controllers_heard");
	scene_open_feed();
	return 0;
}

static void
expect_cursor_at_durable(void)
{
	char *expected = xasprintf("7 %llu", (unsigned long long)journal_durable(feed.journal));

	pg_expect(conn, "SELECT node_id || ' ' || position FROM cursors", expected);
	free(expected);
}

/* ---- What arrives ---------------------------------------------------------- */

static void
test_every_column_of_a_record(void **state)
{
	static const char raw_code[] = "\\.\t\r\n\"'\x1b\xc3\xa9";
	static const char detail[] = "{\"unit\": \"7-\\u0042\", \"n\": [1, 2.50]}";
	struct record full = {.controller_id = 11,
			      .site_id = 3,
			      .door_id = 2147483647,
			      .kind = 103,
			      .reason = 4,
			      .epoch = -58720256000007,
			      .seq = INT64_MAX,
			      .device_time_us = 946684799999999, /* before PostgreSQL's epoch */
			      .received_us = feed_time_us + 1,
			      .flags = RECORD_HAS_TOKEN | RECORD_CLOCK_OFF,
			      .raw_code = raw_code,
			      .raw_code_len = sizeof(raw_code) - 1,
			      .detail = detail,
			      .detail_len = sizeof(detail) - 1};
	struct record bare = {.controller_id = 12,
			      .site_id = 3,
			      .kind = 500,
			      .epoch = 1,
			      .seq = 1,
			      .device_time_us = feed_time_us,
			      .received_us = feed_time_us};

	(void)state;
	for (uint8_t i = 0; i < TOKEN_BYTES; i++)
		full.token[i] = (uint8_t)(i * 17);
	feed_record(&feed, &full);
	feed_record(&feed, &bare);
	feed_flush(&feed);
	feed_await_stored(&feed);

	pg_expect(conn,
		  "SELECT concat_ws('|', device_time, received_at, epoch, seq, position, site_id,"
		  " controller_id, door_id, flags, kind, reason, node_id, card_token, detail)"
		  " FROM records WHERE controller_id = 11",
		  "1999-12-31 23:59:59.999999+00|2020-01-03 10:00:00.000001+00|-58720256000007|"
		  "9223372036854775807|0|3|11|2147483647|10|103|4|7|"
		  "\\x00112233445566778899aabbccddeeff|{\"n\": [1, 2.50], \"unit\": \"7-B\"}");
	pg_expect(conn, "SELECT raw_code FROM records WHERE controller_id = 11", raw_code);
	pg_expect(conn,
		  "SELECT concat_ws('|', device_time, epoch, seq, flags, kind)"
		  " || num_nulls(door_id, reason, card_token, raw_code, detail)"
		  " FROM records WHERE controller_id = 12",
		  "2020-01-03 10:00:00+00|1|1|0|5005");
	expect_cursor_at_durable();
}

/* Guards that each controller is written once, and one that only the server spoke of, or
 * whose record was refused, never. */
static void
test_controllers_that_were_heard(void **state)
{
	struct record record = {.controller_id = 12,
				.site_id = 3,
				.kind = 500,
				.epoch = 1,
				.seq = 1,
				.device_time_us = feed_time_us,
				.received_us = feed_time_us};

	(void)state;
	feed_record(&feed, &record);
	record.controller_id = 9000; /* beyond the first bits */
	feed_record(&feed, &record);
	record.controller_id = 13;
	record.epoch = -5;
	feed_record(&feed, &record);
	record.controller_id = 14;
	record.epoch = 1;
	record.seq = (uint64_t)INT64_MAX + 1;
	feed_record(&feed, &record);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn,
		  "SELECT string_agg(controller_id::text, ',' ORDER BY 1)"
		  " FROM controllers_heard",
		  "12,9000");
	/* further records leave the row as it is */
	pg_do(conn, "UPDATE controllers_heard SET since = '2020-01-01'");
	record = (struct record){.controller_id = 12,
				 .site_id = 3,
				 .kind = 500,
				 .epoch = 1,
				 .seq = 2,
				 .device_time_us = feed_time_us,
				 .received_us = feed_time_us};
	feed_record(&feed, &record);
	record.controller_id = 15;
	feed_record(&feed, &record);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn,
		  "SELECT string_agg(controller_id::text, ',' ORDER BY 1) FROM"
		  " controllers_heard WHERE since < '2020-01-02'",
		  "12,9000");
	pg_expect(conn, "SELECT count(*) FROM controllers_heard", "3");
}

static void
test_every_column_of_an_alarm(void **state)
{
	struct alarm_change change = {.alarm_id = (7ULL << 48) | 512,
				      .change = UINT32_MAX,
				      .position = 512,
				      .kind = 202,
				      .severity = 3,
				      .state = 1,
				      .silent = 1,
				      .count = UINT32_MAX,
				      .controller_id = 11,
				      .site_id = 3,
				      .door_id = 5,
				      .device_time_us = feed_time_us,
				      .received_us = feed_time_us + 1,
				      .durable_us = feed_time_us + 2,
				      .raised_us = feed_time_us + 3,
				      .cleared_us = feed_time_us + 4,
				      .epoch = -9,
				      .seq = 77,
				      .raw_code = "DF",
				      .latches = 1,
				      .verb = 8,
				      .actor_kind = 1,
				      .actor = "desk-north",
				      .operator_code = "7",
				      .text = "to you",
				      .reject = 2,
				      .outcome = 3,
				      .acted_us = feed_time_us + 5,
				      .stage = 2,
				      .escalation = 1,
				      .handed_station_id = 4,
				      .group_id = 1025,
				      .until_us = feed_time_us + 6,
				      .acknowledged_us = feed_time_us + 7,
				      .acknowledged_by = "7@desk-north",
				      .first_acknowledged_us = feed_time_us + 8};

	(void)state;
	feed_alarm(&feed, &change);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(
		conn,
		"SELECT concat_ws('|', alarm_id, change, position, kind, severity, state, silent,"
		" count, controller_id, site_id, door_id, epoch, seq, raw_code) FROM alarm_changes",
		"1970324836975104|4294967295|512|202|3|1|t|4294967295|11|3|5|-9|77|DF");
	pg_expect(conn,
		  "SELECT concat_ws('|', device_time, received_at, durable_at, raised_at,"
		  " cleared_at) FROM alarm_changes",
		  "2020-01-03 10:00:00+00|2020-01-03 10:00:00.000001+00|"
		  "2020-01-03 10:00:00.000002+00|2020-01-03 10:00:00.000003+00|"
		  "2020-01-03 10:00:00.000004+00");
	pg_expect(conn,
		  "SELECT concat_ws('|', latches, verb, actor_kind, actor, operator_code, note,"
		  " reject_reason, outcome, stage, escalation, handed_station_id, group_id,"
		  " acknowledged_by) FROM alarm_changes",
		  "t|8|1|desk-north|7|to you|2|3|2|1|4|1025|7@desk-north");
	pg_expect(conn,
		  "SELECT concat_ws('|', acted_at, until_at, acknowledged_at,"
		  " first_acknowledged_at) FROM alarm_changes",
		  "2020-01-03 10:00:00.000005+00|2020-01-03 10:00:00.000006+00|"
		  "2020-01-03 10:00:00.000007+00|2020-01-03 10:00:00.000008+00");
	pg_expect(conn,
		  "SELECT to_jsonb(a) - 'offered_at' - 'shown_at' = to_jsonb(c)"
		  " FROM alarms a, alarm_changes c",
		  "t");
}

static struct alarm_change
raised_alarm(void)
{
	return (struct alarm_change){.alarm_id = 1,
				     .change = 1,
				     .kind = 202,
				     .severity = 3,
				     .state = 1,
				     .count = 1,
				     .raised_us = feed_time_us};
}

static void
test_who_saw_an_alarm_first(void **state)
{
	struct alarm_change change = raised_alarm();
	struct alarm_seen seen = {.alarm_id = 1, .change = 1, .offered_us = feed_time_us + 2};

	(void)state;
	feed_alarm(&feed, &change);
	(void)alarm_seen_encode(&seen, feed_room(&feed, ENTRY_SEEN, ALARM_SEEN_BYTES));
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT offered_at || ' ' || (shown_at IS NULL) FROM alarms",
		  "2020-01-03 10:00:00.000002+00 true");
	/* later than the first, earlier than it, and of an alarm that is not there; then a
	 * change, which must not forget it */
	seen.offered_us = feed_time_us + 3;
	seen.shown_us = feed_time_us + 9;
	(void)alarm_seen_encode(&seen, feed_room(&feed, ENTRY_SEEN, ALARM_SEEN_BYTES));
	seen.offered_us = feed_time_us + 1;
	seen.shown_us = 0;
	(void)alarm_seen_encode(&seen, feed_room(&feed, ENTRY_SEEN, ALARM_SEEN_BYTES));
	seen.alarm_id = 2;
	(void)alarm_seen_encode(&seen, feed_room(&feed, ENTRY_SEEN, ALARM_SEEN_BYTES));
	change.change = 2;
	feed_alarm(&feed, &change);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT concat_ws(' ', change, offered_at, shown_at) FROM alarms",
		  "2 2020-01-03 10:00:00.000001+00 2020-01-03 10:00:00.000009+00");
	pg_expect(conn, "SELECT count(*) FROM quarantine", "0");
}

static void
test_an_alarm_stands_as_after_its_last_change(void **state)
{
	struct alarm_change change = raised_alarm();

	(void)state;
	/* two changes in one batch, a third later, and then the first ones again */
	feed_alarm(&feed, &change);
	change.change = change.count = 2;
	feed_alarm(&feed, &change);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT change || ' ' || count FROM alarms", "2 2");
	change.change = change.count = 3;
	change.state = 4;
	change.cleared_us = feed_time_us + 1;
	feed_alarm(&feed, &change);
	feed_flush(&feed);
	feed_await_stored(&feed);
	change.change = change.count = 1;
	change.state = 1;
	change.cleared_us = 0;
	feed_alarm(&feed, &change);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT change || ' ' || state || ' ' || (cleared_at IS NULL) FROM alarms",
		  "3 4 false");
	pg_expect(conn, "SELECT string_agg(change::text, ',' ORDER BY change) FROM alarm_changes",
		  "1,2,3");
}

static void
test_rejected_records_are_kept_once(void **state)
{
	static const uint8_t payload[] = {8, 0, 255};
	struct quarantine q = {.controller_id = 11,
			       .site_id = 3,
			       .epoch = 1,
			       .seq = 9,
			       .received_us = feed_time_us,
			       .reason = 2,
			       .detail = "time_us is 7",
			       .detail_len = 12,
			       .payload = payload,
			       .payload_len = sizeof(payload)};

	(void)state;
	feed_quarantine(&feed, &q);
	feed_quarantine(&feed, &q);
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn,
		  "SELECT concat_ws('|', controller_id, epoch, seq, site_id, received_at, position,"
		  " node_id, reason, stage, detail, payload) FROM quarantine",
		  "11|1|9|3|2020-01-03 10:00:00+00|0|7|2|ingest|time_us is 7|\\x0800ff");
	assert_int_equal(feed_status(&feed).quarantined, 0);
}

static void
test_the_desks_entries_are_not_stored(void **state)
{
	struct record record = feed_plain(1);

	(void)state;
	(void)record_encode(&record, feed_room(&feed, ENTRY_AHEAD, record_encoded_len(&record)));
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM quarantine)",
		  "0");
	expect_cursor_at_durable();
}

/* ---- Exactly once ---------------------------------------------------------- */

static void
test_duplicates_change_nothing(void **state)
{
	struct store_status status;

	(void)state;
	feed_plain_records(&feed, 1, 3000);
	feed_await_stored(&feed);
	assert_int_equal(feed_status(&feed).slow_batches, 0);
	feed_plain_records(&feed, 2001, 4000);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) || ' ' || count(DISTINCT seq) FROM records", "4000 4000");
	status = feed_status(&feed);
	assert_int_equal(status.records, 4000);
	assert_int_equal(status.duplicates, 1000);
	assert_int_equal(status.quarantined, 0);
	assert_true(status.slow_batches > 0);
	expect_cursor_at_durable();
}

static void
test_a_long_journal_in_many_batches(void **state)
{
	(void)state;
	feed_close(&feed);
	feed.conf.batch_records = 100;
	feed_open(&feed, &pg, "many");
	feed_plain_records(&feed, 1, 5050);
	feed_start(&feed);
	feed_await_stored(&feed);
	assert_true(feed_status(&feed).batches >= 51);
	pg_expect(conn, "SELECT count(*) FROM records", "5050");
}

/* Rows so long that a batch is far more than its socket holds: while PostgreSQL takes one,
 * the next is read, and comes in its turn.  Seen to fail: where session_take_ahead()
 * dropped what was read. */
static void
test_what_is_read_ahead_comes_in_its_turn(void **state)
{
	char detail[600];
	int n = snprintf(detail, sizeof(detail), "{\"note\":\"%0500d\"}", 7);

	(void)state;
	feed_close(&feed);
	feed.conf.batch_records = 3000;
	feed_open(&feed, &pg, "ahead");
	for (uint64_t seq = 1; seq <= 20000; seq++) {
		struct record record = feed_plain(seq);

		record.detail = detail;
		record.detail_len = (size_t)n;
		feed_record(&feed, &record);
	}
	feed_flush(&feed);
	feed_start(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) FROM records", "20000");
	pg_expect(conn,
		  "SELECT count(*) FROM (SELECT seq - lag(seq) OVER (ORDER BY ctid) AS step"
		  " FROM records) AS steps WHERE step <> 1",
		  "0");
}

static void
test_stop_stores_what_is_durable(void **state)
{
	(void)state;
	feed_plain_records(&feed, 1, 10000);
	store_stop(feed.store, FEED_PATIENCE_MS);
	assert_int_equal(feed_status(&feed).state, STORE_STOPPED);
	pg_expect(conn, "SELECT count(*) FROM records", "10000");
	expect_cursor_at_durable();
}

/* ---- What can't be a row --------------------------------------------------- */

static void
test_one_bad_row_in_ten_thousand(void **state)
{
	(void)state;
	for (uint64_t seq = 1; seq <= 10000; seq++) {
		struct record record = feed_plain(seq);

		if (seq == 7777) {
			record.detail = "{\"unit\": ";
			record.detail_len = 9;
		}
		feed_record(&feed, &record);
	}
	feed_flush(&feed);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) || ' ' || bool_or(seq = 7777) FROM records", "9999 false");
	pg_expect(conn,
		  "SELECT concat_ws('|', controller_id, epoch, seq, site_id, received_at, reason,"
		  " stage, detail) FROM quarantine",
		  "11|1|7777|3|2020-01-03 10:00:01+00|postgresql|"
		  "could not copy: invalid input syntax for type json");
	/* the body is kept as it was */
	pg_expect(conn,
		  "SELECT position('\\x7b22756e6974223a20'::bytea IN payload) > 0"
		  " FROM quarantine",
		  "t");
	assert_int_equal(feed_status(&feed).quarantined, 1);
	assert_int_equal(feed_status(&feed).duplicates, 0);
	expect_cursor_at_durable();
}

/* COPY into the temporary table has nothing against these: only cutting finds them. */
static void
test_bad_rows_that_nobody_names(void **state)
{
	(void)state;
	pg_do(conn, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
		    " IF new.seq % 1000 = 0 THEN RAISE 'not this one'; END IF; RETURN new;"
		    " END $$;"
		    "CREATE TRIGGER refuse BEFORE INSERT ON records FOR EACH ROW"
		    " EXECUTE FUNCTION refuse()");
	feed_plain_records(&feed, 1, 5500);
	feed_await_stored(&feed);
	pg_do(conn, "DROP FUNCTION refuse CASCADE");
	pg_expect(conn, "SELECT count(*) FROM records", "5495");
	pg_expect(conn, "SELECT string_agg(seq || detail, ',' ORDER BY seq) FROM quarantine",
		  "1000could not store rows: not this one,2000could not store rows: not this one,"
		  "3000could not store rows: not this one,4000could not store rows: not this one,"
		  "5000could not store rows: not this one");
}

static void
test_bad_alarms_and_rejections(void **state)
{
	struct alarm_change change = {.alarm_id = 1, .change = 1, .raw_code = "\xff"};
	struct quarantine q = {
		.controller_id = 11, .epoch = 1, .seq = 1, .detail = "\xff", .detail_len = 1};

	(void)state;
	feed_alarm(&feed, &change);
	feed_quarantine(&feed, &q);
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) FROM records", "10");
	pg_expect(conn, "SELECT count(*) FROM alarm_changes", "0");
	/* they have no identity that no other entry could have */
	pg_expect(conn,
		  "SELECT string_agg(concat_ws('|', controller_id, epoch, seq = position, stage),"
		  " ' ' ORDER BY seq) FROM quarantine",
		  "0|7|t|postgresql 0|7|t|postgresql");
}

static void
test_entries_that_make_no_sense(void **state)
{
	struct record beyond = feed_plain((uint64_t)INT64_MAX + 1);
	struct record far_off = feed_plain(2);

	(void)state;
	memset(feed_room(&feed, ENTRY_RECORD, 20), 0xee, 20);
	memset(feed_room(&feed, 99, 3), 1, 3);
	feed_record(&feed, &beyond);
	far_off.device_time_us = INT64_MIN;
	feed_record(&feed, &far_off);
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) FROM records", "10");
	pg_expect(conn, "SELECT count(*) FROM quarantine WHERE stage = 'postgresql'", "4");
	pg_expect(conn, "SELECT detail || payload FROM quarantine WHERE octet_length(payload) = 3",
		  "entry of unknown type 99\\x010101");
	pg_expect(conn,
		  "SELECT count(*) FROM quarantine WHERE detail = 'seq 9223372036854775808 is too"
		  " large for the database'",
		  "1");
}

#define FED(test) cmocka_unit_test_setup_teardown(test, open_feed, scene_close_feed)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FED(test_every_column_of_a_record),
		FED(test_controllers_that_were_heard),
		FED(test_every_column_of_an_alarm),
		FED(test_who_saw_an_alarm_first),
		FED(test_an_alarm_stands_as_after_its_last_change),
		FED(test_rejected_records_are_kept_once),
		FED(test_the_desks_entries_are_not_stored),
		FED(test_duplicates_change_nothing),
		FED(test_a_long_journal_in_many_batches),
		FED(test_what_is_read_ahead_comes_in_its_turn),
		FED(test_stop_stores_what_is_durable),
		FED(test_one_bad_row_in_ten_thousand),
		FED(test_bad_rows_that_nobody_names),
		FED(test_bad_alarms_and_rejections),
		FED(test_entries_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, scene_start, scene_end);
}
