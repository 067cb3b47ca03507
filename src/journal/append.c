/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appender: takes all groups that were posted, writes them, syncs once, and
 * only then says so.  Owner of everything here: the appender's thread.
 *
 * A group's way: waiting (posted, perhaps staged in part) -> staged (its entries
 * have their crcs and their places) -> written -> synced -> returned.  Staging
 * fixes bytes and places for good: a write that failed for want of space is
 * repeated with the very same bytes at the very same place.
 *
 * Invariants: tail.first <= synced <= written <= staged <= end.  `durable` is set
 * after a sync returned, a group goes back after that, and after a failed sync
 * there is no other.  A new segment gets its name when all before it is durable.
 *
 * What this deliberately does not do: make segments (the keeper does), and
 * allocate memory.
 */
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "journal_priv.h"

/* ---- Lists of groups ---------------------------------------------------- */

static struct group *
group_of(struct mail *mail)
{
	return CONTAINER_OF(mail, struct group, mail);
}

static void
list_push(struct group_list *list, struct group *group)
{
	group->mail.next = NULL;
	if (list->last)
		list->last->mail.next = &group->mail;
	else
		list->first = group;
	list->last = group;
}

static struct group *
list_pop(struct group_list *list)
{
	struct group *group = list->first;

	list->first = group->mail.next ? group_of(group->mail.next) : NULL;
	if (!list->first)
		list->last = NULL;
	group->mail.next = NULL;
	return group;
}

static void
take_posted(struct journal *journal)
{
	struct mail *mail = mailbox_take_all(&journal->inbox);
	uint64_t n = 0;

	while (mail) {
		struct mail *next = mail->next;

		list_push(&journal->waiting, group_of(mail));
		mail = next;
		n++;
	}
	counter_add(&journal->groups_waiting, n);
}

/* ---- Staging: crcs and places ------------------------------------------- */

static void
tail_sane(const struct tail *tail)
{
	must(tail->first <= tail->synced && tail->synced <= tail->written &&
	     tail->written <= tail->staged && tail->staged <= tail->end);
}

/* Stages what fits of the first waiting group; true when that was all of it. */
static bool
stage_group(struct journal *journal, struct group *group)
{
	struct tail *tail = &journal->tail;
	size_t from = journal->first_done, to = from;

	if (from == 0)
		group->begin = tail->staged;
	while (to < group->len) {
		size_t bytes = format_entry_bytes(group->data + to);

		must(bytes <= group->len - to);
		if (bytes > tail->end - tail->staged)
			break;
		tail->crc = format_seal_entry(group->data + to, tail->crc);
		tail->staged += bytes;
		to += bytes;
	}
	if (to > from) {
		journal->staged_flags |= group->flags;
		journal->batch.vectors[journal->batch.n++] =
			(struct iovec){.iov_base = group->data + from, .iov_len = to - from};
	}
	group->end = tail->staged;
	journal->first_done = to;
	return to == group->len;
}

/* Until all are staged, the batch is full, or the segment is. */
static void
stage_waiting(struct journal *journal)
{
	while (journal->waiting.first && journal->batch.n < BATCH_VECTORS) {
		if (!stage_group(journal, journal->waiting.first))
			break;
		list_push(&journal->staged, list_pop(&journal->waiting));
		journal->first_done = 0;
	}
	tail_sane(&journal->tail);
}

/* ---- Writing and syncing ------------------------------------------------ */

/* RC_AGAIN: no space; the batch stays as it is. */
static enum rc
batch_write(struct journal *journal, struct err *err)
{
	struct batch *batch = &journal->batch;
	struct tail *tail = &journal->tail;
	struct iovec vectors[BATCH_VECTORS]; /* writing uses them up, and may have to be repeated */

	if (batch->n == 0)
		return RC_OK;
	memcpy(vectors, batch->vectors, (size_t)batch->n * sizeof(vectors[0]));
	enum rc rc = fs_write_at(tail->fd, vectors, batch->n,
				 JOURNAL_SEGMENT_HEADER + (tail->written - tail->first), err);

	if (rc != RC_OK)
		return segment_blame(shortage(err) ? RC_AGAIN : rc, tail->first, err);
	counter_add(&journal->bytes, tail->staged - tail->written);
	crash_point(CRASH_APPEND_WRITTEN);
	tail->written = tail->staged;
	batch->n = 0;
	atomic_store_explicit(&journal->appended, tail->written, memory_order_release);
	return RC_OK;
}

