/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal that lost its end: by a deleted file, by a restored older copy, by a file
 * system that isn't mounted.  Refused as long as nobody accepts it, and then no position
 * is given away twice.
 *
 * Protections tested: check_loss(), go_on_behind_loss() and the header's lost_bytes.  Seen
 * to fail with check_loss() returning RC_OK, and with a loss_step_bytes of 0.
 */
#include "disk_rig.h"

static const char segment_1[] = "j/00000000000ffe00.seg";
static const char segment_2[] = "j/00000000001ffc00.seg";

struct loss {
	struct rig rig;
	struct journal_proof proof; /* of all 40 entries */
};

/* Three segments of 17 big entries: 0 .. 16, 17 .. 33, 34 .. 39. */
static int
setup(void **state)
{
	struct loss *loss = xcalloc(1, sizeof(*loss));
	struct rig *rig = &loss->rig;

	rig_begin(rig);
	rig_append(rig, 0, 40, 60000);
	loss->proof.position = journal_durable(rig->journal);
	journal_id(rig->journal, loss->proof.id);
	rig->conf.proof = &loss->proof;
	*state = loss;
	return 0;
}

static int
teardown(void **state)
{
	struct loss *loss = *state;

	rig_end(&loss->rig);
	free(loss);
	return 0;
}

static void
assert_refused(struct rig *rig, const char *why)
{
	journal_close(&rig->journal);
	rig->conf.accept_loss = false;
	assert_int_equal(rig_try_open(rig), RC_INVALID);
	assert_true(rig->recovery.lost || strcmp(why, "is missing") == 0);
	if (!strstr(rig->err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", rig->err.msg, why);
}

/* Goes on far behind everything, once; entries from there on are numbered from `number`. */
static void
assert_accepted(struct rig *rig, const struct journal_proof *proof, uint64_t number)
{
	struct journal_proof again;

	rig->conf.accept_loss = true;
	rig_open(rig);
	assert_true(rig->recovery.lost);
	uint64_t begin = journal_durable(rig->journal);
	assert_true(begin > proof->position + ((uint64_t)1 << 39));
	rig_append(rig, number, 20, 60000);
	/* and from then on it is a journal like any other */
	again.position = journal_durable(rig->journal);
	journal_id(rig->journal, again.id);
	rig->conf.accept_loss = false;
	rig->conf.proof = &again;
	rig_reopen(rig);
	assert_false(rig->recovery.lost);
	assert_int_equal(journal_durable(rig->journal), again.position);
	assert_int_equal(rig_read(rig, begin, number), 20);
}

static void
test_nothing_lost_is_no_loss(void **state)
{
	struct loss *loss = *state;

	rig_reopen(&loss->rig);
	assert_false(loss->rig.recovery.lost);
	loss->proof.position -= 2 * 60012; /* a proof is always a little behind */
	rig_reopen(&loss->rig);
	assert_int_equal(rig_read(&loss->rig, 0, 0), 40);
}

static void
test_last_segment_is_gone(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;

	fs_fake_remove(segment_2);
	assert_refused(rig, "and was durable up to");
	/* nothing was changed: put back, it is whole */
	assert_refused(rig, "and was durable up to");
	assert_accepted(rig, &loss->proof, 34);
	/* what was read up to the loss goes on behind it, wherever in it one was */
	assert_int_equal(rig_read(rig, 0, 0), 34 + 20);
	assert_int_equal(rig_read(rig, loss->proof.position, 34), 20);
	assert_int_equal(rig_read(rig, 0x1ffc00 - 1, 34), 20);
}

static void
test_put_back_after_a_refusal(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;

	fs_fake_move(segment_2, "elsewhere");
	assert_refused(rig, "its end is missing");
	fs_fake_move("elsewhere", segment_2);
	rig_open(rig);
	assert_int_equal(rig_read(rig, 0, 0), 40);
}

/* The last segment as it was some entries ago. */
static void
test_older_copy_of_the_last_segment(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;
	size_t n, old = JOURNAL_SEGMENT_HEADER + 3 * 60012;

	uint8_t *bytes = fs_fake_get(segment_2, &n);
	memset(bytes + old, 0, n - old);
	fs_fake_put(segment_2, bytes, n);
	assert_refused(rig, "an older copy was restored");
	assert_accepted(rig, &loss->proof, 37);
	assert_int_equal(rig_read(rig, 0, 0), 37 + 20);
	assert_int_equal(rig_read(rig, loss->proof.position, 37), 20);
	free(bytes);
}

static void
test_empty_folder(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;

	journal_close(&rig->journal);
	fs_fake_reset(2);
	assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
	assert_refused(rig, "is its file system mounted?");
	assert_accepted(rig, &loss->proof, 0);
	assert_true(journal_first(rig->journal) > loss->proof.position);
}

static void
test_another_journal(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;

	journal_close(&rig->journal);
	fs_fake_reset(2);
	assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
	rig->conf.proof = NULL;
	rig_open(rig);
	rig_append(rig, 0, 3, 100);
	rig->conf.proof = &loss->proof;
	assert_refused(rig, "not the one that was here before");
	assert_accepted(rig, &loss->proof, 3);
	assert_int_equal(rig_read(rig, 0, 0), 23);
}

/* An accepted loss is no licence for holes: not one segment more may be missing. */
static void
test_missing_segment_is_refused_also_then(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;

	fs_fake_remove(segment_2);
	journal_close(&rig->journal);
	assert_accepted(rig, &loss->proof, 34);
	fs_fake_remove(segment_1);
	rig->conf.proof = NULL;
	assert_refused(rig, "is missing");
	rig->conf.accept_loss = true;
	assert_int_equal(rig_try_open(rig), RC_INVALID);
}

/* Retention passes over it like over any border. */
static void
test_segments_before_the_loss_are_unlinked(void **state)
{
	struct loss *loss = *state;
	struct rig *rig = &loss->rig;

	fs_fake_remove(segment_2);
	journal_close(&rig->journal);
	assert_accepted(rig, &loss->proof, 34);
	for (unsigned i = 0; i < 4; i++) {
		rig->now_ms += 10 * rig->conf.retain_ms;
		assert_int_equal(rig_keep(rig), RC_OK);
	}
	assert_true(journal_first(rig->journal) > loss->proof.position);
	assert_false(fs_fake_exists(segment_1));
	rig->conf.proof = NULL;
	rig_reopen(rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_lost_is_no_loss),
		TEST(test_last_segment_is_gone),
		TEST(test_put_back_after_a_refusal),
		TEST(test_older_copy_of_the_last_segment),
		TEST(test_empty_folder),
		TEST(test_another_journal),
		TEST(test_missing_segment_is_refused_also_then),
		TEST(test_segments_before_the_loss_are_unlinked),
	};

	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
