/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf/gatehouse-web.yaml is what the program says, its manual page has every key, and
 * what no single key shows is checked.  Runs in the project's folder.
 *
 * After a change of the table, GATEHOUSE_WRITE_REFERENCE=1 makes this test write the
 * file anew.
 */
#include "../support/settings.h"
#include "web/settings.h"

#define REFERENCE "conf/gatehouse-web.yaml"
#define PAGE      "man/gatehouse-web.8"

static void
the_reference_is_the_file(void **state)
{
	(void)state;
	settings_assert_reference(REFERENCE, web_settings_write_reference);
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
	char *page = settings_file_text(PAGE);
	char *reference = settings_reference_text(web_settings_write_reference), *rest = reference;
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

	settings_make_file(path, text);
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
