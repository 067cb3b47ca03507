/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of base/fs.h on the simulated disk; see fs_fake.h for what it
 * models.  Owner: any thread, everything under disk.lock.
 *
 * What this deliberately does not do: time.  Nothing here waits or takes long.
 */
#include "base/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_disk.h"

/* ---- Opening and bytes --------------------------------------- */

static struct inode *
fd_inode(int fd)
{
	must(fd >= FD_BASE && fd < FD_BASE + FDS_MAX && disk.fds[fd - FD_BASE]);
	return disk.fds[fd - FD_BASE];
}

static int
fd_new(struct inode *inode)
{
	for (int i = 0; i < FDS_MAX; i++) {
		if (!disk.fds[i]) {
			disk.fds[i] = inode;
			return FD_BASE + i;
		}
	}
	errno = EMFILE;
	return -1;
}

/* Lock held; the inode, or NULL and errno. */
static struct inode *
open_or_create(const char *path, bool create)
{
	struct name *name = name_of(path);
	char dir[PATH_BYTES];

	dir_of(path, dir);
	errno = dir_exists(dir) ? 0 : ENOENT;
	if (errno == 0 && create)
		errno = name->now ? EEXIST : 0;
	else if (errno == 0)
		errno = name->now ? 0 : ENOENT;
	if (errno != 0)
		return NULL;
	if (create) {
		enum fate fate = op_begin();

		if (fate == FATE_GOOD || fate == FATE_OFF)
			name_change(NULL, name, inode_new(false));
		if (fate != FATE_GOOD)
			return NULL;
	}
	if (disk.off)
		errno = EIO;
	return disk.off ? NULL : name->now;
}

enum rc
fs_open(const char *path, enum fs_open_mode mode, int *fd, struct err *err)
{
	bool create = mode == FS_CREATE || mode == FS_CREATE_KEY;

	disk_lock();
	struct inode *inode = open_or_create(path, create);
	*fd = inode ? fd_new(inode) : -1;
	disk_unlock();
	if (*fd < 0)
		return err_sys(err, "could not %s file \"%s\"", create ? "create" : "open", path);
	return RC_OK;
}

void
fs_close(int fd)
{
	if (fd < 0)
		return;
	disk_lock();
	/* after a power loss or a kill the process's descriptors are gone already */
	struct inode *inode = disk.fds[fd - FD_BASE];
	if (inode && inode->locked_by == fd)
		inode->locked_by = -1;
	disk.fds[fd - FD_BASE] = NULL;
	disk_unlock();
}

/* Lock held.  Writes as many of the n bytes as fate and space allow; false and errno if not all. */
static bool
write_some(struct inode *inode, const uint8_t *bytes, size_t n, uint64_t offset, enum fate fate)
{
	uint64_t end = offset + n;
	size_t can = n;

	if (fate == FATE_DEAD)
		return false;
	if (fate == FATE_FAILS)
		can = n ? (size_t)(disk_random() % n) : 0;
	if (end > inode->size) {
		uint64_t more = end - inode->size, room = disk_room(more);

		if (room < more && fate == FATE_GOOD) {
			can = more - room < n ? n - (size_t)(more - room) : 0;
			errno = ENOSPC;
		}
	}
	if (can > 0)
		inode_write(inode, bytes, can, offset);
	return fate == FATE_GOOD && can == n;
}

enum rc
fs_write_at(int fd, struct iovec *iov, int n, uint64_t offset, struct err *err)
{
	bool ok = true;

	disk_lock();
	struct inode *inode = fd_inode(fd);
	enum fate fate = op_begin();
	for (int i = 0; i < n && ok; i++) {
		/* a power loss tears the write by sectors later on, not by vectors here */
		ok = write_some(inode, iov[i].iov_base, iov[i].iov_len, offset, fate) ||
		     fate == FATE_OFF;
		offset += iov[i].iov_len;
		iov[i].iov_base = NULL; /* changed, as the contract says */
		iov[i].iov_len = 0;
	}
	if (fate == FATE_OFF)
		errno = EIO;
	disk_unlock();
	return ok && fate == FATE_GOOD ? RC_OK : err_sys(err, "could not write file");
}

enum rc
fs_fill(int fd, uint64_t offset, uint64_t bytes, struct err *err)
{
	disk_lock();
	bool ok = write_some(fd_inode(fd), NULL, (size_t)bytes, offset, op_begin());
	disk_unlock();
	return ok ? RC_OK : err_sys(err, "could not write file");
}

