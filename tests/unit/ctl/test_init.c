/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new installation: what is made, for whom, that it loads, and that nothing
 * which exists is touched.
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

#include "base/fs.h"
#include "ctl/init.h"
#include "daemon/settings.h"
#include "wire/tls.h"

#include "../support/scratch.h"

struct place {
	char dir[64]; /* removed at the end */
	char home[128];
	FILE *said;
};

static int
setup_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	(void)snprintf(place->dir, sizeof(place->dir), "/tmp/gatehouse-init-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	(void)snprintf(place->home, sizeof(place->home), "%s/a/home", place->dir);
	place->said = fopen("/dev/null", "w");
	*state = place;
	return 0;
}

static int
teardown_place(void **state)
{
	struct place *place = *state;

	(void)scratch_remove_dir(place->dir);
	(void)fclose(place->said);
	free(place);
	return 0;
}

static struct init_wish
wish_for(const struct place *place)
{
	return (struct init_wish){
		.dir = place->home,
		.hosts = {"gate.example.org", "127.0.0.1"},
		.n_hosts = 2,
		.conninfo = "host=/run/postgresql dbname='a \"b\" \\\\ c: #d'",
		.port = 7443,
		.console_port = 7444,
		.days = 30,
		.owner = FILES_OWNER_SELF,
	};
}

