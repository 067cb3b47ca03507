/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages: a folder's files, read into memory once, so that no request's path ever
 * meets the disk.  Known endings only, one level of folders.  Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_FILES_H
#define GATEHOUSE_WEB_FILES_H

#include "base/base.h"

enum { WEB_FILE_MAX = 1 << 20, WEB_FILES_MAX = 256 };

struct web_file {
	char *path;       /* of the request: "/app.js" */
	const char *type; /* with its charset */
	char etag[32];
	uint8_t *bytes;
	size_t n;
};

struct web_files;

/* RC_INVALID: there is no index.html, or too much. */
enum rc web_files_load(struct web_files **files, const char *dir, struct err *err) MUST_CHECK;
void web_files_free(struct web_files **files);
/* NULL when there is none; "/" is "/index.html". */
const struct web_file *web_files_find(const struct web_files *files, const char *path);

/* By the name's ending; NULL when it is none that is served. */
const char *web_file_type(const char *name);

#endif
