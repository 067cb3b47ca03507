/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register on its way from PostgreSQL into the daemon: at first, when it
 * changed, when it is asked for, and when it makes no sense.
 */
#include "scene.h"

static struct admin *admin;
static struct err err;

static enum rc
put_door(struct admin_door door)
{
	return admin_put_door(admin, &door, &err);
}

static int
start(void **state)
{
	(void)scene_start(state);
	assert_int_equal(admin_open(&admin, pg.conninfo, &err), RC_OK);
	assert_int_equal(admin_put_station(admin, "north", "North", &err), RC_OK);
	assert_int_equal(admin_put_area(admin, "city", "City", NULL, "north", &err), RC_OK);
	assert_int_equal(admin_put_area(admin, "ward", "Ward", "city", NULL, &err), RC_OK);
	assert_int_equal(admin_put_site(admin, "estate", "Estate", "ward", "1 Road", &err), RC_OK);
	assert_int_equal(admin_put_controller(admin, "c1", "estate", &err), RC_OK);
	assert_int_equal(admin_put_controller(admin, "c2", "estate", &err), RC_OK);
	assert_int_equal(admin_set_enabled(admin, ADMIN_CONTROLLERS, "c2", false, &err), RC_OK);
	assert_int_equal(put_door((struct admin_door){.code = "d1",
						      .name = "Front",
						      .site = "estate",
						      .controller = "c1",
						      .number = 2,
						      .address = "Gate"}),
			 RC_OK);
	assert_int_equal(
		put_door((struct admin_door){.code = "d2", .name = "Shed", .site = "estate"}),
		RC_OK);
	assert_int_equal(admin_put_console(admin, "desk1", "north", NULL, &err), RC_OK);
	pg_do(conn,
	      "UPDATE sites SET timezone = 'Asia/Shanghai';"
	      "INSERT INTO units (site_id, code, name, address)"
	      " SELECT site_id, '301', 'Flat', '3rd' FROM sites;"
	      "INSERT INTO door_groups (site_id, code) SELECT site_id, 'all' FROM sites;"
	      "INSERT INTO unit_doors SELECT unit_id, door_id, site_id FROM units"
	      " JOIN doors USING (site_id) WHERE doors.code = 'd1';"
	      "INSERT INTO door_group_doors SELECT group_id, door_id, site_id FROM door_groups"
	      " JOIN doors USING (site_id);"
	      "INSERT INTO desks (name, role) VALUES ('office', 'manager');"
	      "INSERT INTO desks (name, role, enabled) VALUES ('owner', 'landlord', false);"
	      "INSERT INTO desk_sites SELECT desk_id, site_id FROM desks, sites;"
	      "INSERT INTO desk_units SELECT desk_id, unit_id FROM desks, units"
	      " WHERE desks.name = 'owner'");
	return 0;
}

static int
end(void **state)
{
	admin_close(&admin);
	return scene_end(state);
}

static int
open_feed(void **state)
{
	(void)state;
	scene_open_feed();
	feed_await_registers(&feed, 1);
	return 0;
}

/* The last register that was handed on; the caller lets go of it. */
static struct reg *
last_register(void)
{
	struct reg *reg;

	pthread_mutex_lock(&feed.lock);
	reg = reg_ref(feed.reg);
	pthread_mutex_unlock(&feed.lock);
	return reg;
}

static void
test_every_column(void **state)
{
	struct reg *reg = last_register();
	const struct controller *c1 = reg_controller_by_name(reg, "c1");
	const struct controller *c2 = reg_controller_by_name(reg, "c2");
	const struct console *desk1 = reg_console_by_name(reg, "desk1");
	const struct door *door;

	(void)state;
	assert_true(c1->enabled);
	assert_false(c2->enabled);
	assert_int_equal(c2->n_doors, 0);
	assert_string_equal(c1->site->code, "estate");
	assert_string_equal(c1->site->name, "Estate");
	assert_string_equal(c1->site->address, "1 Road");
	assert_string_equal(c1->site->area->code, "ward");
	assert_string_equal(c1->site->area->name, "Ward");
	assert_int_equal(c1->site->area->station_id, 0);
	assert_string_equal(c1->site->area->parent->code, "city");
	assert_string_equal(c1->site->area->station->name, "North");
	door = controller_door(c1, 2);
	assert_string_equal(door->code, "d1");
	assert_string_equal(door->name, "Front");
	assert_string_equal(door->address, "Gate");
	assert_true(desk1->enabled);
	assert_string_equal(desk1->station->code, "north");
	assert_int_equal(reg_counts(reg).doors, 2);
	assert_int_equal(feed_status(&feed).register_loads, atomic_load(&feed.registers));
	reg_unref(&reg);
}

static void
test_an_operator_has_the_same(void **state)
{
	struct reg *theirs = last_register(), *ours = NULL;
	struct reg_counts a, b;

	(void)state;
	assert_int_equal(admin_load_register(admin, &ours, &err), RC_OK);
	a = reg_counts(theirs);
	b = reg_counts(ours);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_string_equal(reg_site_by_code(ours, "estate")->timezone, "Asia/Shanghai");
	reg_unref(&theirs);
	reg_unref(&ours);
}

