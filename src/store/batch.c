/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers entries for one transaction, and looks at each before it is taken in:
 * what does not decode, or does not fit PostgreSQL's types, is marked here, so
 * that everything behind this file may rely on the rest.
 *
 * Does not ask PostgreSQL anything.
 */
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/entry.h"

/*
 * Times that both PostgreSQL and people can write: the years 1 to 9999.  The wire
 * is stricter; this is about arithmetic that can't overflow.
 */
static const int64_t time_min_us = -62135596800000000;
static const int64_t time_max_us = 253402300799999999;

void
batch_init(struct batch *batch, size_t max_entries, size_t max_bytes)
{
	must(max_entries > 0);
	*batch = (struct batch){.max_entries = max_entries, .max_bytes = max_bytes};
	batch->entries = xcalloc(max_entries, sizeof(*batch->entries));
	/* full at max_bytes, and the entry that fills it may be of any size */
	buf_init(&batch->bodies, max_bytes + JOURNAL_BODY_MAX);
}

void
batch_fini(struct batch *batch)
{
	free(batch->entries);
	batch->entries = NULL;
	buf_fini(&batch->bodies);
}

void
batch_restart(struct batch *batch, uint64_t position)
{
	batch->n = 0;
	batch->n_checks = 0;
	buf_clear(&batch->bodies);
	for (size_t i = 0; i < BATCH_TABLES; i++)
		batch->counts[i] = 0;
	batch->begin = batch->end = position;
}

const uint8_t *
batch_body(const struct batch *batch, const struct batch_entry *entry)
{
	must(entry->offset + entry->len <= buf_len(&batch->bodies));
	return buf_front(&batch->bodies) + entry->offset;
}

bool
batch_has_moved(const struct batch *batch)
{
	return batch->end != batch->begin;
}

/* ---- Rows that a check refuses ---------------------------------------------- */

/* Number from 1; those beyond what fits share the last one's name. */
static uint8_t
batch_check_number(struct batch *batch, const char *name)
{
	uint8_t i = 0;

	while (i < batch->n_checks &&
	       strncmp(batch->checks[i], name, BATCH_CHECK_NAME_MAX - 1) != 0)
		i++;
	if (i == batch->n_checks && i < BATCH_CHECKS_MAX) {
		(void)snprintf(batch->checks[i], BATCH_CHECK_NAME_MAX, "%s", name);
		batch->n_checks++;
	}
	return i < BATCH_CHECKS_MAX ? (uint8_t)(i + 1) : BATCH_CHECKS_MAX;
}

void
batch_refuse(struct batch *batch, size_t at, const char *check)
{
	struct batch_entry *entry = &batch->entries[at];

	must(entry->table == BATCH_RECORDS);
	entry->check = batch_check_number(batch, check);
	entry->table = BATCH_QUARANTINE;
	batch->counts[BATCH_RECORDS]--;
	batch->counts[BATCH_QUARANTINE]++;
}

void
batch_restore(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		if (batch->entries[i].check == 0)
			continue;
		batch->entries[i].check = 0;
		batch->entries[i].table = BATCH_RECORDS;
		batch->counts[BATCH_RECORDS]++;
		batch->counts[BATCH_QUARANTINE]--;
	}
}

void
batch_reason(const struct batch *batch, const struct batch_entry *entry, struct err *err)
{
	must(entry->check > 0 && entry->check <= batch->n_checks);
	(void)err_invalid(err, "new row for relation \"records\" violates check constraint \"%s\"",
			  batch->checks[entry->check - 1]);
}

/* ---- Looking at entries ---------------------------------------------------- */

static enum rc
batch_check_ids(uint32_t site_id, uint32_t controller_id, uint32_t door_id, uint64_t seq,
		struct err *err)
{
	if (site_id > INT32_MAX || controller_id > INT32_MAX || door_id > INT32_MAX)
		return err_invalid(err,
				   "a number of site %u, controller %u or door %u is too"
				   " large for the database",
				   site_id, controller_id, door_id);
	if (seq > INT64_MAX)
		return err_invalid(err, "seq %llu is too large for the database",
				   (unsigned long long)seq);
	return RC_OK;
}

static enum rc
batch_check_time(const char *what, int64_t time_us, struct err *err)
{
	if (time_us < time_min_us || time_us > time_max_us)
		return err_invalid(err, "%s %lld is outside of the years 1 to 9999", what,
				   (long long)time_us);
	return RC_OK;
}

static enum rc
batch_check_record(const uint8_t *body, size_t len, struct err *err)
{
	struct record record;
	enum rc rc = record_decode(body, len, &record, err);

	if (rc == RC_OK)
		rc = batch_check_ids(record.site_id, record.controller_id, record.door_id,
				     record.seq, err);
	if (rc == RC_OK)
		rc = batch_check_time("device time", record.device_time_us, err);
	if (rc == RC_OK)
		rc = batch_check_time("time of receipt", record.received_us, err);
	if (rc == RC_OK && (record.kind > INT16_MAX || record.reason > INT16_MAX))
		rc = err_invalid(err, "kind %u or reason %u is too large for the database",
				 record.kind, record.reason);
	return rc;
}

static enum rc
batch_check_quarantine(const uint8_t *body, size_t len, struct err *err)
{
	struct quarantine q;
	enum rc rc = quarantine_decode(body, len, &q, err);

	if (rc == RC_OK)
		rc = batch_check_ids(q.site_id, q.controller_id, 0, q.seq, err);
	if (rc == RC_OK)
		rc = batch_check_time("time of receipt", q.received_us, err);
	if (rc == RC_OK && q.reason > INT16_MAX)
		rc = err_invalid(err, "reason %u is too large for the database", q.reason);
	return rc;
}

