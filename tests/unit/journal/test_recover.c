/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery: the exact valid prefix whatever became of the last segment's bytes,
 * and a clear refusal of what no crash can have left behind.
 *
 * Protections tested: the crc of header and entry, the chain from entry to entry, and
 * what recover_headers() checks.  Seen to fail with each of them switched off; without
 * the chain it is test_stale_entries_are_not_taken that notices.
 */
#include "disk_rig.h"

static const char segment_0[] = "j/0000000000000000.seg";
static const char segment_1[] = "j/00000000000ffe00.seg";
static const char segment_2[] = "j/00000000001ffc00.seg";

/* Does opening refuse, and name the file? */
static void
assert_refused(struct rig *rig, const char *file, const char *why)
{
	journal_close(&rig->journal);
	assert_int_equal(rig_try_open(rig), RC_INVALID);
	assert_null(rig->journal);
	if (!strstr(rig->err.msg, file) || !strstr(rig->err.msg, why))
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", rig->err.msg, file, why);
}

/* Three segments of 17 big entries: 0 .. 16, 17 .. 33, 34 .. 39. */
static void
fill_three_segments(struct rig *rig)
{
	rig_append(rig, 0, 40, 60000);
	assert_int_equal(shelf_count(&rig->journal->shelf), 3);
	assert_true(fs_fake_exists(segment_2));
}

/* ---- A journal that is well ------------------------------------------------ */

static void
test_new_journal(void **state)
{
	struct rig *rig = *state;
	uint8_t id[JOURNAL_ID_BYTES], again[JOURNAL_ID_BYTES];

	assert_true(rig->recovery.created);
	assert_int_equal(rig->recovery.end, 0);
	journal_id(rig->journal, id);
	rig_append(rig, 0, 9, 33);
	rig_reopen(rig);
	assert_false(rig->recovery.created);
	assert_int_equal(rig->recovery.entries, 9);
	assert_int_equal(rig->recovery.end, 9 * (12 + 33));
	assert_int_equal(rig->recovery.dropped_bytes, 0);
	assert_string_equal(rig->recovery.note, "");
	journal_id(rig->journal, again);
	assert_memory_equal(id, again, sizeof(id));
	rig_append(rig, 9, 1, 33);
	assert_int_equal(rig_read(rig, 0, 0), 10);
	assert_false(fs_fake_exists("j/damaged"));
}

static void
test_only_the_last_segment_is_read(void **state)
{
	struct rig *rig = *state;

	fill_three_segments(rig);
	rig_reopen(rig);
	assert_int_equal(rig->recovery.segments, 3);
	assert_int_equal(rig->recovery.entries, 40 - 2 * 17);
	assert_int_equal(rig_read(rig, 0, 0), 40);
}

static void
test_second_process_is_refused(void **state)
{
	struct rig *rig = *state;
	struct journal *second;
	struct journal_recovery recovery;
	struct err err;

	assert_int_equal(journal_open(&second, &rig->conf, &recovery, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "in use by another process"));
	assert_null(second);
	rig_append(rig, 0, 1, 10);
	rig_reopen(rig);
}

static void
test_spares_are_used_again(void **state)
{
	struct rig *rig = *state;
	struct journal_stats stats;

	assert_int_equal(rig_keep(rig), RC_OK);
	assert_true(fs_fake_exists("j/00000001.spare"));
	fs_fake_put("j/spare.tmp", "half", 4);
	fs_fake_put("j/0000002a.spare", "too short", 9);
	rig_reopen(rig);
	assert_false(fs_fake_exists("j/spare.tmp"));
	assert_false(fs_fake_exists("j/0000002a.spare"));
	assert_int_equal(shelf_spares(&rig->journal->shelf), 1);
	rig_append(rig, 0, 20, 60000);
	journal_get_stats(rig->journal, &stats);
	assert_int_equal(stats.segments_made, 0);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_true(fs_fake_exists("j/0000002b.spare"));
	rig_reopen(rig);
	assert_int_equal(rig_read(rig, 0, 0), 20);
}

static void
test_configuration_is_checked(void **state)
{
	struct rig *rig = *state;
	const struct journal_conf good = rig->conf;

	journal_close(&rig->journal);
	rig->conf.node = 0;
	assert_int_equal(rig_try_open(rig), RC_INVALID);
	rig->conf.node = 32768;
	assert_int_equal(rig_try_open(rig), RC_INVALID);
	rig->conf = good;
	rig->conf.segment_bytes--;
	assert_int_equal(rig_try_open(rig), RC_INVALID);
	rig->conf = good;
	rig->conf.spare_segments = 0;
	assert_int_equal(rig_try_open(rig), RC_INVALID);
	rig->conf = good;
	rig->conf.dir = "nowhere";
	assert_int_equal(rig_try_open(rig), RC_FAIL);
}

