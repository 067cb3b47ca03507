/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration by a table: values of each type, bounds, what is refused and
 * with which words, and that the reference is a file which loads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"

struct gate {
	char *address;
	int64_t port;
	bool open;
};

struct target {
	int64_t lease_s, depth, colour;
	bool loud;
	char *title, *dir, *must_have;
	struct gate *gates;
	size_t n_gates;
};

static const char *const colours[] = {"red", "green", NULL};

#define AT(field) offsetof(struct target, field)

static const struct conf_key keys[] = {
	{"fleet.lease_s", CONF_INT, AT(lease_s), "90", 10, 86400, "s", NULL, "How long."},
	{"fleet.depth", CONF_INT, AT(depth), "-3", INT64_MIN, INT64_MAX, "", NULL, "How deep."},
	{"fleet.loud", CONF_BOOL, AT(loud), "true", 0, 0, "", NULL, "Whether."},
	{"paint.colour", CONF_CHOICE, AT(colour), "green", 0, 0, "", colours, "Which."},
	{"paint.title", CONF_STRING, AT(title), "it's: a", 0, 8, "", NULL, "What."},
	{"paint.dir", CONF_PATH, AT(dir), "/srv", 1, 20, "", NULL, "Where."},
};

static const struct conf_key required_keys[] = {
	{"fleet.must_have", CONF_STRING, AT(must_have), NULL, 1, 8, "", NULL, "Needed."},
};

static const struct conf_key gate_keys[] = {
	{"address", CONF_STRING, offsetof(struct gate, address), "any", 1, 16, "", NULL, "Whose."},
	{"port", CONF_INT, offsetof(struct gate, port), NULL, 1, 9, "", NULL, "Number."},
	{"open", CONF_BOOL, offsetof(struct gate, open), "false", 0, 0, "", NULL, "Open."},
};

static const struct conf_list lists[] = {
	{"gates", gate_keys, ARRAY_LEN(gate_keys), sizeof(struct gate), AT(gates), AT(n_gates), 1,
	 3, "  - port: 7\n", "The gates."},
};

/* A lease is no longer than `depth`. */
static enum rc
check_lease(const char *path, const void *arg, struct err *err)
{
	const struct target *target = arg;

	if (target->lease_s > target->depth)
		return err_invalid(err, "%s: %lld is too long", path, (long long)target->lease_s);
	return RC_OK;
}

static const struct conf_schema schema = {.keys = keys, .n_keys = ARRAY_LEN(keys)};
static const struct conf_schema required = {.keys = required_keys,
					    .n_keys = ARRAY_LEN(required_keys)};
static const struct conf_schema with_list = {
	.keys = keys, .n_keys = ARRAY_LEN(keys), .lists = lists, .n_lists = ARRAY_LEN(lists)};
static const struct conf_schema checked = {
	.keys = keys, .n_keys = ARRAY_LEN(keys), .check = check_lease, .head = "# Of a house.\n"};

static enum rc
parse(const struct conf_schema *s, const char *text, struct target *target, struct err *err)
{
	memset(target, 0, sizeof(*target));
	return conf_parse(s, "etc/x.yaml", text, strlen(text), target, err);
}