static mode_t
mode_of(const struct place *place, const char *name)
{
	char path[256];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", place->home, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
test_configuration_loads_and_says_what_was_wished(void **state)
{
	struct place *place = *state;
	const struct init_wish wish = wish_for(place);
	char *path = init_config_path(&wish), expected[256];
	struct settings settings = {0};
	struct err err = {0};

	assert_int_equal(init_make(&wish, place->said, &err), RC_OK);
	if (settings_load(path, &settings, &err) != RC_OK)
		fail_msg("%s", err.msg);
	assert_string_equal(settings.conninfo, wish.conninfo);
	assert_int_equal(settings.n_listeners, 2);
	assert_int_equal(settings.listeners[0].port, 7443);
	assert_true(settings.listeners[0].controllers);
	assert_false(settings.listeners[0].consoles);
	assert_int_equal(settings.listeners[1].port, 7444);
	assert_true(settings.listeners[1].consoles);
	(void)snprintf(expected, sizeof(expected), "%s/journal", place->home);
	assert_string_equal(settings.journal_dir, expected);
	(void)snprintf(expected, sizeof(expected), "%s/run/control.sock", place->home);
	assert_string_equal(settings.control_socket, expected);
	settings_free(&settings);
	free(path);
}

static void
test_one_port_is_one_listener(void **state)
{
	struct place *place = *state;
	struct init_wish wish = wish_for(place);
	char *path = init_config_path(&wish);
	struct settings settings = {0};
	struct err err = {0};

	wish.console_port = wish.port;
	assert_int_equal(init_make(&wish, place->said, &err), RC_OK);
	assert_int_equal(settings_load(path, &settings, &err), RC_OK);
	assert_int_equal(settings.n_listeners, 1);
	assert_true(settings.listeners[0].controllers && settings.listeners[0].consoles);
	settings_free(&settings);
	free(path);
}

/* The daemon's own eyes: its TLS context takes the three files. */
static void
test_certificates_serve_the_daemon(void **state)
{
	struct place *place = *state;
	const struct init_wish wish = wish_for(place);
	char *path = init_config_path(&wish);
	struct settings settings = {0};
	struct tls *tls = NULL;
	struct err err = {0};

	assert_int_equal(init_make(&wish, place->said, &err), RC_OK);
	assert_int_equal(settings_load(path, &settings, &err), RC_OK);
	const struct tls_files files = {.ca = settings.tls_ca,
					.certificate = settings.tls_certificate,
					.key = settings.tls_key};

	if (tls_server_new(&tls, &files, &err) != RC_OK)
		fail_msg("%s", err.msg);
	assert_in_range(tls_days_left(tls), 29, 30);
	tls_unref(&tls);
	settings_free(&settings);
	free(path);
}

static void
test_secrets_are_for_their_owner_only(void **state)
{
	struct place *place = *state;
	const struct init_wish wish = wish_for(place);
	struct err err = {0};
	mode_t before = umask(0); /* the modes are ours, not the shell's */

	assert_int_equal(init_make(&wish, place->said, &err), RC_OK);
	(void)umask(before);
	assert_int_equal(mode_of(place, "ca"), 0700);
	assert_int_equal(mode_of(place, "ca/ca.key"), 0600);
	assert_int_equal(mode_of(place, "tls/key.pem"), 0600);
	assert_int_equal(mode_of(place, "keys"), 0700);
	assert_int_equal(mode_of(place, "keys/site.key"), 0600);
	assert_int_equal(mode_of(place, "gatehoused.yaml"), 0640);
	assert_int_equal(mode_of(place, "journal"), 0750);
}

static void
test_site_keys_are_random(void **state)
{
	struct place *place = *state;
	struct init_wish wish = wish_for(place);
	uint8_t *keys[2];
	struct err err = {0};
	char other[160], path[256];
	const char *homes[] = {place->home, other};
	size_t n;

	(void)snprintf(other, sizeof(other), "%s/b", place->dir);
	for (size_t i = 0; i < 2; i++) {
		wish.dir = homes[i];
		assert_int_equal(init_make(&wish, place->said, &err), RC_OK);
		(void)snprintf(path, sizeof(path), "%s/keys/site.key", homes[i]);
		assert_int_equal(fs_read_file(path, 64, &keys[i], &n, &err), RC_OK);
		assert_int_equal(n, 32);
	}
	assert_memory_not_equal(keys[0], keys[1], 32);
	free(keys[0]);
	free(keys[1]);
}

static void
test_nothing_is_overwritten(void **state)
{
	struct place *place = *state;
	const struct init_wish wish = wish_for(place);
	char path[256], *list = NULL;
	uint8_t *before, *after;
	size_t n, list_bytes;
	FILE *said = open_memstream(&list, &list_bytes);
	struct err err = {0};

	assert_int_equal(init_make(&wish, place->said, &err), RC_OK);
	(void)snprintf(path, sizeof(path), "%s/keys/site.key", place->home);
	assert_int_equal(fs_read_file(path, 64, &before, &n, &err), RC_OK);
	assert_int_equal(init_make(&wish, said, &err), RC_INVALID);
	assert_int_equal(fs_read_file(path, 64, &after, &n, &err), RC_OK);
	assert_memory_equal(before, after, 32);
	(void)fclose(said);
	assert_non_null(strstr(list, "keys/site.key"));
	assert_non_null(strstr(list, "gatehoused.yaml"));
	free(list);
	free(before);
	free(after);
}

/* One file of somebody else stops all of it, before anything is made. */
static void
test_one_file_in_the_way_stops_it(void **state)
{
	struct place *place = *state;
	const struct init_wish wish = wish_for(place);
	char path[256];
	struct err err = {0};

	(void)snprintf(path, sizeof(path), "%s/tls", place->home);
	assert_int_equal(files_make_dirs(path, 0755, FILES_OWNER_SELF, &err), RC_OK);
	(void)snprintf(path, sizeof(path), "%s/tls/key.pem", place->home);
	/* a link to nowhere is something too: writing through it would be a trap */
	assert_int_equal(symlink("/nonexistent/elsewhere", path), 0);
	assert_int_equal(init_make(&wish, place->said, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "tls/key.pem"));
	(void)snprintf(path, sizeof(path), "%s/ca", place->home);
	assert_false(files_exists(path));
}

static void
test_wishes_that_cannot_be(void **state)
{
	struct place *place = *state;
	struct init_wish wish = wish_for(place);
	struct err err = {0};
	char deep[200];

	wish.conninfo = "dbname=a\nlisteners: []";
	assert_int_equal(init_make(&wish, place->said, &err), RC_INVALID);
	wish = wish_for(place);
	memset(deep, 'd', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = '\0';
	wish.dir = deep;
	assert_int_equal(init_make(&wish, place->said, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "too long for the socket"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_configuration_loads_and_says_what_was_wished,
						setup_place, teardown_place),
		cmocka_unit_test_setup_teardown(test_one_port_is_one_listener, setup_place,
						teardown_place),
		cmocka_unit_test_setup_teardown(test_certificates_serve_the_daemon, setup_place,
						teardown_place),
		cmocka_unit_test_setup_teardown(test_secrets_are_for_their_owner_only, setup_place,
						teardown_place),
		cmocka_unit_test_setup_teardown(test_site_keys_are_random, setup_place,
						teardown_place),
		cmocka_unit_test_setup_teardown(test_nothing_is_overwritten, setup_place,
						teardown_place),
		cmocka_unit_test_setup_teardown(test_one_file_in_the_way_stops_it, setup_place,
						teardown_place),
		cmocka_unit_test_setup_teardown(test_wishes_that_cannot_be, setup_place,
						teardown_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
