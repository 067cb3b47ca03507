/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test's own below /tmp, and files in it. */
#ifndef GATEHOUSE_TESTS_SIM_SCRATCH_H
#define GATEHOUSE_TESTS_SIM_SCRATCH_H

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

static inline int
scratch_remove(void **state)
{
	char *command = xasprintf("rm -rf '%s'", (char *)*state);
	int status = system(command);

	free(command);
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
