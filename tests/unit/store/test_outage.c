/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL dies, hangs, goes back in time, loses answers, belongs to somebody
 * else: whatever happens, in the end each record is there once, or the store says
 * why it is not.  That it is asked ever less often meanwhile is guarded, too.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "scene.h"

#define BACKEND "FROM pg_stat_activity WHERE application_name = 'gatehoused node 7'"

/* The backend ends in the commit, until the function is dropped. */
#define CUT_EACH_COMMIT                                                                            \
	"CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"                       \
	" PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END $$;"                     \
	"CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON cursors DEFERRABLE INITIALLY"               \
	" DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()"

static int
prepare_feed(void **state)
{
	(void)state;
	pg_do(conn, "TRUNCATE records, alarms, alarm_changes, quarantine, cursors");
	feed = (struct feed){0};
	return 0;
}

static void
open_and_start(const char *name)
{
	feed_open(&feed, &pg, name);
	feed_start(&feed);
	feed_await_state(&feed, STORE_RUNNING);
}

static void
expect_records(uint64_t n)
{
	char *expected = xasprintf("%llu %llu", (unsigned long long)n, (unsigned long long)n);

	pg_expect(conn, "SELECT count(*) || ' ' || count(DISTINCT seq) FROM records", expected);
	free(expected);
}

static void
expect_reason(const char *part)
{
	if (strstr(feed_status(&feed).reason, part) == NULL)
		fail_msg("reason \"%s\", expected \"%s\" in it", feed_status(&feed).reason, part);
}

static void
await_reason(const char *part)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	while (strstr(feed_status(&feed).reason, part) == NULL) {
		if (clock_mono_ms() > until_ms)
			expect_reason(part);
		feed_nap();
	}
}

/* Until the answer is as expected. */
static void
await_answer(const char *sql, const char *expected)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	for (;;) {
		char *value = pg_ask(conn, sql);
		bool same = strcmp(value, expected) == 0;

		free(value);
		if (same)
			return;
		assert_true(clock_mono_ms() < until_ms);
		feed_nap();
	}
}

/* Ends the store's backend; what the store does next is another session. */
static void
cut_off(void)
{
	char *pid = pg_ask(conn, "SELECT pid " BACKEND);
	char *gone = xasprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid);

	pg_do(conn, "SELECT pg_terminate_backend(pid) " BACKEND);
	await_answer(gone, "0");
	free(gone);
	free(pid);
}

static void
test_server_stops_at_once_and_comes_back(void **state)
{
	(void)state;
	open_and_start("kill");
	feed_plain_records(&feed, 1, 2000);
	feed_await_stored(&feed);
	PQfinish(conn);
	pg_script(&pg, "kill");
	/* taken on while nobody is there to store it */
	feed_plain_records(&feed, 2001, 6000);
	feed_await_state(&feed, STORE_DOWN);
	assert_true(feed_status(&feed).reason[0] != '\0');
	pg_script(&pg, "start");
	conn = pg_connect(&pg);
	feed_await_stored(&feed);
	assert_int_equal(feed_status(&feed).state, STORE_RUNNING);
	assert_string_equal(feed_status(&feed).reason, "");
	expect_records(6000);
}

/* Until a session failed, and the pause behind it is within these. */
static void
await_pause(uint64_t least_ms, uint64_t most_ms)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	for (;;) {
		uint64_t pause_ms = feed_status(&feed).pause_ms;

		if (pause_ms >= least_ms && pause_ms <= most_ms)
			return;
		if (clock_mono_ms() > until_ms)
			fail_msg("pause of %llu ms, expected %llu .. %llu ms",
				 (unsigned long long)pause_ms, (unsigned long long)least_ms,
				 (unsigned long long)most_ms);
		feed_nap();
	}
}

/*
 * PostgreSQL lets the store in, and each of its commits is the end of the session: pauses
 * grow to the most all the same.  A batch that is stored makes the next one a first one.
 */
static void
test_pauses_grow_until_something_is_stored(void **state)
{
	(void)state;
	feed.conf.retry_max_ms = FEED_RETRY_MS * 16;
	open_and_start("pauses");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	assert_int_equal(feed_status(&feed).pause_ms, 0);
	pg_do(conn, CUT_EACH_COMMIT);
	feed_plain_records(&feed, 11, 20);
	await_pause(FEED_RETRY_MS * 8, FEED_RETRY_MS * 16);
	pg_do(conn, "DROP FUNCTION cut CASCADE");
	feed_await_stored(&feed);
	expect_records(20);
	cut_off();
	await_pause(1, FEED_RETRY_MS);
}

