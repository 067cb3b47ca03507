/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups, appending, rolling, retention, and what happens when the disk is full
 * or broken.  On the simulated disk, round by round, without threads.
 */
#include "disk_rig.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* Makes the disk so small that there is room for `segments` more. */
static void
leave_space(uint64_t segments)
{
	fs_fake_set_space(fs_fake_used() + segments * RIG_SEGMENT_BYTES + 64 * 1024);
}

/* ---- Format --------------------------------------------------------------- */

/* RFC 3720 B.4, and the value that every catalogue of CRCs has for CRC-32C */
static void
test_crc32c_is_castagnoli(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8A9136AA);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xE3069283);
}

static void
test_group_is_bounded(void **state)
{
	struct rig *rig = *state;
	size_t least = (size_t)JOURNAL_ENTRY_HEADER + JOURNAL_BODY_MAX;
	struct group *group = group_new(least, &rig->box, rig);

	assert_non_null(group_add(group, 1, 0, JOURNAL_BODY_MAX));
	assert_int_equal(group->len, least);
	assert_null(group_add(group, 1, 0, 0));
	assert_int_equal(group->entries, 1);
	group_clear(group);
	assert_non_null(group_add(group, 1, 0, JOURNAL_BODY_MAX - JOURNAL_ENTRY_HEADER));
	assert_null(group_add(group, 1, 0, 1));
	assert_non_null(group_add(group, 1, 0, 0));
	assert_int_equal(group->entries, 2);
	group_free(&group);
	assert_null(group);
}

/* ---- Appending ------------------------------------------------------------ */

static void
test_round_trip(void **state)
{
	struct rig *rig = *state;
	struct group *a = rig_post(rig, 0, 5, 100), *b = rig_post(rig, 5, 0, 0),
		     *c = rig_post(rig, 5, 2, 1000);
	int kind = 4711;

	a->mail.kind = (unsigned)kind;
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_ptr_equal(mailbox_take_all(&rig->box), a);
	assert_ptr_equal(a->mail.next, b);
	assert_ptr_equal(b->mail.next, c);
	assert_null(c->mail.next);
	assert_int_equal(a->mail.kind, kind);
	assert_ptr_equal(a->owner, rig);
	assert_int_equal(a->begin, 0);
	assert_int_equal(a->end, 5 * 112);
	assert_int_equal(b->begin, a->end);
	assert_int_equal(b->end, a->end);
	assert_int_equal(c->end, a->end + 2 * 1012);
	assert_true(a->durable_us > 0);
	assert_int_equal(journal_durable(rig->journal), c->end);
	assert_int_equal(journal_appended(rig->journal), c->end);
	assert_int_equal(rig_read(rig, 0, 0), 7);
	assert_int_equal(rig_read(rig, a->end, 5), 2);
	group_free(&a);
	group_free(&b);
	group_free(&c);
}

static void
test_one_sync_for_all_that_waited(void **state)
{
	struct rig *rig = *state;
	struct journal_stats stats;

	for (uint64_t i = 0; i < 200; i++) /* more than one batch of vectors */
		(void)rig_post(rig, 3 * i, 3, 20);
	uint64_t ops = fs_fake_ops();
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_int_equal(rig_collect(rig), 200);
	/* 200 groups at 64 to a write, and the sync */
	assert_int_equal(fs_fake_ops() - ops, 4 + 1);
	journal_get_stats(rig->journal, &stats);
	assert_int_equal(stats.entries, 600);
	assert_int_equal(stats.groups, 200);
	assert_int_equal(stats.syncs, 1);
	assert_int_equal(stats.bytes, 600 * (12 + 20));
	assert_int_equal(stats.groups_waiting, 0);
	assert_int_equal(stats.paused_ms, 0);
	/* nothing new: nothing to sync */
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_int_equal(fs_fake_ops() - ops, 4 + 1);
}

