/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing array, with the check that every reader of a ledger needs: the
 * file's numbers come from outside.
 *
 * Owner: whoever owns the map.
 */
#include "sim/number_map.h"

#include <stdlib.h>

void
number_map_add(struct number_map *map, uint32_t value)
{
	if (map->n == map->capacity) {
		map->capacity = map->capacity > 0 ? map->capacity * 2 : 64;
		map->values = xrealloc(map->values, map->capacity * sizeof(*map->values));
	}
	map->values[map->n++] = value;
}

enum rc
number_map_get(const struct number_map *map, const char *what, uint32_t number, uint32_t *value,
	       struct err *err)
{
	if (number >= map->n)
		return err_invalid(err, "the ledger names %s %u before it begins", what, number);
	*value = map->values[number];
	return RC_OK;
}

void
number_map_free(struct number_map *map)
{
	free(map->values);
	*map = (struct number_map){0};
}
