/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registration desk's records, packed by the generated code: what a good one becomes,
 * and that each field is held to its form and bounds, with its name in the reason.
 * Without the checks the rules and the journal would have to believe a client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/kind.h"
#include "wire/registration.h"

enum { ARENA_BYTES = 512 * 1024, HOURS = RIGHT_HOURS_MAX + 1, DOORS = RIGHT_DOORS_MAX + 1 };

#define NOW   INT64_C(1770000000000000)
#define LATER (NOW + INT64_C(86400000000))

static char mill[] = "mill", front[] = "front", unit[] = "4b", gates[] = "gates";
static uint8_t number[] = "CARD-4711-0815", sealed[] = "sealed";

struct fixture {
	struct arena arena;
	Gatehouse__V1__Record pb;
	Gatehouse__V1__CardChange card;
	Gatehouse__V1__GrantChange grant;
	Gatehouse__V1__Hours hours[HOURS], *hour_list[HOURS];
	char *doors[DOORS];
	uint8_t bytes[256 * 1024];
	struct registration ask;
	const char *site;
	struct err err;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	arena_init(&f->arena, ARENA_BYTES);
	gatehouse__v1__record__init(&f->pb);
	gatehouse__v1__card_change__init(&f->card);
	gatehouse__v1__grant_change__init(&f->grant);
	for (size_t i = 0; i < HOURS; i++) {
		gatehouse__v1__hours__init(&f->hours[i]);
		f->hours[i].from_minute = (uint32_t)i * 300;
		f->hours[i].to_minute = (uint32_t)i * 300 + 60;
		f->hour_list[i] = &f->hours[i];
	}
	for (size_t i = 0; i < DOORS; i++)
		f->doors[i] = front;
	f->pb.seq = 9;
	f->pb.time_us = NOW;
	f->pb.site = mill;
	f->pb.card.data = number;
	f->pb.card.len = sizeof(number) - 1;
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* A registration of a tenant's card. */
static void
make_card(struct fixture *f)
{
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_CARD_REGISTERED;
	f->pb.grant_change = NULL;
	f->pb.card_change = &f->card;
	f->card.card_kind = GATEHOUSE__V1__CARD_KIND__CARD_KIND_TENANT;
	f->card.unit = unit;
	f->card.valid_from_us = NOW;
	f->card.valid_until_us = LATER;
	f->card.sealed.data = sealed;
	f->card.sealed.len = sizeof(sealed) - 1;
}

/* Two doors and two spans of hours. */
static void
make_grant(struct fixture *f)
{
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_GRANT_SET;
	f->pb.card_change = NULL;
	f->pb.grant_change = &f->grant;
	f->grant.doors = f->doors;
	f->grant.n_doors = 2;
	f->grant.valid_from_us = NOW;
	f->grant.valid_until_us = LATER;
	f->grant.hours = f->hour_list;
	f->grant.n_hours = 2;
}

static enum reject
check(struct fixture *f)
{
	Gatehouse__V1__FromController from = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	struct controller_msg msg;
	size_t n;

	from.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	from.record = &f->pb;
	n = gatehouse__v1__from_controller__get_packed_size(&from);
	assert_true(n <= sizeof(f->bytes));
	(void)gatehouse__v1__from_controller__pack(&from, f->bytes);
	arena_reset(&f->arena);
	f->err.msg[0] = '\0';
	if (controller_msg_decode(&f->arena, f->bytes, n, &msg, &f->err) != RC_OK)
		fail_msg("%s", f->err.msg);
	return registration_check(&f->arena, msg.record, &f->ask, &f->site, &f->err);
}

static void
assert_good(struct fixture *f)
{
	enum reject reject = check(f);

	if (reject != REJECT_NONE)
		fail_msg("%s: %s", reject_name(reject), f->err.msg);
}

static void
assert_rejected(struct fixture *f, enum reject expected, const char *because)
{
	enum reject reject = check(f);

	if (reject != expected || strstr(f->err.msg, because) == NULL)
		fail_msg("expected %s for \"%s\", got %s: %s", reject_name(expected), because,
			 reject != REJECT_NONE ? reject_name(reject) : "none", f->err.msg);
}

/* One field is changed for one check. */
#define WITH(lvalue, value, check_it)                                                              \
	do {                                                                                       \
		__typeof__(lvalue) before_ = lvalue;                                               \
		lvalue = value;                                                                    \
		check_it;                                                                          \
		lvalue = before_;                                                                  \
	} while (0)

static void
a_good_card_is_taken_over(void **state)
{
	struct fixture *f = *state;

	make_card(f);
	assert_good(f);
	assert_int_equal(f->ask.seq, 9);
	assert_int_equal(f->ask.kind, KIND_CODE_CARD_REGISTERED);
	assert_int_equal(f->ask.device_time_us, NOW);
	assert_string_equal(f->site, "mill");
	assert_int_equal(f->ask.card_kind, CARD_KIND_TENANT);
	assert_string_equal(f->ask.unit, "4b");
	assert_int_equal(f->ask.card_from_us, NOW);
	assert_int_equal(f->ask.card_until_us, LATER);
	assert_int_equal(f->ask.sealed_len, 6);
	assert_memory_equal(f->ask.sealed, sealed, 6);
	assert_int_equal(f->ask.n_doors, 0);
	assert_string_equal(f->ask.group, "");
	/* what has nothing more to say */
	f->pb.card_change = NULL;
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_CARD_REVOKED;
	assert_good(f);
	assert_string_equal(f->ask.unit, "");
}

static void
a_good_grant_is_taken_over(void **state)
{
	struct fixture *f = *state;

	make_grant(f);
	f->grant.group = gates;
	assert_good(f);
	assert_int_equal(f->ask.kind, KIND_CODE_GRANT_SET);
	assert_int_equal(f->ask.n_doors, 2);
	assert_string_equal(f->ask.doors[1], "front");
	assert_string_equal(f->ask.group, "gates");
	assert_int_equal(f->ask.valid_from_us, NOW);
	assert_int_equal(f->ask.valid_until_us, LATER);
	assert_int_equal(f->ask.n_hours, 2);
	assert_int_equal(f->ask.hours[1].from_minute, 300);
	assert_int_equal(f->ask.hours[1].to_minute, 360);
	f->grant.n_doors = RIGHT_DOORS_MAX;
	f->grant.n_hours = RIGHT_HOURS_MAX;
	assert_good(f);
	/* taking away: one window, or whatever there is */
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_GRANT_REMOVED;
	f->grant.n_hours = 0;
	f->grant.valid_until_us = 0;
	assert_good(f);
	f->grant.valid_from_us = 0;
	assert_good(f);
}

static void
what_a_desk_does_not_report_is_refused(void **state)
{
	struct fixture *f = *state;
	Gatehouse__V1__DeviceState device = GATEHOUSE__V1__DEVICE_STATE__INIT;
	static char raw[] = "x";

	make_card(f);
	WITH(f->pb.kind, GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED,
	     assert_rejected(f, REJECT_NOT_YOURS, "access.granted"));
	WITH(f->pb.kind, (Gatehouse__V1__Kind)9999,
	     assert_rejected(f, REJECT_NOT_YOURS, "kind is 9999"));
	WITH(f->pb.kind, GATEHOUSE__V1__KIND__KIND_CARD_REVOKED_PRESENTED,
	     assert_rejected(f, REJECT_NOT_YOURS, "card.revoked_presented"));
	WITH(f->pb.door, 1, assert_rejected(f, REJECT_BAD_DETAIL, "door"));
	WITH(f->pb.raw_code, raw, assert_rejected(f, REJECT_BAD_DETAIL, "raw_code"));
	WITH(f->pb.list_number, 1, assert_rejected(f, REJECT_BAD_DETAIL, "list_number"));
	WITH(f->pb.device_state, &device, assert_rejected(f, REJECT_BAD_DETAIL, "device_state"));
	WITH(f->pb.reason, GATEHOUSE__V1__REASON__REASON_EXPIRED,
	     assert_rejected(f, REJECT_BAD_DETAIL, "reason"));
}

static void
a_card_may_be_named_by_its_key(void **state)
{
	struct fixture *f = *state;
	static uint8_t key[CARD_KEY_BYTES + 1];

	make_card(f);
	f->pb.card.len = 0;
	f->pb.card_key.data = key;
	f->pb.card_key.len = CARD_KEY_BYTES;
	key[0] = 0xab;
	assert_good(f);
	assert_memory_equal(f->ask.card_key, key, CARD_KEY_BYTES);
	WITH(f->pb.card_key.len, CARD_KEY_BYTES + 1,
	     assert_rejected(f, REJECT_BAD_CARD, "card_key has 33 bytes, expected 32"));
	WITH(f->pb.card_key.len, 1, assert_rejected(f, REJECT_BAD_CARD, "card_key has 1 bytes"));
	WITH(f->pb.card.len, sizeof(number) - 1,
	     assert_rejected(f, REJECT_BAD_CARD, "card and card_key are both given"));
}

static void
each_field_of_a_card_has_its_bounds(void **state)
{
	struct fixture *f = *state;
	static char line[] = "a\nb", none[] = "", long_unit[66];
	uint8_t *much = xcalloc(1, RIGHT_SEALED_MAX + 1);

	memset(long_unit, 'x', 65);
	make_card(f);
	WITH(f->pb.time_us, 1, assert_rejected(f, REJECT_IMPOSSIBLE_TIME, "time_us"));
	WITH(f->pb.site, none, assert_rejected(f, REJECT_BAD_TEXT, "site"));
	WITH(f->pb.site, line, assert_rejected(f, REJECT_BAD_TEXT, "site"));
	WITH(f->pb.card.len, 0, assert_rejected(f, REJECT_BAD_CARD, "card is missing"));
	f->pb.card.data = much;
	WITH(f->pb.card.len, CARD_MAX + 1, assert_rejected(f, REJECT_BAD_CARD, "33 bytes"));
	WITH(f->card.unit, long_unit, assert_rejected(f, REJECT_BAD_TEXT, "unit"));
	WITH(f->card.card_kind, (Gatehouse__V1__CardKind)5,
	     assert_rejected(f, REJECT_BAD_DETAIL, "card_kind"));
	WITH(f->card.card_kind, (Gatehouse__V1__CardKind)-1,
	     assert_rejected(f, REJECT_BAD_DETAIL, "card_kind"));
	WITH(f->card.card_kind, GATEHOUSE__V1__CARD_KIND__CARD_KIND_UNSPECIFIED,
	     assert_rejected(f, REJECT_BAD_DETAIL, "card_kind is missing"));
	WITH(f->card.valid_until_us, NOW, assert_rejected(f, REJECT_BAD_WINDOW, "before it"));
	WITH(f->card.valid_from_us, -1, assert_rejected(f, REJECT_BAD_WINDOW, "2000"));
	WITH(f->card.valid_until_us, INT64_MAX, assert_rejected(f, REJECT_BAD_WINDOW, "2000"));
	WITH(f->pb.grant_change, &f->grant, assert_rejected(f, REJECT_BAD_DETAIL, "grant_change"));
	f->card.sealed.data = much;
	f->card.sealed.len = RIGHT_SEALED_MAX;
	assert_good(f);
	f->card.sealed.len++;
	assert_rejected(f, REJECT_BAD_DETAIL, "sealed");
	f->card.sealed.len = 0;
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_CARD_EXTENDED;
	f->card.valid_from_us = f->card.valid_until_us = 0;
	assert_rejected(f, REJECT_BAD_WINDOW, "names no time");
	free(much);
}

static void
each_field_of_a_grant_has_its_bounds(void **state)
{
	struct fixture *f = *state;
	static char none[] = "", line[] = "a\nb";

	make_grant(f);
	WITH(f->pb.grant_change, NULL, assert_rejected(f, REJECT_BAD_DETAIL, "grant_change"));
	WITH(f->pb.card_change, &f->card, assert_rejected(f, REJECT_BAD_DETAIL, "card_change"));
	WITH(f->grant.n_doors, DOORS, assert_rejected(f, REJECT_BAD_DETAIL, "1025 doors"));
	WITH(f->grant.n_doors, 0, assert_rejected(f, REJECT_BAD_DETAIL, "neither"));
	WITH(f->doors[1], none, assert_rejected(f, REJECT_BAD_TEXT, "door 2"));
	WITH(f->grant.group, line, assert_rejected(f, REJECT_BAD_TEXT, "group"));
	WITH(f->grant.valid_from_us, 0, assert_rejected(f, REJECT_BAD_WINDOW, "missing"));
	WITH(f->grant.valid_until_us, NOW, assert_rejected(f, REJECT_BAD_WINDOW, "before it"));
	WITH(f->grant.n_hours, HOURS, assert_rejected(f, REJECT_BAD_WINDOW, "33 spans"));
	WITH(f->hours[1].to_minute, 300, assert_rejected(f, REJECT_BAD_WINDOW, "300 to 300"));
	WITH(f->hours[1].to_minute, WEEK_MINUTES + 1,
	     assert_rejected(f, REJECT_BAD_WINDOW, "10081"));
	/* touching is one span said as two; overlapping and unsorted are none */
	WITH(f->hours[1].from_minute, 60, assert_rejected(f, REJECT_BAD_WINDOW, "60 to 360"));
	WITH(f->hours[0].from_minute, 70000, assert_rejected(f, REJECT_BAD_WINDOW, "70000"));
	f->pb.kind = GATEHOUSE__V1__KIND__KIND_GRANT_REMOVED;
	WITH(f->grant.n_hours, 0, assert_rejected(f, REJECT_BAD_DETAIL, "no valid_until_us"));
	WITH(f->grant.valid_until_us, 0, assert_rejected(f, REJECT_BAD_DETAIL, "no hours"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_good_card_is_taken_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_card_may_be_named_by_its_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_good_grant_is_taken_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_desk_does_not_report_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(each_field_of_a_card_has_its_bounds, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(each_field_of_a_grant_has_its_bounds, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
