/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks.  Timers and ages use the monotonic one, so that a step of
 * the wall clock makes no storm and no stall; what is stored uses the wall
 * clock.  tests/fake/clock.c replaces this module at link time.
 */
#ifndef GATEHOUSE_BASE_CLOCK_H
#define GATEHOUSE_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some start; never goes back. */
uint64_t clock_mono_ns(void);
/* The same in milliseconds. */
uint64_t clock_mono_ms(void);
/* Microseconds since 1970-01-01T00:00:00Z; may step. */
int64_t clock_wall_us(void);

#endif
