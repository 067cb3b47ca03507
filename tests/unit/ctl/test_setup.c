/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a setup: what they mean, and that every mistake is named with its
 * line.  Nothing here needs PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/setup.h"

static struct setup *
from_yaml(const char *text)
{
	struct setup *setup = setup_new("f.yaml");

	setup_read_yaml(setup, text, strlen(text));
	(void)setup_check(setup);
	return setup;
}

static struct setup *
from_csv(enum setup_kind kind, const char *text)
{
	struct setup *setup = setup_new("f.csv");

	setup_read_csv(setup, kind, text, strlen(text));
	(void)setup_check(setup);
	return setup;
}

static void
assert_no_problem(const struct setup *setup)
{
	if (setup->n_problems > 0)
		fail_msg("%s", setup->problems[0]);
}

/* One of the problems begins with `where` and contains `what`. */
static void
assert_problem(const struct setup *setup, const char *where, const char *what)
{
	for (size_t i = 0; i < setup->n_problems && i < SETUP_PROBLEMS_MAX; i++) {
		if (strncmp(setup->problems[i], where, strlen(where)) == 0 &&
		    strstr(setup->problems[i], what) != NULL)
			return;
	}
	setup_print_problems(setup, stderr);
	fail_msg("no problem \"%s... %s\"", where, what);
}

