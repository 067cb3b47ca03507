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
 * u32 controller | u8 lost | i64 epoch | u64 last seq | i64 device time. */
enum { POSITIONS_VERSION = 1, POSITIONS_HEADER = 8, POSITIONS_ROW = 29 };

struct positions_row {
	struct position position;
	UT_hash_handle hh;
};

/* Owner: one thread. */
struct positions {
	struct positions_row *rows; /* by controller_id */
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
	position->epoch = epoch;
	position->last_seq = seq;
}

/* {"epoch":7,"from":4,"to":9}: what was declared lost counts as taken care of. */
static void
position_apply_gap(struct position *position, const struct record *record)
{
	json_t *json = json_loadb(record->detail, record->detail_len, 0, NULL);
	json_int_t epoch = 0, to = 0;

	if (json_unpack(json, "{s:I, s:I}", "epoch", &epoch, "to", &to) == 0 && epoch > 0 && to > 0)
		position_advance(position, epoch, (uint64_t)to);
	json_decref(json);
}

void
positions_apply_record(struct positions *positions, const struct record *record)
{
	struct position *position = positions_xget(positions, record->controller_id);

	if (record->epoch > 0) {
		position_advance(position, record->epoch, record->seq);
		position->device_time_us = record->device_time_us;
	} else if (record->kind == KIND_CODE_RECORDS_GAP) {
		position_apply_gap(position, record);
	} else if (record->kind == KIND_CODE_CONTROLLER_LOST) {
		position->lost = true;
	} else if (record->kind == KIND_CODE_CONTROLLER_RESTORED) {
		position->lost = false;
	}
}

void
positions_apply_quarantine(struct positions *positions, const struct quarantine *q)
{
	if (q->epoch > 0)
		position_advance(positions_xget(positions, q->controller_id), q->epoch, q->seq);
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

enum rc
positions_save(const struct positions *positions, struct buf *out)
{
	size_t count = HASH_COUNT(positions->rows), n = POSITIONS_HEADER + count * POSITIONS_ROW;
	uint8_t *at = buf_reserve(out, n);

	if (at == NULL)
		return RC_AGAIN;
	at = le_put32(at, POSITIONS_VERSION);
	at = le_put32(at, (uint32_t)count);
	for (struct positions_row *row = positions->rows; row != NULL; row = row->hh.next) {
		at = le_put32(at, row->position.controller_id);
		*at++ = row->position.lost;
		at = le_put64(at, (uint64_t)row->position.epoch);
		at = le_put64(at, row->position.last_seq);
		at = le_put64(at, (uint64_t)row->position.device_time_us);
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
	for (const uint8_t *at = bytes + POSITIONS_HEADER; count > 0;
	     count--, at += POSITIONS_ROW) {
		struct position *position = positions_xget(positions, le_get32(at));

		position->lost = at[4] != 0;
		position->epoch = (int64_t)le_get64(at + 5);
		position->last_seq = le_get64(at + 13);
		position->device_time_us = (int64_t)le_get64(at + 21);
	}
	if (HASH_COUNT(positions->rows) != rows)
		return err_invalid(err, "saved positions name a controller twice");
	return RC_OK;
}
