/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a configuration file by its table.  Runs once at the start, in one
 * thread; keeps nothing.
 *
 * The parser's events are walked as they come, and whatever the table doesn't
 * expect ends the walk: so nesting is three levels deep at most, and the size
 * of the file is the only limit that is needed.
 */
#include "base/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "conf_file.h"
#include "conf_priv.h"

enum {
	/* the commented reference takes 15 KiB */
	CONF_FILE_MAX_BYTES = 1024 * 1024,
	/* of a value in an error */
	CONF_SHOWN_MAX = 60,
};

/* Where values of one mapping go: a section, or an item of a list. */
struct scope {
	const struct conf_key *keys;
	size_t n_keys;
	char label[2 * CONF_NAME_MAX]; /* "fleet." or "listeners[2].": before names in errors */
	const char *section;           /* of the keys wanted; "" in an item */
	char *target;
	size_t *lines; /* by key: where it was set; 0: not yet */
};

struct reader {
	const struct conf_schema *schema;
	char *target;
	struct conf_file file;
	size_t *key_lines;     /* by key */
	size_t *section_lines; /* by first key of the section: where it began; 0: not yet */
	size_t *list_lines;    /* by list */
};

/* ---- Names --------------------------------------------------------------- */

static enum rc
reader_unknown_section(struct reader *r, const char *name)
{
	char nearest[CONF_NAME_MAX + 1];

	if (!conf_nearest_section(r->schema, name, nearest))
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "unknown section \"%s\"", name);
	return conf_file_mistake(&r->file, conf_file_line(&r->file),
				 "unknown section \"%s\", did you mean \"%s\"?", name, nearest);
}

static enum rc
reader_unknown_key(struct reader *r, const struct scope *scope, const char *name)
{
	const struct conf_key *nearest =
		conf_nearest_key(scope->keys, scope->n_keys, scope->section, name);

	if (nearest == NULL)
		return conf_file_mistake(&r->file, conf_file_line(&r->file), "unknown key \"%s%s\"",
					 scope->label, name);
	return conf_file_mistake(&r->file, conf_file_line(&r->file),
				 "unknown key \"%s%s\", did you mean \"%s\"?", scope->label, name,
				 nearest->name);
}

/* ---- Values -------------------------------------------------------------- */

/* A number is shown as it is, all else in quotes. */
static enum rc
reader_bad_value(struct reader *r, const struct scope *scope, const struct conf_key *key)
{
	const char *text = (const char *)r->file.at.data.scalar.value;
	char expected[160];
	int64_t number;
	const char *quote = conf_int_parse(text, &number) ? "" : "\"";
	const char *cut = strlen(text) > CONF_SHOWN_MAX ? "..." : "";

	return conf_file_mistake(&r->file, conf_file_line(&r->file),
				 "\"%s%s\" is %s%.*s%s%s, expected %s", scope->label,
				 conf_short_name(key), quote, CONF_SHOWN_MAX, text, cut, quote,
				 conf_expected(key, expected, sizeof(expected)));
}

static enum rc
reader_value(struct reader *r, const struct scope *scope, const struct conf_key *key)
{
	enum rc rc = conf_file_next(&r->file);
	const char *text;
	char expected[160];

	if (rc != RC_OK)
		return rc;
	if (r->file.at.type != YAML_SCALAR_EVENT)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "\"%s%s\" is %s, expected %s", scope->label,
					 conf_short_name(key), conf_file_what(&r->file),
					 conf_expected(key, expected, sizeof(expected)));
	text = (const char *)r->file.at.data.scalar.value;
	/* "\0" in double quotes is YAML, but no text of ours */
	if (strlen(text) != r->file.at.data.scalar.length)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "\"%s%s\" has a zero byte, expected %s", scope->label,
					 conf_short_name(key),
					 conf_expected(key, expected, sizeof(expected)));
	if (!conf_value_set(key, r->file.path, text, scope->target))
		return reader_bad_value(r, scope, key);
	return RC_OK;
}