/* A larger size in the configuration counts from the next segment on. */
static void
test_segment_size_may_change(void **state)
{
	struct rig *rig = *state;

	rig_append(rig, 0, 20, 60000);
	rig->conf.segment_bytes = 2 * RIG_SEGMENT_BYTES;
	rig_reopen(rig);
	rig_append(rig, 20, 60, 60000);
	rig->conf.segment_bytes = RIG_SEGMENT_BYTES;
	rig_reopen(rig);
	rig_append(rig, 80, 40, 60000);
	rig_reopen(rig);
	assert_int_equal(rig_read(rig, 0, 0), 120);
}

/* ---- The last segment, in every state -------------------------------------- */

/* Behind how many bytes of the file the n-th of 200 entries ends. */
static size_t
entry_bytes(uint64_t number)
{
	return JOURNAL_ENTRY_HEADER + RIG_BODY_MIN + number % 23;
}

static void
append_200(struct rig *rig)
{
	struct group *group = rig_group(rig);

	for (uint64_t i = 0; i < 200; i++)
		assert_true(rig_add(group, i, entry_bytes(i) - JOURNAL_ENTRY_HEADER));
	journal_post(rig->journal, group);
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_int_equal(rig_collect(rig), 1);
}

static void
test_truncated_at_every_byte(void **state)
{
	struct rig *rig = *state;
	size_t n, whole = 0, end = JOURNAL_SEGMENT_HEADER;

	append_200(rig);
	uint8_t *bytes = fs_fake_get(segment_0, &n);
	journal_close(&rig->journal);
	for (size_t cut = 0; cut < JOURNAL_SEGMENT_HEADER; cut++) {
		fs_fake_put(segment_0, bytes, cut);
		assert_refused(rig, segment_0 + 2, "too short for a header");
	}
	for (size_t cut = JOURNAL_SEGMENT_HEADER; whole < 200; cut++) {
		fs_fake_put(segment_0, bytes, cut);
		if (cut == end + entry_bytes(whole))
			end += entry_bytes(whole++);
		rig_open(rig);
		uint64_t size;
		assert_int_equal(fs_size(rig->journal->tail.fd, &size, &rig->err), RC_OK);
		assert_int_equal(size, n);
		assert_int_equal(rig->recovery.entries, whole);
		assert_int_equal(rig->recovery.end, end - JOURNAL_SEGMENT_HEADER);
		assert_int_equal(rig->recovery.dropped_bytes > 0, cut > end);
		assert_int_equal(rig_read(rig, 0, 0), whole);
		/* it goes on as if nothing had been */
		rig_append(rig, whole, 1, 50);
		rig_reopen(rig);
		assert_int_equal(rig->recovery.dropped_bytes, 0);
		assert_int_equal(rig->recovery.entries, whole + 1);
		journal_close(&rig->journal);
	}
	free(bytes);
}

/* Which entry the byte at `offset` of the file belongs to; 200 behind the last. */
static uint64_t
entry_at(size_t offset)
{
	size_t end = JOURNAL_SEGMENT_HEADER;
	uint64_t number = 0;

	while (number < 200 && offset >= end + entry_bytes(number))
		end += entry_bytes(number++);
	return number;
}

/* One life with one bit turned: exactly the entries before it are left. */
static void
open_with_flip(struct rig *rig, uint8_t *bytes, size_t n, size_t bit)
{
	size_t offset = bit / 8;

	bytes[offset] ^= (uint8_t)(1u << (bit % 8));
	fs_fake_reset(1);
	assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
	fs_fake_put(segment_0, bytes, n);
	if (offset < JOURNAL_SEGMENT_HEADER) {
		assert_refused(rig, segment_0 + 2, "its header");
	} else {
		rig_open(rig);
		assert_int_equal(rig->recovery.entries, entry_at(offset));
		assert_int_equal(rig_read(rig, 0, 0), entry_at(offset));
		assert_true(rig->recovery.dropped_bytes > 0);
		assert_true(fs_fake_exists("j/damaged"));
		journal_close(&rig->journal);
	}
	bytes[offset] ^= (uint8_t)(1u << (bit % 8));
}

static void
test_every_bit_flipped(void **state)
{
	struct rig *rig = *state;
	size_t n;

	append_200(rig);
	uint8_t *bytes = fs_fake_get(segment_0, &n);
	journal_close(&rig->journal);
	/* a short file takes a fraction of the time, and is one more thing to recover from */
	for (size_t bit = 0; bit < 8 * 4096; bit++)
		open_with_flip(rig, bytes, 8192, bit);
	open_with_flip(rig, bytes, n, 8 * n - 1);
	free(bytes);
}

