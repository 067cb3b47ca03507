/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One database for all tests of a program, at the newest schema, and a journal with its
 * store for each of them: what a test of the store begins with, and its ends.
 */
#ifndef TESTS_UNIT_STORE_SCENE_H
#define TESTS_UNIT_STORE_SCENE_H

#include "feed.h"

static struct pg pg;
static PGconn *conn;
static struct feed feed;

static inline int
scene_start(void **state)
{
	(void)state;
	pg_start(&pg);
	pg_migrate(&pg);
	conn = pg_connect(&pg);
	return 0;
}

static inline int
scene_end(void **state)
{
	(void)state;
	PQfinish(conn);
	pg_end(&pg);
	return 0;
}

/* A new journal, of which the store runs. */
static inline void
scene_open_feed(void)
{
	static unsigned n;
	char *name = xasprintf("journal%u", n++);

	feed = (struct feed){0};
	feed_open(&feed, &pg, name);
	feed_start(&feed);
	free(name);
}

static inline int
scene_close_feed(void **state)
{
	(void)state;
	feed_close(&feed);
	return 0;
}

#endif
