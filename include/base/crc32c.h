/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checksum of all our files: CRC32C (Castagnoli) as RFC 3720 has it.  It
 * finds what a disk or a power cut did to them, not what a person meant to do.
 * A pure function over memory; any thread.
 */
#ifndef GATEHOUSE_BASE_CRC32C_H
#define GATEHOUSE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`; 0 begins.  So crc32c(crc32c(0, a), b) is that of a and b
 * in one piece. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