struct witness {
	struct rig *rig;
	uint64_t durable;
	unsigned calls;
};

static void
see_nothing_yet(void *arg)
{
	struct witness *witness = arg;

	assert_null(mailbox_take_all(&witness->rig->box));
	assert_int_equal(journal_durable(witness->rig->journal), witness->durable);
	witness->calls++;
}

/* The promise of the whole project. */
static void
test_nothing_is_said_before_the_sync_returned(void **state)
{
	struct rig *rig = *state;
	struct witness witness = {.rig = rig};

	fs_fake_on_sync(see_nothing_yet, &witness);
	for (uint64_t i = 0; i < 20; i++) {
		witness.durable = journal_durable(rig->journal);
		(void)rig_post(rig, i, 1, 50);
		assert_int_equal(rig_turn(rig), RC_OK);
		assert_int_equal(witness.calls, i + 1);
		assert_int_equal(rig_collect(rig), 1);
		assert_true(journal_durable(rig->journal) > witness.durable);
	}
}

/* ---- Rolling -------------------------------------------------------------- */

/* One group that needs three segments comes back when all of it is durable. */
static void
test_group_over_segments(void **state)
{
	struct rig *rig = *state;
	size_t body = 60000, n = 40;
	struct group *group = group_new(n * (body + 12), &rig->box, rig);

	rig->conf.spare_segments = 3;
	rig_reopen(rig);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rig_keep(rig), RC_OK);
	for (uint64_t i = 0; i < n; i++)
		assert_true(rig_add(group, i, body));
	journal_post(rig->journal, group);
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_ptr_equal(mailbox_take_all(&rig->box), group);
	assert_int_equal(shelf_count(&rig->journal->shelf), 3);
	/* 17 entries of 60,012 bytes fit into a segment: the rest of it is skipped */
	uint64_t capacity = RIG_SEGMENT_BYTES - JOURNAL_SEGMENT_HEADER;
	assert_int_equal(group->begin, 0);
	assert_int_equal(group->end, 2 * capacity + 6 * (body + 12));
	group_free(&group);
	assert_int_equal(rig_read(rig, 0, 0), n);
	rig_reopen(rig);
	assert_int_equal(rig->recovery.segments, 3);
	assert_int_equal(rig->recovery.entries, 6);
	assert_int_equal(rig_read(rig, 0, 0), n);
}

/* The position behind the last entry of a segment is as good as the next one's beginning. */
static void
test_reader_may_begin_in_the_skipped_rest(void **state)
{
	struct rig *rig = *state;
	uint64_t capacity = RIG_SEGMENT_BYTES - JOURNAL_SEGMENT_HEADER;
	struct journal_reader *reader;

	rig_append(rig, 0, 20, 60000);
	uint64_t last = 17 * 60012;
	assert_int_equal(rig_read(rig, last, 17), 3);
	assert_int_equal(rig_read(rig, capacity, 17), 3);
	assert_int_equal(journal_reader_new(&reader, rig->journal, last + 1, &rig->err),
			 RC_INVALID);
	assert_null(reader);
	assert_int_equal(journal_reader_new(&reader, rig->journal, 5, &rig->err), RC_INVALID);
	assert_int_equal(journal_reader_new(&reader, rig->journal,
					    journal_durable(rig->journal) + 1, &rig->err),
			 RC_INVALID);
	assert_int_equal(rig_read(rig, journal_durable(rig->journal), 20), 0);
}

