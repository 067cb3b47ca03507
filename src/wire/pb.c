/* SPDX-License-Identifier: Apache-2.0 */
/* Between protobuf-c and us: memory, framing, and what a text may hold. */
#include "pb.h"

#include <jansson.h>
#include <string.h>

#include "wire/frame.h"

static void *
pb_alloc(void *arena, size_t n)
{
	return arena_get(arena, n);
}

static void
pb_free(void *arena, void *ptr)
{
	/* the arena takes everything back at once */
	(void)arena;
	(void)ptr;
}

ProtobufCAllocator
pb_allocator(struct arena *arena)
{
	return (ProtobufCAllocator){.alloc = pb_alloc, .free = pb_free, .allocator_data = arena};
}

size_t
pb_put_framed(uint8_t *out, size_t max, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	must(frame_header_len(len) + len <= max);
	return (size_t)(frame_put_header(out, len) - out) +
	       protobuf_c_message_pack(message, out + frame_header_len(len));
}

/* jansson knows UTF-8; nearly every text that comes is ASCII, and never gets here. */
static bool
pb_utf8_ok(const char *text, size_t len)
{
	json_t *json = json_stringn(text, len);

	json_decref(json);
	return json != NULL;
}

bool
pb_text_ok(const struct arena *arena, const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1), asked = arena_asked(arena, text);
	bool ascii = true;

	/* protobuf-c puts an end behind what came; an earlier end came with it.  Only
	 * the empty default is not in the arena. */
	if (len > max || (asked > 0 && len != asked - 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		ascii = ascii && c < 0x80;
	}
	return ascii || pb_utf8_ok(text, len);
}

void
pb_cut_text(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	if (n == size - 1)
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	memcpy(out, text, n);
	out[n] = '\0';
}

char *
pb_text(const char *text)
{
	union {
		const char *read;
		char *passed;
	} u = {.read = text};

	return u.passed;
}
