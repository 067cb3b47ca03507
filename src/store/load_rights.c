/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards and rights out of PostgreSQL, as the changes that would have made them.  Rows
 * come in pages by a cursor: a million of them need not be in memory twice.
 */
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "wire/kind.h"

static const char page_sql[] = "FETCH 10000 FROM rights_rows";

/* The card's columns stand first in both; 0 is an open end. */
static const char cards_sql[] =
	"DECLARE rights_rows NO SCROLL CURSOR FOR SELECT c.site_id, encode(c.card_key, 'hex'),"
	" c.kind, c.status, microseconds(c.valid_from), coalesce(microseconds(c.valid_until), 0),"
	" coalesce(c.unit, '') FROM cards c ORDER BY c.card_id";
static const char grants_sql[] =
	"DECLARE rights_rows NO SCROLL CURSOR FOR SELECT c.site_id, encode(c.card_key, 'hex'),"
	" c.kind, c.status, microseconds(c.valid_from), coalesce(microseconds(c.valid_until), 0),"
	" coalesce(c.unit, ''), g.door_id, microseconds(g.valid_from),"
	" coalesce(microseconds(g.valid_until), 0), coalesce(g.weekly_minutes::text, '')"
	" FROM grants g JOIN cards c USING (card_id) ORDER BY g.grant_id";

/* What fills a change from a row. */
struct filling {
	struct rights *rights;
	struct right_change change;
};

static int64_t
column_number(const PGresult *rows, int row, int column)
{
	return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

static void
take_key(const char *digits, uint8_t key[CARD_KEY_BYTES])
{
	for (size_t i = 0; i < CARD_KEY_BYTES; i++) {
		char byte[] = {digits[2 * i], digits[2 * i + 1], '\0'};

		key[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
}

/* PostgreSQL's "{[420,1140),[1860,2580)}". */
static void
take_hours(const char *ranges, struct right_change *change)
{
	const char *at = ranges;

	change->n_hours = 0;
	while (change->n_hours < RIGHT_HOURS_MAX && (at = strchr(at, '[')) != NULL) {
		struct right_hours *hours = &change->hours[change->n_hours++];
		char *end;

		hours->from_minute = (uint16_t)strtoul(at + 1, &end, 10);
		hours->to_minute = (uint16_t)strtoul(end + 1, &end, 10);
		at = end;
	}
}

static void
take_card(const PGresult *rows, int row, struct right_change *change)
{
	static const char *const statuses[] = {[CARD_ACTIVE] = "active",
					       [CARD_SUSPENDED] = "suspended",
					       [CARD_LOST] = "lost",
					       [CARD_REVOKED] = "revoked"};

	change->site_id = (uint32_t)column_number(rows, row, 0);
	must(PQgetlength(rows, row, 1) == 2 * CARD_KEY_BYTES);
	take_key(PQgetvalue(rows, row, 1), change->card_key);
	change->card_kind = card_kind_by_name(PQgetvalue(rows, row, 2));
	change->status = CARD_REVOKED; /* what a later version may call otherwise opens nothing */
	for (uint8_t i = CARD_ACTIVE; i < ARRAY_LEN(statuses); i++) {
		if (strcmp(PQgetvalue(rows, row, 3), statuses[i]) == 0)
			change->status = i;
	}
	change->card_from_us = column_number(rows, row, 4);
	change->card_until_us = column_number(rows, row, 5);
	change->unit = PQgetvalue(rows, row, 6);
	change->unit_len = (size_t)PQgetlength(rows, row, 6);
}

static void
filling_apply(struct filling *filling)
{
	rights_apply(filling->rights, &filling->change);
	/* before everything that a journal has from here on */
	rights_number(filling->rights, 1);
}

static void
add_card(struct filling *filling, const PGresult *rows, int row)
{
	filling->change.kind = KIND_CODE_CARD_REGISTERED;
	take_card(rows, row, &filling->change);
	filling_apply(filling);
}

static void
add_grant(struct filling *filling, const PGresult *rows, int row)
{
	struct right_change *change = &filling->change;

	change->kind = KIND_CODE_GRANT_SET;
	take_card(rows, row, change);
	change->doors[0] = (uint32_t)column_number(rows, row, 7);
	change->n_doors = 1;
	change->valid_from_us = column_number(rows, row, 8);
	change->valid_until_us = column_number(rows, row, 9);
	take_hours(PQgetvalue(rows, row, 10), change);
	if (change->status != CARD_REVOKED)
		filling_apply(filling);
}

static enum rc
run(load_exec *exec, void *arg, const char *sql, struct err *err)
{
	PGresult *rows = NULL;
	enum rc rc = exec(arg, sql, &rows, err);

	PQclear(rows);
	return rc;
}

static enum rc
load_pages(load_exec *exec, void *arg, const char *sql,
	   void (*add)(struct filling *filling, const PGresult *rows, int row),
	   struct filling *filling, struct err *err)
{
	enum rc rc = run(exec, arg, sql, err);
	bool more = true;

	while (rc == RC_OK && more) {
		PGresult *rows = NULL;

		rc = exec(arg, page_sql, &rows, err);
		if (rc != RC_OK)
			break;
		more = PQntuples(rows) > 0;
		for (int i = 0; i < PQntuples(rows); i++)
			add(filling, rows, i);
		PQclear(rows);
	}
	return rc == RC_OK ? run(exec, arg, "CLOSE rights_rows", err) : rc;
}

enum rc
load_rights(load_exec *exec, void *arg, struct rights *rights, struct err *err)
{
	struct filling *filling = xcalloc(1, sizeof(*filling));
	enum rc rc = run(exec, arg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

	filling->rights = rights;
	if (rc == RC_OK)
		rc = load_pages(exec, arg, cards_sql, add_card, filling, err);
	if (rc == RC_OK)
		rc = load_pages(exec, arg, grants_sql, add_grant, filling, err);
	if (rc == RC_OK)
		rc = run(exec, arg, "COMMIT", err);
	free(filling);
	return rc == RC_OK ? RC_OK : RC_FAIL;
}