/* Everything up to tail.written is on the disk: says so to all who wait for it. */
static void
publish_durable(struct journal *journal)
{
	int64_t now_us = clock_wall_us();

	journal->tail.synced = journal->tail.written;
	atomic_store_explicit(&journal->durable_us, now_us, memory_order_relaxed);
	atomic_store_explicit(&journal->durable, journal->tail.synced, memory_order_release);
	wakes_note(&journal->wakes, journal->staged_flags);
	journal->staged_flags = 0;
	wakes_ring(&journal->wakes, clock_mono_ns());
}

static void
return_durable_groups(struct journal *journal)
{
	int64_t now_us = atomic_load_explicit(&journal->durable_us, memory_order_relaxed);
	uint64_t n = 0;

	while (journal->staged.first && journal->staged.first->end <= journal->tail.synced) {
		struct group *group = list_pop(&journal->staged);

		n++;
		counter_add(&journal->entries, group->entries);
		group->durable_us = now_us;
		/* from here on it is the producer's */
		mailbox_post(group->return_to, &group->mail);
	}
	counter_add(&journal->groups, n);
	counter_set(&journal->groups_waiting, counter_get(&journal->groups_waiting) - n);
}

/* One sync for all that was written, if there is anything. */
static enum rc
sync_written(struct journal *journal, struct err *err)
{
	struct tail *tail = &journal->tail;

	if (tail->written > tail->synced) {
		uint64_t begin_ns = clock_mono_ns();
		enum rc rc = fs_datasync(tail->fd, err);

		if (rc != RC_OK)
			return segment_blame(rc, tail->first, err);
		crash_point(CRASH_APPEND_SYNCED);
		counter_add(&journal->syncs, 1);
		counter_add(&journal->sync_ns, clock_mono_ns() - begin_ns);
		publish_durable(journal);
	}
	return_durable_groups(journal);
	return RC_OK;
}

/* ---- Rolling ------------------------------------------------------------ */

enum rc
tail_begin_segment(struct journal *journal, uint32_t serial, uint64_t first, struct err *err)
{
	struct tail *tail = &journal->tail;
	struct segment_header header = {
		.node = journal->conf.node,
		.seed = tail->crc,
		.first = first,
		.bytes = journal->conf.segment_bytes,
		.lost_bytes = first - tail->end,
	};
	int fd;

	memcpy(header.id, journal->id, sizeof(header.id));
	enum rc rc = spare_use(journal->conf.dir, serial, &header, &fd, err);
	if (rc != RC_OK)
		return rc;
	fs_close(tail->fd);
	*tail = (struct tail){
		.fd = fd,
		.first = first,
		.synced = first,
		.written = first,
		.staged = first,
		.end = segment_end(&header),
		.crc = header.seed,
	};
	shelf_add(&journal->shelf, first, header.bytes);
	crash_point(CRASH_ROLL_SHELVED);
	/* all before it is durable, and what the old segment left unused counts as passed */
	atomic_store_explicit(&journal->appended, first, memory_order_release);
	publish_durable(journal);
	return RC_OK;
}

/*
 * The tail is full.  What is in it is synced first: recovery reads only the last
 * segment, so everything before that must be whole.  RC_AGAIN: no segment yet.
 */
static enum rc
roll_tail(struct journal *journal, struct err *err)
{
	uint32_t serial;
	enum rc rc = sync_written(journal, err);

	if (rc != RC_OK)
		return rc;
	crash_point(CRASH_ROLL_SYNCED);
	if (!shelf_take_spare(&journal->shelf, &serial)) {
		mailbox_ring(&journal->errand);
		(void)err_fail(err, "no segment is ready");
		return RC_AGAIN;
	}
	rc = tail_begin_segment(journal, serial, journal->tail.end, err);
	if (rc == RC_OK) {
		mailbox_ring(&journal->errand);
		return RC_OK;
	}
	if (!shortage(err))
		return rc;
	shelf_add_spare(&journal->shelf, serial);
	return RC_AGAIN;
}

/* ---- The round ---------------------------------------------------------- */