/* ---- Mappings ------------------------------------------------------------ */

static const struct conf_key *
scope_find(const struct scope *scope, const char *name)
{
	for (size_t i = 0; i < scope->n_keys; i++) {
		if (conf_key_in_section(&scope->keys[i], scope->section) &&
		    strcmp(conf_short_name(&scope->keys[i]), name) == 0)
			return &scope->keys[i];
	}
	return NULL;
}

static enum rc
reader_pair(struct reader *r, const struct scope *scope)
{
	const char *name = conf_file_name(&r->file, "the name of a key");
	const struct conf_key *key;
	size_t *line;

	if (name == NULL)
		return RC_INVALID;
	key = scope_find(scope, name);
	if (key == NULL)
		return reader_unknown_key(r, scope, name);
	line = &scope->lines[key - scope->keys];
	if (*line != 0)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "\"%s%s\" is set again, first in line %zu", scope->label,
					 name, *line);
	*line = conf_file_line(&r->file);
	return reader_value(r, scope, key);
}

/* The pairs of a mapping that has begun, up to its end. */
static enum rc
reader_pairs(struct reader *r, const struct scope *scope)
{
	enum rc rc;

	for (;;) {
		rc = conf_file_next(&r->file);
		if (rc != RC_OK || r->file.at.type == YAML_MAPPING_END_EVENT)
			return rc;
		rc = reader_pair(r, scope);
		if (rc != RC_OK)
			return rc;
	}
}

/* `line`: where a key that is missing would have stood. */
static enum rc
scope_fill(struct reader *r, const struct scope *scope, const struct conf_key *key, size_t line)
{
	char expected[160];

	if (scope->lines[key - scope->keys] != 0)
		return RC_OK;
	if (key->fallback == NULL)
		return conf_file_mistake(&r->file, line, "\"%s%s\" is missing, expected %s",
					 scope->label, conf_short_name(key),
					 conf_expected(key, expected, sizeof(expected)));
	must(conf_value_set(key, r->file.path, key->fallback, scope->target));
	return RC_OK;
}

static enum rc
scope_fill_all(struct reader *r, const struct scope *scope, size_t line)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < scope->n_keys; i++)
		rc = scope_fill(r, scope, &scope->keys[i], line);
	return rc;
}

/* ---- Lists --------------------------------------------------------------- */

static void **
list_items(const struct conf_list *list, char *target)
{
	return (void **)(void *)(target + list->items_offset);
}

static size_t *
list_count(const struct conf_list *list, char *target)
{
	return (size_t *)(void *)(target + list->count_offset);
}

static enum rc
reader_item(struct reader *r, const struct conf_list *list, char *item, size_t number)
{
	struct scope scope = {
		.keys = list->keys, .n_keys = list->n_keys, .section = "", .target = item};
	size_t line = conf_file_line(&r->file);
	enum rc rc;

	if (r->file.at.type != YAML_MAPPING_START_EVENT)
		return conf_file_mistake(&r->file, line, "\"%s[%zu]\" is %s, expected a mapping",
					 list->name, number, conf_file_what(&r->file));
	snprintf(scope.label, sizeof(scope.label), "%s[%zu].", list->name, number);
	scope.lines = xcalloc(list->n_keys, sizeof(*scope.lines));
	rc = reader_pairs(r, &scope);
	if (rc == RC_OK)
		rc = scope_fill_all(r, &scope, line);
	free(scope.lines);
	return rc;
}

/* The items of a list that has begun, up to its end.  An item counts from its
 * beginning on, so that conf_free() finds it half done. */