/* What is dropped can be looked at, byte by byte. */
static void
test_dropped_bytes_are_saved(void **state)
{
	struct rig *rig = *state;
	size_t n, n_saved, end = JOURNAL_SEGMENT_HEADER + 3 * (12 + 100);

	rig_append(rig, 0, 3, 100);
	journal_close(&rig->journal);
	uint8_t *bytes = fs_fake_get(segment_0, &n);
	memcpy(bytes + end, "torn, or whatever", 17);
	bytes[300000] = 1;
	fs_fake_put(segment_0, bytes, n);
	rig_open(rig);
	assert_int_equal(rig->recovery.entries, 3);
	assert_int_equal(rig->recovery.dropped_bytes, 300001 - end);
	assert_non_null(strstr(rig->recovery.note, "damaged/0000000000000150.0"));
	/* also when the power fails as soon as they are wiped */
	journal_close(&rig->journal);
	fs_fake_power_on();
	uint8_t *saved = fs_fake_get("j/damaged/0000000000000150.0", &n_saved);
	assert_non_null(saved);
	assert_int_equal(n_saved, 300001 - end);
	assert_memory_equal(saved, bytes + end, n_saved);
	free(saved);
	/* and is not in the way: wiped, and a second time gets another name */
	uint8_t *wiped = fs_fake_get(segment_0, &n);
	for (size_t i = end; i < n; i++)
		assert_int_equal(wiped[i], 0);
	free(wiped);
	fs_fake_put(segment_0, bytes, n);
	rig_open(rig);
	assert_true(fs_fake_exists("j/damaged/0000000000000150.1"));
	free(bytes);
}

/*
 * Bytes of a former life behind the end: whole entries, right in themselves, at
 * the very place where the next one is looked for.
 */
static void
test_stale_entries_are_not_taken(void **state)
{
	struct rig *rig = *state;
	size_t n, at = JOURNAL_SEGMENT_HEADER + 5 * (12 + 60);

	rig_append(rig, 0, 30, 60);
	uint8_t *old = fs_fake_get(segment_0, &n);
	journal_close(&rig->journal);
	/* the new life has the same header, and other entries of the same length */
	memset(old + JOURNAL_SEGMENT_HEADER, 0, n - JOURNAL_SEGMENT_HEADER);
	uint8_t *stale = xcalloc(1, n);
	memcpy(stale, old, JOURNAL_SEGMENT_HEADER);
	fs_fake_put(segment_0, stale, n);
	rig_open(rig);
	rig_append(rig, 1000, 30, 60);
	journal_close(&rig->journal);
	free(stale);
	stale = fs_fake_get(segment_0, &n);
	fs_fake_put(segment_0, old, n);
	rig_open(rig);
	rig_append(rig, 0, 5, 60);
	journal_close(&rig->journal);
	free(old);
	old = fs_fake_get(segment_0, &n);
	memcpy(old + at, stale + at, 25 * (12 + 60));
	fs_fake_put(segment_0, old, n);
	rig_open(rig);
	assert_int_equal(rig->recovery.entries, 5);
	assert_int_equal(rig->recovery.dropped_bytes, 25 * (12 + 60));
	assert_int_equal(rig_read(rig, 0, 0), 5);
	free(old);
	free(stale);
}

/* ---- What is refused -------------------------------------------------------- */

static void
test_missing_segment(void **state)
{
	struct rig *rig = *state;

	fill_three_segments(rig);
	fs_fake_remove(segment_1);
	assert_refused(rig, segment_1 + 2, "is missing");
}

static void
test_renamed_segment(void **state)
{
	struct rig *rig = *state;

	fill_three_segments(rig);
	fs_fake_move(segment_2, "j/00000000002ffa00.seg");
	assert_refused(rig, "00000000002ffa00.seg", "a copy, or renamed");
}

static void
test_doubled_segment(void **state)
{
	struct rig *rig = *state;
	size_t n;

	fill_three_segments(rig);
	uint8_t *bytes = fs_fake_get(segment_1, &n);
	fs_fake_put("j/00000000002ffa00.seg", bytes, n);
	assert_refused(rig, "00000000002ffa00.seg", "a copy, or renamed");
	fs_fake_remove("j/00000000002ffa00.seg");
	fs_fake_put("j/00000000000ffe00 (copy).seg", bytes, n);
	assert_refused(rig, "00000000000ffe00 (copy).seg", "a copy?");
	fs_fake_remove("j/00000000000ffe00 (copy).seg");
	fs_fake_put("j/ffe00.seg", bytes, n);
	assert_refused(rig, "ffe00.seg", "a copy?");
	fs_fake_remove("j/ffe00.seg");
	rig_open(rig);
	assert_int_equal(rig_read(rig, 0, 0), 40);
	free(bytes);
}

