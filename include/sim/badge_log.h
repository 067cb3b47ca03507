/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A badge log in CSV: reads of cards at doors, with the columns named by a
 * mapping.  Kept in memory as rows of numbers and tables of their texts.
 * Immutable after loading.
 */
#ifndef GATEHOUSE_SIM_BADGE_LOG_H
#define GATEHOUSE_SIM_BADGE_LOG_H

#include "sim/names.h"

enum {
	BADGE_CARD_MAX = 32, /* bytes of a card in the contract */
	BADGE_TYPE_MAX = 32, /* bytes of a raw code in the contract */
	BADGE_DOOR_COLUMNS_MAX = 8,
	BADGE_COLUMN_MAX = 64,
};

/* Which columns, by the names in the header. */
struct badge_map {
	char time[BADGE_COLUMN_MAX];
	char card[BADGE_COLUMN_MAX];
	char type[BADGE_COLUMN_MAX]; /* may be empty: no column */
	char door[BADGE_DOOR_COLUMNS_MAX][BADGE_COLUMN_MAX];
	size_t n_door;
};

/* "time=timestamp,card=prox-id,door=floor+zone,type=type"; all but type are required. */
enum rc badge_map_parse(struct badge_map *map, const char *text, struct err *err) MUST_CHECK;

struct badge_row {
	int64_t time_us;
	uint32_t card, door, type; /* numbers in the tables; type may be NAMES_NONE */
};

struct badge_log {
	struct badge_row *rows; /* in the file's order; equal rows are separate reads */
	size_t n, capacity;
	struct names cards, doors, types; /* a door's columns are joined with '-' */
};

/* Times are UTC: "2016-05-31 00:05", seconds and their fraction may follow, T
 * and Z may stand as in ISO 8601.  RC_INVALID: FILE: row N: what. */
enum rc badge_log_load(struct badge_log *log, const char *path, const struct badge_map *map,
		       struct err *err) MUST_CHECK;
void badge_log_free(struct badge_log *log);

/* A time of the log; RC_INVALID when it isn't one.  For tests. */
enum rc badge_time_parse(const char *text, int64_t *time_us, struct err *err) MUST_CHECK;

#endif
