/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in the form of PostgreSQL's binary COPY.
 *
 * Source: "Binary Format" in the documentation of COPY, PostgreSQL 15; the forms
 * of the types are those of their functions timestamptz_recv, jsonb_recv and so
 * on.  Pure functions over memory; any thread.  Nothing is allocated.
 */
#ifndef GATEHOUSE_STORE_ROWS_H
#define GATEHOUSE_STORE_ROWS_H

#include "store/store.h"
#include "wire/entry.h"

enum {
	ROWS_HEADER_BYTES = 19,
	ROWS_TRAILER_BYTES = 2,
	ROWS_REASON_MAX = 300, /* bytes of a refusal's reason */
	/* the longest row: a refused body of any kind, or a quarantine's two texts */
	ROW_BYTES_MAX = ENTRY_BODY_MAX + ROWS_REASON_MAX + 256,
};

/* The columns that the functions below write, in their order. */
#define ROW_RECORD_COLUMNS                                                                         \
	"device_time, received_at, epoch, seq, position, site_id, controller_id, door_id, flags,"  \
	" kind, reason, node_id, card_token, raw_code, detail"
#define ROW_ALARM_COLUMNS                                                                          \
	"alarm_id, change, position, count, device_time, received_at, durable_at, raised_at,"      \
	" cleared_at, epoch, seq, site_id, controller_id, door_id, kind, severity, state, silent," \
	" raw_code, latches, verb, actor_kind, actor, operator_code, note, reject_reason,"         \
	" outcome, acted_at, stage, escalation, handed_station_id, group_id, until_at,"            \
	" acknowledged_at, acknowledged_by, first_acknowledged_at"
#define ROW_SEEN_COLUMNS "alarm_id, offered_at, shown_at"
#define ROW_QUARANTINE_COLUMNS                                                                     \
	"controller_id, epoch, seq, site_id, received_at, position, node_id, reason, stage,"       \
	" detail, payload"

/* Of the temporary table that store_rights() reads. */
#define ROW_RIGHT_COLUMNS                                                                          \
	"device_time, received_at, epoch, seq, position, site_id, desk_id, flags, kind, node_id,"  \
	" desk, card_key, card_kind, status, card_from, card_until, unit, sealed,"                 \
	" valid_from, valid_until, hours, doors"

uint8_t *rows_put_header(uint8_t *out);
uint8_t *rows_put_trailer(uint8_t *out);

/* Where an entry stands. */
struct row_place {
	uint32_t node;
	uint64_t position;
};

/* Each returns the place behind the row.  Values must have passed batch_check(). */
uint8_t *row_put_record(uint8_t *out, const struct row_place *place, const struct record *record);
uint8_t *row_put_alarm(uint8_t *out, const struct alarm_change *change);
uint8_t *row_put_seen(uint8_t *out, const struct alarm_seen *seen);
uint8_t *row_put_quarantine(uint8_t *out, const struct row_place *place,
			    const struct quarantine *q);
uint8_t *row_put_right(uint8_t *out, const struct row_place *place,
		       const struct right_change *change);

/* A body that is no row of its table, with the reason why.  `record`: the identity
 * that it is kept under; NULL when it has none: then the place is its identity. */
uint8_t *row_put_refusal(uint8_t *out, const struct row_place *place, const struct record *record,
			 const char *reason, const uint8_t *body, size_t len);

#endif
