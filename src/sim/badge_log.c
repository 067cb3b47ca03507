/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a badge log by libcsv, which also trims the blanks around fields that
 * have no quotes.  The first row is the header; the mapping says which of its
 * names are time, card and door.
 *
 * The file is material from outside: the first mistake ends the reading, with
 * the number of its row.  An empty row is passed over.
 *
 * Deliberately doesn't sort: a log whose times go backwards is replayed in its
 * own order, as the controller would have sent it.
 */
#include "sim/badge_log.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BADGE_FIELD_MAX = 256,
	BADGE_ROWS_MAX = 50 * 1000 * 1000, /* 1 GB of rows */
	BADGE_READ_BYTES = 64 * 1024,
	BADGE_COLUMNS_MAX = 64,
};

/* What a column of the file is for. */
enum badge_use { BADGE_UNUSED, BADGE_TIME, BADGE_CARD, BADGE_TYPE, BADGE_DOOR };

/* The reading of one file. */
struct badge_reader {
	struct badge_log *log;
	const struct badge_map *map;
	enum badge_use use[BADGE_COLUMNS_MAX];
	size_t door_part[BADGE_COLUMNS_MAX]; /* with BADGE_DOOR: which part of the name */
	size_t column, row;                  /* where in the file; row 1 is the header */
	bool blank;                          /* nothing but blanks in this row */
	char time[BADGE_FIELD_MAX], card[BADGE_FIELD_MAX], type[BADGE_FIELD_MAX];
	char door[BADGE_DOOR_COLUMNS_MAX][BADGE_FIELD_MAX];
	enum rc rc; /* RC_OK until the first mistake */
	struct err why;
};

/* ---- The mapping ------------------------------------------------------------ */

static enum rc
badge_column_copy(char out[BADGE_COLUMN_MAX], const char *name, size_t len, struct err *err)
{
	if (len == 0 || len >= BADGE_COLUMN_MAX)
		return err_invalid(err, "name of a column has %zu bytes, expected 1 to %d", len,
				   BADGE_COLUMN_MAX - 1);
	memcpy(out, name, len);
	out[len] = '\0';
	return RC_OK;
}

static enum rc
badge_map_doors(struct badge_map *map, const char *text, size_t len, struct err *err)
{
	const char *end = text + len;

	map->n_door = 0;
	for (;;) {
		const char *plus = memchr(text, '+', (size_t)(end - text));
		enum rc rc;

		if (map->n_door == BADGE_DOOR_COLUMNS_MAX)
			return err_invalid(err, "door has more than %d columns",
					   BADGE_DOOR_COLUMNS_MAX);
		rc = badge_column_copy(map->door[map->n_door++], text,
				       (size_t)((plus != NULL ? plus : end) - text), err);
		if (rc != RC_OK || plus == NULL)
			return rc;
		text = plus + 1;
	}
}

/* One "key=value" of len bytes. */
static enum rc
badge_map_pair(struct badge_map *map, const char *pair, size_t len, struct err *err)
{
	const char *equals = memchr(pair, '=', len);
	size_t key_len = equals != NULL ? (size_t)(equals - pair) : len;
	const char *value = pair + key_len + 1;
	size_t value_len = equals != NULL ? len - key_len - 1 : 0;

	if (equals == NULL)
		return err_invalid(err, "\"%.*s\" in the mapping is not of the form key=column",
				   (int)len, pair);
	if (key_len == 4 && memcmp(pair, "time", 4) == 0)
		return badge_column_copy(map->time, value, value_len, err);
	if (key_len == 4 && memcmp(pair, "card", 4) == 0)
		return badge_column_copy(map->card, value, value_len, err);
	if (key_len == 4 && memcmp(pair, "type", 4) == 0)
		return badge_column_copy(map->type, value, value_len, err);
	if (key_len == 4 && memcmp(pair, "door", 4) == 0)
		return badge_map_doors(map, value, value_len, err);
	return err_invalid(err, "\"%.*s\" in the mapping is not time, card, door or type",
			   (int)key_len, pair);
}

