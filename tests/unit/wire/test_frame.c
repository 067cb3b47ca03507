/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: each length that matters, cut at every byte, and lengths that lie.
 * Frames are parsed from memory of exactly their size, so that the address
 * sanitizer sees a read beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

enum { MAX = 65536 };

/* A frame of so many bytes, and its whole length. */
static uint8_t *
frame_of(size_t payload_len, size_t *n)
{
	size_t header = frame_header_len(payload_len);
	uint8_t *frame = xcalloc(1, header + payload_len);

	assert_ptr_equal(frame_put_header(frame, payload_len), frame + header);
	for (size_t i = 0; i < payload_len; i++)
		frame[header + i] = (uint8_t)(i * 7 + 1);
	*n = header + payload_len;
	return frame;
}

static enum frame_result
parse_copy(const uint8_t *bytes, size_t n, size_t max)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	const uint8_t *payload = NULL;
	size_t len = 0, used = 0;
	enum frame_result result;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	result = frame_parse(copy, n, max, &payload, &len, &used);
	if (result == FRAME_WHOLE) {
		assert_true(used <= n && len <= max);
		assert_ptr_equal(payload + len, copy + used);
	} else {
		assert_null(payload);
		assert_int_equal(len + used, 0);
	}
	free(copy);
	return result;
}

static const size_t lengths[] = {0, 1, 2, 126, 127, 128, 129, 255, 16383, 16384, MAX - 1, MAX};

static void
what_goes_in_comes_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const uint8_t *payload;
		size_t n, len, used;
		uint8_t *frame = frame_of(lengths[i], &n);

		assert_int_equal(frame_parse(frame, n, MAX, &payload, &len, &used), FRAME_WHOLE);
		assert_int_equal(len, lengths[i]);
		assert_int_equal(used, n);
		assert_ptr_equal(payload, frame + n - len);
		free(frame);
	}
}

static void
a_frame_cut_anywhere_is_partial(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n;
		uint8_t *frame = frame_of(lengths[i], &n);
		/* every byte of the small ones, and of the large ones the ends */
		size_t step = n > 4096 ? 997 : 1;

		for (size_t cut = 0; cut < n; cut += cut < 8 ? 1 : step)
			assert_int_equal(parse_copy(frame, cut, MAX), FRAME_PARTIAL);
		assert_int_equal(parse_copy(frame, n - 1, MAX), FRAME_PARTIAL);
		assert_int_equal(parse_copy(frame, n, MAX), FRAME_WHOLE);
		free(frame);
	}
}

static void
the_next_frame_is_not_touched(void **state)
{
	static const uint8_t two[] = {2, 'a', 'b', 1, 'c'};
	const uint8_t *payload;
	size_t len, used;

	(void)state;
	assert_int_equal(frame_parse(two, sizeof(two), MAX, &payload, &len, &used), FRAME_WHOLE);
	assert_int_equal(used, 3);
	assert_memory_equal(payload, "ab", len);
	assert_int_equal(frame_parse(two + used, sizeof(two) - used, MAX, &payload, &len, &used),
			 FRAME_WHOLE);
	assert_int_equal(used, 2);
	assert_memory_equal(payload, "c", len);
}

static void
a_frame_over_the_limit_is_known_by_its_header(void **state)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t n = (size_t)(frame_put_header(header, MAX + 1) - header);

	(void)state;
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(parse_copy(header, cut, MAX), FRAME_PARTIAL);
	assert_int_equal(parse_copy(header, n, MAX), FRAME_TOO_LONG);
	assert_int_equal(parse_copy(header, n, MAX + 1), FRAME_PARTIAL);
	assert_int_equal(parse_copy((const uint8_t *)"\x01z", 2, 0), FRAME_TOO_LONG);
}

static void
lengths_at_the_end_of_32_bits_do_not_wrap(void **state)
{
	(void)state;
	for (uint64_t length = 0xfffffffc; length <= 0xffffffff; length++) {
		uint8_t bytes[64] = {0};

		assert_int_equal(frame_put_header(bytes, length) - bytes, 5);
		assert_int_equal(parse_copy(bytes, sizeof(bytes), MAX), FRAME_TOO_LONG);
		/* with no limit at all it is only a long wait */
		assert_int_equal(parse_copy(bytes, sizeof(bytes), SIZE_MAX), FRAME_PARTIAL);
		assert_int_equal(parse_copy(bytes, sizeof(bytes), length), FRAME_PARTIAL);
		assert_int_equal(parse_copy(bytes, sizeof(bytes), length - 1), FRAME_TOO_LONG);
	}
	/* five bytes can say more than 32 bits */
	assert_int_equal(parse_copy((const uint8_t *)"\xff\xff\xff\xff\x7f", 5, UINT32_MAX),
			 FRAME_TOO_LONG);
}

static void
a_length_of_six_bytes_is_bad(void **state)
{
	static const uint8_t six[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(parse_copy(six, n, MAX), FRAME_PARTIAL);
	/* known with the fifth byte, not only with the sixth */
	assert_int_equal(parse_copy(six, 5, MAX), FRAME_BAD);
	assert_int_equal(parse_copy(six, 6, MAX), FRAME_BAD);
	assert_int_equal(parse_copy(endless, sizeof(endless), SIZE_MAX), FRAME_BAD);
}

static void
a_length_may_be_longer_than_it_need_be(void **state)
{
	static const uint8_t padded[] = {0x82, 0x80, 0x80, 0x80, 0x00, 'a', 'b'};
	const uint8_t *payload;
	size_t len, used;

	(void)state;
	/* the protobuf specification lets a varint have zeros behind */
	assert_int_equal(frame_parse(padded, sizeof(padded), MAX, &payload, &len, &used),
			 FRAME_WHOLE);
	assert_int_equal(len, 2);
	assert_int_equal(used, sizeof(padded));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(a_frame_cut_anywhere_is_partial),
		cmocka_unit_test(the_next_frame_is_not_touched),
		cmocka_unit_test(a_frame_over_the_limit_is_known_by_its_header),
		cmocka_unit_test(lengths_at_the_end_of_32_bits_do_not_wrap),
		cmocka_unit_test(a_length_of_six_bytes_is_bad),
		cmocka_unit_test(a_length_may_be_longer_than_it_need_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
