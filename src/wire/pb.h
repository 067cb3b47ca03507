/* SPDX-License-Identifier: Apache-2.0 */
/* What the message modules share: protobuf-c shows in this room only. */
#ifndef GATEHOUSE_WIRE_PB_H
#define GATEHOUSE_WIRE_PB_H

#include "gatehouse.pb-c.h"
#include "wire/arena.h"

/* protobuf-c's way to allocate, out of the arena. */
ProtobufCAllocator pb_allocator(struct arena *arena);

/* Packs `message` behind its length; returns the number of bytes. */
size_t pb_put_framed(uint8_t *out, size_t max, const ProtobufCMessage *message);

/* A text that was decoded into the arena: valid UTF-8 without control characters
 * and without NUL, at most `max` bytes. */
bool pb_text_ok(const struct arena *arena, const char *text, size_t max);

/* Our own texts quote what came from outside: cuts them between characters. */
void pb_cut_text(char *out, size_t size, const char *text);

/* protobuf-c wants char * where it only reads. */
char *pb_text(const char *text);

#endif
