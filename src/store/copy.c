/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a batch into PostgreSQL.
 *
 * The temporary tables have the columns and checks of the tables they are for,
 * but no index: what COPY refuses there, it refuses with the number of the row.
 * They are empty between statements, and after each transaction.
 */
#include "copy.h"

#include <stdlib.h>

#include "rows.h"

/* libpq is given so much at a time: its own buffer stays near this size. */
enum { COPY_CHUNK_BYTES = 64 * 1024 };

/* Columns are named wherever rows are copied: a later migration may add some, and
 * those then have their defaults. */
static const char stages_sql[] =
	"CREATE TEMP TABLE stage_records (LIKE records INCLUDING CONSTRAINTS)"
	" ON COMMIT DELETE ROWS;"
	"CREATE TEMP TABLE stage_sieve (LIKE records) ON COMMIT DELETE ROWS;"
	"CREATE TEMP TABLE stage_alarms (LIKE alarm_changes INCLUDING CONSTRAINTS)"
	" ON COMMIT DELETE ROWS;"
	"CREATE TEMP TABLE stage_seen (alarm_id bigint, offered_at timestamptz,"
	" shown_at timestamptz) ON COMMIT DELETE ROWS;"
	"CREATE TEMP TABLE stage_quarantine (LIKE quarantine INCLUDING CONSTRAINTS)"
	" ON COMMIT DELETE ROWS;"
	"CREATE TEMP TABLE stage_rights (LIKE right_changes) ON COMMIT DELETE ROWS";

static const char sieve_sql[] =
	"COPY pg_temp.stage_sieve (" ROW_RECORD_COLUMNS ") FROM STDIN (FORMAT binary)";

static const char records_sql[] =
	"COPY records (" ROW_RECORD_COLUMNS ") FROM STDIN (FORMAT binary)";

static const struct {
	const char *copy_sql;
	const char *insert_sql; /* empties it */
	const char *truncate_sql;
} stages[] = {
	[BATCH_RECORDS] =
		{
			"COPY pg_temp.stage_records (" ROW_RECORD_COLUMNS
			") FROM STDIN (FORMAT binary)",
			"WITH moved AS (DELETE FROM pg_temp.stage_records RETURNING *)"
			" INSERT INTO records (" ROW_RECORD_COLUMNS ")"
			" SELECT " ROW_RECORD_COLUMNS " FROM moved ON CONFLICT DO NOTHING",
			"TRUNCATE pg_temp.stage_records",
		},
	/* an alarm's row is that of its last change, also when older ones are replayed */
	[BATCH_ALARMS] =
		{
			"COPY pg_temp.stage_alarms (" ROW_ALARM_COLUMNS
			") FROM STDIN (FORMAT binary)",
			"WITH moved AS (DELETE FROM pg_temp.stage_alarms RETURNING *),"
			" history AS (INSERT INTO alarm_changes (" ROW_ALARM_COLUMNS ")"
			"  SELECT " ROW_ALARM_COLUMNS " FROM moved ON CONFLICT DO NOTHING)"
			" INSERT INTO alarms AS a (" ROW_ALARM_COLUMNS ")"
			" SELECT DISTINCT ON (alarm_id) " ROW_ALARM_COLUMNS " FROM moved"
			" ORDER BY alarm_id, change DESC"
			" ON CONFLICT (alarm_id) DO UPDATE SET (" ROW_ALARM_COLUMNS ")"
			" = (SELECT " ROW_ALARM_COLUMNS " FROM (SELECT excluded.*) AS last)"
			" WHERE a.change < excluded.change",
			"TRUNCATE pg_temp.stage_alarms",
		},
	/* who saw it first; again changes nothing */
	[BATCH_SEEN] =
		{
			"COPY pg_temp.stage_seen (" ROW_SEEN_COLUMNS ") FROM STDIN (FORMAT binary)",
			"WITH moved AS (DELETE FROM pg_temp.stage_seen RETURNING *),"
			" first AS (SELECT alarm_id, min(offered_at) AS offered_at,"
			"  min(shown_at) AS shown_at FROM moved GROUP BY alarm_id)"
			" UPDATE alarms a SET offered_at = least(a.offered_at, first.offered_at),"
			" shown_at = least(a.shown_at, first.shown_at)"
			" FROM first WHERE a.alarm_id = first.alarm_id",
			"TRUNCATE pg_temp.stage_seen",
		},
	[BATCH_QUARANTINE] =
		{
			"COPY pg_temp.stage_quarantine (" ROW_QUARANTINE_COLUMNS
			") FROM STDIN (FORMAT binary)",
			"WITH moved AS (DELETE FROM pg_temp.stage_quarantine RETURNING *)"
			" INSERT INTO quarantine (" ROW_QUARANTINE_COLUMNS ")"
			" SELECT " ROW_QUARANTINE_COLUMNS " FROM moved ON CONFLICT DO NOTHING",
			"TRUNCATE pg_temp.stage_quarantine",
		},
	/* one after the other, since each is about what the one before it left */
	[BATCH_RIGHTS] =
		{
			"COPY pg_temp.stage_rights (" ROW_RIGHT_COLUMNS
			") FROM STDIN (FORMAT binary)",
			"SELECT store_rights()",
			"TRUNCATE pg_temp.stage_rights",
		},
};

