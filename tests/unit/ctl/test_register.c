/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set-up and enrolment against a real PostgreSQL: all or nothing, each refusal
 * with its line, and folders that say what the register says.
 */
#include "../store/pg.h"

#include <jansson.h>
#include <sys/stat.h>

#include "ctl/clients.h"
#include "ctl/files.h"
#include "ctl/init.h"
#include "ctl/setup.h"

/* One cluster and one installation for all; each test has codes of its own. */
struct world {
	struct pg pg;
	PGconn *conn;
	char home[128];
	char *config;
	struct ctl ctl;
};

static int
world_begin(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	FILE *nowhere = fopen("/dev/null", "w");
	struct init_wish wish = {.hosts = {"127.0.0.1"},
				 .n_hosts = 1,
				 .port = 7443,
				 .console_port = 7444,
				 .days = 30,
				 .owner = FILES_OWNER_SELF};
	struct err err;

	pg_start(&world->pg);
	pg_migrate(&world->pg);
	world->conn = pg_connect(&world->pg);
	pg_do(world->conn, "INSERT INTO stations (code) VALUES ('north');"
			   "INSERT INTO areas (code) VALUES ('city');"
			   "INSERT INTO sites (code, area_id) SELECT 'mill', area_id FROM areas");
	(void)snprintf(world->home, sizeof(world->home), "%s/home", world->pg.dir);
	wish.dir = world->home;
	wish.conninfo = world->pg.conninfo;
	if (init_make(&wish, nowhere, &err) != RC_OK)
		fail_msg("%s", err.msg);
	(void)fclose(nowhere);
	world->config = init_config_path(&wish);
	world->ctl.config = world->config;
	if (ctl_need_register(&world->ctl, &err) != RC_OK)
		fail_msg("%s", err.msg);
	*state = world;
	return 0;
}

static int
world_end(void **state)
{
	struct world *world = *state;

	ctl_fini(&world->ctl);
	PQfinish(world->conn);
	pg_end(&world->pg);
	free(world->config);
	free(world);
	return 0;
}

static struct setup *
from_yaml(const char *text)
{
	struct setup *setup = setup_new("f.yaml");

	setup_read_yaml(setup, text, strlen(text));
	if (!setup_check(setup))
		fail_msg("%s", setup->problems[0]);
	return setup;
}

static void
test_a_refused_row_takes_all_back_and_has_its_line(void **state)
{
	struct world *world = *state;
	struct setup *setup = from_yaml("stations:\n"
					"  - {code: s1, name: S}\n"
					"areas:\n"
					"  - {code: a1, name: A, station: nowhere}\n"
					"sites:\n"
					"  - {code: t1, name: T, area: nowhere}\n");
	struct err err;

	assert_int_equal(setup_apply(setup, world->ctl.admin, false, &err), RC_INVALID);
	assert_int_equal(setup->n_problems, 2);
	assert_memory_equal(setup->problems[0], "f.yaml:4: ", 10);
	assert_memory_equal(setup->problems[1], "f.yaml:6: ", 10);
	pg_expect(world->conn, "SELECT count(*) FROM stations WHERE code = 's1'", "0");
	setup_free(&setup);
}

static void
test_a_dry_run_changes_nothing(void **state)
{
	struct world *world = *state;
	struct setup *setup = from_yaml("stations: [{code: s2, name: S}]");
	struct err err;

	assert_int_equal(setup_apply(setup, world->ctl.admin, true, &err), RC_OK);
	pg_expect(world->conn, "SELECT count(*) FROM stations WHERE code = 's2'", "0");
	assert_int_equal(setup_apply(setup, world->ctl.admin, false, &err), RC_OK);
	pg_expect(world->conn, "SELECT count(*) FROM stations WHERE code = 's2'", "1");
	setup_free(&setup);
}

