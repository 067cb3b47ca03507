/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share.  Which thread owns what:
 *
 *	appender  struct tail, struct batch, the lists of groups
 *	keeper    the making and unlinking of files
 *	both      struct shelf, under its lock: which segments and spares there are,
 *	          and who still holds them
 *	any       the atomics, for reading
 *
 * journal_turn() and journal_keep() are one round of each thread, so that a test
 * can drive both without threads and without waiting.
 */
#ifndef GATEHOUSE_JOURNAL_JOURNAL_PRIV_H
#define GATEHOUSE_JOURNAL_JOURNAL_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/counter.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "journal/journal.h"

enum {
	SEGMENT_BYTES_MIN = 1024 * 1024,
	SPARES_MAX = 64,
	RESERVE_SPARES = 1, /* while no other can be made, so many are for what can't wait */
	NODE_MAX = 32767,
	NAME_BYTES = 32,          /* of a file in the journal's directory */
	SAVED_NAME_BYTES = 64,    /* of one below damaged/, with that */
	BATCH_VECTORS = 64,       /* groups, or parts of groups, in one write */
	RETRY_MS = 1000,          /* a full disk is looked at again after so long */
	HELD_BACK_LOG_MS = 10000, /* and spoken of no more often than this */
	STOP_PATIENCE_MS = 5000,  /* groups held back for so long don't hold up the stop */
};

/* ---- format.c: bytes.  Pure functions. ----------------------------------- */

struct segment_header {
	uint8_t id[JOURNAL_ID_BYTES];
	uint32_t node;
	uint32_t seed;  /* crc of the last entry before this segment */
	uint64_t first; /* position of its first entry */
	uint64_t bytes; /* of the whole file */
	/* positions that were lost between the end of the segment before and `first` */
	uint64_t lost_bytes;
};

void format_put_header(uint8_t out[JOURNAL_SEGMENT_HEADER], const struct segment_header *header);
enum rc format_get_header(const uint8_t in[JOURNAL_SEGMENT_HEADER], struct segment_header *header,
			  struct err *err) MUST_CHECK;

/* Writes header fields other than the crc. */
void format_put_entry(uint8_t *entry, uint8_t type, uint8_t flags, uint32_t body_len);
/* Fills the crc in of an entry behind one with the crc `before`; returns it. */
uint32_t format_seal_entry(uint8_t *entry, uint32_t before);
/* Whole length with header, as the entry itself says; not checked against anything. */
size_t format_entry_bytes(const uint8_t *entry);
uint8_t format_entry_type(const uint8_t *entry);
uint8_t format_entry_flags(const uint8_t *entry);
uint32_t format_entry_stored_crc(const uint8_t *entry);
/* The crc that is due behind one with the crc `before`; the whole entry is in memory. */
uint32_t format_entry_crc(const uint8_t *entry, uint32_t before);
bool format_entry_is_blank(const uint8_t header[JOURNAL_ENTRY_HEADER]);
/* The header alone makes sense, so that its length may be used. */
bool format_entry_is_plausible(const uint8_t header[JOURNAL_ENTRY_HEADER]);
/* Plausible, and sealed behind `before`; the whole entry is in memory. */
bool format_entry_is_valid(const uint8_t *entry, uint32_t before, uint32_t *crc);

static inline uint64_t
segment_end(const struct segment_header *header)
{
	return header->first + (header->bytes - JOURNAL_SEGMENT_HEADER);
}

/* ---- segment.c: files ----------------------------------------------------- */

void segment_name(char out[NAME_BYTES], uint64_t first);
void spare_name(char out[NAME_BYTES], uint32_t serial);
/* Is `name` exactly what the functions above write? */
bool segment_name_parse(const char *name, uint64_t *first);
bool spare_name_parse(const char *name, uint32_t *serial);

/* Puts "segment NAME: " before the text of an error; returns rc. */
enum rc segment_blame(enum rc rc, uint64_t first, struct err *err);

/* Something that comes back: wait and try again, nothing was lost. */
bool shortage(const struct err *err);

/* Opens it and checks its own header, not how it fits to others. */
enum rc segment_open(const char *dir, uint64_t first, bool writable, int *fd,
		     struct segment_header *header, struct err *err) MUST_CHECK;

/* Asked before each step by which a spare is filled: others may have the disk. */
typedef bool spare_may_rest_cb(void *arg);
/* A file of written zeros that can become a segment; durable, under a spare's name. */
enum rc spare_make(const char *dir, uint32_t serial, uint64_t bytes, spare_may_rest_cb *may_rest,
		   void *arg, struct err *err) MUST_CHECK;
/* Turns a spare into the segment: when this says RC_OK, header and name are durable. */
enum rc spare_use(const char *dir, uint32_t serial, const struct segment_header *header, int *fd,
		  struct err *err) MUST_CHECK;

/* ---- scan.c: walking through the entries of one file ---------------------- */

