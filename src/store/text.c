/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts on their way into PostgreSQL.  PostgreSQL would refuse bytes that are
 * not UTF-8 by itself; here that is found before a transaction is spoilt, and
 * said in words that name the field.
 *
 * Control characters are those of C0, C1 and DEL.  No other rule about what a
 * name may be: names are in the scripts of their owners.
 */
#include "text.h"

#include <string.h>

/* Bytes of the character at the front of `s`, as RFC 3629 has them; 0 when there
 * is none: overlong, surrogate, beyond U+10FFFF, cut short. */
static size_t
text_char_len(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4 || len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static bool
text_is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

static bool
text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

enum rc
text_trim(const char *what, const char *text, size_t max_bytes, char *out, struct err *err)
{
	size_t n = strlen(text);

	while (n > 0 && text_is_space(text[n - 1]))
		n--;
	while (n > 0 && text_is_space(text[0])) {
		text++;
		n--;
	}
	if (n > max_bytes)
		return err_invalid(err, "%s is %zu bytes long, the limit is %zu", what, n,
				   max_bytes);
	for (size_t i = 0; i < n;) {
		const unsigned char *s = (const unsigned char *)text + i;
		size_t len = text_char_len(s, n - i);

		if (len == 0)
			return err_invalid(err, "%s is not valid UTF-8 at byte %zu", what, i + 1);
		if (text_is_control(s))
			return err_invalid(err, "%s has a control character at byte %zu", what,
					   i + 1);
		i += len;
	}
	memcpy(out, text, n);
	out[n] = '\0';
	return RC_OK;
}

size_t
text_make_clean(const char *bytes, size_t n, size_t max_bytes, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < n;) {
		const unsigned char *s = (const unsigned char *)bytes + i;
		size_t len = text_char_len(s, n - i);
		bool good = len > 0 && !text_is_control(s);

		if (len == 0)
			len = 1;
		if (used + (good ? len : 1) > max_bytes)
			break;
		if (good)
			memcpy(out + used, s, len);
		else
			out[used] = '?';
		used += good ? len : 1;
		i += len;
	}
	out[used] = '\0';
	return used;
}