static void
test_rows_refer_to_rows_of_the_same_file(void **state)
{
	struct world *world = *state;
	struct setup *setup =
		from_yaml("doors: [{code: d3, name: D, site: t3, controller: c3, number: 4}]\n"
			  "controllers: [{name: c3, site: t3}]\n"
			  "sites: [{code: t3, name: T, area: a3b}]\n"
			  "areas:\n"
			  "  - {code: a3b, name: Below, parent: a3a}\n"
			  "  - {code: a3a, name: Above, station: s3}\n"
			  "stations: [{code: s3, name: S}]\n"
			  "consoles: [{name: k3, station: s3}]\n");
	struct err err;

	if (setup_apply(setup, world->ctl.admin, false, &err) != RC_OK)
		fail_msg("%s", setup->n_problems > 0 ? setup->problems[0] : err.msg);
	pg_expect(world->conn,
		  "SELECT c.name || d.number FROM doors d JOIN controllers c USING (controller_id)"
		  " WHERE d.code = 'd3'",
		  "c34");
	setup_free(&setup);
}

static void
test_enrolled_controllers_know_their_doors(void **state)
{
	struct world *world = *state;
	const struct clients_wish wish = {.role = TLS_ROLE_CONTROLLER, .port = -1, .days = 30};
	struct setup *setup =
		from_yaml("controllers: [{name: c4, site: mill}, {name: c4-b, site: mill}]\n"
			  "doors:\n"
			  "  - {code: d4-9, name: D, site: mill, controller: c4, number: 9}\n"
			  "  - {code: d4-1, name: D, site: mill, controller: c4, number: 1}\n"
			  "  - {code: d4-b, name: D, site: mill, controller: c4-b, number: 1}\n");
	struct clients clients = {0};
	char *path = ctl_beside_config(&world->ctl, "clients/c4/client.json");
	char c4[] = "c4", c4_b[] = "c4-b", mill[] = "mill";
	json_t *root, *doors;
	struct stat st;
	struct err err;

	clients_add(&clients, &(struct client){.name = c4, .site = mill});
	clients_add(&clients, &(struct client){.name = c4_b, .site = mill});
	if (clients_enrol(&clients, &world->ctl, &wish, setup, &err) != RC_OK)
		fail_msg("%s", err.msg);
	root = json_load_file(path, 0, NULL);
	doors = json_object_get(root, "doors");
	assert_int_equal(json_array_size(doors), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(doors, 0), "number")),
			 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(doors, 1), "code")),
			    "d4-9");
	assert_string_equal(json_string_value(json_object_get(root, "host")), "127.0.0.1");
	assert_int_equal(json_integer_value(json_object_get(root, "port")), 7443);
	/* 32 bytes in base64, which nobody else may read */
	assert_int_equal(strlen(json_string_value(json_object_get(root, "card_key_site"))), 44);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	json_decref(root);
	free(path);
	clients_fini(&clients);
	setup_free(&setup);
}

static void
test_a_folder_in_the_way_stops_before_the_register(void **state)
{
	struct world *world = *state;
	const struct clients_wish wish = {.role = TLS_ROLE_CONTROLLER, .port = -1, .days = 30};
	struct setup *setup =
		from_yaml("controllers: [{name: c5, site: mill}, {name: c5-b, site: mill}]");
	char *path = ctl_beside_config(&world->ctl, "clients/c5-b");
	char c5[] = "c5", c5_b[] = "c5-b", mill[] = "mill";
	struct clients clients = {0};
	struct err err;

	assert_int_equal(files_make_dirs(path, 0755, FILES_OWNER_SELF, &err), RC_OK);
	clients_add(&clients, &(struct client){.name = c5, .site = mill});
	clients_add(&clients, &(struct client){.name = c5_b, .site = mill});
	assert_int_equal(clients_enrol(&clients, &world->ctl, &wish, setup, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "c5-b"));
	pg_expect(world->conn, "SELECT count(*) FROM controllers WHERE name LIKE 'c5%'", "0");
	free(path);
	clients_fini(&clients);
	setup_free(&setup);
}

