/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage inside of what was durable: whatever became of it, a reader never returns a
 * wrong entry, goes on behind the spot, and the bytes are saved, counted and said.
 *
 * Protections tested: scan_resume(), and the proof that it asks for.  Seen to fail with
 * resume_by_header() and resume_by_search() returning RC_EOF, with PROOF_BYTES at 1
 * (the forged chain is taken), with damage_report() left out, and with pass_damage()
 * returning RC_EOF.
 */
#include "disk_rig.h"

enum {
	SMALL = 70, /* small entries at the beginning of the first segment ... */
	BIG = 18,   /* ... and big ones, which fill it and go on in the second */
	BIG_LEN = 60000,
	ALL = SMALL + BIG,
	SEARCHED = 7, /* the entry whose surroundings are damaged where one is enough */
};

static const char segment_0[] = "j/0000000000000000.seg";

struct spot {
	struct rig rig;
	int fd;                /* of segment 0 */
	size_t begin[ALL + 1]; /* file offsets of its entries */
};

/* ---- A journal of two segments, the first one complete ----------------------- */

static size_t
body_len(uint64_t number)
{
	return number < SMALL ? RIG_BODY_MIN + number % 23 : BIG_LEN;
}

static void
append_numbered(struct rig *rig, uint64_t number)
{
	struct group *group = rig_group(rig);

	assert_true(rig_add(group, number, body_len(number)));
	journal_post(rig->journal, group);
	enum rc rc = rig_turn(rig);
	if (rc == RC_AGAIN) {
		assert_int_equal(rig_keep(rig), RC_OK);
		rc = rig_turn(rig);
	}
	assert_int_equal(rc, RC_OK);
	(void)rig_collect(rig);
}

static int
setup(void **state)
{
	struct spot *spot = xcalloc(1, sizeof(*spot));
	size_t at = JOURNAL_SEGMENT_HEADER;

	rig_begin(&spot->rig);
	for (uint64_t i = 0; i < ALL; i++) {
		append_numbered(&spot->rig, i);
		spot->begin[i] = at;
		at += JOURNAL_ENTRY_HEADER + body_len(i);
	}
	assert_int_equal(shelf_count(&spot->rig.journal->shelf), 2);
	assert_int_equal(fs_open(segment_0, FS_READ_WRITE, &spot->fd, &spot->rig.err), RC_OK);
	*state = spot;
	return 0;
}

static int
teardown(void **state)
{
	struct spot *spot = *state;

	fs_close(spot->fd);
	rig_fini(&spot->rig);
	free(spot);
	fs_fake_reset(0);
	return 0;
}

static void
put(struct spot *spot, size_t at, const void *bytes, size_t n)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};

	assert_int_equal(fs_write_at(spot->fd, &iov, 1, at, &spot->rig.err), RC_OK);
}

static void
get(struct spot *spot, size_t at, void *bytes, size_t n)
{
	size_t got;

	assert_int_equal(fs_read_at(spot->fd, bytes, n, at, &got, &spot->rig.err), RC_OK);
	assert_int_equal(got, n);
}

static void
zero(struct spot *spot, size_t at, size_t n)
{
	uint8_t *zeros = xcalloc(1, n);

	put(spot, at, zeros, n);
	free(zeros);
}

static void
flip(struct spot *spot, size_t bit)
{
	uint8_t byte;

	get(spot, bit / 8, &byte, 1);
	byte ^= (uint8_t)(1u << (bit % 8));
	put(spot, bit / 8, &byte, 1);
}

/* As after a restart: nothing is known of any damage. */
static void
forget_damage(struct rig *rig)
{
	rig->journal->damages.n = 0;
	rig->journal->damaged_regions = 0;
	rig->journal->damaged_bytes = 0;
}

static struct journal_stats
stats(struct rig *rig)
{
	struct journal_stats stats;

	journal_get_stats(rig->journal, &stats);
	return stats;
}

/* Reads on to durable; sets a mark for each entry.  Every one is right, they are in order. */
static void
read_on(struct rig *rig, struct journal_reader *reader, bool seen[ALL])
{
	struct journal_entry entry;
	uint64_t last = 0;
	enum rc rc;

	memset(seen, 0, ALL * sizeof(seen[0]));
	while ((rc = journal_read(reader, &entry, &rig->err)) == RC_OK) {
		uint64_t number = rig_check_entry(&entry);

		assert_true(number < ALL && number >= last && !seen[number]);
		seen[number] = true;
		last = number;
	}
	if (rc != RC_AGAIN)
		fail_msg("%s", rig->err.msg);
	assert_int_equal(journal_reader_position(reader), journal_durable(rig->journal));
}

