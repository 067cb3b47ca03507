/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: the bytes become the last segment of a journal on the
 * simulated disk; it is opened, read, appended to, and opened again.
 *
 * The first byte says how much is set right before, so that the fuzzer gets
 * beyond the checksums: bit 0 the segment's header, bit 1 the crcs of the
 * entries from the second on, as far as their lengths lead, bit 2 an older
 * segment before it.
 *
 * It must never crash, never refuse a segment with a good header, and never
 * return an entry whose crc, computed here bit by bit, is not the chain's.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/journal/journal_priv.h"
#include "../fake/fs_fake.h"
#include "base/bytes.h"
#include "base/fs.h"

enum {
	FIX_HEADER = 1u << 0,
	FIX_ENTRIES = 1u << 1,
	SECOND_SEGMENT = 1u << 2,

	FILE_MAX = 256 * 1024,
	SEED = 0x5eed5eed,
};

static const uint8_t id[JOURNAL_ID_BYTES] = "fuzzed, not made";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* CRC32C as RFC 3720 has it, without tables and without the library under test. */
static uint32_t
slow_crc32c(uint32_t crc, const uint8_t *bytes, size_t n)
{
	crc = ~crc;
	while (n-- > 0) {
		crc ^= *bytes++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return ~crc;
}

static void
fix_entries(uint8_t *bytes, size_t n)
{
	uint32_t crc = SEED;

	for (size_t at = JOURNAL_SEGMENT_HEADER; n - at >= JOURNAL_ENTRY_HEADER;) {
		uint32_t len = le_get32(bytes + at);

		if (len > JOURNAL_BODY_MAX || len > n - at - JOURNAL_ENTRY_HEADER)
			break;
		crc = format_seal_entry(bytes + at, crc);
		at += JOURNAL_ENTRY_HEADER + len;
	}
}

static void
put_segment(uint64_t first, uint8_t *bytes, size_t n, bool fix)
{
	char name[NAME_BYTES];
	struct segment_header header = {
		.node = 7, .seed = SEED, .first = first, .bytes = SEGMENT_BYTES_MIN};

	memcpy(header.id, id, sizeof(id));
	if (fix)
		format_put_header(bytes, &header);
	segment_name(name, first);
	char *path = xasprintf("j/%s", name);
	fs_fake_put(path, bytes, n);
	free(path);
}

/* Every entry that the reader gives out is the next link of the chain. */
static uint64_t
read_all(struct journal *journal, uint64_t first, const char *segment)
{
	struct journal_reader *reader;
	struct journal_entry entry;
	struct err err;
	uint64_t count = 0;
	uint32_t crc = SEED;
	size_t n;
	uint8_t *file = fs_fake_get(segment, &n);
	enum rc rc = journal_reader_new(&reader, journal, first, &err);

	must(rc == RC_OK);
	while ((rc = journal_read(reader, &entry, &err)) == RC_OK) {
		const uint8_t *at = file + JOURNAL_SEGMENT_HEADER + (entry.position - first);

		must(entry.position + JOURNAL_ENTRY_HEADER + entry.len == entry.next);
		must(entry.next <= journal_durable(journal));
		crc = slow_crc32c(crc, at, 4);
		crc = slow_crc32c(crc, at + 8, 4);
		crc = slow_crc32c(crc, entry.body, entry.len);
		must(crc == le_get32(at + 4));
		must(entry.type != 0 && entry.len <= JOURNAL_BODY_MAX);
		count++;
	}
	must(rc == RC_AGAIN);
	journal_reader_free(&reader);
	free(file);
	return count;
}

static void
append_one(struct journal *journal)
{
	struct mailbox box;
	struct err err;

	must(mailbox_init(&box, &err) == RC_OK);
	struct group *group = group_new(JOURNAL_ENTRY_HEADER + JOURNAL_BODY_MAX, &box, NULL);
	memset(group_add(group, 9, 0, 100), 'x', 100);
	journal_post(journal, group);
	while (journal_turn(journal, 0, &err) == RC_AGAIN)
		must(journal_keep(journal, 0, &err) == RC_OK);
	must(mailbox_take_all(&box) == &group->mail);
	group_free(&group);
	mailbox_fini(&box);
}

static void
open_and_read(bool good_header, uint64_t first, const char *segment)
{
	const struct journal_conf conf = {.dir = "j",
					  .node = 7,
					  .segment_bytes = SEGMENT_BYTES_MIN,
					  .retain_ms = 1000,
					  .spare_segments = 1};
	struct journal_recovery recovery;
	struct journal *journal;
	struct err err;
	enum rc rc = journal_open(&journal, &conf, &recovery, &err);

	if (rc != RC_OK) {
		must(rc == RC_INVALID && !good_header && err.msg[0] != '\0');
		return;
	}
	must(read_all(journal, first, segment) == recovery.entries);
	append_one(journal);
	uint64_t end = journal_durable(journal), entries = recovery.entries;
	journal_close(&journal);
	must(journal_open(&journal, &conf, &recovery, &err) == RC_OK);
	must(recovery.end == end && recovery.dropped_bytes == 0);
	must(recovery.entries == entries + 1 || recovery.segments > 1);
	journal_close(&journal);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err err;

	if (n < 1 || n > FILE_MAX)
		return 0;
	uint8_t how = data[0];
	bool fix = how & FIX_HEADER;
	size_t bytes = fix ? JOURNAL_SEGMENT_HEADER + n - 1 : n - 1;
	uint8_t *file = xcalloc(1, bytes + 1);
	uint64_t first = 0;

	memcpy(file + (bytes - (n - 1)), data + 1, n - 1);
	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	fs_fake_reset(1);
	must(fs_make_dir("j", &err) == RC_OK);
	if (fix && how & FIX_ENTRIES)
		fix_entries(file, bytes);
	if (how & SECOND_SEGMENT) {
		uint8_t *older = xcalloc(1, SEGMENT_BYTES_MIN);

		put_segment(0, older, SEGMENT_BYTES_MIN, true);
		free(older);
		first = SEGMENT_BYTES_MIN - JOURNAL_SEGMENT_HEADER;
	}
	put_segment(first, file, bytes, fix);
	open_and_read(fix, first, first ? "j/00000000000ffe00.seg" : "j/0000000000000000.seg");
	fs_fake_reset(0);
	free(file);
	return 0;
}
