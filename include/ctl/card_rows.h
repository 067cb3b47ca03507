/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards and rights as CSV, a row for a card and, where it names doors, a right of it.
 * The first line names the columns, in any order:
 *
 *	card          its number, see ctl/card_number.h; or
 *	card_key      the site's key for it, as an export has it: "key:" and 64 digits
 *	kind          owner, tenant, temporary, staff; may be empty for a card that exists
 *	unit          code of the unit it belongs to
 *	valid_from    see ctl/when.h
 *	valid_until
 *	doors         codes of doors, with commas between them
 *	group         code of a group of doors
 *	right_from    of the right at these doors; that of the card otherwise
 *	right_until
 *	hours         "Mon-Fri 07:00-19:00"; empty: always
 *	problem       passed over: an import writes it beside rows that it skipped
 *	personal.*    personal fields, under the name behind the dot; sealed, see ctl/seal.h
 *
 * All rows are read before anything is done with one; mistakes are gathered with line
 * and column.  Numbers and personal fields are wiped with the rows.
 *
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_CARD_ROWS_H
#define GATEHOUSE_CTL_CARD_ROWS_H

#include <jansson.h>
#include <stdio.h>

#include "ctl/card_number.h"
#include "wire/entry.h"

enum {
	CARD_ROWS_MAX = 1000000,
	CARD_ROWS_FILE_MAX = 256 << 20, /* bytes */
	CARD_ROWS_PROBLEMS_MAX = 20,    /* that are kept to be shown */
	CARD_ROW_DOORS_MAX = 64,        /* of one row; more doors are a group */
	CARD_PERSONAL_MAX = 16,         /* columns of personal fields */
};

struct card_row {
	unsigned line;             /* where it began */
	struct card_number number; /* len 0: card_key is given instead */
	uint8_t card_key[CARD_KEY_BYTES];
	uint8_t kind;                        /* enum card_kind; NONE: not given */
	char *unit;                          /* NULL: not given, as all texts here */
	int64_t card_from_us, card_until_us; /* 0: not given */
	char *doors[CARD_ROW_DOORS_MAX];
	size_t n_doors;
	char *group;
	int64_t right_from_us, right_until_us; /* 0: not given */
	struct right_hours hours[RIGHT_HOURS_MAX];
	size_t n_hours;
	json_t *personal; /* object of texts; NULL: none */
	char *problem;    /* the first mistake that was found in it; NULL: none */
};

struct card_rows {
	char *label; /* of the file */
	char *text;  /* its content */
	size_t text_len;
	bool has_problems; /* it has a column of them */
	struct card_row *items;
	size_t n, capacity;
	char *problems[CARD_ROWS_PROBLEMS_MAX];
	size_t n_problems; /* may be more than are kept */
	size_t n_bad;      /* rows with a mistake */
	bool unusable;     /* the file as a whole: not CSV, or a wrong first line */
};

/* RC_FAIL when the file can't be read; mistakes in it become problems. */
enum rc card_rows_read(struct card_rows **rows, const char *path, const char *zone_name,
		       struct err *err) MUST_CHECK;
/* Wipes. */
void card_rows_free(struct card_rows **rows);

/* A mistake in a row, found later: "FILE:LINE: COLUMN: what". */
void card_rows_problem(struct card_rows *rows, struct card_row *row, const char *column,
		       const char *fmt, ...) PRINTF_LIKE(4, 5);
void card_rows_print_problems(const struct card_rows *rows, FILE *out);

/* The bad rows as they stood in the file, each with its first problem behind it; where
 * the file has such a column already, it keeps what it says. */
void card_rows_write_bad(const struct card_rows *rows, FILE *out);

/* The first line of such a file, without personal fields. */
extern const char card_rows_header[];

#endif