static enum rc
reader_items(struct reader *r, const struct conf_list *list)
{
	void **items = list_items(list, r->target);
	size_t *count = list_count(list, r->target);
	enum rc rc;

	for (;;) {
		rc = conf_file_next(&r->file);
		if (rc != RC_OK || r->file.at.type == YAML_SEQUENCE_END_EVENT)
			return rc;
		if (*count == list->max)
			return conf_file_mistake(&r->file, conf_file_line(&r->file),
						 "\"%s\" has more items, expected at most %zu",
						 list->name, list->max);
		*items = xrealloc(*items, (*count + 1) * list->item_size);
		char *item = (char *)*items + *count * list->item_size;

		memset(item, 0, list->item_size);
		++*count;
		rc = reader_item(r, list, item, *count);
		if (rc != RC_OK)
			return rc;
	}
}

/* ---- The file ------------------------------------------------------------ */

/* Says when a section or list stands twice. */
static enum rc
reader_begin(struct reader *r, const char *name, size_t *line)
{
	if (*line != 0)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "\"%s\" is set again, first in line %zu", name, *line);
	*line = conf_file_line(&r->file);
	return RC_OK;
}

static enum rc
reader_list(struct reader *r, const struct conf_list *list)
{
	enum rc rc = reader_begin(r, list->name, &r->list_lines[list - r->schema->lists]);

	if (rc == RC_OK)
		rc = conf_file_next(&r->file);
	if (rc != RC_OK || conf_file_at_nothing(&r->file))
		return rc;
	if (r->file.at.type != YAML_SEQUENCE_START_EVENT)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "\"%s\" is %s, expected a list", list->name,
					 conf_file_what(&r->file));
	return reader_items(r, list);
}

/* `first`: the first key of the section. */
static enum rc
reader_section(struct reader *r, const char *name, size_t first)
{
	struct scope scope = {.keys = r->schema->keys,
			      .n_keys = r->schema->n_keys,
			      .target = r->target,
			      .lines = r->key_lines};
	char section[CONF_NAME_MAX + 1];
	enum rc rc = reader_begin(r, name, &r->section_lines[first]);

	/* the name goes with the event that carries it */
	snprintf(section, sizeof(section), "%s", name);
	snprintf(scope.label, sizeof(scope.label), "%s.", name);
	scope.section = section;
	if (rc == RC_OK)
		rc = conf_file_next(&r->file);
	if (rc != RC_OK || conf_file_at_nothing(&r->file))
		return rc;
	if (r->file.at.type != YAML_MAPPING_START_EVENT)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "\"%s\" is %s, expected a mapping", section,
					 conf_file_what(&r->file));
	return reader_pairs(r, &scope);
}

static enum rc
reader_section_or_list(struct reader *r)
{
	const char *name = conf_file_name(&r->file, "the name of a section");

	if (name == NULL)
		return RC_INVALID;
	for (size_t i = 0; i < r->schema->n_lists; i++) {
		if (strcmp(r->schema->lists[i].name, name) == 0)
			return reader_list(r, &r->schema->lists[i]);
	}
	for (size_t i = 0; i < r->schema->n_keys; i++) {
		if (conf_key_in_section(&r->schema->keys[i], name))
			return reader_section(r, name, i);
	}
	return reader_unknown_section(r, name);
}

/* The document's mapping, from before its beginning to its end. */
static enum rc
reader_document(struct reader *r)
{
	enum rc rc = conf_file_next(&r->file);

	if (rc != RC_OK || conf_file_at_nothing(&r->file))
		return rc;
	if (r->file.at.type != YAML_MAPPING_START_EVENT)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "found %s, expected sections", conf_file_what(&r->file));
	for (;;) {
		rc = conf_file_next(&r->file);
		if (rc != RC_OK || r->file.at.type == YAML_MAPPING_END_EVENT)
			return rc;
		rc = reader_section_or_list(r);
		if (rc != RC_OK)
			return rc;
	}
}

/* Stream start, one document or none, stream end. */
static enum rc
reader_stream(struct reader *r)
{
	enum rc rc = conf_file_next(&r->file);

	if (rc == RC_OK)
		rc = conf_file_next(&r->file);
	if (rc != RC_OK || r->file.at.type == YAML_STREAM_END_EVENT)
		return rc;
	rc = reader_document(r);
	if (rc == RC_OK) /* the document's end */
		rc = conf_file_next(&r->file);
	if (rc == RC_OK)
		rc = conf_file_next(&r->file);
	if (rc == RC_OK && r->file.at.type != YAML_STREAM_END_EVENT)
		return conf_file_mistake(&r->file, conf_file_line(&r->file),
					 "found another document, expected only one");
	return rc;
}