static void
read_from(struct rig *rig, uint64_t from, bool seen[ALL])
{
	struct journal_reader *reader;

	if (journal_reader_new(&reader, rig->journal, from, &rig->err) != RC_OK)
		fail_msg("%s", rig->err.msg);
	read_on(rig, reader, seen);
	journal_reader_free(&reader);
}

/* All were seen but those from `first` to `last`. */
static void
assert_missing(const bool seen[ALL], uint64_t first, uint64_t last)
{
	for (uint64_t i = 0; i < ALL; i++) {
		if (seen[i] != (i < first || i > last))
			fail_msg("entry %llu was %sseen", (unsigned long long)i,
				 seen[i] ? "" : "not ");
	}
}

/* ---- Bits ------------------------------------------------------------------- */

static void
test_every_bit_of_an_old_segment(void **state)
{
	struct spot *spot = *state;
	bool seen[ALL];

	for (uint64_t i = 0; i < SMALL; i++) {
		for (size_t bit = 8 * spot->begin[i]; bit < 8 * spot->begin[i + 1]; bit++) {
			forget_damage(&spot->rig);
			flip(spot, bit);
			read_from(&spot->rig, 0, seen);
			assert_missing(seen, i, i);
			assert_int_equal(stats(&spot->rig).damaged_regions, 1);
			assert_int_equal(stats(&spot->rig).damaged_bytes,
					 spot->begin[i + 1] - spot->begin[i]);
			flip(spot, bit);
		}
	}
}

/* The segment's last entry: only the next segment's header proves where it ends. */
static void
test_bits_of_the_last_entry(void **state)
{
	struct spot *spot = *state;
	uint64_t last = SMALL + BIG - 2;
	bool seen[ALL];

	for (size_t bit = 0; bit < 8 * 64; bit++) {
		forget_damage(&spot->rig);
		flip(spot, 8 * spot->begin[last] + bit);
		read_from(&spot->rig, 0, seen);
		assert_missing(seen, last, last);
		flip(spot, 8 * spot->begin[last] + bit);
	}
}

/* ---- What is saved ------------------------------------------------------------ */

static void
assert_saved(struct spot *spot, uint64_t number, unsigned files)
{
	size_t n, bytes = spot->begin[number + 1] - spot->begin[number];
	uint8_t there[128];

	for (unsigned i = 0; i <= files; i++) {
		char *path = xasprintf(
			"j/damaged/%016llx.%u",
			(unsigned long long)(spot->begin[number] - JOURNAL_SEGMENT_HEADER), i);
		uint8_t *saved = fs_fake_get(path, &n);

		free(path);
		assert_int_equal(saved != NULL, i < files);
		if (!saved)
			break;
		assert_int_equal(n, bytes);
		get(spot, spot->begin[number], there, bytes);
		assert_memory_equal(saved, there, bytes);
		free(saved);
	}
}

static void
test_saved_once_and_durably(void **state)
{
	struct spot *spot = *state;
	struct rig *rig = &spot->rig;
	bool seen[ALL];

	flip(spot, 8 * (spot->begin[SEARCHED] + JOURNAL_ENTRY_HEADER));
	read_from(rig, 0, seen);
	read_from(rig, 0, seen);
	assert_int_equal(stats(rig).damaged_regions, 1);
	assert_saved(spot, SEARCHED, 1);
	/* a later run says so again, and finds the file */
	rig_reopen(rig);
	read_from(rig, 0, seen);
	assert_missing(seen, SEARCHED, SEARCHED);
	assert_int_equal(stats(rig).damaged_regions, 1);
	assert_saved(spot, SEARCHED, 1);
	/* also when the power fails right then; the flip itself was never synced here */
	assert_int_equal(fs_datasync(spot->fd, &rig->err), RC_OK);
	journal_close(&rig->journal);
	fs_fake_power_on();
	assert_int_equal(fs_open(segment_0, FS_READ_WRITE, &spot->fd, &rig->err), RC_OK);
	assert_saved(spot, SEARCHED, 1);
	rig_open(rig);
}

static void
test_goes_on_when_it_cant_be_saved(void **state)
{
	struct spot *spot = *state;
	bool seen[ALL];

	flip(spot, 8 * (spot->begin[SEARCHED] + JOURNAL_ENTRY_HEADER));
	fs_fake_set_space(0);
	read_from(&spot->rig, 0, seen);
	assert_missing(seen, SEARCHED, SEARCHED);
	assert_int_equal(stats(&spot->rig).damaged_regions, 1);
}

