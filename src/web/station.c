/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things from one stream of changes: a table of the alarms that stand, and a ring
 * of the last changes as frames.  A change is made into a frame once, for all pages.
 *
 * Invariants: the ring holds every change behind `ring_from`, in order, numbered
 * first .. end; the table is what stands after all of them.
 */
#include "web/station.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "web/cloudevent.h"

enum { SITES_MAX = 65536 };

struct standing {
	uint64_t alarm_id;
	int64_t time_us;
	json_t *data;
	bool seen; /* in the resync that runs */
	UT_hash_handle hh;
};

/* A site of which an alarm was seen. */
struct seen_site {
	UT_hash_handle hh;
	char code[];
};

struct ring_frame {
	char *text;
	size_t n;
};

struct station {
	char *code;
	uint32_t node;
	uint64_t position; /* everything up to here was taken */
	uint64_t end_seen; /* the daemon's stream goes as far */
	bool connected, in_resync;
	bool known;          /* what stands was said once */
	unsigned generation; /* grows when places have to begin anew */
	struct standing *standing;
	struct seen_site *sites;
	struct ring_frame *ring;
	size_t history;
	uint64_t first, end; /* numbers of the changes in the ring: first <= n < end */
	uint64_t ring_from;  /* position before the first of them */
	uint64_t *positions; /* beside the ring */
};

struct station *
station_new(const char *code, size_t history)
{
	struct station *station = xcalloc(1, sizeof(*station));

	must(history > 0);
	station->code = xstrdup(code);
	station->history = history;
	station->ring = xcalloc(history, sizeof(*station->ring));
	station->positions = xcalloc(history, sizeof(*station->positions));
	return station;
}

const char *
station_code(const struct station *station)
{
	return station->code;
}

void
station_set_connected(struct station *station, bool connected)
{
	station->connected = connected;
}

bool
station_connected(const struct station *station)
{
	return station->connected;
}

uint64_t
station_position(const struct station *station)
{
	/* half a resync is none */
	return station->known && !station->in_resync ? station->position : 0;
}

/* ---- The ring ---------------------------------------------------------------- */

static void
ring_drop_first(struct station *station)
{
	size_t slot = station->first % station->history;

	free(station->ring[slot].text);
	station->ring[slot].text = NULL;
	station->ring_from = station->positions[slot];
	station->first++;
}

/* Takes `text`. */
static void
ring_add(struct station *station, char *text, size_t n, uint64_t position)
{
	size_t slot;

	if (station->end - station->first == station->history)
		ring_drop_first(station);
	slot = station->end++ % station->history;
	station->ring[slot] = (struct ring_frame){.text = text, .n = n};
	station->positions[slot] = position;
}

static void
ring_clear(struct station *station, uint64_t position)
{
	while (station->first < station->end)
		ring_drop_first(station);
	station->ring_from = position;
}

/* ---- What stands ------------------------------------------------------------- */

static void
standing_drop(struct station *station, struct standing *standing)
{
	HASH_DEL(station->standing, standing);
	json_decref(standing->data);
	free(standing);
}

static void
station_see_site(struct station *station, const char *code)
{
	struct seen_site *site;
	size_t n = strlen(code);

	HASH_FIND(hh, station->sites, code, n, site);
	if (site != NULL || n == 0 || HASH_COUNT(station->sites) >= SITES_MAX)
		return;
	site = xcalloc(1, sizeof(*site) + n + 1);
	memcpy(site->code, code, n + 1);
	HASH_ADD(hh, station->sites, code, n, site);
}

/* Takes `data`. */
static void
station_put_standing(struct station *station, const struct console_alarm *alarm, json_t *data)
{
	struct standing *standing;

	HASH_FIND(hh, station->standing, &alarm->alarm_id, sizeof(alarm->alarm_id), standing);
	if (alarm->state == ALARM_NORMAL) {
		json_decref(data);
		if (standing != NULL)
			standing_drop(station, standing);
		return;
	}
	if (standing == NULL) {
		standing = xcalloc(1, sizeof(*standing));
		standing->alarm_id = alarm->alarm_id;
		HASH_ADD(hh, station->standing, alarm_id, sizeof(standing->alarm_id), standing);
	} else {
		json_decref(standing->data);
	}
	standing->data = data;
	standing->time_us = alarm->durable_us;
	standing->seen = true;
}

