/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What any bytes become before PostgreSQL sees them: valid UTF-8 of a bounded
 * length, never cut within a character.  Refusals are tested in test_admin.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/store/text.h"

static void
expect_clean(const char *bytes, size_t n, size_t max_bytes, const char *expected)
{
	char out[64];

	assert_int_equal(text_make_clean(bytes, n, max_bytes, out), strlen(expected));
	assert_string_equal(out, expected);
}

static void
test_clean_text_stays(void **state)
{
	(void)state;
	expect_clean("", 0, 10, "");
	expect_clean("a\xc3\xa9\xe5\x8c\x97\xf0\x9f\x9a\xaa", 10, 10,
		     "a\xc3\xa9\xe5\x8c\x97\xf0\x9f\x9a\xaa");
}

static void
test_what_is_no_character(void **state)
{
	(void)state;
	expect_clean("a\0b\nc\x7f", 6, 10, "a?b?c?");
	expect_clean("\xc2\x85", 2, 10, "?");            /* a control character of C1 */
	expect_clean("\xc0\xaf\xff", 3, 10, "???");      /* overlong, never a byte of UTF-8 */
	expect_clean("\xed\xa0\x80", 3, 10, "???");      /* a surrogate */
	expect_clean("\xf4\x90\x80\x80", 4, 10, "????"); /* beyond U+10FFFF */
	expect_clean("a\xe5\x8c", 3, 10, "a??");         /* ends too early */
}

static void
test_cut_between_characters(void **state)
{
	(void)state;
	expect_clean("abcdef", 6, 3, "abc");
	expect_clean("ab\xe5\x8c\x97", 5, 4, "ab");
	expect_clean("ab\xe5\x8c\x97", 5, 5, "ab\xe5\x8c\x97");
	expect_clean("abc\xff", 4, 3, "abc");
}

static void
test_any_bytes_become_valid(void **state)
{
	uint32_t random = 1;
	char bytes[32], out[40], again[40];
	struct err err;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525 + 1013904223;
			/* lead and continuation bytes more often than chance has them */
			bytes[i] = (char)(random >> 24 | (round % 2 ? 0x80 : 0));
		}
		(void)text_make_clean(bytes, sizeof(bytes), sizeof(out) - 1, out);
		/* the strict side agrees, apart from the space around it */
		assert_int_equal(text_trim("text", out, sizeof(again) - 1, again, &err), RC_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_text_stays),
		cmocka_unit_test(test_what_is_no_character),
		cmocka_unit_test(test_cut_between_characters),
		cmocka_unit_test(test_any_bytes_become_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
