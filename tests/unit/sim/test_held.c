/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated controller's list: what opens by it, and that a list is in force whole or
 * not at all.  The verification of rights stands on this table being right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nettle/hmac.h>
#include <string.h>

#include "sim/held.h"
#include "sim/lists.h"

/* 32 bytes 'k' */
#define SITE_KEY "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="

static uint8_t card[] = "CARD-4711", stranger[] = "CARD-0000";
static char berlin[] = "Europe/Berlin";
static struct held *held;
static struct err err;
static uint8_t card_key[HELD_KEY_BYTES];

static int
set_up(void **state)
{
	struct hmac_sha256_ctx hmac;
	uint8_t key[32];

	(void)state;
	memset(key, 'k', sizeof(key));
	hmac_sha256_set_key(&hmac, sizeof(key), key);
	hmac_sha256_update(&hmac, sizeof(card) - 1, card);
	hmac_sha256_digest(&hmac, sizeof(card_key), card_key);
	return held_new(&held, SITE_KEY, &err) == RC_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	held_free(&held);
	return 0;
}

/* A message through the wire, so that it has memory of its own. */
static enum rc
take(Gatehouse__V1__ToController__MessageCase what, void *body)
{
	Gatehouse__V1__ToController to = GATEHOUSE__V1__TO_CONTROLLER__INIT;
	uint8_t bytes[4096];
	size_t n;

	to.message_case = what;
	to.list_begin = body; /* a union */
	n = gatehouse__v1__to_controller__get_packed_size(&to);
	assert_true(n <= sizeof(bytes));
	(void)gatehouse__v1__to_controller__pack(&to, bytes);
	return held_take(held, gatehouse__v1__to_controller__unpack(NULL, n, bytes), &err);
}

static enum rc
begin(uint64_t number, bool full)
{
	Gatehouse__V1__ListBegin body = GATEHOUSE__V1__LIST_BEGIN__INIT;

	body.number = number;
	body.full = full;
	body.timezone = berlin;
	return take(GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN, &body);
}

static enum rc
end(uint64_t number)
{
	Gatehouse__V1__ListEnd body = GATEHOUSE__V1__LIST_END__INIT;

	body.number = number;
	return take(GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_END, &body);
}

static Gatehouse__V1__Right
right_of(uint32_t door, int64_t from_us, int64_t until_us)
{
	Gatehouse__V1__Right right = GATEHOUSE__V1__RIGHT__INIT;

	right.card_key.data = card_key;
	right.card_key.len = HELD_KEY_BYTES;
	right.door = door;
	right.valid_from_us = from_us;
	right.valid_until_us = until_us;
	right.active = true;
	return right;
}

static enum rc
put(Gatehouse__V1__Right *right)
{
	Gatehouse__V1__ListChange body = GATEHOUSE__V1__LIST_CHANGE__INIT;

	body.put = &right;
	body.n_put = 1;
	return take(GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE, &body);
}

static enum rc
remove_ref(uint32_t door, int64_t from_us)
{
	Gatehouse__V1__ListChange body = GATEHOUSE__V1__LIST_CHANGE__INIT;
	Gatehouse__V1__RightRef ref = GATEHOUSE__V1__RIGHT_REF__INIT, *list = &ref;

	ref.card_key.data = card_key;
	ref.card_key.len = HELD_KEY_BYTES;
	ref.door = door;
	ref.valid_from_us = from_us;
	body.remove = &list;
	body.n_remove = 1;
	return take(GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE, &body);
}

static bool
opens(int64_t at_us)
{
	return held_opens(held, card, sizeof(card) - 1, 1, at_us);
}

static void
give(uint64_t number, bool full, Gatehouse__V1__Right right)
{
	assert_int_equal(begin(number, full), RC_OK);
	assert_int_equal(put(&right), RC_OK);
	assert_int_equal(end(number), RC_OK);
	held_apply(held);
}

static void
a_window_opens_from_and_until(void **state)
{
	(void)state;
	give(7, true, right_of(1, 1000, 2000));
	assert_int_equal(held_number(held), 7);
	assert_false(opens(999));
	assert_true(opens(1000));
	assert_true(opens(1999));
	assert_false(opens(2000));
	assert_false(held_opens(held, card, sizeof(card) - 1, 2, 1500));
	assert_false(held_opens(held, stranger, sizeof(stranger) - 1, 1, 1500));
	/* a second window of the same card and door; then the first one goes */
	give(8, false, right_of(1, 5000, 0));
	assert_true(opens(1500) && opens(6000));
	assert_int_equal(begin(9, false), RC_OK);
	assert_int_equal(remove_ref(1, 1000), RC_OK);
	assert_int_equal(end(9), RC_OK);
	held_apply(held);
	assert_false(opens(1500));
	assert_true(opens(6000));
	/* the whole list anew */
	give(10, true, right_of(2, 0, 0));
	assert_int_equal(held_rights(held), 1);
	assert_false(opens(6000));
}

