/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log-linear histogram: values below 64 ns have a bucket each; above, each
 * power of two is cut into 64 equal steps.  Longer than the last bucket counts
 * in the last bucket, and the exact maximum is kept beside it.
 *
 * Deliberately has no mean: a mean of latencies misleads.
 */
#include "sim/latency.h"

enum { LATENCY_STEP_BITS = 6, LATENCY_BUCKETS = LATENCY_POWERS * LATENCY_STEPS };

static size_t
latency_bucket(uint64_t ns)
{
	unsigned power;
	size_t bucket;

	if (ns < LATENCY_STEPS)
		return (size_t)ns;
	power = 63u - (unsigned)__builtin_clzll(ns);
	bucket = (size_t)(power - LATENCY_STEP_BITS) * LATENCY_STEPS +
		 (size_t)(ns >> (power - LATENCY_STEP_BITS));
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The longest duration that falls into the bucket. */
static uint64_t
latency_bucket_end(size_t bucket)
{
	size_t power = bucket / LATENCY_STEPS;

	if (power == 0)
		return bucket;
	return ((uint64_t)(bucket % LATENCY_STEPS + LATENCY_STEPS + 1) << (power - 1)) - 1;
}

void
latency_add(struct latency *latency, uint64_t ns)
{
	latency->n++;
	latency->count[latency_bucket(ns)]++;
	if (ns > latency->max_ns)
		latency->max_ns = ns;
}

uint64_t
latency_quantile_ns(const struct latency *latency, double q)
{
	double rank = q * (double)latency->n;
	uint64_t seen = 0;

	if (latency->n == 0)
		return 0;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		seen += latency->count[i];
		if ((double)seen >= rank && i < LATENCY_BUCKETS - 1) {
			uint64_t end = latency_bucket_end(i);

			return end < latency->max_ns ? end : latency->max_ns;
		}
	}
	return latency->max_ns;
}
