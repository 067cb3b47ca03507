/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PostgreSQL holds, streamed by binary COPY: a row is looked at and
 * forgotten, so that millions need no memory here.
 *
 * Rows of the server itself (epochs below 0) are left out: no controller sent
 * them.  Controllers and doors are looked up by arrays over their ids.
 *
 * Deliberately synchronous, and uses nothing of the daemon's store.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/verify.h"
#include "verify_db_priv.h"

#define DB_COUNT                                                                                   \
	"SELECT (SELECT count(*) FROM gatehouse.records WHERE epoch >= 0)"                         \
	"     + (SELECT count(*) FROM gatehouse.quarantine WHERE epoch >= 0)"
#define DB_COPY_RECORDS                                                                            \
	"COPY (SELECT controller_id, epoch, seq, device_time, position, kind, door_id, node_id"    \
	" FROM gatehouse.records WHERE epoch >= 0) TO STDOUT (FORMAT binary)"
#define DB_COPY_QUARANTINE                                                                         \
	"COPY (SELECT controller_id, epoch, seq FROM gatehouse.quarantine WHERE epoch >= 0)"       \
	" TO STDOUT (FORMAT binary)"

enum {
	DB_ID_MAX = 16 * 1024 * 1024, /* the arrays stay below 64 MiB */
	DB_RECORD_COLUMNS = 8,
	DB_QUARANTINE_COLUMNS = 3,
	DB_COPY_HEADER = 19, /* signature, flags, length of the extension */
};

/* 1970-01-01 to 2000-01-01, where PostgreSQL's times begin. */
#define DB_EPOCH_US (946684800 * 1000000LL)

/* An array over the ids of a table; what is not there is `none`. */
struct id_map {
	uint32_t *values;
	size_t n;
	uint32_t none;
};

struct verify_db {
	PGconn *conn;
	struct id_map controllers; /* id -> number in the compare */
	struct id_map doors;       /* id -> number on its controller */
};

/* ---- Connection ---------------------------------------------------------------------- */

/* PostgreSQL's words in one line. */
static enum rc
db_fail(struct err *err, const char *what, const char *message)
{
	size_t len = strcspn(message, "\n");

	return err_fail(err, "%s: %.*s", what, (int)len, message);
}

enum rc
verify_db_open(struct verify_db **out, const char *conninfo, struct err *err)
{
	struct verify_db *db = xcalloc(1, sizeof(*db));

	db->conn = PQconnectdb(conninfo);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		enum rc rc =
			db_fail(err, "could not connect to PostgreSQL", PQerrorMessage(db->conn));

		verify_db_close(&db);
		return rc;
	}
	*out = db;
	return RC_OK;
}

void
verify_db_close(struct verify_db **out)
{
	struct verify_db *db = *out;

	if (db == NULL)
		return;
	*out = NULL;
	PQfinish(db->conn);
	free(db->controllers.values);
	free(db->doors.values);
	free(db);
}

enum rc
verify_db_query(struct verify_db *db, const char *sql, PGresult **result, struct err *err)
{
	*result = PQexec(db->conn, sql);
	if (PQresultStatus(*result) != PGRES_TUPLES_OK &&
	    PQresultStatus(*result) != PGRES_COMMAND_OK) {
		PQclear(*result);
		*result = NULL;
		return db_fail(err, "could not read from PostgreSQL", PQerrorMessage(db->conn));
	}
	return RC_OK;
}

static enum rc
db_command(struct verify_db *db, const char *sql, struct err *err)
{
	PGresult *result = NULL;
	enum rc rc = verify_db_query(db, sql, &result, err);

	PQclear(result);
	return rc;
}

enum rc
verify_db_count(struct verify_db *db, uint64_t *rows, struct err *err)
{
	PGresult *result = NULL;
	enum rc rc = verify_db_query(db, DB_COUNT, &result, err);

	if (rc == RC_OK)
		*rows = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return rc;
}

/* ---- Ids -------------------------------------------------------------------------------- */

static uint32_t
id_map_get(const struct id_map *map, uint32_t id)
{
	return id < map->n ? map->values[id] : map->none;
}

static enum rc
id_map_set(struct id_map *map, const char *id_text, uint32_t value, struct err *err)
{
	unsigned long id = strtoul(id_text, NULL, 10);

	if (id > DB_ID_MAX)
		return err_fail(err, "id %s is above %d", id_text, DB_ID_MAX);
	if (id >= map->n) {
		size_t n = map->n > 0 ? map->n : 1024;

		while (n <= id)
			n *= 2;
		map->values = xrealloc(map->values, n * sizeof(*map->values));
		for (; map->n < n; map->n++)
			map->values[map->n] = map->none;
	}
	map->values[id] = value;
	return RC_OK;
}

static enum rc
db_load_controllers(struct verify_db *db, const struct compare *compare, struct err *err)
{
	PGresult *result = NULL;
	enum rc rc = verify_db_query(db,
				     "SELECT controller_id, name FROM gatehouse.controllers"
				     " UNION ALL SELECT desk_id, name FROM gatehouse.desks",
				     &result, err);

	db->controllers.none = COMPARE_NO_CONTROLLER;
	for (int i = 0; rc == RC_OK && i < PQntuples(result); i++)
		rc = id_map_set(&db->controllers, PQgetvalue(result, i, 0),
				compare_controller(compare, PQgetvalue(result, i, 1)), err);
	PQclear(result);
	return rc;
}

