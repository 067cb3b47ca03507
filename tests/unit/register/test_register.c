/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register: what is tied to what, what is refused, and that a copy lives as
 * long as its last user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "register/register.h"

/*
 *	city (station Centre)
 *	 +- north (station North)
 *	 |   +- estate		site elm, controller elm-1 with doors 1, 2, 7
 *	 |       +- yard
 *	 +- south		site oak, controller oak-1 without doors
 *	abroad			site far, nobody's; a door that is not hung
 */
static struct reg_builder *
sample_builder(void)
{
	struct reg_builder *b = reg_builder_new();

	/* out of order on purpose: references may come before what they refer to */
	reg_add_door(b, &(struct door){.id = 101,
				       .site_id = 41,
				       .controller_id = 31,
				       .number = 7,
				       .code = "elm-roof",
				       .name = "Roof",
				       .address = "Elm Road 1, roof"});
	reg_add_door(b, &(struct door){.id = 107,
				       .site_id = 41,
				       .controller_id = 31,
				       .number = 1,
				       .code = "elm-front",
				       .name = "Front door",
				       .address = "Elm Road 1"});
	reg_add_door(b, &(struct door){.id = 102,
				       .site_id = 41,
				       .controller_id = 31,
				       .number = 2,
				       .code = "elm-back",
				       .name = "Back door",
				       .address = "Elm Road 1, yard"});
	reg_add_door(b,
		     &(struct door){.id = 110, .site_id = 43, .code = "far-gate", .name = "Gate"});
	reg_add_controller(b, 32, 42, "oak-1", false);
	reg_add_controller(b, 31, 41, "elm-1", true);
	reg_add_console(b, 51, 2, "desk-north", false, true);
	reg_add_site(b, 41, 13, "elm", "Elm Court", "Elm Road 1");
	reg_add_site(b, 42, 12, "oak", "Oak House", NULL);
	reg_add_site(b, 43, 14, "far", "Far Away", "");
	reg_add_area(b, 13, 11, 0, "estate", "The estate");
	reg_add_area(b, 12, 10, 0, "south", "South");
	reg_add_area(b, 11, 10, 2, "north", "North");
	reg_add_area(b, 14, 0, 0, "abroad", "Abroad");
	/* its id comes before those of the areas above it, from which it inherits */
	reg_add_area(b, 9, 13, 0, "yard", "The yard");
	reg_add_area(b, 10, 0, 1, "city", "The city");
	reg_add_station(b, 2, "n", "North station");
	reg_add_station(b, 1, "c", "Centre");
	return b;
}

static struct reg *
sample_reg(void)
{
	struct reg_builder *b = sample_builder();
	struct reg *reg;
	struct err err;

	assert_int_equal(reg_build(&b, 1234, &reg, &err), RC_OK);
	assert_null(b);
	return reg;
}

/* Expects that the builder's rows are refused for a reason that contains `why`. */
static void
assert_refused(struct reg_builder *b, const char *why)
{
	struct reg *reg = (struct reg *)b; /* anything but NULL */
	struct err err = {0};

	assert_int_equal(reg_build(&b, 0, &reg, &err), RC_INVALID);
	assert_null(b);
	assert_null(reg);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\", expected \"%s\"", err.msg, why);
}

static void
names_and_ids_are_found(void **state)
{
	struct reg *reg = sample_reg();

	(void)state;
	assert_string_equal(reg_controller(reg, 31)->name, "elm-1");
	assert_int_equal(reg_controller_by_name(reg, "oak-1")->id, 32);
	assert_int_equal(reg_console_by_name(reg, "desk-north")->station_id, 2);
	assert_string_equal(reg_door(reg, 101)->name, "Roof");
	assert_string_equal(reg_site(reg, 42)->address, "");
	assert_int_equal(reg_area_by_code(reg, "estate")->id, 13);
	assert_string_equal(reg_station(reg, 1)->code, "c");
	assert_int_equal(reg_as_of_us(reg), 1234);
	reg_unref(&reg);
}

static void
what_is_not_there_is_null(void **state)
{
	struct reg *reg = sample_reg();

	(void)state;
	assert_null(reg_controller(reg, 0));
	assert_null(reg_controller(reg, 30));
	assert_null(reg_controller(reg, 33));
	assert_null(reg_controller(reg, UINT32_MAX));
	assert_null(reg_controller_by_name(reg, ""));
	assert_null(reg_controller_by_name(reg, "elm"));
	assert_null(reg_controller_by_name(reg, "elm-10"));
	/* a console's name is not a controller's */
	assert_null(reg_controller_by_name(reg, "desk-north"));
	reg_unref(&reg);
}

