/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register's rows as an operator puts them: what is refused, in which words,
 * and that a refusal changes nothing.
 */
#include "pg.h"

static struct pg pg;
static struct admin *admin;
static PGconn *conn;
static struct err err;

static int
start(void **state)
{
	(void)state;
	pg_start(&pg);
	pg_migrate(&pg);
	conn = pg_connect(&pg);
	return admin_open(&admin, pg.conninfo, &err) == RC_OK ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	admin_close(&admin);
	PQfinish(conn);
	pg_end(&pg);
	return 0;
}

/* Before each test: one of each, and nothing else. */
static enum rc
put_door(struct admin_door door)
{
	return admin_put_door(admin, &door, &err);
}

static enum rc
put_unit(struct admin_doors_of unit)
{
	return admin_put_unit(admin, &unit, &err);
}

static enum rc
put_group(struct admin_doors_of group)
{
	return admin_put_group(admin, &group, &err);
}

static int
fill(void **state)
{
	(void)state;
	pg_do(conn, "TRUNCATE stations, areas, sites, controllers, doors, consoles, cards, grants,"
		    " desks CASCADE");
	assert_int_equal(admin_put_station(admin, "north", "Station North", &err), RC_OK);
	assert_int_equal(admin_put_area(admin, "city", "City", NULL, "north", &err), RC_OK);
	assert_int_equal(admin_put_area(admin, "ward", "Ward", "city", NULL, &err), RC_OK);
	assert_int_equal(admin_put_site(admin, "estate", "Estate", "ward", "1 Road", &err), RC_OK);
	assert_int_equal(admin_put_site(admin, "village", "Village", "ward", "", &err), RC_OK);
	assert_int_equal(admin_put_controller(admin, "c1", "estate", &err), RC_OK);
	assert_int_equal(put_door((struct admin_door){.code = "d1",
						      .name = "Front",
						      .site = "estate",
						      .controller = "c1",
						      .number = 1,
						      .address = "1 Road, front"}),
			 RC_OK);
	assert_int_equal(admin_put_console(admin, "desk1", "north", NULL, &err), RC_OK);
	return 0;
}

#define assert_refused(call, message)                                                              \
	do {                                                                                       \
		assert_int_equal(call, RC_INVALID);                                                \
		assert_string_equal(err.msg, message);                                             \
	} while (0)

static void
test_put_again_updates(void **state)
{
	(void)state;
	assert_int_equal(admin_put_station(admin, " north\t", "\u5317\u7ad9", &err), RC_OK);
	pg_expect(conn, "SELECT string_agg(code || '=' || name, ',') FROM stations",
		  "north=\u5317\u7ad9");
	assert_int_equal(admin_put_area(admin, "ward", "Ward 7", NULL, "north", &err), RC_OK);
	pg_expect(conn, "SELECT name || coalesce(parent_id, 0) FROM areas WHERE code = 'ward'",
		  "Ward 70");
	assert_int_equal(
		put_door((struct admin_door){.code = "d1", .name = "Front", .site = "estate"}),
		RC_OK);
	pg_expect(conn, "SELECT controller_id IS NULL AND number IS NULL FROM doors", "t");
}

static void
test_refuses_texts(void **state)
{
	char long_code[66] = {0}, long_name[202] = {0};

	(void)state;
	memset(long_code, 'x', 65);
	memset(long_name, 'x', 201);
	assert_refused(admin_put_station(admin, " \t ", "", &err), "code of the station is empty");
	assert_refused(admin_put_station(admin, long_code, "", &err),
		       "code of the station is 65 bytes long, the limit is 64");
	assert_refused(admin_put_station(admin, "s", long_name, &err),
		       "name of the station is 201 bytes long, the limit is 200");
	assert_refused(admin_put_station(admin, "s\x01", "", &err),
		       "code of the station has a control character at byte 2");
	assert_refused(admin_put_station(admin, "s", "a\xc2\x85", &err),
		       "name of the station has a control character at byte 2");
	assert_refused(admin_put_station(admin, "s\xff", "", &err),
		       "code of the station is not valid UTF-8 at byte 2");
	/* overlong, surrogate, cut short */
	assert_refused(admin_put_station(admin, "\xc0\xaf", "", &err),
		       "code of the station is not valid UTF-8 at byte 1");
	assert_refused(admin_put_station(admin, "\xed\xa0\x80", "", &err),
		       "code of the station is not valid UTF-8 at byte 1");
	assert_refused(admin_put_station(admin, "a\xe5\x8c", "", &err),
		       "code of the station is not valid UTF-8 at byte 2");
	pg_expect(conn, "SELECT count(*) FROM stations", "1");
}