/* ---- More than a bit ---------------------------------------------------------- */

/* Sectors of zeros, over several entries: lost are those that were hit, and at most the
 * one behind, which nothing proves. */
static void
test_zeroed_sectors(void **state)
{
	struct spot *spot = *state;
	uint8_t before[512];
	bool seen[ALL];

	for (size_t at = 512; at + 512 < spot->begin[SMALL]; at += 100) {
		uint64_t first = 0, last;

		while (spot->begin[first + 1] <= at)
			first++;
		for (last = first; spot->begin[last + 1] < at + 512;)
			last++;
		get(spot, at, before, sizeof(before));
		zero(spot, at, sizeof(before));
		forget_damage(&spot->rig);
		read_from(&spot->rig, 0, seen);
		if (!seen[last + 1])
			last++;
		assert_missing(seen, first, last);
		put(spot, at, before, sizeof(before));
	}
}

static void
test_two_spots_in_one_segment(void **state)
{
	struct spot *spot = *state;
	bool seen[ALL];

	/* next to each other, and with a good one in between */
	for (uint64_t apart = 1; apart < 4; apart++) {
		size_t one = 8 * (spot->begin[SEARCHED] + JOURNAL_ENTRY_HEADER + 3);
		size_t two = 8 * (spot->begin[SEARCHED + apart] + JOURNAL_ENTRY_HEADER + 3);

		forget_damage(&spot->rig);
		flip(spot, one);
		flip(spot, two);
		read_from(&spot->rig, 0, seen);
		assert_false(seen[SEARCHED]);
		assert_false(seen[SEARCHED + apart]);
		for (uint64_t i = 0; i < ALL; i++)
			assert_true(seen[i] || (i >= SEARCHED && i <= SEARCHED + apart + 1));
		flip(spot, one);
		flip(spot, two);
	}
}

static void
test_nothing_left_of_a_segments_end(void **state)
{
	struct spot *spot = *state;
	bool seen[ALL];

	zero(spot, spot->begin[SEARCHED], RIG_SEGMENT_BYTES - spot->begin[SEARCHED]);
	read_from(&spot->rig, 0, seen);
	assert_missing(seen, SEARCHED, ALL - 2);
	assert_int_equal(stats(&spot->rig).damaged_regions, 1);
	assert_false(fs_fake_exists("j/damaged/0000000000000000.0"));
}

/* ---- A sender's own bytes ------------------------------------------------------ */

/* A body that is a chain of entries in itself, and a container whose header is gone. */
static void
test_forged_chain_is_not_taken(void **state)
{
	struct spot *spot = *state;
	uint64_t victim = SMALL + 2;
	size_t at = 1000, step = JOURNAL_ENTRY_HEADER + 500;
	uint8_t *body = xcalloc(1, BIG_LEN), *kept = xcalloc(1, BIG_LEN + 12);
	uint32_t crc = 4711;
	bool seen[ALL];

	while (at + step <= BIG_LEN) {
		format_put_entry(body + at, rig_type(3), 0,
				 (uint32_t)(step - JOURNAL_ENTRY_HEADER));
		rig_fill_body(body + at + JOURNAL_ENTRY_HEADER, step - JOURNAL_ENTRY_HEADER, 3);
		crc = format_seal_entry(body + at, crc);
		at += step;
	}
	get(spot, spot->begin[victim], kept, BIG_LEN + 12);
	zero(spot, spot->begin[victim], JOURNAL_ENTRY_HEADER);
	put(spot, spot->begin[victim] + JOURNAL_ENTRY_HEADER, body, BIG_LEN);
	read_from(&spot->rig, 0, seen);
	/* the one behind is only there as the proof of the one behind that */
	assert_missing(seen, victim, victim + 1);
	free(body);
	free(kept);
}

/* ---- Beginning to read near it ---------------------------------------------------- */

static void
test_beginning_around_a_damaged_entry(void **state)
{
	struct spot *spot = *state;
	struct rig *rig = &spot->rig;
	struct journal_reader *reader;
	bool seen[ALL];

	flip(spot, 8 * (spot->begin[SEARCHED] + JOURNAL_ENTRY_HEADER));
	for (uint64_t i = SEARCHED - 1; i <= SEARCHED + 2; i++) {
		read_from(rig, spot->begin[i] - JOURNAL_SEGMENT_HEADER, seen);
		for (uint64_t k = 0; k < ALL; k++)
			assert_int_equal(seen[k], k >= i && k != SEARCHED);
	}
	/* no entry ever began there */
	assert_int_equal(journal_reader_new(&reader, rig->journal,
					    spot->begin[SEARCHED + 2] - JOURNAL_SEGMENT_HEADER + 1,
					    &rig->err),
			 RC_INVALID);
}