static void
pointers_lead_where_ids_say(void **state)
{
	struct reg *reg = sample_reg();
	const struct door *door = reg_door(reg, 101);

	(void)state;
	assert_ptr_equal(door->site, reg_site(reg, 41));
	assert_ptr_equal(door->site->area, reg_area_by_code(reg, "estate"));
	assert_ptr_equal(door->site->area->parent, reg_area_by_code(reg, "north"));
	assert_null(reg_area_by_code(reg, "city")->parent);
	assert_ptr_equal(reg_controller(reg, 31)->site, door->site);
	assert_ptr_equal(reg_console_by_name(reg, "desk-north")->station, reg_station(reg, 2));
	reg_unref(&reg);
}

static void
doors_hang_by_number(void **state)
{
	struct reg *reg = sample_reg();
	const struct controller *elm = reg_controller(reg, 31);

	(void)state;
	assert_int_equal(elm->n_doors, 3);
	assert_int_equal(elm->doors[0]->number, 1);
	assert_int_equal(elm->doors[1]->number, 2);
	assert_int_equal(elm->doors[2]->number, 7);
	assert_int_equal(controller_door(elm, 7)->id, 101);
	assert_null(controller_door(elm, 0));
	assert_null(controller_door(elm, 3));
	assert_null(controller_door(elm, 8));
	assert_int_equal(reg_controller(reg, 32)->n_doors, 0);
	assert_null(controller_door(reg_controller(reg, 32), 1));
	reg_unref(&reg);
}

static void
responsibility_is_inherited(void **state)
{
	struct reg *reg = sample_reg();

	(void)state;
	assert_int_equal(reg_area_by_code(reg, "north")->station->id, 2);
	assert_int_equal(reg_area_by_code(reg, "estate")->station->id, 2);
	assert_int_equal(reg_area_by_code(reg, "yard")->station->id, 2);
	assert_int_equal(reg_area_by_code(reg, "south")->station->id, 1);
	assert_null(reg_area_by_code(reg, "abroad")->station);
	/* inherited, not given */
	assert_int_equal(reg_area_by_code(reg, "estate")->station_id, 0);
	reg_unref(&reg);
}

static void
stations_cover_what_lies_below(void **state)
{
	struct reg *reg = sample_reg();
	const struct area *estate = reg_area_by_code(reg, "estate");

	(void)state;
	assert_true(station_covers_area(reg, 2, estate));
	/* Centre comes second there, but sees it */
	assert_true(station_covers_area(reg, 1, estate));
	assert_false(station_covers_area(reg, 2, reg_area_by_code(reg, "south")));
	assert_false(station_covers_area(reg, 2, reg_area_by_code(reg, "city")));
	assert_false(station_covers_area(reg, 1, reg_area_by_code(reg, "abroad")));
	/* "none" must not match areas that have none */
	assert_false(station_covers_area(reg, 0, estate));

	assert_true(area_within(estate, estate));
	assert_true(area_within(estate, reg_area_by_code(reg, "city")));
	assert_false(area_within(reg_area_by_code(reg, "city"), estate));
	assert_false(area_within(estate, reg_area_by_code(reg, "south")));
	reg_unref(&reg);
}

static void
counts_and_list(void **state)
{
	struct reg *reg = sample_reg();
	struct reg_counts counts = reg_counts(reg);
	const struct controller *const *controllers;
	size_t n;

	(void)state;
	assert_int_equal(counts.stations, 2);
	assert_int_equal(counts.areas, 6);
	assert_int_equal(counts.sites, 3);
	assert_int_equal(counts.controllers, 2);
	assert_int_equal(counts.doors, 4);
	assert_int_equal(counts.consoles, 1);
	controllers = reg_controllers(reg, &n);
	assert_int_equal(n, 2);
	assert_int_equal(controllers[0]->id, 31);
	assert_int_equal(controllers[1]->id, 32);
	reg_unref(&reg);
}