void
copy_init(struct copy *copy, struct link *link, struct heard *heard, uint32_t node)
{
	*copy = (struct copy){.link = link, .heard = heard, .node = node};
	copy->chunk = xcalloc(1, COPY_CHUNK_BYTES + ROW_BYTES_MAX);
}

void
copy_fini(struct copy *copy)
{
	free(copy->chunk);
	copy->chunk = NULL;
}

enum rc
copy_make_stages(struct copy *copy, struct err *err)
{
	return link_exec(copy->link, "make temporary tables", stages_sql, 0, NULL, NULL, err);
}

/* ---- Rows of entries ------------------------------------------------------- */

/* The identity that a refused entry is kept under.  Only a record has one that no
 * other entry can have, and a desk's change, which is one of its records. */
static bool
copy_find_identity(const struct batch *batch, const struct batch_entry *entry,
		   struct record *record)
{
	const uint8_t *body = batch_body(batch, entry);
	struct right_change change;
	enum batch_table table;
	struct err ignored;

	if ((entry->type != ENTRY_RECORD && entry->type != ENTRY_RIGHT) ||
	    batch_check(entry->type, body, entry->len, &table, &ignored) != RC_OK)
		return false;
	if (entry->type == ENTRY_RECORD)
		return record_decode(body, entry->len, record, &ignored) == RC_OK;
	if (right_change_decode(body, entry->len, &change, &ignored) != RC_OK)
		return false;
	*record = (struct record){.controller_id = change.desk_id,
				  .site_id = change.site_id,
				  .epoch = change.epoch,
				  .seq = change.seq,
				  .received_us = change.received_us};
	return true;
}

static uint8_t *
copy_put_refusal(const struct copy *copy, uint8_t *out, const struct batch *batch,
		 const struct batch_entry *entry, const char *reason)
{
	const struct row_place place = {.node = copy->node, .position = entry->position};
	struct record record;
	bool known = copy_find_identity(batch, entry, &record);

	return row_put_refusal(out, &place, known ? &record : NULL, reason,
			       batch_body(batch, entry), entry->len);
}

/* What batch_check() let through decodes: it did so before, from the same bytes. */
static uint8_t *
copy_put_entry(const struct copy *copy, uint8_t *out, const struct batch *batch,
	       const struct batch_entry *entry)
{
	const struct row_place place = {.node = copy->node, .position = entry->position};
	const uint8_t *body = batch_body(batch, entry);
	enum batch_table table;
	struct alarm_change change;
	struct alarm_seen seen;
	struct right_change right;
	struct quarantine q;
	struct record record;
	struct err err;

	if (entry->check != 0) {
		batch_reason(batch, entry, &err);
		return copy_put_refusal(copy, out, batch, entry, err.msg);
	}
	if (entry->refused) {
		must(batch_check(entry->type, body, entry->len, &table, &err) == RC_INVALID);
		return copy_put_refusal(copy, out, batch, entry, err.msg);
	}
	switch ((enum batch_table)entry->table) {
	case BATCH_RECORDS:
		must(record_decode(body, entry->len, &record, &err) == RC_OK);
		if (record.epoch > 0) /* not what the server itself observed */
			heard_note(copy->heard, record.controller_id);
		return row_put_record(out, &place, &record);
	case BATCH_ALARMS:
		must(alarm_change_decode(body, entry->len, &change, &err) == RC_OK);
		return row_put_alarm(out, &change);
	case BATCH_SEEN:
		must(alarm_seen_decode(body, entry->len, &seen, &err) == RC_OK);
		return row_put_seen(out, &seen);
	case BATCH_QUARANTINE:
		must(quarantine_decode(body, entry->len, &q, &err) == RC_OK);
		return row_put_quarantine(out, &place, &q);
	case BATCH_RIGHTS:
		must(right_change_decode(body, entry->len, &right, &err) == RC_OK);
		return row_put_right(out, &place, &right);
	case BATCH_TABLES:
		break;
	}
	must_failed("table of an entry", __FILE__, __LINE__);
}

