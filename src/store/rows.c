/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in the form of PostgreSQL's binary COPY: a count of fields, then each
 * field as its length and its bytes, all big endian; length -1 is null.
 *
 * The order of fields here and the names in the ROW_*_COLUMNS belong together; a
 * test reads every column back.
 */
#include "rows.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "text.h"

/* From 1970-01-01 to 2000-01-01, where PostgreSQL's times begin. */
static const int64_t postgresql_epoch_us = 946684800000000;

enum {
	RECORD_FIELDS = 15,
	ALARM_FIELDS = 36,
	SEEN_FIELDS = 3,
	QUARANTINE_FIELDS = 11,
	RIGHT_FIELDS = 22,
	INT4_OID = 23, /* of the type integer, in pg_type */
	JSONB_VERSION = 1,
};

uint8_t *
rows_put_header(uint8_t *out)
{
	static const char signature[11] = "PGCOPY\n\377\r\n";

	memcpy(out, signature, sizeof(signature));
	out += sizeof(signature);
	out = be_put32(out, 0);  /* flags: none */
	return be_put32(out, 0); /* bytes of further header: none */
}

uint8_t *
rows_put_trailer(uint8_t *out)
{
	return be_put16(out, UINT16_MAX);
}

/* ---- Fields ---------------------------------------------------------------- */

static uint8_t *
field_put_null(uint8_t *out)
{
	return be_put32(out, UINT32_MAX);
}

static uint8_t *
field_put16(uint8_t *out, uint16_t value)
{
	return be_put16(be_put32(out, 2), value);
}

static uint8_t *
field_put32(uint8_t *out, uint32_t value)
{
	return be_put32(be_put32(out, 4), value);
}

static uint8_t *
field_put64(uint8_t *out, uint64_t value)
{
	return be_put64(be_put32(out, 8), value);
}

static uint8_t *
field_put_bool(uint8_t *out, bool value)
{
	out = be_put32(out, 1);
	*out = value ? 1 : 0;
	return out + 1;
}

static uint8_t *
field_put_time(uint8_t *out, int64_t time_us)
{
	return field_put64(out, (uint64_t)(time_us - postgresql_epoch_us));
}

static uint8_t *
field_put_bytes(uint8_t *out, const void *bytes, size_t n)
{
	out = be_put32(out, (uint32_t)n);
	if (n > 0)
		memcpy(out, bytes, n);
	return out + n;
}

static uint8_t *
field_put_text_or_null(uint8_t *out, const char *text, size_t n)
{
	return n > 0 ? field_put_bytes(out, text, n) : field_put_null(out);
}

static uint8_t *
field_put_string_or_null(uint8_t *out, const char *text)
{
	return text != NULL ? field_put_text_or_null(out, text, strlen(text)) : field_put_null(out);
}

static uint8_t *
field_put_time_or_null(uint8_t *out, int64_t time_us)
{
	return time_us != 0 ? field_put_time(out, time_us) : field_put_null(out);
}

static uint8_t *
field_put_json_or_null(uint8_t *out, const char *json, size_t n)
{
	if (n == 0)
		return field_put_null(out);
	out = be_put32(out, (uint32_t)n + 1);
	*out++ = JSONB_VERSION;
	memcpy(out, json, n);
	return out + n;
}

static uint8_t *
field_put_id_or_null(uint8_t *out, uint32_t id)
{
	return id != 0 ? field_put32(out, id) : field_put_null(out);
}

/* The head of an array of integers with one dimension, of which `n` follow by
 * field_put32(). */
static uint8_t *
field_put_array(uint8_t *out, size_t n)
{
	out = be_put32(out, (uint32_t)(n > 0 ? 20 + 8 * n : 12));
	out = be_put32(out, n > 0); /* dimensions */
	out = be_put32(out, 0);     /* no nulls */
	out = be_put32(out, INT4_OID);
	if (n == 0)
		return out;
	out = be_put32(out, (uint32_t)n);
	return be_put32(out, 1); /* the first index */
}

