/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what the journal is after whatever happened to the process or to the
 * machine.  Runs in journal_open(), before there is any thread.
 *
 * Of all segments the headers are read, and of the last one every entry: what
 * stands before the last one was synced before that got its name.  The valid
 * prefix of the last one is kept to the byte; what follows it is saved to
 * damaged/ and overwritten with zeros, so that it is never read again.
 *
 * Nothing is published before it is synced here: after the death of only the
 * process there may be entries, and names, that the disk has never seen.
 *
 * Damage inside of what was durable, and a loss of its end, are two things that others
 * can prove (struct journal_proof): the one is passed, the other refused.
 *
 * What this deliberately does not do: guess.  A directory that no sequence of
 * crashes can have left behind is refused, with the name of the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/crash_point.h"
#include "base/fs.h"
#include "journal_priv.h"
#include "listing.h"

/* How far behind a loss it goes on: behind all that may have been written after the proof. */
static const uint64_t loss_step_bytes = (uint64_t)1 << 40;
/* Positions are part of an alarm's number, and end there. */
static const uint64_t position_max = (uint64_t)1 << 47;

/* ---- Spares of a former life -------------------------------------------- */

static enum rc
unlink_named(const char *dir, const char *name, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, name);
	enum rc rc = fs_unlink(path, err);

	free(path);
	return rc;
}

static enum rc
spare_size(const char *dir, const char *name, uint64_t *bytes, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd;
	enum rc rc = fs_open(path, FS_READ, &fd, err);

	free(path);
	if (rc != RC_OK)
		return rc;
	rc = fs_size(fd, bytes, err);
	fs_close(fd);
	return rc;
}

/* Its zeros were synced before it got its name, so the size says all; a header
 * that was meant to make it a segment will be written again. */
static enum rc
recover_spare(struct journal *journal, uint32_t serial, struct err *err)
{
	char name[NAME_BYTES];
	uint64_t bytes;

	spare_name(name, serial);
	enum rc rc = spare_size(journal->conf.dir, name, &bytes, err);
	if (rc != RC_OK)
		return rc;
	if (serial >= journal->next_serial)
		journal->next_serial = serial + 1;
	if (bytes == journal->conf.segment_bytes &&
	    shelf_spares(&journal->shelf) < journal->conf.spare_segments)
		shelf_add_spare(&journal->shelf, serial);
	else
		rc = unlink_named(journal->conf.dir, name, err);
	return rc;
}

static enum rc
recover_spares(struct journal *journal, const struct listing *listing, struct err *err)
{
	enum rc rc = RC_OK;

	if (listing->has_tmp)
		rc = unlink_named(journal->conf.dir, "spare.tmp", err);
	for (size_t i = 0; i < listing->n_spares && rc == RC_OK; i++)
		rc = recover_spare(journal, listing->spares[i], err);
	return rc;
}

/* ---- Headers ------------------------------------------------------------ */

/* Does `header` belong to this journal, and stand right behind `before` (NULL: none)? */
static enum rc
check_header(const struct journal *journal, const struct segment_header *header,
	     const struct segment_header *before, struct err *err)
{
	char name[NAME_BYTES], missing[NAME_BYTES];

	segment_name(name, header->first);
	if (header->node != journal->conf.node)
		return err_invalid(err, "segment \"%s\" is of node %u, and this is node %u", name,
				   (unsigned)header->node, (unsigned)journal->conf.node);
	if (!before)
		return RC_OK;
	if (memcmp(header->id, before->id, sizeof(header->id)) != 0)
		return err_invalid(err, "segment \"%s\" is of another journal than those before it",
				   name);
	segment_name(missing, segment_end(before));
	/* a loss that was accepted is not a hole */
	if (header->first - header->lost_bytes == segment_end(before))
		return RC_OK;
	if (header->first > segment_end(before))
		return err_invalid(err, "segment \"%s\" is missing: the next one there is \"%s\"",
				   missing, name);
	return err_invalid(err,
			   "segment \"%s\" begins inside the one before it, "
			   "which ends where \"%s\" would begin",
			   name, missing);
}

