/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a segment that are no entries, and what becomes of them: saved below
 * damaged/, counted, and said in one line.  So that nothing which was durable
 * disappears in silence, and what can be read around it goes on.
 *
 * Owner: whoever calls; recovery, and each reader's thread.  damage_report() may
 * be called by several of them for one spot, which then counts once: the list of
 * spots is under a lock.
 *
 * What this deliberately does not do: change the segment.  What was durable is
 * never written again; a disk that lost a bit would be given the chance to lose more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "journal_priv.h"

enum {
	LOOK_BYTES = 256 * 1024, /* by which bytes are looked at and copied */
	SAVED_MAX = 1000,        /* files in damaged/ for one position */
};

static const char damaged_dir[] = "damaged";

/* ---- Bytes -------------------------------------------------------------- */

enum rc
damage_find_zeros(int fd, uint64_t begin, uint64_t *zeros_from, struct err *err)
{
	uint8_t *bytes = xcalloc(1, LOOK_BYTES);
	size_t got = 0;
	enum rc rc;

	*zeros_from = begin;
	for (uint64_t at = begin;; at += got) {
		rc = fs_read_at(fd, bytes, LOOK_BYTES, at, &got, err);
		if (rc != RC_OK || got == 0)
			break;
		/* a block that equals itself shifted by one is of one value only */
		if (bytes[0] == 0 && memcmp(bytes, bytes + 1, got - 1) == 0)
			continue;
		size_t used = got;
		while (bytes[used - 1] == 0)
			used--;
		*zeros_from = at + used;
	}
	free(bytes);
	return rc;
}

enum rc
damage_copy(int from, uint64_t begin, uint64_t end, int to, struct err *err)
{
	uint8_t *bytes = xcalloc(1, LOOK_BYTES);
	enum rc rc = RC_OK;

	for (uint64_t at = begin; at < end && rc == RC_OK;) {
		size_t want = end - at < LOOK_BYTES ? (size_t)(end - at) : LOOK_BYTES, got;

		rc = fs_read_at(from, bytes, want, at, &got, err);
		if (rc == RC_OK && got == 0)
			rc = err_fail(err, "could not read file: it became shorter");
		if (rc == RC_OK) {
			struct iovec iov = {.iov_base = bytes, .iov_len = got};

			rc = fs_write_at(to, &iov, 1, at - begin, err);
			at += got;
		}
	}
	free(bytes);
	return rc;
}

/* ---- Saving ------------------------------------------------------------- */

/* A file of this length is there under the name: what an earlier run saved. */
static bool
saved_before(const char *path, uint64_t bytes)
{
	struct err ignored;
	uint64_t there = 0;
	int fd;

	if (fs_open(path, FS_READ, &fd, &ignored) != RC_OK)
		return false;
	bool same = fs_size(fd, &there, &ignored) == RC_OK && there == bytes;
	fs_close(fd);
	return same;
}

/* Creates the first free one of the names for this position; with `once`, fd stays
 * -1 where one of them has these bytes already. */
static enum rc
create_saved(const char *dir, const struct damage *damage, bool once, char name[SAVED_NAME_BYTES],
	     int *fd, struct err *err)
{
	enum rc rc = RC_FAIL;

	for (unsigned i = 0; i < SAVED_MAX; i++) {
		(void)snprintf(name, SAVED_NAME_BYTES, "%s/%016" PRIx64 ".%u", damaged_dir,
			       damage->position, i);
		char *path = xasprintf("%s/%s", dir, name);
		bool there = once && saved_before(path, damage->end - damage->begin);

		rc = there ? RC_OK : fs_open(path, FS_CREATE, fd, err);
		free(path);
		if (rc == RC_OK || err->sys != EEXIST)
			break;
	}
	return rc;
}

enum rc
damage_save(const struct journal *journal, int fd, const struct damage *damage, bool once,
	    char name[SAVED_NAME_BYTES], struct err *err)
{
	char *dir = xasprintf("%s/%s", journal->conf.dir, damaged_dir);
	int saved = -1;
	enum rc rc = fs_make_dir(dir, err);

	if (rc == RC_OK)
		rc = fs_sync_dir(journal->conf.dir, err);
	if (rc == RC_OK)
		rc = create_saved(journal->conf.dir, damage, once, name, &saved, err);
	if (rc == RC_OK && saved >= 0)
		rc = damage_copy(fd, damage->begin, damage->end, saved, err);
	if (rc == RC_OK && saved >= 0)
		rc = fs_datasync(saved, err);
	if (rc == RC_OK)
		rc = fs_sync_dir(dir, err);
	fs_close(saved);
	free(dir);
	return rc;
}

/* ---- Once for each spot --------------------------------------------------- */

void
damages_init(struct damages *damages)
{
	must(pthread_mutex_init(&damages->lock, NULL) == 0);
}

void
damages_fini(struct damages *damages)
{
	free(damages->spots);
	damages->spots = NULL;
	(void)pthread_mutex_destroy(&damages->lock);
}

/* False: it is known already.  Counters have one writer at a time by the lock. */
static bool
damages_add(struct journal *journal, const struct damage *damage)
{
	struct damages *damages = &journal->damages;
	bool known = false;

	must(pthread_mutex_lock(&damages->lock) == 0);
	for (size_t i = 0; i < damages->n && !known; i++)
		known = damages->spots[i].position == damage->position;
	if (!known) {
		damages->spots =
			xrealloc(damages->spots, (damages->n + 1) * sizeof(damages->spots[0]));
		damages->spots[damages->n++] = (struct journal_damage){
			.position = damage->position, .bytes = damage->end - damage->begin};
		counter_add(&journal->damaged_regions, 1);
		counter_add(&journal->damaged_bytes, damage->end - damage->begin);
	}
	must(pthread_mutex_unlock(&damages->lock) == 0);
	return !known;
}

bool
journal_get_damage(struct journal *journal, size_t number, struct journal_damage *damage)
{
	struct damages *damages = &journal->damages;

	must(pthread_mutex_lock(&damages->lock) == 0);
	bool there = number < damages->n;
	if (there)
		*damage = damages->spots[number];
	must(pthread_mutex_unlock(&damages->lock) == 0);
	return there;
}

/* What is behind the last byte that isn't zero says nothing, and is not saved. */
static enum rc
damage_save_used(const struct journal *journal, int fd, const struct damage *damage,
		 char name[SAVED_NAME_BYTES], struct err *err)
{
	struct damage used = *damage;
	enum rc rc = damage_find_zeros(fd, used.begin, &used.end, err);

	if (used.end > damage->end)
		used.end = damage->end;
	if (rc != RC_OK || used.end == used.begin)
		return rc;
	return damage_save(journal, fd, &used, true, name, err);
}

void
damage_report(struct journal *journal, int fd, uint64_t first, const struct damage *damage)
{
	char segment[NAME_BYTES], name[SAVED_NAME_BYTES] = "nothing but zeros";
	struct err err;

	if (!damages_add(journal, damage))
		return;
	segment_name(segment, first);
	enum rc rc = damage_save_used(journal, fd, damage, name, &err);
	log_error("journal",
		  "segment \"%s\" is damaged: %" PRIu64 " bytes at offset %" PRIu64
		  ", position %" PRIu64 ", were durable and are no valid entries; saved as \"%s\", "
		  "going on behind them",
		  segment, damage->end - damage->begin, damage->begin, damage->position,
		  rc == RC_OK ? name : "");
	/* a disk without room is no reason to stop: the segment has the bytes for a while yet */
	if (rc != RC_OK)
		log_error("journal", "damaged bytes of segment \"%s\" not saved: %s", segment,
			  err.msg);
}