/* ---- Rows ------------------------------------------------------------------ */

uint8_t *
row_put_record(uint8_t *out, const struct row_place *place, const struct record *record)
{
	out = be_put16(out, RECORD_FIELDS);
	out = field_put_time(out, record->device_time_us);
	out = field_put_time(out, record->received_us);
	out = field_put64(out, (uint64_t)record->epoch);
	out = field_put64(out, record->seq);
	out = field_put64(out, place->position);
	out = field_put32(out, record->site_id);
	out = field_put32(out, record->controller_id);
	out = field_put_id_or_null(out, record->door_id);
	out = field_put32(out, record->flags);
	out = field_put16(out, record->kind);
	out = record->reason != 0 ? field_put16(out, record->reason) : field_put_null(out);
	out = field_put16(out, (uint16_t)place->node);
	if ((record->flags & RECORD_HAS_TOKEN) != 0)
		out = field_put_bytes(out, record->token, TOKEN_BYTES);
	else
		out = field_put_null(out);
	out = field_put_text_or_null(out, record->raw_code, record->raw_code_len);
	return field_put_json_or_null(out, record->detail, record->detail_len);
}

/* What people and the server did with it. */
static uint8_t *
row_put_life(uint8_t *out, const struct alarm_change *change)
{
	out = field_put_bool(out, change->latches != 0);
	out = field_put16(out, change->verb);
	out = field_put16(out, change->actor_kind);
	out = field_put_string_or_null(out, change->actor);
	out = field_put_string_or_null(out, change->operator_code);
	out = field_put_string_or_null(out, change->text);
	out = change->reject != 0 ? field_put16(out, change->reject) : field_put_null(out);
	out = change->outcome != 0 ? field_put16(out, change->outcome) : field_put_null(out);
	out = field_put_time_or_null(out, change->acted_us);
	out = field_put16(out, change->stage);
	out = field_put16(out, change->escalation);
	out = field_put_id_or_null(out, change->handed_station_id);
	out = change->group_id != 0 ? field_put64(out, change->group_id) : field_put_null(out);
	out = field_put_time_or_null(out, change->until_us);
	out = field_put_time_or_null(out, change->acknowledged_us);
	out = field_put_string_or_null(out, change->acknowledged_by);
	return field_put_time_or_null(out, change->first_acknowledged_us);
}

/* Counts of 32 bits go into columns of 64: PostgreSQL's integers have a sign. */
uint8_t *
row_put_alarm(uint8_t *out, const struct alarm_change *change)
{
	out = be_put16(out, ALARM_FIELDS);
	out = field_put64(out, change->alarm_id);
	out = field_put64(out, change->change);
	out = field_put64(out, change->position);
	out = field_put64(out, change->count);
	out = field_put_time(out, change->device_time_us);
	out = field_put_time(out, change->received_us);
	out = field_put_time(out, change->durable_us);
	out = field_put_time(out, change->raised_us);
	out = field_put_time_or_null(out, change->cleared_us);
	out = field_put64(out, (uint64_t)change->epoch);
	out = field_put64(out, change->seq);
	out = field_put32(out, change->site_id);
	out = field_put32(out, change->controller_id);
	out = field_put_id_or_null(out, change->door_id);
	out = field_put16(out, change->kind);
	out = field_put16(out, change->severity);
	out = field_put16(out, change->state);
	out = field_put_bool(out, change->silent != 0);
	out = field_put_text_or_null(out, change->raw_code, strlen(change->raw_code));
	return row_put_life(out, change);
}

uint8_t *
row_put_seen(uint8_t *out, const struct alarm_seen *seen)
{
	out = be_put16(out, SEEN_FIELDS);
	out = field_put64(out, seen->alarm_id);
	out = field_put_time_or_null(out, seen->offered_us);
	return field_put_time_or_null(out, seen->shown_us);
}

