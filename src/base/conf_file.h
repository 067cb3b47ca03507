/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the configuration: a file as libyaml's events, one at a time, and the words in
 * which a mistake in it is told, with file and line.  Knows nothing of tables.
 */
#ifndef GATEHOUSE_BASE_CONF_FILE_H
#define GATEHOUSE_BASE_CONF_FILE_H

#include <yaml.h>

#include "base/base.h"

struct conf_file {
	const char *path;
	struct err *err;
	yaml_parser_t parser;
	yaml_event_t at; /* what is looked at */
};

/* Both, and the text, are borrowed until the file is closed. */
enum rc conf_file_open(struct conf_file *file, const char *path, const void *text, size_t n,
		       struct err *err) MUST_CHECK;
void conf_file_close(struct conf_file *file);

/* Goes on to the next event.  Anchors, aliases and tags are mistakes. */
enum rc conf_file_next(struct conf_file *file) MUST_CHECK;
/* The line of what is looked at. */
size_t conf_file_line(const struct conf_file *file);
/* True where a section was written and nothing in it, as when all is commented out. */
bool conf_file_at_nothing(const struct conf_file *file);
/* "a value", "a list", ...: what is looked at. */
const char *conf_file_what(const struct conf_file *file);
/* A name as found, for a search, which goes with the event; NULL and a mistake when it
 * can't be one. */
const char *conf_file_name(struct conf_file *file, const char *expected);

/* Fills the file's err; always RC_INVALID. */
enum rc conf_file_mistake(struct conf_file *file, size_t line, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
