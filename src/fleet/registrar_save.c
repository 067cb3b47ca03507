/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot: STATE_DIR/rights.snapshot holds magic, journal id, node, position, length,
 * the rights (register/rights.h), CRC32C of all before it.  Made by the registrar when
 * nothing is under way, and written by journal/saver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/fs.h"
#include "base/log.h"
#include "registrar_priv.h"

#define SNAPSHOT_NAME  "rights.snapshot"
#define SNAPSHOT_MAGIC "GHRSNAP1"

enum { SNAPSHOT_HEADER = 8 + JOURNAL_ID_BYTES + 4 + 8 + 8, SNAPSHOT_MAX = 1 << 30 };

/* ---- Reading -------------------------------------------------------------------- */

static enum rc
snapshot_parse(struct registrar *r, const uint8_t *bytes, size_t n, uint64_t *position,
	       struct err *err)
{
	const uint8_t *at = bytes + 8 + JOURNAL_ID_BYTES;
	uint8_t id[JOURNAL_ID_BYTES];

	if (n < SNAPSHOT_HEADER + 4 || memcmp(bytes, SNAPSHOT_MAGIC, 8) != 0 ||
	    crc32c(0, bytes, n - 4) != le_get32(bytes + n - 4) ||
	    le_get64(at + 12) != n - SNAPSHOT_HEADER - 4)
		return err_invalid(err, "it is damaged");
	journal_id(r->journal, id);
	if (memcmp(bytes + 8, id, JOURNAL_ID_BYTES) != 0 || le_get32(at) != r->conf.node)
		return err_invalid(err, "it belongs to another journal");
	*position = le_get64(at + 4);
	return rights_load(r->rights, bytes + SNAPSHOT_HEADER, n - SNAPSHOT_HEADER - 4, err);
}

enum rc
rights_file_read(struct registrar *r, uint64_t *position, struct err *err)
{
	char *path = xasprintf("%s/" SNAPSHOT_NAME, r->conf.state_dir);
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum rc rc = fs_read_file(path, SNAPSHOT_MAX, &bytes, &n, err);

	if (rc == RC_FAIL && err->sys == ENOENT)
		rc = RC_EOF;
	else if (rc == RC_OK)
		rc = snapshot_parse(r, bytes, n, position, err);
	free(bytes);
	free(path);
	return rc;
}

/* ---- Writing -------------------------------------------------------------------- */

static enum rc
snapshot_make(const struct registrar *r, uint64_t position, struct buf *out)
{
	uint8_t *header = buf_reserve(out, SNAPSHOT_HEADER), crc[4];

	if (header == NULL)
		return RC_AGAIN;
	buf_added(out, SNAPSHOT_HEADER);
	if (rights_save(r->rights, out) != RC_OK)
		return RC_AGAIN;
	header = buf_front(out); /* it may have moved */
	memcpy(header, SNAPSHOT_MAGIC, 8);
	journal_id(r->journal, header + 8);
	header = le_put32(header + 8 + JOURNAL_ID_BYTES, r->conf.node);
	header = le_put64(header, position);
	(void)le_put64(header, buf_len(out) - SNAPSHOT_HEADER);
	(void)le_put32(crc, crc32c(0, buf_front(out), buf_len(out)));
	return buf_append(out, crc, sizeof(crc));
}

/* At the first snapshot: before it, nothing of the daemon need run. */
static enum rc
saver_start_once(struct registrar *r, struct err *err)
{
	const struct saver_conf conf = {
		.room = "rights",
		.what = "snapshot",
		.thread = "rights",
		.dir = r->conf.state_dir,
		.file = SNAPSHOT_NAME,
		.journal = r->journal,
		.hold = r->hold,
		.done = loop_mailbox(r->loop),
		.saved_us = &r->counters.snapshot_us,
		.before = CRASH_RIGHTS_BEFORE,
		.saved = CRASH_RIGHTS_SAVED,
		.held = CRASH_RIGHTS_HELD,
	};

	return r->saver.started ? RC_OK : saver_start(&r->saver, &conf, err);
}

bool
rights_file_save(struct registrar *r)
{
	uint64_t position = journal_reader_position(r->reader);
	struct buf bytes;
	struct err err;

	if (saver_is_busy(&r->saver) || !registrar_is_settled(r) || r->n_findings > 0)
		return false;
	if (position == r->saved_position)
		return true;
	if (saver_start_once(r, &err) != RC_OK) {
		log_error("rights", "snapshot not saved: %s", err.msg);
		return true;
	}
	buf_init(&bytes, SNAPSHOT_MAX);
	if (snapshot_make(r, position, &bytes) != RC_OK) {
		log_error("rights", "snapshot not saved: larger than %d MiB", SNAPSHOT_MAX >> 20);
		buf_fini(&bytes);
		return true;
	}
	r->saved_position = position;
	saver_begin(&r->saver, &bytes, position);
	return true;
}
