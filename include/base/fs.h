/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only way to the disk for what must survive: journal segments, checkpoint,
 * register snapshot, keys.  tests/fake/fs.c replaces this module at link time
 * by a simulated disk that loses power.
 *
 * Errors: RC_FAIL with errno in err->sys.  A short write continues; one that
 * makes no progress is ENOSPC.  EINTR is retried, except for syncing: a sync
 * that failed is never tried again on that file.  A failed sync never reports
 * ENOSPC or EDQUOT but EIO (the text says what it was): so those two always
 * mean that nothing was lost, and that the call may be repeated.
 */
#ifndef GATEHOUSE_BASE_FS_H
#define GATEHOUSE_BASE_FS_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/base.h"

enum fs_open_mode {
	FS_READ,       /* must exist */
	FS_READ_WRITE, /* must exist */
	FS_CREATE,     /* must not exist; read and write, mode 0640 */
	FS_CREATE_KEY, /* must not exist; read and write, mode 0600 */
};

enum rc fs_open(const char *path, enum fs_open_mode mode, int *fd, struct err *err) MUST_CHECK;
/* -1 is allowed.  Never reports: what mattered was synced before. */
void fs_close(int fd);

/* Writes all of iov (which it changes) at offset. */
enum rc fs_write_at(int fd, struct iovec *iov, int n, uint64_t offset, struct err *err) MUST_CHECK;
/* Reads up to n bytes; *got < n only at the end of the file. */
enum rc fs_read_at(int fd, void *bytes, size_t n, uint64_t offset, size_t *got,
		   struct err *err) MUST_CHECK;
enum rc fs_size(int fd, uint64_t *bytes, struct err *err) MUST_CHECK;
enum rc fs_truncate(int fd, uint64_t bytes, struct err *err) MUST_CHECK;
/* Fills `bytes` from offset with written zeros, so that a later fdatasync need
 * not write metadata.  Not yet synced. */
enum rc fs_fill(int fd, uint64_t offset, uint64_t bytes, struct err *err) MUST_CHECK;
enum rc fs_datasync(int fd, struct err *err) MUST_CHECK;
enum rc fs_sync_dir(const char *dir, struct err *err) MUST_CHECK;

/* source and target in one directory: syncs source, renames, syncs the directory. */
enum rc fs_durable_rename(const char *dir, const char *from, const char *to,
			  struct err *err) MUST_CHECK;
enum rc fs_unlink(const char *path, struct err *err) MUST_CHECK;
/* Creates a directory (mode 0750) where it is missing; an existing one is fine. */
enum rc fs_make_dir(const char *path, struct err *err) MUST_CHECK;

/* Exclusive for this process until fd is closed (flock); RC_AGAIN when another holds it. */
enum rc fs_lock(int fd, struct err *err) MUST_CHECK;

/* Bytes free to us in the file system of `dir`. */
enum rc fs_free_bytes(const char *dir, uint64_t *bytes, struct err *err) MUST_CHECK;

/* Names in a directory without . and ..: calls `each` for every one, in no
 * order.  Stops when `each` returns other than RC_OK, and returns that. */
enum rc fs_list(const char *dir, enum rc (*each)(void *arg, const char *name), void *arg,
		struct err *err) MUST_CHECK;

/* A whole small file (up to max bytes) into new memory, which the caller frees;
 * one zero byte follows the content. */
enum rc fs_read_file(const char *path, size_t max, uint8_t **bytes, size_t *n,
		     struct err *err) MUST_CHECK;
/* Replaces dir/name as a whole: NAME.tmp, sync, rename, sync directory. */
enum rc fs_replace_file(const char *dir, const char *name, const void *bytes, size_t n,
			struct err *err) MUST_CHECK;

/* Creates dir/name (mode 0600) with its whole content, durably, or not at all;
 * RC_AGAIN when it exists already, whoever made it. */
enum rc fs_publish_file(const char *dir, const char *name, const void *bytes, size_t n,
			struct err *err) MUST_CHECK;

#endif
