/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the commented reference of a configuration from its table, as a file
 * that loads.  Text only: reads no file and no settings.
 *
 * Each key stands with its default, so that the file says what the daemon does
 * when it is started with it, and an operator changes what is there.
 */
#include <stdio.h>
#include <string.h>

#include "conf_priv.h"

/* Columns of a line of comment, as in most people's terminals with room for a mark. */
enum { REFERENCE_COLUMNS = 79 };

/* Writes a sentence as lines of comment, each begun with `prefix`. */
static void
reference_comment(FILE *out, const char *prefix, const char *text)
{
	size_t room = REFERENCE_COLUMNS - strlen(prefix);

	while (*text != '\0') {
		size_t n = strlen(text);

		if (n > room) {
			/* back to the last blank; a word longer than a line stands alone */
			n = room;
			while (n > 0 && text[n] != ' ')
				n--;
			if (n == 0)
				n = strcspn(text, " ");
		}
		fprintf(out, "%s%.*s\n", prefix, (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

/* A value as YAML: in quotes where a plain one could be taken for something else. */
static void
reference_value(FILE *out, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._";

	if (value[0] != '\0' && value[strspn(value, plain)] == '\0') {
		fprintf(out, "%s\n", value);
		return;
	}
	fputc('\'', out);
	for (; *value != '\0'; value++) {
		if (*value == '\'')
			fputc('\'', out);
		fputc(*value, out);
	}
	fputs("'\n", out);
}

static void
reference_key(FILE *out, const struct conf_key *key)
{
	char expected[256];

	reference_comment(out, "  # ", key->help);
	conf_expected(key, expected, sizeof(expected));
	fprintf(out, "  # Value: %s.\n", expected);
	if (key->fallback == NULL) {
		fprintf(out, "  # %s: (required)\n", conf_short_name(key));
		return;
	}
	fprintf(out, "  %s: ", conf_short_name(key));
	reference_value(out, key->fallback);
}

static void
reference_list(FILE *out, const struct conf_list *list)
{
	char expected[256];

	fputc('\n', out);
	reference_comment(out, "# ", list->help);
	for (size_t i = 0; i < list->n_keys; i++) {
		const struct conf_key *key = &list->keys[i];

		conf_expected(key, expected, sizeof(expected));
		fprintf(out, "#\n#   %s: %s%s%s\n", key->name, expected,
			key->fallback != NULL ? ", default " : ", required",
			key->fallback == NULL      ? ""
			: key->fallback[0] != '\0' ? key->fallback
						   : "empty");
		reference_comment(out, "#     ", key->help);
	}
	fprintf(out, "%s:\n%s", list->name, list->example);
}

void
conf_write_reference(const struct conf_schema *schema, FILE *out)
{
	if (schema->head != NULL)
		(void)fputs(schema->head, out);
	for (size_t i = 0; i < schema->n_keys; i++) {
		const struct conf_key *key = &schema->keys[i];
		size_t len = conf_section_len(key);

		/* sections stand together: another name begins another section */
		if (i == 0 || strncmp(schema->keys[i - 1].name, key->name, len + 1) != 0)
			fprintf(out, "\n%.*s:\n", (int)len, key->name);
		reference_key(out, key);
	}
	for (size_t i = 0; i < schema->n_lists; i++)
		reference_list(out, &schema->lists[i]);
}