static void
a_list_is_in_force_whole_or_not_at_all(void **state)
{
	Gatehouse__V1__Right right = right_of(1, 1, 0);

	(void)state;
	assert_int_equal(put(&right), RC_INVALID);
	assert_int_equal(end(1), RC_INVALID);
	assert_int_equal(begin(1, true), RC_OK);
	assert_int_equal(begin(2, true), RC_INVALID);
	assert_int_equal(put(&right), RC_OK);
	assert_int_equal(end(2), RC_INVALID);
	held_apply(held);
	assert_false(opens(5));
	assert_int_equal(held_whole(held), 0);
	held_forget_coming(held);
	assert_int_equal(end(1), RC_INVALID);
	assert_int_equal(held_number(held), 0);
	/* one that came whole, and one behind it that has not */
	assert_int_equal(begin(1, true), RC_OK);
	assert_int_equal(put(&right), RC_OK);
	assert_int_equal(end(1), RC_OK);
	assert_int_equal(begin(2, true), RC_OK);
	assert_int_equal(held_whole(held), 1);
	held_apply(held);
	assert_true(opens(5));
	assert_int_equal(end(2), RC_OK);
	held_apply(held);
	assert_false(opens(5));
	assert_int_equal(held_number(held), 2);
}

/* 2026-03-29 is the Sunday on which Berlin goes from 2 to 3 o'clock, at 01:00 UTC. */
#define SUNDAY_0030_UTC (INT64_C(1774744200) * 1000000)

static void
hours_are_those_of_the_site_also_when_clocks_change(void **state)
{
	Gatehouse__V1__Hours hours = GATEHOUSE__V1__HOURS__INIT, *list = &hours;
	Gatehouse__V1__Right right = right_of(1, 1, 0);

	(void)state;
	hours.from_minute = 6 * 1440 + 3 * 60; /* Sunday, 3 to 4 o'clock */
	hours.to_minute = 6 * 1440 + 4 * 60;
	right.hours = &list;
	right.n_hours = 1;
	give(1, true, right);
	assert_false(opens(SUNDAY_0030_UTC)); /* 01:30 */
	/* half an hour before 1 o'clock UTC, and half an hour behind: 03:30 */
	assert_true(opens(SUNDAY_0030_UTC + INT64_C(3600) * 1000000));
	assert_false(opens(SUNDAY_0030_UTC + INT64_C(2) * 3600 * 1000000)); /* 04:30 */
}

static void
what_is_suspended_or_not_yet_begun_does_not_open(void **state)
{
	Gatehouse__V1__Right right = right_of(1, 1, 0);

	(void)state;
	right.not_before_us = 50;
	give(1, true, right);
	assert_false(opens(49));
	assert_true(opens(50));
	right.active = false;
	give(2, false, right);
	assert_int_equal(held_rights(held), 1);
	assert_false(opens(50));
}

static void
the_digest_is_that_of_the_rights_whatever_their_order(void **state)
{
	struct held_right rights[2] = {{.door = 1, .valid_from_us = 1, .active = true},
				       {.door = 2, .valid_from_us = 1, .active = true}};
	struct lists lists = {0};
	struct lists_result result;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		memcpy(rights[i].card_key, card_key, HELD_KEY_BYTES);
	give(1, true, right_of(2, 1, 0));
	give(2, false, right_of(1, 1, 9));
	give(3, false, right_of(1, 1, 0));
	assert_int_equal(held_rights(held), 2);
	assert_true(held_digest(held) ==
		    held_right_digest(&rights[0]) + held_right_digest(&rights[1]));
	lists_held(&lists, "c1", 3, held_rights(held), held_digest(held));
	lists_held(&lists, "c2", 3, 0, 0);
	lists_begin_rows(&lists);
	lists_stored(&lists, "c1", &rights[0]);
	lists_stored(&lists, "unheard-of", &rights[1]);
	lists_finish(&lists, &result);
	assert_int_equal(result.controllers, 2);
	assert_int_equal(result.differing, 1);
	assert_string_equal(result.examples[0], "c1");
	lists_stored(&lists, "c1", &rights[1]);
	lists_finish(&lists, &result);
	assert_int_equal(result.differing, 0);
	/* the same number of rights, and one of them another */
	rights[1].n_hours = 1;
	lists_begin_rows(&lists);
	lists_stored(&lists, "c1", &rights[0]);
	lists_stored(&lists, "c1", &rights[1]);
	lists_finish(&lists, &result);
	assert_int_equal(result.differing, 1);
	lists_fini(&lists);
}

static void
a_key_that_is_none_is_refused(void **state)
{
	struct held *none = NULL;

	(void)state;
	assert_int_equal(held_new(&none, "", &err), RC_INVALID);
	assert_int_equal(held_new(&none, "a2tr", &err), RC_INVALID);
	assert_int_equal(held_new(&none, "not base64 at all, but of the right length..", &err),
			 RC_INVALID);
	assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_window_opens_from_and_until),
		TEST(a_list_is_in_force_whole_or_not_at_all),
		TEST(hours_are_those_of_the_site_also_when_clocks_change),
		TEST(what_is_suspended_or_not_yet_begun_does_not_open),
		TEST(the_digest_is_that_of_the_rights_whatever_their_order),
		TEST(a_key_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