/* Entries that fill a segment to its last byte. */
static void
test_segment_filled_exactly(void **state)
{
	struct rig *rig = *state;
	size_t capacity = RIG_SEGMENT_BYTES - JOURNAL_SEGMENT_HEADER;

	rig_append(rig, 0, 16, 60000);
	rig_append(rig, 16, 1, capacity - 16 * 60012 - 50000 - 2 * 12);
	rig_append(rig, 17, 1, 50000);
	assert_int_equal(journal_durable(rig->journal), capacity);
	assert_int_equal(shelf_count(&rig->journal->shelf), 1);
	assert_int_equal(rig_read(rig, 0, 0), 18);
	rig_reopen(rig);
	assert_int_equal(rig->recovery.end, capacity);
	assert_int_equal(rig->recovery.entries, 18);
	rig_append(rig, 18, 1, 100);
	assert_int_equal(rig_read(rig, 0, 0), 19);
	assert_int_equal(rig_read(rig, capacity, 18), 1);
	rig_reopen(rig);
	assert_int_equal(rig_read(rig, 0, 0), 19);
}

static void
test_reader_follows_over_segments(void **state)
{
	struct rig *rig = *state;
	struct journal_reader *reader;
	struct journal_entry entry;
	uint64_t seen = 0;

	assert_int_equal(journal_reader_new(&reader, rig->journal, 0, &rig->err), RC_OK);
	for (uint64_t i = 0; i < 300; i++) {
		rig_append(rig, i, 1, 8 + (size_t)(i * 7919 % 30000));
		while (i % 3 == 0 && journal_read(reader, &entry, &rig->err) == RC_OK)
			assert_int_equal(rig_check_entry(&entry), seen++);
	}
	while (journal_read(reader, &entry, &rig->err) == RC_OK)
		assert_int_equal(rig_check_entry(&entry), seen++);
	assert_int_equal(seen, 300);
	assert_true(shelf_count(&rig->journal->shelf) >= 4);
	journal_reader_free(&reader);
}

/* ---- Retention ------------------------------------------------------------ */

static void
test_segments_stay_for_every_hold(void **state)
{
	struct rig *rig = *state;
	uint64_t capacity = RIG_SEGMENT_BYTES - JOURNAL_SEGMENT_HEADER;
	unsigned slow = journal_hold(rig->journal, "slow", 0);
	unsigned fast = journal_hold(rig->journal, "fast", 0);

	rig_append(rig, 0, 60, 60000); /* four segments of 17 */
	assert_int_equal(shelf_count(&rig->journal->shelf), 4);
	journal_hold_set(rig->journal, fast, journal_durable(rig->journal));
	rig->now_ms += 10 * rig->conf.retain_ms;
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(journal_first(rig->journal), 0);

	/* one byte before the end of the second segment: only the first is passed */
	journal_hold_set(rig->journal, slow, 2 * capacity - 1);
	assert_int_equal(rig_keep(rig), RC_OK);
	rig->now_ms += rig->conf.retain_ms - 1;
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(journal_first(rig->journal), 0);
	assert_true(fs_fake_exists("j/0000000000000000.seg"));
	rig->now_ms += 1;
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(journal_first(rig->journal), capacity);
	assert_false(fs_fake_exists("j/0000000000000000.seg"));
	assert_int_equal(rig_read(rig, capacity, 17), 43);

	/* what is not there any more can't be read; the rest starts again as it is */
	struct journal_reader *reader;
	assert_int_equal(journal_reader_new(&reader, rig->journal, 0, &rig->err), RC_INVALID);
	rig_reopen(rig);
	assert_int_equal(rig->recovery.first, capacity);
	assert_int_equal(rig->recovery.segments, 3);
	assert_int_equal(rig_read(rig, capacity, 17), 43);
}

/* A failover to a standby that lost commits: the follower goes back. */
static void
test_hold_that_goes_back_starts_the_time_again(void **state)
{
	struct rig *rig = *state;
	unsigned hold = journal_hold(rig->journal, "store", 0);

	rig_append(rig, 0, 30, 60000);
	journal_hold_set(rig->journal, hold, journal_durable(rig->journal));
	assert_int_equal(rig_keep(rig), RC_OK);
	rig->now_ms += rig->conf.retain_ms - 1;
	journal_hold_set(rig->journal, hold, 60012);
	assert_int_equal(rig_keep(rig), RC_OK);
	rig->now_ms += 10 * rig->conf.retain_ms;
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(journal_first(rig->journal), 0);
	assert_int_equal(rig_read(rig, 60012, 1), 29);
	journal_hold_set(rig->journal, hold, journal_durable(rig->journal));
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(journal_first(rig->journal), 0);
	rig->now_ms += rig->conf.retain_ms;
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_true(journal_first(rig->journal) > 0);
}