static void
test_stop_while_the_server_is_down(void **state)
{
	(void)state;
	feed.conf.conninfo = "host=/nonexistent";
	feed_open(&feed, &pg, "stop");
	feed_plain_records(&feed, 1, 10);
	feed_start(&feed);
	feed_await_state(&feed, STORE_DOWN);
	/* comes back although nothing can be stored: the journal keeps it */
	store_stop(feed.store, FEED_PATIENCE_MS);
	assert_int_equal(feed_status(&feed).state, STORE_STOPPED);
	assert_int_equal(feed_status(&feed).stored, 0);
}

static void
test_backend_that_hangs_is_left(void **state)
{
	char *pid;

	(void)state;
	feed.conf.statement_timeout_s = 1;
	open_and_start("hang");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	pid = pg_ask(conn, "SELECT pid " BACKEND);
	assert_int_equal(kill(atoi(pid), SIGSTOP), 0);
	feed_plain_records(&feed, 11, 20);
	feed_await_stored(&feed);
	assert_int_equal(kill(atoi(pid), SIGCONT), 0);
	free(pid);
	expect_records(20);
}

/* A server that accepts and says nothing must not hide the one behind it. */
static void
test_second_host_when_the_first_is_silent(void **state)
{
	char *dir = xasprintf("%s/silent", pg.dir);
	char *conninfo = xasprintf("host=%s,%s/pg user=gatehouse dbname=gatehouse", dir, pg.dir);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/.s.PGSQL.5432", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 5), 0);
	feed.conf.conninfo = conninfo;
	feed.conf.connect_timeout_s = 1;
	open_and_start("silent-journal");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	expect_records(10);
	close(fd);
	store_stop(feed.store, FEED_PATIENCE_MS);
	free(conninfo);
	free(dir);
}

/*
 * The answer to COMMIT gets lost: the server has committed, waits for a standby
 * that there is not, and its backend ends there.
 */
