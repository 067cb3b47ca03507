/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: makes segments before they are needed, and unlinks those that
 * nobody needs any more.  A thread of its own, because both take the disk for
 * longer than an append may wait.
 *
 * Invariants: segments are unlinked oldest first, each one's going durable before
 * the next one's, so that a power loss never leaves a hole.  Less than
 * conf.free_min_bytes is never left free by a new segment.  The journal is short
 * from when the last spares can't be renewed until there are more of them again:
 * a spare that comes and goes at once doesn't end it.
 *
 * What this deliberately does not do: name a spare as a segment; the appender
 * does when it needs one.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "journal_priv.h"

/* ---- Unlinking ---------------------------------------------------------- */

/* RC_AGAIN: it can't be removed now, so no younger one may be. */
static enum rc
unlink_segment(struct journal *journal, uint64_t first, struct err *err)
{
	char name[NAME_BYTES];

	segment_name(name, first);
	char *path = xasprintf("%s/%s", journal->conf.dir, name);
	crash_point(CRASH_UNLINK_BEFORE);
	enum rc rc = fs_unlink(path, err);

	crash_point(CRASH_UNLINK_AFTER);
	free(path);
	if (rc != RC_OK && err->sys == ENOENT) {
		log_warning("journal", "segment is gone already name=%s", name);
		rc = RC_OK;
	}
	return rc == RC_OK ? fs_sync_dir(journal->conf.dir, err) : RC_AGAIN;
}

static enum rc
unlink_passed(struct journal *journal, uint64_t now_ms, struct err *err)
{
	uint64_t first, next, before;

	while (shelf_oldest_passed(&journal->shelf, journal_durable(journal), now_ms,
				   journal->conf.retain_ms, &first, &next)) {
		atomic_store_explicit(&journal->first, next, memory_order_release);
		enum rc rc = unlink_segment(journal, first, err);

		if (rc == RC_AGAIN && log_pace_ok(&journal->unlink_pace, HELD_BACK_LOG_MS, &before))
			log_error("journal", "segment stays reason=\"%s\"", err->msg);
		if (rc != RC_OK)
			return rc;
		crash_point(CRASH_UNLINK_SYNCED);
		shelf_drop_oldest(&journal->shelf);
		counter_add(&journal->segments_unlinked, 1);
		log_debug("journal", "segment unlinked first=%llu", (unsigned long long)first);
	}
	return RC_OK;
}

/* ---- Making ahead ------------------------------------------------------- */

static enum rc
check_space(struct journal *journal, struct err *err)
{
	const struct journal_conf *conf = &journal->conf;
	uint64_t free_bytes;
	enum rc rc = fs_free_bytes(conf->dir, &free_bytes, err);

	if (rc != RC_OK)
		return rc;
	counter_set(&journal->disk_free_bytes, free_bytes);
	if (free_bytes >= conf->segment_bytes &&
	    free_bytes - conf->segment_bytes >= conf->free_min_bytes)
		return RC_OK;
	(void)err_fail(err,
		       "not enough space in \"%s\" for another segment: %llu bytes are free, "
		       "%llu and %llu for the segment are needed",
		       conf->dir, (unsigned long long)free_bytes,
		       (unsigned long long)conf->free_min_bytes,
		       (unsigned long long)conf->segment_bytes);
	return RC_AGAIN;
}

/* While there is another spare, nobody waits for this one. */
static bool
keeper_may_rest(void *arg)
{
	struct journal *journal = arg;

	return shelf_spares(&journal->shelf) > 0 &&
	       !atomic_load_explicit(&journal->stop_keeper, memory_order_acquire);
}

enum rc
keeper_make_spare(struct journal *journal, struct err *err)
{
	uint32_t serial = journal->next_serial;
	enum rc rc = check_space(journal, err);

	if (rc != RC_OK)
		return rc;
	rc = spare_make(journal->conf.dir, serial, journal->conf.segment_bytes, keeper_may_rest,
			journal, err);
	if (rc != RC_OK)
		return shortage(err) ? RC_AGAIN : rc;
	journal->next_serial++;
	counter_add(&journal->segments_made, 1);
	shelf_add_spare(&journal->shelf, serial);
	return RC_OK;
}

/* ---- The round and the thread ------------------------------------------- */

static bool
spares_are_missing(struct journal *journal)
{
	return shelf_spares(&journal->shelf) < journal->conf.spare_segments;
}

/* `rc`: what became of the attempt to make one more. */
static void
note_reserve(struct journal *journal, enum rc rc, const struct err *err)
{
	bool was = journal_is_short(journal);
	bool only_reserve =
		spares_are_missing(journal) && shelf_spares(&journal->shelf) <= RESERVE_SPARES;

	if (rc == RC_AGAIN && only_reserve && !was) {
		atomic_store_explicit(&journal->is_short, true, memory_order_relaxed);
		log_error("journal", "short: only alarms are taken reason=\"%s\"", err->msg);
	} else if (rc == RC_OK && !only_reserve && was) {
		atomic_store_explicit(&journal->is_short, false, memory_order_relaxed);
		log_info("journal", "no longer short: all is taken again");
	}
}

enum rc
journal_keep(struct journal *journal, uint64_t now_ms, struct err *err)
{
	uint64_t before;
	/* first, because it makes room */
	enum rc rc = unlink_passed(journal, now_ms, err);

	if (rc == RC_FAIL)
		return rc;
	if (!spares_are_missing(journal)) {
		uint64_t free_bytes;

		rc = fs_free_bytes(journal->conf.dir, &free_bytes, err);
		if (rc == RC_OK)
			counter_set(&journal->disk_free_bytes, free_bytes);
		return rc;
	}
	rc = keeper_make_spare(journal, err);
	note_reserve(journal, rc, err);
	if (rc == RC_OK)
		mailbox_ring(&journal->inbox); /* the appender may be waiting for it */
	if (rc == RC_AGAIN && log_pace_ok(&journal->spare_pace, HELD_BACK_LOG_MS, &before))
		log_error("journal", "no segment ahead reason=\"%s\"", err->msg);
	return rc;
}

void *
keeper_main(void *arg)
{
	struct journal *journal = arg;

	while (!atomic_load_explicit(&journal->stop_keeper, memory_order_acquire)) {
		struct err err;
		enum rc rc = journal_keep(journal, clock_mono_ms(), &err);

		if (rc == RC_FAIL)
			fatal("journal: %s", err.msg);
		/* also without a bell once a second: holds move and time passes silently */
		if (rc == RC_AGAIN || !spares_are_missing(journal))
			(void)mailbox_wait(&journal->errand, RETRY_MS);
		(void)mailbox_take_all(&journal->errand);
	}
	return NULL;
}
