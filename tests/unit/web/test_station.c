/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream of a station, read by pages that come, go and fall behind.
 *
 * Seen to fail with: where the history begins not moved when a change leaves it; a place
 * that is not sent to a resync when its next change has left the ring; a snapshot whose end
 * has the position of now instead of that of its beginning; half a resync taken for a
 * whole one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/cloudevent.h"
#include "web/station.h"

enum { HISTORY = 8, MUCH = 1 << 20 };

/* What a page got: "alarm 1-7 a3/2;" with id, alarm and state; "resync;" and so on. */
struct heard {
	char text[4096];
};

static void
hear(void *arg, const char *frame, size_t n)
{
	struct heard *heard = arg;
	char event[32] = "", id[32] = "";
	const char *data = strstr(frame, "data: ") + 6;
	size_t used = strlen(heard->text);
	json_error_t why;
	json_t *root = json_loadb(data, n - (size_t)(data - frame), JSON_DISABLE_EOF_CHECK, &why);
	const json_t *alarm = json_object_get(root, "data");
	const char *alarm_id = json_string_value(json_object_get(alarm, "alarm_id"));

	assert_non_null(root);
	assert_string_equal(frame + n - 2, "\n\n");
	(void)sscanf(strstr(frame, "event: "), "event: %31s", event);
	if (strncmp(frame, "id: ", 4) == 0)
		(void)sscanf(frame, "id: %31s", id);
	(void)snprintf(heard->text + used, sizeof(heard->text) - used, "%s%s%s%s%s;", event,
		       id[0] != '\0' ? " " : "", id, alarm_id != NULL ? " a" : "",
		       alarm_id != NULL ? alarm_id : "");
	json_decref(root);
}

static const char *
pulled(struct station *station, struct station_place *place, size_t room)
{
	static struct heard heard;

	heard.text[0] = '\0';
	(void)station_pull(station, place, room, hear, &heard);
	return heard.text;
}

static void
happens(struct station *station, uint64_t position, uint64_t alarm_id, unsigned state)
{
	const struct console_alarm alarm = {
		.position = position,
		.alarm_id = alarm_id,
		.kind = 202,
		.severity = SEVERITY_HIGH,
		.state = state,
		.count = 1,
		.place = {.area = "city",
			  .site = "s1",
			  .site_name = "Site",
			  .door = "d1",
			  .door_name = "Door",
			  .address = "1 Road",
			  .controller = "c1",
			  .station = "north",
			  .handed_to = ""},
		.actor = "",
		.operator_code = "",
		.text = "",
		.acknowledged_by = "",
		.durable_us = 1700000000000000 + (int64_t)position,
		.raw_code = "",
	};

	station_take_alarm(station, &alarm);
}

/* Connected, with nothing that stands. */
static struct station *
fresh(void)
{
	struct station *station = station_new("north", HISTORY);

	station_set_node(station, 1);
	station_set_connected(station, true);
	station_begin_resync(station);
	station_end_resync(station, 100);
	return station;
}

static void
a_new_page_gets_what_stands_with_an_end(void **state)
{
	struct station *station = fresh();
	struct station_place place;

	(void)state;
	happens(station, 101, 1, ALARM_UNACKNOWLEDGED);
	happens(station, 102, 2, ALARM_UNACKNOWLEDGED);
	happens(station, 103, 1, ALARM_NORMAL);
	station_join(station, &place, NULL);
	assert_string_equal(pulled(station, &place, MUCH),
			    "state;resync;alarm a2;snapshot_end 1-103;");
	happens(station, 104, 3, ALARM_UNACKNOWLEDGED);
	assert_string_equal(pulled(station, &place, MUCH), "alarm 1-104 a3;");
	assert_string_equal(pulled(station, &place, MUCH), "");
	station_leave(&place);
	station_free(&station);
}

static void
a_page_goes_on_behind_its_last_id(void **state)
{
	struct station *station = fresh();
	struct station_place place;

	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		happens(station, 100 + 10 * i, i, ALARM_UNACKNOWLEDGED);
	station_join(station, &place, "1-120");
	assert_string_equal(pulled(station, &place, MUCH), "state;alarm 1-130 a3;alarm 1-140 a4;");
	/* of which there is nothing, but between two */
	station_join(station, &place, "1-135");
	assert_string_equal(pulled(station, &place, MUCH), "state;alarm 1-140 a4;");
	station_join(station, &place, "1-140");
	assert_string_equal(pulled(station, &place, MUCH), "state;");
	station_leave(&place);
	station_free(&station);
}

