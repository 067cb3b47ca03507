/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's files: one buffer in front of an append-only file, and a reader
 * over all files of a folder.
 *
 * Owner: the thread that runs the simulator, or verify's.
 *
 * Deliberately doesn't sync: the ledger must survive the death of the server,
 * which it measures, not that of the machine.  What is in the buffer when the
 * simulator itself is killed is missing, and verify would call it invented.
 */
#include "sim/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"

enum {
	LEDGER_BUFFER_BYTES = 1024 * 1024,
	LEDGER_RUNS_MAX = 9999, /* the digits of the name */
};

struct ledger {
	int fd, lock;
	uint64_t offset; /* bytes in the file */
	size_t used;     /* bytes in the buffer */
	enum rc rc;      /* of the first write that failed */
	struct err why;
	uint8_t buffer[LEDGER_BUFFER_BYTES];
};

/* ---- Names of files ----------------------------------------------------------- */

/* The number of "run-NNNN.ledger", or 0. */
static unsigned
ledger_run_of(const char *name)
{
	unsigned run;
	int end = 0;

	if (sscanf(name, "run-%4u.ledger%n", &run, &end) != 1 || end == 0 || name[end] != '\0')
		return 0;
	return run;
}

static enum rc
ledger_note_run(void *arg, const char *name)
{
	unsigned *newest = arg, run = ledger_run_of(name);

	if (run > *newest)
		*newest = run;
	return RC_OK;
}

static char *
ledger_path(const char *dir, unsigned run)
{
	return xasprintf("%s/run-%04u.ledger", dir, run);
}

/* ---- Writing -------------------------------------------------------------------- */

static enum rc
ledger_take_lock(struct ledger *ledger, const char *dir, struct err *err)
{
	/* a file beside the runs: the lock is held as long as it is open, and goes
	 * with the process */
	char *path = xasprintf("%s/lock", dir);
	enum rc rc = fs_open(path, FS_READ_WRITE, &ledger->lock, err);

	if (rc != RC_OK)
		rc = fs_open(path, FS_CREATE, &ledger->lock, err);
	free(path);
	if (rc == RC_OK)
		rc = fs_lock(ledger->lock, err);
	if (rc == RC_AGAIN)
		rc = err_invalid(err, "another simulator writes to the ledger \"%s\"", dir);
	return rc;
}

static enum rc
ledger_begin_file(struct ledger *ledger, const char *dir, struct err *err)
{
	unsigned newest = 0;
	enum rc rc = fs_list(dir, ledger_note_run, &newest, err);
	char *path;

	if (rc != RC_OK)
		return rc;
	if (newest >= LEDGER_RUNS_MAX)
		return err_invalid(err, "the ledger \"%s\" has %u runs already", dir, newest);
	path = ledger_path(dir, newest + 1);
	rc = fs_open(path, FS_CREATE, &ledger->fd, err);
	free(path);
	return rc;
}

enum rc
ledger_open(struct ledger **out, const char *dir, struct err *err)
{
	struct ledger_entry run = {
		.type = LEDGER_RUN, .wall_us = clock_wall_us(), .mono_ns = clock_mono_ns()};
	struct ledger *ledger = xcalloc(1, sizeof(*ledger));
	enum rc rc;

	ledger->fd = ledger->lock = -1;
	rc = fs_make_dir(dir, err);
	if (rc == RC_OK)
		rc = ledger_take_lock(ledger, dir, err);
	if (rc == RC_OK)
		rc = ledger_begin_file(ledger, dir, err);
	if (rc != RC_OK) {
		ledger_close(&ledger);
		return rc;
	}
	memcpy(ledger->buffer, LEDGER_MAGIC, strlen(LEDGER_MAGIC));
	ledger->used = strlen(LEDGER_MAGIC);
	ledger_add(ledger, &run);
	*out = ledger;
	return RC_OK;
}