/* Loads `text`; the caller frees. */
static struct target
loaded(const struct conf_schema *s, const char *text)
{
	struct target target;
	struct err err = {0};

	if (parse(s, text, &target, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return target;
}

static void
assert_mistake(const struct conf_schema *s, const char *text, const char *expected)
{
	static const struct target nothing;
	struct target target;
	struct err err = {0};

	assert_int_equal(parse(s, text, &target, &err), RC_INVALID);
	assert_string_equal(err.msg, expected);
	/* freed and zeroed; the sanitizer sees what was not freed */
	assert_memory_equal(&target, &nothing, sizeof(target));
}

static void
nothing_means_defaults(void **state)
{
	static const char *const texts[] = {
		"", "# only this\n", "---\n", "fleet:\npaint:\n", "{}", "fleet: {}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct target target = loaded(&schema, texts[i]);

		assert_int_equal(target.lease_s, 90);
		assert_int_equal(target.depth, -3);
		assert_true(target.loud);
		assert_int_equal(target.colour, 1);
		assert_string_equal(target.title, "it's: a");
		assert_string_equal(target.dir, "/srv");
		conf_free(&schema, &target);
		assert_null(target.title);
		assert_null(target.dir);
	}
}

static void
values_are_taken(void **state)
{
	struct target target = loaded(&schema, "paint:\n"
					       "  colour: red\n"
					       "  title: \"a b\"\n"
					       "  dir: /var\n"
					       "fleet: {lease_s: 10, loud: false, depth: 12}\n");

	(void)state;
	assert_int_equal(target.lease_s, 10);
	assert_int_equal(target.depth, 12);
	assert_false(target.loud);
	assert_int_equal(target.colour, 0);
	assert_string_equal(target.title, "a b");
	assert_string_equal(target.dir, "/var");
	conf_free(&schema, &target);
}

static void
assert_no_lease(const char *value, const char *shown)
{
	char text[64], expected[160];

	snprintf(text, sizeof(text), "fleet:\n\n  lease_s: %s\n", value);
	snprintf(expected, sizeof(expected),
		 "etc/x.yaml:3: \"fleet.lease_s\" is %s, expected a whole number from 10 to 86400 "
		 "(s)",
		 shown);
	assert_mistake(&schema, text, expected);
}

static void
whole_numbers(void **state)
{
	struct target target = loaded(&schema, "fleet: {lease_s: 86400}");

	(void)state;
	assert_int_equal(target.lease_s, 86400);
	conf_free(&schema, &target);
	target = loaded(&schema, "fleet: {depth: -9223372036854775808}");
	assert_true(target.depth == INT64_MIN);
	conf_free(&schema, &target);

	assert_no_lease("9", "9");
	assert_no_lease("86401", "86401");
	assert_no_lease("-20", "-20");
	assert_no_lease("5x", "\"5x\"");
	assert_no_lease("0x20", "\"0x20\"");
	assert_no_lease("1e3", "\"1e3\"");
	assert_no_lease("+20", "\"+20\"");
	assert_no_lease("1_000", "\"1_000\"");
	assert_no_lease("20.0", "\"20.0\"");
	assert_no_lease("'-'", "\"-\"");
	assert_no_lease("' 20'", "\" 20\"");
	/* the empty value of a key whose line was left half written */
	assert_no_lease("", "\"\"");
	/* more than an int64_t holds is no number for us */
	assert_no_lease("99999999999999999999", "\"99999999999999999999\"");
}

static void
other_values_out_of_bounds(void **state)
{
	(void)state;
	assert_mistake(&schema, "fleet: {loud: yes}",
		       "etc/x.yaml:1: \"fleet.loud\" is \"yes\", expected true or false");
	assert_mistake(&schema, "paint: {colour: blue}",
		       "etc/x.yaml:1: \"paint.colour\" is \"blue\", expected red or green");
	assert_mistake(&schema, "paint: {title: 123456789}",
		       "etc/x.yaml:1: \"paint.title\" is 123456789, expected a text of 0 to 8 "
		       "bytes");
	assert_mistake(&schema, "paint: {dir: ''}",
		       "etc/x.yaml:1: \"paint.dir\" is \"\", expected a path of 1 to 20 bytes");
	/* the end of a text would hide what follows */
	assert_mistake(&schema, "fleet: {lease_s: \"20\\0 and more\"}",
		       "etc/x.yaml:1: \"fleet.lease_s\" has a zero byte, expected a whole number "
		       "from 10 to 86400 (s)");
	/* a value as long as the file does not crowd out what was expected */
	assert_mistake(
		&schema,
		"fleet: {loud: aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbc}",
		"etc/x.yaml:1: \"fleet.loud\" is "
		"\"aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb...\", "
		"expected true or false");
}

static void
relative_paths_begin_at_the_file(void **state)
{
	struct target target = loaded(&schema, "paint: {dir: a/b}");
	struct err err = {0};

	(void)state;
	assert_string_equal(target.dir, "etc/a/b");
	conf_free(&schema, &target);

	assert_int_equal(conf_parse(&schema, "x.yaml", "paint: {dir: a/b}", 17, &target, &err),
			 RC_OK);
	assert_string_equal(target.dir, "a/b");
	conf_free(&schema, &target);

	/* the whole path must fit, not what the file says of it */
	assert_mistake(&schema, "paint: {dir: 12345678901234567}",
		       "etc/x.yaml:1: \"paint.dir\" is 12345678901234567, expected a path of 1 to "
		       "20 bytes");
}

static void
unknown_names_get_a_hint(void **state)
{
	(void)state;
	assert_mistake(&schema, "fleet:\n  leese_s: 20\n",
		       "etc/x.yaml:2: unknown key \"fleet.leese_s\", did you mean "
		       "\"fleet.lease_s\"?");
	assert_mistake(&schema, "paint:\n  lease_s: 20\n",
		       "etc/x.yaml:2: unknown key \"paint.lease_s\", did you mean "
		       "\"fleet.lease_s\"?");
	assert_mistake(&schema, "fleet:\n  something: 20\n",
		       "etc/x.yaml:2: unknown key \"fleet.something\"");
	assert_mistake(&schema, "flete:\n",
		       "etc/x.yaml:1: unknown section \"flete\", did you mean \"fleet\"?");
	assert_mistake(&with_list, "gate:\n",
		       "etc/x.yaml:1: unknown section \"gate\", did you mean \"gates\"?");
	assert_mistake(&schema, "something: 1\n", "etc/x.yaml:1: unknown section \"something\"");
	/* the dotted name is how the errors call it, not how the file does */
	assert_mistake(&schema, "fleet.lease_s: 20\n",
		       "etc/x.yaml:1: unknown section \"fleet.lease_s\"");
	assert_mistake(&with_list, "gates:\n  - prot: 1\n",
		       "etc/x.yaml:2: unknown key \"gates[1].prot\", did you mean \"port\"?");
}

static void
names_that_are_none(void **state)
{
	(void)state;
	assert_mistake(&schema,
		       "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaa: 1",
		       "etc/x.yaml:1: found "
		       "\"aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb...\", "
		       "expected the name of a section");
	assert_mistake(&schema, "fleet:\n  [a]: 1\n",
		       "etc/x.yaml:2: found a list, expected the name of a key");
	assert_mistake(&schema, "'': 1\n",
		       "etc/x.yaml:1: found nothing, expected the name of a section");
	assert_mistake(&schema, "\"fle\\0et\": 1\n",
		       "etc/x.yaml:1: found \"fle...\", expected the name of a section");
}

static void
doubled_names_are_mistakes(void **state)
{
	(void)state;
	assert_mistake(&schema, "fleet:\n  lease_s: 20\n  loud: true\n  lease_s: 20\n",
		       "etc/x.yaml:4: \"fleet.lease_s\" is set again, first in line 2");
	assert_mistake(&schema, "fleet:\npaint:\nfleet:\n",
		       "etc/x.yaml:3: \"fleet\" is set again, first in line 1");
	assert_mistake(&with_list, "gates:\n  - port: 1\ngates:\n  - port: 1\n",
		       "etc/x.yaml:3: \"gates\" is set again, first in line 1");
	assert_mistake(&with_list, "gates:\n  - port: 1\n    port: 2\n",
		       "etc/x.yaml:3: \"gates[1].port\" is set again, first in line 2");
}

static void
required_keys_are_asked_for(void **state)
{
	struct target target = loaded(&required, "fleet: {must_have: x}");

	(void)state;
	assert_string_equal(target.must_have, "x");
	conf_free(&required, &target);
	assert_mistake(&required, "# 1\n# 2\nfleet:\n",
		       "etc/x.yaml:3: \"fleet.must_have\" is missing, expected a text of 1 to 8 "
		       "bytes");
	assert_mistake(&required, "",
		       "etc/x.yaml:1: \"fleet.must_have\" is missing, expected a text of 1 to 8 "
		       "bytes");
}

static void
lists_are_taken(void **state)
{
	struct target target = loaded(&with_list, "gates:\n"
						  "  - port: 1\n"
						  "  - {address: here, open: true, port: 9}\n"
						  "  - port: 3\n");

	(void)state;
	assert_int_equal(target.n_gates, 3);
	assert_string_equal(target.gates[0].address, "any");
	assert_int_equal(target.gates[0].port, 1);
	assert_false(target.gates[0].open);
	assert_string_equal(target.gates[1].address, "here");
	assert_true(target.gates[1].open);
	assert_int_equal(target.gates[2].port, 3);
	conf_free(&with_list, &target);
	assert_null(target.gates);
	assert_int_equal(target.n_gates, 0);
}

static void
lists_have_bounds(void **state)
{
	(void)state;
	assert_mistake(&with_list, "fleet:\n",
		       "etc/x.yaml:2: \"gates\" has 0 items, expected at least 1");
	assert_mistake(&with_list, "gates:\n# none\nfleet:\n",
		       "etc/x.yaml:1: \"gates\" has 0 items, expected at least 1");
	assert_mistake(&with_list, "gates:\n  - port: 1\n  - port: 2\n  - port: 3\n  - port: 4\n",
		       "etc/x.yaml:5: \"gates\" has more items, expected at most 3");
	assert_mistake(&with_list, "gates:\n  - port: 1\n  - address: x\n",
		       "etc/x.yaml:3: \"gates[2].port\" is missing, expected a whole number from 1 "
		       "to 9");
	assert_mistake(&with_list, "gates:\n  - port: 1\n  - address: x\n    port: 10\n",
		       "etc/x.yaml:4: \"gates[2].port\" is 10, expected a whole number from 1 to "
		       "9");
}

/* Asked last, when defaults are there, too; and what it refuses is freed like all else. */
static void
what_keys_keep_between_them_is_checked(void **state)
{
	struct target target = loaded(&checked, "fleet: {depth: 90}\n");

	(void)state;
	assert_int_equal(target.lease_s, 90);
	conf_free(&checked, &target);
	assert_mistake(&checked, "fleet: {depth: 89}\n", "etc/x.yaml: 90 is too long");
	/* a mistake in the file is named first */
	assert_mistake(&checked, "fleet: {depth: 89, lease_s: 9}\n",
		       "etc/x.yaml:1: \"fleet.lease_s\" is 9, expected a whole number from 10 to "
		       "86400 (s)");
}

static void
other_shapes_are_mistakes(void **state)
{
	(void)state;
	assert_mistake(&schema, "- a\n", "etc/x.yaml:1: found a list, expected sections");
	assert_mistake(&schema, "hello\n", "etc/x.yaml:1: found a value, expected sections");
	assert_mistake(&schema, "fleet: 7\n",
		       "etc/x.yaml:1: \"fleet\" is a value, expected a mapping");
	assert_mistake(&schema, "fleet: ''\n",
		       "etc/x.yaml:1: \"fleet\" is nothing, expected a mapping");
	assert_mistake(&schema, "fleet:\n  lease_s:\n    deep: 1\n",
		       "etc/x.yaml:3: \"fleet.lease_s\" is a mapping, expected a whole number from "
		       "10 to 86400 (s)");
	assert_mistake(&with_list, "gates: {port: 1}\n",
		       "etc/x.yaml:1: \"gates\" is a mapping, expected a list");
	assert_mistake(&with_list, "gates:\n  - 1\n",
		       "etc/x.yaml:2: \"gates[1]\" is a value, expected a mapping");
	assert_mistake(&schema, "fleet:\n---\npaint:\n",
		       "etc/x.yaml:2: found another document, expected only one");
}

static void
what_yaml_can_more_is_refused(void **state)
{
	(void)state;
	assert_mistake(&schema, "fleet: &f\n  lease_s: 20\n",
		       "etc/x.yaml:1: found anchor \"&f\", expected values written out");
	assert_mistake(&schema, "fleet:\n  lease_s: &x 20\n",
		       "etc/x.yaml:2: found anchor \"&x\", expected values written out");
	assert_mistake(&with_list, "gates: &g\n",
		       "etc/x.yaml:1: found anchor \"&g\", expected values written out");
	assert_mistake(&schema, "fleet:\n  <<: *x\n", "etc/x.yaml:2: unknown key \"fleet.<<\"");
	assert_mistake(&schema, "fleet: *x\n",
		       "etc/x.yaml:1: found alias \"*x\", expected values written out");
	assert_mistake(&schema, "fleet:\n  lease_s: !!str 20\n",
		       "etc/x.yaml:2: found tag \"tag:yaml.org,2002:str\", expected none");
	assert_mistake(&schema, "fleet: !own {}\n",
		       "etc/x.yaml:1: found tag \"!own\", expected none");
}

static void
what_is_not_yaml_is_a_mistake(void **state)
{
	(void)state;
	assert_mistake(&schema, "fleet:\n\tlease_s: 20\n",
		       "etc/x.yaml:2: not YAML: found character that cannot start any token");
	assert_mistake(&schema, "fleet: {lease_s: 20\n",
		       "etc/x.yaml:2: not YAML: did not find expected ',' or '}'");
	assert_mistake(&schema, "fleet:\n  loud: \xff\n",
		       "etc/x.yaml:1: not YAML: invalid leading UTF-8 octet");
}

static void
size_is_bounded(void **state)
{
	enum { MOST = 1024 * 1024 };
	char *text = malloc(MOST + 1);
	struct target target = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(text);
	memset(text, '\n', MOST + 1);
	assert_int_equal(conf_parse(&schema, "x", text, MOST, &target, &err), RC_OK);
	conf_free(&schema, &target);
	assert_int_equal(conf_parse(&schema, "x", text, MOST + 1, &target, &err), RC_INVALID);
	assert_string_equal(err.msg, "x:1: the file has 1048577 bytes, expected at most 1048576");

	/* nesting ends where the table does, however deep it is */
	memset(text, '[', MOST);
	assert_int_equal(conf_parse(&schema, "x", text, MOST, &target, &err), RC_INVALID);
	free(text);
}

static void
files_are_loaded(void **state)
{
	char path[] = "/tmp/gatehouse-conf-XXXXXX";
	int fd = mkstemp(path);
	struct target target = {0};
	struct err err = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "fleet: {lease_s: 11}\n", 21), 21);
	close(fd);
	assert_int_equal(conf_load(&schema, path, &target, &err), RC_OK);
	assert_int_equal(target.lease_s, 11);
	conf_free(&schema, &target);
	unlink(path);
	assert_int_equal(conf_load(&schema, path, &target, &err), RC_FAIL);
	assert_non_null(strstr(err.msg, path));
}