static void
test_yaml_of_all_kinds(void **state)
{
	struct setup *setup =
		from_yaml("# an estate\n"
			  "doors:\n"
			  "  - code: mill-a\n"
			  "    name: Entrance A\n"
			  "    site: mill\n"
			  "    controller: mill-1\n"
			  "    number: 1\n"
			  "consoles:\n"
			  "  - {name: desk-1, station: north}\n"
			  "stations: [{code: north, name: 'North station'}]\n"
			  "areas:\n"
			  "  - {code: old-town, name: Old town, parent: city}\n"
			  "  - {code: city, name: The city, station: north}\n"
			  "sites:\n"
			  "  - {code: mill, name: Mühle, area: old-town, address: ~}\n"
			  "controllers:\n"
			  "  - {name: mill-1, site: mill}\n");
	static const enum setup_kind order[] = {SETUP_STATIONS, SETUP_AREAS,       SETUP_AREAS,
						SETUP_SITES,    SETUP_CONTROLLERS, SETUP_DOORS,
						SETUP_CONSOLES};
	char *summary;

	(void)state;
	assert_no_problem(setup);
	assert_int_equal(setup->n_rows, ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(setup->rows[i].kind, order[i]);
	/* a parent comes before its part, wherever they stand in the file */
	assert_string_equal(setup->rows[1].values[0], "city");
	assert_string_equal(setup->rows[2].values[0], "old-town");
	assert_string_equal(setup->rows[2].values[2], "city");
	assert_null(setup->rows[3].values[3]);
	assert_string_equal(setup->rows[5].values[4], "1");
	assert_int_equal(setup->rows[5].line, 3);
	summary = setup_summary(setup);
	assert_string_equal(summary, "1 station, 2 areas, 1 site, 1 controller, 1 door, 1 console");
	free(summary);
	setup_free(&setup);
}

static void
test_csv_with_quotes_and_lines(void **state)
{
	struct setup *setup = from_csv(SETUP_SITES, "\xEF\xBB\xBF"
						    "area,code,name,address\r\n"
						    "city,mill,\"Mill, the \"\"old\"\"\",\r\n"
						    "\r\n"
						    "city,port,Port,1 Quay\r\n");

	(void)state;
	assert_no_problem(setup);
	assert_int_equal(setup->n_rows, 2);
	assert_string_equal(setup->rows[0].values[1], "Mill, the \"old\"");
	assert_null(setup->rows[0].values[3]);
	assert_int_equal(setup->rows[0].line, 2);
	assert_int_equal(setup->rows[1].line, 4);
	assert_string_equal(setup->rows[1].values[2], "city");
	setup_free(&setup);
}

static void
test_csv_counts_lines_in_quotes(void **state)
{
	struct setup *setup = from_csv(SETUP_STATIONS, "code,name\n"
						       "a,\"two\nlines\"\n"
						       "b,\n");

	(void)state;
	assert_problem(setup, "f.csv:2:", "on one line");
	assert_problem(setup, "f.csv:4:", "station has no name");
	assert_int_equal(setup->n_problems, 2);
	setup_free(&setup);
}

static void
test_several_mistakes_at_once(void **state)
{
	struct setup *setup =
		from_yaml("stations:\n"
			  "  - {code: north}\n"
			  "  - {code: a, name: A, colour: red}\n"
			  "  - [a, b]\n"
			  "doors:\n"
			  "  - {code: d1, name: D, site: s, controller: c/1, number: 1}\n"
			  "  - {code: d2, name: D, site: s, controller: c1, number: 0}\n"
			  "  - {code: d3, name: D, site: s, number: 4}\n"
			  "  - {code: d4, name: [x], site: s}\n"
			  "gates:\n"
			  "  - {code: {a: [b]}}\n"
			  "areas: 7\n"
			  "sites:\n"
			  "  - {code: s, name: S, area: x, code: t}\n");

	(void)state;
	assert_problem(setup, "f.yaml:2:", "station has no name");
	assert_problem(setup, "f.yaml:3:", "no column \"colour\"");
	assert_problem(setup, "f.yaml:4:", "expected a mapping");
	assert_problem(setup, "f.yaml:6:", "\"c/1\" is not valid, expected 1 to 64");
	assert_problem(setup, "f.yaml:7:", "expected a whole number from 1");
	assert_problem(setup, "f.yaml:8:", "expected both or neither");
	assert_problem(setup, "f.yaml:9:", "expected a text or a number");
	assert_problem(setup, "f.yaml:10:", "expected one of stations");
	assert_problem(setup, "f.yaml:12:", "expected a list");
	assert_problem(setup, "f.yaml:14:", "code is given twice");
	setup_free(&setup);
}

static void
test_doubles_are_found_with_both_lines(void **state)
{
	struct setup *setup = from_csv(SETUP_DOORS, "code,name,site,controller,number\n"
						    "a,A,s,c1,1\n"
						    "b,B,s,c1,2\n"
						    "a,C,s,c1,3\n"
						    "d,D,s,c1,02\n"
						    "e,E,s,c2,2\n");

	(void)state;
	assert_problem(setup, "f.csv:4:", "door \"a\" is there already, in line 2");
	assert_problem(setup, "f.csv:5:", "has a door of number 2 already, in line 3");
	assert_int_equal(setup->n_problems, 2);
	setup_free(&setup);
}

static void
test_a_circle_of_areas(void **state)
{
	struct setup *setup = from_yaml("areas:\n"
					"  - {code: a, name: A, parent: b}\n"
					"  - {code: b, name: B, parent: a}\n"
					"  - {code: c, name: C, parent: c}\n"
					"  - {code: d, name: D, parent: elsewhere}\n");

	(void)state;
	assert_problem(setup, "f.yaml:2:", "lies below itself");
	assert_problem(setup, "f.yaml:3:", "lies below itself");
	assert_problem(setup, "f.yaml:4:", "lies below itself");
	assert_int_equal(setup->n_problems, 3);
	setup_free(&setup);
}

static void
test_lengths_and_characters(void **state)
{
	char text[1024], code[66], name[202];
	struct setup *setup;

	(void)state;
	memset(code, 'c', 65);
	code[65] = '\0';
	memset(name, 'n', 201);
	name[201] = '\0';
	(void)snprintf(text, sizeof(text),
		       "code,name\n%s,a\nb,%s\nc,\x1b[31m\nd,\xff\n%.64s,%.200s\n", code, name,
		       code, name);
	setup = from_csv(SETUP_STATIONS, text);
	assert_problem(setup, "f.csv:2:", "code has 65 bytes, expected at most 64");
	assert_problem(setup, "f.csv:3:", "name has 201 bytes, expected at most 200");
	assert_problem(setup, "f.csv:4:", "without control characters");
	assert_problem(setup, "f.csv:5:", "must be UTF-8");
	assert_int_equal(setup->n_problems, 4);
	setup_free(&setup);
}

static void
test_a_wrong_header_is_one_mistake(void **state)
{
	struct setup *setup = from_csv(SETUP_STATIONS, "code,title\na,A\nb,B\n");

	(void)state;
	assert_problem(setup, "f.csv:1:", "stations have no column \"title\"");
	assert_int_equal(setup->n_problems, 1);
	setup_free(&setup);
	setup = from_csv(SETUP_STATIONS, "code,code\na,A\n");
	assert_problem(setup, "f.csv:1:", "column code is there twice");
	setup_free(&setup);
	setup = from_csv(SETUP_STATIONS, "");
	assert_problem(setup, "f.csv: ", "the file is empty");
	setup_free(&setup);
}

static void
test_rows_of_another_width(void **state)
{
	struct setup *setup = from_csv(SETUP_STATIONS, "code,name\na,A,x,y\nb\n");

	(void)state;
	assert_problem(setup, "f.csv:2:", "the row has 4 fields, expected 2");
	assert_problem(setup, "f.csv:3:", "the row has 1 fields, expected 2");
	setup_free(&setup);
}

static void
test_what_is_no_csv(void **state)
{
	struct setup *setup = from_csv(SETUP_STATIONS, "code,name\na,A\nb,\"B\n");

	(void)state;
	assert_problem(setup, "f.csv:3:", "a quoted field does not end");
	setup_free(&setup);
	setup = from_csv(SETUP_STATIONS, "code,name\na,x\"y\n");
	assert_problem(setup, "f.csv:2:", "this is not CSV");
	setup_free(&setup);
}

static void
test_what_is_no_yaml(void **state)
{
	struct setup *setup = from_yaml("stations:\n  - {code: a, name: A\n");

	(void)state;
	assert_problem(setup, "f.yaml:", "this is not YAML");
	setup_free(&setup);
	setup = from_yaml("");
	assert_problem(setup, "f.yaml: ", "the file is empty");
	setup_free(&setup);
	setup = from_yaml("- a\n- b\n");
	assert_problem(setup, "f.yaml:1:", "expected lists with names");
	setup_free(&setup);
	setup = from_yaml("stations: []\n---\nareas: []\n");
	assert_problem(setup, "f.yaml:2:", "one document only");
	setup_free(&setup);
}

static void
test_aliases_are_refused(void **state)
{
	struct setup *setup = from_yaml("stations:\n"
					"  - {code: &x a, name: A}\n"
					"  - {code: *x, name: B}\n");

	(void)state;
	assert_problem(setup, "f.yaml:3:", "aliases are not taken");
	setup_free(&setup);
}

/* The rest of a file behind a value that nests deeper than it should is read. */
static void
test_depth_is_left_out_not_followed(void **state)
{
	enum { DEPTH = 400 };
	char text[DEPTH * 2 + 128];
	size_t used = 0;
	struct setup *setup;

	(void)state;
	used += (size_t)snprintf(text, sizeof(text), "stations: ");
	memset(text + used, '[', DEPTH);
	memset(text + used + DEPTH, ']', DEPTH);
	(void)snprintf(text + used + DEPTH * 2, sizeof(text) - used - DEPTH * 2,
		       "\nareas:\n  - {code: a}\n");
	setup = from_yaml(text);
	assert_problem(setup, "f.yaml:3:", "area has no name");
	setup_free(&setup);
}

static void
test_twenty_are_kept_and_all_are_counted(void **state)
{
	char text[4096] = "code,name\n";
	struct setup *setup;

	(void)state;
	for (int i = 0; i < 30; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "c%d,\n", i);
	setup = from_csv(SETUP_STATIONS, text);
	assert_int_equal(setup->n_problems, 30);
	assert_non_null(setup->problems[SETUP_PROBLEMS_MAX - 1]);
	setup_free(&setup);
}

static void
test_every_prefix_of_a_file_is_survived(void **state)
{
	static const char text[] = "stations:\n  - {code: a, name: \"A\"}\n"
				   "areas:\n  - code: b\n    name: 'B'\n    station: a\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct setup *setup = setup_new("f.yaml");

		setup_read_yaml(setup, text, n);
		(void)setup_check(setup);
		setup_free(&setup);
		setup = setup_new("f.csv");
		setup_read_csv(setup, SETUP_AREAS, text, n);
		(void)setup_check(setup);
		setup_free(&setup);
	}
}

