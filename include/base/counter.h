/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number that one thread counts and any thread may read for `status`.
 * Relaxed order: it says how often, never when.
 */
#ifndef GATEHOUSE_BASE_COUNTER_H
#define GATEHOUSE_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

static inline void
counter_add(counter *c, uint64_t n)
{
	/* one writer: no locked instruction is needed */
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void
counter_set(counter *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t
counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
