/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which consoles the register has, at which station, and what they may do: a copy
 * of what PostgreSQL said last.  Without one nobody can sign in; who is signed in
 * stays.  It is kept in a file, so that a start while PostgreSQL is away locks no
 * dispatcher out.  Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_DIRECTORY_H
#define GATEHOUSE_WEB_DIRECTORY_H

#include <jansson.h>

#include "web/sessions.h"

struct directory;

struct directory_console {
	char *name, *station;
	bool enabled;
	enum web_right right;
};

struct directory *directory_new(void);
void directory_free(struct directory **directory);
/* Replaces all by what PostgreSQL said: objects {name, station, enabled, right}.  Holds the
 * array, which must not change.  Where it is none, all stays. */
enum rc directory_set(struct directory *directory, json_t *rows, struct err *err) MUST_CHECK;
/* False until it was set or loaded once. */
bool directory_is_known(const struct directory *directory);
/* It is what PostgreSQL said, and not only what was kept of it. */
bool directory_is_fresh(const struct directory *directory);

/* What was set last into a file in `dir`, with the time (Unix, seconds).  Writes when it
 * differs from what is there, and at most each hour otherwise. */
enum rc directory_keep(struct directory *directory, const char *dir, int64_t now_s,
		       struct err *err) MUST_CHECK;
/* Sets what was kept in `dir`.  RC_EOF: nothing, or what is as old as `age_max_s`, or is
 * from later than now. */
enum rc directory_load(struct directory *directory, const char *dir, int64_t now_s,
		       int64_t age_max_s, struct err *err) MUST_CHECK;
/* NULL when there is none of that name, or it is disabled. */
const struct directory_console *directory_find(const struct directory *directory, const char *name);

#endif
