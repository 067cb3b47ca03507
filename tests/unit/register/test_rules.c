/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of registration, one by one: what is allowed, what is refused, and by which
 * words.  Guards that a landlord can't reach beyond its own units, that nothing ends
 * before it begins or overlaps, and that a refusal changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "register/rules.h"
#include "wire/kind.h"

#define DAY INT64_C(86400000000)
/* Monday 2026-01-05T00:00:00Z */
#define NOW (INT64_C(1767571200) * 1000000)

enum { SITE = 1, FAR = 2, OFFICE = 50, OWNER = 51 };

struct fixture {
	struct reg *reg;
	struct rights *rights;
	uint8_t key[CARD_KEY_BYTES];
	struct registration ask;
	struct right_change change;
	struct err err;
};

static struct reg *
sample_reg(void)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg = NULL;
	struct err err;

	reg_add_station(b, 1, "C", "");
	reg_add_area(b, 1, 0, 1, "north", "");
	reg_add_site(b, SITE, 1, "elm", "", "");
	reg_add_site(b, FAR, 1, "far", "", "");
	for (uint32_t i = 1; i <= 4; i++) {
		char code[] = {'e', 'l', 'm', '-', (char)('0' + i), '\0'};

		reg_add_door(b, &(struct door){.id = i, .site_id = SITE, .code = code});
	}
	reg_add_door(b, &(struct door){.id = 9, .site_id = FAR, .code = "far-1"});
	reg_add_unit(b, 1, SITE, "301", "", "");
	reg_add_unit(b, 2, SITE, "302", "", "");
	reg_add_group(b, 1, SITE, "ground", "");
	reg_add_link(b, REG_GROUP_DOORS, 1, 3);
	reg_add_link(b, REG_GROUP_DOORS, 1, 1);
	reg_add_link(b, REG_UNIT_DOORS, 1, 1);
	reg_add_link(b, REG_UNIT_DOORS, 1, 2);
	reg_add_link(b, REG_UNIT_DOORS, 2, 3);
	reg_add_desk(b, OFFICE, "office", DESK_MANAGER, true);
	reg_add_desk(b, OWNER, "owner", DESK_LANDLORD, true);
	reg_add_link(b, REG_DESK_SITES, OFFICE, SITE);
	reg_add_link(b, REG_DESK_SITES, OWNER, SITE);
	reg_add_link(b, REG_DESK_UNITS, OWNER, 1);
	if (reg_build(&b, 0, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return reg;
}

static int
set_up(void **state)
{
	struct rights_conf conf = {.changes = 10, .history_us = DAY};
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->reg = sample_reg();
	f->rights = rights_new(&conf);
	memset(f->key, 7, sizeof(f->key));
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	rights_free(&f->rights);
	reg_unref(&f->reg);
	free(f);
	return 0;
}

static struct registration
ask_of(uint16_t kind)
{
	return (struct registration){
		.seq = 5, .kind = kind, .device_time_us = NOW, .unit = "", .group = ""};
}

static enum reject
decide(struct fixture *f, uint32_t desk, uint32_t site)
{
	struct rules_request request = {.desk = reg_desk(f->reg, desk),
					.site = reg_site(f->reg, site),
					.card_key = f->key,
					.now_us = NOW};

	f->err.msg[0] = '\0';
	return rules_decide(f->rights, f->reg, &request, &f->ask, &f->change, &f->err);
}

static void
allowed(struct fixture *f, uint32_t desk)
{
	if (decide(f, desk, SITE) != REJECT_NONE)
		fail_msg("refused: %s", f->err.msg);
	/* what is decided must also be what the journal takes */
	uint8_t *body = xcalloc(1, right_change_encoded_len(&f->change));
	struct right_change *again = xcalloc(1, sizeof(*again));

	(void)right_change_encode(&f->change, body);
	if (right_change_decode(body, right_change_encoded_len(&f->change), again, &f->err) !=
	    RC_OK)
		fail_msg("%s", f->err.msg);
	free(again);
	free(body);
	rights_apply(f->rights, &f->change);
	rights_number(f->rights, 1);
}

static void
refused(struct fixture *f, uint32_t desk, enum reject reason, const char *words)
{
	enum reject reject = decide(f, desk, SITE);

	if (reject != reason || strstr(f->err.msg, words) == NULL)
		fail_msg("%s: \"%s\", expected \"%s\"",
			 reject == REJECT_NONE ? "allowed" : reject_name(reject), f->err.msg,
			 words);
}

static void
ask_card(struct fixture *f, enum card_kind kind, const char *unit)
{
	f->ask = ask_of(KIND_CODE_CARD_REGISTERED);
	f->ask.card_kind = (uint8_t)kind;
	f->ask.unit = unit;
}

static void
ask_grant(struct fixture *f, const char *const *doors, size_t n, int64_t from_us, int64_t until_us)
{
	f->ask = ask_of(KIND_CODE_GRANT_SET);
	f->ask.doors = doors;
	f->ask.n_doors = n;
	f->ask.valid_from_us = from_us;
	f->ask.valid_until_us = until_us;
}

static const struct card *
card(const struct fixture *f)
{
	return rights_card(f->rights, SITE, f->key);
}

/* ---- Cards --------------------------------------------------------------------- */

static void
a_card_lives(void **state)
{
	struct fixture *f = *state;

	ask_card(f, CARD_KIND_TENANT, "301");
	f->ask.card_until_us = NOW + DAY;
	allowed(f, OFFICE);
	assert_int_equal(card(f)->status, CARD_ACTIVE);
	assert_true(card(f)->valid_from_us == NOW && card(f)->valid_until_us == NOW + DAY);
	assert_string_equal(card(f)->unit, "301");

	f->ask = ask_of(KIND_CODE_CARD_EXTENDED);
	f->ask.card_until_us = NOW + 2 * DAY;
	allowed(f, OFFICE);
	assert_true(card(f)->valid_from_us == NOW && card(f)->valid_until_us == NOW + 2 * DAY);
	assert_string_equal(card(f)->unit, "301");

	f->ask = ask_of(KIND_CODE_CARD_SUSPENDED);
	allowed(f, OFFICE);
	assert_int_equal(card(f)->status, CARD_SUSPENDED);
	f->ask = ask_of(KIND_CODE_CARD_REPORTED_LOST);
	allowed(f, OFFICE);
	f->ask = ask_of(KIND_CODE_CARD_SUSPENDED);
	refused(f, OFFICE, REJECT_RULE, "a card that is lost is not suspended");
	f->ask = ask_of(KIND_CODE_CARD_RESUMED);
	allowed(f, OFFICE);
	assert_int_equal(card(f)->status, CARD_ACTIVE);

	f->ask = ask_of(KIND_CODE_CARD_REVOKED);
	allowed(f, OFFICE);
	for (uint16_t kind = KIND_CODE_CARD_EXTENDED; kind <= KIND_CODE_CARD_REPORTED_LOST;
	     kind++) {
		f->ask = ask_of(kind);
		refused(f, OFFICE, REJECT_CARD_ENDED, "revoked, which is final");
	}
	/* but for a new registration */
	ask_card(f, CARD_KIND_STAFF, "");
	allowed(f, OFFICE);
	assert_int_equal(card(f)->status, CARD_ACTIVE);
	assert_int_equal(card(f)->kind, CARD_KIND_STAFF);
	assert_int_equal(card(f)->valid_until_us, 0);
	assert_string_equal(card(f)->unit, "");
}

static void
what_makes_no_sense_of_a_card_is_refused(void **state)
{
	struct fixture *f = *state;

	f->ask = ask_of(KIND_CODE_CARD_RESUMED);
	refused(f, OFFICE, REJECT_UNKNOWN_CARD, "site \"elm\" has no such card");
	ask_card(f, CARD_KIND_NONE, "");
	refused(f, OFFICE, REJECT_BAD_DETAIL, "card_kind is required");
	ask_card(f, CARD_KIND_OWNER, "999");
	refused(f, OFFICE, REJECT_UNKNOWN_UNIT, "no unit \"999\"");
	ask_card(f, CARD_KIND_OWNER, "");
	f->ask.card_from_us = NOW + DAY;
	f->ask.card_until_us = NOW + DAY;
	refused(f, OFFICE, REJECT_BAD_WINDOW, "ends before it begins");
	f->ask.card_until_us = NOW * 100;
	refused(f, OFFICE, REJECT_BAD_WINDOW, "from 2000 to 2100");
	ask_card(f, CARD_KIND_OWNER, "");
	assert_int_equal(decide(f, OFFICE, FAR), REJECT_FOREIGN_SITE);
	assert_null(card(f));

	allowed(f, OFFICE);
	refused(f, OFFICE, REJECT_CARD_EXISTS, "has this card already");
	f->ask = ask_of(KIND_CODE_CARD_SUSPENDED);
	f->ask.unit = "301";
	refused(f, OFFICE, REJECT_BAD_DETAIL, "don't change with card.suspended");
	/* extended to before it began */
	f->ask = ask_of(KIND_CODE_CARD_EXTENDED);
	f->ask.card_until_us = NOW - DAY;
	refused(f, OFFICE, REJECT_BAD_WINDOW, "ends before it begins");
	assert_int_equal(card(f)->valid_until_us, 0);
	assert_int_equal(rights_pending(f->rights), 0);
}

static void
a_landlord_keeps_to_its_units(void **state)
{
	struct fixture *f = *state;

	ask_card(f, CARD_KIND_TENANT, "302");
	refused(f, OWNER, REJECT_NOT_YOUR_UNIT, "its own units only: \"302\"");
	ask_card(f, CARD_KIND_TENANT, "");
	refused(f, OWNER, REJECT_NOT_YOUR_UNIT, "its own units only");
	ask_card(f, CARD_KIND_STAFF, "301");
	refused(f, OWNER, REJECT_RULE, "tenants and temporary cards only");
	ask_card(f, CARD_KIND_TEMPORARY, "301");
	allowed(f, OWNER);

	/* neither can it take a card elsewhere, nor make it another kind */
	f->ask = ask_of(KIND_CODE_CARD_EXTENDED);
	f->ask.unit = "302";
	refused(f, OWNER, REJECT_NOT_YOUR_UNIT, "\"302\"");
	f->ask = ask_of(KIND_CODE_CARD_EXTENDED);
	f->ask.card_kind = CARD_KIND_OWNER;
	refused(f, OWNER, REJECT_RULE, "tenants");

	/* a card of somebody else's unit */
	f->ask = ask_of(KIND_CODE_CARD_EXTENDED);
	f->ask.unit = "302";
	allowed(f, OFFICE);
	f->ask = ask_of(KIND_CODE_CARD_REVOKED);
	refused(f, OWNER, REJECT_NOT_YOUR_UNIT, "\"302\"");
}

/* ---- Rights --------------------------------------------------------------------- */

static void
rights_are_granted_by_door_and_group(void **state)
{
	static const char *const doors[] = {"elm-4", "elm-3", "elm-4"};
	struct fixture *f = *state;

	ask_card(f, CARD_KIND_OWNER, "");
	allowed(f, OFFICE);
	ask_grant(f, doors, 3, NOW, NOW + DAY);
	f->ask.group = "ground";
	f->ask.n_hours = 1;
	f->ask.hours[0] = (struct right_hours){0, 60};
	allowed(f, OFFICE);
	/* ascending, each once */
	assert_int_equal(f->change.n_doors, 3);
	assert_int_equal(f->change.doors[0], 1);
	assert_int_equal(f->change.doors[1], 3);
	assert_int_equal(f->change.doors[2], 4);
	assert_int_equal(f->change.n_hours, 1);

	f->ask = ask_of(KIND_CODE_GRANT_REMOVED);
	f->ask.group = "ground";
	allowed(f, OFFICE);
	assert_int_equal(f->change.n_doors, 2);
	f->ask.valid_until_us = NOW;
	refused(f, OFFICE, REJECT_BAD_DETAIL, "don't go with grant.removed");
}

static void
windows_of_one_door_do_not_overlap(void **state)
{
	static const char *const one[] = {"elm-1"}, *const two[] = {"elm-2", "elm-1"};
	struct fixture *f = *state;

	ask_card(f, CARD_KIND_OWNER, "");
	allowed(f, OFFICE);
	ask_grant(f, one, 1, NOW, NOW + 2 * DAY);
	allowed(f, OFFICE);
	ask_grant(f, two, 2, NOW + DAY, NOW + 3 * DAY);
	refused(f, OFFICE, REJECT_OVERLAP, "door \"elm-1\"");
	ask_grant(f, two, 2, NOW - DAY, 0);
	refused(f, OFFICE, REJECT_OVERLAP, "door \"elm-1\"");
	ask_grant(f, two, 2, NOW - DAY, NOW);
	allowed(f, OFFICE);
	ask_grant(f, two, 2, NOW + 2 * DAY, 0);
	allowed(f, OFFICE);
	/* the same beginning replaces, as long as it keeps clear of the next */
	ask_grant(f, one, 1, NOW, NOW + DAY);
	allowed(f, OFFICE);
	ask_grant(f, one, 1, NOW, NOW + 3 * DAY);
	refused(f, OFFICE, REJECT_OVERLAP, "overlaps");
	/* nothing of what was refused is there */
	{
		struct right right;
		uint32_t at = 0;
		unsigned n = 0;

		while (rights_next_of_card(f->rights, card(f), &at, &right))
			n++;
		assert_int_equal(n, 5);
	}
}

static void
what_makes_no_sense_of_a_right_is_refused(void **state)
{
	static const char *const one[] = {"elm-1"}, *const far[] = {"elm-1", "far-1"},
				 *const none[] = {"elm-9"};
	struct fixture *f = *state;

	ask_grant(f, one, 1, NOW, 0);
	refused(f, OFFICE, REJECT_UNKNOWN_CARD, "no such card");
	ask_card(f, CARD_KIND_OWNER, "");
	allowed(f, OFFICE);
	ask_grant(f, far, 2, NOW, 0);
	refused(f, OFFICE, REJECT_FOREIGN_SITE, "door \"far-1\" is not of site \"elm\"");
	ask_grant(f, none, 1, NOW, 0);
	refused(f, OFFICE, REJECT_UNKNOWN_DOOR, "no door \"elm-9\"");
	ask_grant(f, NULL, 0, NOW, 0);
	refused(f, OFFICE, REJECT_BAD_DETAIL, "grant.set names no door");
	f->ask.group = "roof";
	refused(f, OFFICE, REJECT_UNKNOWN_DOOR, "no group of doors \"roof\"");
	ask_grant(f, one, 1, NOW, NOW);
	refused(f, OFFICE, REJECT_BAD_WINDOW, "ends before it begins");
	ask_grant(f, one, 1, 0, NOW);
	refused(f, OFFICE, REJECT_BAD_WINDOW, "from 2000 to 2100");
	ask_grant(f, one, 1, NOW, 0);
	f->ask.n_hours = 2;
	f->ask.hours[0] = (struct right_hours){10, 20};
	f->ask.hours[1] = (struct right_hours){20, 30};
	refused(f, OFFICE, REJECT_BAD_WINDOW, "hours 2 begin at minute 20");
	f->ask.hours[1] = (struct right_hours){30, 30};
	refused(f, OFFICE, REJECT_BAD_WINDOW, "hours 2 are from minute 30 to 30");
	f->ask.hours[1] = (struct right_hours){30, WEEK_MINUTES + 1};
	refused(f, OFFICE, REJECT_BAD_WINDOW, "within a week");
}

static void
a_landlord_grants_doors_of_the_unit(void **state)
{
	static const char *const own[] = {"elm-1", "elm-2"}, *const other[] = {"elm-1", "elm-3"};
	struct fixture *f = *state;

	ask_card(f, CARD_KIND_TENANT, "301");
	allowed(f, OWNER);
	ask_grant(f, own, 2, NOW, 0);
	allowed(f, OWNER);
	ask_grant(f, other, 2, NOW, 0);
	refused(f, OWNER, REJECT_RULE, "doors of the card's unit only: door \"elm-3\"");
	f->ask.kind = KIND_CODE_GRANT_REMOVED;
	refused(f, OWNER, REJECT_RULE, "door \"elm-3\"");
	f->ask.kind = KIND_CODE_GRANT_SET;
	allowed(f, OFFICE);
}

int
main(void)
{
#define OPEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		OPEN(a_card_lives),
		OPEN(what_makes_no_sense_of_a_card_is_refused),
		OPEN(a_landlord_keeps_to_its_units),
		OPEN(rights_are_granted_by_door_and_group),
		OPEN(windows_of_one_door_do_not_overlap),
		OPEN(what_makes_no_sense_of_a_right_is_refused),
		OPEN(a_landlord_grants_doors_of_the_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
