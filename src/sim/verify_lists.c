/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the register in PostgreSQL gives to each controller, read as a stranger would:
 * rights of its doors whose window has not ended, of cards that are not revoked.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "sim/verify.h"
#include "verify_db_priv.h"

/* Times in microseconds, as the contract has them: "extract" gives seconds, exactly. */
static const char query_rights[] =
	"WITH windows AS ("
	"  SELECT c.name, k.card_key, k.status, d.number, g.valid_from, g.weekly_minutes,"
	"    least(g.valid_until, k.valid_until) AS valid_until,"
	"    greatest(k.valid_from, g.valid_from) AS not_before"
	"  FROM gatehouse.grants g"
	"  JOIN gatehouse.cards k USING (card_id)"
	"  JOIN gatehouse.doors d USING (door_id)"
	"  JOIN gatehouse.controllers c USING (controller_id)"
	"  WHERE k.status <> 'revoked')"
	" SELECT name, encode(substr(card_key, 1, 16), 'hex'), number,"
	"  (extract(epoch FROM valid_from) * 1000000)::bigint,"
	"  coalesce((extract(epoch FROM valid_until) * 1000000)::bigint, 0),"
	"  CASE WHEN not_before > valid_from"
	"    THEN (extract(epoch FROM not_before) * 1000000)::bigint ELSE 0 END,"
	"  status = 'active',"
	"  coalesce(weekly_minutes::text, '')"
	" FROM windows WHERE valid_until IS NULL OR valid_until > now()";

enum {
	COLUMN_NAME,
	COLUMN_KEY,
	COLUMN_DOOR,
	COLUMN_FROM,
	COLUMN_UNTIL,
	COLUMN_NOT_BEFORE,
	COLUMN_ACTIVE,
	COLUMN_HOURS,
};

/* "{[480,1020),[1920,2460)}" */
static bool
take_hours(const char *text, struct held_right *right)
{
	unsigned from, to;
	int used;

	right->n_hours = 0;
	for (text += *text == '{'; *text != '\0' && *text != '}'; text += *text == ',') {
		used = 0;
		if (right->n_hours == HELD_HOURS_MAX ||
		    sscanf(text, "[%u,%u)%n", &from, &to, &used) != 2 || used == 0)
			return false;
		right->from_minute[right->n_hours] = (uint16_t)from;
		right->to_minute[right->n_hours++] = (uint16_t)to;
		text += used;
	}
	return true;
}

static bool
take_key(const char *text, uint8_t key[HELD_KEY_BYTES])
{
	for (size_t i = 0; i < HELD_KEY_BYTES; i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		key[i] = (uint8_t)byte;
	}
	return true;
}

static bool
take_right(const PGresult *rows, int i, struct held_right *right)
{
	*right = (struct held_right){
		.door = (uint32_t)strtoul(PQgetvalue(rows, i, COLUMN_DOOR), NULL, 10),
		.valid_from_us = strtoll(PQgetvalue(rows, i, COLUMN_FROM), NULL, 10),
		.valid_until_us = strtoll(PQgetvalue(rows, i, COLUMN_UNTIL), NULL, 10),
		.not_before_us = strtoll(PQgetvalue(rows, i, COLUMN_NOT_BEFORE), NULL, 10),
		.active = PQgetvalue(rows, i, COLUMN_ACTIVE)[0] == 't',
	};
	return take_key(PQgetvalue(rows, i, COLUMN_KEY), right->card_key) &&
	       take_hours(PQgetvalue(rows, i, COLUMN_HOURS), right);
}

enum rc
verify_db_look_lists(struct verify_db *db, struct lists *lists, struct err *err)
{
	PGresult *rows = NULL;
	enum rc rc = RC_OK;

	lists_begin_rows(lists);
	if (lists->names.n == 0)
		return RC_OK;
	rc = verify_db_query(db, query_rights, &rows, err);
	for (int i = 0; rc == RC_OK && i < PQntuples(rows); i++) {
		struct held_right right;

		if (!take_right(rows, i, &right))
			rc = err_fail(err, "PostgreSQL sent a right that can't be read");
		else
			lists_stored(lists, PQgetvalue(rows, i, COLUMN_NAME), &right);
	}
	PQclear(rows);
	return rc;
}
