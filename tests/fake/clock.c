/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks of a test.  It holds its state in statics because it stands for
 * something of which a process has one.
 */
#include "base/clock.h"

#include <stdatomic.h>

#include "clock_fake.h"

static _Atomic uint64_t mono_ms = CLOCK_FAKE_MONO_MS;
static _Atomic int64_t wall_us = CLOCK_FAKE_WALL_US;

void
clock_fake_reset(void)
{
	mono_ms = CLOCK_FAKE_MONO_MS;
	wall_us = CLOCK_FAKE_WALL_US;
}

void
clock_fake_advance_ms(uint64_t ms)
{
	mono_ms += ms;
	wall_us += (int64_t)ms * 1000;
}

void
clock_fake_step_wall_us(int64_t us)
{
	wall_us += us;
}

uint64_t
clock_mono_ns(void)
{
	return mono_ms * 1000000u;
}

uint64_t
clock_mono_ms(void)
{
	return mono_ms;
}

int64_t
clock_wall_us(void)
{
	return wall_us;
}