static void
what_has_left_the_history_is_a_resync(void **state)
{
	struct station *station = fresh();
	struct station_place early, late;

	(void)state;
	station_join(station, &early, "1-100");
	assert_string_equal(pulled(station, &early, MUCH), "state;");
	for (uint64_t i = 1; i <= HISTORY; i++)
		happens(station, 100 + i, 1, ALARM_UNACKNOWLEDGED);
	station_join(station, &late, "1-100");
	assert_false(late.resync); /* all are there still */
	happens(station, 109, 1, ALARM_UNACKNOWLEDGED);
	station_join(station, &late, "1-100");
	assert_true(late.resync);
	station_join(station, &late, "1-101");
	assert_false(late.resync);
	/* one that stood still while they went by */
	assert_string_equal(pulled(station, &early, MUCH), "resync;alarm a1;snapshot_end 1-109;");
	station_leave(&early);
	station_leave(&late);
	station_free(&station);
}

static void
what_happens_during_a_snapshot_comes_behind_it(void **state)
{
	struct station *station = fresh();
	struct station_place place;

	(void)state;
	happens(station, 101, 1, ALARM_UNACKNOWLEDGED);
	happens(station, 102, 2, ALARM_UNACKNOWLEDGED);
	station_join(station, &place, NULL);
	assert_string_equal(pulled(station, &place, 1), "state;");
	assert_string_equal(pulled(station, &place, 1), "resync;");
	assert_string_equal(pulled(station, &place, 1), "alarm a1;");
	happens(station, 103, 2, ALARM_NORMAL);
	happens(station, 104, 3, ALARM_UNACKNOWLEDGED);
	assert_string_equal(pulled(station, &place, MUCH),
			    "snapshot_end 1-102;alarm 1-103 a2;alarm 1-104 a3;");
	station_leave(&place);
	station_free(&station);
}

static void
half_a_resync_is_none(void **state)
{
	struct station *station = fresh();
	struct station_place place;

	(void)state;
	happens(station, 101, 1, ALARM_UNACKNOWLEDGED);
	station_join(station, &place, NULL);
	(void)pulled(station, &place, MUCH);
	assert_int_equal(station_position(station), 101);
	/* the connection breaks off in the middle */
	station_begin_resync(station);
	happens(station, 105, 2, ALARM_UNACKNOWLEDGED);
	station_set_connected(station, false);
	assert_int_equal(station_position(station), 0);
	assert_string_equal(pulled(station, &place, MUCH), "state;");
	station_set_connected(station, true);
	station_begin_resync(station);
	happens(station, 105, 2, ALARM_UNACKNOWLEDGED);
	station_end_resync(station, 110);
	assert_string_equal(pulled(station, &place, MUCH),
			    "state;resync;alarm a2;snapshot_end 1-110;");
	assert_int_equal(station_open(station), 1);
	station_leave(&place);
	station_free(&station);
}

static void
another_node_begins_anew(void **state)
{
	struct station *station = fresh();
	struct station_place place;

	(void)state;
	happens(station, 101, 1, ALARM_UNACKNOWLEDGED);
	station_set_node(station, 2);
	assert_int_equal(station_position(station), 0);
	station_join(station, &place, "1-101");
	assert_string_equal(pulled(station, &place, MUCH), "state;");
	station_begin_resync(station);
	station_end_resync(station, 5);
	assert_string_equal(pulled(station, &place, MUCH), "resync;snapshot_end 2-5;");
	station_leave(&place);
	station_free(&station);
}

static void
ids_are_read_as_they_are_written(void **state)
{
	static const char *const bad[] = {"",
					  "1",
					  "1-",
					  "-1",
					  "1-2-3",
					  " 1-2",
					  "1- 2",
					  "1-+2",
					  "01-2",
					  "1-x",
					  "x-1",
					  "4294967296-1",
					  "1-18446744073709551616"};
	char text[EVENT_ID_MAX];
	uint32_t node;
	uint64_t position;

	(void)state;
	event_id_write(text, 7, UINT64_MAX);
	assert_true(event_id_read(text, &node, &position));
	assert_int_equal(node, 7);
	assert_true(position == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (event_id_read(bad[i], &node, &position))
			fail_msg("\"%s\" was taken", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_page_gets_what_stands_with_an_end),
		cmocka_unit_test(a_page_goes_on_behind_its_last_id),
		cmocka_unit_test(what_has_left_the_history_is_a_resync),
		cmocka_unit_test(what_happens_during_a_snapshot_comes_behind_it),
		cmocka_unit_test(half_a_resync_is_none),
		cmocka_unit_test(another_node_begins_anew),
		cmocka_unit_test(ids_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
