/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interned texts over uthash.  A name and its text are one allocation that
 * never moves, so that what names_text() returned stays valid until the end.
 *
 * Owner: whoever owns the table.  It never forgets a text: its size is that of
 * the log or ledger behind it, whose reader has the limits.
 */
#include "sim/names.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct name {
	UT_hash_handle hh;
	uint32_t number;
	char text[];
};

static struct name *
names_get(const struct names *names, const char *text, size_t len)
{
	struct name *found;

	HASH_FIND(hh, names->by_text, text, len, found);
	return found;
}

uint32_t
names_find(const struct names *names, const char *text)
{
	const struct name *name = names_get(names, text, strlen(text));

	return name != NULL ? name->number : NAMES_NONE;
}

uint32_t
names_add(struct names *names, const char *text)
{
	size_t len = strlen(text);
	struct name *name = names_get(names, text, len);

	if (name != NULL)
		return name->number;
	must(names->n < NAMES_NONE);
	if (names->n == names->capacity) {
		names->capacity = names->capacity > 0 ? names->capacity * 2 : 64;
		names->items = xrealloc(names->items, names->capacity * sizeof(struct name *));
	}
	name = xcalloc(1, sizeof(*name) + len + 1);
	memcpy(name->text, text, len + 1);
	name->number = (uint32_t)names->n;
	names->items[names->n++] = name;
	HASH_ADD_KEYPTR(hh, names->by_text, name->text, len, name);
	return name->number;
}

const char *
names_text(const struct names *names, uint32_t number)
{
	must(number < names->n);
	return names->items[number]->text;
}

void
names_free(struct names *names)
{
	HASH_CLEAR(hh, names->by_text);
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct names){0};
}
