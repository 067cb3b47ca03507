/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files that hold a key: read only where nobody but the owner may.  Any thread.
 */
#ifndef GATEHOUSE_BASE_SECRET_FILE_H
#define GATEHOUSE_BASE_SECRET_FILE_H

#include "base/base.h"

/* As fs_read_file(); the caller wipes the bytes before it frees them.  RC_INVALID: the
 * file's mode lets others read it, or it is longer than `max`. */
enum rc secret_file_read(const char *path, size_t max, uint8_t **bytes, size_t *n,
			 struct err *err) MUST_CHECK;

#endif
