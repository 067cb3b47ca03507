/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk must lose what it may lose and keep what was promised, or
 * every test that trusts in it says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "../../fake/fs_fake.h"
#include "base/fs.h"

enum { SEEDS = 300 };

static struct err err;

static int
create(const char *path)
{
	int fd;

	assert_int_equal(fs_open(path, FS_CREATE, &fd, &err), RC_OK);
	return fd;
}

static enum rc
write_text(int fd, const char *text, uint64_t offset)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};

	return fs_write_at(fd, &iov, 1, offset, &err);
}

/* Two sectors synced, two not; one file whose name was synced, one whose wasn't. */
static void
one_life(uint64_t seed)
{
	fs_fake_reset(seed);
	assert_int_equal(fs_make_dir("d", &err), RC_OK);
	int kept = create("d/kept");
	assert_int_equal(write_text(kept, "A", 0), RC_OK);
	assert_int_equal(write_text(kept, "B", 512), RC_OK);
	assert_int_equal(fs_datasync(kept, &err), RC_OK);
	assert_int_equal(fs_sync_dir("d", &err), RC_OK);
	assert_int_equal(write_text(kept, "b", 512), RC_OK);
	assert_int_equal(write_text(kept, "c", 1024), RC_OK);
	fs_close(create("d/fresh"));
	fs_fake_power_off_in(1);
	assert_int_equal(write_text(kept, "d", 1536), RC_FAIL);
	assert_int_equal(err.sys, EIO);
	assert_true(fs_fake_power_is_off());
	assert_int_equal(fs_datasync(kept, &err), RC_FAIL);
	fs_fake_power_on();
}

/* Each unsynced thing is sometimes there and sometimes not, each by itself. */
static void
test_power_takes_only_what_was_not_synced(void **state)
{
	unsigned outcomes[16] = {0}, seen = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		size_t n;

		one_life(seed);
		uint8_t *kept = fs_fake_get("d/kept", &n);
		assert_non_null(kept);
		assert_true(n >= 513);
		assert_int_equal(kept[0], 'A');
		assert_true(kept[512] == 'b' || kept[512] == 'B');
		/* all three sectors may survive, and only a size that survives shows the last */
		assert_true(n == 513 || n == 1537);
		outcomes[(kept[512] == 'b') | (n == 1537) << 1 |
			 (n == 1537 && kept[1024] == 'c') << 2 | fs_fake_exists("d/fresh") << 3]++;
		free(kept);
	}
	for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++)
		seen += outcomes[i] > 0;
	/* 4 dice, and the third can't fall without the second: 2 * 3 * 2 */
	assert_int_equal(seen, 12);
}

static void
test_killed_process_loses_nothing_but_its_locks(void **state)
{
	size_t n;
	int fd, again;

	(void)state;
	fs_fake_reset(1);
	assert_int_equal(fs_make_dir("d", &err), RC_OK);
	fd = create("d/x");
	assert_int_equal(fs_lock(fd, &err), RC_OK);
	assert_int_equal(write_text(fd, "hello", 0), RC_OK);
	assert_int_equal(fs_open("d/x", FS_READ, &again, &err), RC_OK);
	assert_int_equal(fs_lock(again, &err), RC_AGAIN);
	fs_fake_kill_process();
	assert_int_equal(fs_open("d/x", FS_READ, &again, &err), RC_OK);
	assert_int_equal(fs_lock(again, &err), RC_OK);
	uint8_t *bytes = fs_fake_get("d/x", &n);
	assert_int_equal(n, 5);
	assert_memory_equal(bytes, "hello", 5);
	free(bytes);
}

/* A rename that was not synced is there or not, and the file in one place. */
static void
test_rename_is_one_change(void **state)
{
	unsigned moved = 0, lost = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fs_fake_reset(seed);
		assert_int_equal(fs_make_dir("d", &err), RC_OK);
		fs_fake_put("d/a", "old", 3);
		fs_fake_power_off_in(3); /* sync of the file, rename, sync of the directory */
		assert_int_equal(fs_durable_rename("d", "a", "b", &err), RC_FAIL);
		fs_fake_power_on();
		assert_int_not_equal(fs_fake_exists("d/a"), fs_fake_exists("d/b"));
		moved += fs_fake_exists("d/b");
		lost += fs_fake_exists("d/a");
	}
	assert_true(moved > SEEDS / 10);
	assert_true(lost > SEEDS / 10);
}

