/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the journal share: a journal on the simulated disk, driven
 * round by round, and numbered entries whose bodies tell by themselves whether
 * they are right.
 */
#ifndef GATEHOUSE_TESTS_JOURNAL_FIXTURE_H
#define GATEHOUSE_TESTS_JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/journal/journal_priv.h"
#include "base/bytes.h"
#include "base/clock.h"

enum {
	RIG_SEGMENT_BYTES = SEGMENT_BYTES_MIN,
	RIG_GROUP_BYTES = 256 * 1024,
	RIG_BODY_MIN = 8, /* the number */
};

struct rig {
	struct journal *journal;
	struct journal_conf conf;
	struct journal_recovery recovery;
	struct mailbox box; /* where groups come back */
	struct err err;
	uint64_t now_ms; /* what rounds are told */
};

static inline void
rig_init(struct rig *rig, const char *dir)
{
	*rig = (struct rig){
		.conf = {.dir = dir,
			 .node = 7,
			 .segment_bytes = RIG_SEGMENT_BYTES,
			 .retain_ms = 1000,
			 .spare_segments = 1},
		.now_ms = 1000000,
	};
	assert_int_equal(mailbox_init(&rig->box, &rig->err), RC_OK);
}

static inline void
rig_fini(struct rig *rig)
{
	journal_close(&rig->journal);
	mailbox_fini(&rig->box);
}

static inline enum rc
rig_try_open(struct rig *rig)
{
	rig->err.msg[0] = '\0';
	return journal_open(&rig->journal, &rig->conf, &rig->recovery, &rig->err);
}

static inline void
rig_open(struct rig *rig)
{
	enum rc rc = rig_try_open(rig);

	if (rc != RC_OK)
		print_error("journal_open: %s\n", rig->err.msg);
	assert_int_equal(rc, RC_OK);
}

static inline void
rig_reopen(struct rig *rig)
{
	journal_close(&rig->journal);
	rig_open(rig);
}

static inline enum rc
rig_turn(struct rig *rig)
{
	return journal_turn(rig->journal, rig->now_ms, &rig->err);
}

static inline enum rc
rig_keep(struct rig *rig)
{
	return journal_keep(rig->journal, rig->now_ms, &rig->err);
}

/* ---- Numbered entries ----------------------------------------------------- */

static inline uint8_t
rig_type(uint64_t number)
{
	return (uint8_t)(1 + number % 250);
}

/* Fills a body of which every eight bytes depend on its number, length and their place. */
static inline void
rig_fill_body(uint8_t *body, size_t len, uint64_t number)
{
	uint64_t x = number * 0x9e3779b97f4a7c15u + len;
	uint8_t last[8];
	size_t i = RIG_BODY_MIN;

	(void)le_put64(body, number);
	for (; i < len; i += 8) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		(void)le_put64(last, x ^ (x >> 29));
		memcpy(body + i, last, len - i < 8 ? len - i : 8);
	}
}

/* The number of an entry that is right in every byte. */
static inline uint64_t
rig_check_entry(const struct journal_entry *entry)
{
	assert_true(entry->len >= RIG_BODY_MIN);
	uint64_t number = le_get64(entry->body);
	uint8_t *body = xcalloc(1, entry->len);

	rig_fill_body(body, entry->len, number);
	/* cmocka compares byte by byte, and says where: only worth it when they differ */
	if (memcmp(body, entry->body, entry->len) != 0)
		assert_memory_equal(body, entry->body, entry->len);
	free(body);
	assert_int_equal(entry->type, rig_type(number));
	assert_int_equal(entry->flags, number & ENTRY_FLAG_DESK);
	return number;
}

static inline bool
rig_add(struct group *group, uint64_t number, size_t len)
{
	uint8_t *body =
		group_add(group, rig_type(number), (uint8_t)(number & ENTRY_FLAG_DESK), len);

	if (body)
		rig_fill_body(body, len, number);
	return body != NULL;
}

static inline struct group *
rig_group(struct rig *rig)
{
	return group_new(RIG_GROUP_BYTES, &rig->box, rig);
}

/* Posts one group with the entries `first` .. `first + n - 1`. */
static inline struct group *
rig_post(struct rig *rig, uint64_t first, uint64_t n, size_t len)
{
	struct group *group = rig_group(rig);

	for (uint64_t i = 0; i < n; i++)
		assert_true(rig_add(group, first + i, len));
	journal_post(rig->journal, group);
	return group;
}

/* Frees the groups that came back; how many. */
static inline unsigned
rig_collect(struct rig *rig)
{
	struct mail *mail = mailbox_take_all(&rig->box);
	unsigned n = 0;

	while (mail) {
		struct group *group = CONTAINER_OF(mail, struct group, mail);

		mail = mail->next;
		group_free(&group);
		n++;
	}
	return n;
}

/* Appends n entries and has them durable. */
static inline void
rig_append(struct rig *rig, uint64_t first, uint64_t n, size_t len)
{
	while (n > 0) {
		uint64_t step = n < 3 ? n : 3; /* small groups, so that there are many */

		(void)rig_post(rig, first, step, len);
		first += step;
		n -= step;
	}
	enum rc rc = rig_turn(rig);
	for (unsigned i = 0; rc == RC_AGAIN && i < 100; i++) {
		assert_int_equal(rig_keep(rig), RC_OK);
		rc = rig_turn(rig);
	}
	assert_int_equal(rc, RC_OK);
	(void)rig_collect(rig);
}

/* Reads all there is from `from` on: entries must be numbered without holes
 * from `first` on.  Returns how many there were. */
static inline uint64_t
rig_read(struct rig *rig, uint64_t from, uint64_t first)
{
	struct journal_reader *reader;
	struct journal_entry entry;
	uint64_t n = 0, position = from;
	enum rc rc = journal_reader_new(&reader, rig->journal, from, &rig->err);

	if (rc != RC_OK)
		print_error("journal_reader_new: %s\n", rig->err.msg);
	assert_int_equal(rc, RC_OK);
	while ((rc = journal_read(reader, &entry, &rig->err)) == RC_OK) {
		assert_true(entry.position >= position);
		assert_int_equal(entry.next, entry.position + JOURNAL_ENTRY_HEADER + entry.len);
		assert_int_equal(rig_check_entry(&entry), first + n);
		assert_int_equal(journal_reader_position(reader), entry.next);
		position = entry.next;
		n++;
	}
	if (rc != RC_AGAIN)
		print_error("journal_read: %s\n", rig->err.msg);
	assert_int_equal(rc, RC_AGAIN);
	assert_int_equal(journal_reader_position(reader), journal_durable(rig->journal));
	journal_reader_free(&reader);
	return n;
}

#endif