enum rc
badge_map_parse(struct badge_map *map, const char *text, struct err *err)
{
	*map = (struct badge_map){0};
	for (;;) {
		size_t len = strcspn(text, ",");
		enum rc rc = badge_map_pair(map, text, len, err);

		if (rc != RC_OK)
			return rc;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	if (map->time[0] == '\0' || map->card[0] == '\0' || map->n_door == 0)
		return err_invalid(err, "the mapping must name the columns of time, card and door");
	return RC_OK;
}

/* ---- Times -------------------------------------------------------------------- */

/* Microseconds behind a decimal point; digits beyond are ignored. */
static int64_t
badge_fraction_us(const char *digits, const char **end)
{
	int64_t us = 0, unit = 100000;

	for (; *digits >= '0' && *digits <= '9'; digits++) {
		us += (*digits - '0') * unit;
		unit /= 10;
	}
	*end = digits;
	return us;
}

enum rc
badge_time_parse(const char *text, int64_t *time_us, struct err *err)
{
	struct tm tm = {0};
	time_t seconds;
	int64_t fraction = 0;
	int day;
	const char *rest = strptime(text, "%Y-%m-%d", &tm);

	if (rest != NULL && (*rest == ' ' || *rest == 'T'))
		rest = strptime(rest + 1, "%H:%M", &tm);
	else
		rest = NULL;
	if (rest != NULL && *rest == ':')
		rest = strptime(rest + 1, "%S", &tm);
	if (rest != NULL && *rest == '.')
		fraction = badge_fraction_us(rest + 1, &rest);
	if (rest != NULL && *rest == 'Z')
		rest++;
	if (rest == NULL || *rest != '\0')
		return err_invalid(err, "\"%.40s\" is not a time like 2016-05-31 00:05", text);
	day = tm.tm_mday;
	seconds = timegm(&tm);
	if (tm.tm_mday != day) /* 31 June has become 1 July */
		return err_invalid(err, "\"%.40s\" is not a time that exists", text);
	*time_us = (int64_t)seconds * 1000000 + fraction;
	return RC_OK;
}

/* ---- Rows ----------------------------------------------------------------------- */

/* libcsv can't be told to stop: the first mistake is kept, and what follows it is
 * passed over. */
static void
badge_fail(struct badge_reader *r, enum rc rc)
{
	if (r->rc == RC_OK)
		r->rc = rc;
}

static void
badge_header_field(struct badge_reader *r, const char *name)
{
	const struct badge_map *map = r->map;

	if (strcmp(name, map->time) == 0)
		r->use[r->column] = BADGE_TIME;
	else if (strcmp(name, map->card) == 0)
		r->use[r->column] = BADGE_CARD;
	else if (strcmp(name, map->type) == 0)
		r->use[r->column] = BADGE_TYPE;
	for (size_t i = 0; i < map->n_door; i++) {
		if (strcmp(name, map->door[i]) == 0) {
			r->use[r->column] = BADGE_DOOR;
			r->door_part[r->column] = i;
		}
	}
}

/* Where the text of this column goes; NULL: nowhere. */
static char *
badge_field_place(struct badge_reader *r)
{
	switch (r->use[r->column]) {
	case BADGE_TIME:
		return r->time;
	case BADGE_CARD:
		return r->card;
	case BADGE_TYPE:
		return r->type;
	case BADGE_DOOR:
		return r->door[r->door_part[r->column]];
	case BADGE_UNUSED:
		break;
	}
	return NULL;
}

static void
badge_field_cb(void *field, size_t len, void *arg)
{
	struct badge_reader *r = arg;
	char text[BADGE_FIELD_MAX], *place;

	if (r->rc != RC_OK)
		return;
	if (len >= BADGE_FIELD_MAX || memchr(field, '\0', len) != NULL) {
		badge_fail(r, err_invalid(&r->why, "column %zu has %zu bytes or a zero byte",
					  r->column + 1, len));
		return;
	}
	if (r->column == BADGE_COLUMNS_MAX) {
		badge_fail(r, err_invalid(&r->why, "more than %d columns", BADGE_COLUMNS_MAX));
		return;
	}
	memcpy(text, field, len);
	text[len] = '\0';
	/* an empty line may come as one empty field */
	r->blank = r->blank && len == 0;
	if (r->row == 1)
		badge_header_field(r, text);
	else if ((place = badge_field_place(r)) != NULL)
		memcpy(place, text, len + 1);
	r->column++;
}

static bool
badge_header_has(const struct badge_reader *r, enum badge_use use, size_t part)
{
	for (size_t i = 0; i < BADGE_COLUMNS_MAX; i++)
		if (r->use[i] == use && (use != BADGE_DOOR || r->door_part[i] == part))
			return true;
	return false;
}

static enum rc
badge_header_check(const struct badge_reader *r, struct err *err)
{
	const struct badge_map *map = r->map;
	const char *missing = NULL;

	if (!badge_header_has(r, BADGE_TIME, 0))
		missing = map->time;
	if (!badge_header_has(r, BADGE_CARD, 0))
		missing = map->card;
	if (map->type[0] != '\0' && !badge_header_has(r, BADGE_TYPE, 0))
		missing = map->type;
	for (size_t i = 0; i < map->n_door; i++)
		if (!badge_header_has(r, BADGE_DOOR, i))
			missing = map->door[i];
	if (missing != NULL)
		return err_invalid(err, "the header has no column \"%s\"", missing);
	return RC_OK;
}

static enum rc
badge_join_door(const struct badge_reader *r, char out[BADGE_FIELD_MAX], struct err *err)
{
	size_t used = 0;

	for (size_t i = 0; i < r->map->n_door; i++) {
		int n = snprintf(out + used, BADGE_FIELD_MAX - used, "%s%s", i > 0 ? "-" : "",
				 r->door[i]);

		if (r->door[i][0] == '\0')
			return err_invalid(err, "\"%s\" is empty", r->map->door[i]);
		if ((size_t)n >= BADGE_FIELD_MAX - used)
			return err_invalid(err, "the door's name is too long");
		used += (size_t)n;
	}
	return RC_OK;
}

static enum rc
badge_row_add(struct badge_reader *r, struct err *err)
{
	struct badge_log *log = r->log;
	struct badge_row row = {.type = NAMES_NONE};
	char door[BADGE_FIELD_MAX];

	if (badge_time_parse(r->time, &row.time_us, err) != RC_OK ||
	    badge_join_door(r, door, err) != RC_OK)
		return RC_INVALID;
	if (r->card[0] == '\0' || strlen(r->card) > BADGE_CARD_MAX)
		return err_invalid(err, "the card has %zu bytes, expected 1 to %d", strlen(r->card),
				   BADGE_CARD_MAX);
	if (strlen(r->type) > BADGE_TYPE_MAX)
		return err_invalid(err, "the type has %zu bytes, expected at most %d",
				   strlen(r->type), BADGE_TYPE_MAX);
	if (log->n == BADGE_ROWS_MAX)
		return err_invalid(err, "more than %d rows", BADGE_ROWS_MAX);
	if (log->n == log->capacity) {
		log->capacity = log->capacity > 0 ? log->capacity * 2 : 1024;
		log->rows = xrealloc(log->rows, log->capacity * sizeof(*log->rows));
	}
	row.card = names_add(&log->cards, r->card);
	row.door = names_add(&log->doors, door);
	if (r->type[0] != '\0')
		row.type = names_add(&log->types, r->type);
	log->rows[log->n++] = row;
	return RC_OK;
}

static void
badge_row_cb(int terminator, void *arg)
{
	struct badge_reader *r = arg;

	(void)terminator;
	if (r->rc != RC_OK)
		return;
	if (r->row == 1)
		badge_fail(r, badge_header_check(r, &r->why));
	else if (!r->blank)
		badge_fail(r, badge_row_add(r, &r->why));
	if (r->rc != RC_OK)
		return;
	r->row++;
	r->column = 0;
	r->blank = true;
	/* a short row must not inherit from the one before */
	r->time[0] = r->card[0] = r->type[0] = '\0';
	for (size_t i = 0; i < BADGE_DOOR_COLUMNS_MAX; i++)
		r->door[i][0] = '\0';
}

/* ---- The file --------------------------------------------------------------------- */

static enum rc
badge_read(struct badge_reader *r, struct csv_parser *csv, FILE *file, const char *path,
	   struct err *err)
{
	char *bytes = xcalloc(1, BADGE_READ_BYTES);
	size_t n;

	while (r->rc == RC_OK && (n = fread(bytes, 1, BADGE_READ_BYTES, file)) > 0)
		if (csv_parse(csv, bytes, n, badge_field_cb, badge_row_cb, r) != n)
			badge_fail(r, err_invalid(&r->why, "%s", csv_strerror(csv_error(csv))));
	if (r->rc == RC_OK && csv_fini(csv, badge_field_cb, badge_row_cb, r) != 0)
		badge_fail(r, err_invalid(&r->why, "%s", csv_strerror(csv_error(csv))));
	free(bytes);
	if (ferror(file))
		return err_sys(err, "could not read file \"%s\"", path);
	if (r->rc != RC_OK)
		return err_invalid(err, "%s: row %zu: %s", path, r->row, r->why.msg);
	if (r->log->n == 0)
		return err_invalid(err, "%s: no row behind the header", path);
	return RC_OK;
}

enum rc
badge_log_load(struct badge_log *log, const char *path, const struct badge_map *map,
	       struct err *err)
{
	struct badge_reader *reader = xcalloc(1, sizeof(*reader));
	struct csv_parser csv;
	FILE *file = fopen(path, "re");
	enum rc rc = RC_FAIL;

	*log = (struct badge_log){0};
	if (file == NULL) {
		rc = err_sys(err, "could not open file \"%s\"", path);
		goto out;
	}
	if (csv_init(&csv, CSV_STRICT | CSV_STRICT_FINI) != 0) {
		rc = err_fail(err, "could not prepare to read \"%s\"", path);
		goto out;
	}
	*reader = (struct badge_reader){.log = log, .map = map, .row = 1, .blank = true};
	rc = badge_read(reader, &csv, file, path, err);
	csv_free(&csv);
out:
	if (file != NULL)
		(void)fclose(file);
	free(reader);
	if (rc != RC_OK)
		badge_log_free(log);
	return rc;
}

void
badge_log_free(struct badge_log *log)
{
	free(log->rows);
	names_free(&log->cards);
	names_free(&log->doors);
	names_free(&log->types);
	*log = (struct badge_log){0};
}
