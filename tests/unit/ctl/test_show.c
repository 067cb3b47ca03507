/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands on the operator's screen: tables, status, alarms, and that text
 * from elsewhere can't do anything to the terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "wire/alarm.h"

static const struct table_column columns[] = {
	{"name", TABLE_TEXT},
	{"doors", TABLE_NUMBER},
	{"enabled", TABLE_BOOL},
};

static struct table *
sample_table(void)
{
	static const char *const rows[][3] = {
		{"M\xC3\xBChle", "12", "t"}, {"a", "3", "no"}, {"\x1b[31mred", NULL, ""}};
	struct table *table = table_new(columns, ARRAY_LEN(columns));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		table_add_row(table, rows[i]);
	return table;
}

static void
test_columns_are_straight(void **state)
{
	struct table *table = sample_table();
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	table_print(table, out);
	(void)fclose(out);
	assert_string_equal(text, "name      doors  enabled\n"
				  "M\xC3\xBChle        12  yes\n"
				  "a             3  no\n"
				  "?[31mred      -  -\n");
	free(text);
	table_free(&table);
}

static void
test_json_has_the_same_rows_with_types(void **state)
{
	struct table *table = sample_table();
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	json_t *rows, *row;
	struct err err;

	(void)state;
	assert_int_equal(table_print_json(table, out, &err), RC_OK);
	(void)fclose(out);
	rows = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(rows), 3);
	row = json_array_get(rows, 0);
	assert_int_equal(json_integer_value(json_object_get(row, "doors")), 12);
	assert_true(json_is_true(json_object_get(row, "enabled")));
	row = json_array_get(rows, 2);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "\x1b[31mred");
	assert_true(json_is_null(json_object_get(row, "doors")));
	json_decref(rows);
	free(text);
	table_free(&table);
}

/* What `show` makes of a JSON text; new memory. */
static char *
shown(void (*show)(const json_t *, FILE *), const char *json)
{
	json_t *root = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(root);
	show(root, out);
	(void)fclose(out);
	json_decref(root);
	return text;
}

static void
alarm_plain(const json_t *line, FILE *out)
{
	show_alarm(line, false, out);
}

static void
alarm_coloured(const json_t *line, FILE *out)
{
	show_alarm(line, true, out);
}

static void
test_status_with_all(void **state)
{
	char *text =
		shown(show_status,
		      "{\"ok\":true,\"version\":\"1.2\",\"node\":1,\"pid\":4711,\"uptime_s\":93784,"
		      "\"listeners\":[{\"address\":\"0.0.0.0:7443\",\"controllers\":true,"
		      "\"connections\":4998}],"
		      "\"connections\":{\"controllers\":4998,\"refused\":{\"no_certificate\":2,"
		      "\"none\":0}},"
		      "\"positions\":{\"appended\":1234567},\"lag\":{\"bytes\":3435973837,"
		      "\"seconds\":0.25},"
		      "\"store\":{\"state\":\"down\",\"reason\":\"connection refused\"},"
		      "\"queues\":{\"reading_paused\":true}}");

	(void)state;
	assert_non_null(strstr(text, "1.2, node 1, pid 4711, up 1 d 02:03:04\n"));
	assert_non_null(strstr(text, "0.0.0.0:7443           controllers 4998\n"));
	assert_non_null(strstr(text, "4,998 controllers, - consoles"));
	assert_non_null(strstr(text, "refused      no_certificate 2\n"));
	assert_null(strstr(text, "closed"));
	assert_non_null(strstr(text, "1,234,567 appended, - durable, - stored\n"));
	assert_non_null(strstr(text, "3.2 GiB, 0.25 s behind"));
	assert_non_null(strstr(text, "store says   connection refused\n"));
	assert_non_null(strstr(text, "reading paused: yes"));
	free(text);
}

/* Nothing, wrong types, numbers out of all bounds: a line each, and no more. */
static void
test_status_of_another_version(void **state)
{
	static const char *const odd[] = {
		"{}",
		"{\"version\":7,\"node\":\"one\",\"positions\":[1],\"listeners\":{\"a\":1},"
		"\"connections\":{\"refused\":[1],\"closed\":7},\"store\":\"down\"}",
		"{\"uptime_s\":1e300,\"lag\":{\"bytes\":-1e300,\"seconds\":1e300},"
		"\"register\":{\"as_of_us\":1e300},\"journal\":{\"bytes_per_s\":1e300}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		char *text = shown(show_status, odd[i]);

		assert_non_null(strstr(text, "positions    - appended"));
		free(text);
	}
}

static const char alarm[] =
	"{\"position\":9,\"alarm_id\":3,\"kind\":\"door.forced\",\"severity\":\"high\","
	"\"state\":\"unacknowledged\",\"count\":2,\"silent\":true,\"site_name\":\"Mill\","
	"\"door\":\"mill-a\",\"door_name\":\"Entrance \\u001b[2J\",\"address\":\"1 Mill Lane\","
	"\"controller\":\"mill-1\",\"durable_time_us\":1700000000123456}";

static void
test_alarm_is_one_harmless_line(void **state)
{
	char *text = shown(alarm_plain, alarm);

	(void)state;
	assert_null(strchr(text, '\x1b'));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_non_null(strstr(text, "2023-11-14 22:13:20.123  high      unacknowledged           "
				     "door.forced"));
	assert_non_null(strstr(text, "Entrance ?[2J, Mill, 1 Mill Lane  [mill-1]  x2  SILENT\n"));
	free(text);
}

