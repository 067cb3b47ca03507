/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the configuration: what the reader, the values and the reference share.
 */
#ifndef GATEHOUSE_BASE_CONF_PRIV_H
#define GATEHOUSE_BASE_CONF_PRIV_H

#include "base/conf.h"

/* Bytes of a section's or key's name: longer ones don't exist, so none is searched for. */
enum { CONF_NAME_MAX = 64 };

/* Bytes of "journal" in "journal.segment_mb"; 0 for a key of a list's item. */
size_t conf_section_len(const struct conf_key *key);
/* "segment_mb" in "journal.segment_mb". */
const char *conf_short_name(const struct conf_key *key);
bool conf_key_in_section(const struct conf_key *key, const char *section);

/* The section or list whose name is nearly `name` (at most CONF_NAME_MAX bytes);
 * `nearest` has room for CONF_NAME_MAX + 1.  False when none is near. */
bool conf_nearest_section(const struct conf_schema *schema, const char *name, char *nearest);
/* The key that was probably meant; NULL when none is near. */
const struct conf_key *conf_nearest_key(const struct conf_key *keys, size_t n, const char *section,
					const char *name);

/* "a whole number from 10 to 86400 (s)"; returns text. */
char *conf_expected(const struct conf_key *key, char *text, size_t size);
/* Decimal digits with at most a sign: no 0x, no 1e3, no blanks. */
bool conf_int_parse(const char *text, int64_t *value);
/* Puts a value in its place in the target; false when it is not what the key
 * expects.  `file` is where a relative path begins. */
bool conf_value_set(const struct conf_key *key, const char *file, const char *text, char *target);
/* Gives back what it holds and zeroes it. */
void conf_value_free(const struct conf_key *key, char *target);

#endif