/* After a failed sync the bytes look well, a second sync succeeds, and power shows the truth. */
static void
test_failed_sync_is_never_made_good(void **state)
{
	size_t n;
	int fd;

	(void)state;
	fs_fake_reset(1);
	assert_int_equal(fs_make_dir("d", &err), RC_OK);
	fs_fake_put("d/x", "old", 3);
	assert_int_equal(fs_open("d/x", FS_READ_WRITE, &fd, &err), RC_OK);
	assert_int_equal(write_text(fd, "new", 0), RC_OK);
	fs_fake_fail_sync_in(1, ENOSPC);
	assert_int_equal(fs_datasync(fd, &err), RC_FAIL);
	assert_int_equal(err.sys, EIO);
	assert_int_equal(fs_fake_resyncs(), 0);
	assert_int_equal(fs_datasync(fd, &err), RC_OK);
	assert_int_equal(fs_fake_resyncs(), 1);
	uint8_t *bytes = fs_fake_get("d/x", &n);
	assert_memory_equal(bytes, "new", 3);
	free(bytes);
	fs_fake_power_on();
	bytes = fs_fake_get("d/x", &n);
	assert_memory_equal(bytes, "old", 3);
	free(bytes);
}

static void
test_space_ends(void **state)
{
	uint64_t bytes;
	int fd;

	(void)state;
	fs_fake_reset(1);
	assert_int_equal(fs_make_dir("d", &err), RC_OK);
	fs_fake_set_space(1000);
	fd = create("d/x");
	assert_int_equal(fs_fill(fd, 0, 900, &err), RC_OK);
	assert_int_equal(fs_free_bytes("d", &bytes, &err), RC_OK);
	assert_int_equal(bytes, 100);
	assert_int_equal(fs_fill(fd, 0, 900, &err), RC_OK);
	assert_int_equal(fs_fill(fd, 900, 101, &err), RC_FAIL);
	assert_int_equal(err.sys, ENOSPC);
	assert_int_equal(fs_unlink("d/x", &err), RC_OK);
	assert_int_equal(fs_free_bytes("d", &bytes, &err), RC_OK);
	assert_int_equal(bytes, 1000);
}

/* The helpers that other rooms use: replaced as a whole or not at all. */
static void
test_replaced_file_is_old_or_new(void **state)
{
	uint8_t *bytes;
	size_t n;
	unsigned old = 0, new = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fs_fake_reset(seed);
		assert_int_equal(fs_make_dir("d", &err), RC_OK);
		assert_int_equal(fs_replace_file("d", "x", "old", 3, &err), RC_OK);
		fs_fake_power_off_in(1 + seed % 6);
		bool done = fs_replace_file("d", "x", "fresh", 5, &err) == RC_OK;
		fs_fake_power_on();
		assert_int_equal(fs_read_file("d/x", 10, &bytes, &n, &err), RC_OK);
		if (n == 5) {
			assert_memory_equal(bytes, "fresh", 5);
			new ++;
		} else {
			assert_false(done);
			assert_int_equal(n, 3);
			assert_memory_equal(bytes, "old", 3);
			old++;
		}
		free(bytes);
	}
	assert_true(old > SEEDS / 10);
	assert_true(new > SEEDS / 10);
	fs_fake_reset(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_takes_only_what_was_not_synced),
		cmocka_unit_test(test_killed_process_loses_nothing_but_its_locks),
		cmocka_unit_test(test_rename_is_one_change),
		cmocka_unit_test(test_failed_sync_is_never_made_good),
		cmocka_unit_test(test_space_ends),
		cmocka_unit_test(test_replaced_file_is_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