/* Owner: who walks.  Invariant: window holds file bytes from window_at on, all below limit. */
struct scan {
	int fd;              /* borrowed */
	uint64_t first;      /* position of the file's first entry */
	uint64_t at;         /* file offset of the next entry */
	uint64_t limit;      /* file offset from which on nothing is looked at */
	uint32_t crc;        /* of the entry before it */
	uint32_t crc_before; /* of the one before that, once an entry was read */
	uint8_t *window;
	uint64_t window_at;
	size_t window_len;
};

void scan_init(struct scan *scan);
void scan_fini(struct scan *scan);
void scan_begin(struct scan *scan, int fd, const struct segment_header *header, uint64_t limit);
uint64_t scan_position(const struct scan *scan);
/* RC_EOF: zeros, or no room for an entry; RC_INVALID: bytes that are no entry here.
 * Neither moves on. */
enum rc scan_next(struct scan *scan, struct journal_entry *entry, struct err *err) MUST_CHECK;

/* The entry that was read last is the next one again. */
void scan_unread(struct scan *scan, const struct journal_entry *entry);
/* n bytes from here on, which stay until the next call; RC_EOF: there are fewer. */
enum rc scan_peek(struct scan *scan, size_t n, const uint8_t **here, struct err *err) MUST_CHECK;

/* ---- resume.c: going on behind a damaged spot ------------------------------ */

/* What is known of the end of the chain.  A scan goes on at `at` at the latest. */
struct anchor {
	uint64_t at;  /* file offset between two entries, or UINT64_MAX ... */
	bool has_crc; /* ... and the last entry of the segment has this crc */
	uint32_t crc;
};

/* Moves a scan that stands at a damaged spot on to where the chain holds again.
 * RC_EOF: nowhere, and it stays. */
enum rc scan_resume(struct scan *scan, const struct anchor *anchor, struct err *err) MUST_CHECK;

/* ---- damage.c: what is no entry, and was durable ---------------------------- */

/* One spot of a segment. */
struct damage {
	uint64_t begin, end; /* file offsets */
	uint64_t position;   /* of begin */
};

/* The spots that were reported. */
struct damages {
	pthread_mutex_t lock;
	struct journal_damage *spots;
	size_t n;
};

void damages_init(struct damages *damages);
void damages_fini(struct damages *damages);

/* Where the bytes of the file from `begin` on are zeros for good. */
enum rc damage_find_zeros(int fd, uint64_t begin, uint64_t *zeros_from, struct err *err) MUST_CHECK;
/* The bytes begin .. end of one file become the first ones of another. */
enum rc damage_copy(int from, uint64_t begin, uint64_t end, int to, struct err *err) MUST_CHECK;
/* The bytes, durable in a file of their own, whose name below the journal is
 * returned.  With `once`, not again where an earlier run saved as many from there. */
enum rc damage_save(const struct journal *journal, int fd, const struct damage *damage, bool once,
		    char name[SAVED_NAME_BYTES], struct err *err) MUST_CHECK;
/* Saves, counts and logs a spot of the segment that begins at `first`: once, whoever
 * meets it first.  Any thread. */
void damage_report(struct journal *journal, int fd, uint64_t first, const struct damage *damage);

/* ---- shelf.c: which segments there are ------------------------------------ */

struct segment {
	uint64_t first;
	uint64_t bytes;
	bool passed;        /* all holds are behind its end ... */
	uint64_t passed_ms; /* ... since then */
};

/* Invariant: segments are in order, and without holes but those that a header says; the
 * last one is the tail. */
struct shelf {
	pthread_mutex_t lock;
	struct segment *segments;
	size_t n, capacity;
	uint32_t spares[SPARES_MAX]; /* serials, oldest first */
	size_t n_spares;
	struct hold {
		const char *name;
		uint64_t position;
	} holds[JOURNAL_HOLDS_MAX];
	unsigned n_holds;
	uint64_t unlinking; /* no one may begin to read below this position */
};

void shelf_init(struct shelf *shelf);
void shelf_fini(struct shelf *shelf);
void shelf_add(struct shelf *shelf, uint64_t first, uint64_t bytes);
/* The segment that `position` is in or behind whose end it is; false when it is gone. */
bool shelf_find(struct shelf *shelf, uint64_t position, uint64_t *first);
/* Where the segment after the one that begins at `first` begins; false: there is none. */
bool shelf_next(struct shelf *shelf, uint64_t first, uint64_t *next);
uint64_t shelf_count(struct shelf *shelf);
void shelf_add_spare(struct shelf *shelf, uint32_t serial);
bool shelf_take_spare(struct shelf *shelf, uint32_t *serial);
size_t shelf_spares(struct shelf *shelf);
/* The oldest segment, when all holds have been beyond it for retain_ms: from now
 * on no reader begins there.  *next: where the one after it begins. */
bool shelf_oldest_passed(struct shelf *shelf, uint64_t durable, uint64_t now_ms, uint64_t retain_ms,
			 uint64_t *first, uint64_t *next);