/* Staging stopped for want of room in the segment, and not in the batch. */
static bool
tail_is_full(const struct journal *journal)
{
	const struct group *group = journal->waiting.first;

	/* an empty group needs no room */
	return journal->first_done < group->len &&
	       format_entry_bytes(group->data + journal->first_done) >
		       journal->tail.end - journal->tail.staged;
}

static enum rc
append_waiting(struct journal *journal, struct err *err)
{
	for (;;) {
		stage_waiting(journal);
		enum rc rc = batch_write(journal, err);

		if (rc != RC_OK)
			return rc;
		if (!journal->waiting.first)
			return RC_OK;
		/* otherwise it was the batch that was full, and now has room again */
		if (tail_is_full(journal))
			rc = roll_tail(journal, err);
		if (rc != RC_OK)
			return rc;
	}
}

static void
note_held_back(struct journal *journal, uint64_t now_ms, const struct err *err)
{
	uint64_t since_ms = counter_get(&journal->held_back_ms), before;

	if (since_ms == 0) {
		counter_set(&journal->held_back_ms, now_ms ? now_ms : 1);
		return;
	}
	/* a keeper that is a moment behind is not worth a line */
	if (now_ms - since_ms >= RETRY_MS &&
	    log_pace_ok(&journal->held_back_pace, HELD_BACK_LOG_MS, &before))
		log_error("journal", "groups held back groups=%llu ms=%llu reason=\"%s\"",
			  (unsigned long long)counter_get(&journal->groups_waiting),
			  (unsigned long long)(now_ms - since_ms), err->msg);
}

static void
note_going_on(struct journal *journal, uint64_t now_ms)
{
	uint64_t since_ms = counter_get(&journal->held_back_ms);

	if (since_ms == 0)
		return;
	counter_set(&journal->held_back_ms, 0);
	journal->held_back_pace = (struct log_pace){0};
	if (now_ms - since_ms >= RETRY_MS)
		log_info("journal", "going on after ms=%llu",
			 (unsigned long long)(now_ms - since_ms));
}

enum rc
journal_turn(struct journal *journal, uint64_t now_ms, struct err *err)
{
	struct err sync_err;

	if (journal->failed)
		return err_fail(err, "the journal has failed before");
	take_posted(journal);
	enum rc rc = append_waiting(journal, err);
	/* what did get into the file is synced also when the rest has to wait */
	if (rc != RC_FAIL) {
		enum rc sync_rc = sync_written(journal, &sync_err);

		if (sync_rc != RC_OK) {
			rc = sync_rc;
			*err = sync_err;
		}
	}
	journal->failed = rc == RC_FAIL;
	if (rc == RC_AGAIN)
		note_held_back(journal, now_ms, err);
	else if (rc == RC_OK)
		note_going_on(journal, now_ms);
	return rc;
}

/* ---- The thread --------------------------------------------------------- */

/* Groups that a full disk keeps here are not returned: nobody may acknowledge them. */
static bool
out_of_patience(const struct journal *journal, uint64_t now_ms)
{
	uint64_t since_ms = counter_get(&journal->held_back_ms);

	if (since_ms == 0 || now_ms - since_ms < STOP_PATIENCE_MS)
		return false;
	log_error("journal", "stopping with groups=%llu that could not be appended",
		  (unsigned long long)counter_get(&journal->groups_waiting));
	return true;
}

/* Until something is posted; shorter when groups are held back, or somebody is to be told. */
static int
wait_ms(const struct journal *journal, enum rc rc)
{
	int told_ms = wakes_wait_ms(&journal->wakes);

	return rc != RC_AGAIN ? told_ms : told_ms < 0 || told_ms > RETRY_MS ? RETRY_MS : told_ms;
}

void *
appender_main(void *arg)
{
	struct journal *journal = arg;

	for (;;) {
		/* before the turn: what was posted before the stop is in this turn then */
		bool stop = atomic_load_explicit(&journal->stop_appender, memory_order_acquire);
		uint64_t now_ms = clock_mono_ms();
		struct err err;
		enum rc rc = journal_turn(journal, now_ms, &err);

		if (rc == RC_FAIL)
			fatal("journal: %s", err.msg);
		if (stop && (rc == RC_OK || out_of_patience(journal, now_ms))) {
			wakes_ring(&journal->wakes, UINT64_MAX);
			return NULL;
		}
		(void)mailbox_wait(&journal->inbox, wait_ms(journal, rc));
		wakes_ring(&journal->wakes, clock_mono_ns());
	}
}
