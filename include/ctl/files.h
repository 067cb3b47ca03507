/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New files and folders with the mode and owner that they are meant to have,
 * from their first moment on.  Nothing here replaces or follows what exists.
 *
 * Writing doesn't sync: who made thousands of files calls files_sync() once
 * before anybody relies on them.  Any thread.
 */
#ifndef GATEHOUSE_CTL_FILES_H
#define GATEHOUSE_CTL_FILES_H

#include <sys/types.h>

#include "base/base.h"

/* Whose it will be; -1 leaves it as it is. */
struct files_owner {
	uid_t user;
	gid_t group;
};
#define FILES_OWNER_SELF ((struct files_owner){(uid_t)-1, (gid_t)-1})

/* An existing folder is fine and keeps its mode; those above are made too, 0755. */
enum rc files_make_dirs(const char *path, mode_t mode, struct files_owner owner,
			struct err *err) MUST_CHECK;
/* RC_FAIL with EEXIST when there is something of that name. */
enum rc files_write_new(const char *path, mode_t mode, struct files_owner owner, const void *bytes,
			size_t n, struct err *err) MUST_CHECK;
/* Everything that was written to the file system of `path` is on its disk. */
enum rc files_sync(const char *path, struct err *err) MUST_CHECK;
/* True when there is something of that name, be it a broken link. */
bool files_exists(const char *path);

#endif