static void
the_reference_is_what_it_says(void **state)
{
	static const char expected[] = "\nfleet:\n"
				       "  # How long.\n"
				       "  # Value: a whole number from 10 to 86400 (s).\n"
				       "  lease_s: 90\n"
				       "  # How deep.\n"
				       "  # Value: a whole number from -9223372036854775808 to "
				       "9223372036854775807.\n"
				       "  depth: '-3'\n"
				       "  # Whether.\n"
				       "  # Value: true or false.\n"
				       "  loud: true\n"
				       "\npaint:\n"
				       "  # Which.\n"
				       "  # Value: red or green.\n"
				       "  colour: green\n"
				       "  # What.\n"
				       "  # Value: a text of 0 to 8 bytes.\n"
				       "  title: 'it''s: a'\n"
				       "  # Where.\n"
				       "  # Value: a path of 1 to 20 bytes.\n"
				       "  dir: /srv\n"
				       "\n# The gates.\n"
				       "#\n#   address: a text of 1 to 16 bytes, default any\n"
				       "#     Whose.\n"
				       "#\n#   port: a whole number from 1 to 9, required\n"
				       "#     Number.\n"
				       "#\n#   open: true or false, default false\n"
				       "#     Open.\n"
				       "gates:\n"
				       "  - port: 7\n";
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	struct target target;

	(void)state;
	assert_non_null(out);
	conf_write_reference(&with_list, out);
	fclose(out);
	assert_string_equal(text, expected);

	target = loaded(&with_list, text);
	assert_int_equal(target.depth, -3);
	assert_string_equal(target.title, "it's: a");
	assert_int_equal(target.gates[0].port, 7);
	conf_free(&with_list, &target);
	free(text);
}

