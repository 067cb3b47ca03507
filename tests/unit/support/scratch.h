/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test's own below /tmp, and files in it. */
#ifndef GATEHOUSE_TESTS_SUPPORT_SCRATCH_H
#define GATEHOUSE_TESTS_SUPPORT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* cmocka's setup and teardown: *state is the folder's path. */
static inline int
scratch_make(void **state)
{
	char *dir = xstrdup("/tmp/gatehouse-test-XXXXXX");

	*state = mkdtemp(dir);
	return *state == NULL ? -1 : 0;
}

/* With all that is in it. */
static inline int
scratch_remove_dir(const char *dir)
{
	char *command = xasprintf("rm -rf '%s'", dir);
	int status = system(command);

	free(command);
	return status;
}

static inline int
scratch_remove(void **state)
{
	int status = scratch_remove_dir(*state);

	free(*state);
	return status;
}

/* Writes a file; the caller frees its path. */
static inline char *
scratch_write(const char *dir, const char *name, const void *bytes, size_t n)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
	return path;
}

static inline char *
scratch_write_text(const char *dir, const char *name, const char *text)
{
	return scratch_write(dir, name, text, strlen(text));
}

static inline void
assert_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

#endif