void shelf_drop_oldest(struct shelf *shelf);

/* ---- journal.c ------------------------------------------------------------ */

struct group_list {
	struct group *first, *last;
};

/* Owner: the appender.  Invariant: first <= synced <= written <= staged <= end. */
struct tail {
	int fd;
	uint64_t first;   /* positions: of the segment ... */
	uint64_t synced;  /* behind the last byte known to be on the disk */
	uint64_t written; /* behind the last byte that the file has */
	uint64_t staged;  /* behind the last entry in the batch */
	uint64_t end;     /* where the segment has no more room */
	uint32_t crc;     /* of the last staged entry */
};

/* Owner: the appender.  Bytes from tail.written to tail.staged, in the groups' memory. */
struct batch {
	struct iovec *vectors;
	int n;
};

/* Somebody who is told that durable advanced. */
struct wake {
	struct mailbox *box;
	uint64_t rung_ns; /* monotonic; 0: never */
	uint8_t at_once;  /* of journal_wake */
	uint8_t flags;    /* of what became durable since it was rung */
	bool news;        /* something did */
};

/* Owner: the appender. */
struct wakes {
	struct wake *items;
	size_t n;
	uint64_t pace_ns;
};

struct journal {
	/* fixed after journal_open() */
	struct journal_conf conf; /* dir is a copy */
	uint8_t id[JOURNAL_ID_BYTES];
	int lock_fd;

	/* Owner: the appender */
	struct wakes wakes; /* from journal_start() on */
	struct tail tail;
	struct batch batch;
	struct group_list waiting; /* not staged, or only in part ... */
	size_t first_done;         /* ... so many bytes of the first one are */
	struct group_list staged;  /* staged as a whole, not durable */
	uint8_t staged_flags;      /* of the groups of which something is staged and not durable */
	bool failed;               /* nothing may be synced any more */
	struct log_pace held_back_pace;

	/* Owner: the keeper */
	uint32_t next_serial;
	struct log_pace spare_pace, unlink_pace;

	struct shelf shelf;
	struct damages damages;
	struct mailbox inbox;  /* groups, for the appender */
	struct mailbox errand; /* no messages; its bell wakes the keeper */
	pthread_t appender, keeper;
	bool appender_runs, keeper_runs;

	/* positions; one writer each: appender, appender, appender, keeper */
	_Atomic uint64_t appended, durable;
	_Atomic int64_t durable_us;
	_Atomic uint64_t first;
	atomic_bool stop_appender, stop_keeper;
	atomic_bool is_short; /* by the keeper */

	/* by the appender */
	counter entries, bytes, groups, syncs, sync_ns, groups_waiting;
	counter held_back_ms; /* monotonic, since when; 0: isn't */
	/* by the keeper */
	counter segments_made, segments_unlinked, disk_free_bytes;
	/* by recovery and readers, under the lock of `damages` */
	counter damaged_regions, damaged_bytes;
};

/* ---- append.c --------------------------------------------------------------- */

/* One round: takes what was posted, appends, syncs, publishes, returns groups.
 * RC_AGAIN: groups are held back for want of a segment or of space; all that
 * could be done is done.  RC_FAIL: the end, nothing more may be published. */
enum rc journal_turn(struct journal *journal, uint64_t now_ms, struct err *err) MUST_CHECK;
/* Makes the spare `serial` the tail, in which the chain goes on.  Where `first` is not
 * the end of the tail before, what is in between counts as lost. */
enum rc tail_begin_segment(struct journal *journal, uint32_t serial, uint64_t first,
			   struct err *err) MUST_CHECK;
void *appender_main(void *arg);

/* ---- wakes.c ---------------------------------------------------------------- */

/* `items` is copied, the boxes are borrowed. */
void wakes_init(struct wakes *wakes, const struct journal_wake *items, size_t n, uint64_t tell_ms);
void wakes_fini(struct wakes *wakes);
/* Entries with these flags together became durable. */
void wakes_note(struct wakes *wakes, uint8_t flags);
/* Rings those that are due. */
void wakes_ring(struct wakes *wakes, uint64_t now_ns);
/* After how long somebody will be due who was not rung; -1: nobody. */
int wakes_wait_ms(const struct wakes *wakes);

/* ---- keeper.c --------------------------------------------------------------- */

/* One round: unlinks what is passed, makes at most one spare.  RC_AGAIN: there
 * are too few spares, and not enough space for another. */
enum rc journal_keep(struct journal *journal, uint64_t now_ms, struct err *err) MUST_CHECK;
/* Makes one spare and shelves it.  RC_AGAIN: not enough space. */
enum rc keeper_make_spare(struct journal *journal, struct err *err) MUST_CHECK;
void *keeper_main(void *arg);

/* ---- recover.c -------------------------------------------------------------- */

/* Fills shelf, tail, id and positions from the directory, or begins a journal. */
enum rc recover_journal(struct journal *journal, struct journal_recovery *recovery,
			struct err *err) MUST_CHECK;

#endif
