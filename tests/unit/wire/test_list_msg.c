/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of rights as the generated code reads it: the messages are partly put
 * together by hand, and must be what protobuf-c would have packed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gatehouse.pb-c.h"
#include "wire/frame.h"
#include "wire/list_msg.h"

static struct buf out;

static int
set_up(void **state)
{
	(void)state;
	buf_init(&out, 1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

/* The first message in `out`, which is used up. */
static Gatehouse__V1__ToController *
take(void)
{
	const uint8_t *payload;
	size_t len, used;
	Gatehouse__V1__ToController *to;

	assert_int_equal(
		frame_parse(buf_front(&out), buf_len(&out), 1 << 20, &payload, &len, &used),
		FRAME_WHOLE);
	to = gatehouse__v1__to_controller__unpack(NULL, len, payload);
	assert_non_null(to);
	buf_consume(&out, used);
	return to;
}

static void
begin_and_end_are_told(void **state)
{
	const struct list_begin begin = {
		.number = 77,
		.full = true,
		.timezone = "Europe/Berlin",
		.timezone_posix = "CET-1CEST,M3.5.0,M10.5.0/3",
		.rights = 3,
	};
	Gatehouse__V1__ToController *to;

	(void)state;
	assert_int_equal(list_put_begin(&out, &begin), RC_OK);
	assert_int_equal(list_put_end(&out, 77), RC_OK);
	to = take();
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN);
	assert_int_equal(to->list_begin->number, 77);
	assert_true(to->list_begin->full);
	assert_string_equal(to->list_begin->timezone, "Europe/Berlin");
	assert_string_equal(to->list_begin->timezone_posix, begin.timezone_posix);
	assert_int_equal(to->list_begin->rights, 3);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
	to = take();
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_END);
	assert_int_equal(to->list_end->number, 77);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
	assert_int_equal(buf_len(&out), 0);
}

static void
changes_are_as_protobuf_packs_them(void **state)
{
	static const uint8_t key[CARD_KEY_BYTES] = "0123456789abcdefTHE-REST-STAYS..";
	static const struct right_hours hours[] = {{0, 1}, {480, WEEK_MINUTES}};
	enum { RIGHTS = 300 };
	struct list_right put[RIGHTS], gone = {.card_key = key, .door = 2, .valid_from_us = 5};
	Gatehouse__V1__ToController *to;
	uint8_t *again;
	size_t n;

	(void)state;
	for (size_t i = 0; i < RIGHTS; i++)
		put[i] = (struct list_right){.card_key = key,
					     .door = (uint32_t)i,
					     .valid_from_us = 1,
					     .valid_until_us = INT64_MAX,
					     .not_before_us = 9,
					     .active = i % 2 == 0,
					     .hours = hours,
					     .n_hours = i % 3};
	assert_int_equal(list_put_change(&out, put, RIGHTS, &gone, 1), RC_OK);
	n = buf_len(&out);
	again = xcalloc(1, n);
	memcpy(again, buf_front(&out), n);
	to = take();
	assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE);
	assert_int_equal(to->list_change->n_put, RIGHTS);
	for (size_t i = 0; i < RIGHTS; i++) {
		const Gatehouse__V1__Right *right = to->list_change->put[i];

		assert_int_equal(right->card_key.len, LIST_KEY_BYTES);
		assert_memory_equal(right->card_key.data, key, LIST_KEY_BYTES);
		assert_int_equal(right->door, i);
		assert_int_equal(right->valid_until_us, INT64_MAX);
		assert_int_equal(right->not_before_us, 9);
		assert_int_equal(right->active, i % 2 == 0);
		assert_int_equal(right->n_hours, i % 3);
		if (right->n_hours == 2)
			assert_int_equal(right->hours[1]->to_minute, WEEK_MINUTES);
	}
	assert_int_equal(to->list_change->n_remove, 1);
	assert_int_equal(to->list_change->remove[0]->door, 2);
	assert_int_equal(to->list_change->remove[0]->valid_from_us, 5);
	/* packed again it is the same, byte for byte */
	{
		size_t len = gatehouse__v1__to_controller__get_packed_size(to);
		uint8_t *packed = xcalloc(1, len);

		(void)gatehouse__v1__to_controller__pack(to, packed);
		assert_int_equal(frame_header_len(len) + len, n);
		assert_memory_equal(again + frame_header_len(len), packed, len);
		free(packed);
	}
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
	free(again);
}

static void
a_full_buffer_takes_nothing(void **state)
{
	static const uint8_t key[CARD_KEY_BYTES];
	const struct list_right put = {.card_key = key, .door = 1};
	struct buf small;

	(void)state;
	buf_init(&small, 20);
	assert_int_equal(list_put_change(&small, &put, 1, NULL, 0), RC_AGAIN);
	assert_int_equal(buf_len(&small), 0);
	assert_int_equal(list_put_end(&small, 1), RC_OK);
	buf_fini(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(begin_and_end_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_are_as_protobuf_packs_them, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_full_buffer_takes_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
