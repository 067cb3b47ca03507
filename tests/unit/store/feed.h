/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real journal in a folder of the test's own, and a store that follows it.
 * Entries are posted one group at a time, and are durable when feed_flush()
 * returns.
 */
#ifndef TESTS_UNIT_STORE_FEED_H
#define TESTS_UNIT_STORE_FEED_H

#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "pg.h"
#include "store/store.h"
#include "wire/entry.h"

enum { FEED_GROUP_BYTES = 4 * 1024 * 1024, FEED_PATIENCE_MS = 60 * 1000, FEED_RETRY_MS = 20 };

/* A Friday, 10:00 UTC; far from any partition that is made ahead. */
static const int64_t feed_time_us = 1578045600000000;

struct feed {
	struct journal *journal;
	struct mailbox back;
	struct group *group; /* NULL while it is posted */
	struct store *store;
	struct store_conf conf;     /* set before feed_open() what is to differ */
	uint64_t retain_ms;         /* the same */
	_Atomic uint64_t registers; /* handed on by the store */
	struct reg *reg;            /* the last of them; guarded by lock */
	struct rights *rights;      /* handed on, with conf.rights; guarded by lock */
	uint64_t rights_position;   /* guarded by lock */
	pthread_mutex_t lock;
};

static inline void
feed_on_register(void *arg, struct reg *reg)
{
	struct feed *feed = arg;

	pthread_mutex_lock(&feed->lock);
	reg_unref(&feed->reg);
	feed->reg = reg;
	pthread_mutex_unlock(&feed->lock);
	atomic_fetch_add(&feed->registers, 1);
}

static inline void
feed_on_rights(void *arg, struct rights *rights, uint64_t position)
{
	struct feed *feed = arg;

	pthread_mutex_lock(&feed->lock);
	rights_free(&feed->rights);
	feed->rights = rights;
	feed->rights_position = position;
	pthread_mutex_unlock(&feed->lock);
}

/* Opens the journal of that folder and makes the store, not yet started. */
static inline void
feed_open(struct feed *feed, const struct pg *pg, const char *name)
{
	char *dir = xasprintf("%s/%s", pg->dir, name);
	const struct journal_conf journal_conf = {.dir = dir,
						  .node = 7,
						  .segment_bytes = 1024 * 1024,
						  .retain_ms = feed->retain_ms,
						  .spare_segments = 1};
	const struct store_hooks hooks = {
		.on_register = feed_on_register, .on_rights = feed_on_rights, .arg = feed};
	struct journal_recovery recovery;
	struct journal_wake wake;
	struct err err = {0};

	(void)mkdir(dir, 0750);
	if (feed->conf.conninfo == NULL)
		feed->conf.conninfo = pg->conninfo;
	feed->conf.node = 7;
	feed->conf.batch_records = feed->conf.batch_records > 0 ? feed->conf.batch_records : 20000;
	feed->conf.batch_bytes = 8 * 1024 * 1024;
	feed->conf.batch_wait_ms = 5;
	feed->conf.connect_timeout_s =
		feed->conf.connect_timeout_s > 0 ? feed->conf.connect_timeout_s : 10;
	feed->conf.statement_timeout_s =
		feed->conf.statement_timeout_s > 0 ? feed->conf.statement_timeout_s : 30;
	feed->conf.retry_ms = FEED_RETRY_MS;
	feed->conf.retry_max_ms = feed->conf.retry_max_ms > 0 ? feed->conf.retry_max_ms : 100;
	feed->conf.partitions_ahead_days = 2;
	pthread_mutex_init(&feed->lock, NULL);
	if (mailbox_init(&feed->back, &err) != RC_OK ||
	    journal_open(&feed->journal, &journal_conf, &recovery, &err) != RC_OK ||
	    store_new(&feed->store, &feed->conf, feed->journal, &hooks, &err) != RC_OK)
		fail_msg("%s", err.msg);
	wake = (struct journal_wake){.box = store_mailbox(feed->store)};
	if (journal_start(feed->journal, &wake, 1, &err) != RC_OK)
		fail_msg("%s", err.msg);
	feed->group = group_new(FEED_GROUP_BYTES, &feed->back, feed);
	free(dir);
}

