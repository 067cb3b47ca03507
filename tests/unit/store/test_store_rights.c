/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of cards and rights from a real journal into a real PostgreSQL: record, card
 * and grants in one transaction, once however often they are stored, and a change that
 * PostgreSQL refuses in quarantine without holding up the next.
 */
#include "scene.h"
#include "wire/kind.h"

static uint64_t seq;

static int
start(void **state)
{
	(void)scene_start(state);
	pg_do(conn, "INSERT INTO areas (code) VALUES ('city');"
		    "INSERT INTO sites (code, area_id) SELECT 'elm', area_id FROM areas;"
		    "INSERT INTO doors (site_id, code) SELECT site_id, 'd' || i FROM sites,"
		    " generate_series(1, 3) AS i");
	return 0;
}

static int
open_feed(void **state)
{
	(void)state;
	pg_do(conn,
	      "TRUNCATE records, cards, grants, quarantine, cursors RESTART IDENTITY CASCADE");
	seq = 0;
	scene_open_feed();
	return 0;
}

static struct right_change
change_of(uint16_t kind, enum card_status status)
{
	struct right_change change = {
		.desk_id = 50,
		.site_id = 1,
		.kind = kind,
		.epoch = 4,
		.device_time_us = feed_time_us,
		.received_us = feed_time_us + 1000000,
		.by = "office",
		.by_len = 6,
		.card_kind = CARD_KIND_TENANT,
		.status = (uint8_t)status,
		.card_from_us = feed_time_us,
		.card_until_us = feed_time_us + 7200000000,
		.unit = "301",
		.unit_len = 3,
	};

	memset(change.card_key, 0xab, sizeof(change.card_key));
	return change;
}

static void
feed_change(struct right_change change)
{
	change.seq = ++seq;
	(void)right_change_encode(&change,
				  feed_room(&feed, ENTRY_RIGHT, right_change_encoded_len(&change)));
}

static void
feed_grant(uint16_t kind, uint32_t first_door, uint32_t last_door, int64_t from_us)
{
	struct right_change change = change_of(kind, CARD_ACTIVE);

	change.valid_from_us = from_us;
	for (uint32_t door = first_door; door <= last_door; door++)
		change.doors[change.n_doors++] = door;
	if (kind == KIND_CODE_GRANT_SET) {
		change.valid_until_us = from_us + 3600000000;
		change.n_hours = 2;
		change.hours[0] = (struct right_hours){0, 60};
		change.hours[1] = (struct right_hours){120, 10080};
	}
	feed_change(change);
}

static void
store_all(void)
{
	feed_flush(&feed);
	feed_await_stored(&feed);
}

static void
test_every_column(void **state)
{
	struct right_change change = change_of(KIND_CODE_CARD_REGISTERED, CARD_ACTIVE);

	(void)state;
	change.sealed = (const uint8_t *)"\x30\x00\x01";
	change.sealed_len = 3;
	feed_change(change);
	feed_grant(KIND_CODE_GRANT_SET, 1, 2, feed_time_us);
	store_all();
	pg_expect(
		conn,
		"SELECT concat_ws('|', site_id, left(card_key::text, 6), kind, status, valid_from,"
		" valid_until, unit, sealed, node_id, changed_position > 0) FROM cards",
		"1|\\xabab|tenant|active|2020-01-03 10:00:00+00|2020-01-03 12:00:00+00|301"
		"|\\x300001|7|t");
	pg_expect(conn,
		  "SELECT string_agg(concat_ws('|', door_id, valid_from, valid_until,"
		  " weekly_minutes, granted_by, granted_at), ' ' ORDER BY door_id) FROM grants",
		  "1|2020-01-03 10:00:00+00|2020-01-03 11:00:00+00|{[0,60),[120,10080)}|office"
		  "|2020-01-03 10:00:01+00 "
		  "2|2020-01-03 10:00:00+00|2020-01-03 11:00:00+00|{[0,60),[120,10080)}|office"
		  "|2020-01-03 10:00:01+00");
	pg_expect(
		conn,
		"SELECT concat_ws('|', device_time, received_at, epoch, seq, site_id,"
		" controller_id, flags, kind, node_id, coalesce(card_token::text, 'no token'), "
		"detail->>'unit',"
		" detail->>'doors', detail->>'weekly_minutes') FROM records WHERE kind = 620",
		"2020-01-03 10:00:00+00|2020-01-03 10:00:01+00|4|2|1|50|0|620|7|no token|301|[1, 2]"
		"|{[0,60),[120,10080)}");
	pg_expect(conn, "SELECT detail->>'sealed' FROM records WHERE kind = 600", "MAAB");
}