static void
test_refuses_references(void **state)
{
	(void)state;
	assert_refused(admin_put_area(admin, "a", "", "nowhere", NULL, &err),
		       "parent area \"nowhere\" is not in the register");
	assert_refused(admin_put_area(admin, "a", "", NULL, "nobody", &err),
		       "station \"nobody\" is not in the register");
	assert_refused(admin_put_site(admin, "s", "", NULL, "", &err), "site \"s\" needs an area");
	assert_refused(admin_put_controller(admin, "c9", "nowhere", &err),
		       "site \"nowhere\" is not in the register");
	assert_refused(admin_put_console(admin, "x", "nobody", NULL, &err),
		       "station \"nobody\" is not in the register");
	assert_refused(admin_set_enabled(admin, ADMIN_CONTROLLERS, "c9", false, &err),
		       "controller \"c9\" is not in the register");
	assert_refused(admin_set_enabled(admin, ADMIN_CONSOLES, "x", false, &err),
		       "console \"x\" is not in the register");
	/* a code is a value, never a piece of SQL */
	assert_refused(admin_put_controller(admin, "c9", "'; DROP TABLE doors; --", &err),
		       "site \"'; DROP TABLE doors; --\" is not in the register");
	pg_expect(conn, "SELECT count(*) FROM doors", "1");
}

static void
test_refuses_circles(void **state)
{
	(void)state;
	assert_refused(admin_put_area(admin, "city", "", "ward", NULL, &err),
		       "area \"city\" would lie within itself");
	assert_int_equal(admin_put_area(admin, "block", "", "ward", NULL, &err), RC_OK);
	assert_refused(admin_put_area(admin, "city", "", "block", NULL, &err),
		       "area \"city\" would lie within itself");
	pg_expect(conn, "SELECT name FROM areas WHERE code = 'city' AND parent_id IS NULL", "City");
}

static void
test_doors_fit_their_controller(void **state)
{
	(void)state;
	assert_refused(put_door((struct admin_door){
			       .code = "d2", .site = "village", .controller = "c1", .number = 2}),
		       "controller \"c1\" is not at the site of door \"d2\"");
	assert_refused(put_door((struct admin_door){
			       .code = "d2", .site = "estate", .controller = "c1", .number = 1}),
		       "door \"d2\" can't have number 1 on controller \"c1\": that is door \"d1\"");
	assert_refused(put_door((struct admin_door){.code = "d2", .site = "estate", .number = 1}),
		       "door \"d2\" needs a controller and a number, or neither");
	assert_refused(
		put_door((struct admin_door){.code = "d2", .site = "estate", .controller = "c1"}),
		"door \"d2\" needs a controller and a number, or neither");
	assert_refused(admin_put_controller(admin, "c1", "village", &err),
		       "controller \"c1\" can't leave its site: it serves door \"d1\" there");
	assert_int_equal(put_door((struct admin_door){.code = "d1", .site = "estate"}), RC_OK);
	assert_int_equal(admin_put_controller(admin, "c1", "village", &err), RC_OK);
}

static void
test_enables(void **state)
{
	(void)state;
	assert_int_equal(admin_set_enabled(admin, ADMIN_CONTROLLERS, "c1", false, &err), RC_OK);
	assert_int_equal(admin_set_enabled(admin, ADMIN_CONSOLES, "desk1", false, &err), RC_OK);
	/* putting again is about the place, not about being enabled */
	assert_int_equal(admin_put_controller(admin, "c1", "estate", &err), RC_OK);
	pg_expect(conn, "SELECT enabled FROM controllers", "f");
	pg_expect(conn, "SELECT enabled FROM consoles", "f");
}

static enum rc
join_row(void *arg, int n, const char *const *names, const char *const *values)
{
	char *text = arg;

	for (int i = 0; i < n; i++)
		(void)snprintf(text + strlen(text), 500 - strlen(text), "%s=%s ", names[i],
			       values[i] != NULL ? values[i] : "(null)");
	return RC_OK;
}