/* What the file left out, with the line where one would look for it. */
static enum rc
reader_fill(struct reader *r)
{
	const struct conf_schema *schema = r->schema;
	struct scope scope = {.keys = schema->keys,
			      .n_keys = schema->n_keys,
			      .target = r->target,
			      .lines = r->key_lines};
	size_t first = 0;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < schema->n_keys; i++) {
		size_t len = conf_section_len(&schema->keys[i]);
		size_t line;

		snprintf(scope.label, sizeof(scope.label), "%.*s.", (int)len, schema->keys[i].name);
		/* sections stand together: another name begins another section */
		if (strncmp(schema->keys[first].name, schema->keys[i].name, len + 1) != 0)
			first = i;
		line = r->section_lines[first] != 0 ? r->section_lines[first]
						    : conf_file_line(&r->file);
		rc = scope_fill(r, &scope, &schema->keys[i], line);
	}
	for (size_t i = 0; rc == RC_OK && i < schema->n_lists; i++) {
		const struct conf_list *list = &schema->lists[i];
		size_t n = *list_count(list, r->target);

		if (n < list->min)
			rc = conf_file_mistake(&r->file,
					       r->list_lines[i] != 0 ? r->list_lines[i]
								     : conf_file_line(&r->file),
					       "\"%s\" has %zu items, expected at least %zu",
					       list->name, n, list->min);
	}
	return rc;
}

enum rc
conf_parse(const struct conf_schema *schema, const char *path, const void *text, size_t n,
	   void *target, struct err *err)
{
	struct reader r = {.schema = schema, .target = target};
	enum rc rc;

	if (n > CONF_FILE_MAX_BYTES)
		return err_invalid(err, "%.160s:1: the file has %zu bytes, expected at most %d",
				   path, n, CONF_FILE_MAX_BYTES);
	rc = conf_file_open(&r.file, path, text, n, err);
	if (rc != RC_OK)
		return rc;
	/* one more each: the table may have none of a sort */
	r.key_lines = xcalloc(schema->n_keys + 1, sizeof(size_t));
	r.section_lines = xcalloc(schema->n_keys + 1, sizeof(size_t));
	r.list_lines = xcalloc(schema->n_lists + 1, sizeof(size_t));

	rc = reader_stream(&r);
	if (rc == RC_OK)
		rc = reader_fill(&r);
	if (rc == RC_OK && schema->check != NULL)
		rc = schema->check(path, target, err);
	if (rc != RC_OK)
		conf_free(schema, target);

	free(r.list_lines);
	free(r.section_lines);
	free(r.key_lines);
	conf_file_close(&r.file);
	return rc;
}

enum rc
conf_load(const struct conf_schema *schema, const char *path, void *target, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n;
	enum rc rc;

	rc = fs_read_file(path, CONF_FILE_MAX_BYTES, &bytes, &n, err);
	if (rc == RC_OK)
		rc = conf_parse(schema, path, bytes, n, target, err);
	free(bytes);
	return rc;
}

void
conf_free(const struct conf_schema *schema, void *target)
{
	for (size_t i = 0; i < schema->n_keys; i++)
		conf_value_free(&schema->keys[i], target);
	for (size_t i = 0; i < schema->n_lists; i++) {
		const struct conf_list *list = &schema->lists[i];
		void **items = list_items(list, target);
		size_t *count = list_count(list, target);

		for (size_t item = 0; item < *count; item++) {
			for (size_t k = 0; k < list->n_keys; k++)
				conf_value_free(&list->keys[k],
						(char *)*items + item * list->item_size);
		}
		free(*items);
		*items = NULL;
		*count = 0;
	}
}
