/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of cards: what each column takes, each mistake with line and column, and the
 * bad rows as they are written out again.  Seen to fail: with each bad
 * row taken for one line of the file, one with a line break in it loses its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/card_rows.h"

static char path[] = "/tmp/gatehouse-rows-XXXXXX";

static struct card_rows *
read_text(const char *text)
{
	FILE *file = fopen(path, "w");
	struct card_rows *rows;
	struct err err;

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	if (card_rows_read(&rows, path, "UTC", &err) != RC_OK)
		fail_msg("%s", err.msg);
	return rows;
}

static void
assert_problem(const struct card_rows *rows, size_t i, const char *what)
{
	assert_true(i < rows->n_problems);
	/* behind the file's name */
	if (strstr(rows->problems[i], what) != rows->problems[i] + strlen(path))
		fail_msg("\"%s\" is not \"FILE%s\"", rows->problems[i], what);
}

static void
each_column_is_taken(void **state)
{
	struct card_rows *rows = read_text(
		"unit,card,kind,valid_from,valid_until,doors,group,right_from,right_until,hours,"
		"personal.name\n"
		"12-3, hex:0BadCafe ,tenant,2026-01-01,2026-12-31,\"a, b c ,d\",stairs,2026-02-01,"
		"2026-02-28,\"Mon 07:00-19:00, Tue 07:00-19:00\",Somebody\n"
		",4711,,,,,,,,,\n");
	const struct card_row *row = &rows->items[0];
	static const uint8_t number[] = {0x0b, 0xad, 0xca, 0xfe};

	(void)state;
	assert_int_equal(rows->n, 2);
	assert_int_equal(rows->n_problems, 0);
	assert_int_equal(row->line, 2);
	assert_int_equal(row->number.len, sizeof(number));
	assert_memory_equal(row->number.bytes, number, sizeof(number));
	assert_string_equal(row->unit, "12-3");
	assert_int_equal(row->kind, CARD_KIND_TENANT);
	assert_int_equal(row->card_until_us - row->card_from_us, 365 * 86400 * INT64_C(1000000));
	assert_int_equal(row->n_doors, 3);
	assert_string_equal(row->doors[1], "b c");
	assert_string_equal(row->doors[2], "d");
	assert_string_equal(row->group, "stairs");
	assert_int_equal(row->right_until_us - row->right_from_us, 28 * 86400 * INT64_C(1000000));
	assert_int_equal(row->n_hours, 2);
	assert_string_equal(json_string_value(json_object_get(row->personal, "name")), "Somebody");
	row = &rows->items[1];
	assert_int_equal(row->number.len, 4);
	assert_null(row->unit);
	assert_int_equal(row->kind, CARD_KIND_NONE);
	assert_int_equal(row->card_until_us, 0);
	assert_null(row->personal);
	card_rows_free(&rows);
}