static void
test_changes_follow_one_another(void **state)
{
	(void)state;
	feed_change(change_of(KIND_CODE_CARD_REGISTERED, CARD_ACTIVE));
	feed_grant(KIND_CODE_GRANT_SET, 1, 3, feed_time_us);
	feed_grant(KIND_CODE_GRANT_SET, 1, 1, feed_time_us + 3600000000 * 2);
	feed_grant(KIND_CODE_GRANT_REMOVED, 1, 2, feed_time_us);
	store_all();
	pg_expect(conn, "SELECT string_agg(door_id::text, ' ' ORDER BY door_id) FROM grants",
		  "1 3");
	/* whatever the window */
	feed_grant(KIND_CODE_GRANT_REMOVED, 1, 1, 0);
	feed_change(change_of(KIND_CODE_CARD_SUSPENDED, CARD_SUSPENDED));
	store_all();
	pg_expect(conn, "SELECT string_agg(door_id::text, ' ' ORDER BY door_id) FROM grants", "3");
	pg_expect(conn, "SELECT status FROM cards", "suspended");
	/* no old rights after that */
	feed_change(change_of(KIND_CODE_CARD_REVOKED, CARD_REVOKED));
	feed_change(change_of(KIND_CODE_CARD_REGISTERED, CARD_ACTIVE));
	store_all();
	pg_expect(conn, "SELECT count(*) FROM grants", "0");
	pg_expect(conn, "SELECT status FROM cards", "active");
	pg_expect(conn, "SELECT count(*) FROM records", "8");
}

/* The cursor goes back, as after a failover: what is stored again changes nothing. */
static void
test_stored_again_changes_nothing(void **state)
{
	(void)state;
	feed_change(change_of(KIND_CODE_CARD_REGISTERED, CARD_ACTIVE));
	feed_grant(KIND_CODE_GRANT_SET, 1, 2, feed_time_us);
	feed_grant(KIND_CODE_GRANT_REMOVED, 1, 1, feed_time_us);
	store_all();
	pg_expect(conn, "SELECT door_id FROM grants", "2");
	pg_do(conn, "UPDATE cursors SET position = 0");
	/* the store finds the cursor moved, and begins a session anew */
	feed_change(change_of(KIND_CODE_CARD_REPORTED_LOST, CARD_LOST));
	store_all();
	pg_expect(conn, "SELECT door_id FROM grants", "2");
	pg_expect(conn, "SELECT status FROM cards", "lost");
	pg_expect(conn, "SELECT count(*) FROM records", "4");
}

static void
test_what_postgresql_refuses_is_kept(void **state)
{
	(void)state;
	feed_change(change_of(KIND_CODE_CARD_REGISTERED, CARD_ACTIVE));
	feed_grant(KIND_CODE_GRANT_SET, 2, 4, feed_time_us); /* there is no door 4 */
	feed_grant(KIND_CODE_GRANT_SET, 1, 1, feed_time_us);
	store_all();
	pg_expect(conn, "SELECT string_agg(door_id::text, ' ') FROM grants", "1");
	pg_expect(conn,
		  "SELECT concat_ws('|', controller_id, epoch, seq, site_id, stage,"
		  " detail LIKE '%foreign key%') FROM quarantine",
		  "50|4|2|1|postgresql|t");
	pg_expect(conn, "SELECT count(*) FROM records", "2");
}

/* For a daemon without a snapshot: as they are at the cursor, once. */
static void
test_what_is_stored_can_be_loaded(void **state)
{
	static const struct rights_conf conf = {.changes = 16, .history_us = 1};
	struct right_change change = change_of(KIND_CODE_CARD_REGISTERED, CARD_ACTIVE);
	struct rights_stats stats;
	uint64_t stored;

	(void)state;
	feed_change(change);
	feed_grant(KIND_CODE_GRANT_SET, 1, 3, feed_time_us);
	store_all();
	assert_null(feed.rights);
	stored = feed_status(&feed).stored;
	feed_close(&feed);
	feed.conf.rights = &conf;
	feed_open(&feed, &pg, "journal4");
	feed_start(&feed);
	feed_await_state(&feed, STORE_RUNNING);
	pthread_mutex_lock(&feed.lock);
	assert_non_null(feed.rights);
	assert_true(feed.rights_position == stored);
	rights_get_stats(feed.rights, &stats);
	assert_int_equal(stats.cards, 1);
	assert_int_equal(stats.rights, 3);
	assert_int_equal(rights_card(feed.rights, 1, change.card_key)->status, CARD_ACTIVE);
	pthread_mutex_unlock(&feed.lock);
}

int
main(void)
{
#define FED(test) cmocka_unit_test_setup_teardown(test, open_feed, scene_close_feed)
	const struct CMUnitTest tests[] = {
		FED(test_every_column),
		FED(test_changes_follow_one_another),
		FED(test_stored_again_changes_nothing),
		FED(test_what_postgresql_refuses_is_kept),
		FED(test_what_is_stored_can_be_loaded),
	};

	return cmocka_run_group_tests(tests, start, scene_end);
}
