/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the journal: their names, and how one comes to be.
 *
 * A segment begins as "spare.tmp", is filled with zeros and synced, becomes
 * "NNNNNNNN.spare", gets its header, which is synced, and only then its name
 * "NNNNNNNNNNNNNNNN.seg".  Entries are written when that name is durable.  So at
 * any moment of a power loss a file called .seg has a valid header, and one
 * that has none was damaged.
 *
 * Owner: none, no state.  What this deliberately does not do: look at entries.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "journal_priv.h"

enum {
	/* A spare is synced in steps, so that an append's sync never has a whole
	 * segment of zeros before it in the disk's queue, and between two of them the
	 * disk is left to others for some times as long. */
	FILL_STEP_BYTES = 256 * 1024,
	FILL_HASTY_BYTES = 4 * 1024 * 1024, /* when it is waited for */
	FILL_REST_TIMES = 3,
	FILL_REST_MAX_NS = 50 * 1000000,
};

static const char spare_tmp[] = "spare.tmp";

/* ---- Names -------------------------------------------------------------- */

void
segment_name(char out[NAME_BYTES], uint64_t first)
{
	(void)snprintf(out, NAME_BYTES, "%016" PRIx64 ".seg", first);
}

void
spare_name(char out[NAME_BYTES], uint32_t serial)
{
	(void)snprintf(out, NAME_BYTES, "%08" PRIx32 ".spare", serial);
}

bool
segment_name_parse(const char *name, uint64_t *first)
{
	char again[NAME_BYTES];

	*first = strtoull(name, NULL, 16);
	segment_name(again, *first);
	return strcmp(name, again) == 0;
}

bool
spare_name_parse(const char *name, uint32_t *serial)
{
	char again[NAME_BYTES];

	*serial = (uint32_t)strtoul(name, NULL, 16);
	spare_name(again, *serial);
	return strcmp(name, again) == 0;
}

/* ---- Errors ------------------------------------------------------------- */

static enum rc
file_blame(enum rc rc, const char *what, const char *name, struct err *err)
{
	char text[sizeof(err->msg)];

	(void)snprintf(text, sizeof(text), "%s \"%s\": %.240s", what, name, err->msg);
	memcpy(err->msg, text, sizeof(text));
	return rc;
}

enum rc
segment_blame(enum rc rc, uint64_t first, struct err *err)
{
	char name[NAME_BYTES];

	segment_name(name, first);
	return file_blame(rc, "segment", name, err);
}

bool
shortage(const struct err *err)
{
	return err->sys == ENOSPC || err->sys == EDQUOT || err->sys == EMFILE ||
	       err->sys == ENFILE || err->sys == ENOMEM;
}

/* ---- Opening ------------------------------------------------------------ */

static enum rc
segment_read_header(int fd, uint64_t first, struct segment_header *header, struct err *err)
{
	uint8_t bytes[JOURNAL_SEGMENT_HEADER];
	size_t got;
	enum rc rc = fs_read_at(fd, bytes, sizeof(bytes), 0, &got, err);

	if (rc != RC_OK)
		return rc;
	if (got < sizeof(bytes))
		return err_invalid(err, "it is too short for a header");
	rc = format_get_header(bytes, header, err);
	if (rc == RC_OK && header->first != first)
		rc = err_invalid(err,
				 "it begins at position %016" PRIx64
				 " by its header: a copy, or renamed",
				 header->first);
	return rc;
}

enum rc
segment_open(const char *dir, uint64_t first, bool writable, int *fd, struct segment_header *header,
	     struct err *err)
{
	char name[NAME_BYTES];

	segment_name(name, first);
	char *path = xasprintf("%s/%s", dir, name);
	enum rc rc = fs_open(path, writable ? FS_READ_WRITE : FS_READ, fd, err);

	free(path);
	if (rc != RC_OK)
		return rc;
	rc = segment_read_header(*fd, first, header, err);
	if (rc == RC_OK)
		return RC_OK;
	fs_close(*fd);
	*fd = -1;
	return segment_blame(rc, first, err);
}

/* ---- Spares ------------------------------------------------------------- */

static void
spare_rest(uint64_t step_ns)
{
	uint64_t ns = step_ns < FILL_REST_MAX_NS / FILL_REST_TIMES ? step_ns * FILL_REST_TIMES
								   : FILL_REST_MAX_NS;
	struct timespec rest = {.tv_nsec = (long)ns};

	(void)nanosleep(&rest, NULL);
}

static enum rc
spare_fill(int fd, uint64_t bytes, spare_may_rest_cb *may_rest, void *arg, struct err *err)
{
	enum rc rc = RC_OK;

	for (uint64_t at = 0; at < bytes && rc == RC_OK;) {
		uint64_t left = bytes - at, begin_ns = clock_mono_ns();
		bool rests = may_rest(arg);
		uint64_t step = rests ? FILL_STEP_BYTES : FILL_HASTY_BYTES;

		if (step > left)
			step = left;
		rc = fs_fill(fd, at, step, err);
		if (rc == RC_OK)
			rc = fs_datasync(fd, err);
		at += step;
		if (rc == RC_OK && at < bytes && rests)
			spare_rest(clock_mono_ns() - begin_ns);
	}
	return rc;
}

enum rc
spare_make(const char *dir, uint32_t serial, uint64_t bytes, spare_may_rest_cb *may_rest, void *arg,
	   struct err *err)
{
	char *path = xasprintf("%s/%s", dir, spare_tmp);
	char name[NAME_BYTES];
	struct err ignored;
	int fd = -1;
	enum rc rc = fs_open(path, FS_CREATE, &fd, err);

	if (rc != RC_OK)
		goto out;
	crash_point(CRASH_SPARE_CREATED);
	rc = spare_fill(fd, bytes, may_rest, arg, err);
	crash_point(CRASH_SPARE_FILLED);
	if (rc != RC_OK) {
		rc = file_blame(rc, "file", spare_tmp, err);
	} else {
		spare_name(name, serial);
		rc = fs_durable_rename(dir, spare_tmp, name, err);
		crash_point(CRASH_SPARE_NAMED);
	}
	/* what was begun for want of space takes away what little there is */
	if (rc != RC_OK)
		(void)!fs_unlink(path, &ignored);
out:
	fs_close(fd);
	free(path);
	return rc;
}

static enum rc
spare_write_header(int fd, const struct segment_header *header, struct err *err)
{
	uint8_t bytes[JOURNAL_SEGMENT_HEADER];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};

	format_put_header(bytes, header);
	return fs_write_at(fd, &iov, 1, 0, err);
}

enum rc
spare_use(const char *dir, uint32_t serial, const struct segment_header *header, int *fd,
	  struct err *err)
{
	char from[NAME_BYTES], to[NAME_BYTES];

	spare_name(from, serial);
	segment_name(to, header->first);
	char *path = xasprintf("%s/%s", dir, from);
	enum rc rc = fs_open(path, FS_READ_WRITE, fd, err);

	crash_point(CRASH_ROLL_OPENED);
	if (rc == RC_OK) {
		rc = spare_write_header(*fd, header, err);
		if (rc != RC_OK)
			rc = file_blame(rc, "file", from, err);
	}
	crash_point(CRASH_ROLL_HEADER);
	/* this syncs the header before the name changes */
	if (rc == RC_OK)
		rc = fs_durable_rename(dir, from, to, err);
	crash_point(CRASH_ROLL_NAMED);
	if (rc != RC_OK) {
		fs_close(*fd);
		*fd = -1;
	}
	free(path);
	return rc;
}
