/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far each controller's sequence is known, by following the journal.  The
 * server's own records (epoch below 0) tell of gaps and of lost controllers.
 */
#include "fleet/positions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/bytes.h"
#include "wire/kind.h"

/* Saved form: u32 version, u32 count, then rows of
 * u32 controller | u8 lost | i64 epoch | u64 last seq | i64 device time |
 * u8 gaps for good | u8 number of gaps | GAPS_MAX times u64 from, to, whole from, to;
 * before them u32 number of damages ever | POSITIONS_DAMAGES_MAX times u64. */
enum {
	POSITIONS_VERSION = 2,
	POSITIONS_HEADER = 12 + 8 * POSITIONS_DAMAGES_MAX,
	POSITIONS_GAP = 32,
	POSITIONS_ROW = 31 + GAPS_MAX * POSITIONS_GAP,
};

struct positions_row {
	struct position position;
	UT_hash_handle hh;
};

/* Owner: one thread. */
struct positions {
	struct positions_row *rows; /* by controller_id */
	/* places of damage that records speak of; the newest overwrites the oldest */
	uint64_t damages[POSITIONS_DAMAGES_MAX];
	uint32_t n_damages; /* ever */
};

struct positions *
positions_new(void)
{
	return xcalloc(1, sizeof(struct positions));
}

void
positions_free(struct positions **out)
{
	struct positions *positions = *out;
	struct positions_row *row, *next;

	if (positions == NULL)
		return;
	*out = NULL;
	HASH_ITER (hh, positions->rows, row, next) {
		HASH_DEL(positions->rows, row);
		free(row);
	}
	free(positions);
}

static struct position *
positions_xget(struct positions *positions, uint32_t controller_id)
{
	struct positions_row *row;

	HASH_FIND(hh, positions->rows, &controller_id, sizeof(controller_id), row);
	if (row == NULL) {
		row = xcalloc(1, sizeof(*row));
		row->position.controller_id = controller_id;
		HASH_ADD(hh, positions->rows, position.controller_id, sizeof(controller_id), row);
	}
	return &row->position;
}

static void
position_advance(struct position *position, int64_t epoch, uint64_t seq)
{
	if (epoch < position->epoch || (epoch == position->epoch && seq <= position->last_seq))
		return;
	if (epoch != position->epoch) {
		position->gaps_for_good |= position->gaps.n > 0;
		position->gaps = (struct gaps){0};
	}
	position->epoch = epoch;
	position->last_seq = seq;
}

/* One of the controller's own numbers. */
static struct position_change
position_take(struct position *position, int64_t epoch, uint64_t seq)
{
	struct position_change change = {.epoch = epoch};
	struct gap filled;

	if (epoch == position->epoch && seq > position->last_seq + 1) {
		change.news = POSITION_NEWS_HOLE;
		change.from = position->last_seq + 1;
		change.to = seq - 1;
	} else if (epoch == position->epoch && gaps_take(&position->gaps, seq, &filled)) {
		change.news = POSITION_NEWS_FILLED;
		change.from = filled.whole_from;
		change.to = filled.whole_to;
		change.last = position->gaps.n == 0 && !position->gaps_for_good;
	}
	position_advance(position, epoch, seq);
	return change;
}

/* {"epoch":7,"from":4,"to":9}: what was declared lost counts as taken care of. */
static void
position_apply_gap(struct position *position, const struct record *record)
{
	json_t *json = json_loadb(record->detail, record->detail_len, 0, NULL);
	json_int_t epoch = 0, from = 0, to = 0;

	if (json_unpack(json, "{s:I, s:I}", "epoch", &epoch, "to", &to) == 0 && epoch > 0 &&
	    to > 0) {
		position_advance(position, epoch, (uint64_t)to);
		if (json_unpack(json, "{s:I}", "from", &from) == 0 && from > 0 &&
		    epoch == position->epoch)
			gaps_add(&position->gaps, (uint64_t)from, (uint64_t)to);
	}
	json_decref(json);
}

/* {"position":4711,"bytes":60} */
static void
positions_apply_damage(struct positions *positions, const struct record *record)
{
	json_t *json = json_loadb(record->detail, record->detail_len, 0, NULL);
	json_int_t at = 0;

	if (json_unpack(json, "{s:I}", "position", &at) == 0)
		positions->damages[positions->n_damages++ % POSITIONS_DAMAGES_MAX] = (uint64_t)at;
	json_decref(json);
}

bool
positions_know_damage(const struct positions *positions, uint64_t at)
{
	for (size_t i = 0; i < positions->n_damages && i < POSITIONS_DAMAGES_MAX; i++) {
		if (positions->damages[i] == at)
			return true;
	}
	return false;
}