/* A younger segment is never gone before an older one. */
static void
test_segment_that_cannot_be_unlinked_stays_in_line(void **state)
{
	struct rig *rig = *state;

	rig_append(rig, 0, 60, 60000);
	assert_int_equal(rig_keep(rig), RC_OK);
	rig->now_ms += 10 * rig->conf.retain_ms;
	fs_fake_fail_in(1, EPERM);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(shelf_count(&rig->journal->shelf), 4);
	rig_reopen(rig);
	assert_int_equal(rig_read(rig, 0, 0), 60);
}

/* ---- Want of space -------------------------------------------------------- */

static void
test_full_disk_holds_back_and_goes_on(void **state)
{
	struct rig *rig = *state;
	struct journal_stats stats;

	assert_int_equal(rig_keep(rig), RC_OK);
	leave_space(0);
	/* the tail and the spare hold 17 each: two of the 36 have to wait */
	for (uint64_t i = 0; i < 12; i++)
		(void)rig_post(rig, 3 * i, 3, 60000);
	rig->now_ms = clock_mono_ms();
	assert_int_equal(rig_turn(rig), RC_AGAIN);
	assert_int_equal(rig_keep(rig), RC_AGAIN);
	assert_int_equal(rig_turn(rig), RC_AGAIN);
	assert_int_equal(rig_collect(rig), 11);
	assert_int_equal(rig_read(rig, 0, 0), 34);
	journal_get_stats(rig->journal, &stats);
	assert_true(stats.paused_ms > 0);
	assert_int_equal(stats.groups_waiting, 1);

	leave_space(1);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_int_equal(rig_collect(rig), 1);
	assert_int_equal(rig_read(rig, 0, 0), 36);
	journal_get_stats(rig->journal, &stats);
	assert_int_equal(stats.paused_ms, 0);
	assert_int_equal(stats.groups_waiting, 0);
}

static void
test_free_space_is_left_to_others(void **state)
{
	struct rig *rig = *state;

	rig->conf.free_min_bytes = 10 * RIG_SEGMENT_BYTES;
	rig_reopen(rig);
	fs_fake_set_space(fs_fake_used() + 11 * RIG_SEGMENT_BYTES - 1);
	assert_int_equal(rig_keep(rig), RC_AGAIN);
	assert_non_null(strstr(rig->err.msg, "not enough space"));
	fs_fake_set_space(fs_fake_used() + 11 * RIG_SEGMENT_BYTES);
	assert_int_equal(rig_keep(rig), RC_OK);
}

/* The last spare is for what can't wait: the journal says so, takes what comes, and
 * says that it is over only when there is another spare beside it. */
static void
test_last_spare_is_the_reserve(void **state)
{
	struct rig *rig = *state;

	rig->conf.spare_segments = 2;
	rig_reopen(rig);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(rig_keep(rig), RC_OK);
	leave_space(0);
	rig_append(rig, 0, 17, 60000);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_false(journal_is_short(rig->journal));

	rig_append(rig, 17, 17, 60000);
	assert_int_equal(rig_keep(rig), RC_AGAIN);
	assert_true(journal_is_short(rig->journal));
	rig_append(rig, 34, 1, 60000);
	assert_int_equal(rig_read(rig, 0, 0), 35);

	leave_space(1);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(rig_keep(rig), RC_AGAIN);
	assert_true(journal_is_short(rig->journal));
	leave_space(1);
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_false(journal_is_short(rig->journal));
}

