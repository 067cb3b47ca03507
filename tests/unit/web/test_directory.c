/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which consoles there are, and what is kept of it over a restart.
 *
 * Seen to fail with: what is no list taken for an empty one; the age of the file not looked
 * at; a file that is written at each call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "web/directory.h"

enum { NOW_S = 1700000000, DAY_S = 86400 };

static const char two_rows[] =
	"[{\"name\": \"north\", \"station\": \"n\", \"enabled\": true, \"right\": "
	"\"supervisor\"},"
	" {\"name\": \"east\", \"station\": \"e\", \"enabled\": false, \"right\": "
	"\"dispatcher\"}]";

struct fixture {
	char dir[64], path[96];
	struct directory *directory;
	struct err err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/gatehouse-directory-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/consoles.json", f->dir);
	f->directory = directory_new();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	directory_free(&f->directory);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static enum rc
set(struct fixture *f, const char *text)
{
	json_t *rows = json_loads(text, JSON_DECODE_ANY, NULL);
	enum rc rc = directory_set(f->directory, rows, &f->err);

	json_decref(rows);
	return rc;
}

/* What the file's number is: another one after each writing. */
static ino_t
file_number(const struct fixture *f)
{
	struct stat about;

	assert_int_equal(stat(f->path, &about), 0);
	return about.st_ino;
}

static void
write_file(const struct fixture *f, const char *text)
{
	FILE *out = fopen(f->path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void
disabled_consoles_are_not_found(void **state)
{
	struct fixture *f = *state;
	const struct directory_console *found;

	assert_false(directory_is_known(f->directory));
	assert_null(directory_find(f->directory, "north"));
	assert_int_equal(set(f, two_rows), RC_OK);
	found = directory_find(f->directory, "north");
	assert_non_null(found);
	assert_string_equal(found->station, "n");
	assert_int_equal(found->right, WEB_RIGHT_SUPERVISOR);
	assert_null(directory_find(f->directory, "east"));
	assert_null(directory_find(f->directory, "west"));
}

static void
what_is_no_list_changes_nothing(void **state)
{
	static const char *const texts[] = {"{}", "7", "[7]", "[{\"name\": \"x\"}]", "nothing"};
	struct fixture *f = *state;

	assert_int_equal(set(f, two_rows), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(set(f, texts[i]), RC_INVALID);
		assert_non_null(directory_find(f->directory, "north"));
	}
}

static void
a_restart_knows_what_was_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(directory_load(f->directory, f->dir, NOW_S, DAY_S, &f->err), RC_EOF);
	assert_int_equal(set(f, two_rows), RC_OK);
	assert_int_equal(directory_keep(f->directory, f->dir, NOW_S, &f->err), RC_OK);
	directory_free(&f->directory);
	f->directory = directory_new();
	assert_int_equal(directory_load(f->directory, f->dir, NOW_S + DAY_S - 1, DAY_S, &f->err),
			 RC_OK);
	assert_true(directory_is_known(f->directory));
	assert_false(directory_is_fresh(f->directory));
	assert_non_null(directory_find(f->directory, "north"));
	assert_null(directory_find(f->directory, "east"));
	assert_int_equal(set(f, "[]"), RC_OK);
	assert_true(directory_is_fresh(f->directory));
	assert_null(directory_find(f->directory, "north"));
}

static void
what_is_too_old_or_of_tomorrow_is_not_used(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, two_rows), RC_OK);
	assert_int_equal(directory_keep(f->directory, f->dir, NOW_S, &f->err), RC_OK);
	directory_free(&f->directory);
	f->directory = directory_new();
	assert_int_equal(directory_load(f->directory, f->dir, NOW_S + DAY_S, DAY_S, &f->err),
			 RC_EOF);
	assert_int_equal(directory_load(f->directory, f->dir, NOW_S - 1, DAY_S, &f->err), RC_EOF);
	assert_false(directory_is_known(f->directory));
}

static void
the_file_is_written_when_there_is_news(void **state)
{
	struct fixture *f = *state;
	ino_t first;

	assert_int_equal(set(f, two_rows), RC_OK);
	assert_int_equal(directory_keep(f->directory, f->dir, NOW_S, &f->err), RC_OK);
	first = file_number(f);
	assert_int_equal(set(f, two_rows), RC_OK);
	assert_int_equal(directory_keep(f->directory, f->dir, NOW_S + 10, &f->err), RC_OK);
	assert_int_equal(file_number(f), first);
	/* so that its age says when it was true */
	assert_int_equal(directory_keep(f->directory, f->dir, NOW_S + DAY_S, &f->err), RC_OK);
	assert_int_not_equal(file_number(f), first);
	first = file_number(f);
	assert_int_equal(set(f, "[]"), RC_OK);
	assert_int_equal(directory_keep(f->directory, f->dir, NOW_S + DAY_S, &f->err), RC_OK);
	assert_int_not_equal(file_number(f), first);
}

static void
a_damaged_file_is_named(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{\"read_at_s\": 1700000000}",
		"{\"read_at_s\": 1700000000, \"consoles\": [{\"name\": 1}]}",
		"{\"read_at_s\": \"now\", \"consoles\": []}"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_file(f, texts[i]);
		assert_int_equal(directory_load(f->directory, f->dir, NOW_S, DAY_S, &f->err),
				 RC_INVALID);
		assert_false(directory_is_known(f->directory));
	}
	write_file(f, "{");
	assert_int_equal(directory_load(f->directory, f->dir, NOW_S, DAY_S, &f->err), RC_INVALID);
	assert_non_null(strstr(f->err.msg, "consoles.json"));
}

static void
a_folder_that_is_not_there_is_said(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, two_rows), RC_OK);
	assert_int_equal(directory_keep(f->directory, "/nonexistent", NOW_S, &f->err), RC_FAIL);
	assert_non_null(strstr(f->err.msg, "/nonexistent"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(disabled_consoles_are_not_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_list_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restart_knows_what_was_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_old_or_of_tomorrow_is_not_used, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_file_is_written_when_there_is_news, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_said, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
