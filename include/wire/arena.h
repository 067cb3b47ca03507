/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for one message at a time: handed out from one block, taken back all
 * at once.  So decoding allocates nothing, and a message can't take more than
 * the block, whatever it says about itself.  Owner: one thread.
 */
#ifndef GATEHOUSE_WIRE_ARENA_H
#define GATEHOUSE_WIRE_ARENA_H

#include "base/base.h"

struct arena {
	uint8_t *block;
	size_t used, size;
};

void arena_init(struct arena *arena, size_t size);
void arena_fini(struct arena *arena);
/* Takes everything back. */
void arena_reset(struct arena *arena);
/* Aligned for any type; NULL when the block is used up. */
void *arena_get(struct arena *arena, size_t n);
/* How much was asked for when arena_get() returned `ptr`; 0 when it did not come
 * from there. */
size_t arena_asked(const struct arena *arena, const void *ptr);

#endif
