/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manual page of the configuration has every key with its default: what a
 * page says must not drift from what the daemon reads.  Run in the project's
 * folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/fs.h"
#include "daemon/settings.h"

static const char page_path[] = "man/gatehoused.yaml.5";

/* The page's line for a key with this default, as man's macros write it. */
static char *
page_line(const char *section, const char *key, const char *value)
{
	char escaped[512];
	size_t used = 0;

	for (const char *c = value; *c != '\0' && used < sizeof(escaped) - 2; c++) {
		if (*c == '-')
			escaped[used++] = '\\';
		escaped[used++] = *c;
	}
	escaped[used] = '\0';
	return xasprintf(".BR %s.%s \" = %s\"\n", section, key, escaped);
}

static size_t
check_line(const char *page, char *section, size_t section_bytes, char *line)
{
	char *colon = strchr(line, ':'), *wanted;

	if (colon == NULL || strchr(line, '#') != NULL)
		return 0;
	*colon = '\0';
	if (isalpha((unsigned char)line[0])) {
		(void)snprintf(section, section_bytes, "%s", line);
		return 0;
	}
	/* the lists' items are another part of the page */
	if (strcmp(section, "listeners") == 0 || strcmp(section, "alarms") == 0)
		return 0;
	wanted = page_line(section, line + strspn(line, " "), colon + 1 + strspn(colon + 1, " "));
	if (strstr(page, wanted) == NULL)
		fail_msg("%s has no line %s", page_path, wanted);
	free(wanted);
	return 1;
}

static void
test_every_key_is_there_with_its_default(void **state)
{
	char *reference = NULL, *rest, section[64] = "";
	size_t n, checked = 0;
	uint8_t *page;
	FILE *out = open_memstream(&reference, &n);
	struct err err;

	(void)state;
	settings_write_reference(out);
	(void)fclose(out);
	if (fs_read_file(page_path, 1 << 20, &page, &n, &err) != RC_OK)
		fail_msg("%s", err.msg);
	rest = reference;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
		checked += check_line((const char *)page, section, sizeof(section), line);
	assert_true(checked > 30);
	free(page);
	free(reference);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_is_there_with_its_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
