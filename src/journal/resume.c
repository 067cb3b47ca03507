/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the chain holds again behind a damaged spot.
 *
 * An entry proves the one before it: its crc was begun with that one's.  So an
 * entry is taken again where it is sealed behind a crc that stands in the bytes
 * before it, and where what follows proves it in turn.
 *
 * The bytes between are hostile: what a controller wrote may look like a chain of
 * entries, since a crc is no secret.  Two things it can't have: a crc that stands
 * in the header of the damaged entry itself (it depends on all entries before), and
 * a chain that leaves the one body it was written into.  So a chain found by
 * searching counts only when it is longer than any body, or comes to the anchor:
 * the segment's end with the crc that the next one begins with, or a position that
 * is known to be between two entries.
 *
 * What this deliberately does not do: return an entry that nothing proves; of two
 * damaged entries in a row, what stands between them may be lost to damaged/, too.
 */
#include "journal_priv.h"

enum {
	/* a chain of so many bytes is longer than the longest body */
	PROOF_BYTES = JOURNAL_BODY_MAX + 2 * JOURNAL_ENTRY_HEADER,
};

/* Bytes that look like headers everywhere end the search: a second's worth of crcs. */
static const uint64_t work_max_bytes = (uint64_t)8 << 30;

/* Owner: scan_resume().  The probe walks ahead of the scan that stands at the spot. */
struct search {
	struct scan probe;
	const struct anchor *anchor;
	uint64_t work_bytes; /* that guesses may have had to look at */
};

static bool
search_at_anchor(const struct search *search)
{
	return search->probe.at == search->anchor->at;
}

/* The segment's last entry is that behind which the next segment begins. */
static bool
search_at_seed(const struct search *search)
{
	return search->anchor->has_crc && search->probe.crc == search->anchor->crc;
}

/*
 * Does the chain hold from `at` on, behind `crc`?  RC_EOF: no; probe.at is where it
 * ended.  Entries at or behind an anchor's position are not looked at.
 */
static enum rc
search_try(struct search *search, uint64_t at, uint32_t crc, uint64_t proof_bytes, struct err *err)
{
	struct scan *probe = &search->probe;
	struct journal_entry entry;
	enum rc rc = RC_OK;

	probe->at = at;
	probe->crc = crc;
	while (rc == RC_OK && probe->at < search->anchor->at) {
		if (probe->at - at >= proof_bytes)
			return RC_OK;
		rc = scan_next(probe, &entry, err);
	}
	if (rc == RC_FAIL)
		return rc;
	if (rc == RC_EOF && search_at_seed(search))
		return RC_OK;
	return rc == RC_OK && search_at_anchor(search) ? RC_OK : RC_EOF;
}

/* The scan goes on at `at`, behind `crc`. */
static enum rc
scan_move(struct scan *scan, uint64_t at, uint32_t crc)
{
	scan->at = at;
	scan->crc = crc;
	return RC_OK;
}

/*
 * The damaged entry's header says where the next one is.  Behind its crc, or behind
 * the crc that it should have (then that one was what got damaged), one entry is
 * proof enough.
 */
static enum rc
resume_by_header(struct scan *scan, struct search *search, struct err *err)
{
	const uint8_t *here;
	uint32_t crcs[2];
	size_t bytes;
	enum rc rc = scan_peek(scan, JOURNAL_ENTRY_HEADER, &here, err);

	if (rc != RC_OK || !format_entry_is_plausible(here))
		return rc == RC_FAIL ? rc : RC_EOF;
	bytes = format_entry_bytes(here);
	rc = scan_peek(scan, bytes, &here, err);
	if (rc != RC_OK)
		return rc;
	crcs[0] = format_entry_stored_crc(here);
	crcs[1] = format_entry_crc(here, scan->crc);
	for (size_t i = 0; i < ARRAY_LEN(crcs); i++) {
		rc = search_try(search, scan->at + bytes, crcs[i], 1, err);
		if (rc == RC_OK)
			return scan_move(scan, scan->at + bytes, crcs[i]);
		if (rc == RC_FAIL)
			return rc;
	}
	return RC_EOF;
}

/*
 * May an entry begin where the scan stands?  It may be the one behind the damaged
 * entry, whose crc then proves it; or one that nothing proves, and the next one is
 * the first to be taken.  RC_AGAIN: neither.
 */
static enum rc
resume_here(struct scan *scan, struct search *search, uint32_t damaged_crc, struct err *err)
{
	const uint8_t *here;
	enum rc rc = scan_peek(scan, JOURNAL_ENTRY_HEADER, &here, err);

	if (rc != RC_OK || scan->at >= search->anchor->at)
		return rc == RC_OK ? RC_EOF : rc;
	if (!format_entry_is_plausible(here))
		return RC_AGAIN;
	uint64_t next = scan->at + format_entry_bytes(here);
	uint32_t crc = format_entry_stored_crc(here);
	search->work_bytes += next - scan->at;
	rc = search_try(search, scan->at, damaged_crc, PROOF_BYTES, err);
	if (rc != RC_EOF)
		return rc == RC_OK ? scan_move(scan, scan->at, damaged_crc) : rc;
	if (next >= search->anchor->at)
		return RC_AGAIN;
	rc = search_try(search, next, crc, PROOF_BYTES, err);
	if (rc != RC_EOF)
		return rc == RC_OK ? scan_move(scan, next, crc) : rc;
	/* what was a chain for a while ends inside a body, and so do its parts */
	if (search->probe.at > next)
		scan->at = search->probe.at - 1;
	return RC_AGAIN;
}

/* Byte by byte, where the length is not to be trusted either. */
static enum rc
resume_by_search(struct scan *scan, struct search *search, struct err *err)
{
	const uint8_t *here;
	uint64_t spot = scan->at;
	enum rc rc = scan_peek(scan, JOURNAL_ENTRY_HEADER, &here, err);

	if (rc != RC_OK)
		return rc;
	uint32_t damaged_crc = format_entry_stored_crc(here);
	do {
		scan->at++;
		rc = resume_here(scan, search, damaged_crc, err);
	} while (rc == RC_AGAIN && search->work_bytes < work_max_bytes);
	if (rc == RC_OK)
		return rc;
	scan->at = spot;
	return rc == RC_FAIL ? rc : RC_EOF;
}

enum rc
scan_resume(struct scan *scan, const struct anchor *anchor, struct err *err)
{
	struct search search = {.anchor = anchor};

	scan_init(&search.probe);
	search.probe.fd = scan->fd;
	search.probe.first = scan->first;
	search.probe.limit = scan->limit;
	enum rc rc = resume_by_header(scan, &search, err);
	if (rc == RC_EOF)
		rc = resume_by_search(scan, &search, err);
	scan_fini(&search.probe);
	return rc;
}
