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
 * An alarm calls the station of its area; each escalation calls one more: the next one
 * up the tree of areas, then that at its root.
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
		.called_only = from->called_only,
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

/* ---- Stations ------------------------------------------------------------------------ */

/* Deeper trees of stations than that call the root's after the next one up all the same. */
enum { STATIONS_UP_MAX = 32 };

/* The stations from the area upwards, each once; the last is that of the root. */
static size_t
stations_up(const struct reg *reg, const struct area *area,
	    const struct station *up[STATIONS_UP_MAX])
{
	size_t n = 0;

	for (; area != NULL; area = area->parent) {
		const struct station *station = reg_station(reg, area->station_id);

		if (station == NULL || (n > 0 && up[n - 1] == station))
			continue;
		if (n == STATIONS_UP_MAX)
			n--;
		up[n++] = station;
	}
	return n;
}

unsigned
hub_escalations_max(const struct reg *reg, const struct alarm_change *change)
{
	const struct station *up[STATIONS_UP_MAX];
	const struct site *site = hub_site(reg, change);
	size_t n = site != NULL ? stations_up(reg, site->area, up) : 0;

	return n > 2 ? 2 : n > 1 ? 1 : 0;
}

static void
called_add(const struct station *called[ALARM_CALLED_MAX], size_t *n, const struct station *station)
{
	for (size_t i = 0; i < *n; i++) {
		if (called[i] == station)
			return;
	}
	called[(*n)++] = station;
}

size_t
hub_called(const struct reg *reg, const struct alarm_change *change,
	   const struct station *called[ALARM_CALLED_MAX])
{
	const struct station *up[STATIONS_UP_MAX];
	const struct site *site = hub_site(reg, change);
	size_t n_up = site != NULL ? stations_up(reg, site->area, up) : 0, n = 0;
	const struct station *handed =
		reg != NULL ? reg_station(reg, change->handed_station_id) : NULL;

	if (n_up > 0)
		called_add(called, &n, up[0]);
	if (handed != NULL)
		called_add(called, &n, handed);
	if (n_up > 1 && change->escalation > 0)
		called_add(called, &n, up[1]);
	if (n_up > 2 && change->escalation > 1)
		called_add(called, &n, up[n_up - 1]);
	return n;
}

static bool
station_is_called(const struct reg *reg, uint32_t station_id, const struct alarm_change *change)
{
	const struct station *called[ALARM_CALLED_MAX];
	size_t n = hub_called(reg, change, called);

	for (size_t i = 0; i < n; i++) {
		if (called[i]->id == station_id)
			return true;
	}
	return false;
}

static bool
station_sees(const struct reg *reg, uint32_t station_id, const struct alarm_change *change,
	     const struct site *site)
{
	return change_is_servers(change) || change->handed_station_id == station_id ||
	       (site != NULL && station_covers_area(reg, station_id, site->area));
}

bool
hub_station_sees(const struct reg *reg, uint32_t station_id, const struct alarm_change *change)
{
	return reg != NULL && station_sees(reg, station_id, change, hub_site(reg, change));
}

bool
hub_filter_passes(const struct hub_filter *filter, const struct alarm_change *change,
		  const struct site *site)
{
	if (change->severity < filter->severity_min || !filter_has_kind(filter, change->kind))
		return false;
	if (change_is_servers(change))
		return true;
	if (filter->station_id != 0 && !station_sees(filter->reg, filter->station_id, change, site))
		return false;
	if (filter->called_only && !station_is_called(filter->reg, filter->station_id, change))
		return false;
	return filter_has_area(filter, site);
}
