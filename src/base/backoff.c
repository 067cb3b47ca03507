/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include "base/base.h"
#include "base/clock.h"

void
backoff_init(struct backoff *backoff, uint64_t first_ms, uint64_t most_ms)
{
	must(first_ms > 0);
	*backoff = (struct backoff){
		.first_ms = first_ms,
		.most_ms = most_ms > first_ms ? most_ms : first_ms,
		/* of many in one process, each has its own */
		.chance = (clock_mono_ns() ^ (uintptr_t)backoff) | 1,
	};
}

/* xorshift64: chance enough to spread attempts. */
static uint64_t
backoff_chance(struct backoff *backoff, uint64_t below)
{
	uint64_t x = backoff->chance;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	backoff->chance = x;
	return x % below;
}

uint64_t
backoff_failed(struct backoff *backoff)
{
	uint64_t pause_ms = backoff->first_ms;

	for (unsigned i = 0; i < backoff->failures && pause_ms < backoff->most_ms; i++)
		pause_ms = pause_ms > backoff->most_ms / 2 ? backoff->most_ms : 2 * pause_ms;
	backoff->failures++;
	return pause_ms - backoff_chance(backoff, pause_ms / 2 + 1);
}

void
backoff_succeeded(struct backoff *backoff)
{
	backoff->failures = 0;
}