/* ---- What the daemon says ---------------------------------------------------- */

void
station_set_node(struct station *station, uint32_t node)
{
	if (node == station->node)
		return;
	station->node = node;
	station->position = 0;
	station->known = false;
	ring_clear(station, 0);
	station->generation++;
}

static char *
frame_of(const struct station *station, const char *id, uint64_t alarm_id, int64_t time_us,
	 json_t *data, size_t *n)
{
	char subject[24];
	const struct cloudevent event = {
		.name = "alarm",
		.id = id,
		.node = station->node,
		.subject = subject,
		.time_us = time_us,
		.data = data,
	};

	(void)snprintf(subject, sizeof(subject), "%" PRIu64, alarm_id);
	return event_frame(&event, n);
}

void
station_take_alarm(struct station *station, const struct console_alarm *alarm)
{
	json_t *data = event_alarm_data(alarm);
	char id[EVENT_ID_MAX], *text;
	size_t n;

	station_see_site(station, alarm->place.site);
	if (!station->in_resync) {
		event_id_write(id, station->node, alarm->position);
		text = frame_of(station, id, alarm->alarm_id, alarm->durable_us, data, &n);
		ring_add(station, text, n, alarm->position);
		station->position = alarm->position;
	}
	station_put_standing(station, alarm, data);
}

void
station_begin_resync(struct station *station)
{
	struct standing *standing, *next;

	station->in_resync = true;
	for (standing = station->standing; standing != NULL; standing = next) {
		next = standing->hh.next;
		standing->seen = false;
	}
}

void
station_end_resync(struct station *station, uint64_t position)
{
	struct standing *standing, *next;

	for (standing = station->standing; standing != NULL; standing = next) {
		next = standing->hh.next;
		if (!standing->seen)
			standing_drop(station, standing);
	}
	station->in_resync = false;
	station->known = true;
	station->position = position;
	ring_clear(station, position);
	station->generation++;
}

void
station_note_end(struct station *station, uint64_t position)
{
	station->end_seen = position;
}

uint64_t
station_end(const struct station *station)
{
	return station->end_seen > station->position ? station->end_seen : station->position;
}

uint32_t
station_node(const struct station *station)
{
	return station->node;
}

/* ---- Places ------------------------------------------------------------------ */

