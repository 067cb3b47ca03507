/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A digest is a sum over rights, so that neither side has to be in an order, and no
 * card's key is in the ledger.
 */
#include "sim/lists.h"

#include <stdlib.h>

static struct lists_controller *
lists_get(struct lists *lists, const char *controller)
{
	uint32_t number = names_add(&lists->names, controller);

	while (number >= lists->capacity) {
		size_t capacity = lists->capacity > 0 ? lists->capacity * 2 : 64;

		lists->items = xrealloc(lists->items, capacity * sizeof(*lists->items));
		for (; lists->capacity < capacity; lists->capacity++)
			lists->items[lists->capacity] = (struct lists_controller){0};
	}
	return &lists->items[number];
}

void
lists_held(struct lists *lists, const char *controller, uint64_t number, uint64_t rights,
	   uint64_t digest)
{
	struct lists_controller *item = lists_get(lists, controller);

	item->has_list = true;
	item->number = number;
	item->held = (struct lists_side){rights, digest};
}

void
lists_begin_rows(struct lists *lists)
{
	for (size_t i = 0; i < lists->names.n; i++)
		lists->items[i].stored = (struct lists_side){0};
}

void
lists_stored(struct lists *lists, const char *controller, const struct held_right *right)
{
	struct lists_controller *item;

	/* of a controller that holds no list nothing is claimed */
	if (names_find(&lists->names, controller) == NAMES_NONE)
		return;
	item = lists_get(lists, controller);
	item->stored.rights++;
	item->stored.digest += held_right_digest(right);
}

void
lists_finish(const struct lists *lists, struct lists_result *result)
{
	*result = (struct lists_result){0};
	for (size_t i = 0; i < lists->names.n; i++) {
		const struct lists_controller *item = &lists->items[i];

		result->controllers++;
		result->rights += item->held.rights;
		if (item->held.rights == item->stored.rights &&
		    item->held.digest == item->stored.digest)
			continue;
		if (result->differing < LISTS_EXAMPLES)
			result->examples[result->differing] =
				names_text(&lists->names, (uint32_t)i);
		result->differing++;
	}
}

void
lists_fini(struct lists *lists)
{
	names_free(&lists->names);
	free(lists->items);
	*lists = (struct lists){0};
}
