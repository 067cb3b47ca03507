/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which consoles the register has, at which station, and what they may do: a copy
 * of what PostgreSQL said last.  Without one nobody can sign in; who is signed in
 * stays.  Owner: one thread.
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
/* Replaces all; `array` is borrowed: objects {name, station, enabled, right}. */
enum rc directory_set(struct directory *directory, const json_t *array, struct err *err) MUST_CHECK;
/* False until it was set once. */
bool directory_is_known(const struct directory *directory);
/* NULL when there is none of that name, or it is disabled. */
const struct directory_console *directory_find(const struct directory *directory, const char *name);

#endif
