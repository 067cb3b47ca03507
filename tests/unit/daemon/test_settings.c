/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's settings: the files in conf/ are what the program says, and what
 * several keys must keep between them is checked.  Runs in the project's folder.
 *
 * After a change of the table, GATEHOUSE_WRITE_REFERENCE=1 makes this test write
 * conf/gatehoused.yaml anew.
 */
#include "../support/settings.h"
#include "base/log.h"
#include "daemon/settings.h"

#define REFERENCE "conf/gatehoused.yaml"

static void
the_reference_is_the_file(void **state)
{
	(void)state;
	settings_assert_reference(REFERENCE, settings_write_reference);
}

static struct settings
loaded(const char *path)
{
	struct settings settings;
	struct err err = {0};

	if (settings_load(path, &settings, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return settings;
}

static void
the_reference_loads_with_the_defaults(void **state)
{
	struct settings s = loaded(REFERENCE);

	(void)state;
	assert_int_equal(s.node_id, 1);
	assert_string_equal(s.state_dir, "/var/lib/gatehouse");
	assert_int_equal(s.connections_max, 16000);
	assert_string_equal(s.tls_ca, "/etc/gatehouse/tls/ca.pem");
	assert_string_equal(s.keys_dir, "/var/lib/gatehouse/keys");
	assert_string_equal(s.journal_dir, "/var/lib/gatehouse/journal");
	assert_int_equal(s.segment_mb, 64);
	assert_int_equal(s.retain_s, 900);
	assert_string_equal(s.conninfo, "");
	assert_int_equal(s.batch_records, 20000);
	assert_int_equal(s.heartbeat_s, 30);
	assert_int_equal(s.lease_s, 90);
	assert_int_equal(s.frame_max_bytes, 16384);
	assert_int_equal(s.history, 131072);
	assert_string_equal(s.control_socket, "/run/gatehouse/control.sock");
	assert_int_equal(s.log_level, LOG_LEVEL_INFO);
	assert_int_equal(s.log_target, LOG_TARGET_STDERR);
	assert_int_equal(s.n_listeners, 2);
	assert_true(s.listeners[0].controllers && !s.listeners[0].consoles);
	assert_true(!s.listeners[1].controllers && s.listeners[1].consoles);
	settings_free(&s);
	assert_null(s.journal_dir);
	assert_null(s.listeners);
}

static void
the_minimal_file_has_the_same_defaults(void **state)
{
	struct settings minimal = loaded("conf/minimal.yaml"), reference = loaded(REFERENCE);

	(void)state;
	assert_int_equal(minimal.n_listeners, 1);
	assert_true(minimal.listeners[0].controllers && minimal.listeners[0].consoles);
	assert_string_equal(minimal.tls_key, reference.tls_key);
	assert_int_equal(minimal.console_stall_s, reference.console_stall_s);
	assert_int_equal(minimal.stop_timeout_ms, reference.stop_timeout_ms);
	settings_free(&minimal);
	settings_free(&reference);
}

/* Loads a file with this text; returns the code, and the error in err. */
static enum rc
load_text(const char *text, struct settings *settings, struct err *err)
{
	char path[] = "/tmp/gatehouse-settings-XXXXXX";
	enum rc rc;

	settings_make_file(path, text);
	rc = settings_load(path, settings, err);
	unlink(path);
	return rc;
}

static void
assert_refused(const char *text, const char *why)
{
	struct settings settings;
	struct err err = {0};

	assert_int_equal(load_text(text, &settings, &err), RC_INVALID);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\", expected \"%s\"", err.msg, why);
	assert_null(settings.journal_dir);
	assert_null(settings.listeners);
}

static void
assert_accepted(const char *text)
{
	struct settings settings;
	struct err err = {0};

	if (load_text(text, &settings, &err) != RC_OK)
		fail_msg("%s", err.msg);
	settings_free(&settings);
}

#define BOTH "controllers: true, consoles: true"

static void
a_lease_outlives_a_lost_heartbeat(void **state)
{
	(void)state;
	assert_accepted("fleet: {heartbeat_s: 30, lease_s: 60}\n"
			"listeners: [{port: 1, " BOTH "}]\n");
	assert_refused("fleet: {heartbeat_s: 30, lease_s: 59}\n"
		       "listeners: [{port: 1, " BOTH "}]\n",
		       "\"fleet.lease_s\" is 59, expected at least twice \"fleet.heartbeat_s\", "
		       "which is 30");
}

static void
a_flood_ends_below_where_it_begins(void **state)
{
	(void)state;
	assert_accepted("desk: {flood_begin: 7, flood_end: 7}\nlisteners: [{port: 1, " BOTH "}]\n"
			"alarms: [{kind: alarm.flood, escalate_s: 60}]\n");
	assert_refused(
		"desk: {flood_begin: 7, flood_end: 8}\nlisteners: [{port: 1, " BOTH "}]\n",
		"\"desk.flood_end\" is 8, expected at most \"desk.flood_begin\", which is 7");
}

static void
each_role_has_a_listener(void **state)
{
	(void)state;
	assert_refused("listeners: [{port: 1, controllers: true}]\n",
		       "no listener serves consoles");
	assert_refused("listeners: [{port: 1, consoles: true}]\n",
		       "no listener serves controllers");
	assert_refused("listeners: [{port: 1, " BOTH "}, {port: 2}]\n",
		       "\"listeners[2]\" serves nobody");
	assert_refused("", "\"listeners\" has 0 items");
}

static void
listeners_do_not_share_a_port(void **state)
{
	(void)state;
	assert_refused("listeners: [{port: 1, " BOTH "}, {port: 1, " BOTH "}]\n",
		       "\"listeners[2]\" has port 1 of \"listeners[1]\"");
	assert_refused("listeners: [{address: 10.0.0.1, port: 1, " BOTH "},"
		       " {address: '::', port: 1, " BOTH "}]\n",
		       "\"listeners[2]\" has port 1");
	assert_refused("listeners: [{address: 10.0.0.1, port: 1, " BOTH "},"
		       " {port: 2, " BOTH "}, {address: 10.0.0.1, port: 1, " BOTH "}]\n",
		       "\"listeners[3]\" has port 1 of \"listeners[1]\"");
	assert_refused("listeners: [{address: 0.0.0.0, port: 1, " BOTH "},"
		       " {address: 10.0.0.1, port: 1, " BOTH "}]\n",
		       "\"listeners[2]\" has port 1");
	/* two networks, one port */
	assert_accepted("listeners: [{address: 10.0.0.1, port: 1, controllers: true},"
			" {address: 10.0.0.2, port: 1, consoles: true}]\n");
	/* any free one, twice */
	assert_accepted("listeners: [{port: 0, controllers: true}, {port: 0, consoles: true}]\n");
}

static void
addresses_are_addresses(void **state)
{
	(void)state;
	assert_accepted("listeners: [{address: '::1', port: 1, " BOTH "}]\n");
	assert_refused("listeners: [{address: localhost, port: 1, " BOTH "}]\n",
		       "\"listeners[1].address\" is \"localhost\", expected an IPv4 or IPv6");
	assert_refused("listeners: [{address: 10.0.0.256, port: 1, " BOTH "}]\n",
		       "\"listeners[1].address\" is \"10.0.0.256\"");
}

static void
levels_and_targets_are_those_of_the_log(void **state)
{
	static const char *const levels[] = {"debug", "info", "warning", "error", "critical"};
	struct settings settings;
	struct err err = {0};
	char text[128];

	(void)state;
	for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_CRITICAL; level++) {
		snprintf(text, sizeof(text),
			 "log: {level: %s, target: journal}\nlisteners: [{port: 1, " BOTH "}]\n",
			 levels[level]);
		assert_int_equal(load_text(text, &settings, &err), RC_OK);
		assert_int_equal(settings.log_level, level);
		assert_int_equal(settings.log_target, LOG_TARGET_JOURNAL);
		settings_free(&settings);
	}
}

