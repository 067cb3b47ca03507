/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: what the simulator sent, what was acknowledged to it, and what
 * its consoles saw.  A folder of files run-0001.ledger, run-0002.ledger, .., one
 * for each run, only ever added to.
 *
 * A file is the 8 bytes "GHLEDGR1", then entries without a gap: one byte of
 * type, then the fields of that type as in the table of ledger_format.c, little
 * endian; a name is one byte of length and its bytes.  The first entry is
 * LEDGER_RUN.  The numbers of streams and consoles hold within the file, and
 * are introduced before they are used.  An entry that is cut off at the end of
 * a file was being written when the simulator was killed, and doesn't count.
 *
 * It holds no card: what is sent again is computed, or read from the badge log.
 * It assumes one server: positions of several would need its node beside them.
 */
#ifndef GATEHOUSE_SIM_LEDGER_H
#define GATEHOUSE_SIM_LEDGER_H

#include "wire/tls.h"

#define LEDGER_MAGIC "GHLEDGR1"

enum ledger_type {
	LEDGER_RUN = 1,           /* wall_us, mono_ns: when the run began, by both clocks */
	LEDGER_STREAM = 2,        /* id, epoch, name: of a controller */
	LEDGER_SENT = 3,          /* id, seq, wall_us (device time), kind, door, row */
	LEDGER_ACK = 4,           /* id, seq: cumulative */
	LEDGER_REJECT = 5,        /* id, seq, kind (the reason) */
	LEDGER_LOST = 6,          /* id, seq .. last_seq: reported as lost to the server */
	LEDGER_ALARM_SENT = 7,    /* id, seq, mono_ns: first time that its record went out */
	LEDGER_CONSOLE = 8,       /* id, name */
	LEDGER_SUBSCRIBED = 9,    /* id, mono_ns, position: from where */
	LEDGER_RESYNC = 10,       /* id, mono_ns, position: from where */
	LEDGER_SEEN = 11,         /* id, mono_ns, position, alarm_id, epoch, seq, kind, state,
				     snapshot, name (of the controller; empty: of a group,
				     or of the server itself) */
	LEDGER_SNAPSHOT_END = 12, /* id, mono_ns, position */
	LEDGER_LIST = 13,         /* id, position, seq, last_seq: at the end of a run the list
				     of this number has so many rights, of this digest */
	LEDGER_TYPES = 14,
};

/* One entry; each type uses the fields that are listed above. */
struct ledger_entry {
	enum ledger_type type;
	uint32_t id;  /* of the stream or console, from 0 */
	uint32_t row; /* of the badge log + 1; 0: made up */
	uint64_t epoch, seq, last_seq;
	int64_t wall_us;
	uint64_t mono_ns;
	uint64_t position, alarm_id;
	uint16_t kind, door;
	uint8_t state, snapshot;
	char name[TLS_NAME_MAX + 1];
};

/* Longest entry as bytes. */
enum { LEDGER_ENTRY_MAX = 256 };

/* Writes the entry, returns the place behind. */
uint8_t *ledger_encode(const struct ledger_entry *entry, uint8_t *out);
/* RC_AGAIN: the bytes end within the entry.  RC_INVALID: no such type or name. */
enum rc ledger_decode(const uint8_t *bytes, size_t n, struct ledger_entry *entry, size_t *used,
		      struct err *err) MUST_CHECK;

/* ---- Writing: one thread ------------------------------------------------- */

struct ledger;

/* Makes the folder where it is missing, and begins the file of this run.
 * RC_INVALID when another simulator writes to the folder. */
enum rc ledger_open(struct ledger **ledger, const char *dir, struct err *err) MUST_CHECK;
/* Adds to the buffer.  A failure to write is kept, and told by ledger_flush(). */
void ledger_add(struct ledger *ledger, const struct ledger_entry *entry);
enum rc ledger_flush(struct ledger *ledger, struct err *err) MUST_CHECK;
/* Call ledger_flush() before: this one can't tell. */
void ledger_close(struct ledger **ledger);

/* ---- Reading ------------------------------------------------------------- */

/* All entries of all runs, oldest first.  Stops when `each` returns other than
 * RC_OK, and returns that; RC_INVALID names the file and the place. */
enum rc ledger_read(const char *dir,
		    enum rc (*each)(void *arg, const struct ledger_entry *entry, struct err *err),
		    void *arg, struct err *err) MUST_CHECK;

#endif