static void
expect_list(enum admin_list what, const char *expected)
{
	char text[500] = "";

	assert_int_equal(admin_list(admin, what, join_row, text, &err), RC_OK);
	assert_string_equal(text, expected);
}

static void
test_units_groups_and_desks(void **state)
{
	char text[500] = "";

	(void)state;
	assert_int_equal(
		put_door((struct admin_door){.code = "d2", .name = "Back", .site = "estate"}),
		RC_OK);
	assert_int_equal(
		put_unit((struct admin_doors_of){
			.code = "4b", .name = "Flat", .site = "estate", .doors = "d1 , d2"}),
		RC_OK);
	assert_int_equal(
		put_unit((struct admin_doors_of){.code = "4b", .name = "Flat", .site = "village"}),
		RC_OK);
	assert_int_equal(
		put_group((struct admin_doors_of){
			.code = "all", .name = "All", .site = "estate", .doors = "d2,d1,d2"}),
		RC_OK);
	assert_int_equal(admin_put_desk(admin, "o", "landlord", NULL, "estate/4b", &err), RC_OK);
	assert_int_equal(admin_put_desk(admin, "m", "manager", "estate,village", NULL, &err),
			 RC_OK);
	/* a list is the whole list */
	assert_int_equal(put_unit((struct admin_doors_of){
				 .code = "4b", .name = "Flat", .site = "estate", .doors = "d2"}),
			 RC_OK);
	assert_int_equal(admin_put_desk(admin, "o", "landlord", NULL, "village/4b", &err), RC_OK);
	expect_list(ADMIN_UNITS, "code=4b name=Flat site=estate address= doors=d2 "
				 "code=4b name=Flat site=village address= doors=(null) ");
	expect_list(ADMIN_GROUPS, "code=all name=All site=estate doors=d1,d2 ");
	expect_list(ADMIN_DESKS,
		    "name=m role=manager sites=estate,village units=(null) enabled=yes "
		    "name=o role=landlord sites=(null) units=village/4b enabled=yes ");
	assert_refused(put_unit((struct admin_doors_of){.code = "x"}), "unit \"x\" needs a site");
	assert_refused(
		put_unit((struct admin_doors_of){.code = "x", .site = "village", .doors = "d1"}),
		"door \"d1\" is not a door of site \"village\"");
	assert_refused(put_group((struct admin_doors_of){
			       .code = "x", .site = "estate", .doors = "d1,nowhere"}),
		       "door \"nowhere\" is not a door of site \"estate\"");
	assert_refused(admin_put_desk(admin, "x", "manager", "nowhere", NULL, &err),
		       "site \"nowhere\" is not in the register");
	assert_refused(admin_put_desk(admin, "x", "landlord", NULL, "estate/9", &err),
		       "unit \"estate/9\" is not in the register, expected SITE/UNIT");
	pg_expect(conn, "SELECT count(*) FROM desks", "2");
	assert_int_equal(admin_set_enabled(admin, ADMIN_DESKS, "m", false, &err), RC_OK);
	pg_expect(conn, "SELECT name FROM desks WHERE NOT enabled", "m");
	assert_refused(admin_set_enabled(admin, ADMIN_DESKS, "x", false, &err),
		       "desk \"x\" is not in the register");
	assert_int_equal(admin_set_site_timezone(admin, "estate", "Asia/Shanghai", &err), RC_OK);
	assert_refused(admin_set_site_timezone(admin, "estate", "Mars/Olympus", &err),
		       "\"Mars/Olympus\" is no time zone, expected a name such as Europe/Berlin");
	assert_int_equal(admin_list(admin, ADMIN_SITES, join_row, text, &err), RC_OK);
	assert_non_null(strstr(text, "timezone=Asia/Shanghai"));
}

static void
test_batch_is_all_or_nothing(void **state)
{
	(void)state;
	assert_int_equal(admin_begin(admin, &err), RC_OK);
	assert_int_equal(admin_put_station(admin, "south", "", &err), RC_OK);
	assert_refused(admin_put_area(admin, "a", "", "nowhere", NULL, &err),
		       "parent area \"nowhere\" is not in the register");
	/* the others are tried, and see what came before them */
	assert_int_equal(admin_put_console(admin, "desk2", "south", NULL, &err), RC_OK);
	assert_refused(admin_commit(admin, &err), "1 of the changes failed, nothing was changed");
	pg_expect(conn, "SELECT count(*) FROM stations", "1");

	assert_int_equal(admin_begin(admin, &err), RC_OK);
	assert_int_equal(admin_put_station(admin, "south", "", &err), RC_OK);
	admin_rollback(admin);
	pg_expect(conn, "SELECT count(*) FROM stations", "1");

	assert_int_equal(admin_begin(admin, &err), RC_OK);
	assert_int_equal(admin_put_station(admin, "south", "", &err), RC_OK);
	assert_int_equal(admin_commit(admin, &err), RC_OK);
	pg_expect(conn, "SELECT count(*) FROM stations", "2");
}

