/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML configuration by a table: one row per key with its type, default, unit,
 * bounds and one sentence of explanation.  The same table reads the file,
 * reports mistakes with file and line, and writes the commented reference
 * (conf/gatehoused.yaml is that output).  libyaml stays inside.
 *
 * A key is two names with a dot ("journal.segment_mb"): a section, and a name
 * in it.  A section that is a list of mappings ("listeners") has a table of its
 * own.
 */
#ifndef GATEHOUSE_BASE_CONF_H
#define GATEHOUSE_BASE_CONF_H

#include <stdio.h>

#include "base/base.h"

enum conf_type {
	CONF_INT,    /* int64_t at offset */
	CONF_BOOL,   /* bool */
	CONF_STRING, /* char *, allocated */
	CONF_PATH,   /* char *, allocated; a relative one is taken from the file's folder; an
		      * empty one, where `min` is 0, stays empty */
	CONF_CHOICE, /* int64_t: index in `choices` */
};

struct conf_key {
	const char *name; /* "journal.segment_mb"; in a list without section: "port" */
	enum conf_type type;
	size_t offset;              /* in the target struct */
	const char *fallback;       /* default as text; NULL: the key is required */
	int64_t min, max;           /* CONF_INT: inclusive; CONF_STRING, CONF_PATH: bytes */
	const char *unit;           /* "ms", "MiB", ..., or "" */
	const char *const *choices; /* CONF_CHOICE: names, ended by NULL */
	const char *help;           /* a sentence or two, for the reference */
};

/* Bytes of a path to a file or folder: PATH_MAX with room for the names of files in it. */
enum { CONF_PATH_MAX = 1000 };

/*
 * One row.  `target` is the struct that the table fills; who owns a table gives its rows
 * short names:
 *
 *	#define INT(...) CONF_ROW_INT(struct settings, __VA_ARGS__)
 */
#define CONF_ROW(target, name, type, field, fallback, min, max, unit, choices, help)               \
	{                                                                                          \
		name, type, offsetof(target, field), fallback, min, max, unit, choices, help       \
	}
#define CONF_ROW_INT(target, name, field, fallback, min, max, unit, help)                          \
	CONF_ROW(target, name, CONF_INT, field, fallback, min, max, unit, NULL, help)
/* max: bytes */
#define CONF_ROW_STRING(target, name, field, fallback, max, help)                                  \
	CONF_ROW(target, name, CONF_STRING, field, fallback, 0, max, "", NULL, help)
#define CONF_ROW_PATH(target, name, field, fallback, max, help)                                    \
	CONF_ROW(target, name, CONF_PATH, field, fallback, 1, max, "", NULL, help)
/* The same, and may be empty. */
#define CONF_ROW_PATH_OR_NONE(target, name, field, fallback, max, help)                            \
	CONF_ROW(target, name, CONF_PATH, field, fallback, 0, max, "", NULL, help)
#define CONF_ROW_CHOICE(target, name, field, fallback, choices, help)                              \
	CONF_ROW(target, name, CONF_CHOICE, field, fallback, 0, 0, "", choices, help)

/* A list section: each item is a struct of `item_size` bytes. */
struct conf_list {
	const char *name; /* "listeners" */
	const struct conf_key *keys;
	size_t n_keys;
	size_t item_size;
	size_t items_offset; /* in the target struct: void * to the array, allocated */
	size_t count_offset; /* in the target struct: size_t */
	size_t min, max;     /* how many items */
	const char *example; /* YAML text of the items in the reference, ready to stand */
	const char *help;
};

struct conf_schema {
	const struct conf_key *keys; /* in the order of the reference, sections together */
	size_t n_keys;
	const struct conf_list *lists;
	size_t n_lists;
	/* What no single key shows, asked when all keys have their values; `path` stands in
	 * its errors.  May be NULL. */
	enum rc (*check)(const char *path, const void *target, struct err *err);
	const char *head; /* comment that the reference begins with; may be NULL */
};

/*
 * Fills `target` (zeroed by the caller) from `path`.  On a mistake: RC_INVALID
 * and err->msg "FILE:LINE: what, and what was expected"; `target` is then freed
 * and zeroed.  Unknown and doubled keys are mistakes.
 */
enum rc conf_load(const struct conf_schema *schema, const char *path, void *target,
		  struct err *err) MUST_CHECK;

/* The same from memory; `path` stands in the errors, and relative paths begin at its folder. */
enum rc conf_parse(const struct conf_schema *schema, const char *path, const void *text, size_t n,
		   void *target, struct err *err) MUST_CHECK;

/* Frees what conf_load() allocated, zeroes all fields. */
void conf_free(const struct conf_schema *schema, void *target);

/* The commented reference: the head, then each key with help, default, unit and bounds. */
void conf_write_reference(const struct conf_schema *schema, FILE *out);

#endif
