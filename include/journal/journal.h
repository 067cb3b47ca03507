/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: what was taken on, in one order, on disk.  One thread of its own
 * appends groups, syncs once for all that waited, and publishes `durable`.
 *
 * POSITION: byte offset in the endless row of entries, over all segments.
 * 0 is the beginning.  appended >= durable, each with one writer.
 *
 * ENTRY: u32 length of the body | u32 crc | u8 type | u8 flags | u16 zero | body.
 * The crc is CRC32C (Castagnoli; RFC 3720 B.4) over length, type, flags, zero
 * and body, begun with the crc of the entry before it: an entry is valid only
 * behind its own predecessor, so that stale bytes of a former life of the file
 * are never taken for valid.  The first entry of a segment begins with the seed
 * of the segment's header.  The type is not 0, so that zeros are never an entry.
 *
 * SEGMENT: a file "NNNNNNNNNNNNNNNN.seg" (its first position in hexadecimal)
 * of fixed size, filled with zeros ahead of use; header of 512 bytes: magic,
 * version, journal id (16 random bytes of the journal's first day), node, first
 * position, bytes of the file, seed, crc.  The header is synced before the file
 * gets its name: a .seg without a valid one was damaged.  The seed is the crc of
 * the last entry before it.  No entry spans two segments; what is left at the
 * end of one stays zero, and positions skip it: the next segment begins at first
 * position + capacity.
 *
 * DAMAGE: bytes of a segment that were durable and are no valid entries.  A reader
 * goes on behind them, at the next entry that the chain proves: sealed behind a crc
 * that was read, and followed by others that are sealed in turn.  The bytes in between
 * are saved to dir/damaged/POSITION.N, counted, and said in one line, once for each
 * spot; they are never written again in the segment.  Whatever a sender put into a
 * body is not taken for an entry, even when it looks like a chain of them.
 *
 * LOSS: a journal that ends before a proof of what was durable, or is another one or
 * none, lost its end: a file is gone, its file system is not mounted, an older copy
 * was restored.  That is refused, and nothing is changed.  With accept_loss it goes
 * on in a new segment that begins far behind whatever was lost (its header says by how
 * much it is off), so that no position is ever given away twice.  Reading from a lost
 * position begins there.
 *
 * FAILURE: a sync that fails is never retried: fatal().  A disk that is full
 * holds the groups back, says so, and goes on when there is space.  Before that
 * comes the RESERVE: when there is no space for another segment and one spare is
 * left, the journal is short, and that one is for what can't wait.  It takes all
 * that is posted; who posts what can wait looks at journal_is_short() first.
 *
 * What this room does not know: what an entry means.
 */
#ifndef GATEHOUSE_JOURNAL_JOURNAL_H
#define GATEHOUSE_JOURNAL_JOURNAL_H

#include "base/mailbox.h"

enum {
	JOURNAL_ID_BYTES = 16,
	JOURNAL_SEGMENT_HEADER = 512,
	JOURNAL_ENTRY_HEADER = 12,
	JOURNAL_BODY_MAX = 64 * 1024,
	JOURNAL_HOLDS_MAX = 4, /* followers that keep segments */
};

enum {
	ENTRY_FLAG_DESK = 1u << 0,   /* the desk wants to see it: may raise or clear an alarm */
	ENTRY_FLAG_RIGHTS = 1u << 1, /* the registrar does: a card was let in, or was not */
};

struct journal;

/* What somebody else remembers of a journal: an entry that was durable ended here. */
struct journal_proof {
	uint8_t id[JOURNAL_ID_BYTES];
	uint64_t position;
};

struct journal_conf {
	const char *dir;         /* must exist; locked for us alone by dir/lock */
	uint32_t node;           /* 1 .. 32767 */
	uint64_t segment_bytes;  /* whole file, >= 1 MiB */
	uint64_t retain_ms;      /* segments stay this long after all holds passed them */
	uint64_t free_min_bytes; /* no new segment while less than this would be left free */
	unsigned spare_segments; /* how many are made ahead; >= 1; with 1 the reserve is
				    what is left of the last segment */
	uint64_t tell_ms;        /* see struct journal_wake; 0: each time */
	/* LOSS, see below.  Read by journal_open() only; NULL: nothing is known */
	const struct journal_proof *proof;
	bool accept_loss;
};

/* ---- Groups: how entries come in ----------------------------------------- */

/*
 * What one producer gathered in one turn.  The producer fills it, posts it, and
 * gets the same object back in its mailbox when all of it is durable: that is
 * the moment to acknowledge.  Groups are made once and go round, so that the
 * way of a record allocates nothing; a producer without a free group stops
 * reading.  Groups of one producer come back in the order of posting.
 * An empty group is allowed, and comes back when all before it is durable.
 */
struct group {
	struct mail mail; /* first; kind is set by the producer, comes back unchanged */
	struct mailbox *return_to;
	uint8_t *data;        /* entries with room for headers, one behind the other */
	size_t len, capacity; /* bytes */
	uint32_t entries;     /* how many */
	uint8_t flags;        /* of all entries together */
	uint64_t begin, end;  /* out: positions before the first and behind the last entry;
				 with a roll in between they span the skipped rest too */
	int64_t durable_us;   /* out: wall clock after the sync */
	void *owner;          /* the producer's, untouched */
};

/* Capacity must hold at least one entry of JOURNAL_BODY_MAX. */
struct group *group_new(size_t capacity, struct mailbox *return_to, void *owner);
void group_free(struct group **group);
void group_clear(struct group *group);

/* Room for one more entry: returns where `body_len` bytes of body are to be
 * written, or NULL when the group is full.  The header's fields other than the
 * crc are filled here, the crc by the journal's thread. */
uint8_t *group_add(struct group *group, uint8_t type, uint8_t flags, size_t body_len);

/* ---- The journal --------------------------------------------------------- */

/*
 * What recovery found, for one line in the log.  The valid prefix is kept; what
 * follows it in the last segment is saved to dir/damaged/ before it is
 * overwritten, if it holds anything but zeros.  A damaged spot before the proof's
 * position is no end: the chain is found again behind it, and must come through that
 * position.  Without such a proof, entries behind a hole are never kept: sectors that
 * were never synced may look like that after a power loss, and nobody was told of them.
 */
struct journal_recovery {
	uint64_t first; /* oldest position there is */
	uint64_t end;   /* behind the last valid entry */
	uint64_t segments;
	uint64_t entries;       /* read while recovering (only the last segment is) */
	uint64_t dropped_bytes; /* behind the end, not zero */
	uint64_t lost_from;     /* with accept_loss: all from here to `end` is lost ... */
	bool lost;              /* ... if anything is; with RC_INVALID: that is why */
	bool created;           /* there was no journal here */
	char note[240];         /* what was dropped or set aside, or empty */
};

/*
 * Opens or creates, locks, recovers.  RC_FAIL: the disk; RC_INVALID: another
 * process has it, a foreign or a doubled segment, a hole between segments, a segment
 * with a damaged header or of a wrong size, a loss that is not accepted: err says which
 * file, and nothing was changed.  Not yet running.
 */
enum rc journal_open(struct journal **journal, const struct journal_conf *conf,
		     struct journal_recovery *recovery, struct err *err) MUST_CHECK;

/* Somebody who follows.  The box is rung when durable has advanced: at once when a group
 * with one of the flags `at_once` is in it, or when it was quiet for conf.tell_ms;
 * otherwise that long after the last ring, at the latest. */
struct journal_wake {
	struct mailbox *box;
	uint8_t at_once;
};

/* Starts the threads (appender, and one that makes segments ahead and unlinks
 * old ones).  `wakes` is copied. */
enum rc journal_start(struct journal *journal, const struct journal_wake *wakes, size_t n_wakes,
		      struct err *err) MUST_CHECK;

/* Any thread.  Takes the group. */
void journal_post(struct journal *journal, struct group *group);

/* Appends and syncs all that was posted, returns the groups, ends the threads.
 * No one may post any more.  Where a full disk doesn't let it for some seconds,
 * the groups that are left are not returned: nobody may acknowledge them, and
 * their memory is their producer's again. */
void journal_stop(struct journal *journal);
void journal_close(struct journal **journal);

/* Any thread, at any time. */
uint64_t journal_appended(const struct journal *journal);
uint64_t journal_durable(const struct journal *journal);
uint64_t journal_first(const struct journal *journal);
void journal_id(const struct journal *journal, uint8_t id[JOURNAL_ID_BYTES]);
/* Only the reserve is left. */
bool journal_is_short(const struct journal *journal);
/* When the last sync ended, wall clock. */
int64_t journal_durable_us(const struct journal *journal);

struct journal_stats {
	uint64_t entries, bytes, groups, syncs, sync_ns, segments_made, segments_unlinked;
	uint64_t paused_ms; /* not 0: appending has been held back for so long */
	uint64_t disk_free_bytes;
	uint64_t groups_waiting, segments;
	uint64_t damaged_regions, damaged_bytes; /* met since the start: see damaged/ */
};
/* Any thread. */
void journal_get_stats(struct journal *journal, struct journal_stats *stats);

/* A damaged spot. */
struct journal_damage {
	uint64_t position, bytes;
};
/* The spots that were met since the start, by number from 0; false: there are not so
 * many yet.  One is met again after each start, as long as somebody reads it.  Any
 * thread. */
bool journal_get_damage(struct journal *journal, size_t number, struct journal_damage *damage);

/* ---- Followers ----------------------------------------------------------- */

/* A hold keeps every segment from `position` on.  `name` is borrowed for ever.
 * Before journal_start(). */
unsigned journal_hold(struct journal *journal, const char *name, uint64_t position);
/* Moves it on (or back, to repair a failover, not below journal_first()).  One thread each. */
void journal_hold_set(struct journal *journal, unsigned hold, uint64_t position);

/*
 * Reads entries in order, up to durable, from the files.  Owner: one thread.
 * After journal_open() it can be used before journal_start(), to replay.
 */
struct journal_reader;

struct journal_entry {
	uint64_t position; /* of its first byte */
	uint64_t next;     /* of the entry after it: what to remember when it is done */
	uint8_t type, flags;
	const uint8_t *body; /* borrowed until the next call */
	uint32_t len;
};

/* RC_INVALID when `from` is not between first and durable, or no entry begins there.
 * Where the entry that began there is damaged, reading begins behind the damage. */
enum rc journal_reader_new(struct journal_reader **reader, struct journal *journal, uint64_t from,
			   struct err *err) MUST_CHECK;
void journal_reader_free(struct journal_reader **reader);

/* RC_OK and the entry, which need not begin where the one before it ended: see DAMAGE;
 * RC_AGAIN at durable; RC_INVALID when a segment's header is damaged, or the segment
 * that is being written down to `durable` (err says file and offset): then only
 * recovery can help; RC_FAIL by the disk. */
enum rc journal_read(struct journal_reader *reader, struct journal_entry *entry,
		     struct err *err) MUST_CHECK;
/* Where the next journal_read() begins. */
uint64_t journal_reader_position(const struct journal_reader *reader);

#endif
