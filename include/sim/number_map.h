/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that hold within one file of a ledger, and what each stands for
 * beyond it.  Numbers are given in order: 0, 1, 2, ..
 */
#ifndef GATEHOUSE_SIM_NUMBER_MAP_H
#define GATEHOUSE_SIM_NUMBER_MAP_H

#include "base/base.h"

/* Zeroed: empty.  Setting n to 0 begins anew. */
struct number_map {
	uint32_t *values;
	size_t n, capacity;
};

/* What the next number stands for. */
void number_map_add(struct number_map *map, uint32_t value);
/* RC_INVALID when the number was not given yet; `what` names it. */
enum rc number_map_get(const struct number_map *map, const char *what, uint32_t number,
		       uint32_t *value, struct err *err) MUST_CHECK;
void number_map_free(struct number_map *map);

#endif
