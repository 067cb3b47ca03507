/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's thread: opens sessions, one after the other, until it is told to
 * stop, and says how it is.
 *
 * It is the boundary for everything that goes wrong below: one line when
 * PostgreSQL goes away, one when the reason changes, one a minute while it lasts,
 * one when it is back.
 */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store_priv.h"

enum { DOWN_LOG_MS = 60 * 1000 };

/* ---- Status: any thread ---------------------------------------------------- */

static void
status_lock(struct store *s)
{
	must(pthread_mutex_lock(&s->status_lock) == 0);
}

static void
status_unlock(struct store *s)
{
	must(pthread_mutex_unlock(&s->status_lock) == 0);
}

void
store_get_status(struct store *s, struct store_status *status)
{
	status_lock(s);
	*status = s->status;
	status_unlock(s);
}

void
store_set_state(struct store *s, enum store_state state, const char *reason)
{
	status_lock(s);
	s->status.state = state;
	/* as long as a struct err's text: nothing is cut, and the last byte stays 0 */
	(void)strncpy(s->status.reason, reason, sizeof(s->status.reason) - 1);
	status_unlock(s);
}

/* The hold follows the cursor, also backwards: what PostgreSQL lost is needed again. */
void
store_set_cursor(struct store *s, uint64_t position)
{
	s->cursor = position;
	journal_hold_set(s->journal, s->hold, position);
	status_lock(s);
	s->status.stored = position;
	status_unlock(s);
}

void
store_count_batch(struct store *s, const struct store_tally *tally)
{
	status_lock(s);
	s->status.records += tally->records;
	s->status.quarantined += tally->quarantined;
	s->status.duplicates += tally->duplicates;
	s->status.batches++;
	s->status.slow_batches += tally->slow;
	s->status.last_commit_us = clock_wall_us();
	status_unlock(s);
}

void
store_count_register_load(struct store *s)
{
	status_lock(s);
	s->status.register_loads++;
	status_unlock(s);
}

/* ---- The thread ------------------------------------------------------------ */

bool
store_is_stopping(const struct store *s)
{
	return atomic_load_explicit(&s->stop_at_ms, memory_order_acquire) != UINT64_MAX;
}

static void
store_report_up(struct store *s)
{
	log_info("store", "storing node=%u position=%llu", s->conf.node,
		 (unsigned long long)s->cursor);
	s->pace_down = (struct log_pace){0};
	store_set_state(s, STORE_RUNNING, "");
}

static void
store_report_down(struct store *s, uint64_t pause_ms, const struct err *err)
{
	/* only this thread writes the status: it may read it without the lock */
	bool same = s->status.state == s->down_state && strcmp(s->status.reason, err->msg) == 0;
	uint64_t held_back;

	/* a new reason is said at once, the same one only now and then */
	if (!same)
		s->pace_down = (struct log_pace){0};
	if (log_pace_ok(&s->pace_down, DOWN_LOG_MS, &held_back))
		log_warning("store",
			    "not storing: %s; trying again in %llu ms, later after at most %llu ms",
			    err->msg, (unsigned long long)pause_ms,
			    (unsigned long long)s->backoff.most_ms);
	status_lock(s);
	s->status.pause_ms = pause_ms;
	status_unlock(s);
	store_set_state(s, s->down_state, err->msg);
}

/* Between two sessions. */
static void
store_pause(struct store *s, uint64_t pause_ms)
{
	uint64_t until_ms = clock_mono_ms() + pause_ms;

	while (!store_is_stopping(s)) {
		uint64_t now_ms = clock_mono_ms();

		if (now_ms >= until_ms)
			break;
		(void)mailbox_wait(&s->box, (int)(until_ms - now_ms));
		must(mailbox_take_all(&s->box) == NULL);
	}
}

/* One session after the other; ends after a session that ended in order, or after
 * the first that failed once it is time to stop. */
