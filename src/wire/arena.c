/* SPDX-License-Identifier: Apache-2.0 */
/* One block, handed out from the front, taken back as a whole. */
#include "wire/arena.h"

#include <stdalign.h>
#include <stdlib.h>

void
arena_init(struct arena *arena, size_t size)
{
	*arena = (struct arena){.block = xcalloc(1, size), .size = size};
}

void
arena_fini(struct arena *arena)
{
	free(arena->block);
	*arena = (struct arena){0};
}

void
arena_reset(struct arena *arena)
{
	arena->used = 0;
}

void *
arena_get(struct arena *arena, size_t n)
{
	size_t align = alignof(max_align_t), begin = (arena->used + align - 1) & ~(align - 1);

	if (begin > arena->size || n > arena->size - begin)
		return NULL;
	arena->used = begin + n;
	return arena->block + begin;
}