/* Of a segment before the last one: it is sealed, so its file is whole. */
static enum rc
check_size(int fd, const struct segment_header *header, bool last, struct err *err)
{
	uint64_t bytes;
	enum rc rc = fs_size(fd, &bytes, err);

	if (rc != RC_OK)
		return segment_blame(rc, header->first, err);
	if (bytes == header->bytes || (last && bytes < header->bytes))
		return RC_OK;
	(void)err_invalid(err, "it has %" PRIu64 " bytes, and %" PRIu64 " by its header", bytes,
			  header->bytes);
	return segment_blame(RC_INVALID, header->first, err);
}

/* Checks all segments, and opens the last one for writing. */
static enum rc
recover_headers(struct journal *journal, const struct listing *listing, int *tail_fd,
		struct segment_header *tail, struct err *err)
{
	struct segment_header before = {.node = 0};

	*tail_fd = -1;
	for (size_t i = 0; i < listing->n; i++) {
		bool last = i + 1 == listing->n;
		int fd;
		enum rc rc =
			segment_open(journal->conf.dir, listing->firsts[i], last, &fd, tail, err);

		if (rc != RC_OK)
			return rc;
		rc = check_header(journal, tail, i > 0 ? &before : NULL, err);
		if (rc == RC_OK)
			rc = check_size(fd, tail, last, err);
		if (rc != RC_OK || !last)
			fs_close(fd);
		if (rc != RC_OK)
			return rc;
		shelf_add(&journal->shelf, tail->first, tail->bytes);
		before = *tail;
		*tail_fd = fd;
	}
	memcpy(journal->id, tail->id, sizeof(journal->id));
	return RC_OK;
}

/* ---- Behind the end ----------------------------------------------------- */

/* Saves and wipes what stands behind the valid prefix. */
static enum rc
set_aside(const struct journal *journal, const struct scan *scan, struct journal_recovery *recovery,
	  struct err *err)
{
	char segment[NAME_BYTES], name[SAVED_NAME_BYTES];
	struct damage rest = {.begin = scan->at, .position = scan_position(scan)};
	enum rc rc = damage_find_zeros(scan->fd, scan->at, &rest.end, err);

	if (rc != RC_OK || rest.end == rest.begin)
		return rc;
	rc = damage_save(journal, scan->fd, &rest, false, name, err);
	if (rc != RC_OK)
		return rc;
	recovery->dropped_bytes = rest.end - rest.begin;
	segment_name(segment, scan->first);
	(void)snprintf(recovery->note, sizeof(recovery->note),
		       "%" PRIu64 " bytes at offset %" PRIu64
		       " of segment \"%s\" are no valid entries: saved as \"%s\"",
		       recovery->dropped_bytes, scan->at, segment, name);
	return fs_fill(scan->fd, rest.begin, rest.end - rest.begin, err);
}

/* ---- What others remember ------------------------------------------------- */

/* Was there more of this journal than it has at `end`? */
static bool
proof_is_behind(const struct journal *journal, uint64_t end)
{
	const struct journal_proof *proof = journal->conf.proof;

	return proof && memcmp(proof->id, journal->id, sizeof(proof->id)) == 0 &&
	       proof->position > end;
}

/* RC_INVALID: the journal is not what it was, and nobody has accepted that. */
static enum rc
check_loss(const struct journal *journal, uint64_t end, struct journal_recovery *recovery,
	   struct err *err)
{
	const struct journal_proof *proof = journal->conf.proof;
	bool other = proof && memcmp(proof->id, journal->id, sizeof(proof->id)) != 0;

	recovery->lost = other || proof_is_behind(journal, end);
	if (!recovery->lost || journal->conf.accept_loss)
		return RC_OK;
	if (other)
		return err_invalid(err,
				   "journal \"%s\" is not the one that was here before: is another "
				   "file system mounted, or was a foreign copy restored?",
				   journal->conf.dir);
	return err_invalid(err,
			   "journal \"%s\" ends at position %" PRIu64 ", and was durable up to "
			   "%" PRIu64
			   ": its end is missing or damaged, or an older copy was restored",
			   journal->conf.dir, end, proof->position);
}