/* ---- COPY ------------------------------------------------------------------ */

static enum rc
copy_begin(struct copy *copy, const char *sql, struct err *err)
{
	copy->used = (size_t)(rows_put_header(copy->chunk) - copy->chunk);
	return link_copy_begin(copy->link, sql, err);
}

/* The chunk is free again when this returns: libpq has taken or sent all of it. */
static enum rc
copy_flush(struct copy *copy, struct err *err)
{
	size_t n = copy->used;

	copy->used = 0;
	return link_copy_put(copy->link, copy->chunk, n, err);
}

static enum rc
copy_end(struct copy *copy, uint64_t *rows, struct err *err)
{
	copy->used = (size_t)(rows_put_trailer(copy->chunk + copy->used) - copy->chunk);

	enum rc rc = copy_flush(copy, err);

	return rc == RC_OK ? link_copy_end(copy->link, rows, err) : rc;
}

/* Rows are made in the chunk and sent when it is full: memory is the same for any
 * length of a part. */
static enum rc
copy_part(struct copy *copy, const char *sql, const struct copy_part *part, uint64_t *rows,
	  struct err *err)
{
	const struct batch *batch = part->batch;
	enum rc rc = copy_begin(copy, sql, err);

	for (size_t i = part->from; i < part->to && rc == RC_OK; i++) {
		const struct batch_entry *entry = &batch->entries[i];

		if (entry->table != part->table)
			continue;
		copy->used = (size_t)(copy_put_entry(copy, copy->chunk + copy->used, batch, entry) -
				      copy->chunk);
		if (copy->used >= COPY_CHUNK_BYTES)
			rc = copy_flush(copy, err);
	}
	return rc == RC_OK ? copy_end(copy, rows, err) : rc;
}

static enum rc
copy_insert_staged(struct copy *copy, enum batch_table table, uint64_t *added, struct err *err)
{
	PGresult *result;
	enum rc rc = link_exec(copy->link, "store rows", stages[table].insert_sql, 0, NULL, &result,
			       err);

	if (rc != RC_OK)
		return rc;
	*added = strtoull(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return RC_OK;
}

enum rc
copy_records(struct copy *copy, const struct batch *batch, size_t from, size_t to, struct err *err)
{
	const struct copy_part part = {
		.batch = batch, .table = BATCH_RECORDS, .from = from, .to = to};
	uint64_t rows;

	return copy_part(copy, records_sql, &part, &rows, err);
}

enum rc
copy_sieve(struct copy *copy, const struct batch *batch, struct err *err)
{
	const struct copy_part all = {.batch = batch, .table = BATCH_RECORDS, .to = batch->n};
	uint64_t rows;

	return copy_part(copy, sieve_sql, &all, &rows, err);
}

enum rc
copy_staged(struct copy *copy, const struct copy_part *part, uint64_t *rows, uint64_t *added,
	    struct err *err)
{
	enum rc rc = copy_part(copy, stages[part->table].copy_sql, part, rows, err);

	return rc == RC_OK ? copy_insert_staged(copy, part->table, added, err) : rc;
}

enum rc
copy_truncate_stage(struct copy *copy, enum batch_table table, struct err *err)
{
	return link_exec(copy->link, "truncate a temporary table", stages[table].truncate_sql, 0,
			 NULL, NULL, err);
}

enum rc
copy_refusal(struct copy *copy, const struct batch *batch, const struct batch_entry *entry,
	     const char *reason, struct err *err)
{
	uint64_t rows, added;
	enum rc rc = copy_begin(copy, stages[BATCH_QUARANTINE].copy_sql, err);

	if (rc != RC_OK)
		return rc;
	copy->used =
		(size_t)(copy_put_refusal(copy, copy->chunk + copy->used, batch, entry, reason) -
			 copy->chunk);
	rc = copy_end(copy, &rows, err);
	return rc == RC_OK ? copy_insert_staged(copy, BATCH_QUARANTINE, &added, err) : rc;
}
