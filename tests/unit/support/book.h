/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real journal in a folder of its own, without threads: what was posted becomes
 * durable when the test says so, and everything durable can be read as a list.
 */
#ifndef GATEHOUSE_TESTS_SUPPORT_BOOK_H
#define GATEHOUSE_TESTS_SUPPORT_BOOK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/journal/journal_priv.h"
#include "wire/entry.h"

struct book_entry {
	uint8_t type, flags;
	uint64_t position, next;
	uint8_t *body;
	uint32_t len;
};

struct book {
	char dir[64];
	struct journal *journal;
	struct book_entry *entries; /* as of the last book_read() */
	size_t n;
};

/* Opens the journal in book->dir, which is there. */
static inline void
book_reopen(struct book *book)
{
	struct journal_conf conf = {.dir = book->dir,
				    .node = 5,
				    .segment_bytes = SEGMENT_BYTES_MIN,
				    .retain_ms = 1000,
				    .spare_segments = 1};
	struct journal_recovery recovery;
	struct err err;

	journal_close(&book->journal);
	if (journal_open(&book->journal, &conf, &recovery, &err) != RC_OK)
		fail_msg("%s", err.msg);
}

static inline void
book_open(struct book *book)
{
	*book = (struct book){.dir = "/tmp/gatehouse-book-XXXXXX"};
	assert_non_null(mkdtemp(book->dir));
	book_reopen(book);
}

static inline void
book_forget(struct book *book)
{
	for (size_t i = 0; i < book->n; i++)
		free(book->entries[i].body);
	free(book->entries);
	book->entries = NULL;
	book->n = 0;
}

static inline void
book_close(struct book *book)
{
	char *command = xasprintf("rm -r %s", book->dir);

	book_forget(book);
	journal_close(&book->journal);
	assert_int_equal(system(command), 0);
	free(command);
}

/* Everything posted becomes durable, and its groups go back. */
static inline void
book_turn(struct book *book)
{
	struct err err;
	enum rc rc = journal_turn(book->journal, 1, &err);

	for (unsigned i = 0; rc == RC_AGAIN && i < 100; i++) {
		assert_int_equal(journal_keep(book->journal, 1, &err), RC_OK);
		rc = journal_turn(book->journal, 1, &err);
	}
	assert_int_equal(rc, RC_OK);
}

/* All there is, from the beginning; how many. */
static inline size_t
book_read(struct book *book)
{
	struct journal_reader *reader;
	struct journal_entry entry;
	struct err err;

	book_forget(book);
	assert_int_equal(
		journal_reader_new(&reader, book->journal, journal_first(book->journal), &err),
		RC_OK);
	while (journal_read(reader, &entry, &err) == RC_OK) {
		struct book_entry *to;

		book->entries = xrealloc(book->entries, (book->n + 1) * sizeof(*book->entries));
		to = &book->entries[book->n++];
		*to = (struct book_entry){.type = entry.type,
					  .flags = entry.flags,
					  .position = entry.position,
					  .next = entry.next,
					  .body = xcalloc(1, entry.len + 1),
					  .len = entry.len};
		memcpy(to->body, entry.body, entry.len);
	}
	journal_reader_free(&reader);
	return book->n;
}

/* Entry `i` as a record; borrowed until the next book_read(). */
static inline struct record
book_record(const struct book *book, size_t i)
{
	struct record record;
	struct err err;

	assert_true(i < book->n);
	assert_true(book->entries[i].type == ENTRY_RECORD || book->entries[i].type == ENTRY_AHEAD);
	assert_int_equal(record_decode(book->entries[i].body, book->entries[i].len, &record, &err),
			 RC_OK);
	return record;
}

#endif
