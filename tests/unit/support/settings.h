/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of a program's settings: its reference against the file in conf/, and small
 * files of a test's own.  Runs in the project's folder.
 */
#ifndef GATEHOUSE_TESTS_SUPPORT_SETTINGS_H
#define GATEHOUSE_TESTS_SUPPORT_SETTINGS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"

/* What `write_reference` writes; the caller frees. */
static inline char *
settings_reference_text(void (*write_reference)(FILE *out))
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	write_reference(out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* The caller frees. */
static inline char *
settings_file_text(const char *path)
{
	uint8_t *bytes;
	size_t n;
	struct err err;

	if (fs_read_file(path, 1 << 20, &bytes, &n, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return (char *)bytes;
}

/* With GATEHOUSE_WRITE_REFERENCE in the environment the file is written anew before. */
static inline void
settings_assert_reference(const char *path, void (*write_reference)(FILE *out))
{
	char *ours = settings_reference_text(write_reference), *file;

	if (getenv("GATEHOUSE_WRITE_REFERENCE") != NULL) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		assert_true(fputs(ours, out) >= 0);
		assert_int_equal(fclose(out), 0);
	}
	file = settings_file_text(path);
	assert_string_equal(ours, file);
	free(file);
	free(ours);
}

/* A file with this text; `path` ends in XXXXXX, and the caller unlinks what it becomes. */
static inline void
settings_make_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

#endif