static void
connections_leave_the_daemon_its_own_files(void **state)
{
	struct settings settings = {.connections_max = 16000, .workers = 4, .n_listeners = 2};

	(void)state;
	assert_int_equal(settings_workers(&settings), 4);
	assert_false(settings_fit_descriptors(&settings, UINT64_MAX));
	assert_false(settings_fit_descriptors(&settings, 16000 + 64 + 4 * (8 + 2)));
	assert_int_equal(settings.connections_max, 16000);
	assert_true(settings_fit_descriptors(&settings, 1024));
	assert_int_equal(settings.connections_max, 1024 - 64 - 4 * (8 + 2));
	/* it then fails for want of files, and not for want of a number */
	assert_true(settings_fit_descriptors(&settings, 10));
	assert_int_equal(settings.connections_max, 1);
	settings.workers = 0;
	assert_true(settings_workers(&settings) > 0);
}

static void
a_missing_file_is_named(void **state)
{
	struct settings settings;
	struct err err = {0};

	(void)state;
	assert_int_equal(settings_load("/nonexistent/x.yaml", &settings, &err), RC_FAIL);
	assert_non_null(strstr(err.msg, "/nonexistent/x.yaml"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_is_the_file),
		cmocka_unit_test(the_reference_loads_with_the_defaults),
		cmocka_unit_test(the_minimal_file_has_the_same_defaults),
		cmocka_unit_test(a_lease_outlives_a_lost_heartbeat),
		cmocka_unit_test(a_flood_ends_below_where_it_begins),
		cmocka_unit_test(each_role_has_a_listener),
		cmocka_unit_test(listeners_do_not_share_a_port),
		cmocka_unit_test(addresses_are_addresses),
		cmocka_unit_test(levels_and_targets_are_those_of_the_log),
		cmocka_unit_test(connections_leave_the_daemon_its_own_files),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
