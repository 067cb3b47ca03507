/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the disk: thin calls with one kind of error, and the few sequences
 * (durable rename, replacing a small file) that are easily got wrong.
 *
 * Owner: none; there is no state here, any thread may call.
 *
 * Invariants: a sync is called once, whatever it says.  ENOSPC and EDQUOT are
 * only reported where nothing was lost, so that the caller may try again.
 *
 * What this deliberately does not do: buffer, retry what failed, or log.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crash_point.h"

enum {
	ZERO_BLOCK_BYTES = 64 * 1024, /* one vector of a fill ... */
	ZERO_VECTORS = 16,            /* ... and how many go out in one call: 1 MiB */
	READ_STEP_BYTES = 4096,       /* by which the memory for a small file grows at first */
};

static const uint8_t zero_block[ZERO_BLOCK_BYTES];

/* ---- Opening ------------------------------------------------------------- */

static int
fs_open_retry(const char *path, int flags, mode_t mode)
{
	int fd;

	do {
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

enum rc
fs_open(const char *path, enum fs_open_mode mode, int *fd, struct err *err)
{
	switch (mode) {
	case FS_READ:
		*fd = fs_open_retry(path, O_RDONLY, 0);
		break;
	case FS_READ_WRITE:
		*fd = fs_open_retry(path, O_RDWR, 0);
		break;
	case FS_CREATE:
		*fd = fs_open_retry(path, O_RDWR | O_CREAT | O_EXCL, 0640);
		break;
	case FS_CREATE_KEY:
		*fd = fs_open_retry(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		break;
	}
	if (*fd >= 0)
		return RC_OK;
	if (mode == FS_CREATE || mode == FS_CREATE_KEY)
		return err_sys(err, "could not create file \"%s\"", path);
	return err_sys(err, "could not open file \"%s\"", path);
}

void
fs_close(int fd)
{
	/* EINTR is not retried: on Linux the descriptor is gone all the same */
	if (fd >= 0)
		(void)close(fd);
}

/* ---- Bytes --------------------------------------------------------------- */

/* Drops the first n bytes of the vectors. */
static void
fs_advance(struct iovec **iov, int *n_iov, size_t n)
{
	while (*n_iov > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*n_iov)--;
	}
	if (n > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

enum rc
fs_write_at(int fd, struct iovec *iov, int n, uint64_t offset, struct err *err)
{
	fs_advance(&iov, &n, 0); /* leading empty vectors would look like no progress */
	while (n > 0) {
		ssize_t written = pwritev(fd, iov, n < IOV_MAX ? n : IOV_MAX, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written == 0)
			errno = ENOSPC;
		if (written <= 0)
			return err_sys(err, "could not write file");
		offset += (size_t)written;
		fs_advance(&iov, &n, (size_t)written);
	}
	return RC_OK;
}

enum rc
fs_read_at(int fd, void *bytes, size_t n, uint64_t offset, size_t *got, struct err *err)
{
	uint8_t *to = bytes;

	*got = 0;
	while (*got < n) {
		ssize_t count = pread(fd, to + *got, n - *got, (off_t)(offset + *got));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return err_sys(err, "could not read file");
		if (count == 0)
			break;
		*got += (size_t)count;
	}
	return RC_OK;
}

enum rc
fs_size(int fd, uint64_t *bytes, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "could not stat file");
	*bytes = (uint64_t)st.st_size;
	return RC_OK;
}

enum rc
fs_truncate(int fd, uint64_t bytes, struct err *err)
{
	int rc;

	do {
		rc = ftruncate(fd, (off_t)bytes);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? err_sys(err, "could not truncate file") : RC_OK;
}

/* writev() takes vectors that it could write through, and never does. */
static void *
fs_zeros(void)
{
	return (void *)(uintptr_t)zero_block;
}

enum rc
fs_fill(int fd, uint64_t offset, uint64_t bytes, struct err *err)
{
	while (bytes > 0) {
		struct iovec iov[ZERO_VECTORS];
		uint64_t step = 0;
		int n = 0;

		while (n < ZERO_VECTORS && step < bytes) {
			uint64_t left = bytes - step;
			size_t len = left < ZERO_BLOCK_BYTES ? (size_t)left : ZERO_BLOCK_BYTES;

			iov[n++] = (struct iovec){.iov_base = fs_zeros(), .iov_len = len};
			step += len;
		}
		enum rc rc = fs_write_at(fd, iov, n, offset, err);
		if (rc != RC_OK)
			return rc;
		offset += step;
		bytes -= step;
	}
	return RC_OK;
}

/* ---- Syncing ------------------------------------------------------------- */

/*
 * After a failed sync the kernel may have dropped what was not written, so it
 * is not "no space, try again", whatever errno says.
 */
static enum rc
fs_sync_failed(struct err *err, const char *what, const char *path)
{
	if (path)
		(void)err_sys(err, "could not sync %s \"%s\"", what, path);
	else
		(void)err_sys(err, "could not sync %s", what);
	err->sys = EIO;
	return RC_FAIL;
}

enum rc
fs_datasync(int fd, struct err *err)
{
	/* no retry on EINTR either: what it left undone is not known */
	if (fdatasync(fd) < 0)
		return fs_sync_failed(err, "file", NULL);
	return RC_OK;
}

/* fsync by name, for a directory or for a file that is to be renamed. */
static enum rc
fs_sync_path(const char *path, int flags, const char *what, struct err *err)
{
	int fd = fs_open_retry(path, O_RDONLY | flags, 0);
	enum rc rc = RC_OK;

	if (fd < 0)
		return err_sys(err, "could not open %s \"%s\"", what, path);
	if (fsync(fd) < 0)
		rc = fs_sync_failed(err, what, path);
	fs_close(fd);
	return rc;
}

enum rc
fs_sync_dir(const char *dir, struct err *err)
{
	return fs_sync_path(dir, O_DIRECTORY, "directory", err);
}

/* ---- Names --------------------------------------------------------------- */

enum rc
fs_durable_rename(const char *dir, const char *from, const char *to, struct err *err)
{
	char *from_path = xasprintf("%s/%s", dir, from);
	char *to_path = xasprintf("%s/%s", dir, to);
	/* first, so that want of a descriptor is noticed while nothing has happened yet */
	int dir_fd = fs_open_retry(dir, O_RDONLY | O_DIRECTORY, 0);
	enum rc rc;

	if (dir_fd < 0) {
		rc = err_sys(err, "could not open directory \"%s\"", dir);
		goto out;
	}
	rc = fs_sync_path(from_path, 0, "file", err);
	if (rc != RC_OK)
		goto out;
	crash_point(CRASH_RENAME_SYNCED);
	if (rename(from_path, to_path) < 0) {
		rc = err_sys(err, "could not rename file \"%s\" to \"%s\"", from_path, to_path);
		goto out;
	}
	crash_point(CRASH_RENAME_DONE);
	if (fsync(dir_fd) < 0)
		rc = fs_sync_failed(err, "directory", dir);
out:
	fs_close(dir_fd);
	free(from_path);
	free(to_path);
	return rc;
}

enum rc
fs_unlink(const char *path, struct err *err)
{
	if (unlink(path) < 0)
		return err_sys(err, "could not remove file \"%s\"", path);
	return RC_OK;
}

enum rc
fs_make_dir(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0750) == 0)
		return RC_OK;
	if (errno != EEXIST)
		return err_sys(err, "could not create directory \"%s\"", path);
	if (stat(path, &st) < 0)
		return err_sys(err, "could not stat \"%s\"", path);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return err_sys(err, "could not create directory \"%s\"", path);
	}
	return RC_OK;
}

enum rc
fs_lock(int fd, struct err *err)
{
	int rc;

	do {
		rc = flock(fd, LOCK_EX | LOCK_NB);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return RC_OK;
	enum rc result = errno == EWOULDBLOCK ? RC_AGAIN : RC_FAIL;
	(void)err_sys(err, "could not lock file");
	return result;
}

enum rc
fs_free_bytes(const char *dir, uint64_t *bytes, struct err *err)
{
	struct statvfs vfs;
	int rc;

	do {
		rc = statvfs(dir, &vfs);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, "could not get the free space of \"%s\"", dir);
	*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return RC_OK;
}

enum rc
fs_list(const char *dir, enum rc (*each)(void *arg, const char *name), void *arg, struct err *err)
{
	DIR *d = opendir(dir);
	enum rc rc = RC_OK;

	if (!d)
		return err_sys(err, "could not open directory \"%s\"", dir);
	while (rc == RC_OK) {
		errno = 0;
		struct dirent *entry = readdir(d);
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = each(arg, entry->d_name);
	}
	if (rc == RC_OK && errno != 0)
		rc = err_sys(err, "could not read directory \"%s\"", dir);
	(void)closedir(d);
	return rc;
}

/* ---- Small files as a whole ---------------------------------------------- */

/* Reads to the end of the file; one byte beyond `max` is enough to refuse it. */
static enum rc
fs_read_all(int fd, const char *path, size_t max, uint8_t **bytes, size_t *n, struct err *err)
{
	size_t room = READ_STEP_BYTES, len = 0;
	uint8_t *data = NULL;
	enum rc rc = RC_FAIL;

	for (;;) {
		if (room > max)
			room = max + 1;
		uint8_t *grown = realloc(data, room + 1);
		size_t got;

		if (!grown) {
			(void)err_sys(err, "could not read file \"%s\"", path);
			goto out;
		}
		data = grown;
		rc = fs_read_at(fd, data + len, room - len, len, &got, err);
		if (rc != RC_OK)
			goto out;
		len += got;
		if (len > max) {
			rc = err_invalid(err, "file \"%s\" is longer than %zu bytes", path, max);
			goto out;
		}
		if (len < room)
			break;
		room *= 2; /* room <= max here, so this is far from the end of size_t */
	}
	data[len] = 0;
	*bytes = data;
	*n = len;
	data = NULL;
out:
	free(data);
	return rc;
}

enum rc
fs_read_file(const char *path, size_t max, uint8_t **bytes, size_t *n, struct err *err)
{
	int fd;

	must(max < SIZE_MAX / 4);
	enum rc rc = fs_open(path, FS_READ, &fd, err);
	if (rc != RC_OK)
		return rc;
	rc = fs_read_all(fd, path, max, bytes, n, err);
	fs_close(fd);
	return rc;
}

static enum rc
fs_write_new(const char *path, const void *bytes, size_t n, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	int fd;
	enum rc rc = fs_open(path, FS_CREATE, &fd, err);

	if (rc != RC_OK)
		return rc;
	rc = fs_write_at(fd, &iov, 1, 0, err);
	fs_close(fd);
	return rc;
}

enum rc
fs_replace_file(const char *dir, const char *name, const void *bytes, size_t n, struct err *err)
{
	char *tmp = xasprintf("%s.tmp", name);
	char *path = xasprintf("%s/%s", dir, tmp);
	enum rc rc;

	(void)unlink(path); /* left behind by a process that died in between */
	rc = fs_write_new(path, bytes, n, err);
	crash_point(CRASH_REPLACE_WRITTEN);
	if (rc == RC_OK)
		rc = fs_durable_rename(dir, tmp, name, err);
	crash_point(CRASH_REPLACE_DONE);
	if (rc != RC_OK)
		(void)unlink(path);
	free(tmp);
	free(path);
	return rc;
}

/* link() gives the name away only once, which rename() does not. */
static enum rc
fs_link_once(const char *from, const char *to, struct err *err)
{
	if (link(from, to) == 0)
		return RC_OK;
	(void)err_sys(err, "could not create file \"%s\"", to);
	return err->sys == EEXIST ? RC_AGAIN : RC_FAIL;
}

enum rc
fs_publish_file(const char *dir, const char *name, const void *bytes, size_t n, struct err *err)
{
	/* each thread its own: they may all want the same name at once */
	char *tmp = xasprintf("%s/%s.%d.tmp", dir, name, (int)gettid());
	char *path = xasprintf("%s/%s", dir, name);
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	int fd = -1;
	enum rc rc;

	(void)unlink(tmp);
	rc = fs_open(tmp, FS_CREATE_KEY, &fd, err);
	if (rc == RC_OK)
		rc = fs_write_at(fd, &iov, 1, 0, err);
	if (rc == RC_OK)
		rc = fs_datasync(fd, err);
	if (rc == RC_OK)
		rc = fs_link_once(tmp, path, err);
	if (rc == RC_OK)
		rc = fs_sync_dir(dir, err);
	fs_close(fd);
	(void)unlink(tmp);
	free(tmp);
	free(path);
	return rc;
}
