/* SPDX-License-Identifier: Apache-2.0 */
/* Consoles sorted by name; and the rows that they were made of, to be kept. */
#include "web/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

#define KEPT_NAME "consoles.json"

enum { KEPT_MAX_BYTES = 64 << 20, KEPT_RENEW_S = 3600 };

struct directory {
	struct directory_console *items;
	size_t n;
	json_t *rows; /* NULL: it was never set */
	bool fresh;
	json_t *kept_rows; /* those in the file, where we wrote or read it */
	int64_t kept_s;
};

struct directory *
directory_new(void)
{
	return xcalloc(1, sizeof(struct directory));
}

static void
directory_clear(struct directory *directory)
{
	for (size_t i = 0; i < directory->n; i++) {
		free(directory->items[i].name);
		free(directory->items[i].station);
	}
	free(directory->items);
	json_decref(directory->rows);
	directory->items = NULL;
	directory->rows = NULL;
	directory->n = 0;
}

static int
console_compare(const void *a, const void *b)
{
	const struct directory_console *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static enum rc
directory_add(struct directory *directory, const json_t *row, struct err *err)
{
	const char *name, *station, *right;
	json_error_t why;
	int enabled;

	/* jansson's unpacking changes nothing, but says so only for borrowed values */
	if (json_unpack_ex((json_t *)(uintptr_t)row, &why, 0, "{s:s, s:s, s:b, s:s}", "name", &name,
			   "station", &station, "enabled", &enabled, "right", &right) != 0)
		return err_invalid(err, "row %zu of the consoles is not one: %s", directory->n,
				   why.text);
	directory->items[directory->n++] = (struct directory_console){
		.name = xstrdup(name),
		.station = xstrdup(station),
		.enabled = enabled != 0,
		.right = web_right_by_name(right),
	};
	return RC_OK;
}

/* Takes over all but what is in the file. */
static enum rc
directory_replace(struct directory *directory, json_t *rows, bool fresh, struct err *err)
{
	struct directory made = {
		.fresh = fresh, .kept_rows = directory->kept_rows, .kept_s = directory->kept_s};
	size_t index;
	json_t *row;

	if (!json_is_array(rows))
		return err_invalid(err, "the consoles are no list");
	made.items = xcalloc(json_array_size(rows) + 1, sizeof(*made.items));
	json_array_foreach (rows, index, row) {
		if (directory_add(&made, row, err) != RC_OK) {
			directory_clear(&made);
			return RC_INVALID;
		}
	}
	if (made.n > 0)
		qsort(made.items, made.n, sizeof(*made.items), console_compare);
	made.rows = json_incref(rows);
	directory_clear(directory);
	*directory = made;
	return RC_OK;
}

enum rc
directory_set(struct directory *directory, json_t *rows, struct err *err)
{
	return directory_replace(directory, rows, true, err);
}

bool
directory_is_known(const struct directory *directory)
{
	return directory->rows != NULL;
}

bool
directory_is_fresh(const struct directory *directory)
{
	return directory->fresh;
}

const struct directory_console *
directory_find(const struct directory *directory, const char *name)
{
	const struct directory_console key = {.name = (char *)(uintptr_t)name};
	const struct directory_console *found =
		directory->n == 0 ? NULL
				  : bsearch(&key, directory->items, directory->n,
					    sizeof(*directory->items), console_compare);

	return found != NULL && found->enabled ? found : NULL;
}

void
directory_free(struct directory **out)
{
	if (*out == NULL)
		return;
	directory_clear(*out);
	json_decref((*out)->kept_rows);
	free(*out);
	*out = NULL;
}

/* ---- The file ---------------------------------------------------------------------- */

static bool
directory_is_kept(const struct directory *directory, int64_t now_s)
{
	return directory->kept_rows != NULL &&
	       json_equal(directory->kept_rows, directory->rows) != 0 &&
	       now_s - directory->kept_s < KEPT_RENEW_S;
}

enum rc
directory_keep(struct directory *directory, const char *dir, int64_t now_s, struct err *err)
{
	json_t *root;
	char *text;
	enum rc rc;

	must(directory->rows != NULL);
	if (directory_is_kept(directory, now_s))
		return RC_OK;
	root = json_pack("{s:I, s:O}", "read_at_s", (json_int_t)now_s, "consoles", directory->rows);
	text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (text == NULL)
		return err_fail(err, "could not write \"%s/%s\" as JSON", dir, KEPT_NAME);
	rc = fs_replace_file(dir, KEPT_NAME, text, strlen(text), err);
	free(text);
	if (rc != RC_OK)
		return rc;
	json_decref(directory->kept_rows);
	directory->kept_rows = json_incref(directory->rows);
	directory->kept_s = now_s;
	return RC_OK;
}

/* What stands in the file: *rows, new, and when they were read.  RC_EOF: there is none. */
static enum rc
kept_read(const char *path, json_t **rows, json_int_t *read_at_s, struct err *err)
{
	json_error_t why;
	json_t *root;
	uint8_t *text = NULL;
	size_t n;
	enum rc rc = fs_read_file(path, KEPT_MAX_BYTES, &text, &n, err);

	if (rc != RC_OK)
		return err->sys == ENOENT ? RC_EOF : rc;
	root = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, &why);
	if (root == NULL || json_unpack_ex(root, &why, 0, "{s:I, s:O}", "read_at_s", read_at_s,
					   "consoles", rows) != 0)
		rc = err_invalid(err, "\"%s\" is damaged: %s", path, why.text);
	json_decref(root);
	free(text);
	return rc;
}

enum rc
directory_load(struct directory *directory, const char *dir, int64_t now_s, int64_t age_max_s,
	       struct err *err)
{
	char *path = xasprintf("%s/%s", dir, KEPT_NAME);
	json_int_t read_at_s = 0;
	json_t *rows = NULL;
	enum rc rc = kept_read(path, &rows, &read_at_s, err);

	free(path);
	if (rc == RC_OK && (read_at_s <= now_s - age_max_s || read_at_s > now_s))
		rc = RC_EOF;
	if (rc == RC_OK)
		rc = directory_replace(directory, rows, false, err);
	if (rc == RC_OK) {
		json_decref(directory->kept_rows);
		directory->kept_rows = json_incref(rows);
		directory->kept_s = read_at_s;
	}
	json_decref(rows);
	return rc;
}
