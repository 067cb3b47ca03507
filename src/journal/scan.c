/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks through the entries of one segment file, and checks each one's place in
 * the chain.  Recovery and readers see the file through this and through
 * nothing else, so that both have the same idea of what an entry is.
 *
 * Owner: whoever owns the struct.  Bytes of a file are hostile: a length is
 * compared with the limit before anything is computed from it.
 *
 * What this deliberately does not do: decide what the end means.  For recovery
 * it is the end of the valid prefix, for a reader it may be damage.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/fs.h"
#include "journal_priv.h"

enum {
	/* one read: some hundred entries, and room for the longest one */
	WINDOW_BYTES = 256 * 1024,
};

void
scan_init(struct scan *scan)
{
	*scan = (struct scan){.fd = -1, .window = xcalloc(1, WINDOW_BYTES)};
}

void
scan_fini(struct scan *scan)
{
	free(scan->window);
	scan->window = NULL;
}

void
scan_begin(struct scan *scan, int fd, const struct segment_header *header, uint64_t limit)
{
	scan->fd = fd;
	scan->first = header->first;
	scan->at = JOURNAL_SEGMENT_HEADER;
	scan->limit = limit;
	scan->crc = header->seed;
	scan->window_at = 0;
	scan->window_len = 0;
}

uint64_t
scan_position(const struct scan *scan)
{
	return scan->first + (scan->at - JOURNAL_SEGMENT_HEADER);
}

/* Brings n bytes from `at` on into the window; RC_EOF when limit or file end before. */
static enum rc
scan_load(struct scan *scan, size_t n, struct err *err)
{
	uint64_t left = scan->limit > scan->at ? scan->limit - scan->at : 0;

	if (left < n)
		return RC_EOF;
	if (scan->at >= scan->window_at && scan->window_at + scan->window_len >= scan->at + n)
		return RC_OK;
	size_t want = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
	enum rc rc = fs_read_at(scan->fd, scan->window, want, scan->at, &scan->window_len, err);
	if (rc != RC_OK) {
		scan->window_len = 0;
		return rc;
	}
	scan->window_at = scan->at;
	return scan->window_len < n ? RC_EOF : RC_OK;
}

static const uint8_t *
scan_here(const struct scan *scan)
{
	return scan->window + (scan->at - scan->window_at);
}

enum rc
scan_peek(struct scan *scan, size_t n, const uint8_t **here, struct err *err)
{
	enum rc rc = scan_load(scan, n, err);

	*here = rc == RC_OK ? scan_here(scan) : NULL;
	return rc;
}

static enum rc
scan_bad(const struct scan *scan, struct err *err)
{
	return err_invalid(err, "no valid entry at offset %llu", (unsigned long long)scan->at);
}

enum rc
scan_next(struct scan *scan, struct journal_entry *entry, struct err *err)
{
	enum rc rc = scan_load(scan, JOURNAL_ENTRY_HEADER, err);
	uint32_t crc;

	if (rc != RC_OK)
		return rc;
	if (format_entry_is_blank(scan_here(scan)))
		return RC_EOF;
	if (!format_entry_is_plausible(scan_here(scan)))
		return scan_bad(scan, err);
	size_t bytes = format_entry_bytes(scan_here(scan));
	rc = scan_load(scan, bytes, err);
	if (rc == RC_EOF)
		return scan_bad(scan, err);
	if (rc != RC_OK)
		return rc;
	const uint8_t *here = scan_here(scan);
	if (!format_entry_is_valid(here, scan->crc, &crc))
		return scan_bad(scan, err);
	*entry = (struct journal_entry){
		.position = scan_position(scan),
		.next = scan_position(scan) + bytes,
		.type = format_entry_type(here),
		.flags = format_entry_flags(here),
		.body = here + JOURNAL_ENTRY_HEADER,
		.len = (uint32_t)(bytes - JOURNAL_ENTRY_HEADER),
	};
	scan->crc_before = scan->crc;
	scan->crc = crc;
	scan->at += bytes;
	return RC_OK;
}

void
scan_unread(struct scan *scan, const struct journal_entry *entry)
{
	scan->at -= entry->next - entry->position;
	scan->crc = scan->crc_before;
}
