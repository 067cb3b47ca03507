/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader: entries in order from a position on, never beyond `durable`, from
 * the files, over the borders of segments.
 *
 * Owner: the follower's thread.  It shares nothing with the appender but the
 * position `durable`: bytes before that are never written again.
 *
 * Invariant: every entry that is returned is sealed behind the one before it,
 * from the header of its segment on; at a border the seed of the next segment
 * proves that the one before was read to its true end.
 *
 * What this deliberately does not do: repair, skip, or hold segments (see
 * journal_hold()).
 */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "journal_priv.h"

struct journal_reader {
	struct journal *journal;
	struct segment_header header; /* of the open segment */
	int fd;
	struct scan scan;
};

/* ---- Segments ----------------------------------------------------------- */

static enum rc
reader_damaged(const struct journal_reader *reader, struct err *err)
{
	(void)err_invalid(err, "it is damaged at offset %llu: what was durable can't be read",
			  (unsigned long long)reader->scan.at);
	return segment_blame(RC_INVALID, reader->header.first, err);
}

/* Goes over to the segment that begins at `first`, if it is ours and, with `chain`,
 * stands behind the entry of that crc.  Otherwise the reader stays where it is. */
static enum rc
reader_open(struct journal_reader *reader, uint64_t first, const uint32_t *chain, struct err *err)
{
	struct segment_header header;
	int fd;
	enum rc rc = segment_open(reader->journal->conf.dir, first, false, &fd, &header, err);

	if (rc != RC_OK)
		return rc;
	if (memcmp(header.id, reader->journal->id, sizeof(header.id)) != 0) {
		(void)err_invalid(err, "it belongs to another journal");
		rc = segment_blame(RC_INVALID, first, err);
	} else if (chain && header.seed != *chain) {
		/* what ended before it is not the last entry that we saw */
		rc = reader_damaged(reader, err);
	}
	if (rc != RC_OK) {
		fs_close(fd);
		return rc;
	}
	fs_close(reader->fd);
	reader->fd = fd;
	reader->header = header;
	scan_begin(&reader->scan, fd, &header, JOURNAL_SEGMENT_HEADER);
	return RC_OK;
}

/* How far the open segment may be read now. */
static void
reader_set_limit(struct journal_reader *reader, uint64_t durable)
{
	uint64_t end = segment_end(&reader->header);

	if (durable < end)
		end = durable;
	reader->scan.limit = JOURNAL_SEGMENT_HEADER + (end - reader->header.first);
}

/* ---- Life --------------------------------------------------------------- */

/* Walks from the beginning of the segment: only so the chain is known to hold. */
static enum rc
reader_seek(struct journal_reader *reader, uint64_t from, struct err *err)
{
	struct journal_entry entry;

	reader_set_limit(reader, from);
	while (scan_position(&reader->scan) < from) {
		enum rc rc = scan_next(&reader->scan, &entry, err);

		if (rc == RC_EOF || rc == RC_INVALID) {
			(void)err_invalid(err, "no entry begins at position %016llx",
					  (unsigned long long)from);
			return segment_blame(RC_INVALID, reader->header.first, err);
		}
		if (rc != RC_OK)
			return segment_blame(rc, reader->header.first, err);
	}
	return RC_OK;
}

enum rc
journal_reader_new(struct journal_reader **reader, struct journal *journal, uint64_t from,
		   struct err *err)
{
	uint64_t first;

	*reader = NULL;
	if (from > journal_durable(journal) || !shelf_find(&journal->shelf, from, &first))
		return err_invalid(err,
				   "position %016llx is not in the journal, which has %016llx to "
				   "%016llx",
				   (unsigned long long)from,
				   (unsigned long long)journal_first(journal),
				   (unsigned long long)journal_durable(journal));
	struct journal_reader *new = xcalloc(1, sizeof(*new));

	new->journal = journal;
	new->fd = -1;
	scan_init(&new->scan);
	enum rc rc = reader_open(new, first, NULL, err);
	if (rc == RC_OK)
		rc = reader_seek(new, from, err);
	if (rc != RC_OK)
		journal_reader_free(&new);
	*reader = new;
	return rc;
}

void
journal_reader_free(struct journal_reader **reader)
{
	if (!*reader)
		return;
	fs_close((*reader)->fd);
	scan_fini(&(*reader)->scan);
	free(*reader);
	*reader = NULL;
}

/* ---- Reading ------------------------------------------------------------ */

enum rc
journal_read(struct journal_reader *reader, struct journal_entry *entry, struct err *err)
{
	for (;;) {
		uint64_t durable = journal_durable(reader->journal);

		if (scan_position(&reader->scan) >= durable)
			return RC_AGAIN;
		reader_set_limit(reader, durable);
		enum rc rc = scan_next(&reader->scan, entry, err);

		if (rc == RC_OK)
			return rc;
		if (rc == RC_FAIL)
			return segment_blame(rc, reader->header.first, err);
		if (rc == RC_INVALID || durable < segment_end(&reader->header))
			return reader_damaged(reader, err);
		rc = reader_open(reader, segment_end(&reader->header), &reader->scan.crc, err);
		if (rc != RC_OK)
			return rc;
	}
}

uint64_t
journal_reader_position(const struct journal_reader *reader)
{
	return scan_position(&reader->scan);
}