/* The number of the first change behind a position; only within the ring. */
static uint64_t
ring_find(const struct station *station, uint64_t position)
{
	uint64_t low = station->first, high = station->end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (station->positions[middle % station->history] <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
station_join(const struct station *station, struct station_place *place, const char *last_id)
{
	uint32_t node;
	uint64_t position;

	*place = (struct station_place){.generation = station->generation, .resync = true};
	/* so that the state of the connection is said first, whatever it is */
	place->told_connected = !station->connected;
	if (last_id == NULL || !event_id_read(last_id, &node, &position) || node != station->node ||
	    position < station->ring_from || position > station->position || station->in_resync)
		return;
	place->resync = false;
	place->next = ring_find(station, position);
}

void
station_leave(struct station_place *place)
{
	free(place->ids);
	place->ids = NULL;
	place->n_ids = place->id_at = 0;
}

static void
place_begin_snapshot(const struct station *station, struct station_place *place)
{
	struct standing *standing, *next;

	station_leave(place);
	place->resync = false;
	place->generation = station->generation;
	place->next = station->end;
	place->snapshot_position = station->position;
	place->ids = xcalloc(HASH_COUNT(station->standing) + 1, sizeof(*place->ids));
	for (standing = station->standing; standing != NULL; standing = next) {
		next = standing->hh.next;
		place->ids[place->n_ids++] = standing->alarm_id;
	}
}

struct pull {
	struct station *station;
	struct station_place *place;
	size_t done;
	void (*put)(void *arg, const char *text, size_t n);
	void *arg;
};

static void
pull_put(struct pull *pull, const char *text, size_t n)
{
	pull->put(pull->arg, text, n);
	pull->done += n;
}

/* Takes `data`. */
static void
pull_put_event(struct pull *pull, const char *name, const char *id, json_t *data)
{
	const struct cloudevent event = {
		.name = name,
		.id = id,
		.node = pull->station->node,
		.subject = pull->station->code,
		.time_us = clock_wall_us(),
		.data = data,
	};
	size_t n;
	char *text = event_frame(&event, &n);

	pull_put(pull, text, n);
	free(text);
	json_decref(data);
}

/* The next alarm of the snapshot, as it stands by now; or its end. */
static void
pull_snapshot(struct pull *pull)
{
	struct station_place *place = pull->place;
	struct standing *standing = NULL;
	char id[EVENT_ID_MAX], *text;
	size_t n;

	if (place->id_at == place->n_ids) {
		station_leave(place);
		event_id_write(id, pull->station->node, place->snapshot_position);
		pull_put_event(pull, "snapshot_end", id, json_object());
		return;
	}
	HASH_FIND(hh, pull->station->standing, &place->ids[place->id_at], sizeof(uint64_t),
		  standing);
	place->id_at++;
	if (standing == NULL) /* has ended meanwhile: the change that says so comes */
		return;
	text = frame_of(pull->station, NULL, standing->alarm_id, standing->time_us, standing->data,
			&n);
	pull_put(pull, text, n);
	free(text);
}

/* One event, or nothing; false when there is no more. */
static bool
pull_next(struct pull *pull)
{
	struct station *station = pull->station;
	struct station_place *place = pull->place;

	if (place->told_connected != station->connected) {
		place->told_connected = station->connected;
		pull_put_event(pull, "state", NULL,
			       json_pack("{s:b}", "connected", station->connected));
		return true;
	}
	/* before the daemon has said what stands there is nothing to say */
	if (station->in_resync || !station->known)
		return false;
	if (place->generation != station->generation || place->next < station->first)
		place->resync = true;
	if (place->resync) {
		place_begin_snapshot(station, place);
		pull_put_event(pull, "resync", NULL,
			       json_pack("{s:I}", "alarms", (json_int_t)place->n_ids));
		return true;
	}
	if (place->ids != NULL) {
		pull_snapshot(pull);
		return true;
	}
	if (place->next == station->end)
		return false;
	pull_put(pull, station->ring[place->next % station->history].text,
		 station->ring[place->next % station->history].n);
	place->next++;
	return true;
}

size_t
station_pull(struct station *station, struct station_place *place, size_t room,
	     void (*put)(void *arg, const char *text, size_t n), void *arg)
{
	struct pull pull = {.station = station, .place = place, .put = put, .arg = arg};

	while (pull.done < room && pull_next(&pull))
		;
	return pull.done;
}

/* ---- Questions --------------------------------------------------------------- */

const json_t *
station_alarm(const struct station *station, uint64_t alarm_id)
{
	struct standing *standing;

	HASH_FIND(hh, station->standing, &alarm_id, sizeof(alarm_id), standing);
	return standing == NULL ? NULL : standing->data;
}

bool
station_knows_site(const struct station *station, const char *code)
{
	struct seen_site *site;

	HASH_FIND(hh, station->sites, code, strlen(code), site);
	return site != NULL;
}

json_t *
station_alarms(const struct station *station)
{
	json_t *array = json_array();
	struct standing *standing, *next;

	for (standing = station->standing; standing != NULL; standing = next) {
		next = standing->hh.next;
		must(json_array_append(array, standing->data) == 0);
	}
	return array;
}

size_t
station_open(const struct station *station)
{
	return HASH_COUNT(station->standing);
}

void
station_free(struct station **out)
{
	struct station *station = *out;
	struct standing *standing, *next;
	struct seen_site *site, *next_site;

	if (station == NULL)
		return;
	*out = NULL;
	ring_clear(station, 0);
	for (standing = station->standing; standing != NULL; standing = next) {
		next = standing->hh.next;
		standing_drop(station, standing);
	}
	for (site = station->sites; site != NULL; site = next_site) {
		next_site = site->hh.next;
		HASH_DEL(station->sites, site);
		free(site);
	}
	free(station->ring);
	free(station->positions);
	free(station->code);
	free(station);
}