static enum rc
batch_check_alarm(const uint8_t *body, size_t len, struct err *err)
{
	struct alarm_change c;
	enum rc rc = alarm_change_decode(body, len, &c, err);

	if (rc != RC_OK)
		return rc;
	if (c.alarm_id > INT64_MAX || c.position > INT64_MAX || c.kind > INT16_MAX)
		return err_invalid(err,
				   "alarm %llu, position %llu or kind %u is too large for the"
				   " database",
				   (unsigned long long)c.alarm_id, (unsigned long long)c.position,
				   c.kind);
	if (c.group_id > INT64_MAX || c.handed_station_id > INT32_MAX)
		return err_invalid(err, "group %llu or station %u is too large for the database",
				   (unsigned long long)c.group_id, c.handed_station_id);
	rc = batch_check_ids(c.site_id, c.controller_id, c.door_id, c.seq, err);

	const int64_t times_us[] = {c.device_time_us, c.received_us,     c.durable_us,
				    c.raised_us,      c.cleared_us,      c.acted_us,
				    c.until_us,       c.acknowledged_us, c.first_acknowledged_us};

	for (size_t i = 0; i < ARRAY_LEN(times_us) && rc == RC_OK; i++)
		rc = batch_check_time("a time of the alarm", times_us[i], err);
	return rc;
}

static enum rc
batch_check_seen(const uint8_t *body, size_t len, struct err *err)
{
	struct alarm_seen seen;
	enum rc rc = alarm_seen_decode(body, len, &seen, err);

	if (rc == RC_OK && seen.alarm_id > INT64_MAX)
		rc = err_invalid(err, "alarm %llu is too large for the database",
				 (unsigned long long)seen.alarm_id);
	if (rc == RC_OK)
		rc = batch_check_time("time of offering", seen.offered_us, err);
	if (rc == RC_OK)
		rc = batch_check_time("time of showing", seen.shown_us, err);
	return rc;
}

static enum rc
batch_check_right(const uint8_t *body, size_t len, struct err *err)
{
	struct right_change c;
	enum rc rc = right_change_decode(body, len, &c, err);

	if (rc != RC_OK)
		return rc;
	rc = batch_check_ids(c.site_id, c.desk_id, c.n_doors > 0 ? c.doors[c.n_doors - 1] : 0,
			     c.seq, err);

	const int64_t times_us[] = {c.device_time_us, c.received_us,   c.card_from_us,
				    c.card_until_us,  c.valid_from_us, c.valid_until_us};

	for (size_t i = 0; i < ARRAY_LEN(times_us) && rc == RC_OK; i++)
		rc = batch_check_time("a time of the change", times_us[i], err);
	return rc;
}

enum rc
batch_check(uint8_t type, const uint8_t *body, size_t len, enum batch_table *table, struct err *err)
{
	switch (type) {
	case ENTRY_RECORD:
		*table = BATCH_RECORDS;
		return batch_check_record(body, len, err);
	case ENTRY_ALARM:
		*table = BATCH_ALARMS;
		return batch_check_alarm(body, len, err);
	case ENTRY_SEEN:
		*table = BATCH_SEEN;
		return batch_check_seen(body, len, err);
	case ENTRY_QUARANTINE:
		*table = BATCH_QUARANTINE;
		return batch_check_quarantine(body, len, err);
	case ENTRY_RIGHT:
		*table = BATCH_RIGHTS;
		return batch_check_right(body, len, err);
	default:
		/* of a version after this one, after a step back */
		*table = BATCH_QUARANTINE;
		return err_invalid(err, "entry of unknown type %u", type);
	}
}

/* ---- Gathering ------------------------------------------------------------- */

/* There is room: batch_fill() has seen to it. */
static void
batch_add(struct batch *batch, const struct journal_entry *from)
{
	struct batch_entry *entry = &batch->entries[batch->n];
	enum batch_table table;
	struct err why;

	*entry = (struct batch_entry){.position = from->position,
				      .offset = buf_len(&batch->bodies),
				      .len = from->len,
				      .type = from->type};
	entry->refused = batch_check(from->type, from->body, from->len, &table, &why) != RC_OK;
	entry->table = entry->refused ? BATCH_QUARANTINE : table;
	must(buf_append(&batch->bodies, from->body, from->len) == RC_OK);
	batch->counts[entry->table]++;
	batch->n++;
}

bool
batch_is_full(const struct batch *batch)
{
	return batch->n >= batch->max_entries || buf_len(&batch->bodies) >= batch->max_bytes;
}

enum rc
batch_fill_some(struct batch *batch, struct journal_reader *reader, size_t entries, struct err *err)
{
	for (; entries > 0 && !batch_is_full(batch); entries--) {
		struct journal_entry entry;
		enum rc rc;

		/* before reading: what was read and not kept would be skipped */
		if (buf_reserve(&batch->bodies, JOURNAL_BODY_MAX) == NULL)
			return err_fail(err, "out of memory for a batch of %zu bytes",
					buf_len(&batch->bodies));
		rc = journal_read(reader, &entry, err);
		if (rc != RC_OK)
			return rc;
		/* those are the desk's alone, and the registrar's: the record itself comes in
		 * its turn, what an action did comes as a change, and which controller has
		 * which door is the register's */
		if (entry.type != ENTRY_AHEAD && entry.type != ENTRY_ACTION &&
		    entry.type != ENTRY_DOORS)
			batch_add(batch, &entry);
		batch->end = entry.next;
	}
	return RC_OK;
}

enum rc
batch_fill(struct batch *batch, struct journal_reader *reader, struct err *err)
{
	return batch_fill_some(batch, reader, SIZE_MAX, err);
}
