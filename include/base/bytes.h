/* SPDX-License-Identifier: Apache-2.0 */
/* Integers in byte order: le_ for our own files, be_ for PostgreSQL's binary COPY. */
#ifndef GATEHOUSE_BASE_BYTES_H
#define GATEHOUSE_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_PUT(name, type, convert)                                                             \
	static inline uint8_t *name(uint8_t *out, type value)                                      \
	{                                                                                          \
		type stored = convert(value);                                                      \
		memcpy(out, &stored, sizeof(stored));                                              \
		return out + sizeof(stored);                                                       \
	}
#define BYTES_GET(name, type, convert)                                                             \
	static inline type name(const uint8_t *in)                                                 \
	{                                                                                          \
		type stored;                                                                       \
		memcpy(&stored, in, sizeof(stored));                                               \
		return convert(stored);                                                            \
	}

/* Each put returns the place behind what it wrote. */
BYTES_PUT(le_put16, uint16_t, htole16)
BYTES_PUT(le_put32, uint32_t, htole32)
BYTES_PUT(le_put64, uint64_t, htole64)
BYTES_GET(le_get16, uint16_t, le16toh)
BYTES_GET(le_get32, uint32_t, le32toh)
BYTES_GET(le_get64, uint64_t, le64toh)
BYTES_PUT(be_put16, uint16_t, htobe16)
BYTES_PUT(be_put32, uint32_t, htobe32)
BYTES_PUT(be_put64, uint64_t, htobe64)
BYTES_GET(be_get16, uint16_t, be16toh)
BYTES_GET(be_get32, uint32_t, be32toh)
BYTES_GET(be_get64, uint64_t, be64toh)

#undef BYTES_PUT
#undef BYTES_GET

#endif
