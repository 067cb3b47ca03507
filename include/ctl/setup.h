/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator wants to have in the register: rows of stations, areas,
 * sites, controllers, doors, units, groups of doors, registration desks and
 * consoles, read from a file or from a command line, checked as a whole, and put into PostgreSQL
 * all or not at all.
 *
 * One table of columns says what a row may have.  It serves both kinds of file,
 * the verbs' options, and the checks; the names are those that lists print.
 *
 * Mistakes are gathered, "FILE:LINE: what, and what was expected", so that one
 * run shows up to SETUP_PROBLEMS_MAX of them.  Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_SETUP_H
#define GATEHOUSE_CTL_SETUP_H

#include <stdio.h>

#include "base/base.h"

struct admin;

/* In the order in which they can refer to one another. */
enum setup_kind {
	SETUP_STATIONS,
	SETUP_AREAS,
	SETUP_SITES,
	SETUP_CONTROLLERS,
	SETUP_DOORS,
	SETUP_UNITS,
	SETUP_GROUPS, /* of doors */
	SETUP_DESKS,  /* registration desks */
	SETUP_CONSOLES,
	SETUP_KINDS,
};

enum {
	SETUP_COLUMNS_MAX = 6,
	SETUP_PROBLEMS_MAX = 20,
	SETUP_ROWS_MAX = 200000,      /* twenty times the largest register we plan for */
	SETUP_FILE_MAX = 32 << 20,    /* bytes; so many rows of 160 bytes */
	SETUP_AREA_DEPTH_MAX = 32,    /* levels of the area tree within one file */
	SETUP_DOOR_NUMBER_MAX = 9999, /* on one controller; the largest made serve 128 */
	SETUP_LIST_MAX = 16384,       /* bytes: 250 of the longest codes */
};

/* What a value looks like. */
enum setup_form {
	SETUP_CODE,   /* up to 64 bytes */
	SETUP_LABEL,  /* up to 200 bytes, for people */
	SETUP_CLIENT, /* the name of a controller, console or desk: text_is_name() */
	SETUP_NUMBER, /* 1 .. SETUP_DOOR_NUMBER_MAX */
	SETUP_LIST,   /* codes with commas between them, SETUP_LIST_MAX bytes */
	SETUP_RIGHT,  /* landlord or manager */
};

struct setup_column {
	const char *name;
	enum setup_form form;
	bool required;
	const char *help;
};

struct setup_schema {
	const char *plural, *singular;      /* "doors", "door" */
	const struct setup_column *columns; /* the first one is the key */
	size_t n_columns;
	size_t scope; /* the column within whose values the key is unique; 0: everywhere */
};

/* All plurals. */
#define SETUP_KIND_NAMES                                                                           \
	"stations, areas, sites, controllers, doors, units, groups, desks, consoles"

/* By enum setup_kind. */
const struct setup_schema *setup_schema(enum setup_kind kind);
/* By its plural; false when there is none. */
bool setup_kind_by_name(const char *plural, enum setup_kind *kind);

struct setup_row {
	enum setup_kind kind;
	unsigned line;                   /* 0: not from a file */
	unsigned depth;                  /* areas: how many of its ancestors are in this setup */
	char *values[SETUP_COLUMNS_MAX]; /* by column; NULL: not given */
};

struct setup {
	char *label; /* of the file, for mistakes; NULL: a command line */
	struct setup_row *rows;
	size_t n_rows, capacity;
	char *problems[SETUP_PROBLEMS_MAX];
	size_t n_problems; /* may be more than are kept */
};

struct setup *setup_new(const char *label);
void setup_free(struct setup **setup);

/* NULL when there are too many, which is then a problem of the setup.  The row
 * moves when the next one is added. */
struct setup_row *setup_add_row(struct setup *setup, enum setup_kind kind, unsigned line);
/* Trims and copies n bytes; an empty value is one that was not given. */
void setup_set_value(struct setup *setup, struct setup_row *row, size_t column, const char *value,
		     size_t n, unsigned line);
/* False when the kind has no such column. */
bool setup_find_column(enum setup_kind kind, const char *name, size_t n, size_t *column);
/* Notes a mistake; line 0 for one that has no line. */
void setup_problem(struct setup *setup, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
void setup_print_problems(const struct setup *setup, FILE *out);

/* Add the rows of a file's content; mistakes become problems. */
void setup_read_yaml(struct setup *setup, const char *text, size_t n);
void setup_read_csv(struct setup *setup, enum setup_kind kind, const char *text, size_t n);
/* New: the rows of a file that is one or the other, `kind` only for CSV.
 * RC_FAIL when the file can't be read; mistakes in it become problems. */
enum rc setup_read_file(struct setup **setup, const char *path, bool csv, enum setup_kind kind,
			struct err *err) MUST_CHECK;

/* What can be known without the register: form, doubles, circles.  Brings the
 * rows into the order of their references.  True when there is no problem. */
bool setup_check(struct setup *setup);

/*
 * Puts a checked setup into the register, in one transaction; with `dry_run` it
 * is taken back at the end.  RC_INVALID: PostgreSQL refused rows, and each is
 * one of the setup's problems.  RC_FAIL: it could not be asked.
 */
enum rc setup_apply(struct setup *setup, struct admin *admin, bool dry_run,
		    struct err *err) MUST_CHECK;

/* "2 stations, 1 area, 10 doors"; new memory. */
char *setup_summary(const struct setup *setup);

#endif
