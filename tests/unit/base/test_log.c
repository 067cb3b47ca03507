/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's lines as they come out at stderr: form, levels, nothing that came
 * from outside forges a line, and repetitions are held back and counted.
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

#include "base/clock.h"
#include "base/log.h"

/* ---- A clock that the test moves -------------------------------------------------- */

static uint64_t now_ns = 1000000000;

uint64_t
clock_mono_ns(void)
{
	return now_ns;
}

uint64_t
clock_mono_ms(void)
{
	return now_ns / 1000000;
}

int64_t
clock_wall_us(void)
{
	/* 2026-01-31T12:00:00.000123Z */
	return INT64_C(1769860800000123);
}

/* ---- stderr, caught in a file --------------------------------------------------------- */

static char caught[8192];
static int real_stderr;
static FILE *file;

static void
catch_begin(void)
{
	file = tmpfile();
	assert_non_null(file);
	real_stderr = dup(STDERR_FILENO);
	assert_true(real_stderr >= 0);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

static const char *
catch_end(void)
{
	size_t n;

	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	assert_int_equal(close(real_stderr), 0);
	rewind(file);
	n = fread(caught, 1, sizeof(caught) - 1, file);
	caught[n] = '\0';
	(void)fclose(file);
	return caught;
}

static size_t
lines_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* ---- Tests ------------------------------------------------------------------------------ */

static void
a_line_has_time_level_room_and_text(void **state)
{
	(void)state;
	catch_begin();
	log_info("fleet", "c=%d opened name=%s", 4711, "north-17");
	assert_string_equal(catch_end(),
			    "2026-01-31T12:00:00.000123Z info fleet c=4711 opened name=north-17\n");
}

static void
control_bytes_forge_no_line(void **state)
{
	(void)state;
	catch_begin();
	log_warning("fleet", "name=%s", "x\nerror store all is lost\r\x1b[2J\t\x7f\x01 \xc3\xa9");
	assert_string_equal(catch_end(),
			    "2026-01-31T12:00:00.000123Z warning fleet name=x\\x0aerror store all "
			    "is lost\\x0d\\x1b[2J\\x09\\x7f\\x01 \xc3\xa9\n");
}

static void
a_text_without_end_is_cut_and_stays_one_line(void **state)
{
	static char text[10000];
	const char *line;

	(void)state;
	/* control bytes take four times their room: the cut is after escaping, too */
	memset(text, '\n', sizeof(text) - 1);
	catch_begin();
	log_error("fleet", "%s", text);
	line = catch_end();
	assert_int_equal(lines_of(line), 1);
	assert_true(strlen(line) > 1000 && strlen(line) < 2200);
	memset(text, 'x', sizeof(text) - 1);
	catch_begin();
	log_error("fleet", "%s", text);
	line = catch_end();
	assert_int_equal(lines_of(line), 1);
	assert_true(strlen(line) > 2000 && strlen(line) < 2200);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void
what_is_below_the_level_is_not_said(void **state)
{
	(void)state;
	log_setup(LOG_LEVEL_WARNING, LOG_TARGET_STDERR);
	catch_begin();
	log_debug("fleet", "no");
	log_info("fleet", "no");
	log_warning("fleet", "yes");
	log_critical("fleet", "yes");
	log_setup(LOG_LEVEL_INFO, LOG_TARGET_STDERR);
	assert_int_equal(lines_of(catch_end()), 2);
	assert_null(strstr(caught, "no"));
	assert_false(log_wants(LOG_LEVEL_DEBUG));
	assert_true(log_wants(LOG_LEVEL_INFO));
}

static void
under_systemd_a_line_has_a_priority_and_no_time(void **state)
{
	char own[64];
	struct stat st;

	(void)state;
	catch_begin();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", own, 1), 0);
	log_setup(LOG_LEVEL_INFO, LOG_TARGET_STDERR);
	log_error("store", "text");
	/* inherited, but our stderr is another file */
	assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
	log_setup(LOG_LEVEL_INFO, LOG_TARGET_STDERR);
	log_error("store", "text");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_setup(LOG_LEVEL_INFO, LOG_TARGET_STDERR);
	assert_string_equal(catch_end(), "<3>error store text\n"
					 "2026-01-31T12:00:00.000123Z error store text\n");
}

static void
repetitions_are_held_back_and_counted(void **state)
{
	struct log_pace pace = {0};
	uint64_t held_back = 77;

	(void)state;
	assert_true(log_pace_ok(&pace, 1000, &held_back));
	assert_int_equal(held_back, 0);
	for (int i = 0; i < 5; i++)
		assert_false(log_pace_ok(&pace, 1000, &held_back));
	now_ns += 999999999;
	assert_false(log_pace_ok(&pace, 1000, &held_back));
	now_ns += 1;
	assert_true(log_pace_ok(&pace, 1000, &held_back));
	assert_int_equal(held_back, 6);
	now_ns += 1000000000;
	assert_true(log_pace_ok(&pace, 1000, &held_back));
	assert_int_equal(held_back, 0);
}

static void
times_are_written_whatever_they_are(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(log_time_text(0, text), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(log_time_text(-1, text), "1969-12-31T23:59:59.999999Z");
	assert_string_equal(log_time_text(INT64_C(951782400000001), text),
			    "2000-02-29T00:00:00.000001Z");
	/* only the bounds of `text` matter here */
	assert_true(strlen(log_time_text(INT64_MAX, text)) < sizeof(text));
	assert_true(strlen(log_time_text(INT64_MIN, text)) < sizeof(text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_level_room_and_text),
		cmocka_unit_test(control_bytes_forge_no_line),
		cmocka_unit_test(a_text_without_end_is_cut_and_stays_one_line),
		cmocka_unit_test(what_is_below_the_level_is_not_said),
		cmocka_unit_test(under_systemd_a_line_has_a_priority_and_no_time),
		cmocka_unit_test(repetitions_are_held_back_and_counted),
		cmocka_unit_test(times_are_written_whatever_they_are),
	};

	(void)unsetenv("JOURNAL_STREAM");
	log_setup(LOG_LEVEL_INFO, LOG_TARGET_STDERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
