/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of durations: constant memory, quantiles within 1.6 %.  Zeroed: empty.
 * Owner: whoever owns the struct; no thread safety.
 */
#ifndef GATEHOUSE_SIM_LATENCY_H
#define GATEHOUSE_SIM_LATENCY_H

#include "base/base.h"

/* 64 steps for each power of two: 1/64 is the 1.6 %.  2^42 ns is more than an hour. */
enum { LATENCY_STEPS = 64, LATENCY_POWERS = 37 };

struct latency {
	uint64_t n;
	uint64_t max_ns;
	uint32_t count[LATENCY_POWERS * LATENCY_STEPS];
};

void latency_add(struct latency *latency, uint64_t ns);
/* An upper bound of the q-quantile (0 < q <= 1), never above the maximum; 0 when empty. */
uint64_t latency_quantile_ns(const struct latency *latency, double q);

#endif