static void
a_card_may_be_named_by_its_key(void **state)
{
	char text[256], digits[2 * CARD_KEY_BYTES + 1];
	struct card_rows *rows;

	(void)state;
	memset(digits, 'a', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	(void)snprintf(text, sizeof(text), "card_key\nkey:%s\nkey:%s0\n%s\n", digits, digits,
		       digits);
	rows = read_text(text);
	assert_int_equal(rows->items[0].card_key[31], 0xaa);
	assert_int_equal(rows->items[0].number.len, 0);
	assert_int_equal(rows->n_bad, 2);
	assert_problem(rows, 0, ":3: card_key: expected key: and 64 digits");
	assert_problem(rows, 1, ":4: card_key: expected key: and 64 digits");
	card_rows_free(&rows);
}

static void
a_mistake_has_line_and_column(void **state)
{
	struct card_rows *rows = read_text("card,kind,valid_until,hours,personal.note\n"
					   "1,tenant,,,\"a line\nbreak\"\n"
					   "hex:0,,,,\n"
					   "3,resident,tomorrow,,\n"
					   ",tenant,,,\n"
					   "5,tenant\n"
					   "6,,,never,\n"
					   "123456789012345678901234567890123,,,,\n");

	(void)state;
	assert_int_equal(rows->n, 7);
	assert_int_equal(rows->n_bad, 6);
	assert_problem(rows, 0, ":4: card: a card number behind hex: has 1 digits");
	assert_problem(rows, 1, ":5: kind: \"resident\" is not owner");
	assert_problem(rows, 2, ":5: valid_until: \"tomorrow\" is no time");
	assert_problem(rows, 3, ":6: card: the card number is missing");
	assert_problem(rows, 4, ":7: row: has 2 fields, expected 5");
	assert_problem(rows, 5, ":8: hours: \"never\" are no hours");
	assert_problem(rows, 6, ":9: card: a card number has 33 bytes");
	card_rows_free(&rows);
}

static void
a_file_that_is_none_is_refused_as_a_whole(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{"", ": the file is empty"},
		{"card,colour\n1,red\n", ":1: cards have no column colour"},
		{"card,card\n1,1\n", ":1: this column is there twice: card"},
		{"personal.a,personal.a,card\n", ":1: this column is there twice: personal.a"},
		{"kind\ntenant\n", ":1: expected either a column card or a column card_key"},
		{"card,card_key\n1,2\n", ":1: expected either a column card or"},
		{"card\n\"1\n", ":2: this is not CSV"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct card_rows *rows = read_text(cases[i].text);

		assert_true(rows->unusable);
		assert_problem(rows, 0, cases[i].problem);
		card_rows_free(&rows);
	}
}

static void
too_many_doors_are_a_group(void **state)
{
	char text[1024] = "card,doors\n1,\"door";
	struct card_rows *rows;

	(void)state;
	for (int i = 0; i < CARD_ROW_DOORS_MAX; i++)
		strcat(text, ",door");
	rows = read_text(strcat(text, "\"\n2,\"a,,b\"\n"));
	assert_problem(rows, 0, ":2: doors: more than 64 doors");
	assert_problem(rows, 1, ":3: doors: expected codes with commas");
	card_rows_free(&rows);
}

static void
bad_rows_are_written_as_they_stood(void **state)
{
	struct card_rows *rows = read_text("card,kind,personal.note\r\n"
					   "1,tenant,\r\n"
					   "2,resident,\"two\nlines\"\r\n"
					   "3,owner,\r\n"
					   "4,resident,x\r\n");
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	card_rows_write_bad(rows, out);
	(void)fclose(out);
	assert_string_equal(text,
			    "card,kind,personal.note,\"problem\"\n"
			    "2,resident,\"two\nlines\",\"kind: \"\"resident\"\" is not owner, "
			    "tenant, temporary or staff\"\n"
			    "4,resident,x,\"kind: \"\"resident\"\" is not owner, tenant, temporary "
			    "or staff\"\n");
	card_rows_free(&rows);
	/* mended in one of them, it is taken as it is */
	rows = read_text(text);
	assert_int_equal(rows->n, 2);
	assert_int_equal(rows->n_bad, 2);
	assert_true(rows->has_problems);
	free(text);
	card_rows_free(&rows);
}

static void
every_prefix_of_a_file_is_survived(void **state)
{
	static const char text[] = "card,kind,doors,hours,personal.x\n1,tenant,\"a b\",\"Mon "
				   "07:00-08:00\",y\nhex:0a,owner,,,\"z\n\"\n";
	char part[sizeof(text)];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct card_rows *rows;

		memcpy(part, text, n);
		part[n] = '\0';
		rows = read_text(part);
		card_rows_free(&rows);
	}
}

static int
begin(void **state)
{
	(void)state;
	return mkstemp(path) < 0;
}

static int
end(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_column_is_taken),
		cmocka_unit_test(a_card_may_be_named_by_its_key),
		cmocka_unit_test(a_mistake_has_line_and_column),
		cmocka_unit_test(a_file_that_is_none_is_refused_as_a_whole),
		cmocka_unit_test(too_many_doors_are_a_group),
		cmocka_unit_test(bad_rows_are_written_as_they_stood),
		cmocka_unit_test(every_prefix_of_a_file_is_survived),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