static void
test_only_those_of_the_register_are_issued(void **state)
{
	static const char *const unknown[] = {"k6", "k6-unknown"}, *const twice[] = {"k6", "k6"};
	struct world *world = *state;
	struct setup *setup = from_yaml("consoles: [{name: k6, station: north}]");
	struct clients clients = {0};
	struct err err;

	assert_int_equal(setup_apply(setup, world->ctl.admin, false, &err), RC_OK);
	assert_int_equal(clients_load(&clients, &world->ctl, TLS_ROLE_CONSOLE, unknown, 2, &err),
			 RC_INVALID);
	assert_string_equal(err.msg, "there is no console \"k6-unknown\"");
	clients_fini(&clients);
	assert_int_equal(clients_load(&clients, &world->ctl, TLS_ROLE_CONSOLE, twice, 2, &err),
			 RC_OK);
	assert_int_equal(clients.n, 1);
	assert_string_equal(clients.items[0].station, "north");
	clients_fini(&clients);
	setup_free(&setup);
}

/* A landlord's and a manager's: what they are given, and what the register then has. */
static void
test_desks_are_enrolled_with_what_is_theirs(void **state)
{
	struct world *world = *state;
	const struct clients_wish wish = {.role = TLS_ROLE_DESK, .port = -1, .days = 30};
	struct setup *setup =
		from_yaml("doors:\n"
			  "  - {code: d7-a, name: D, site: mill}\n"
			  "  - {code: d7-b, name: D, site: mill}\n"
			  "sites: [{code: mill, name: M, area: city, timezone: Europe/Berlin}]\n"
			  "units:\n"
			  "  - {code: 4b, name: Flat 4b, site: mill, doors: 'd7-a, d7-b'}\n"
			  "  - {code: 5a, name: Flat 5a, site: mill}\n"
			  "groups: [{code: all, name: All, site: mill, doors: 'd7-a,d7-b'}]\n"
			  "desks:\n"
			  "  - {name: owner-7, role: landlord, units: 'mill/4b, mill/5a'}\n"
			  "  - {name: office-7, role: manager, sites: mill}\n");
	struct clients clients = {0};
	char *path = ctl_beside_config(&world->ctl, "clients/owner-7/client.json");
	json_t *root, *units;
	struct err err;

	if (setup_apply(setup, world->ctl.admin, false, &err) != RC_OK)
		fail_msg("%s", setup->n_problems > 0 ? setup->problems[0] : err.msg);
	pg_expect(world->conn, "SELECT timezone FROM sites WHERE code = 'mill'", "Europe/Berlin");
	pg_expect(world->conn,
		  "SELECT count(*) FROM unit_doors JOIN units USING (unit_id) WHERE code = '4b'",
		  "2");
	pg_expect(world->conn, "SELECT count(*) FROM door_group_doors", "2");
	pg_expect(world->conn, "SELECT count(*) FROM desk_sites", "2");
	if (clients_load(&clients, &world->ctl, TLS_ROLE_DESK, NULL, 0, &err) != RC_OK ||
	    clients_enrol(&clients, &world->ctl, &wish, NULL, &err) != RC_OK)
		fail_msg("%s", err.msg);
	root = json_load_file(path, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(root, "role")), "desk");
	assert_string_equal(json_string_value(json_object_get(root, "right")), "landlord");
	assert_int_equal(json_array_size(json_object_get(root, "sites")), 0);
	units = json_object_get(root, "units");
	assert_int_equal(json_array_size(units), 2);
	assert_string_equal(json_string_value(json_array_get(units, 1)), "mill/5a");
	/* desks are served where consoles are */
	assert_int_equal(json_integer_value(json_object_get(root, "port")), 7444);
	json_decref(root);
	free(path);
	clients_fini(&clients);
	setup_free(&setup);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_refused_row_takes_all_back_and_has_its_line),
		cmocka_unit_test(test_a_dry_run_changes_nothing),
		cmocka_unit_test(test_rows_refer_to_rows_of_the_same_file),
		cmocka_unit_test(test_enrolled_controllers_know_their_doors),
		cmocka_unit_test(test_a_folder_in_the_way_stops_before_the_register),
		cmocka_unit_test(test_only_those_of_the_register_are_issued),
		cmocka_unit_test(test_desks_are_enrolled_with_what_is_theirs),
	};

	return cmocka_run_group_tests(tests, world_begin, world_end);
}
