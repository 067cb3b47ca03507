/* SPDX-License-Identifier: Apache-2.0 */
/* base/fs.c on a real file system, in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

struct place {
	char *dir;
	char *file; /* dir/file; does not exist at the beginning */
	struct err err;
};

static enum rc
remove_one(void *arg, const char *name)
{
	char *path = xasprintf("%s/%s", (const char *)arg, name);

	if (unlink(path) < 0)
		(void)rmdir(path);
	free(path);
	return RC_OK;
}

static int
setup(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));
	const char *tmp = getenv("TMPDIR");

	place->dir = xasprintf("%s/gatehouse-fs-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(place->dir));
	place->file = xasprintf("%s/file", place->dir);
	*state = place;
	return 0;
}

static int
teardown(void **state)
{
	struct place *place = *state;

	assert_int_equal(fs_list(place->dir, remove_one, place->dir, &place->err), RC_OK);
	assert_int_equal(rmdir(place->dir), 0);
	free(place->dir);
	free(place->file);
	free(place);
	return 0;
}

static int
create(struct place *place)
{
	int fd;

	assert_int_equal(fs_open(place->file, FS_CREATE, &fd, &place->err), RC_OK);
	return fd;
}

static void
test_open_modes(void **state)
{
	struct place *place = *state;
	struct stat st;
	int fd;

	assert_int_equal(fs_open(place->file, FS_READ, &fd, &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, ENOENT);
	assert_non_null(strstr(place->err.msg, "could not open file \""));
	assert_non_null(strstr(place->err.msg, place->file));
	assert_int_equal(fs_open(place->file, FS_READ_WRITE, &fd, &place->err), RC_FAIL);
	fs_close(create(place));
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* 0640 or less, by umask */
	assert_int_equal(fs_open(place->file, FS_CREATE, &fd, &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, EEXIST);
	assert_int_equal(unlink(place->file), 0);
	assert_int_equal(fs_open(place->file, FS_CREATE_KEY, &fd, &place->err), RC_OK);
	fs_close(fd);
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fs_close(-1);
}

static void
test_write_all_vectors(void **state)
{
	struct place *place = *state;
	enum { N = 3000 }; /* more than one call takes */
	struct iovec *iov = xcalloc(N, sizeof(*iov));
	char ab[] = "ab", cd[] = "cd";
	uint8_t got[N * 2];
	size_t n;
	int fd = create(place);

	for (int i = 0; i < N; i++)
		iov[i] = (struct iovec){.iov_base = i % 2 ? ab : cd, .iov_len = i % 3 ? 2 : 0};
	assert_int_equal(fs_write_at(fd, iov, N, 5, &place->err), RC_OK);
	assert_int_equal(fs_read_at(fd, got, sizeof(got), 5, &n, &place->err), RC_OK);
	assert_int_equal(n, N / 3 * 4);
	/* vectors 1, 2, 4, 5, 7, .. */
	assert_memory_equal(got, "abcdcdababcd", 12);
	assert_int_equal(fs_read_at(fd, got, 1, 100000, &n, &place->err), RC_OK);
	assert_int_equal(n, 0);
	fs_close(fd);
	free(iov);
}

/* A limit on file size gives short writes first and then none, as a full disk does. */
static void
test_short_write_goes_on_and_fails_in_the_end(void **state)
{
	struct place *place = *state;
	struct rlimit before, small = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
	uint8_t bytes[1500] = {0};
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	uint64_t size;
	int fd = create(place);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(fs_write_at(fd, &iov, 1, 0, &place->err), RC_FAIL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(place->err.sys, EFBIG);
	assert_int_equal(fs_size(fd, &size, &place->err), RC_OK);
	assert_int_equal(size, 1000);
	fs_close(fd);
}

static void
test_fill_is_written_zeros(void **state)
{
	struct place *place = *state;
	const uint64_t bytes = 3 * 1024 * 1024 + 77;
	char text[] = "xyz";
	struct iovec iov = {.iov_base = text, .iov_len = 3};
	struct stat st;
	uint8_t got[4];
	size_t n;
	int fd = create(place);

	assert_int_equal(fs_write_at(fd, &iov, 1, 0, &place->err), RC_OK);
	assert_int_equal(fs_fill(fd, 1, bytes, &place->err), RC_OK);
	assert_int_equal(fs_datasync(fd, &place->err), RC_OK);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, bytes + 1);
	assert_true((uint64_t)st.st_blocks * 512 >= bytes);
	assert_int_equal(fs_read_at(fd, got, 4, 0, &n, &place->err), RC_OK);
	assert_memory_equal(got, "x\0\0\0", 4);
	assert_int_equal(fs_truncate(fd, 2, &place->err), RC_OK);
	assert_int_equal(fs_read_at(fd, got, 4, 0, &n, &place->err), RC_OK);
	assert_int_equal(n, 2);
	fs_close(fd);
}

/* A sync that can't work: of a pipe.  Whatever it was, it isn't "try again". */
static void
test_failed_sync(void **state)
{
	struct place *place = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fs_datasync(fds[1], &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, EIO);
	assert_non_null(strstr(place->err.msg, "could not sync file: Invalid argument"));
	assert_int_equal(fs_sync_dir("/nowhere/at/all", &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, ENOENT);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void
test_rename_and_unlink(void **state)
{
	struct place *place = *state;
	char *other = xasprintf("%s/other", place->dir);

	fs_close(create(place));
	assert_int_equal(fs_durable_rename(place->dir, "file", "other", &place->err), RC_OK);
	assert_int_equal(access(place->file, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(fs_durable_rename(place->dir, "file", "other", &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, ENOENT);
	assert_int_equal(fs_unlink(other, &place->err), RC_OK);
	assert_int_equal(fs_unlink(other, &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, ENOENT);
	free(other);
}

static void
test_make_dir(void **state)
{
	struct place *place = *state;
	char *sub = xasprintf("%s/sub", place->dir);

	assert_int_equal(fs_make_dir(sub, &place->err), RC_OK);
	assert_int_equal(fs_make_dir(sub, &place->err), RC_OK);
	fs_close(create(place));
	assert_int_equal(fs_make_dir(place->file, &place->err), RC_FAIL);
	assert_int_equal(place->err.sys, ENOTDIR);
	free(sub);
}

static void
test_lock_is_exclusive(void **state)
{
	struct place *place = *state;
	int first = create(place), second;

	assert_int_equal(fs_open(place->file, FS_READ_WRITE, &second, &place->err), RC_OK);
	assert_int_equal(fs_lock(first, &place->err), RC_OK);
	assert_int_equal(fs_lock(second, &place->err), RC_AGAIN);
	fs_close(first);
	assert_int_equal(fs_lock(second, &place->err), RC_OK);
	fs_close(second);
}

struct seen {
	unsigned n;
	enum rc answer;
};

static enum rc
see_one(void *arg, const char *name)
{
	struct seen *seen = arg;

	assert_true(strcmp(name, "a") == 0 || strcmp(name, "b") == 0);
	seen->n++;
	return seen->answer;
}

static void
test_list(void **state)
{
	struct place *place = *state;
	struct seen seen = {.answer = RC_OK};

	assert_int_equal(fs_list(place->dir, see_one, &seen, &place->err), RC_OK);
	assert_int_equal(seen.n, 0);
	assert_int_equal(fs_replace_file(place->dir, "a", "", 0, &place->err), RC_OK);
	assert_int_equal(fs_replace_file(place->dir, "b", "", 0, &place->err), RC_OK);
	assert_int_equal(fs_list(place->dir, see_one, &seen, &place->err), RC_OK);
	assert_int_equal(seen.n, 2);
	seen.answer = RC_EOF;
	assert_int_equal(fs_list(place->dir, see_one, &seen, &place->err), RC_EOF);
	assert_int_equal(seen.n, 3);
	assert_int_equal(fs_list(place->file, see_one, &seen, &place->err), RC_FAIL);
}

static void
test_small_files(void **state)
{
	struct place *place = *state;
	const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
	uint8_t *big = xcalloc(1, 100000), *got;
	size_t n;

	memset(big, 'x', 100000);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(fs_replace_file(place->dir, "file", big, sizes[i], &place->err),
				 RC_OK);
		assert_int_equal(fs_read_file(place->file, sizes[i], &got, &n, &place->err), RC_OK);
		assert_int_equal(n, sizes[i]);
		assert_memory_equal(got, big, n);
		assert_int_equal(got[n], 0);
		free(got);
		if (sizes[i] > 0)
			assert_int_equal(
				fs_read_file(place->file, sizes[i] - 1, &got, &n, &place->err),
				RC_INVALID);
	}
	assert_int_equal(fs_read_file(place->dir, 10, &got, &n, &place->err), RC_FAIL);
	free(big);
}

/* What a process left behind that died in the middle is not in the way. */
static void
test_replace_after_a_crash(void **state)
{
	struct place *place = *state;
	char *tmp = xasprintf("%s/file.tmp", place->dir);
	uint8_t *got;
	size_t n;
	int fd;

	assert_int_equal(fs_replace_file(place->dir, "file", "old", 3, &place->err), RC_OK);
	assert_int_equal(fs_open(tmp, FS_CREATE, &fd, &place->err), RC_OK);
	fs_close(fd);
	assert_int_equal(fs_replace_file(place->dir, "file", "new!", 4, &place->err), RC_OK);
	assert_int_equal(access(tmp, F_OK), -1);
	assert_int_equal(fs_read_file(place->file, 10, &got, &n, &place->err), RC_OK);
	assert_int_equal(n, 4);
	assert_memory_equal(got, "new!", 4);
	free(got);
	free(tmp);
}

static void
test_free_bytes(void **state)
{
	struct place *place = *state;
	uint64_t bytes = 0;

	assert_int_equal(fs_free_bytes(place->dir, &bytes, &place->err), RC_OK);
	assert_true(bytes > 0);
	assert_int_equal(fs_free_bytes(place->file, &bytes, &place->err), RC_FAIL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_all_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_write_goes_on_and_fails_in_the_end,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_fill_is_written_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_sync, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rename_and_unlink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_make_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_is_exclusive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace_after_a_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
