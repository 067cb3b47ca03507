/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of the store: binary COPY of rows that are ready, straight from libpq, in
 * transactions of so many rows.
 *
 *	copy_floor CONNINFO FILE ROWS_PER_TRANSACTION
 *
 * FILE is what "COPY (SELECT .. FROM records ORDER BY position) TO STDOUT (FORMAT
 * binary)" gave: the daemon's own rows, in its order.  Prints {"rows", "seconds",
 * "cpu_s"}; the CPU is this program's, PostgreSQL's is read from /proc.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/bytes.h"
#include "base/clock.h"

enum {
	SIGNATURE_BYTES = 19, /* with flags and the length of the header's extension */
	TRAILER_BYTES = 2,
	CHUNK_BYTES = 64 * 1024,
};

static const char copy_sql[] =
	"COPY gatehouse.records (device_time, received_at, epoch, seq, position, site_id,"
	" controller_id, door_id, flags, kind, reason, node_id, card_token, raw_code, detail)"
	" FROM STDIN (FORMAT binary)";

struct rows {
	char *bytes;
	size_t n, at; /* bytes; the next row */
};

static void
rows_load(struct rows *rows, const char *path)
{
	FILE *file = fopen(path, "re");
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		fatal("could not read \"%s\": %s", path, strerror(errno));
	rewind(file);
	*rows = (struct rows){.bytes = malloc((size_t)size), .n = (size_t)size};
	if (rows->bytes == NULL || fread(rows->bytes, 1, rows->n, file) != rows->n)
		fatal("could not read \"%s\"", path);
	(void)fclose(file);
	if (rows->n < SIGNATURE_BYTES + TRAILER_BYTES || memcmp(rows->bytes, "PGCOPY\n", 7) != 0)
		fatal("\"%s\" is no binary COPY", path);
	rows->at = SIGNATURE_BYTES;
}

/* Goes past one row; false at the trailer. */
static bool
rows_skip(struct rows *rows)
{
	const uint8_t *bytes = (const uint8_t *)rows->bytes;
	uint16_t fields;

	must(rows->at + 2 <= rows->n);
	fields = be_get16(bytes + rows->at);
	if (fields == UINT16_MAX)
		return false;
	rows->at += 2;
	for (uint16_t i = 0; i < fields; i++) {
		uint32_t len;

		must(rows->at + 4 <= rows->n);
		len = be_get32(bytes + rows->at);
		rows->at += 4 + (len == UINT32_MAX ? 0 : (size_t)len);
	}
	return true;
}

/* ---- PostgreSQL ------------------------------------------------------------------------- */

static void
run_sql(PGconn *conn, const char *sql, ExecStatusType expected)
{
	PGresult *result = PQexec(conn, sql);

	if (PQresultStatus(result) != expected)
		fatal("could not run \"%s\": %s", sql, PQerrorMessage(conn));
	PQclear(result);
}

static void
put_bytes(PGconn *conn, const char *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t part = n - done < CHUNK_BYTES ? n - done : CHUNK_BYTES;

		if (PQputCopyData(conn, bytes + done, (int)part) != 1)
			fatal("could not send rows: %s", PQerrorMessage(conn));
		done += part;
	}
}

static void
end_copy(PGconn *conn)
{
	PGresult *result;

	put_bytes(conn, "\377\377", TRAILER_BYTES);
	if (PQputCopyEnd(conn, NULL) != 1)
		fatal("could not end a COPY: %s", PQerrorMessage(conn));
	result = PQgetResult(conn);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fatal("could not copy: %s", PQerrorMessage(conn));
	PQclear(result);
	while ((result = PQgetResult(conn)) != NULL)
		PQclear(result);
}

/* Returns how many rows there were. */
static size_t
copy_transaction(PGconn *conn, struct rows *rows, size_t at_most)
{
	size_t from = rows->at, n = 0;

	while (n < at_most && rows_skip(rows))
		n++;
	if (n == 0)
		return 0;
	run_sql(conn, "BEGIN", PGRES_COMMAND_OK);
	run_sql(conn, copy_sql, PGRES_COPY_IN);
	put_bytes(conn, rows->bytes, SIGNATURE_BYTES);
	put_bytes(conn, rows->bytes + from, rows->at - from);
	end_copy(conn);
	run_sql(conn, "COMMIT", PGRES_COMMAND_OK);
	return n;
}

static double
cpu_s(void)
{
	struct timespec spent;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0);
	return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct rows rows;
	size_t at_most, all = 0, n;
	uint64_t begun;
	double cpu;
	PGconn *conn;

	if (argc != 4 || (at_most = strtoul(argv[3], NULL, 10)) == 0)
		fatal("expected CONNINFO FILE ROWS_PER_TRANSACTION");
	rows_load(&rows, argv[2]);
	conn = PQconnectdb(argv[1]);
	if (PQstatus(conn) != CONNECTION_OK)
		fatal("could not connect: %s", PQerrorMessage(conn));
	begun = clock_mono_ns();
	cpu = cpu_s();
	while ((n = copy_transaction(conn, &rows, at_most)) > 0)
		all += n;
	printf("{\"rows\": %zu, \"seconds\": %.6f, \"cpu_s\": %.6f}\n", all,
	       (double)(clock_mono_ns() - begun) / 1e9, cpu_s() - cpu);
	PQfinish(conn);
	free(rows.bytes);
	return 0;
}
