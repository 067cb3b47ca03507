/* SPDX-License-Identifier: Apache-2.0 */
/* Consoles sorted by name. */
#include "web/directory.h"

#include <stdlib.h>
#include <string.h>

struct directory {
	struct directory_console *items;
	size_t n;
	bool known;
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
	directory->items = NULL;
	directory->n = 0;
}

static int
console_compare(const void *a, const void *b)
{
	const struct directory_console *x = a, *y = b;

	return strcmp(x->name, y->name);
}

enum rc
directory_set(struct directory *directory, const json_t *array, struct err *err)
{
	struct directory fresh = {.known = true};
	size_t index;
	json_t *row;

	fresh.items = xcalloc(json_array_size(array) + 1, sizeof(*fresh.items));
	json_array_foreach (array, index, row) {
		const char *name, *station, *right;
		int enabled;

		if (json_unpack(row, "{s:s, s:s, s:b, s:s}", "name", &name, "station", &station,
				"enabled", &enabled, "right", &right) != 0) {
			directory_clear(&fresh);
			return err_invalid(err, "row %zu of the consoles is not one", index);
		}
		fresh.items[fresh.n++] = (struct directory_console){
			.name = xstrdup(name),
			.station = xstrdup(station),
			.enabled = enabled != 0,
			.right = web_right_by_name(right),
		};
	}
	if (fresh.n > 0)
		qsort(fresh.items, fresh.n, sizeof(*fresh.items), console_compare);
	directory_clear(directory);
	*directory = fresh;
	return RC_OK;
}

bool
directory_is_known(const struct directory *directory)
{
	return directory->known;
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
	free(*out);
	*out = NULL;
}
