/* SPDX-License-Identifier: Apache-2.0 */
/* A run of bytes with a limit: what goes in comes out, and the limit holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"

/* Byte number i of an endless text that never looks the same twice in a row. */
static uint8_t
byte_of(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

static void
append_next(struct buf *buf, size_t *written, size_t n)
{
	uint8_t bytes[512];

	assert_true(n <= sizeof(bytes));
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_of(*written + i);
	assert_int_equal(buf_append(buf, bytes, n), RC_OK);
	*written += n;
}

static void
consume_next(struct buf *buf, size_t *used, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_front(buf)[i], byte_of(*used + i));
	buf_consume(buf, n);
	*used += n;
}

static void
bytes_come_out_in_order_whatever_the_steps(void **state)
{
	size_t written = 0, used = 0;
	struct buf buf;

	(void)state;
	buf_init(&buf, 1 << 20);
	for (size_t step = 0; step < 2000; step++) {
		append_next(&buf, &written, step * 7 % 512);
		assert_int_equal(buf_len(&buf), written - used);
		consume_next(&buf, &used,
			     step * 11 % 512 < buf_len(&buf) ? step * 11 % 512 : buf_len(&buf));
	}
	consume_next(&buf, &used, buf_len(&buf));
	assert_int_equal(used, written);
	buf_fini(&buf);
}

static void
the_limit_is_reached_and_not_passed(void **state)
{
	uint8_t bytes[1001] = {0};
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	assert_int_equal(buf_append(&buf, bytes, 1001), RC_AGAIN);
	assert_int_equal(buf_append(&buf, bytes, 1000), RC_OK);
	assert_int_equal(buf.capacity, 1000);
	assert_int_equal(buf_append(&buf, bytes, 1), RC_AGAIN);
	assert_null(buf_reserve(&buf, 1));
	assert_int_equal(buf_len(&buf), 1000);
	/* room at the front is room, too */
	buf_consume(&buf, 400);
	assert_int_equal(buf_append(&buf, bytes, 401), RC_AGAIN);
	assert_int_equal(buf_append(&buf, bytes, 400), RC_OK);
	assert_int_equal(buf_len(&buf), 1000);
	assert_int_equal(buf.capacity, 1000);
	buf_fini(&buf);
}

static void
a_size_beyond_all_memory_changes_nothing(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	assert_int_equal(buf_append(&buf, "abc", 3), RC_OK);
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_null(buf_reserve(&buf, SIZE_MAX - 2));
	assert_int_equal(buf_len(&buf), 3);
	assert_memory_equal(buf_front(&buf), "abc", 3);
	buf_fini(&buf);
}

static void
reserved_bytes_count_only_once_added(void **state)
{
	struct buf buf;
	uint8_t *to;

	(void)state;
	buf_init(&buf, 4096);
	to = buf_reserve(&buf, 2000);
	assert_non_null(to);
	assert_int_equal(buf_len(&buf), 0);
	memcpy(to, "door", 4);
	buf_added(&buf, 4);
	assert_int_equal(buf_len(&buf), 4);
	assert_memory_equal(buf_front(&buf), "door", 4);
	buf_fini(&buf);
}

static void
clear_keeps_the_memory_and_release_gives_it_back(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4096);
	assert_int_equal(buf_append(&buf, "door", 4), RC_OK);
	buf_release(&buf);
	assert_int_equal(buf_len(&buf), 4);
	buf_clear(&buf);
	assert_int_equal(buf_len(&buf), 0);
	assert_non_null(buf.data);
	buf_release(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.capacity, 0);
	/* and it can be used again, up to the same limit */
	assert_int_equal(buf_append(&buf, "door", 4), RC_OK);
	assert_int_equal(buf.limit, 4096);
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_order_whatever_the_steps),
		cmocka_unit_test(the_limit_is_reached_and_not_passed),
		cmocka_unit_test(a_size_beyond_all_memory_changes_nothing),
		cmocka_unit_test(reserved_bytes_count_only_once_added),
		cmocka_unit_test(clear_keeps_the_memory_and_release_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