/* A segment that could not get its name for want of space is tried again. */
static void
test_spare_is_kept_when_its_turn_fails(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_keep(rig), RC_OK);
	rig_append(rig, 0, 17, 60000);
	(void)rig_post(rig, 17, 1, 60000);
	/* the header, its sync, the new name */
	fs_fake_fail_in(3, ENOSPC);
	assert_int_equal(rig_turn(rig), RC_AGAIN);
	assert_int_equal(rig_collect(rig), 0);
	assert_int_equal(rig_turn(rig), RC_OK);
	assert_int_equal(rig_collect(rig), 1);
	assert_int_equal(rig_read(rig, 0, 0), 18);
}

/* Every operation of a run with several segments fails once with ENOSPC: where
 * it isn't a sync the journal waits and goes on, and loses nothing either way. */
static void
test_enospc_at_every_operation(void **state)
{
	struct rig *rig = *state;
	unsigned failed = 0, waited = 0;

	for (uint64_t n = 1; n < 60; n++) {
		struct group *groups[20];
		unsigned rounds = 0, back = 0;
		enum rc rc = RC_OK;

		journal_close(&rig->journal);
		fs_fake_reset(n);
		assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
		rig_open(rig);
		for (uint64_t i = 0; i < 20; i++)
			groups[i] = rig_post(rig, 3 * i, 3, 60000);
		fs_fake_fail_in(n, ENOSPC);
		while (rc != RC_FAIL && back < 20 && rounds++ < 200) {
			enum rc keep_rc = rig_keep(rig);

			rc = keep_rc == RC_FAIL ? keep_rc : rig_turn(rig);
			for (struct mail *mail = mailbox_take_all(&rig->box); mail;
			     mail = mail->next)
				back++;
			waited += rc == RC_AGAIN || keep_rc == RC_AGAIN;
		}
		failed += rc == RC_FAIL;
		assert_true(back == 20 || rc == RC_FAIL);
		assert_int_equal(fs_fake_resyncs(), 0);
		fs_fake_fail_in(0, 0);
		rig_reopen(rig);
		assert_true(rig_read(rig, 0, 0) >= 3 * back);
		for (unsigned i = 0; i < 20; i++)
			group_free(&groups[i]);
	}
	assert_true(failed > 5); /* syncs are among them ... */
	assert_true(waited > 5); /* ... and other things */
}

/* ---- A broken disk -------------------------------------------------------- */

static void
test_failed_sync_is_the_end(void **state)
{
	struct rig *rig = *state;

	rig_append(rig, 0, 10, 100);
	uint64_t durable = journal_durable(rig->journal);
	struct group *group = rig_post(rig, 10, 1, 100);
	fs_fake_fail_sync_in(1, EIO);
	assert_int_equal(rig_turn(rig), RC_FAIL);
	assert_non_null(strstr(rig->err.msg, "0000000000000000.seg"));
	assert_int_equal(rig_collect(rig), 0);
	assert_int_equal(journal_durable(rig->journal), durable);
	/* never again */
	uint64_t ops = fs_fake_ops();
	assert_int_equal(rig_turn(rig), RC_FAIL);
	assert_int_equal(fs_fake_ops(), ops);
	assert_int_equal(fs_fake_resyncs(), 0);
	assert_int_equal(rig_collect(rig), 0);
	group_free(&group);
}

static void
test_failed_write_is_the_end(void **state)
{
	struct rig *rig = *state;
	struct group *group = rig_post(rig, 0, 1, 100);

	fs_fake_fail_in(1, EIO);
	assert_int_equal(rig_turn(rig), RC_FAIL);
	assert_int_equal(rig_turn(rig), RC_FAIL);
	assert_int_equal(rig_collect(rig), 0);
	assert_int_equal(journal_durable(rig->journal), 0);
	group_free(&group);
}

/*
 * After a failed sync the kernel may hold pages for written that are on no disk:
 * what the next life reads, and builds on, has to be written again.
 */
