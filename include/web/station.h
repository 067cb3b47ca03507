/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one station's pages are told: the alarms that stand, and what changed
 * lately, as events of a stream that are ready to be sent.
 *
 * Each page has a place in it.  A page that was away goes on behind the last event
 * that it has, as long as that is in the history; otherwise it gets a resync: all that
 * stands, with an end mark.  Nothing is left out in silence.
 *
 * An event's id is NODE-POSITION, of the daemon's stream.  Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_STATION_H
#define GATEHOUSE_WEB_STATION_H

#include <jansson.h>

#include "wire/console_peer.h"

struct station;

struct station *station_new(const char *code, size_t history);
void station_free(struct station **station);
const char *station_code(const struct station *station);

/* ---- What the daemon says ------------------------------------------------- */

void station_set_connected(struct station *station, bool connected);
bool station_connected(const struct station *station);
/* A node that changes begins anew. */
void station_set_node(struct station *station, uint32_t node);
/* Where to go on behind; 0: nowhere. */
uint64_t station_position(const struct station *station);
void station_take_alarm(struct station *station, const struct console_alarm *alarm);
/* What follows, up to the end, is all that stands. */
void station_begin_resync(struct station *station);
void station_end_resync(struct station *station, uint64_t position);

/* How far the daemon's stream has come; what is not for this station is in it, too. */
void station_note_end(struct station *station, uint64_t position);
uint64_t station_end(const struct station *station);
uint32_t station_node(const struct station *station);

/* ---- What pages read ------------------------------------------------------ */

struct station_place {
	uint64_t next;       /* number of the next change in the history */
	unsigned generation; /* of the station, when the page was told last */
	bool resync;         /* next comes a resync */
	bool told_connected; /* what the page believes of the daemon */
	uint64_t *ids;       /* allocated: alarms of the snapshot that are still to come */
	size_t n_ids, id_at;
	uint64_t snapshot_position;
};

/* `last_id`: of the last event that the page has, or NULL. */
void station_join(const struct station *station, struct station_place *place, const char *last_id);
void station_leave(struct station_place *place);
/*
 * Puts what comes next for this place, until `room` bytes were put or there is no
 * more; one event may go beyond.  Returns the bytes.
 */
size_t station_pull(struct station *station, struct station_place *place, size_t room,
		    void (*put)(void *arg, const char *text, size_t n), void *arg);

/* An alarm that stands, or NULL; borrowed. */
const json_t *station_alarm(const struct station *station, uint64_t alarm_id);
/* Does an alarm of that site stand, or did one lately? */
bool station_knows_site(const struct station *station, const char *site);
/* New: an array of the alarms that stand. */
json_t *station_alarms(const struct station *station);
size_t station_open(const struct station *station);

#endif
