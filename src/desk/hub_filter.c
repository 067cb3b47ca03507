/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may see which alarm, and who wants to.
 *
 * Rights come first: a console sees the areas of its station, with all below
 * them; what it asks for can only be less.  A change whose site the register
 * doesn't have (any more) is nobody's area: operators at the server see it.  One
 * that the server raised about itself has no site and may concern anybody: every
 * station sees it, whatever areas it asked for.
 *
 * An area that the register doesn't know matches nothing; it is not the same as
 * asking for all.
 *
 * Owner: the hub.
 */
#include <stdlib.h>

#include "hub_priv.h"

void
hub_filter_init(struct hub_filter *filter, struct hub_subscribe *from)
{
	*filter = (struct hub_filter){
		.station_id = from->station_id,
		.severity_min = from->severity_min,
		.areas = from->areas,
		.n_areas = from->n_areas,
		.kinds = from->kinds,
		.n_kinds = from->n_kinds,
	};
	from->areas = NULL;
	from->kinds = NULL;
}

void
hub_filter_fini(struct hub_filter *filter)
{
	free(filter->areas);
	free(filter->kinds);
	free(filter->found);
	*filter = (struct hub_filter){0};
}

void
hub_filter_resolve(struct hub_filter *filter, const struct reg *reg)
{
	free(filter->found);
	filter->reg = reg;
	filter->found = xcalloc(filter->n_areas + 1, sizeof(const struct area *));
	for (size_t i = 0; reg != NULL && i < filter->n_areas; i++)
		filter->found[i] = reg_area_by_code(reg, filter->areas[i]);
}

const struct site *
hub_site(const struct reg *reg, const struct alarm_change *change)
{
	return reg != NULL ? reg_site(reg, change->site_id) : NULL;
}

static bool
change_is_servers(const struct alarm_change *change)
{
	return change->controller_id == 0 && change->site_id == 0;
}

static bool
filter_has_kind(const struct hub_filter *filter, uint16_t kind)
{
	for (size_t i = 0; i < filter->n_kinds; i++) {
		if (filter->kinds[i] == kind)
			return true;
	}
	return filter->n_kinds == 0;
}

static bool
filter_has_area(const struct hub_filter *filter, const struct site *site)
{
	for (size_t i = 0; i < filter->n_areas; i++) {
		if (site != NULL && filter->found[i] != NULL &&
		    area_within(site->area, filter->found[i]))
			return true;
	}
	return filter->n_areas == 0;
}

bool
hub_filter_passes(const struct hub_filter *filter, const struct alarm_change *change,
		  const struct site *site)
{
	if (change->severity < filter->severity_min || !filter_has_kind(filter, change->kind))
		return false;
	if (change_is_servers(change))
		return true;
	if (filter->station_id != 0 &&
	    (site == NULL || !station_covers_area(filter->reg, filter->station_id, site->area)))
		return false;
	return filter_has_area(filter, site);
}
