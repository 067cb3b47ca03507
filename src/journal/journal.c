/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal as a whole: opening, starting and stopping its two threads, and
 * what others may ask.
 *
 * Owner: main opens, starts, stops and closes; posting and asking is for any
 * thread.  Invariant: the lock file is held from journal_open() to
 * journal_close(), so that no other process is in the directory.
 *
 * What this deliberately does not do: anything to the files itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "journal_priv.h"

/* ---- Opening ------------------------------------------------------------ */

static enum rc
check_conf(const struct journal_conf *conf, struct err *err)
{
	if (conf->node < 1 || conf->node > NODE_MAX)
		return err_invalid(err, "journal: node %u is not in 1 .. %u", (unsigned)conf->node,
				   (unsigned)NODE_MAX);
	if (conf->segment_bytes < SEGMENT_BYTES_MIN || conf->segment_bytes > INT64_MAX)
		return err_invalid(err, "journal: a segment has at least %u bytes",
				   (unsigned)SEGMENT_BYTES_MIN);
	if (conf->spare_segments < 1 || conf->spare_segments >= SPARES_MAX)
		return err_invalid(err, "journal: %u spare segments are not in 1 .. %u",
				   conf->spare_segments, (unsigned)SPARES_MAX - 1);
	return RC_OK;
}

static enum rc
lock_dir(struct journal *journal, struct err *err)
{
	const char *dir = journal->conf.dir;
	char *path = xasprintf("%s/lock", dir);
	enum rc rc = fs_open(path, FS_READ_WRITE, &journal->lock_fd, err);

	if (rc != RC_OK && err->sys == ENOENT)
		rc = fs_open(path, FS_CREATE, &journal->lock_fd, err);
	if (rc == RC_OK)
		rc = fs_lock(journal->lock_fd, err);
	if (rc == RC_AGAIN)
		rc = err_invalid(err, "journal \"%s\" is in use by another process", dir);
	free(path);
	return rc;
}

static struct journal *
journal_new(const struct journal_conf *conf)
{
	struct journal *journal = xcalloc(1, sizeof(*journal));

	journal->conf = *conf;
	journal->conf.dir = xstrdup(conf->dir);
	journal->lock_fd = -1;
	journal->tail.fd = -1;
	journal->inbox.fd = -1;
	journal->errand.fd = -1;
	journal->batch.vectors = xcalloc(BATCH_VECTORS, sizeof(journal->batch.vectors[0]));
	shelf_init(&journal->shelf);
	damages_init(&journal->damages);
	return journal;
}

enum rc
journal_open(struct journal **journal, const struct journal_conf *conf,
	     struct journal_recovery *recovery, struct err *err)
{
	enum rc rc = check_conf(conf, err);

	*journal = NULL;
	if (rc != RC_OK)
		return rc;
	struct journal *new = journal_new(conf);

	rc = mailbox_init(&new->inbox, err);
	if (rc == RC_OK)
		rc = mailbox_init(&new->errand, err);
	if (rc == RC_OK)
		rc = lock_dir(new, err);
	if (rc == RC_OK)
		rc = recover_journal(new, recovery, err);
	new->conf.proof = NULL; /* borrowed until here */
	if (rc != RC_OK)
		journal_close(&new);
	*journal = new;
	return rc;
}

static void
close_box(struct mailbox *box)
{
	if (box->fd < 0)
		return;
	/* what is left after a failure belongs to those who posted it */
	(void)mailbox_take_all(box);
	mailbox_fini(box);
}

void
journal_close(struct journal **journal)
{
	struct journal *old = *journal;

	if (!old)
		return;
	must(!old->appender_runs && !old->keeper_runs);
	fs_close(old->tail.fd);
	fs_close(old->lock_fd);
	close_box(&old->inbox);
	close_box(&old->errand);
	shelf_fini(&old->shelf);
	damages_fini(&old->damages);
	free(old->batch.vectors);
	wakes_fini(&old->wakes);
	free((char *)(uintptr_t)old->conf.dir);
	free(old);
	*journal = NULL;
}

