/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf/gatehouse-web.yaml is what the program says, its manual page has every key, and
 * what no single key shows is checked.  Runs in the project's folder.
 *
 * After a change of the table, GATEHOUSE_WRITE_REFERENCE=1 makes this test write the
 * file anew.
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

#include "base/fs.h"
#include "web/settings.h"

#define REFERENCE "conf/gatehouse-web.yaml"
#define PAGE      "man/gatehouse-web.8"

static char *
reference_text(void)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	web_settings_write_reference(out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *
file_text(const char *path)
{
	uint8_t *bytes;
	size_t n;
	struct err err;

	if (fs_read_file(path, 1 << 20, &bytes, &n, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return (char *)bytes;
}

static void
the_reference_is_the_file(void **state)
{
	char *ours = reference_text(), *file;

	(void)state;
	if (getenv("GATEHOUSE_WRITE_REFERENCE") != NULL) {
		FILE *out = fopen(REFERENCE, "w");

		assert_non_null(out);
		assert_true(fputs(ours, out) >= 0);
		assert_int_equal(fclose(out), 0);
	}
	file = file_text(REFERENCE);
	assert_string_equal(ours, file);
	free(file);
	free(ours);
}

static void
the_reference_loads(void **state)
{
	struct web_settings settings;
	struct err err = {0};

	(void)state;
	if (web_settings_load(REFERENCE, &settings, &err) != RC_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(settings.port, 8443);
	assert_string_equal(settings.control_socket, "/run/gatehouse-web/control.sock");
	web_settings_free(&settings);
}

static void
the_manual_has_every_key_with_its_default(void **state)
{
	char *page = file_text(PAGE), *reference = reference_text(), *rest = reference;
	char section[64] = "";
	int checked = 0;

	(void)state;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		char *colon = strchr(line, ':'), *wanted;

		if (line[0] == '#' || colon == NULL || strchr(line, '#') != NULL)
			continue;
		*colon = '\0';
		if (line[0] != ' ') {
			(void)snprintf(section, sizeof(section), "%s", line);
			continue;
		}
		wanted = xasprintf(".BR %s.%s \" = %s\"\n", section, line + 2, colon + 2);
		if (strstr(page, wanted) == NULL)
			fail_msg("%s has no line %s", PAGE, wanted);
		free(wanted);
		checked++;
	}
	assert_true(checked > 25);
	free(reference);
	free(page);
}

static void
assert_refused(const char *text, const char *why)
{
	char path[] = "/tmp/gatehouse-web-conf-XXXXXX";
	struct web_settings settings;
	struct err err = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	assert_int_equal(web_settings_load(path, &settings, &err), RC_INVALID);
	(void)unlink(path);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static void
mistakes_are_named(void **state)
{
	(void)state;
	assert_refused("http:\n  address: somewhere\n", "expected an IPv4 or IPv6 address");
	assert_refused("http:\n  public_url: http://gate.example\n", "begin with https://");
	assert_refused("http:\n  port: 70000\n", "http.port");
	assert_refused("http:\n  prot: 1\n", "prot");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_is_the_file),
		cmocka_unit_test(the_reference_loads),
		cmocka_unit_test(the_manual_has_every_key_with_its_default),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