static void
test_recovery_does_not_trust_the_cache_after_a_failed_sync(void **state)
{
	struct rig *rig = *state;

	/* with several dice, because a power loss may also take nothing */
	for (uint64_t seed = 1; seed <= 20; seed++) {
		journal_close(&rig->journal);
		fs_fake_reset(seed);
		assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
		rig_open(rig);
		struct group *group = rig_post(rig, 0, 1, 100);
		fs_fake_fail_sync_in(seed % 2, EIO);
		assert_int_equal(rig_turn(rig), seed % 2 ? RC_FAIL : RC_OK);
		assert_int_equal(rig_collect(rig), seed % 2 ? 0 : 1);
		if (seed % 2)
			group_free(&group);
		fs_fake_kill_process();
		rig_reopen(rig);
		assert_int_equal(rig->recovery.entries, 1);
		assert_int_equal(journal_durable(rig->journal), 112);
		journal_close(&rig->journal);
		fs_fake_power_on();
		rig_open(rig);
		assert_int_equal(rig_read(rig, 0, 0), 1);
	}
}

/* The whole daemon ends: nobody can go on by mistake. */
static void
test_failed_sync_ends_the_process(void **state)
{
	struct rig *rig = *state;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct group *group = rig_group(rig);

		log_setup(LOG_LEVEL_CRITICAL + 1, LOG_TARGET_STDERR);
		if (!rig_add(group, 0, 100) ||
		    journal_start(rig->journal, NULL, 0, &rig->err) != RC_OK)
			_exit(2);
		/* the keeper syncs too: whichever comes first is the end */
		fs_fake_fail_sync_in(1, EIO);
		journal_post(rig->journal, group);
		(void)mailbox_wait(&rig->box, -1);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static bool
count_rests(void *arg)
{
	++*(unsigned *)arg;
	return true;
}

/* Guards an append's sync against waiting behind a whole segment of zeros: seen to fail
 * with the 4 MiB that a step once had. */
static void
test_spare_is_filled_in_small_steps(void **state)
{
	enum { BYTES = 1024 * 1024 };
	struct rig *rig = *state;
	unsigned rests = 0;
	uint8_t *file;
	size_t n;

	assert_int_equal(spare_make(rig->conf.dir, 99, BYTES, count_rests, &rests, &rig->err),
			 RC_OK);
	assert_int_equal(rests, BYTES / (256 * 1024));
	file = fs_fake_get("j/00000063.spare", &n);
	assert_int_equal(n, BYTES);
	free(file);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c_is_castagnoli),
		ON_DISK(test_group_is_bounded),
		ON_DISK(test_round_trip),
		ON_DISK(test_one_sync_for_all_that_waited),
		ON_DISK(test_nothing_is_said_before_the_sync_returned),
		ON_DISK(test_group_over_segments),
		ON_DISK(test_reader_may_begin_in_the_skipped_rest),
		ON_DISK(test_segment_filled_exactly),
		ON_DISK(test_reader_follows_over_segments),
		ON_DISK(test_segments_stay_for_every_hold),
		ON_DISK(test_hold_that_goes_back_starts_the_time_again),
		ON_DISK(test_segment_that_cannot_be_unlinked_stays_in_line),
		ON_DISK(test_full_disk_holds_back_and_goes_on),
		ON_DISK(test_free_space_is_left_to_others),
		ON_DISK(test_last_spare_is_the_reserve),
		ON_DISK(test_spare_is_kept_when_its_turn_fails),
		ON_DISK(test_enospc_at_every_operation),
		ON_DISK(test_spare_is_filled_in_small_steps),
		ON_DISK(test_failed_sync_is_the_end),
		ON_DISK(test_failed_write_is_the_end),
		ON_DISK(test_failed_sync_ends_the_process),
		ON_DISK(test_recovery_does_not_trust_the_cache_after_a_failed_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
