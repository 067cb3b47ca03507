/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What following the journal came to, saved now and then, so that a start reads
 * the journal's end only: the controllers' positions and the desk.  A file that is
 * missing, foreign or damaged is no loss: the journal is then read from its
 * beginning.
 *
 * STATE_DIR/checkpoint: magic, version, journal id, node, position, lengths of two
 * parts, the parts, CRC32C of all before it.
 */
#ifndef GATEHOUSE_DAEMON_CHECKPOINT_H
#define GATEHOUSE_DAEMON_CHECKPOINT_H

#include "base/buf.h"
#include "desk/desk.h"
#include "fleet/positions.h"
#include "journal/journal.h"

struct checkpoint_key {
	uint8_t journal_id[JOURNAL_ID_BYTES];
	uint32_t node;
};

/* The file, in the state's folder. */
#define CHECKPOINT_NAME "checkpoint"

/* Everything as bytes, ready to be written by another thread.  RC_AGAIN: more than
 * out's limit. */
enum rc checkpoint_make(const struct checkpoint_key *key, uint64_t position,
			const struct positions *positions, const struct desk *desk,
			struct buf *out) MUST_CHECK;

/* Only what it proves of the journal, before that is open.  RC_EOF: there is no
 * checkpoint of this node; RC_INVALID: it is damaged. */
enum rc checkpoint_read_proof(const char *dir, uint32_t node, struct journal_proof *proof,
			      struct err *err) MUST_CHECK;

/* Into empty tables.  RC_EOF: there is none.  RC_INVALID: damaged, or of another
 * journal; then the tables may hold a part, and are to be made anew. */
enum rc checkpoint_read(const char *dir, const struct checkpoint_key *key, uint64_t *position,
			struct positions *positions, struct desk *desk, struct err *err) MUST_CHECK;

#endif
