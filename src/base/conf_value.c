/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and values of the configuration's table: what a text means for a key,
 * and which name was probably meant.  Pure but for the memory of texts, which
 * belongs to the target; any thread.
 *
 * Says only yes or no: the mistake with file and line is told by conf.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_priv.h"

/* ---- Names --------------------------------------------------------------- */

size_t
conf_section_len(const struct conf_key *key)
{
	const char *dot = strchr(key->name, '.');

	return dot != NULL ? (size_t)(dot - key->name) : 0;
}

const char *
conf_short_name(const struct conf_key *key)
{
	const char *dot = strchr(key->name, '.');

	return dot != NULL ? dot + 1 : key->name;
}

bool
conf_key_in_section(const struct conf_key *key, const char *section)
{
	size_t len = conf_section_len(key);

	return strlen(section) == len && memcmp(section, key->name, len) == 0;
}

/* Levenshtein's distance, with one row of its table at a time. */
static size_t
name_distance(const char *a, const char *b)
{
	size_t row[CONF_NAME_MAX + 1];
	size_t b_len = strlen(b);

	must(strlen(a) <= CONF_NAME_MAX && b_len <= CONF_NAME_MAX);
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= b_len; j++) {
			size_t changed = diagonal + (a[i] != b[j - 1]);
			size_t inserted = row[j - 1] + 1;
			size_t left_out = row[j] + 1;

			diagonal = row[j];
			row[j] = changed < inserted ? changed : inserted;
			if (left_out < row[j])
				row[j] = left_out;
		}
	}
	return row[b_len];
}

/* So many letters are a slip of the fingers; more are another word. */
static size_t
name_distance_max(const char *name)
{
	return 1 + strlen(name) / 3;
}

bool
conf_nearest_section(const struct conf_schema *schema, const char *name, char *nearest)
{
	size_t best = name_distance_max(name) + 1;

	nearest[0] = '\0';
	for (size_t i = 0; i < schema->n_keys + schema->n_lists; i++) {
		bool is_key = i < schema->n_keys;
		const char *candidate =
			is_key ? schema->keys[i].name : schema->lists[i - schema->n_keys].name;
		size_t len = is_key ? conf_section_len(&schema->keys[i]) : strlen(candidate);
		char section[CONF_NAME_MAX + 1];
		size_t distance;

		snprintf(section, sizeof(section), "%.*s", (int)len, candidate);
		distance = name_distance(name, section);
		if (distance < best) {
			best = distance;
			memcpy(nearest, section, sizeof(section));
		}
	}
	return nearest[0] != '\0';
}

const struct conf_key *
conf_nearest_key(const struct conf_key *keys, size_t n, const char *section, const char *name)
{
	const struct conf_key *nearest = NULL;
	size_t best = name_distance_max(name) + 1;

	for (size_t i = 0; i < n; i++) {
		size_t distance = name_distance(name, conf_short_name(&keys[i]));

		/* the right name in the wrong section is a slip, too */
		if (!conf_key_in_section(&keys[i], section))
			distance++;
		if (distance < best) {
			best = distance;
			nearest = &keys[i];
		}
	}
	return nearest;
}

/* ---- Values -------------------------------------------------------------- */

static char *
choices_text(const char *const *choices, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; choices[i] != NULL && used < size; i++) {
		const char *comma = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";

		used += (size_t)snprintf(text + used, size - used, "%s%s", comma, choices[i]);
	}
	return text;
}

char *
conf_expected(const struct conf_key *key, char *text, size_t size)
{
	switch (key->type) {
	case CONF_INT:
		snprintf(text, size, "a whole number from %" PRId64 " to %" PRId64 "%s%s%s",
			 key->min, key->max, key->unit[0] != '\0' ? " (" : "", key->unit,
			 key->unit[0] != '\0' ? ")" : "");
		break;
	case CONF_BOOL:
		snprintf(text, size, "true or false");
		break;
	case CONF_STRING:
		snprintf(text, size, "a text of %" PRId64 " to %" PRId64 " bytes", key->min,
			 key->max);
		break;
	case CONF_PATH:
		snprintf(text, size, "a path of %" PRId64 " to %" PRId64 " bytes", key->min,
			 key->max);
		break;
	case CONF_CHOICE:
		choices_text(key->choices, text, size);
		break;
	}
	return text;
}

bool
conf_int_parse(const char *text, int64_t *value)
{
	const char *digits = text[0] == '-' ? text + 1 : text;

	if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return false;
	errno = 0;
	*value = strtoll(text, NULL, 10);
	return errno == 0;
}

static bool
int_set(const struct conf_key *key, const char *text, int64_t *field)
{
	int64_t value;

	if (!conf_int_parse(text, &value) || value < key->min || value > key->max)
		return false;
	*field = value;
	return true;
}

static bool
bool_set(const char *text, bool *field)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return false;
	*field = text[0] == 't';
	return true;
}

static bool
choice_set(const struct conf_key *key, const char *text, int64_t *field)
{
	for (int64_t i = 0; key->choices[i] != NULL; i++) {
		if (strcmp(key->choices[i], text) == 0) {
			*field = i;
			return true;
		}
	}
	return false;
}

static bool
text_fits(const struct conf_key *key, const char *text)
{
	size_t len = strlen(text);

	return len >= (size_t)key->min && len <= (size_t)key->max;
}

/* A relative path begins at the folder of the file; an empty one stays empty: "none". */
static char *
path_from(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || path[0] == '\0' || slash == NULL)
		return xstrdup(path);
	return xasprintf("%.*s/%s", (int)(slash - file), file, path);
}

/* The bounds are the whole path's: a socket's, say, are the kernel's. */
static bool
path_set(const struct conf_key *key, const char *file, const char *text, char **field)
{
	/* where none is allowed to be, nothing is none, and not the folder */
	char *path = text[0] == '\0' ? xstrdup("") : path_from(file, text);

	if (!text_fits(key, path)) {
		free(path);
		return false;
	}
	*field = path;
	return true;
}

bool
conf_value_set(const struct conf_key *key, const char *file, const char *text, char *target)
{
	void *field = target + key->offset;

	switch (key->type) {
	case CONF_INT:
		return int_set(key, text, field);
	case CONF_BOOL:
		return bool_set(text, field);
	case CONF_CHOICE:
		return choice_set(key, text, field);
	case CONF_STRING:
		if (!text_fits(key, text))
			return false;
		*(char **)field = xstrdup(text);
		return true;
	case CONF_PATH:
		return path_set(key, file, text, field);
	}
	must(!"a type of the table");
	return false;
}

void
conf_value_free(const struct conf_key *key, char *target)
{
	void *field = target + key->offset;

	switch (key->type) {
	case CONF_INT:
	case CONF_CHOICE:
		*(int64_t *)field = 0;
		break;
	case CONF_BOOL:
		*(bool *)field = false;
		break;
	case CONF_STRING:
	case CONF_PATH:
		free(*(char **)field);
		*(char **)field = NULL;
		break;
	}
}