static void
test_changes_notify_once(void **state)
{
	PGnotify *notify;
	int n = 0;

	(void)state;
	pg_do(conn, "LISTEN gatehouse_register");
	assert_int_equal(admin_begin(admin, &err), RC_OK);
	assert_int_equal(admin_put_station(admin, "south", "", &err), RC_OK);
	assert_int_equal(admin_put_area(admin, "a", "", NULL, "south", &err), RC_OK);
	assert_int_equal(admin_commit(admin, &err), RC_OK);
	/* our next statement's answer comes behind what was notified before */
	pg_do(conn, "UNLISTEN gatehouse_register");
	while ((notify = PQnotifies(conn)) != NULL) {
		assert_string_equal(notify->relname, "gatehouse_register");
		PQfreemem(notify);
		n++;
	}
	assert_int_equal(n, 1);
}

/* Without the number, which depends on what was there before. */
static enum rc
join_sites_row(void *arg, int n, const char *const *names, const char *const *values)
{
	assert_string_equal(names[n - 1], "site_id");
	return join_row(arg, n - 1, names, values);
}

static void
test_lists(void **state)
{
	char text[500] = "";

	(void)state;
	pg_do(conn, "INSERT INTO records SELECT '2026-05-01', '2026-05-01 10:00', 1, 1, 0, site_id,"
		    " controller_id, NULL, 0, 100, NULL, 1 FROM controllers");
	expect_list(ADMIN_STATIONS, "code=north name=Station North areas=1 consoles=1 ");
	expect_list(ADMIN_AREAS, "code=city name=City parent=(null) station=north "
				 "code=ward name=Ward parent=city station=(null) ");
	assert_int_equal(admin_list(admin, ADMIN_SITES, join_sites_row, text, &err), RC_OK);
	assert_string_equal(
		text, "code=estate name=Estate area=ward station=north address=1 Road"
		      " timezone=UTC controllers=1 doors=1 code=village name=Village area=ward"
		      " station=north address= timezone=UTC controllers=0 doors=0 ");
	expect_list(ADMIN_DOORS, "code=d1 name=Front site=estate controller=c1 number=1"
				 " address=1 Road, front ");
	expect_list(ADMIN_CONTROLLERS, "name=c1 site=estate enabled=yes doors=1"
				       " last_record=2026-05-01T10:00:00Z ");
	expect_list(ADMIN_CONSOLES, "name=desk1 station=north role=dispatcher enabled=yes ");
}

/* An alarm of a site, raised in the first minute of May 2026, with seconds from then on
 * to each moment; NULL: it has not come. */
static void
put_alarm(int number, int kind, const char *site, const char *arrived, const char *shown,
	  const char *taken)
{
	char *row = xasprintf(
		"SELECT %d, 1, 1, 1, t, t + %s * interval '1 s', t, t, NULL::timestamptz, 1, %d,"
		" (SELECT site_id FROM sites WHERE code = '%s'), 1, NULL::int, %d, 4, 1, false"
		" FROM (SELECT timestamptz '2026-05-01 00:00:01Z' AS t) o",
		number, arrived, number, site, kind);
	char *sql = xasprintf("INSERT INTO alarm_changes %s; INSERT INTO alarms %s;"
			      " UPDATE alarms SET shown_at = received_at + %s * interval '1 s',"
			      " first_acknowledged_at = raised_at + %s * interval '1 s'"
			      " WHERE alarm_id = %d",
			      row, row, shown, taken, number);

	pg_do(conn, sql);
	free(sql);
	free(row);
}

struct verdicts {
	char text[2000];
	const char *class; /* whose */
};