enum rc
fs_read_at(int fd, void *bytes, size_t n, uint64_t offset, size_t *got, struct err *err)
{
	disk_lock();
	struct inode *inode = fd_inode(fd);
	uint64_t left = offset < inode->size ? inode->size - offset : 0;
	bool off = disk.off;

	*got = n < left ? n : (size_t)left;
	inode_read(inode, bytes, *got, offset);
	disk_unlock();
	errno = EIO;
	return off ? err_sys(err, "could not read file") : RC_OK;
}

enum rc
fs_size(int fd, uint64_t *bytes, struct err *err)
{
	(void)err;
	disk_lock();
	*bytes = fd_inode(fd)->size;
	disk_unlock();
	return RC_OK;
}

enum rc
fs_truncate(int fd, uint64_t bytes, struct err *err)
{
	disk_lock();
	struct inode *inode = fd_inode(fd);
	enum fate fate = op_begin();
	if (fate == FATE_GOOD || fate == FATE_OFF)
		inode_set_size(inode, bytes);
	disk_unlock();
	return fate == FATE_GOOD ? RC_OK : err_sys(err, "could not truncate file");
}

/* ---- Syncing ------------------------------------------------- */

/* Lock held.  false and errno when it failed; never says ENOSPC, see fs.h. */
static bool
sync_inode(struct inode *inode)
{
	enum fate fate = op_begin();

	disk.syncs++;
	if (inode->sync_failed)
		disk.resyncs++;
	if (fate == FATE_GOOD && disk.syncs == disk.fail_sync_at) {
		fate = FATE_FAILS;
		errno = disk.fail_sync_sys;
	}
	if (fate == FATE_GOOD)
		inode_sync(inode);
	if (fate == FATE_FAILS)
		inode_fail_sync(inode);
	return fate == FATE_GOOD;
}

static enum rc
sync_failed(struct err *err, const char *what)
{
	(void)err_sys(err, "could not sync %s", what);
	err->sys = EIO;
	return RC_FAIL;
}

static void
tell_on_sync(void)
{
	disk_lock();
	void (*call)(void *arg) = disk.on_sync;
	void *arg = disk.on_sync_arg;
	disk_unlock();
	if (call)
		call(arg);
}

enum rc
fs_datasync(int fd, struct err *err)
{
	tell_on_sync();
	disk_lock();
	bool ok = sync_inode(fd_inode(fd));
	disk_unlock();
	return ok ? RC_OK : sync_failed(err, "file");
}

enum rc
fs_sync_dir(const char *dir, struct err *err)
{
	disk_lock();
	enum fate fate = op_begin();
	if (fate == FATE_GOOD && !dir_exists(dir)) {
		errno = ENOENT;
		fate = FATE_FAILS;
	}
	if (fate == FATE_GOOD)
		changes_settle(dir, 100, false);
	disk_unlock();
	return fate == FATE_GOOD ? RC_OK : sync_failed(err, "directory");
}

/* ---- Names --------------------------------------------------- */

enum rc
fs_durable_rename(const char *dir, const char *from, const char *to, struct err *err)
{
	char *from_path = xasprintf("%s/%s", dir, from);
	char *to_path = xasprintf("%s/%s", dir, to);
	enum rc rc = RC_OK;
	enum fate fate;

	tell_on_sync();
	disk_lock();
	struct name *source = name_of(from_path), *target = name_of(to_path);
	if (!source->now) {
		errno = disk.off ? EIO : ENOENT;
		rc = err_sys(err, "could not open file \"%s\"", from_path);
	} else if (!sync_inode(source->now)) {
		rc = sync_failed(err, "file");
	} else {
		fate = op_begin();
		if (fate == FATE_GOOD || fate == FATE_OFF)
			name_change(source, target, source->now);
		if (fate != FATE_GOOD)
			rc = err_sys(err, "could not rename file \"%s\"", from_path);
	}
	disk_unlock();
	if (rc == RC_OK)
		rc = fs_sync_dir(dir, err);
	free(from_path);
	free(to_path);
	return rc;
}

enum rc
fs_unlink(const char *path, struct err *err)
{
	disk_lock();
	struct name *name = name_of(path);
	enum fate fate = op_begin();
	if (fate == FATE_GOOD && !name->now) {
		errno = ENOENT;
		fate = FATE_FAILS;
	} else if (fate == FATE_GOOD || (fate == FATE_OFF && name->now)) {
		name_change(NULL, name, NULL);
	}
	disk_unlock();
	return fate == FATE_GOOD ? RC_OK : err_sys(err, "could not remove file \"%s\"", path);
}