static void
test_cards_and_rights(void **state)
{
	const struct rights_conf conf = {.changes = 1};
	struct rights *rights = rights_new(&conf);
	struct reg *reg = last_register();
	uint32_t site = reg_site_by_code(reg, "estate")->id;
	uint32_t door = reg_door_by_code(reg, "d1")->id, at = 0;
	uint8_t key[CARD_KEY_BYTES];
	const struct card *card;
	struct right right;

	(void)state;
	pg_do(conn, "INSERT INTO cards (site_id, card_key, kind, status, valid_from, valid_until,"
		    " unit) SELECT site_id, decode(repeat('a1', 32), 'hex'), 'temporary',"
		    " 'suspended', to_timestamp(1000), to_timestamp(2000), '301' FROM sites;"
		    "INSERT INTO cards (site_id, card_key, kind, status, valid_from)"
		    " SELECT site_id, decode(repeat('b2', 32), 'hex'), 'owner', 'revoked',"
		    " to_timestamp(1000) FROM sites;"
		    "INSERT INTO grants (site_id, card_id, door_id, valid_from, valid_until,"
		    " weekly_minutes, granted_by) SELECT c.site_id, card_id, door_id,"
		    " to_timestamp(1100), to_timestamp(1900), '{[60,120),[1500,1560)}', 'office'"
		    " FROM cards c, doors d WHERE d.code = 'd1'");
	if (admin_load_rights(admin, rights, &err) != RC_OK)
		fail_msg("%s", err.msg);
	memset(key, 0xa1, sizeof(key));
	card = rights_card(rights, site, key);
	assert_non_null(card);
	assert_int_equal(card->kind, CARD_KIND_TEMPORARY);
	assert_int_equal(card->status, CARD_SUSPENDED);
	assert_int_equal(card->valid_from_us, INT64_C(1000000000));
	assert_int_equal(card->valid_until_us, INT64_C(2000000000));
	assert_string_equal(card->unit, "301");
	assert_true(rights_next_of_card(rights, card, &at, &right));
	assert_int_equal(right.door_id, door);
	assert_int_equal(right.valid_from_us, INT64_C(1100000000));
	assert_int_equal(right.valid_until_us, INT64_C(1900000000));
	assert_int_equal(right.n_hours, 2);
	assert_int_equal(right.hours[1].from_minute, 1500);
	assert_int_equal(right.hours[1].to_minute, 1560);
	assert_false(rights_next_of_card(rights, card, &at, &right));
	memset(key, 0xb2, sizeof(key));
	card = rights_card(rights, site, key);
	assert_int_equal(card->status, CARD_REVOKED);
	at = 0;
	assert_false(rights_next_of_card(rights, card, &at, &right));
	pg_do(conn, "DELETE FROM cards");
	rights_free(&rights);
	reg_unref(&reg);
}

static void
test_every_column_of_desks_and_units(void **state)
{
	struct reg *reg = last_register();
	const struct site *site = reg_site_by_code(reg, "estate");
	const struct unit *unit = reg_unit_by_code(reg, site->id, "301");
	const struct door_group *group = reg_group_by_code(reg, site->id, "all");
	const struct registration_desk *office = reg_desk_by_name(reg, "office");
	const struct registration_desk *owner = reg_desk_by_name(reg, "owner");
	size_t n;

	(void)state;
	assert_string_equal(site->timezone, "Asia/Shanghai");
	assert_string_equal(unit->name, "Flat");
	assert_string_equal(unit->address, "3rd");
	assert_true(office->enabled && office->role == DESK_MANAGER);
	assert_true(!owner->enabled && owner->role == DESK_LANDLORD);
	/* a record's identity begins with the number of who reported it */
	assert_null(reg_controller(reg, office->id));
	assert_null(reg_controller(reg, owner->id));
	assert_true(reg_is_linked(reg, REG_DESK_SITES, office->id, site->id));
	assert_true(reg_is_linked(reg, REG_DESK_UNITS, owner->id, unit->id));
	assert_false(reg_is_linked(reg, REG_DESK_UNITS, office->id, unit->id));
	assert_true(reg_is_linked(reg, REG_UNIT_DOORS, unit->id, reg_door_by_code(reg, "d1")->id));
	assert_non_null(reg_links_of(reg, REG_GROUP_DOORS, group->id, &n));
	assert_int_equal(n, 2);
	reg_unref(&reg);
}

static void
test_loads_again_after_a_change(void **state)
{
	uint64_t before = atomic_load(&feed.registers);
	struct reg *reg;

	(void)state;
	assert_int_equal(admin_put_console(admin, "desk2", "north", NULL, &err), RC_OK);
	feed_await_registers(&feed, before + 1);
	reg = last_register();
	assert_non_null(reg_console_by_name(reg, "desk2"));
	reg_unref(&reg);
}

static void
test_loads_again_when_asked(void **state)
{
	uint64_t before = atomic_load(&feed.registers);

	(void)state;
	store_reload_register(feed.store);
	feed_await_registers(&feed, before + 1);
}

static void
test_nonsense_leaves_the_one_before(void **state)
{
	struct reg *before = last_register(), *reg;

	(void)state;
	/* two areas, each within the other: only SQL by hand can do that */
	pg_do(conn, "UPDATE areas SET parent_id = (SELECT area_id FROM areas WHERE code = 'ward')"
		    " WHERE code = 'city'");
	feed_plain_records(&feed, 1, 10);
	feed_await_stored(&feed);
	/* whenever that was loaded: nothing was handed on since */
	store_stop(feed.store, FEED_PATIENCE_MS);
	reg = last_register();
	assert_ptr_equal(reg, before);
	reg_unref(&reg);
	reg_unref(&before);
	pg_do(conn, "UPDATE areas SET parent_id = NULL WHERE code = 'city'");
}

#define FED(test) cmocka_unit_test_setup_teardown(test, open_feed, scene_close_feed)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FED(test_every_column),
		FED(test_an_operator_has_the_same),
		FED(test_cards_and_rights),
		FED(test_every_column_of_desks_and_units),
		FED(test_loads_again_after_a_change),
		FED(test_loads_again_when_asked),
		FED(test_nonsense_leaves_the_one_before),
	};

	return cmocka_run_group_tests(tests, start, end);
}