static enum rc
db_load_doors(struct verify_db *db, struct err *err)
{
	PGresult *result = NULL;
	enum rc rc = verify_db_query(
		db, "SELECT door_id, number FROM gatehouse.doors WHERE number IS NOT NULL", &result,
		err);

	for (int i = 0; rc == RC_OK && i < PQntuples(result); i++)
		rc = id_map_set(&db->doors, PQgetvalue(result, i, 0),
				(uint32_t)strtoul(PQgetvalue(result, i, 1), NULL, 10), err);
	PQclear(result);
	return rc;
}

/* ---- Rows --------------------------------------------------------------------------------- */

/* One column of a row: its value as 64 bits; null is 0. */
static bool
db_take_column(const uint8_t **in, const uint8_t *end, uint64_t *value)
{
	uint32_t len;

	if (end - *in < 4)
		return false;
	len = be_get32(*in);
	*in += 4;
	*value = 0;
	if (len == UINT32_MAX) /* -1: null, which is door 0: the controller itself */
		return true;
	if (len > 8 || (size_t)(end - *in) < len)
		return false;
	for (uint32_t i = 0; i < len; i++)
		*value = *value << 8 | (*in)[i];
	*in += len;
	return true;
}

/* Returns how many columns there are; -1 at the end of the data, -2: not a row. */
static int
db_take_row(const uint8_t *in, const uint8_t *end, uint64_t *columns, int max)
{
	int n;

	if (end - in < 2)
		return -2;
	n = (int16_t)(in[0] << 8 | in[1]);
	in += 2;
	if (n == -1)
		return -1;
	if (n != max)
		return -2;
	for (int i = 0; i < n; i++)
		if (!db_take_column(&in, end, &columns[i]))
			return -2;
	return n;
}

static void
db_tell_record(const struct verify_db *db, struct compare *compare, const uint64_t *columns)
{
	uint32_t controller = id_map_get(&db->controllers, (uint32_t)columns[0]);
	const struct compare_row row = {
		.epoch = columns[1],
		.seq = columns[2],
		.time_us = (int64_t)columns[3] + DB_EPOCH_US,
		.position = columns[4],
		.kind = (uint16_t)columns[5],
		.door = (uint16_t)id_map_get(&db->doors, (uint32_t)columns[6]),
		.node = (uint16_t)columns[7]};

	if (controller != COMPARE_NO_CONTROLLER)
		compare_stored(compare, controller, &row);
}

static void
db_tell_quarantine(const struct verify_db *db, struct compare *compare, const uint64_t *columns)
{
	uint32_t controller = id_map_get(&db->controllers, (uint32_t)columns[0]);

	if (controller != COMPARE_NO_CONTROLLER)
		compare_quarantined(compare, controller, columns[1], columns[2]);
}

/* Takes the rows of a COPY that has begun.  libpq gives one message of the protocol
 * at a time, and PostgreSQL puts one row in each. */
static enum rc
db_copy_rows(struct verify_db *db, struct compare *compare, int n_columns,
	     void (*tell)(const struct verify_db *db, struct compare *compare,
			  const uint64_t *columns),
	     struct err *err)
{
	bool first = true;
	char *bytes;
	int n;

	while ((n = PQgetCopyData(db->conn, &bytes, 0)) > 0) {
		const uint8_t *in = (const uint8_t *)bytes, *end = in + n;
		uint64_t columns[DB_RECORD_COLUMNS];
		int got = 0;

		if (first) /* the header comes in front of the first row */
			in += n < DB_COPY_HEADER ? n : DB_COPY_HEADER;
		first = false;
		if (in < end)
			got = db_take_row(in, end, columns, n_columns);
		if (got > 0)
			tell(db, compare, columns);
		PQfreemem(bytes);
		if (got == -2)
			return err_fail(err, "PostgreSQL sent a row that can't be read");
	}
	if (n == -2)
		return db_fail(err, "could not read from PostgreSQL", PQerrorMessage(db->conn));
	return RC_OK;
}

static enum rc
db_copy(struct verify_db *db, const char *sql, struct compare *compare, int n_columns,
	void (*tell)(const struct verify_db *db, struct compare *compare, const uint64_t *columns),
	struct err *err)
{
	PGresult *result = PQexec(db->conn, sql);
	enum rc rc;

	if (PQresultStatus(result) != PGRES_COPY_OUT) {
		rc = db_fail(err, "could not read from PostgreSQL", PQerrorMessage(db->conn));
		PQclear(result);
		return rc;
	}
	PQclear(result);
	rc = db_copy_rows(db, compare, n_columns, tell, err);
	if (rc != RC_OK)
		return rc;
	/* an error in the middle of the COPY is told only here */
	while ((result = PQgetResult(db->conn)) != NULL) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			rc = db_fail(err, "could not read from PostgreSQL",
				     PQerrorMessage(db->conn));
		PQclear(result);
	}
	return rc;
}

enum rc
verify_db_look(struct verify_db *db, struct compare *compare, struct err *err)
{
	enum rc rc =
		db_command(db, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

	if (rc == RC_OK)
		rc = db_load_controllers(db, compare, err);
	if (rc == RC_OK)
		rc = db_load_doors(db, err);
	compare_begin_rows(compare);
	if (rc == RC_OK)
		rc = db_copy(db, DB_COPY_RECORDS, compare, DB_RECORD_COLUMNS, db_tell_record, err);
	if (rc == RC_OK)
		rc = db_copy(db, DB_COPY_QUARANTINE, compare, DB_QUARANTINE_COLUMNS,
			     db_tell_quarantine, err);
	if (rc == RC_OK)
		rc = db_command(db, "COMMIT", err);
	return rc;
}