struct position_change
positions_apply_record(struct positions *positions, const struct record *record)
{
	struct position *position;

	if (record->kind == KIND_CODE_JOURNAL_DAMAGED && record->epoch < 0) {
		positions_apply_damage(positions, record);
		return (struct position_change){0};
	}
	position = positions_xget(positions, record->controller_id);
	if (record->epoch > 0) {
		if (record->epoch != position->epoch || record->seq > position->last_seq)
			position->device_time_us = record->device_time_us;
		return position_take(position, record->epoch, record->seq);
	}
	if (record->kind == KIND_CODE_RECORDS_GAP) {
		position_apply_gap(position, record);
	} else if (record->kind == KIND_CODE_CONTROLLER_LOST) {
		position->lost = true;
	} else if (record->kind == KIND_CODE_CONTROLLER_RESTORED) {
		position->lost = false;
	}
	return (struct position_change){0};
}

/* A desk declares nothing lost: its sequence has no holes but those of damage, which is
 * said where it is met. */
void
positions_apply_right(struct positions *positions, const struct right_change *change)
{
	struct position *position = positions_xget(positions, change->desk_id);

	position_advance(position, change->epoch, change->seq);
	position->device_time_us = change->device_time_us;
}

struct position_change
positions_apply_quarantine(struct positions *positions, const struct quarantine *q)
{
	if (q->epoch <= 0)
		return (struct position_change){0};
	return position_take(positions_xget(positions, q->controller_id), q->epoch, q->seq);
}

const struct position *
positions_get(const struct positions *positions, uint32_t controller_id)
{
	struct positions_row *row;

	HASH_FIND(hh, positions->rows, &controller_id, sizeof(controller_id), row);
	return row != NULL ? &row->position : NULL;
}

void
positions_each(const struct positions *positions,
	       void (*call)(void *arg, const struct position *position), void *arg)
{
	for (struct positions_row *row = positions->rows; row != NULL; row = row->hh.next)
		call(arg, &row->position);
}

static uint8_t *
gaps_save(uint8_t *at, const struct gaps *gaps)
{
	*at++ = (uint8_t)gaps->n;
	for (size_t i = 0; i < GAPS_MAX; i++) {
		at = le_put64(at, gaps->of[i].from);
		at = le_put64(at, gaps->of[i].to);
		at = le_put64(at, gaps->of[i].whole_from);
		at = le_put64(at, gaps->of[i].whole_to);
	}
	return at;
}

/* False: no set that gaps_save() could have been given. */
static bool
gaps_load(const uint8_t *at, struct gaps *gaps)
{
	gaps->n = *at++;
	for (size_t i = 0; i < GAPS_MAX; i++, at += POSITIONS_GAP)
		gaps->of[i] = (struct gap){.from = le_get64(at),
					   .to = le_get64(at + 8),
					   .whole_from = le_get64(at + 16),
					   .whole_to = le_get64(at + 24)};
	return gaps->n <= GAPS_MAX;
}

enum rc
positions_save(const struct positions *positions, struct buf *out)
{
	size_t count = HASH_COUNT(positions->rows), n = POSITIONS_HEADER + count * POSITIONS_ROW;
	uint8_t *at = buf_reserve(out, n);

	if (at == NULL)
		return RC_AGAIN;
	at = le_put32(at, POSITIONS_VERSION);
	at = le_put32(at, (uint32_t)count);
	at = le_put32(at, positions->n_damages);
	for (size_t i = 0; i < POSITIONS_DAMAGES_MAX; i++)
		at = le_put64(at, positions->damages[i]);
	for (struct positions_row *row = positions->rows; row != NULL; row = row->hh.next) {
		at = le_put32(at, row->position.controller_id);
		*at++ = row->position.lost;
		at = le_put64(at, (uint64_t)row->position.epoch);
		at = le_put64(at, row->position.last_seq);
		at = le_put64(at, (uint64_t)row->position.device_time_us);
		*at++ = row->position.gaps_for_good;
		at = gaps_save(at, &row->position.gaps);
	}
	buf_added(out, n);
	return RC_OK;
}

enum rc
positions_load(struct positions *positions, const uint8_t *bytes, size_t n, struct err *err)
{
	size_t count, rows;

	if (n < POSITIONS_HEADER || le_get32(bytes) != POSITIONS_VERSION)
		return err_invalid(err, "saved positions have an unknown form");
	count = rows = le_get32(bytes + 4);
	if (n - POSITIONS_HEADER != count * (size_t)POSITIONS_ROW)
		return err_invalid(err, "saved positions have %zu bytes for %zu rows", n, count);
	positions->n_damages = le_get32(bytes + 8);
	for (size_t i = 0; i < POSITIONS_DAMAGES_MAX; i++)
		positions->damages[i] = le_get64(bytes + 12 + 8 * i);
	for (const uint8_t *at = bytes + POSITIONS_HEADER; count > 0;
	     count--, at += POSITIONS_ROW) {
		struct position *position = positions_xget(positions, le_get32(at));

		position->lost = at[4] != 0;
		position->epoch = (int64_t)le_get64(at + 5);
		position->last_seq = le_get64(at + 13);
		position->device_time_us = (int64_t)le_get64(at + 21);
		position->gaps_for_good = at[29] != 0;
		if (!gaps_load(at + 30, &position->gaps))
			return err_invalid(err, "saved positions have %u gaps of one controller",
					   position->gaps.n);
	}
	if (HASH_COUNT(positions->rows) != rows)
		return err_invalid(err, "saved positions name a controller twice");
	return RC_OK;
}
