/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that writes; see the header. */
#include "journal/saver.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

static void
saver_write(struct saver *saver)
{
	const struct saver_conf *conf = &saver->conf;
	struct err err;
	enum rc rc;

	crash_point(conf->before);
	rc = fs_replace_file(conf->dir, conf->file, buf_front(&saver->bytes),
			     buf_len(&saver->bytes), &err);
	crash_point(conf->saved);
	if (rc == RC_OK) {
		journal_hold_set(conf->journal, conf->hold, saver->position);
		if (conf->saved_us != NULL)
			counter_set(conf->saved_us, (uint64_t)clock_wall_us());
	} else {
		log_error(conf->room, "%s not saved: %s", conf->what, err.msg);
	}
	crash_point(conf->held);
	buf_fini(&saver->bytes);
}

static void *
saver_run(void *arg)
{
	struct saver *saver = arg;
	bool stop = false;

	while (!stop) {
		(void)mailbox_wait(&saver->box, -1);
		(void)mailbox_take_all(&saver->box);
		/* first: what was begun before the stop is seen then */
		stop = atomic_load_explicit(&saver->stop, memory_order_acquire);
		if (saver_is_busy(saver)) {
			saver_write(saver);
			atomic_store_explicit(&saver->busy, false, memory_order_release);
			mailbox_ring(saver->conf.done);
		}
	}
	return NULL;
}

enum rc
saver_start(struct saver *saver, const struct saver_conf *conf, struct err *err)
{
	enum rc rc = mailbox_init(&saver->box, err);
	int code;

	if (rc != RC_OK)
		return rc;
	saver->conf = *conf;
	code = pthread_create(&saver->thread, NULL, saver_run, saver);
	if (code != 0) {
		mailbox_fini(&saver->box);
		return err_fail(err, "could not start the thread of the %s: %s", conf->what,
				strerror(code));
	}
	(void)pthread_setname_np(saver->thread, conf->thread);
	saver->started = true;
	return RC_OK;
}

void
saver_stop(struct saver *saver)
{
	if (!saver->started)
		return;
	atomic_store_explicit(&saver->stop, true, memory_order_release);
	mailbox_ring(&saver->box);
	must(pthread_join(saver->thread, NULL) == 0);
	mailbox_fini(&saver->box);
	saver->started = false;
}

bool
saver_is_busy(const struct saver *saver)
{
	return atomic_load_explicit(&saver->busy, memory_order_acquire);
}

void
saver_begin(struct saver *saver, struct buf *bytes, uint64_t position)
{
	must(saver->started && !saver_is_busy(saver));
	saver->bytes = *bytes;
	*bytes = (struct buf){0};
	saver->position = position;
	atomic_store_explicit(&saver->busy, true, memory_order_release);
	mailbox_ring(&saver->box);
}