static void
test_two_segments_swapped(void **state)
{
	struct rig *rig = *state;

	fill_three_segments(rig);
	fs_fake_move(segment_1, "j/x");
	fs_fake_move(segment_2, segment_1);
	fs_fake_move("j/x", segment_2);
	assert_refused(rig, segment_1 + 2, "a copy, or renamed");
}

static void
test_foreign_segment(void **state)
{
	struct rig *rig = *state;
	size_t n;

	fill_three_segments(rig);
	uint8_t *bytes = fs_fake_get(segment_1, &n);
	journal_close(&rig->journal);
	fs_fake_reset(2);
	assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
	rig_open(rig);
	fill_three_segments(rig);
	fs_fake_put(segment_1, bytes, n);
	assert_refused(rig, segment_1 + 2, "of another journal");
	free(bytes);
}

static void
test_foreign_node(void **state)
{
	struct rig *rig = *state;

	rig_append(rig, 0, 1, 10);
	rig->conf.node = 8;
	assert_refused(rig, segment_0 + 2, "is of node 7, and this is node 8");
}

/* All of a file, and its header alone. */
static void
test_zeroed_segment(void **state)
{
	struct rig *rig = *state;
	const char *segments[] = {segment_0, segment_1, segment_2};
	size_t n;

	fill_three_segments(rig);
	for (size_t i = 0; i < ARRAY_LEN(segments); i++) {
		uint8_t *bytes = fs_fake_get(segments[i], &n), *zeros = xcalloc(1, n);

		fs_fake_put(segments[i], zeros, n);
		assert_refused(rig, segments[i] + 2, "not that of a journal segment");
		memcpy(zeros + 512, bytes + 512, n - 512);
		fs_fake_put(segments[i], zeros, n);
		assert_refused(rig, segments[i] + 2, "not that of a journal segment");
		fs_fake_put(segments[i], bytes, n);
		free(bytes);
		free(zeros);
	}
	rig_open(rig);
	assert_int_equal(rig_read(rig, 0, 0), 40);
}

static void
test_short_segment_before_the_last(void **state)
{
	struct rig *rig = *state;
	size_t n;

	fill_three_segments(rig);
	uint8_t *bytes = fs_fake_get(segment_1, &n);
	fs_fake_put(segment_1, bytes, n - 1);
	assert_refused(rig, segment_1 + 2, "by its header");
	free(bytes);
}

/* What was durable when the daemon looked is gone when the reader does: test_damage
 * has what can be read around; this has nothing behind it. */
static void
test_reader_finds_damage_below_durable(void **state)
{
	struct rig *rig = *state;
	struct journal_reader *reader;
	struct journal_entry entry;
	struct iovec zeros = {.iov_base = (uint8_t[12]){0}, .iov_len = 12};

	rig_append(rig, 0, 2, 100);
	assert_int_equal(journal_reader_new(&reader, rig->journal, 0, &rig->err), RC_OK);
	assert_int_equal(fs_write_at(rig->journal->tail.fd, &zeros, 1, JOURNAL_SEGMENT_HEADER + 112,
				     &rig->err),
			 RC_OK);
	assert_int_equal(journal_read(reader, &entry, &rig->err), RC_OK);
	assert_int_equal(journal_read(reader, &entry, &rig->err), RC_INVALID);
	journal_reader_free(&reader);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(test_new_journal),
		ON_DISK(test_only_the_last_segment_is_read),
		ON_DISK(test_second_process_is_refused),
		ON_DISK(test_spares_are_used_again),
		ON_DISK(test_configuration_is_checked),
		ON_DISK(test_segment_size_may_change),
		ON_DISK(test_truncated_at_every_byte),
		ON_DISK(test_every_bit_flipped),
		ON_DISK(test_dropped_bytes_are_saved),
		ON_DISK(test_stale_entries_are_not_taken),
		ON_DISK(test_missing_segment),
		ON_DISK(test_renamed_segment),
		ON_DISK(test_doubled_segment),
		ON_DISK(test_two_segments_swapped),
		ON_DISK(test_foreign_segment),
		ON_DISK(test_foreign_node),
		ON_DISK(test_zeroed_segment),
		ON_DISK(test_short_segment_before_the_last),
		ON_DISK(test_reader_finds_damage_below_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