/* Far behind all that was ever given away, also after the proof was made. */
static enum rc
position_behind_loss(const struct journal *journal, uint64_t *position, struct err *err)
{
	const struct journal_proof *proof = journal->conf.proof;

	if (proof && proof->position > *position)
		*position = proof->position;
	if (*position > position_max - loss_step_bytes)
		return err_invalid(err, "journal: no positions are left behind %" PRIu64,
				   *position);
	*position += loss_step_bytes;
	return RC_OK;
}

/* ---- The last segment --------------------------------------------------- */

/* Over a damaged spot that a proof says was durable; RC_EOF: it is the end, after all. */
static enum rc
pass_damage(struct journal *journal, struct scan *scan, const struct segment_header *header,
	    struct err *err)
{
	struct damage damage = {.begin = scan->at, .position = scan_position(scan)};
	const struct journal_proof *proof = journal->conf.proof;

	if (!proof_is_behind(journal, damage.position) || proof->position > segment_end(header))
		return RC_EOF;
	const struct anchor anchor = {.at = JOURNAL_SEGMENT_HEADER +
					    (proof->position - header->first)};
	enum rc rc = scan_resume(scan, &anchor, err);

	if (rc != RC_OK)
		return rc;
	damage.end = scan->at;
	damage_report(journal, scan->fd, header->first, &damage);
	return RC_OK;
}

/* Leaves `scan` behind the last valid entry. */
static enum rc
find_end(struct journal *journal, struct scan *scan, const struct segment_header *header,
	 struct journal_recovery *recovery, struct err *err)
{
	struct journal_entry entry;
	enum rc rc;

	do {
		while ((rc = scan_next(scan, &entry, err)) == RC_OK)
			recovery->entries++;
		if (rc != RC_FAIL)
			rc = pass_damage(journal, scan, header, err);
	} while (rc == RC_OK);
	return rc == RC_FAIL ? rc : RC_OK;
}

/* From here on the file is what a new life can be written behind, and durable. */
static enum rc
mend_tail(const struct journal *journal, const struct scan *scan,
	  const struct segment_header *header, uint64_t bytes, struct journal_recovery *recovery,
	  struct err *err)
{
	enum rc rc = set_aside(journal, scan, recovery, err);

	crash_point(CRASH_RECOVERY_WIPED);
	/* A sync that failed before may have left bytes in the cache that are on no
	 * disk, and that the kernel holds for written: writing them again is the only
	 * way to have them synced, and costs one segment at most. */
	if (rc == RC_OK)
		rc = damage_copy(scan->fd, 0, scan->at, scan->fd, err);
	if (rc == RC_OK && bytes < header->bytes)
		rc = fs_fill(scan->fd, bytes, header->bytes - bytes, err);
	if (rc == RC_OK)
		rc = fs_datasync(scan->fd, err);
	return rc;
}

static enum rc
recover_tail(struct journal *journal, int fd, const struct segment_header *header,
	     struct journal_recovery *recovery, struct err *err)
{
	struct scan scan;
	uint64_t bytes = 0;
	enum rc rc = fs_size(fd, &bytes, err);

	scan_init(&scan);
	if (rc == RC_OK) {
		scan_begin(&scan, fd, header, bytes);
		rc = find_end(journal, &scan, header, recovery, err);
	}
	if (rc != RC_OK) {
		rc = segment_blame(rc, header->first, err);
		goto out;
	}
	/* before anything is changed: what is missing may yet be put back */
	rc = check_loss(journal, scan_position(&scan), recovery, err);
	if (rc != RC_OK)
		goto out;
	rc = mend_tail(journal, &scan, header, bytes, recovery, err);
	if (rc != RC_OK)
		rc = segment_blame(rc, header->first, err);
	journal->tail = (struct tail){
		.fd = fd,
		.first = header->first,
		.synced = scan_position(&scan),
		.written = scan_position(&scan),
		.staged = scan_position(&scan),
		.end = segment_end(header),
		.crc = scan.crc,
	};
out:
	scan_fini(&scan);
	return rc;
}

