/* SPDX-License-Identifier: Apache-2.0 */
/* Any thread. */
#include "ctl/card_number.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "ctl/text.h"

enum { LINE_MAX_BYTES = 256 };

static const char prefix[] = "hex:";

static enum rc
parse_hex(struct card_number *number, const char *text, size_t n, struct err *err)
{
	if (n == 0 || n % 2 != 0 || n / 2 > CARD_MAX)
		return err_invalid(err,
				   "a card number behind hex: has %zu digits, expected an even "
				   "number up to %d",
				   n, 2 * CARD_MAX);
	if (!text_to_bytes(text, n, number->bytes))
		return err_invalid(err, "a card number behind hex: has other than digits");
	number->len = n / 2;
	return RC_OK;
}

enum rc
card_number_parse(struct card_number *number, const char *text, size_t n, struct err *err)
{
	if (n >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0)
		return parse_hex(number, text + strlen(prefix), n - strlen(prefix), err);
	if (n == 0)
		return err_invalid(err, "the card number is missing");
	if (n > CARD_MAX)
		return err_invalid(err, "a card number has %zu bytes, at most %d are possible", n,
				   CARD_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)text[i]))
			return err_invalid(err, "a card number has other than letters, digits and "
						"signs; use hex:");
	}
	memcpy(number->bytes, text, n);
	number->len = n;
	return RC_OK;
}

enum rc
card_number_read(struct card_number *number, FILE *in, struct err *err)
{
	char line[LINE_MAX_BYTES];
	enum rc rc;

	errno = 0;
	if (fgets(line, sizeof(line), in) == NULL)
		return errno != 0 ? err_sys(err, "could not read the card number")
				  : err_invalid(err, "the card number is missing: give it on "
						     "standard input");
	rc = card_number_parse(number, line, strcspn(line, "\r\n"), err);
	explicit_bzero(line, sizeof(line));
	return rc;
}

void
card_number_wipe(struct card_number *number)
{
	explicit_bzero(number, sizeof(*number));
}
