/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many alarms arrive at a site.  For each site, and each kind of group that it could
 * have, the last different alarms that arrived: as many as make a group.  Whether that is
 * many is seen from the oldest and the newest of them, without a count that has to be
 * kept true as time goes by.
 *
 * An alarm that arrives again takes its newer place, so that one door that chatters is no
 * flood.
 *
 * Bounds: a site where nothing arrived for a window is forgotten by the arrivals
 * elsewhere, each of which looks at the one that has waited the longest.
 *
 * Owner: the desk.
 */
#include <stdlib.h>
#include <string.h>

#include "desk_priv.h"
#include "wire/kind.h"

void
arrivals_init(struct arrivals_set *set)
{
	*set = (struct arrivals_set){0};
	TAILQ_INIT(&set->order);
	TAILQ_INIT(&set->ready);
}

void
arrivals_clear(struct arrivals_set *set)
{
	struct arrivals *arrivals;

	while ((arrivals = TAILQ_FIRST(&set->order)) != NULL)
		arrivals_drop(set, arrivals);
}

uint16_t
arrivals_group_kind(uint32_t kind)
{
	const struct kind *row = kind_get(kind);

	if (row == NULL || (row->flags & (KIND_FLAG_ALONE | KIND_FLAG_GROUP)) != 0)
		return 0;
	return kind == KIND_CODE_CONTROLLER_LOST ? KIND_CODE_SITE_LOST : KIND_CODE_ALARM_FLOOD;
}

struct arrivals *
arrivals_find(const struct arrivals_set *set, uint32_t site_id, uint32_t kind)
{
	struct arrivals_key key = {.site_id = site_id, .kind = kind};
	struct arrivals *arrivals;

	HASH_FIND(hh, set->by_key, &key, sizeof(key), arrivals);
	return arrivals;
}

static struct arrivals *
arrivals_new(struct arrivals_set *set, const struct arrivals_key *key, size_t full,
	     int64_t window_us)
{
	struct arrivals *arrivals =
		xcalloc(1, sizeof(*arrivals) + full * sizeof(arrivals->last[0]));

	arrivals->key = *key;
	arrivals->full = full;
	arrivals->window_us = window_us;
	TAILQ_INIT(&arrivals->open);
	HASH_ADD(hh, set->by_key, key, sizeof(arrivals->key), arrivals);
	TAILQ_INSERT_TAIL(&set->order, arrivals, in_order);
	return arrivals;
}

struct arrivals *
arrivals_get(struct desk *desk, uint32_t site_id, uint32_t kind)
{
	const struct desk_groups_conf *conf = &desk->conf.groups;
	struct arrivals_key key = {.site_id = site_id, .kind = kind};
	bool flood = kind == KIND_CODE_ALARM_FLOOD;
	size_t full = flood ? conf->flood_begin + 1 : conf->lost_begin;
	int64_t window_us = flood ? conf->flood_window_us : conf->lost_window_us;
	struct arrivals *arrivals;

	if (window_us == 0)
		return NULL;
	arrivals = arrivals_find(&desk->arrivals, site_id, kind);
	return arrivals != NULL ? arrivals : arrivals_new(&desk->arrivals, &key, full, window_us);
}

void
arrivals_drop(struct arrivals_set *set, struct arrivals *arrivals)
{
	struct alarm *alarm;

	while ((alarm = TAILQ_FIRST(&arrivals->open)) != NULL)
		arrivals_unlink(alarm);
	if (arrivals->ready)
		TAILQ_REMOVE(&set->ready, arrivals, in_ready);
	TAILQ_REMOVE(&set->order, arrivals, in_order);
	HASH_DEL(set->by_key, arrivals);
	free(arrivals);
}

/* ---- Who is open there ---------------------------------------------------------------- */

void
arrivals_unlink(struct alarm *alarm)
{
	if (alarm->arrivals == NULL)
		return;
	TAILQ_REMOVE(&alarm->arrivals->open, alarm, in_arrived);
	alarm->arrivals = NULL;
	alarm->arrived_us = 0;
}

void
arrivals_link(struct arrivals *arrivals, struct alarm *alarm, int64_t at_us)
{
	arrivals_unlink(alarm);
	alarm->arrived_us = at_us;
	alarm->arrivals = arrivals;
	TAILQ_INSERT_TAIL(&arrivals->open, alarm, in_arrived);
}

/* ---- The last ------------------------------------------------------------------------- */

static void
arrivals_remove_at(struct arrivals *arrivals, size_t at)
{
	arrivals->n--;
	memmove(&arrivals->last[at], &arrivals->last[at + 1],
		(arrivals->n - at) * sizeof(arrivals->last[0]));
}

void
arrivals_forget(struct arrivals *arrivals, uint64_t alarm_id)
{
	for (size_t i = 0; i < arrivals->n; i++) {
		if (arrivals->last[i].alarm_id == alarm_id) {
			arrivals_remove_at(arrivals, i);
			return;
		}
	}
}

void
arrivals_put(struct arrivals_set *set, struct arrivals *arrivals, const struct arrival *arrival)
{
	arrivals_forget(arrivals, arrival->alarm_id);
	if (arrivals->n == arrivals->full)
		arrivals_remove_at(arrivals, 0);
	arrivals->last[arrivals->n++] = *arrival;
	arrivals->newest_us = arrival->at_us;
	TAILQ_REMOVE(&set->order, arrivals, in_order);
	TAILQ_INSERT_TAIL(&set->order, arrivals, in_order);
	if (!arrivals->ready && !arrivals->asked && arrivals_are_many(arrivals)) {
		TAILQ_INSERT_TAIL(&set->ready, arrivals, in_ready);
		arrivals->ready = true;
	}
}

void
arrivals_age(struct arrivals_set *set, int64_t now_us)
{
	struct arrivals *oldest = TAILQ_FIRST(&set->order);

	if (oldest != NULL && !arrivals_is_within(oldest, oldest->newest_us, now_us))
		arrivals_drop(set, oldest);
}

/* The server's clock may go backwards: then what was before is far away, too. */
bool
arrivals_is_within(const struct arrivals *arrivals, int64_t then_us, int64_t now_us)
{
	int64_t apart = now_us - then_us;

	return (apart < 0 ? -apart : apart) < arrivals->window_us;
}

bool
arrivals_are_many(const struct arrivals *arrivals)
{
	return arrivals->n == arrivals->full &&
	       arrivals_is_within(arrivals, arrivals->last[0].at_us,
				  arrivals->last[arrivals->n - 1].at_us);
}

int64_t
arrivals_fewer_us(const struct arrivals *arrivals, size_t n)
{
	if (arrivals->n < n)
		return 0;
	return arrivals->last[arrivals->n - n].at_us + arrivals->window_us;
}
