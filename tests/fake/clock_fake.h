/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that stands until a test moves it, in the place of base/clock.c.  The
 * wall clock begins at 2026-01-01T00:00:00Z and goes with the monotonic one; it
 * may be stepped by itself.  One clock per process; any thread may read it.
 */
#ifndef GATEHOUSE_TESTS_FAKE_CLOCK_FAKE_H
#define GATEHOUSE_TESTS_FAKE_CLOCK_FAKE_H

#include <stdint.h>

#define CLOCK_FAKE_MONO_MS UINT64_C(1000000)
#define CLOCK_FAKE_WALL_US (INT64_C(1767225600) * 1000000)

void clock_fake_reset(void);
void clock_fake_advance_ms(uint64_t ms);
void clock_fake_step_wall_us(int64_t us);

#endif
