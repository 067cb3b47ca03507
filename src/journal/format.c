/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of segments and entries.  Pure functions over memory; any thread.
 *
 * Header of a segment (little endian, JOURNAL_SEGMENT_HEADER bytes):
 *	 0  magic "GHSEGMNT"
 *	 8  u32 version, 1
 *	12  u32 node
 *	16  journal id, 16 bytes
 *	32  u64 first position
 *	40  u64 bytes of the whole file
 *	48  u32 seed: crc of the last entry before this segment
 *	52  u64 positions lost before the first one
 *	60  zeros
 *     508  u32 CRC32C of all bytes before it
 *
 * The layout of an entry is in journal.h.  Its type is never 0, so that zeros
 * are never an entry, whatever crc would be due.
 *
 * What this deliberately does not do: read files, or know where an entry stands.
 */
#include <string.h>

#include "base/bytes.h"
#include "journal_priv.h"

enum {
	HEADER_VERSION_AT = 8,
	HEADER_NODE_AT = 12,
	HEADER_ID_AT = 16,
	HEADER_FIRST_AT = 32,
	HEADER_BYTES_AT = 40,
	HEADER_SEED_AT = 48,
	HEADER_LOST_AT = 52,
	HEADER_CRC_AT = JOURNAL_SEGMENT_HEADER - 4,
	FORMAT_VERSION = 1,

	ENTRY_CRC_AT = 4,
	ENTRY_TYPE_AT = 8,
	ENTRY_FLAGS_AT = 9,
	ENTRY_ZERO_AT = 10,
};

static const uint8_t header_magic[8] = {'G', 'H', 'S', 'E', 'G', 'M', 'N', 'T'};

/* ---- Segment header ----------------------------------------------------- */

void
format_put_header(uint8_t out[JOURNAL_SEGMENT_HEADER], const struct segment_header *header)
{
	memset(out, 0, JOURNAL_SEGMENT_HEADER);
	memcpy(out, header_magic, sizeof(header_magic));
	(void)le_put32(out + HEADER_VERSION_AT, FORMAT_VERSION);
	(void)le_put32(out + HEADER_NODE_AT, header->node);
	memcpy(out + HEADER_ID_AT, header->id, JOURNAL_ID_BYTES);
	(void)le_put64(out + HEADER_FIRST_AT, header->first);
	(void)le_put64(out + HEADER_BYTES_AT, header->bytes);
	(void)le_put32(out + HEADER_SEED_AT, header->seed);
	(void)le_put64(out + HEADER_LOST_AT, header->lost_bytes);
	(void)le_put32(out + HEADER_CRC_AT, crc32c(0, out, HEADER_CRC_AT));
}

enum rc
format_get_header(const uint8_t in[JOURNAL_SEGMENT_HEADER], struct segment_header *header,
		  struct err *err)
{
	if (memcmp(in, header_magic, sizeof(header_magic)) != 0)
		return err_invalid(err, "its header is not that of a journal segment");
	if (le_get32(in + HEADER_CRC_AT) != crc32c(0, in, HEADER_CRC_AT))
		return err_invalid(err, "its header is damaged");
	if (le_get32(in + HEADER_VERSION_AT) != FORMAT_VERSION)
		return err_invalid(err, "its format is version %u, this program knows %u",
				   (unsigned)le_get32(in + HEADER_VERSION_AT),
				   (unsigned)FORMAT_VERSION);
	memcpy(header->id, in + HEADER_ID_AT, JOURNAL_ID_BYTES);
	header->node = le_get32(in + HEADER_NODE_AT);
	header->first = le_get64(in + HEADER_FIRST_AT);
	header->bytes = le_get64(in + HEADER_BYTES_AT);
	header->seed = le_get32(in + HEADER_SEED_AT);
	header->lost_bytes = le_get64(in + HEADER_LOST_AT);
	/* the crc is right, so these are a mistake in a program, and still not to be computed with
	 */
	if (header->bytes < SEGMENT_BYTES_MIN || header->bytes > INT64_MAX ||
	    header->first > INT64_MAX || header->lost_bytes > header->first)
		return err_invalid(err, "its header makes no sense");
	return RC_OK;
}

/* ---- Entry -------------------------------------------------------------- */

void
format_put_entry(uint8_t *entry, uint8_t type, uint8_t flags, uint32_t body_len)
{
	(void)le_put32(entry, body_len);
	(void)le_put32(entry + ENTRY_CRC_AT, 0);
	entry[ENTRY_TYPE_AT] = type;
	entry[ENTRY_FLAGS_AT] = flags;
	(void)le_put16(entry + ENTRY_ZERO_AT, 0);
}

size_t
format_entry_bytes(const uint8_t *entry)
{
	return (size_t)JOURNAL_ENTRY_HEADER + le_get32(entry);
}

uint8_t
format_entry_type(const uint8_t *entry)
{
	return entry[ENTRY_TYPE_AT];
}

uint8_t
format_entry_flags(const uint8_t *entry)
{
	return entry[ENTRY_FLAGS_AT];
}

uint32_t
format_entry_stored_crc(const uint8_t *entry)
{
	return le_get32(entry + ENTRY_CRC_AT);
}

/* Over everything but the crc's own four bytes. */
uint32_t
format_entry_crc(const uint8_t *entry, uint32_t before)
{
	uint32_t crc = crc32c(before, entry, ENTRY_CRC_AT);

	return crc32c(crc, entry + ENTRY_TYPE_AT, format_entry_bytes(entry) - ENTRY_TYPE_AT);
}

uint32_t
format_seal_entry(uint8_t *entry, uint32_t before)
{
	uint32_t crc = format_entry_crc(entry, before);

	(void)le_put32(entry + ENTRY_CRC_AT, crc);
	return crc;
}

bool
format_entry_is_blank(const uint8_t header[JOURNAL_ENTRY_HEADER])
{
	return le_get64(header) == 0 && le_get32(header + ENTRY_TYPE_AT) == 0;
}

bool
format_entry_is_plausible(const uint8_t header[JOURNAL_ENTRY_HEADER])
{
	return le_get32(header) <= JOURNAL_BODY_MAX && header[ENTRY_TYPE_AT] != 0 &&
	       header[ENTRY_ZERO_AT] == 0 && header[ENTRY_ZERO_AT + 1] == 0;
}

bool
format_entry_is_valid(const uint8_t *entry, uint32_t before, uint32_t *crc)
{
	*crc = le_get32(entry + ENTRY_CRC_AT);
	return format_entry_is_plausible(entry) && format_entry_crc(entry, before) == *crc;
}
