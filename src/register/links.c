/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belongs to what: a desk to sites and units, a unit and a group to doors.
 * Pairs of ids, sorted, and searched by halves; any thread after reg_build().
 *
 * A unit and its doors, and a group and its doors, are of one site: a right that is
 * granted by them must not lead into another landlord's house.
 */
#include <stdlib.h>

#include "register_priv.h"

const struct link_form link_forms[REG_LINKS] = {
	[REG_DESK_SITES] = {TABLE_DESKS, TABLE_SITES},
	[REG_DESK_UNITS] = {TABLE_DESKS, TABLE_UNITS},
	[REG_UNIT_DOORS] = {TABLE_UNITS, TABLE_DOORS},
	[REG_GROUP_DOORS] = {TABLE_GROUPS, TABLE_DOORS},
};

static int
compare_pairs(const void *a, const void *b)
{
	const struct reg_pair *left = a, *right = b;

	if (left->from != right->from)
		return left->from < right->from ? -1 : 1;
	return (left->to > right->to) - (left->to < right->to);
}

/* The site of a row of these tables; 0: desks have none of their own. */
static uint32_t
site_of(enum table_id id, const void *row)
{
	switch (id) {
	case TABLE_UNITS:
		return ((const struct unit *)row)->site_id;
	case TABLE_GROUPS:
		return ((const struct door_group *)row)->site_id;
	case TABLE_DOORS:
		return ((const struct door *)row)->site_id;
	case TABLE_SITES:
	case TABLE_DESKS:
	case TABLE_STATIONS:
	case TABLE_AREAS:
	case TABLE_CONTROLLERS:
	case TABLE_CONSOLES:
	case TABLE_COUNT:
		break;
	}
	return 0;
}

static enum rc
check_pair(const struct reg *reg, const struct link_form *form, const struct reg_pair *pair,
	   struct err *err)
{
	const char *from_what = table_forms[form->from].what, *to_what = table_forms[form->to].what;
	const void *from = table_find(reg, form->from, pair->from);
	const void *to = table_find(reg, form->to, pair->to);

	if (from == NULL || to == NULL)
		return err_invalid(err, "%s %u is linked to %s %u, one of which does not exist",
				   from_what, pair->from, to_what, pair->to);
	if (site_of(form->from, from) != 0 && site_of(form->from, from) != site_of(form->to, to))
		return err_invalid(err, "%s %u is linked to %s %u of another site", from_what,
				   pair->from, to_what, pair->to);
	return RC_OK;
}

enum rc
links_build(struct reg *reg, struct err *err)
{
	for (size_t l = 0; l < REG_LINKS; l++) {
		struct links *links = &reg->links[l];
		size_t kept = 0;

		if (links->n > 0)
			qsort(links->pairs, links->n, sizeof(*links->pairs), compare_pairs);
		for (size_t i = 0; i < links->n; i++) {
			if (check_pair(reg, &link_forms[l], &links->pairs[i], err) != RC_OK)
				return RC_INVALID;
			if (kept == 0 ||
			    compare_pairs(&links->pairs[kept - 1], &links->pairs[i]) != 0)
				links->pairs[kept++] = links->pairs[i];
		}
		links->n = kept;
	}
	return RC_OK;
}

/* Index of the first pair that is not before (from, to). */
static size_t
links_lower_bound(const struct links *links, uint32_t from, uint32_t to)
{
	const struct reg_pair wanted = {from, to};
	size_t low = 0, high = links->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_pairs(&links->pairs[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
reg_is_linked(const struct reg *reg, enum reg_link link, uint32_t from, uint32_t to)
{
	const struct links *links = &reg->links[link];
	size_t at = links_lower_bound(links, from, to);

	return at < links->n && links->pairs[at].from == from && links->pairs[at].to == to;
}

const struct reg_pair *
reg_links_of(const struct reg *reg, enum reg_link link, uint32_t from, size_t *n)
{
	const struct links *links = &reg->links[link];
	size_t begin = links_lower_bound(links, from, 0), end = begin;

	while (end < links->n && links->pairs[end].from == from)
		end++;
	*n = end - begin;
	return *n > 0 ? &links->pairs[begin] : NULL;
}