/* A text of n words of 9 letters and a blank. */
static char *
words(size_t n)
{
	char *text = xcalloc(n, 10);

	for (size_t i = 0; i < n; i++)
		memcpy(text + 10 * i, i + 1 < n ? "letters89 " : "letters89", i + 1 < n ? 10 : 9);
	return text;
}

static void
the_reference_is_wrapped(void **state)
{
	char *help = words(20), *text = NULL;
	const struct conf_key long_keys[] = {
		{"a.b", CONF_BOOL, 0, "true", 0, 0, "", NULL, help},
		{"a.c", CONF_BOOL, 0, NULL, 0, 0, "", NULL,
		 "012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		 "1"
		 " end"},
		/* another section, although the name begins alike */
		{"ab.d", CONF_BOOL, 0, "true", 0, 0, "", NULL, "D."},
	};
	const struct conf_schema long_schema = {.keys = long_keys, .n_keys = ARRAY_LEN(long_keys)};
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	assert_non_null(out);
	conf_write_reference(&long_schema, out);
	fclose(out);
	assert_non_null(strstr(text, "\n  # letters89 letters89 letters89 letters89 letters89 "
				     "letters89 letters89\n  # letters89"));
	assert_non_null(strstr(text, "678901\n  # end\n"));
	assert_non_null(strstr(text, "\n  # c: (required)\n\nab:\n  # D.\n"));
	free(text);
	free(help);
}

static void
the_reference_begins_with_its_head(void **state)
{
	static const char begin[] = "# Of a house.\n\nfleet:\n";
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	assert_non_null(out);
	conf_write_reference(&checked, out);
	fclose(out);
	assert_int_equal(strncmp(text, begin, sizeof(begin) - 1), 0);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_means_defaults),
		cmocka_unit_test(values_are_taken),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(other_values_out_of_bounds),
		cmocka_unit_test(relative_paths_begin_at_the_file),
		cmocka_unit_test(unknown_names_get_a_hint),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(doubled_names_are_mistakes),
		cmocka_unit_test(required_keys_are_asked_for),
		cmocka_unit_test(lists_are_taken),
		cmocka_unit_test(lists_have_bounds),
		cmocka_unit_test(what_keys_keep_between_them_is_checked),
		cmocka_unit_test(other_shapes_are_mistakes),
		cmocka_unit_test(what_yaml_can_more_is_refused),
		cmocka_unit_test(what_is_not_yaml_is_a_mistake),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(files_are_loaded),
		cmocka_unit_test(the_reference_is_what_it_says),
		cmocka_unit_test(the_reference_is_wrapped),
		cmocka_unit_test(the_reference_begins_with_its_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