/* ---- New segments ------------------------------------------------------- */

/* The tail becomes a new segment, for which there may be no spare yet. */
static enum rc
begin_segment(struct journal *journal, uint64_t first, struct err *err)
{
	uint32_t serial;

	if (!shelf_take_spare(&journal->shelf, &serial)) {
		enum rc rc = keeper_make_spare(journal, err);

		if (rc != RC_OK)
			return RC_FAIL; /* also for want of space: there is no journal to wait in */
		must(shelf_take_spare(&journal->shelf, &serial));
	}
	return tail_begin_segment(journal, serial, first, err);
}

static enum rc
create_journal(struct journal *journal, struct journal_recovery *recovery, struct err *err)
{
	const struct journal_proof *proof = journal->conf.proof;
	uint64_t first = 0;

	recovery->lost = proof != NULL;
	if (recovery->lost && !journal->conf.accept_loss)
		return err_invalid(
			err,
			"journal \"%s\" is empty, and was durable up to position %" PRIu64
			": is its file system mounted?",
			journal->conf.dir, proof->position);
	if (getrandom(journal->id, sizeof(journal->id), 0) != (ssize_t)sizeof(journal->id))
		return err_sys(err, "could not get random bytes");
	/* any seed would do; this one differs from journal to journal */
	journal->tail.crc = crc32c(0, journal->id, sizeof(journal->id));
	if (recovery->lost) {
		enum rc rc = position_behind_loss(journal, &first, err);

		if (rc != RC_OK)
			return rc;
	}
	return begin_segment(journal, first, err);
}

/* Accepted: whatever stood behind the end, its positions are not given away again. */
static enum rc
go_on_behind_loss(struct journal *journal, struct journal_recovery *recovery, struct err *err)
{
	uint64_t first = journal->tail.end;
	enum rc rc = position_behind_loss(journal, &first, err);

	if (rc != RC_OK)
		return rc;
	recovery->lost = true;
	recovery->lost_from = journal->tail.synced;
	return begin_segment(journal, first, err);
}

/* ---- All of it ---------------------------------------------------------- */

static enum rc
recover_listed(struct journal *journal, const struct listing *listing,
	       struct journal_recovery *recovery, struct err *err)
{
	struct segment_header header;
	int fd;
	enum rc rc = recover_spares(journal, listing, err);

	if (rc != RC_OK)
		return rc;
	recovery->created = listing->n == 0;
	if (recovery->created)
		return create_journal(journal, recovery, err);
	rc = recover_headers(journal, listing, &fd, &header, err);
	if (rc != RC_OK)
		return rc;
	journal->tail.fd = fd;
	/* names that only the cache of a dead process's machine knows are not enough */
	rc = fs_sync_dir(journal->conf.dir, err);
	if (rc == RC_OK)
		rc = recover_tail(journal, fd, &header, recovery, err);
	if (rc == RC_OK && journal->conf.accept_loss)
		rc = go_on_behind_loss(journal, recovery, err);
	return rc;
}

enum rc
recover_journal(struct journal *journal, struct journal_recovery *recovery, struct err *err)
{
	struct listing listing;
	uint64_t first = 0;
	enum rc rc = listing_read(&listing, journal->conf.dir, err);

	*recovery = (struct journal_recovery){0};
	if (rc == RC_OK)
		rc = recover_listed(journal, &listing, recovery, err);
	if (rc == RC_OK)
		first = listing.n > 0 ? listing.firsts[0] : journal->tail.first;
	listing_fini(&listing);
	if (rc != RC_OK)
		return rc;
	recovery->first = first;
	recovery->end = journal->tail.synced;
	recovery->segments = shelf_count(&journal->shelf);
	crash_point(CRASH_RECOVERY_DONE);
	atomic_store(&journal->first, first);
	atomic_store(&journal->appended, journal->tail.synced);
	atomic_store(&journal->durable, journal->tail.synced);
	return RC_OK;
}
