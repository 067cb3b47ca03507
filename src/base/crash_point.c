/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dying at a chosen place; see the header.  In a build without crash points this
 * file is empty.
 *
 * Owner: any thread.  Invariant: what the environment says is read once, before
 * threads exist, and not changed; how often a point was passed is one atomic.
 *
 * What this deliberately does not do: clean up, flush, or say a word on the way out.
 */
#include "base/crash_point.h"

#ifdef GATEHOUSE_CRASH_POINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const crash_names[CRASH_POINT_COUNT] = {
#define CRASH_POINT_NAME(id, name) [CRASH_##id] = (name),
	CRASH_POINTS(CRASH_POINT_NAME)
#undef CRASH_POINT_NAME
};

/* The exceptions from "no state outside of structs": it stands for the process as a whole. */
static int crash_at = -1;
static _Atomic unsigned long crash_after;

static int
crash_point_named(const char *name, size_t len)
{
	for (int i = 0; i < CRASH_POINT_COUNT; i++) {
		if (strlen(crash_names[i]) == len && memcmp(crash_names[i], name, len) == 0)
			return i;
	}
	(void)fprintf(stderr, "no crash point \"%s\"\n", name);
	_exit(2);
}

/* Before main: no thread can have passed a point yet. */
__attribute__((constructor)) static void
crash_point_setup(void)
{
	const char *text = getenv("GATEHOUSE_CRASH_AT");

	if (text == NULL || text[0] == '\0')
		return;
	const char *colon = strchr(text, ':');

	crash_at = crash_point_named(text, colon ? (size_t)(colon - text) : strlen(text));
	atomic_init(&crash_after, colon ? strtoul(colon + 1, NULL, 10) : 1);
}

void
crash_point(enum crash_point point)
{
	if ((int)point != crash_at || atomic_fetch_sub(&crash_after, 1) != 1)
		return;
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

void
crash_points_list(FILE *out)
{
	for (int i = 0; i < CRASH_POINT_COUNT; i++)
		(void)fprintf(out, "%s\n", crash_names[i]);
}
#else
/* a file of nothing is not C */
extern int crash_point_is_not_in_this_build;
#endif