static void
an_empty_register_is_one(void **state)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg;
	struct err err;
	size_t n;

	(void)state;
	assert_int_equal(reg_build(&b, 0, &reg, &err), RC_OK);
	assert_null(reg_controller_by_name(reg, "elm-1"));
	assert_null(reg_door(reg, 1));
	reg_controllers(reg, &n);
	assert_int_equal(n, 0);
	reg_unref(&reg);
}

static void
doubled_rows_are_refused(void **state)
{
	struct reg_builder *b = sample_builder();

	(void)state;
	reg_add_site(b, 41, 10, "elm-again", "", "");
	assert_refused(b, "site 41 is there twice");

	b = sample_builder();
	reg_add_controller(b, 33, 41, "elm-1", true);
	assert_refused(b, "controllers 31 and 33 have the same code \"elm-1\"");

	b = sample_builder();
	reg_add_door(b, &(struct door){.id = 108,
				       .site_id = 41,
				       .controller_id = 31,
				       .number = 7,
				       .code = "elm-other"});
	assert_refused(b, "both number 7 of controller 31");
}

static void
references_to_nothing_are_refused(void **state)
{
	struct reg_builder *b = sample_builder();

	(void)state;
	reg_add_area(b, 20, 99, 0, "x", "");
	assert_refused(b, "area 20 refers to area 99");
	b = sample_builder();
	reg_add_area(b, 20, 0, 99, "x", "");
	assert_refused(b, "area 20 refers to station 99");
	b = sample_builder();
	reg_add_site(b, 49, 0, "x", "", "");
	assert_refused(b, "site 49 refers to area 0");
	b = sample_builder();
	reg_add_controller(b, 39, 99, "x", true);
	assert_refused(b, "controller 39 refers to site 99");
	b = sample_builder();
	reg_add_door(
		b,
		&(struct door){
			.id = 199, .site_id = 99, .controller_id = 31, .number = 9, .code = "x"});
	assert_refused(b, "door 199 refers to site 99");
	b = sample_builder();
	reg_add_door(
		b,
		&(struct door){
			.id = 199, .site_id = 41, .controller_id = 99, .number = 9, .code = "x"});
	assert_refused(b, "door 199 refers to controller 99");
	b = sample_builder();
	reg_add_console(b, 59, 99, "x", false, true);
	assert_refused(b, "console 59 refers to station 99");
}

static void
circles_are_refused(void **state)
{
	struct reg_builder *b = sample_builder();

	(void)state;
	reg_add_area(b, 20, 20, 0, "self", "");
	assert_refused(b, "area 20 lies below itself");

	b = sample_builder();
	reg_add_area(b, 20, 22, 0, "x", "");
	reg_add_area(b, 21, 20, 0, "y", "");
	reg_add_area(b, 22, 21, 0, "z", "");
	/* hangs at the circle, and is not on it */
	reg_add_area(b, 23, 20, 0, "tail", "");
	assert_refused(b, "lies below itself");
}

