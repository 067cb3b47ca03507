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

#define MICROSECONDS(time) "(extract(epoch FROM " time ") * 1000000)::bigint"
#define DB_RIGHTS                                                                                  \
	"SELECT c.name, encode(substr(k.card_key, 1, 16), 'hex'), d.number,"                       \
	" " MICROSECONDS(                                                                          \
		"g.valid_from") ","                                                                \
				" coalesce(" MICROSECONDS(                                         \
					"least(g.valid_until, k.valid_until)") ", 0),"             \
									       " CASE WHEN "       \
									       "k.valid_from > "   \
									       "g.valid_from "     \
									       "THEN"              \
									       " " MICROSECONDS(   \
										       "k.valid_"  \
										       "from") " " \
											       "E" \
											       "L" \
											       "S" \
											       "E" \
											       " " \
											       "0" \
											       " " \
											       "E" \
											       "N" \
											       "D" \
											       "," \
											       " " \
											       "k" \
											       "." \
											       "s" \
											       "t" \
											       "a" \
											       "t" \
											       "u" \
											       "s" \
											       " " \
											       "=" \
											       " " \
											       "'" \
											       "a" \
											       "c" \
											       "t" \
											       "i" \
											       "v" \
											       "e" \
											       "'" \
											       "," \
											       " " \
											       "c" \
											       "o" \
											       "a" \
											       "l" \
											       "e" \
											       "s" \
											       "c" \
											       "e" \
											       "(" \
											       "g" \
											       "." \
											       "w" \
											       "e" \
											       "e" \
											       "k" \
											       "l" \
											       "y" \
											       "_" \
											       "m" \
											       "i" \
											       "n" \
											       "u" \
											       "t" \
											       "e" \
											       "s" \
											       ":" \
											       ":" \
											       "t" \
											       "e" \
											       "x" \
											       "t" \
											       "," \
											       " " \
											       "'" \
											       "'" \
											       ")" \
											       " " \
											       "F" \
											       "R" \
											       "O" \
											       "M" \
											       " " \
											       "g" \
											       "a" \
											       "t" \
											       "e" \
											       "h" \
											       "o" \
											       "u" \
											       "s" \
											       "e" \
											       "." \
											       "g" \
											       "r" \
											       "a" \
											       "n" \
											       "t" \
											       "s" \
											       " " \
											       "g" \
											       " " \
											       "J" \
											       "O" \
											       "I" \
											       "N" \
											       " " \
											       "g" \
											       "a" \
											       "t" \
											       "e" \
											       "h" \
											       "o" \
											       "u" \
											       "s" \
											       "e" \
											       "." \
											       "c" \
											       "a" \
											       "r" \
											       "d" \
											       "s" \
											       " " \
											       "k" \
											       " " \
											       "U" \
											       "S" \
											       "I" \
											       "N" \
											       "G" \
											       " " \
											       "(" \
											       "c" \
											       "a" \
											       "r" \
											       "d" \
											       "_" \
											       "i" \
											       "d" \
											       ")" \
											       " " \
											       "J" \
											       "O" \
											       "I" \
											       "N" \
											       " " \
											       "g" \
											       "a" \
											       "t" \
											       "e" \
											       "h" \
											       "o" \
											       "u" \
											       "s" \
											       "e" \
											       "." \
											       "d" \
											       "o" \
											       "o" \
											       "r" \
											       "s" \
											       " " \
											       "d" \
											       " " \
											       "U" \
											       "S" \
											       "I" \
											       "N" \
											       "G" \
											       " " \
											       "(" \
											       "d" \
											       "o" \
											       "o" \
											       "r" \
											       "_" \
											       "i" \
											       "d" \
											       ")" \
											       " " \
											       "J" \
											       "O" \
											       "I" \
											       "N" \
											       " " \
											       "g" \
											       "a" \
											       "t" \
											       "e" \
											       "h" \
											       "o" \
											       "u" \
											       "s" \
											       "e" \
											       "." \
											       "c" \
											       "o" \
											       "n" \
											       "t" \
											       "r" \
											       "o" \
											       "l" \
											       "l" \
											       "e" \
											       "r" \
											       "s" \
											       " " \
											       "c" \
											       " " \
											       "U" \
											       "S" \
											       "I" \
											       "N" \
											       "G" \
											       " " \
											       "(" \
											       "c" \
											       "o" \
											       "n" \
											       "t" \
											       "r" \
											       "o" \
											       "l" \
											       "l" \
											       "e" \
											       "r" \
											       "_" \
											       "i" \
											       "d" \
											       ")" \
											       " " \
											       "W" \
											       "H" \
											       "E" \
											       "R" \
											       "E" \
											       " " \
											       "k" \
											       "." \
											       "s" \
											       "t" \
											       "a" \
											       "t" \
											       "u" \
											       "s" \
											       " " \
											       "<" \
											       ">" \
											       " " \
											       "'" \
											       "r" \
											       "e" \
											       "v" \
											       "o" \
											       "k" \
											       "e" \
											       "d" \
											       "'" \
											       " " \
											       "A" \
											       "N" \
											       "D" \
											       " " \
											       "(" \
											       "l" \
											       "e" \
											       "a" \
											       "s" \
											       "t" \
											       "(" \
											       "g" \
											       "." \
											       "v" \
											       "a" \
											       "l" \
											       "i" \
											       "d" \
											       "_" \
											       "u" \
											       "n" \
											       "t" \
											       "i" \
											       "l" \
											       "," \
											       " " \
											       "k" \
											       "." \
											       "v" \
											       "a" \
											       "l" \
											       "i" \
											       "d" \
											       "_" \
											       "u" \
											       "n" \
											       "t" \
											       "i" \
											       "l" \
											       ")" \
											       " " \
											       "I" \
											       "S" \
											       " " \
											       "N" \
											       "U" \
											       "L" \
											       "L" \
											       " " \
											       "O" \
											       "R" \
											       " " \
											       "l" \
											       "e" \
											       "a" \
											       "s" \
											       "t" \
											       "(" \
											       "g" \
											       "." \
											       "v" \
											       "a" \
											       "l" \
											       "i" \
											       "d" \
											       "_" \
											       "u" \
											       "n" \
											       "t" \
											       "i" \
											       "l" \
											       "," \
											       " " \
											       "k" \
											       "." \
											       "v" \
											       "a" \
											       "l" \
											       "i" \
											       "d" \
											       "_" \
											       "u" \
											       "n" \
											       "t" \
											       "i" \
											       "l" \
											       ")" \
											       " " \
											       ">" \
											       " " \
											       "n" \
											       "o" \
											       "w" \
											       "(" \
											       ")" \
											       ")"

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
	rc = verify_db_query(db, DB_RIGHTS, &rows, err);
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
