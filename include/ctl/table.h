/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows with named columns, printed in straight columns for people or as an
 * array of JSON objects for scripts: both from the same rows.
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_TABLE_H
#define GATEHOUSE_CTL_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"

enum { TABLE_COLUMNS_MAX = 12 };

enum table_type {
	TABLE_TEXT,
	TABLE_NUMBER, /* to the right; a number in JSON, with a fraction where it has one */
	TABLE_BOOL,   /* true where the text begins with t or y; yes and no for people */
};

struct table_column {
	const char *name;
	enum table_type type;
};

struct table;

/* `columns` must outlive the table; at most TABLE_COLUMNS_MAX. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table **table);

/* Copies the values; NULL is null in JSON; that and nothing are "-" for people. */
void table_add_row(struct table *table, const char *const *values);
size_t table_n_rows(const struct table *table);

void table_print(const struct table *table, FILE *out);
/* An array with an object for each row; a new reference. */
json_t *table_json(const struct table *table);
/* RC_FAIL when `out` can't be written. */
enum rc table_print_json(const struct table *table, FILE *out, struct err *err) MUST_CHECK;

#endif