static inline void
feed_start(struct feed *feed)
{
	struct err err = {0};

	if (store_start(feed->store, &err) != RC_OK)
		fail_msg("%s", err.msg);
}

/* Posts what was added, waits until it is durable. */
static inline void
feed_flush(struct feed *feed)
{
	struct group *group = feed->group;

	if (group->entries == 0)
		return;
	journal_post(feed->journal, group);
	while (mailbox_take_all(&feed->back) == NULL)
		assert_true(mailbox_wait(&feed->back, FEED_PATIENCE_MS));
	group_clear(group);
}

static inline uint8_t *
feed_room(struct feed *feed, uint8_t type, size_t len)
{
	uint8_t *body = group_add(feed->group, type, 0, len);

	if (body == NULL) {
		feed_flush(feed);
		body = group_add(feed->group, type, 0, len);
	}
	assert_non_null(body);
	return body;
}

static inline void
feed_record(struct feed *feed, const struct record *record)
{
	(void)record_encode(record, feed_room(feed, ENTRY_RECORD, record_encoded_len(record)));
}

static inline void
feed_alarm(struct feed *feed, const struct alarm_change *change)
{
	(void)alarm_change_encode(change,
				  feed_room(feed, ENTRY_ALARM, alarm_change_encoded_len(change)));
}

static inline void
feed_quarantine(struct feed *feed, const struct quarantine *q)
{
	(void)quarantine_encode(q, feed_room(feed, ENTRY_QUARANTINE, quarantine_encoded_len(q)));
}

/* The plainest record that there can be. */
static inline struct record
feed_plain(uint64_t seq)
{
	return (struct record){.controller_id = 11,
			       .site_id = 3,
			       .door_id = 5,
			       .kind = 200,
			       .epoch = 1,
			       .seq = seq,
			       .device_time_us = feed_time_us + (int64_t)seq,
			       .received_us = feed_time_us + 1000000};
}

static inline void
feed_plain_records(struct feed *feed, uint64_t from, uint64_t to)
{
	for (uint64_t seq = from; seq <= to; seq++) {
		struct record record = feed_plain(seq);

		feed_record(feed, &record);
	}
	feed_flush(feed);
}

/* ---- Waiting for what must come: the limit only ends a test that has failed --- */

static inline void
feed_nap(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static inline struct store_status
feed_status(struct feed *feed)
{
	struct store_status status;

	store_get_status(feed->store, &status);
	return status;
}

static inline void
feed_await_stored(struct feed *feed)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	while (feed_status(feed).stored != journal_durable(feed->journal)) {
		if (clock_mono_ms() > until_ms)
			fail_msg("not stored: %s", feed_status(feed).reason);
		feed_nap();
	}
}

static inline void
feed_await_state(struct feed *feed, enum store_state state)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	while (feed_status(feed).state != state) {
		if (clock_mono_ms() > until_ms)
			fail_msg("state %u: %s", feed_status(feed).state, feed_status(feed).reason);
		feed_nap();
	}
}

static inline void
feed_await_registers(struct feed *feed, uint64_t n)
{
	uint64_t until_ms = clock_mono_ms() + FEED_PATIENCE_MS;

	while (atomic_load(&feed->registers) < n) {
		assert_true(clock_mono_ms() < until_ms);
		feed_nap();
	}
}

static inline void
feed_close(struct feed *feed)
{
	store_stop(feed->store, FEED_PATIENCE_MS);
	journal_stop(feed->journal);
	store_free(&feed->store);
	journal_close(&feed->journal);
	group_free(&feed->group);
	mailbox_fini(&feed->back);
	reg_unref(&feed->reg);
	rights_free(&feed->rights);
	pthread_mutex_destroy(&feed->lock);
	*feed = (struct feed){0};
}

#endif
