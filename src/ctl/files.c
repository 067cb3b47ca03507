/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that must not exist before: O_EXCL, closed to others until they have
 * their owner and mode, and only then filled.
 *
 * The one sync is syncfs(): enrolling 5,000 controllers makes 20,000 files, and
 * as many fdatasync() would take minutes where one call takes a second.
 *
 * Any thread.
 */
#include "ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fs.h"

static enum rc
make_dir(const char *path, mode_t mode, struct files_owner owner, struct err *err)
{
	if (mkdir(path, 0700) != 0) {
		struct stat st;

		if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return RC_OK;
		return err_sys(err, "could not create directory \"%s\"", path);
	}
	if (chown(path, owner.user, owner.group) != 0)
		return err_sys(err, "could not change owner of directory \"%s\"", path);
	if (chmod(path, mode) != 0)
		return err_sys(err, "could not set mode of directory \"%s\"", path);
	return RC_OK;
}

enum rc
files_make_dirs(const char *path, mode_t mode, struct files_owner owner, struct err *err)
{
	char *part = xstrdup(path);
	enum rc rc = RC_OK;

	for (char *slash = strchr(part + 1, '/'); slash != NULL && rc == RC_OK;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		rc = make_dir(part, 0755, FILES_OWNER_SELF, err);
		*slash = '/';
	}
	if (rc == RC_OK)
		rc = make_dir(path, mode, owner, err);
	free(part);
	return rc;
}

static enum rc
file_give(int fd, const char *path, mode_t mode, struct files_owner owner, struct err *err)
{
	if (fchown(fd, owner.user, owner.group) != 0)
		return err_sys(err, "could not change owner of file \"%s\"", path);
	if (fchmod(fd, mode) != 0)
		return err_sys(err, "could not set mode of file \"%s\"", path);
	return RC_OK;
}

enum rc
files_write_new(const char *path, mode_t mode, struct files_owner owner, const void *bytes,
		size_t n, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	int fd;
	enum rc rc = fs_open(path, FS_CREATE_KEY, &fd, err);

	if (rc != RC_OK)
		return rc;
	rc = file_give(fd, path, mode, owner, err);
	if (rc == RC_OK)
		rc = fs_write_at(fd, &iov, 1, 0, err);
	fs_close(fd);
	if (rc != RC_OK)
		(void)unlink(path); /* half of a key is worse than none */
	return rc;
}

enum rc
files_sync(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum rc rc = RC_OK;

	if (fd < 0)
		return err_sys(err, "could not open \"%s\"", path);
	if (syncfs(fd) != 0)
		rc = err_sys(err, "could not sync \"%s\"", path);
	fs_close(fd);
	return rc;
}

bool
files_exists(const char *path)
{
	struct stat st;

	/* what can't be looked at is taken for there: it is not overwritten */
	return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}