/* Guards that the column is as wide as the longest word that may stand in it. */
static void
test_columns_of_alarms_are_straight(void **state)
{
	(void)state;
	for (unsigned i = 1; i < ALARM_STATES; i++) {
		char *json = xasprintf("{\"alarm_id\":1,\"kind\":\"door.forced\",\"severity\":"
				       "\"critical\",\"state\":\"%s\",\"durable_time_us\":"
				       "1700000000123456}",
				       alarm_state_name(i));
		char *text = shown(alarm_plain, json);
		size_t column = strlen("2023-11-14 22:13:20.123  critical  "
				       "returned_unacknowledged  ");

		assert_int_equal(strstr(text, "door.forced") - text, column);
		free(text);
		free(json);
	}
}

/* Guards that it is told who acted, and that what he said can't fill the screen. */
static void
test_who_acted(void **state)
{
	static const struct {
		const char *said, *shown;
	} acted[] = {
		{"\"verb\":\"accept\",\"actor\":\"desk-1\",\"operator\":\"17\"",
		 "  accept by 17@desk-1\n"},
		{"\"verb\":\"reject\",\"actor\":\"desk-1\",\"reject_reason\":\"too_old\","
		 "\"handed_to\":\"south\"",
		 "  reject by desk-1, too_old\n"},
		{"\"verb\":\"hand_over\",\"actor\":\"root\",\"handed_to\":\"south\"",
		 "  hand_over by root, south\n"},
		{"\"verb\":\"escalated\"", "  escalated by the server\n"},
		{"\"verb\":\"close\",\"actor\":\"d\",\"outcome\":\"incident\",\"text\":"
		 "\"0123456789012345678901234567890123456\\u001b[7\"",
		 "  close by d, incident: 0123456789012345678901234567890123456?[7\n"},
		{"\"verb\":\"comment\",\"actor\":\"d\",\"text\":"
		 "\"01234567890123456789012345678901234567\xE6\x9D\xB1"
		 "9\"",
		 "  comment by d: 01234567890123456789012345678901234567\u2026\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acted); i++) {
		char *json = xasprintf("{\"alarm_id\":1,\"controller\":\"c\",%s}", acted[i].said);
		char *text = shown(alarm_plain, json);

		assert_string_equal(strstr(text, "[c]") + 3, acted[i].shown);
		free(text);
		free(json);
	}
}

static void
test_colour_goes_by_severity(void **state)
{
	char *text = shown(alarm_coloured, alarm);

	(void)state;
	assert_memory_equal(text, "\033[31m", 5);
	assert_string_equal(text + strlen(text) - 5, "\033[0m\n");
	free(text);
	text = shown(alarm_coloured, "{\"alarm_id\":1,\"severity\":\"low\"}");
	assert_null(strchr(text, '\x1b'));
	free(text);
}

static void
test_remarks_of_the_stream(void **state)
{
	char *text = shown(alarm_plain, "{\"resync\":true,\"reason\":\"too far back\"}");

	(void)state;
	assert_string_equal(text, "-- all alarms that stand: too far back\n");
	free(text);
	text = shown(alarm_plain, "{\"snapshot_end\":true,\"position\":7}");
	assert_string_equal(text, "-- that is all up to position 7; now as they come\n");
	free(text);
	text = shown(alarm_plain, "{\"what\":\"of a later version\"}");
	assert_string_equal(text, "");
	free(text);
}

static void
test_numbers_for_people(void **state)
{
	static const struct {
		int64_t n;
		const char *text;
	} counts[] = {{0, "0"},
		      {999, "999"},
		      {1000, "1,000"},
		      {-1000, "-1,000"},
		      {-999, "-999"},
		      {1234567, "1,234,567"},
		      {INT64_MIN, "-9,223,372,036,854,775,808"}};
	char out[TEXT_SHORT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		assert_string_equal(text_count(counts[i].n, out), counts[i].text);
	assert_string_equal(text_bytes(1023, out), "1023 B");
	assert_string_equal(text_bytes(1536, out), "1.5 KiB");
	assert_string_equal(text_bytes(INT64_MAX, out), "8192.0 PiB");
	assert_string_equal(text_duration(59, out), "00:00:59");
	assert_string_equal(text_duration(86400, out), "1 d 00:00:00");
	assert_string_equal(text_time(-1, out), "-");
}

static void
test_what_is_not_utf8_is_not_clean(void **state)
{
	static const char *const good[] = {"", "abc", "\xC3\xBC", "\xE6\x9D\xB1",
					   "\xF0\x9F\x9A\xAA"};
	static const char *const bad[] = {"\n",
					  "\x7f",
					  "\xC2\x9B", /* a control character of C1 */
					  "\xC3",
					  "\xC0\x80",
					  "\xE0\x82\xA9", /* overlong */
					  "\xED\xA0\x80", /* a surrogate */
					  "\xF4\x90\x80\x80",
					  "\xFF",
					  "\x80",
					  "a\xE6\x9D"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(text_is_clean(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_is_clean(bad[i]));
	assert_int_equal(text_width("\xE6\x9D\xB1\xC3\xBC"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_straight),
		cmocka_unit_test(test_json_has_the_same_rows_with_types),
		cmocka_unit_test(test_status_with_all),
		cmocka_unit_test(test_status_of_another_version),
		cmocka_unit_test(test_alarm_is_one_harmless_line),
		cmocka_unit_test(test_columns_of_alarms_are_straight),
		cmocka_unit_test(test_who_acted),
		cmocka_unit_test(test_colour_goes_by_severity),
		cmocka_unit_test(test_remarks_of_the_stream),
		cmocka_unit_test(test_numbers_for_people),
		cmocka_unit_test(test_what_is_not_utf8_is_not_clean),
	};

	/* widths and times as they are everywhere */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
