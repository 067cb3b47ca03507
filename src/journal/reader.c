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
 * Where what was durable is damaged, reading goes on behind it, at the next entry that
 * the chain proves again; the spot is reported first.
 *
 * What this deliberately does not do: repair, or hold segments (see journal_hold()).
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
	uint64_t skipped_from, skipped_to; /* positions: the last damaged spot */
};

/* ---- Segments ----------------------------------------------------------- */

static enum rc
reader_damaged(const struct journal_reader *reader, struct err *err)
{
	(void)err_invalid(err, "it is damaged at offset %llu: what was durable can't be read",
			  (unsigned long long)reader->scan.at);
	return segment_blame(RC_INVALID, reader->header.first, err);
}

/* Goes over to the segment that begins at `first`, if it is ours; otherwise the
 * reader stays where it is. */
static enum rc
reader_open(struct journal_reader *reader, uint64_t first, struct err *err)
{
	struct segment_header header;
	int fd;
	enum rc rc = segment_open(reader->journal->conf.dir, first, false, &fd, &header, err);

	if (rc != RC_OK)
		return rc;
	if (memcmp(header.id, reader->journal->id, sizeof(header.id)) != 0) {
		fs_close(fd);
		(void)err_invalid(err, "it belongs to another journal");
		return segment_blame(RC_INVALID, first, err);
	}
	fs_close(reader->fd);
	reader->fd = fd;
	reader->header = header;
	scan_begin(&reader->scan, fd, &header, JOURNAL_SEGMENT_HEADER);
	return RC_OK;
}

/* The header of the segment behind the open one, which is complete then. */
static enum rc
reader_peek_next(const struct journal_reader *reader, struct segment_header *header,
		 struct err *err)
{
	uint64_t first;
	int fd;

	must(shelf_next(&reader->journal->shelf, reader->header.first, &first));

	enum rc rc = segment_open(reader->journal->conf.dir, first, false, &fd, header, err);
	if (rc == RC_OK)
		fs_close(fd);
	return rc;
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

/* All of the open segment is durable, and there is one behind it. */
static bool
reader_segment_is_complete(const struct journal_reader *reader, uint64_t durable)
{
	uint64_t next;

	return durable >= segment_end(&reader->header) &&
	       shelf_next(&reader->journal->shelf, reader->header.first, &next);
}

/* ---- Damage ------------------------------------------------------------- */

static void
reader_report(struct journal_reader *reader, uint64_t begin, uint64_t end)
{
	const struct damage damage = {
		.begin = begin,
		.end = end,
		.position = reader->header.first + (begin - JOURNAL_SEGMENT_HEADER),
	};

	reader->skipped_from = damage.position;
	reader->skipped_to = damage.position + (end - begin);
	damage_report(reader->journal, reader->fd, reader->header.first, &damage);
}

/* In a segment that is complete: on to the next entry that is proved, or, where there is
 * none, to the next segment, which has a proof of its own. */
static enum rc
reader_pass_in_complete(struct journal_reader *reader, struct err *err)
{
	struct segment_header next;
	uint64_t begin = reader->scan.at;
	enum rc rc = reader_peek_next(reader, &next, err);

	if (rc != RC_OK)
		return rc;
	const struct anchor anchor = {.at = UINT64_MAX, .has_crc = true, .crc = next.seed};
	rc = scan_resume(&reader->scan, &anchor, err);
	if (rc == RC_FAIL)
		return segment_blame(rc, reader->header.first, err);
	reader_report(reader, begin, rc == RC_OK ? reader->scan.at : reader->header.bytes);
	return rc == RC_OK ? rc : reader_open(reader, next.first, err);
}

/* In the segment that is being written: whatever is proved must come to `durable`. */
static enum rc
reader_pass_in_tail(struct journal_reader *reader, struct err *err)
{
	const struct anchor anchor = {.at = reader->scan.limit};
	uint64_t begin = reader->scan.at;
	enum rc rc = scan_resume(&reader->scan, &anchor, err);

	if (rc == RC_EOF)
		return reader_damaged(reader, err);
	if (rc != RC_OK)
		return segment_blame(rc, reader->header.first, err);
	reader_report(reader, begin, reader->scan.at);
	return RC_OK;
}

/* ---- Life --------------------------------------------------------------- */

/* May reading begin here, when it was to begin at `from`?  Yes also behind a loss or
 * behind damage, in which `from` is. */
static bool
reader_stands_for(const struct journal_reader *reader, uint64_t from)
{
	return scan_position(&reader->scan) == from ||
	       (reader->header.lost_bytes > 0 && from < reader->header.first) ||
	       (from >= reader->skipped_from && from < reader->skipped_to);
}

/* Walks from the beginning of the segment: only so the chain is known to hold. */
static enum rc
reader_seek(struct journal_reader *reader, uint64_t from, struct err *err)
{
	struct journal_entry entry;

	while (scan_position(&reader->scan) < from) {
		enum rc rc = journal_read(reader, &entry, err);

		if (rc == RC_AGAIN)
			break;
		if (rc != RC_OK)
			return rc;
		if (entry.position >= from)
			scan_unread(&reader->scan, &entry);
	}
	if (reader_stands_for(reader, from))
		return RC_OK;
	(void)err_invalid(err, "no entry begins at position %016llx", (unsigned long long)from);
	return segment_blame(RC_INVALID, reader->header.first, err);
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
	enum rc rc = reader_open(new, first, err);
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

/* Over the end of the segment.  RC_EOF: it is not the end, whatever it looks like. */
static enum rc
reader_next_segment(struct journal_reader *reader, uint64_t durable, struct err *err)
{
	struct segment_header next;

	if (!reader_segment_is_complete(reader, durable))
		return RC_EOF;
	enum rc rc = reader_peek_next(reader, &next, err);
	if (rc != RC_OK)
		return rc;
	/* what ended before the next one is not the last entry that we saw */
	if (next.seed != reader->scan.crc)
		return RC_EOF;
	return reader_open(reader, next.first, err);
}

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
		rc = rc == RC_EOF ? reader_next_segment(reader, durable, err) : RC_EOF;
		if (rc == RC_EOF)
			rc = reader_segment_is_complete(reader, durable)
				     ? reader_pass_in_complete(reader, err)
				     : reader_pass_in_tail(reader, err);
		if (rc != RC_OK)
			return rc;
	}
}

uint64_t
journal_reader_position(const struct journal_reader *reader)
{
	return scan_position(&reader->scan);
}