static enum rc
join_verdict(void *arg, int n, const char *const *names, const char *const *values)
{
	struct verdicts *verdicts = arg;
	size_t at = strlen(verdicts->text);

	assert_int_equal(n, 10);
	assert_string_equal(names[8], "within");
	if (strcmp(values[0], verdicts->class) == 0)
		(void)snprintf(verdicts->text + at, sizeof(verdicts->text) - at,
			       "%s/%s: %s of %s in time, %s; ", values[1], values[2],
			       values[8] != NULL ? values[8] : "-", values[4], values[9]);
	return RC_OK;
}

static void
expect_report(const char *station, const char *class, const char *expected)
{
	/* May 2026 */
	const struct admin_report of = {1777593600LL * 1000000, 1780272000LL * 1000000, station};
	struct verdicts verdicts = {.class = class};

	assert_int_equal(admin_alarm_report(admin, &of, join_verdict, &verdicts, &err), RC_OK);
	assert_string_equal(verdicts.text, expected);
}

static void
test_alarm_report(void **state)
{
	const struct admin_report of = {.since_us = 0, .until_us = 1, .station = "nowhere"};
	struct verdicts verdicts = {.class = "other"};

	(void)state;
	pg_do(conn, "TRUNCATE alarms, alarm_changes");
	expect_report(
		NULL, "people",
		"arrived/2: - of 0 in time, no data; arrived/5: - of 0 in time, no data; "
		"shown/90: - of 0 in time, no data; acknowledged/30: - of 0 in time, no data; "
		"acknowledged/60: - of 0 in time, no data; ");
	/* four of five within 30 s is what is asked for; one that nobody has taken is late */
	put_alarm(1, 320, "estate", "0.5", "1", "5");
	put_alarm(2, 320, "estate", "2", "90", "30");
	put_alarm(3, 330, "estate", "2.001", "1", "29.9");
	put_alarm(4, 321, "village", "0.5", "1", "30");
	put_alarm(5, 104, "village", "0.5", "NULL", "NULL");
	expect_report(
		"north", "people",
		"arrived/2: 80.0 of 5 in time, missed; arrived/5: 100.0 of 5 in time, met; "
		"shown/90: 80.0 of 5 in time, missed; acknowledged/30: 80.0 of 5 in time, met; "
		"acknowledged/60: 80.0 of 5 in time, missed; ");
	/* the one that came in April, and the group, count for nothing */
	put_alarm(6, 310, "estate", "0.1", "1", "90");
	put_alarm(7, 310, "estate", "60", "1", "NULL");
	put_alarm(8, 720, "estate", "60", "200", "200");
	pg_do(conn, "UPDATE alarms SET raised_at = raised_at - interval '2 s' WHERE alarm_id = 7");
	expect_report(
		NULL, "other",
		"arrived/2: 100.0 of 1 in time, met; arrived/5: 100.0 of 1 in time, met; "
		"shown/90: 100.0 of 1 in time, met; acknowledged/90: 100.0 of 1 in time, met; "
		"acknowledged/180: 100.0 of 1 in time, met; ");
	assert_refused(admin_alarm_report(admin, &of, join_verdict, &verdicts, &err),
		       "station \"nowhere\" is not in the register");
	/* of another station's sites nothing is said */
	assert_int_equal(admin_put_station(admin, "south", "", &err), RC_OK);
	expect_report(
		"south", "other",
		"arrived/2: - of 0 in time, no data; arrived/5: - of 0 in time, no data; "
		"shown/90: - of 0 in time, no data; acknowledged/90: - of 0 in time, no data; "
		"acknowledged/180: - of 0 in time, no data; ");
	pg_do(conn, "TRUNCATE alarms, alarm_changes");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_put_again_updates, fill),
		cmocka_unit_test_setup(test_refuses_texts, fill),
		cmocka_unit_test_setup(test_refuses_references, fill),
		cmocka_unit_test_setup(test_refuses_circles, fill),
		cmocka_unit_test_setup(test_doors_fit_their_controller, fill),
		cmocka_unit_test_setup(test_enables, fill),
		cmocka_unit_test_setup(test_units_groups_and_desks, fill),
		cmocka_unit_test_setup(test_batch_is_all_or_nothing, fill),
		cmocka_unit_test_setup(test_changes_notify_once, fill),
		cmocka_unit_test_setup(test_lists, fill),
		cmocka_unit_test_setup(test_alarm_report, fill),
	};

	return cmocka_run_group_tests(tests, start, end);
}
