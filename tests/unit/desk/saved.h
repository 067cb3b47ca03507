/* SPDX-License-Identifier: Apache-2.0 */
/* What a desk saves, and that two desks stand the same. */
#ifndef GATEHOUSE_TESTS_DESK_SAVED_H
#define GATEHOUSE_TESTS_DESK_SAVED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "desk/desk.h"

/* The caller lets go of it. */
static inline struct buf
saved(const struct desk *desk)
{
	struct buf buf;

	buf_init(&buf, 8 << 20);
	assert_int_equal(desk_save(desk, &buf), RC_OK);
	return buf;
}

static inline void
assert_same(const struct desk *a, const struct desk *b)
{
	struct buf x = saved(a), y = saved(b);

	assert_int_equal(buf_len(&x), buf_len(&y));
	assert_memory_equal(buf_front(&x), buf_front(&y), buf_len(&x));
	buf_fini(&x);
	buf_fini(&y);
}

#endif