static void
ledger_write(struct ledger *ledger)
{
	struct iovec iov = {.iov_base = ledger->buffer, .iov_len = ledger->used};

	/* after a failure the rest would leave a hole: nothing more is written */
	if (ledger->rc == RC_OK && ledger->used > 0)
		ledger->rc = fs_write_at(ledger->fd, &iov, 1, ledger->offset, &ledger->why);
	ledger->offset += ledger->used;
	ledger->used = 0;
}

void
ledger_add(struct ledger *ledger, const struct ledger_entry *entry)
{
	if (LEDGER_BUFFER_BYTES - ledger->used < LEDGER_ENTRY_MAX)
		ledger_write(ledger);
	ledger->used =
		(size_t)(ledger_encode(entry, ledger->buffer + ledger->used) - ledger->buffer);
}

enum rc
ledger_flush(struct ledger *ledger, struct err *err)
{
	ledger_write(ledger);
	if (ledger->rc != RC_OK)
		*err = ledger->why;
	return ledger->rc;
}

void
ledger_close(struct ledger **out)
{
	struct ledger *ledger = *out;

	if (ledger == NULL)
		return;
	*out = NULL;
	fs_close(ledger->fd);
	fs_close(ledger->lock);
	free(ledger);
}

/* ---- Reading ---------------------------------------------------------------------- */

struct ledger_reading {
	const char *path;
	int fd;
	uint64_t offset; /* of buffer[0] in the file */
	size_t have;     /* bytes in the buffer */
	enum rc (*each)(void *arg, const struct ledger_entry *entry, struct err *err);
	void *arg;
	uint8_t buffer[LEDGER_BUFFER_BYTES];
};

/* Passes on the whole entries of the buffer, and keeps what is cut off. */
static enum rc
ledger_read_buffer(struct ledger_reading *r, struct err *err)
{
	size_t at = 0;
	enum rc rc;

	if (r->offset == 0) {
		at = strlen(LEDGER_MAGIC);
		if (r->have < at || memcmp(r->buffer, LEDGER_MAGIC, at) != 0)
			return err_invalid(err, "\"%s\" is not a ledger of this version", r->path);
	}
	for (;;) {
		struct ledger_entry entry;
		size_t used = 0;
		struct err why;

		rc = ledger_decode(r->buffer + at, r->have - at, &entry, &used, &why);
		if (rc == RC_AGAIN) /* cut off: by the buffer's end, or by the file's */
			break;
		if (rc != RC_OK)
			return err_invalid(err, "\"%s\" at byte %llu: %s", r->path,
					   (unsigned long long)(r->offset + at), why.msg);
		rc = r->each(r->arg, &entry, err);
		if (rc != RC_OK)
			return rc;
		at += used;
	}
	memmove(r->buffer, r->buffer + at, r->have - at);
	r->have -= at;
	r->offset += at;
	return RC_OK;
}

static enum rc
ledger_read_file(struct ledger_reading *r, struct err *err)
{
	enum rc rc = fs_open(r->path, FS_READ, &r->fd, err);

	r->offset = 0;
	r->have = 0;
	while (rc == RC_OK) {
		size_t got = 0;

		rc = fs_read_at(r->fd, r->buffer + r->have, LEDGER_BUFFER_BYTES - r->have,
				r->offset + r->have, &got, err);
		if (rc != RC_OK || got == 0)
			break;
		r->have += got;
		rc = ledger_read_buffer(r, err);
	}
	fs_close(r->fd);
	r->fd = -1;
	return rc;
}

enum rc
ledger_read(const char *dir,
	    enum rc (*each)(void *arg, const struct ledger_entry *entry, struct err *err),
	    void *arg, struct err *err)
{
	struct ledger_reading *r = xcalloc(1, sizeof(*r));
	unsigned newest = 0;
	enum rc rc = fs_list(dir, ledger_note_run, &newest, err);

	r->each = each;
	r->arg = arg;
	r->fd = -1;
	for (unsigned run = 1; rc == RC_OK && run <= newest; run++) {
		char *path = ledger_path(dir, run);

		r->path = path;
		rc = ledger_read_file(r, err);
		free(path);
	}
	free(r);
	return rc;
}
