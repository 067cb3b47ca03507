/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment folders: who is found, in which order, and what a wrong one gets. */
#include "../support/scratch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "sim/enrolment.h"

/* DIR/fleet/NAME/client.json */
static void
enrol(const char *dir, const char *name, const char *json)
{
	char *folder = xasprintf("%s/%s", dir, name);

	assert_int_equal(mkdir(folder, 0700), 0);
	free(scratch_write_text(folder, "client.json", json));
	free(folder);
}

static char *
make_dir(void **state, const char *name)
{
	char *dir = xasprintf("%s/%s", (char *)*state, name);

	assert_int_equal(mkdir(dir, 0700), 0);
	return dir;
}

#define CONTROLLER(name)                                                                           \
	"{\"name\":\"" name "\",\"role\":\"controller\",\"host\":\"127.0.0.1\",\"port\":7443,"     \
	"\"doors\":[{\"number\":7,\"code\":\"x\"},{\"number\":2}]}"
#define CONSOLE(name)                                                                              \
	"{\"name\":\"" name "\",\"role\":\"console\",\"host\":\"127.0.0.1\",\"port\":7444,"        \
	"\"station\":\"north\"}"

static void
test_clients_of_a_role_by_name(void **state)
{
	char *dir = make_dir(state, "fleet");
	struct enrolments all;
	struct err err;

	enrol(dir, "b", CONTROLLER("b"));
	enrol(dir, "a", CONTROLLER("a"));
	enrol(dir, "desk", CONSOLE("desk"));
	enrol(dir, "c", CONTROLLER("c"));
	free(scratch_write_text(dir, "README", "no folder of a client"));
	assert_int_equal(enrolments_load(&all, dir, TLS_ROLE_CONTROLLER, 0, &err), RC_OK);
	assert_int_equal(all.n, 3);
	assert_string_equal(all.items[0].name, "a");
	assert_string_equal(all.items[2].name, "c");
	assert_int_equal(all.items[0].n_doors, 2);
	assert_int_equal(all.items[0].doors[0].number, 2); /* by number */
	assert_string_equal(all.items[0].doors[1].code, "x");
	assert_true(enrolment_has_door(&all.items[0], 7));
	assert_false(enrolment_has_door(&all.items[0], 1));
	enrolments_free(&all);
	assert_int_equal(enrolments_load(&all, dir, TLS_ROLE_CONTROLLER, 2, &err), RC_OK);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.items[1].name, "b");
	enrolments_free(&all);
	assert_int_equal(enrolments_load(&all, dir, TLS_ROLE_CONSOLE, 0, &err), RC_OK);
	assert_int_equal(all.n, 1);
	enrolments_free(&all);
	free(dir);
}

static void
test_addresses_are_those_of_the_folders_or_of_the_option(void **state)
{
	char *dir = make_dir(state, "addresses");
	struct enrolments all;
	const struct sockaddr_in *in;
	struct err err;

	enrol(dir, "a", CONTROLLER("a"));
	enrol(dir, "b", CONTROLLER("b"));
	assert_int_equal(enrolments_load(&all, dir, TLS_ROLE_CONTROLLER, 0, &err), RC_OK);
	assert_int_equal(enrolments_resolve(&all, NULL, &err), RC_OK);
	in = (const void *)&all.items[1].address;
	assert_int_equal(ntohs(in->sin_port), 7443);
	assert_int_equal(enrolments_resolve(&all, "127.0.0.9:99", &err), RC_OK);
	in = (const void *)&all.items[1].address;
	assert_int_equal(ntohs(in->sin_port), 99);
	assert_int_equal(ntohl(in->sin_addr.s_addr), 0x7f000009);
	assert_int_equal(enrolments_resolve(&all, "[::1]:99", &err), RC_OK);
	assert_int_equal(all.items[0].address.ss_family, AF_INET6);
	assert_int_equal(enrolments_resolve(&all, "7443", &err), RC_INVALID);
	assert_contains(err.msg, "not of the form HOST:PORT");
	assert_int_equal(enrolments_resolve(&all, "host:", &err), RC_INVALID);
	enrolments_free(&all);
	free(dir);
}

static void
assert_refused(void **state, const char *name, const char *json, const char *why)
{
	char *dir = make_dir(state, name);
	struct enrolments all;
	struct err err;

	enrol(dir, "good", CONTROLLER("good"));
	enrol(dir, "x", json);
	assert_int_equal(enrolments_load(&all, dir, TLS_ROLE_CONTROLLER, 0, &err), RC_INVALID);
	assert_contains(err.msg, why);
	assert_contains(err.msg, "x/client.json");
	assert_int_equal(all.n, 0);
	assert_null(all.items);
	free(dir);
}

#define HEAD "{\"role\":\"controller\","

static void
test_mistakes_name_the_file(void **state)
{
	assert_refused(state, "m1", "{\n\"name\":", "client.json:2: ");
	assert_refused(state, "m2", HEAD "\"host\":\"h\",\"port\":1}", "\"name\" is not a text");
	assert_refused(state, "m3", HEAD "\"name\":\"n\",\"port\":1}", "\"host\" is missing");
	assert_refused(state, "m4", HEAD "\"name\":\"n\",\"host\":\"h\",\"port\":65536}",
		       "\"port\" is not a number");
	assert_refused(state, "m5",
		       HEAD "\"name\":\"n\",\"host\":\"h\",\"port\":1,\"doors\":[{\"number\":0}]}",
		       "door 1 has no number");
	assert_refused(state, "m6", HEAD "\"name\":\"n\",\"host\":\"h\",\"port\":1,\"doors\":7}",
		       "\"doors\" is not a list");
	assert_refused(state, "m7",
		       HEAD "\"host\":\"h\",\"port\":1,\"name\":\"012345678901234567890123456789012"
			    "34567890123456789012345678901234\"}",
		       "\"name\" is not a text of 1 to 64 bytes");
}

static void
test_empty_folder_is_said(void **state)
{
	char *dir = make_dir(state, "empty");
	struct enrolments all;
	struct err err;

	assert_int_equal(enrolments_load(&all, dir, TLS_ROLE_CONSOLE, 0, &err), RC_INVALID);
	assert_contains(err.msg, "there is no enrolled console in");
	free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_of_a_role_by_name),
		cmocka_unit_test(test_addresses_are_those_of_the_folders_or_of_the_option),
		cmocka_unit_test(test_mistakes_name_the_file),
		cmocka_unit_test(test_empty_folder_is_said),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