/* ---- Threads ------------------------------------------------------------ */

/* Signals are main's business: its threads are born with all of them blocked. */
static enum rc
start_thread(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg,
	     struct err *err)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int sys = pthread_create(thread, NULL, run, arg);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (sys != 0)
		return err_fail(err, "could not start thread %s: %s", name, strerror(sys));
	(void)pthread_setname_np(*thread, name);
	return RC_OK;
}

enum rc
journal_start(struct journal *journal, const struct journal_wake *wakes, size_t n_wakes,
	      struct err *err)
{
	must(!journal->appender_runs);
	wakes_init(&journal->wakes, wakes, n_wakes, journal->conf.tell_ms);
	enum rc rc = start_thread(&journal->keeper, "journal-keeper", keeper_main, journal, err);
	if (rc != RC_OK)
		return rc;
	journal->keeper_runs = true;
	rc = start_thread(&journal->appender, "journal", appender_main, journal, err);
	journal->appender_runs = rc == RC_OK;
	if (rc != RC_OK)
		journal_stop(journal);
	return rc;
}

void
journal_stop(struct journal *journal)
{
	/* the appender first: it may need one more segment from the keeper */
	atomic_store_explicit(&journal->stop_appender, true, memory_order_release);
	mailbox_ring(&journal->inbox);
	if (journal->appender_runs)
		must(pthread_join(journal->appender, NULL) == 0);
	journal->appender_runs = false;
	atomic_store_explicit(&journal->stop_keeper, true, memory_order_release);
	mailbox_ring(&journal->errand);
	if (journal->keeper_runs)
		must(pthread_join(journal->keeper, NULL) == 0);
	journal->keeper_runs = false;
}

void
journal_post(struct journal *journal, struct group *group)
{
	mailbox_post(&journal->inbox, &group->mail);
}

/* ---- What others may ask ------------------------------------------------ */

uint64_t
journal_appended(const struct journal *journal)
{
	return atomic_load_explicit(&journal->appended, memory_order_acquire);
}

uint64_t
journal_durable(const struct journal *journal)
{
	return atomic_load_explicit(&journal->durable, memory_order_acquire);
}

uint64_t
journal_first(const struct journal *journal)
{
	return atomic_load_explicit(&journal->first, memory_order_acquire);
}

bool
journal_is_short(const struct journal *journal)
{
	return atomic_load_explicit(&journal->is_short, memory_order_relaxed);
}

int64_t
journal_durable_us(const struct journal *journal)
{
	return atomic_load_explicit(&journal->durable_us, memory_order_relaxed);
}

void
journal_id(const struct journal *journal, uint8_t id[JOURNAL_ID_BYTES])
{
	memcpy(id, journal->id, JOURNAL_ID_BYTES);
}

void
journal_get_stats(struct journal *journal, struct journal_stats *stats)
{
	uint64_t since_ms = counter_get(&journal->held_back_ms);
	uint64_t now_ms = clock_mono_ms();

	*stats = (struct journal_stats){
		.entries = counter_get(&journal->entries),
		.bytes = counter_get(&journal->bytes),
		.groups = counter_get(&journal->groups),
		.syncs = counter_get(&journal->syncs),
		.sync_ns = counter_get(&journal->sync_ns),
		.segments_made = counter_get(&journal->segments_made),
		.segments_unlinked = counter_get(&journal->segments_unlinked),
		.disk_free_bytes = counter_get(&journal->disk_free_bytes),
		.groups_waiting = counter_get(&journal->groups_waiting),
		.segments = shelf_count(&journal->shelf),
		.damaged_regions = counter_get(&journal->damaged_regions),
		.damaged_bytes = counter_get(&journal->damaged_bytes),
	};
	if (since_ms != 0)
		stats->paused_ms = now_ms > since_ms ? now_ms - since_ms : 1;
}
