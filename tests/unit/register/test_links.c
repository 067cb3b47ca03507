/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Desks, units and groups of doors.  Guards that a right granted by a unit or a group
 * can't lead into another site, and that codes are unique within their site only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "register/register.h"

/* Two sites, elm (1) with doors 10 and 11, oak (2) with door 20. */
static struct reg_builder *
sample(void)
{
	struct reg_builder *b = reg_builder_new();

	reg_add_station(b, 1, "s", "");
	reg_add_area(b, 1, 0, 1, "a", "");
	reg_add_site(b, 1, 1, "elm", "", "");
	reg_add_site(b, 2, 1, "oak", "", "");
	reg_add_door(b, &(struct door){.id = 10, .site_id = 1, .code = "elm-1"});
	reg_add_door(b, &(struct door){.id = 11, .site_id = 1, .code = "elm-2"});
	reg_add_door(b, &(struct door){.id = 20, .site_id = 2, .code = "oak-1"});
	reg_add_unit(b, 1, 1, "301", "", "");
	reg_add_unit(b, 2, 2, "301", "", "");
	reg_add_unit(b, 3, 2, "302", "", "");
	reg_add_group(b, 1, 1, "all", "");
	reg_add_group(b, 2, 2, "all", "");
	reg_add_desk(b, 7, "office", DESK_MANAGER, true);
	return b;
}

static struct reg *
built(struct reg_builder *b)
{
	struct reg *reg = NULL;
	struct err err;

	if (reg_build(&b, 0, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return reg;
}

static void
refused(struct reg_builder *b, const char *why)
{
	struct reg *reg = NULL;
	struct err err;

	assert_int_equal(reg_build(&b, 0, &reg, &err), RC_INVALID);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\", expected \"%s\"", err.msg, why);
}

static void
codes_are_unique_within_their_site(void **state)
{
	struct reg_builder *b = sample();
	struct reg *reg = built(b);

	(void)state;
	assert_int_equal(reg_unit_by_code(reg, 1, "301")->id, 1);
	assert_int_equal(reg_unit_by_code(reg, 2, "301")->id, 2);
	assert_null(reg_unit_by_code(reg, 1, "302"));
	assert_null(reg_unit_by_code(reg, 3, "301"));
	assert_int_equal(reg_group_by_code(reg, 2, "all")->id, 2);
	assert_null(reg_group_by_code(reg, 2, "ALL"));
	reg_unref(&reg);

	b = sample();
	reg_add_unit(b, 9, 2, "302", "", "");
	refused(b, "same code \"302\"");
}

static void
links_are_found_and_kept_once(void **state)
{
	struct reg_builder *b = sample();
	const struct reg_pair *pairs;
	struct reg *reg;
	size_t n;

	(void)state;
	reg_add_link(b, REG_GROUP_DOORS, 1, 11);
	reg_add_link(b, REG_GROUP_DOORS, 2, 20);
	reg_add_link(b, REG_GROUP_DOORS, 1, 10);
	reg_add_link(b, REG_GROUP_DOORS, 1, 11);
	reg_add_link(b, REG_DESK_SITES, 7, 2);
	reg = built(b);
	pairs = reg_links_of(reg, REG_GROUP_DOORS, 1, &n);
	assert_int_equal(n, 2);
	assert_int_equal(pairs[0].to, 10);
	assert_int_equal(pairs[1].to, 11);
	assert_null(reg_links_of(reg, REG_GROUP_DOORS, 3, &n));
	assert_int_equal(n, 0);
	assert_true(reg_is_linked(reg, REG_DESK_SITES, 7, 2));
	assert_false(reg_is_linked(reg, REG_DESK_SITES, 7, 1));
	assert_false(reg_is_linked(reg, REG_DESK_UNITS, 7, 2));
	reg_unref(&reg);
}

static void
links_stay_within_their_site(void **state)
{
	struct reg_builder *b = sample();

	(void)state;
	reg_add_link(b, REG_UNIT_DOORS, 1, 20);
	refused(b, "unit 1 is linked to door 20 of another site");
	b = sample();
	reg_add_link(b, REG_GROUP_DOORS, 2, 10);
	refused(b, "group of doors 2 is linked to door 10 of another site");
	b = sample();
	reg_add_link(b, REG_DESK_UNITS, 8, 1);
	refused(b, "desk 8 is linked to unit 1, one of which does not exist");
}

static void
sites_have_a_time_zone_that_exists(void **state)
{
	struct reg_builder *b = sample();
	struct reg *reg = built(b);

	(void)state;
	assert_string_equal(reg_site(reg, 1)->timezone, "UTC");
	assert_non_null(reg_site(reg, 1)->zone);
	assert_ptr_equal(reg_site(reg, 1)->zone, reg_site(reg, 2)->zone);
	reg_unref(&reg);
	b = sample();
	reg_add_site(b, 3, 1, "ash", "", "");
	reg_set_timezone(b, "Europe/Nowhere");
	refused(b, "site 3: there is no time zone \"Europe/Nowhere\"");
}

static void
roles_have_names(void **state)
{
	enum desk_role role;

	(void)state;
	assert_true(desk_role_by_name("manager", &role) && role == DESK_MANAGER);
	assert_true(desk_role_by_name("landlord", &role) && role == DESK_LANDLORD);
	assert_false(desk_role_by_name("Manager", &role));
	/* what is not known may do as little as any */
	assert_int_equal(role, DESK_LANDLORD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_unique_within_their_site),
		cmocka_unit_test(links_are_found_and_kept_once),
		cmocka_unit_test(links_stay_within_their_site),
		cmocka_unit_test(sites_have_a_time_zone_that_exists),
		cmocka_unit_test(roles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
