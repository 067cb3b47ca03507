/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Length-delimited framing: a base-128 varint, then so many bytes.  Pure
 * functions over memory; any thread.
 *
 * Source: the delimited streams of protobuf libraries (writeDelimitedTo), and
 * https://protobuf.dev/programming-guides/encoding/#varints.
 */
#ifndef GATEHOUSE_WIRE_FRAME_H
#define GATEHOUSE_WIRE_FRAME_H

#include "base/base.h"

/* A length of up to 32 bits takes at most so many bytes. */
enum { FRAME_HEADER_MAX = 5 };

enum frame_result {
	FRAME_WHOLE,    /* *payload, *payload_len, *used are set */
	FRAME_PARTIAL,  /* more bytes are needed */
	FRAME_TOO_LONG, /* announces more than max_len: known as soon as the length is */
	FRAME_BAD,      /* the length doesn't end within FRAME_HEADER_MAX bytes */
};

/* Looks at the first frame in bytes[0 .. n).  Borrows. */
enum frame_result frame_parse(const uint8_t *bytes, size_t n, size_t max_len,
			      const uint8_t **payload, size_t *payload_len, size_t *used);

/* Bytes of the header for a payload of so many bytes. */
size_t frame_header_len(size_t payload_len);
/* Writes it, returns the place behind. */
uint8_t *frame_put_header(uint8_t *out, size_t payload_len);

#endif
