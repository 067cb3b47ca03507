/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block, handed out from the front, taken back as a whole.  In front of each
 * piece stands how long it was asked to be.
 */
#include "wire/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* keeps what follows it aligned for any type */
enum { ARENA_HEADER = alignof(max_align_t) };

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
	size_t begin = (arena->used + ARENA_HEADER - 1) & ~((size_t)ARENA_HEADER - 1);
	uint8_t *piece;

	if (begin > arena->size || arena->size - begin < ARENA_HEADER ||
	    n > arena->size - begin - ARENA_HEADER)
		return NULL;
	piece = arena->block + begin + ARENA_HEADER;
	memcpy(piece - ARENA_HEADER, &n, sizeof(n));
	arena->used = begin + ARENA_HEADER + n;
	return piece;
}

size_t
arena_asked(const struct arena *arena, const void *ptr)
{
	uintptr_t at = (uintptr_t)ptr, begin = (uintptr_t)arena->block;
	size_t n;

	if (at < begin + ARENA_HEADER || at > begin + arena->used)
		return 0;
	memcpy(&n, (const uint8_t *)ptr - ARENA_HEADER, sizeof(n));
	return n;
}