static void
test_commit_in_doubt(void **state)
{
	(void)state;
	open_and_start("doubt");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	pg_do(conn, "SET synchronous_commit = local");
	pg_do(conn, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	pg_do(conn, "SELECT pg_reload_conf()");
	await_answer("SHOW synchronous_standby_names", "nobody");
	feed_plain_records(&feed, 11, 20);
	await_answer("SELECT wait_event " BACKEND, "SyncRep");
	pg_do(conn, "ALTER SYSTEM RESET synchronous_standby_names");
	/* ends in the middle of waiting, before the new setting sets it free */
	pg_do(conn, "SELECT pg_terminate_backend(pid) " BACKEND);
	pg_do(conn, "SELECT pg_reload_conf()");
	feed_plain_records(&feed, 21, 30);
	feed_await_stored(&feed);
	expect_records(30);
	/* the cursor told: nothing was stored twice, and found to be there */
	assert_int_equal(feed_status(&feed).duplicates, 0);
}

/* The same, but the transaction is gone. */
static void
test_commit_that_did_not_happen(void **state)
{
	(void)state;
	open_and_start("undone");
	pg_do(conn, CUT_EACH_COMMIT);
	feed_plain_records(&feed, 1, 10);
	feed_await_state(&feed, STORE_DOWN);
	pg_expect(conn, "SELECT count(*) FROM records", "0");
	/* a session may be in the middle: its lock and ours must not meet */
	pg_do(conn, "DROP FUNCTION cut CASCADE");
	feed_await_stored(&feed);
	expect_records(10);
}

/* What an asynchronous standby lacks after a failover, the journal replays. */
static void
test_failover_that_lost_commits(void **state)
{
	char *position;
	char *back;

	(void)state;
	open_and_start("failover");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	position = pg_ask(conn, "SELECT position FROM cursors");
	feed_plain_records(&feed, 11, 20);
	feed_await_stored(&feed);
	back = xasprintf("BEGIN; DELETE FROM records WHERE seq > 10;"
			 "UPDATE cursors SET position = %s; COMMIT",
			 position);
	pg_do(conn, back);
	cut_off();
	feed_plain_records(&feed, 21, 30);
	feed_await_stored(&feed);
	await_answer("SELECT count(*) FROM records", "30");
	expect_records(30);
	assert_int_equal(feed_status(&feed).duplicates, 0);
	free(back);
	free(position);
}

static void
test_another_daemon_on_the_same_cursor(void **state)
{
	(void)state;
	open_and_start("twice");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	pg_do(conn, "UPDATE cursors SET position = position + 68");
	feed_plain_records(&feed, 11, 20);
	await_reason("another daemon stores with the same node id and journal");
	/* the next session doesn't go on from the other one's cursor either */
	await_reason("is at 748, this daemon came to 680 only");
	pg_expect(conn, "SELECT count(*) FROM records", "10");
	pg_do(conn, "UPDATE cursors SET position = position - 68");
	feed_await_stored(&feed);
	expect_records(20);
}

static void
test_older_copy_of_the_journal(void **state)
{
	(void)state;
	open_and_start("older");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	pg_do(conn, "UPDATE cursors SET position = position + 1000000");
	feed_close(&feed);
	feed_open(&feed, &pg, "older");
	feed_start(&feed);
	feed_await_state(&feed, STORE_DOWN);
	expect_reason("was an older copy of it restored?");
	pg_do(conn, "UPDATE cursors SET position = position - 1000000");
	feed_await_state(&feed, STORE_RUNNING);
}

static void
test_new_journal_begins_a_new_cursor(void **state)
{
	(void)state;
	open_and_start("first");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	feed_close(&feed);
	open_and_start("second");
	feed_plain_records(&feed, 11, 20);
	feed_await_stored(&feed);
	pg_expect(conn, "SELECT count(*) FROM cursors", "2");
	expect_records(20);
}

static void
test_lost_to_retention(void **state)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	(void)state;
	open_and_start("retention");
	feed_plain_records(&feed, 1, 30000);
	feed_await_stored(&feed);
	while (journal_first(feed.journal) == 0) {
		assert_true(clock_mono_ms() < until_ms);
		feed_nap();
	}
	feed_close(&feed);
	pg_do(conn, "TRUNCATE records; UPDATE cursors SET position = 0");
	open_and_start("retention");
	feed_plain_records(&feed, 30001, 30010);
	feed_await_stored(&feed);
	/* all that the journal still had, and what came then */
	pg_expect(conn,
		  "SELECT max(seq) || ' ' || (min(seq) > 1) || ' '"
		  " || (max(seq) - min(seq) + 1 = count(*)) FROM records",
		  "30010 true true");
}

static void
test_wrong_schema(void **state)
{
	(void)state;
	open_and_start("schema");
	pg_do(conn, "INSERT INTO schema_version (version, name) VALUES (9999, 'later')");
	cut_off();
	feed_plain_records(&feed, 1, 10);
	feed_await_state(&feed, STORE_WRONG_SCHEMA);
	expect_reason("the database has version 9999, this program needs");
	expect_reason("a newer gatehoused belongs to it");
	pg_expect(conn, "SELECT count(*) FROM records", "0");
	pg_do(conn, "DELETE FROM schema_version WHERE version = 9999");
	feed_await_stored(&feed);
	expect_records(10);
}

int
main(void)
{
#define with_feed(test) cmocka_unit_test_setup_teardown(test, prepare_feed, scene_close_feed)
	const struct CMUnitTest tests[] = {
		with_feed(test_server_stops_at_once_and_comes_back),
		with_feed(test_pauses_grow_until_something_is_stored),
		with_feed(test_stop_while_the_server_is_down),
		with_feed(test_backend_that_hangs_is_left),
		with_feed(test_second_host_when_the_first_is_silent),
		with_feed(test_commit_in_doubt),
		with_feed(test_commit_that_did_not_happen),
		with_feed(test_failover_that_lost_commits),
		with_feed(test_another_daemon_on_the_same_cursor),
		with_feed(test_older_copy_of_the_journal),
		with_feed(test_new_journal_begins_a_new_cursor),
		with_feed(test_lost_to_retention),
		with_feed(test_wrong_schema),
	};

	return cmocka_run_group_tests(tests, scene_start, scene_end);
}
