/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop that the test turns by hand, and a clock that stands until the test moves it, in
 * the place of base/clock.  The test, or its fixture, says what `turn(f)` is.
 */
#ifndef GATEHOUSE_TESTS_SUPPORT_BY_HAND_H
#define GATEHOUSE_TESTS_SUPPORT_BY_HAND_H

#include "base/clock.h"

/* Far beyond what any test needs: a turn lasts a tick at most. */
enum { TURNS_MAX = 5000 };

static uint64_t now_ms = 1000000;

uint64_t
clock_mono_ns(void)
{
	return now_ms * 1000000u;
}

uint64_t
clock_mono_ms(void)
{
	return now_ms;
}

int64_t
clock_wall_us(void)
{
	return (int64_t)now_ms * 1000;
}

/* Turns until it is so; a test that waits in vain fails. */
#define UNTIL(f, condition)                                                                        \
	do {                                                                                       \
		int turns_ = 0;                                                                    \
		while (!(condition)) {                                                             \
			if (turns_++ == TURNS_MAX)                                                 \
				fail_msg("waited in vain for %s", #condition);                     \
			turn(f);                                                                   \
		}                                                                                  \
	} while (0)

#endif