uint8_t *
row_put_quarantine(uint8_t *out, const struct row_place *place, const struct quarantine *q)
{
	out = be_put16(out, QUARANTINE_FIELDS);
	out = field_put32(out, q->controller_id);
	out = field_put64(out, (uint64_t)q->epoch);
	out = field_put64(out, q->seq);
	out = field_put32(out, q->site_id);
	out = field_put_time(out, q->received_us);
	out = field_put64(out, place->position);
	out = field_put16(out, (uint16_t)place->node);
	out = field_put16(out, q->reason);
	out = field_put_bytes(out, "ingest", 6);
	out = field_put_bytes(out, q->detail, q->detail_len);
	return field_put_bytes(out, q->payload, q->payload_len);
}

static uint8_t *
put_hours_and_doors(uint8_t *out, const struct right_change *c)
{
	out = field_put_array(out, 2 * c->n_hours);
	for (size_t i = 0; i < c->n_hours; i++) {
		out = field_put32(out, c->hours[i].from_minute);
		out = field_put32(out, c->hours[i].to_minute);
	}
	out = field_put_array(out, c->n_doors);
	for (size_t i = 0; i < c->n_doors; i++)
		out = field_put32(out, c->doors[i]);
	return out;
}

uint8_t *
row_put_right(uint8_t *out, const struct row_place *place, const struct right_change *c)
{
	out = be_put16(out, RIGHT_FIELDS);
	out = field_put_time(out, c->device_time_us);
	out = field_put_time(out, c->received_us);
	out = field_put64(out, (uint64_t)c->epoch);
	out = field_put64(out, c->seq);
	out = field_put64(out, place->position);
	out = field_put32(out, c->site_id);
	out = field_put32(out, c->desk_id);
	out = field_put32(out, c->flags);
	out = field_put16(out, c->kind);
	out = field_put16(out, (uint16_t)place->node);
	out = field_put_bytes(out, c->by, c->by_len);
	out = field_put_bytes(out, c->card_key, CARD_KEY_BYTES);
	out = field_put16(out, c->card_kind);
	out = field_put16(out, c->status);
	out = field_put_time(out, c->card_from_us);
	out = field_put_time_or_null(out, c->card_until_us);
	out = field_put_text_or_null(out, c->unit, c->unit_len);
	if (c->sealed_len > 0)
		out = field_put_bytes(out, c->sealed, c->sealed_len);
	else
		out = field_put_null(out);
	out = field_put_time_or_null(out, c->valid_from_us);
	out = field_put_time_or_null(out, c->valid_until_us);
	return put_hours_and_doors(out, c);
}

/*
 * Whatever is in a refused entry, this row is storable: it is made of numbers, a
 * cleaned text and bytes.  So one bad entry can't hold up the rest.
 */
uint8_t *
row_put_refusal(uint8_t *out, const struct row_place *place, const struct record *record,
		const char *reason, const uint8_t *body, size_t len)
{
	char clean[ROWS_REASON_MAX + 1];
	size_t clean_len = text_make_clean(reason, strlen(reason), ROWS_REASON_MAX, clean);

	must(len <= ENTRY_BODY_MAX);
	out = be_put16(out, QUARANTINE_FIELDS);
	out = field_put32(out, record != NULL ? record->controller_id : 0);
	out = field_put64(out, record != NULL ? (uint64_t)record->epoch : place->node);
	out = field_put64(out, record != NULL ? record->seq : place->position);
	out = field_put32(out, record != NULL ? record->site_id : 0);
	out = field_put_time(out, record != NULL ? record->received_us : clock_wall_us());
	out = field_put64(out, place->position);
	out = field_put16(out, (uint16_t)place->node);
	out = field_put_null(out);
	out = field_put_bytes(out, "postgresql", 10);
	out = field_put_bytes(out, clean, clean_len);
	return field_put_bytes(out, body, len);
}