static void
test_command_lines_have_no_place(void **state)
{
	struct setup *setup = setup_new(NULL);

	(void)state;
	assert_non_null(setup_add_row(setup, SETUP_STATIONS, 0));
	setup_set_value(setup, &setup->rows[0], 0, "  a ", 4, 0);
	assert_string_equal(setup->rows[0].values[0], "a");
	assert_false(setup_check(setup));
	assert_string_equal(setup->problems[0], "station has no name");
	setup_free(&setup);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_of_all_kinds),
		cmocka_unit_test(test_csv_with_quotes_and_lines),
		cmocka_unit_test(test_csv_counts_lines_in_quotes),
		cmocka_unit_test(test_several_mistakes_at_once),
		cmocka_unit_test(test_doubles_are_found_with_both_lines),
		cmocka_unit_test(test_a_circle_of_areas),
		cmocka_unit_test(test_lengths_and_characters),
		cmocka_unit_test(test_a_wrong_header_is_one_mistake),
		cmocka_unit_test(test_rows_of_another_width),
		cmocka_unit_test(test_what_is_no_csv),
		cmocka_unit_test(test_what_is_no_yaml),
		cmocka_unit_test(test_aliases_are_refused),
		cmocka_unit_test(test_depth_is_left_out_not_followed),
		cmocka_unit_test(test_twenty_are_kept_and_all_are_counted),
		cmocka_unit_test(test_every_prefix_of_a_file_is_survived),
		cmocka_unit_test(test_command_lines_have_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
