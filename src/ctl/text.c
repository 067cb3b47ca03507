/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for a terminal.  UTF-8 is decoded here and not by the C library, so that
 * the result doesn't depend on the locale; only the width of a character does.
 * A byte that is not UTF-8, and a control character of C0 or C1, shows as '?'.
 * Any thread.
 */
#include "ctl/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum {
	CODE_BAD = -1,        /* no well-formed character begins here */
	CODE_MAX = 0x10FFFF,  /* the last of Unicode */
	CODE_C1_FIRST = 0x80, /* control characters again: a terminal obeys 0x9b as it */
	CODE_C1_LAST = 0x9F,  /* obeys ESC [ */
	SURROGATE_FIRST = 0xD800,
	SURROGATE_LAST = 0xDFFF,
	NAME_MAX_BYTES = 64,
	SECONDS_PER_DAY = 86400,
};

/* How many bytes follow the first one; -1 when it can't be a first one. */
static int
utf8_follow(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first >= 0xC2 && first < 0xE0)
		return 1;
	if (first >= 0xE0 && first < 0xF0)
		return 2;
	if (first >= 0xF0 && first < 0xF5)
		return 3;
	return -1;
}

/* Decodes the character at s (not at its end), and moves on by one byte at least. */
static int32_t
utf8_next(const char **s)
{
	/* the lowest code that needs so many bytes: anything below is overlong */
	static const int32_t lowest[] = {0, 0x80, 0x800, 0x10000};
	static const unsigned char mask[] = {0x7F, 0x1F, 0x0F, 0x07};
	unsigned char first = (unsigned char)**s;
	int follow = utf8_follow(first);
	int32_t code;

	if (follow < 0) {
		(*s)++;
		return CODE_BAD;
	}
	code = first & mask[follow];
	for (int i = 1; i <= follow; i++) {
		unsigned char byte = (unsigned char)(*s)[i];

		/* this also stops at the terminating zero */
		if ((byte & 0xC0) != 0x80) {
			(*s)++;
			return CODE_BAD;
		}
		code = code << 6 | (byte & 0x3F);
	}
	*s += follow + 1;
	if (code < lowest[follow] || code > CODE_MAX ||
	    (code >= SURROGATE_FIRST && code <= SURROGATE_LAST))
		return CODE_BAD;
	return code;
}

static bool
code_is_control(int32_t code)
{
	return code == CODE_BAD || code < 0x20 || code == 0x7F ||
	       (code >= CODE_C1_FIRST && code <= CODE_C1_LAST);
}

bool
text_is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_MAX_BYTES || !isascii(s[0]) || !isalnum((unsigned char)s[0]))
		return false;
	return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

bool
text_is_clean(const char *s)
{
	while (*s != '\0') {
		if (code_is_control(utf8_next(&s)))
			return false;
	}
	return true;
}

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
text_to_bytes(const char *digits, size_t n, uint8_t *bytes)
{
	if (n % 2 != 0)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int high = digit_of(digits[i]), low = digit_of(digits[i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static size_t
code_columns(int32_t code)
{
	int columns = code_is_control(code) ? 1 : wcwidth((wchar_t)code);

	/* the locale doesn't know the character: one is the best guess */
	return columns < 0 ? 1 : (size_t)columns;
}

size_t
text_width(const char *s)
{
	size_t width = 0;

	while (*s != '\0')
		width += code_columns(utf8_next(&s));
	return width;
}

/* As far as it fits; returns what is left. */
static const char *
text_put_columns(FILE *out, const char *s, size_t columns)
{
	while (*s != '\0') {
		const char *begin = s;
		int32_t code = utf8_next(&s);

		if (code_columns(code) > columns)
			return begin;
		columns -= code_columns(code);
		if (code_is_control(code))
			(void)fputc('?', out);
		else
			(void)fwrite(begin, 1, (size_t)(s - begin), out);
	}
	return s;
}

void
text_put(FILE *out, const char *s)
{
	(void)text_put_columns(out, s, SIZE_MAX);
}

void
text_put_short(FILE *out, const char *s, size_t width)
{
	bool fits = text_width(s) <= width;

	(void)text_put_columns(out, s, fits ? width : width - 1);
	if (!fits)
		(void)fputs("\u2026", out);
}

void
text_put_padded(FILE *out, const char *s, size_t width, bool right)
{
	size_t used = text_width(s);
	int blanks = used < width ? (int)(width - used) : 0;

	if (right)
		(void)fprintf(out, "%*s", blanks, "");
	text_put(out, s);
	if (!right)
		(void)fprintf(out, "%*s", blanks, "");
}

char *
text_count(int64_t n, char out[TEXT_SHORT])
{
	char digits[TEXT_SHORT];
	size_t len, used = 0;

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)n);
	len = strlen(digits);
	/* 19 digits, a sign and 6 commas fit */
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = '\0';
	return out;
}

char *
text_bytes(int64_t bytes, char out[TEXT_SHORT])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double n = (double)bytes;
	size_t unit = 0;

	while (n >= 1024 && unit + 1 < ARRAY_LEN(units)) {
		n /= 1024;
		unit++;
	}
	(void)snprintf(out, TEXT_SHORT, unit == 0 ? "%.0f %s" : "%.1f %s", n, units[unit]);
	return out;
}

char *
text_duration(int64_t seconds, char out[TEXT_SHORT])
{
	int64_t days = seconds / SECONDS_PER_DAY;
	int rest = (int)(seconds % SECONDS_PER_DAY);

	if (days != 0)
		(void)snprintf(out, TEXT_SHORT, "%lld d %02d:%02d:%02d", (long long)days,
			       rest / 3600, rest / 60 % 60, rest % 60);
	else
		(void)snprintf(out, TEXT_SHORT, "%02d:%02d:%02d", rest / 3600, rest / 60 % 60,
			       rest % 60);
	return out;
}

char *
text_time(int64_t time_us, char out[TEXT_SHORT])
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm tm;
	size_t used;

	if (time_us < 0 || localtime_r(&seconds, &tm) == NULL) {
		(void)snprintf(out, TEXT_SHORT, "-");
		return out;
	}
	used = strftime(out, TEXT_SHORT, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(out + used, TEXT_SHORT - used, ".%03d", (int)(time_us / 1000 % 1000));
	return out;
}