static void
bad_rows_are_refused(void **state)
{
	char code[REGISTER_CODE_MAX + 2], text[REGISTER_TEXT_MAX + 100];
	struct reg_builder *b = sample_builder();

	(void)state;
	reg_add_station(b, 0, "zero", "");
	assert_refused(b, "station \"zero\" has id 0");
	b = sample_builder();
	reg_add_controller(b, 33, 41, "", true);
	assert_refused(b, "controller 33 has an empty code");
	b = sample_builder();
	reg_add_door(b, &(struct door){.id = 199, .site_id = 41, .controller_id = 31, .code = "x"});
	assert_refused(b, "door 199 has number 0");

	memset(code, 'c', sizeof(code) - 1);
	code[sizeof(code) - 1] = '\0';
	b = sample_builder();
	reg_add_console(b, 59, 1, code, false, true);
	assert_refused(b, "console 59: its code is longer than 64 bytes");

	memset(text, 't', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	b = sample_builder();
	reg_add_area(b, 20, 0, 0, "x", text);
	assert_refused(b, "area 20: its name is longer than 200 bytes");
	text[REGISTER_TEXT_MAX + 1] = '\0';
	b = sample_builder();
	reg_add_site(b, 49, 10, "x", "", text);
	assert_refused(b, "site 49: its address is longer than 200 bytes");
}

static void
texts_of_full_length_are_kept(void **state)
{
	char code[REGISTER_CODE_MAX + 1], text[REGISTER_TEXT_MAX + 1];
	struct reg_builder *b = sample_builder();
	struct reg *reg;
	struct err err;

	(void)state;
	memset(code, 'c', REGISTER_CODE_MAX);
	code[REGISTER_CODE_MAX] = '\0';
	memset(text, 't', REGISTER_TEXT_MAX);
	text[REGISTER_TEXT_MAX] = '\0';
	reg_add_site(b, 49, 10, code, text, text);
	assert_int_equal(reg_build(&b, 0, &reg, &err), RC_OK);
	assert_string_equal(reg_site(reg, 49)->code, code);
	assert_string_equal(reg_site(reg, 49)->name, text);
	assert_string_equal(reg_site(reg, 49)->address, text);
	reg_unref(&reg);
}

static void
an_unused_builder_can_be_thrown_away(void **state)
{
	struct reg_builder *b = sample_builder();

	(void)state;
	reg_builder_free(&b);
	assert_null(b);
	reg_builder_free(&b);
}

/* The size that the daemon is made for: each row must be found again. */
static void
a_city_is_built_and_found(void **state)
{
	enum { CONTROLLERS = 10000, DOORS_EACH = 2 };
	struct reg_builder *b = reg_builder_new();
	struct reg *reg;
	struct err err;
	char name[32];

	(void)state;
	reg_add_station(b, 1, "s", "");
	reg_add_area(b, 1, 0, 1, "a", "");
	reg_add_site(b, 1, 1, "site", "", "");
	/* from the highest id down, so that sorting has all to do */
	for (uint32_t i = CONTROLLERS; i >= 1; i--) {
		snprintf(name, sizeof(name), "ctl-%u", i);
		reg_add_controller(b, i, 1, name, true);
		for (uint32_t number = DOORS_EACH; number >= 1; number--) {
			snprintf(name, sizeof(name), "door-%u-%u", i, number);
			reg_add_door(b, &(struct door){.id = i * 10 + number,
						       .site_id = 1,
						       .controller_id = i,
						       .number = number,
						       .code = name,
						       .name = "Door",
						       .address = "Street"});
		}
	}
	assert_int_equal(reg_build(&b, 0, &reg, &err), RC_OK);
	for (uint32_t i = 1; i <= CONTROLLERS; i++) {
		const struct controller *controller = reg_controller(reg, i);

		snprintf(name, sizeof(name), "ctl-%u", i);
		assert_ptr_equal(controller, reg_controller_by_name(reg, name));
		assert_int_equal(controller->n_doors, DOORS_EACH);
		assert_ptr_equal(controller_door(controller, 2), reg_door(reg, i * 10 + 2));
	}
	reg_unref(&reg);
	assert_null(reg);
	reg_unref(&reg);
}

static void *
reader_main(void *arg)
{
	struct reg *reg = arg;

	for (int i = 0; i < 20000; i++) {
		struct reg *mine = reg_ref(reg);

		if (reg_controller_by_name(mine, "elm-1") == NULL)
			return NULL;
		reg_unref(&mine);
	}
	reg_unref(&reg);
	return arg;
}

/* Under the thread sanitizer this shows that letting go is ordered; under the
 * address sanitizer, that the last one frees, and only that. */
static void
readers_share_one_copy(void **state)
{
	struct reg *reg = sample_reg();
	pthread_t readers[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(pthread_create(&readers[i], NULL, reader_main, reg_ref(reg)), 0);
	reg_unref(&reg);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		void *result;

		assert_int_equal(pthread_join(readers[i], &result), 0);
		assert_non_null(result);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_ids_are_found),
		cmocka_unit_test(what_is_not_there_is_null),
		cmocka_unit_test(pointers_lead_where_ids_say),
		cmocka_unit_test(doors_hang_by_number),
		cmocka_unit_test(responsibility_is_inherited),
		cmocka_unit_test(stations_cover_what_lies_below),
		cmocka_unit_test(counts_and_list),
		cmocka_unit_test(an_empty_register_is_one),
		cmocka_unit_test(doubled_rows_are_refused),
		cmocka_unit_test(references_to_nothing_are_refused),
		cmocka_unit_test(circles_are_refused),
		cmocka_unit_test(bad_rows_are_refused),
		cmocka_unit_test(texts_of_full_length_are_kept),
		cmocka_unit_test(an_unused_builder_can_be_thrown_away),
		cmocka_unit_test(a_city_is_built_and_found),
		cmocka_unit_test(readers_share_one_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
