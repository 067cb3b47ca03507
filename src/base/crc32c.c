/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC32C by ISA-L, which uses the processor's own instructions where it has
 * them.  ISA-L leaves the two complements of RFC 3720 to its caller, counts in
 * int, and reads only although it doesn't say const: all three end here.
 */
#include "base/crc32c.h"

#include <isa-l/crc.h>

/* Any that fits an int: longer runs go in pieces. */
enum { CRC32C_PIECE = 1 << 30 };

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t n)
{
	union {
		const void *read;
		unsigned char *passed;
	} u = {.read = bytes};

	crc = ~crc;
	while (n > CRC32C_PIECE) {
		crc = crc32_iscsi(u.passed, CRC32C_PIECE, crc);
		u.passed += CRC32C_PIECE;
		n -= CRC32C_PIECE;
	}
	return ~crc32_iscsi(u.passed, (int)n, crc);
}
