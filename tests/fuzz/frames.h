/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzzers of one direction of a connection: the input is a row of frames. */
#ifndef GATEHOUSE_TESTS_FUZZ_FRAMES_H
#define GATEHOUSE_TESTS_FUZZ_FRAMES_H

#include "wire/arena.h"
#include "wire/frame.h"

/* Each message up to the first that is not whole, with an empty arena. */
static inline void
frames_run(const uint8_t *data, size_t n, size_t frame_max, size_t arena_bytes,
	   void (*take)(struct arena *arena, const uint8_t *payload, size_t len))
{
	const uint8_t *payload;
	size_t len, used;
	struct arena arena;

	arena_init(&arena, arena_bytes);
	while (frame_parse(data, n, frame_max, &payload, &len, &used) == FRAME_WHOLE) {
		arena_reset(&arena);
		take(&arena, payload, len);
		data += used;
		n -= used;
	}
	arena_fini(&arena);
}

#endif