static void *
store_run(void *arg)
{
	struct store *s = arg;

	for (;;) {
		struct err err = {0};
		uint64_t pause_ms;
		enum rc rc = store_session_open(s, &err);

		if (rc == RC_OK) {
			store_report_up(s);
			rc = session_run(s, &err);
		}
		store_session_close(s);
		if (rc == RC_EOF)
			break;
		pause_ms = backoff_failed(&s->backoff);
		store_report_down(s, pause_ms, &err);
		/* the journal keeps what is left, for the next start */
		if (store_is_stopping(s))
			break;
		store_pause(s, pause_ms);
	}
	log_info("store", "stopped position=%llu left_bytes=%llu", (unsigned long long)s->cursor,
		 (unsigned long long)(journal_durable(s->journal) - s->cursor));
	store_set_state(s, STORE_STOPPED, "");
	return NULL;
}

/* ---- For others ------------------------------------------------------------ */

static void
store_format_journal_id(struct store *s)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t id[JOURNAL_ID_BYTES];
	char *out = s->journal_id;

	journal_id(s->journal, id);
	*out++ = '\\';
	*out++ = 'x';
	for (size_t i = 0; i < sizeof(id); i++) {
		*out++ = hex[id[i] >> 4];
		*out++ = hex[id[i] & 15];
	}
	*out = '\0';
}

enum rc
store_new(struct store **store, const struct store_conf *conf, struct journal *journal,
	  const struct store_hooks *hooks, struct err *err)
{
	struct store *s = xcalloc(1, sizeof(*s));
	enum rc rc = mailbox_init(&s->box, err);

	if (rc != RC_OK) {
		free(s);
		return rc;
	}
	s->conf = *conf;
	s->conninfo = xstrdup(conf->conninfo);
	s->conf.conninfo = s->conninfo;
	s->link_conf = (struct link_conf){
		.conninfo = s->conninfo,
		.node = conf->node,
		.connect_timeout_ms = conf->connect_timeout_s * 1000,
		.statement_timeout_ms = conf->statement_timeout_s * 1000,
	};
	s->journal = journal;
	s->hooks = *hooks;
	s->cursor = journal_first(journal);
	s->reached = UINT64_MAX;
	s->hold = journal_hold(journal, "store", s->cursor);
	s->status.state = STORE_CONNECTING;
	s->status.stored = s->cursor;
	must(pthread_mutex_init(&s->status_lock, NULL) == 0);
	atomic_init(&s->stop_at_ms, UINT64_MAX);
	atomic_init(&s->reload, false);
	store_format_journal_id(s);
	link_init(&s->link, &s->link_conf, &s->box, &s->stop_at_ms);
	backoff_init(&s->backoff, conf->retry_ms, conf->retry_max_ms);
	heard_init(&s->heard);
	copy_init(&s->copy, &s->link, &s->heard, conf->node);
	batch_init(&s->batch, conf->batch_records, conf->batch_bytes);
	batch_init(&s->ahead, conf->batch_records, conf->batch_bytes);
	*store = s;
	return RC_OK;
}

struct mailbox *
store_mailbox(struct store *s)
{
	return &s->box;
}

enum rc
store_start(struct store *s, struct err *err)
{
	int code;

	must(!s->started);
	code = pthread_create(&s->thread, NULL, store_run, s);
	if (code != 0)
		return err_fail(err, "could not start the store's thread: %s", strerror(code));
	(void)pthread_setname_np(s->thread, "store");
	s->started = true;
	return RC_OK;
}

void
store_reload_register(struct store *s)
{
	atomic_store(&s->reload, true);
	mailbox_ring(&s->box);
}

void
store_stop(struct store *s, uint64_t deadline_ms)
{
	if (!s->started)
		return;
	atomic_store_explicit(&s->stop_at_ms, clock_mono_ms() + deadline_ms, memory_order_release);
	mailbox_ring(&s->box);
	must(pthread_join(s->thread, NULL) == 0);
	s->started = false;
}

void
store_free(struct store **store)
{
	struct store *s = *store;

	if (s == NULL)
		return;
	must(!s->started);
	batch_fini(&s->batch);
	batch_fini(&s->ahead);
	copy_fini(&s->copy);
	heard_fini(&s->heard);
	must(pthread_mutex_destroy(&s->status_lock) == 0);
	mailbox_fini(&s->box);
	free(s->conninfo);
	free(s);
	*store = NULL;
}
