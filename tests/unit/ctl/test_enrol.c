/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of clients: whole or not there, never somebody else's, and what they
 * hold can be read by whoever writes a client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/enrol.h"
#include "ctl/files.h"
#include "wire/tls.h"

#include "../support/scratch.h"

struct place {
	char dir[64];
	struct ca *ca;
	struct ca_identity authority;
	struct enrol enrol;
};

static int
setup_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct err err;

	(void)snprintf(place->dir, sizeof(place->dir), "/tmp/gatehouse-enrol-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	assert_int_equal(ca_new(&place->ca, "Test authority", &err), RC_OK);
	assert_int_equal(ca_export(place->ca, &place->authority, &err), RC_OK);
	place->enrol = (struct enrol){
		.ca = place->ca,
		.authority = &place->authority,
		.dir = place->dir,
		.role = TLS_ROLE_CONTROLLER,
		.host = "gate.example.org",
		.port = 7443,
		.days = 30,
	};
	*state = place;
	return 0;
}

static int
teardown_place(void **state)
{
	struct place *place = *state;

	(void)scratch_remove_dir(place->dir);
	ca_identity_fini(&place->authority);
	ca_free(&place->ca);
	free(place);
	return 0;
}

static char *
path_in(const struct place *place, const char *name)
{
	return xasprintf("%s/%s", place->dir, name);
}

static bool
exists(const struct place *place, const char *name)
{
	char *path = path_in(place, name);
	bool there = files_exists(path);

	free(path);
	return there;
}

static json_t *
read_client(const struct place *place, const char *name)
{
	char *path = path_in(place, name);
	json_error_t mistake;
	json_t *root = json_load_file(path, 0, &mistake);

	free(path);
	assert_non_null(root);
	return root;
}

static void
enrol_one(struct place *place, const char *name)
{
	const struct enrol_door doors[] = {{1, "front"}, {2, "back \"x\""}};
	const struct enrol_client client = {.name = name, .doors = doors, .n_doors = 2};
	struct err err;

	if (enrol_stage(&place->enrol, &client, &err) != RC_OK ||
	    enrol_publish(&place->enrol, name, &err) != RC_OK)
		fail_msg("%s", err.msg);
}

static void
test_folder_has_what_a_client_needs(void **state)
{
	struct place *place = *state;
	struct stat st;
	json_t *root, *door;
	char *path;

	enrol_one(place, "mill-1");
	path = path_in(place, "mill-1/key.pem");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	free(path);
	root = read_client(place, "mill-1/client.json");
	assert_string_equal(json_string_value(json_object_get(root, "name")), "mill-1");
	assert_string_equal(json_string_value(json_object_get(root, "role")), "controller");
	assert_string_equal(json_string_value(json_object_get(root, "host")), "gate.example.org");
	assert_int_equal(json_integer_value(json_object_get(root, "port")), 7443);
	door = json_array_get(json_object_get(root, "doors"), 1);
	assert_int_equal(json_integer_value(json_object_get(door, "number")), 2);
	assert_string_equal(json_string_value(json_object_get(door, "code")), "back \"x\"");
	json_decref(root);
}

/* The client's own eyes: its TLS context takes the three files. */
static void
test_certificates_serve_the_client(void **state)
{
	struct place *place = *state;
	char *ca, *certificate, *key;
	struct tls *tls = NULL;
	struct err err;

	enrol_one(place, "mill-1");
	ca = path_in(place, "mill-1/ca.pem");
	certificate = path_in(place, "mill-1/certificate.pem");
	key = path_in(place, "mill-1/key.pem");
	const struct tls_files files = {.ca = ca, .certificate = certificate, .key = key};

	if (tls_client_new(&tls, &files, &err) != RC_OK)
		fail_msg("%s", err.msg);
	tls_unref(&tls);
	free(ca);
	free(certificate);
	free(key);
}

static void
test_console_has_its_station(void **state)
{
	struct place *place = *state;
	const struct enrol_client client = {.name = "desk-1", .station = "north"};
	struct err err;
	json_t *root;

	place->enrol.role = TLS_ROLE_CONSOLE;
	assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_OK);
	assert_int_equal(enrol_publish(&place->enrol, "desk-1", &err), RC_OK);
	root = read_client(place, "desk-1/client.json");
	assert_string_equal(json_string_value(json_object_get(root, "station")), "north");
	assert_null(json_object_get(root, "doors"));
	json_decref(root);
}

static void
test_until_it_is_published_there_is_nothing(void **state)
{
	struct place *place = *state;
	const struct enrol_client client = {.name = "a"};
	struct err err;

	assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_OK);
	assert_false(exists(place, "a"));
	assert_true(exists(place, ".a.new"));
	enrol_discard(&place->enrol, "a");
	assert_false(exists(place, ".a.new"));
	enrol_discard(&place->enrol, "a");
}

static void
test_what_an_interrupted_run_left_is_no_obstacle(void **state)
{
	struct place *place = *state;
	const struct enrol_client client = {.name = "a"};
	struct err err;

	assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_OK);
	assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_OK);
	assert_int_equal(enrol_publish(&place->enrol, "a", &err), RC_OK);
	assert_true(exists(place, "a/key.pem"));
}

static void
test_a_folder_that_is_there_stays(void **state)
{
	struct place *place = *state;
	const struct enrol_client client = {.name = "a"};
	char *path = path_in(place, "a");
	struct err err;

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "exists already"));
	assert_false(exists(place, ".a.new"));
	free(path);
}

/* Also when it came between staging and publishing. */
static void
test_a_folder_that_came_meanwhile_stays(void **state)
{
	struct place *place = *state;
	const struct enrol_client client = {.name = "a"};
	char *path = path_in(place, "a");
	struct err err;

	assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_OK);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(enrol_publish(&place->enrol, "a", &err), RC_FAIL);
	assert_false(exists(place, "a/key.pem"));
	free(path);
}

static void
test_replacing_gives_a_new_key_and_leaves_nothing(void **state)
{
	struct place *place = *state;
	char *path = path_in(place, "a/key.pem"), before[512] = "", after[512] = "";
	FILE *file;

	enrol_one(place, "a");
	file = fopen(path, "r");
	assert_true(fread(before, 1, sizeof(before) - 1, file) > 0);
	(void)fclose(file);
	place->enrol.replace = true;
	enrol_one(place, "a");
	file = fopen(path, "r");
	assert_true(fread(after, 1, sizeof(after) - 1, file) > 0);
	(void)fclose(file);
	assert_string_not_equal(before, after);
	assert_false(exists(place, ".a.new"));
	free(path);
}

static void
test_names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = {"..", "../x", "a/b", "", ".hidden", "-rf", "a\nb"};
	struct place *place = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct enrol_client client = {.name = names[i]};

		assert_int_equal(enrol_stage(&place->enrol, &client, &err), RC_INVALID);
	}
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup_place, teardown_place)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(test_folder_has_what_a_client_needs),
		WITH_PLACE(test_certificates_serve_the_client),
		WITH_PLACE(test_console_has_its_station),
		WITH_PLACE(test_until_it_is_published_there_is_nothing),
		WITH_PLACE(test_what_an_interrupted_run_left_is_no_obstacle),
		WITH_PLACE(test_a_folder_that_is_there_stays),
		WITH_PLACE(test_a_folder_that_came_meanwhile_stays),
		WITH_PLACE(test_replacing_gives_a_new_key_and_leaves_nothing),
		WITH_PLACE(test_names_that_lead_elsewhere_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