enum rc
fs_make_dir(const char *path, struct err *err)
{
	enum fate fate = FATE_GOOD;

	disk_lock();
	struct name *name = name_of(path);
	if (!name->now) {
		fate = op_begin();
		if (fate == FATE_GOOD || fate == FATE_OFF)
			name_change(NULL, name, inode_new(true));
	} else if (!name->now->is_dir) {
		errno = ENOTDIR;
		fate = FATE_FAILS;
	}
	disk_unlock();
	return fate == FATE_GOOD ? RC_OK : err_sys(err, "could not create directory \"%s\"", path);
}

enum rc
fs_lock(int fd, struct err *err)
{
	disk_lock();
	struct inode *inode = fd_inode(fd);
	bool free_for_us = inode->locked_by < 0 || inode->locked_by == fd;
	if (free_for_us)
		inode->locked_by = fd;
	disk_unlock();
	if (free_for_us)
		return RC_OK;
	errno = EWOULDBLOCK;
	(void)err_sys(err, "could not lock file");
	return RC_AGAIN;
}

enum rc
fs_free_bytes(const char *dir, uint64_t *bytes, struct err *err)
{
	(void)dir;
	disk_lock();
	*bytes = disk_room(UINT64_MAX);
	bool off = disk.off;
	disk_unlock();
	errno = EIO;
	return off ? err_sys(err, "could not get the free space of \"%s\"", dir) : RC_OK;
}

/* Lock held.  The n-th name that is in `dir` itself; NULL behind the last. */
static const struct name *
name_in_dir(const char *dir, size_t n)
{
	char of[PATH_BYTES];

	for (const struct name *name = disk.names; name; name = name->next) {
		dir_of(name->path, of);
		if (name->now && strcmp(of, dir) == 0 && n-- == 0)
			return name;
	}
	return NULL;
}

enum rc
fs_list(const char *dir, enum rc (*each)(void *arg, const char *name), void *arg, struct err *err)
{
	char found[PATH_BYTES];
	enum rc rc = RC_OK;

	disk_lock();
	bool there = dir_exists(dir) && !disk.off;
	disk_unlock();
	errno = ENOENT;
	if (!there)
		return err_sys(err, "could not open directory \"%s\"", dir);
	for (size_t n = 0; rc == RC_OK; n++) {
		disk_lock();
		const struct name *name = name_in_dir(dir, n);
		if (name)
			memcpy(found, name->path + strlen(dir) + 1,
			       strlen(name->path) - strlen(dir));
		disk_unlock();
		if (!name)
			break;
		rc = each(arg, found);
	}
	return rc;
}

/* ---- Small files as a whole ---------------------------------- */

enum rc
fs_read_file(const char *path, size_t max, uint8_t **bytes, size_t *n, struct err *err)
{
	uint64_t size = 0;
	int fd;
	enum rc rc = fs_open(path, FS_READ, &fd, err);

	if (rc != RC_OK)
		return rc;
	rc = fs_size(fd, &size, err);
	if (rc == RC_OK && size > max)
		rc = err_invalid(err, "file \"%s\" is longer than %zu bytes", path, max);
	if (rc == RC_OK) {
		*bytes = xcalloc(1, (size_t)size + 1);
		rc = fs_read_at(fd, *bytes, (size_t)size, 0, n, err);
		if (rc != RC_OK)
			free(*bytes);
	}
	fs_close(fd);
	return rc;
}

enum rc
fs_replace_file(const char *dir, const char *name, const void *bytes, size_t n, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	char *tmp = xasprintf("%s.tmp", name);
	char *path = xasprintf("%s/%s", dir, tmp);
	struct err ignored;
	int fd = -1;
	enum rc rc;

	if (fs_fake_exists(path))
		(void)!fs_unlink(path, &ignored);
	rc = fs_open(path, FS_CREATE, &fd, err);
	if (rc == RC_OK)
		rc = fs_write_at(fd, &iov, 1, 0, err);
	fs_close(fd);
	if (rc == RC_OK)
		rc = fs_durable_rename(dir, tmp, name, err);
	if (rc != RC_OK && fs_fake_exists(path))
		(void)!fs_unlink(path, &ignored);
	free(tmp);
	free(path);
	return rc;
}

enum rc
fs_publish_file(const char *dir, const char *name, const void *bytes, size_t n, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, name);
	enum rc rc = fs_fake_exists(path) ? RC_AGAIN : fs_replace_file(dir, name, bytes, n, err);

	free(path);
	return rc;
}
