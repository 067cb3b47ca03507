/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoint's thread.  The hold moves only when the file is durable. */
#include "daemon/checkpointer.h"

#include "base/crash_point.h"
#include "base/log.h"

static void
checkpointer_write(struct checkpointer *saver)
{
	struct err err;

	crash_point(CRASH_CHECKPOINT_BEFORE);
	enum rc rc = checkpoint_write(saver->dir, &saver->bytes, &err);
	crash_point(CRASH_CHECKPOINT_SAVED);
	if (rc == RC_OK)
		journal_hold_set(saver->journal, saver->hold, saver->position);
	else
		log_error("follower", "checkpoint not saved: %s", err.msg);
	crash_point(CRASH_CHECKPOINT_HELD);
	buf_fini(&saver->bytes);
}

static void *
checkpointer_run(void *arg)
{
	struct checkpointer *saver = arg;

	for (;;) {
		(void)mailbox_wait(&saver->box, -1);
		(void)mailbox_take_all(&saver->box);
		if (atomic_load_explicit(&saver->busy, memory_order_acquire)) {
			checkpointer_write(saver);
			atomic_store_explicit(&saver->busy, false, memory_order_release);
			mailbox_ring(saver->done);
		}
		if (atomic_load_explicit(&saver->stop, memory_order_acquire))
			return NULL;
	}
}

enum rc
checkpointer_start(struct checkpointer *saver, struct err *err)
{
	if (pthread_create(&saver->thread, NULL, checkpointer_run, saver) != 0)
		return err_fail(err, "could not start the checkpoint's thread");
	return RC_OK;
}

void
checkpointer_stop(struct checkpointer *saver)
{
	atomic_store_explicit(&saver->stop, true, memory_order_release);
	mailbox_ring(&saver->box);
	(void)pthread_join(saver->thread, NULL);
}

bool
checkpointer_is_busy(const struct checkpointer *saver)
{
	return atomic_load_explicit(&saver->busy, memory_order_acquire);
}

void
checkpointer_begin(struct checkpointer *saver)
{
	atomic_store_explicit(&saver->busy, true, memory_order_release);
	mailbox_ring(&saver->box);
}