/* ---- In the segment that is being written ------------------------------------------- */

static void
test_in_the_tail_of_a_running_journal(void **state)
{
	struct spot *spot = *state;
	struct rig *rig = &spot->rig;
	struct journal_reader *reader;
	bool seen[ALL];
	size_t n;

	assert_int_equal(journal_reader_new(&reader, rig->journal, 0, &rig->err), RC_OK);
	/* three more behind the last one, and a bit of the first of the three */
	uint64_t from = journal_durable(rig->journal);
	rig_append(rig, 1, 3, 100);
	uint8_t *bytes = fs_fake_get("j/00000000000ffe00.seg", &n);
	uint8_t byte = bytes[from - 0xffe00 + 512 + 50] ^ 4;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	assert_int_equal(
		fs_write_at(rig->journal->tail.fd, &iov, 1, from - 0xffe00 + 512 + 50, &rig->err),
		RC_OK);
	free(bytes);
	journal_reader_free(&reader);
	assert_int_equal(journal_reader_new(&reader, rig->journal, from, &rig->err), RC_OK);
	read_on(rig, reader, seen);
	journal_reader_free(&reader);
	assert_true(!seen[1] && seen[2] && seen[3]);
}

/* ---- Recovery ---------------------------------------------------------------------- */

/* One segment of SMALL entries, of which `SEARCHED` has a bit turned. */
static void
damage_the_last_segment(struct rig *rig)
{
	size_t n, at = JOURNAL_SEGMENT_HEADER;

	journal_close(&rig->journal);
	fs_fake_reset(1);
	assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
	rig_open(rig);
	for (uint64_t i = 0; i < SMALL; i++)
		append_numbered(rig, i);
	for (uint64_t i = 0; i < SEARCHED; i++)
		at += JOURNAL_ENTRY_HEADER + body_len(i);
	uint8_t *bytes = fs_fake_get(segment_0, &n);
	bytes[at + JOURNAL_ENTRY_HEADER] ^= 1;
	fs_fake_put(segment_0, bytes, n);
	free(bytes);
}

static void
test_recovery_with_a_proof_goes_on_behind_it(void **state)
{
	struct spot *spot = *state;
	struct rig *rig = &spot->rig;
	struct journal_proof proof;
	bool seen[ALL];

	damage_the_last_segment(rig);
	uint64_t end = journal_durable(rig->journal);
	journal_id(rig->journal, proof.id);
	for (unsigned i = 0; i < 2; i++) { /* the second time, what the first one wrote */
		proof.position = end;
		rig->conf.proof = &proof;
		rig_reopen(rig);
		assert_int_equal(rig->recovery.end, end);
		assert_int_equal(rig->recovery.dropped_bytes, 0);
		assert_int_equal(stats(rig).damaged_regions, 1);
		read_from(rig, 0, seen);
		for (uint64_t k = 0; k < SMALL; k++)
			assert_int_equal(seen[k], k != SEARCHED);
	}
	append_numbered(rig, SMALL);
	read_from(rig, 0, seen);
	assert_true(seen[SMALL] && !seen[SEARCHED]);
	spot->fd = -1; /* gone with the disk that it was of */
}

static void
test_recovery_without_a_proof_keeps_the_prefix(void **state)
{
	struct spot *spot = *state;
	struct rig *rig = &spot->rig;

	damage_the_last_segment(rig);
	rig_reopen(rig);
	assert_int_equal(rig->recovery.entries, SEARCHED);
	assert_true(rig->recovery.dropped_bytes > 0);
	assert_int_equal(rig_read(rig, 0, 0), SEARCHED);
	spot->fd = -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_bit_of_an_old_segment),
		TEST(test_bits_of_the_last_entry),
		TEST(test_saved_once_and_durably),
		TEST(test_goes_on_when_it_cant_be_saved),
		TEST(test_zeroed_sectors),
		TEST(test_two_spots_in_one_segment),
		TEST(test_nothing_left_of_a_segments_end),
		TEST(test_forged_chain_is_not_taken),
		TEST(test_beginning_around_a_damaged_entry),
		TEST(test_in_the_tail_of_a_running_journal),
		TEST(test_recovery_with_a_proof_goes_on_behind_it),
		TEST(test_recovery_without_a_proof_keeps_the_prefix),
	};

	/* each spot is reported by the journal, which is right and not wanted here */
	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
