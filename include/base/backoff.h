/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pauses between attempts that fail: each twice as long as the one before, up to a most,
 * until one succeeds.  An attempt on a server that hangs leaves something behind there;
 * with ever longer pauses that stays little, however long it hangs.
 *
 * Owner: whoever embeds it.
 */
#ifndef GATEHOUSE_BASE_BACKOFF_H
#define GATEHOUSE_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t first_ms, most_ms;
	unsigned failures; /* in a row */
	uint64_t chance;   /* never 0 */
};

/* `first_ms` is not 0; where `most_ms` is less, it is `first_ms`. */
void backoff_init(struct backoff *backoff, uint64_t first_ms, uint64_t most_ms);
/* One more has failed.  Returns the pause: from half of it to all of it, by chance, so that
 * those who lost the same server don't come back in step. */
uint64_t backoff_failed(struct backoff *backoff);
/* One has succeeded: the next pause is a first one. */
void backoff_succeeded(struct backoff *backoff);

#endif
