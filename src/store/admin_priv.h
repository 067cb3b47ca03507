/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of store/admin.h share: the connection, and a change as one
 * transaction or, within admin_begin(), as one savepoint.
 *
 * Owner: the one thread of the program.
 */
#ifndef GATEHOUSE_STORE_ADMIN_PRIV_H
#define GATEHOUSE_STORE_ADMIN_PRIV_H

#include <libpq-fe.h>

#include "register/register.h"
#include "store/admin.h"

struct admin {
	PGconn *conn;
	bool in_batch;   /* between admin_begin() and admin_commit() */
	unsigned failed; /* changes of this batch */
};

/* Runs one statement with parameters, or with none one or more.  *result may be
 * NULL; otherwise the caller clears it.  RC_INVALID when the data is to blame. */
enum rc admin_exec(struct admin *a, const char *sql, int n_params, const char *const *params,
		   PGresult **result, struct err *err) MUST_CHECK;

/* Around each change.  admin_leave() takes what became of it and returns that, or
 * why it could not be kept. */
enum rc admin_enter(struct admin *a, struct err *err) MUST_CHECK;
enum rc admin_leave(struct admin *a, enum rc rc, struct err *err) MUST_CHECK;

/* ---- admin_put.c: what an operator typed ---------------------------------- */

enum { NUMBER_TEXT_MAX = 12 }; /* of 32 bits, with sign and end */

enum rc put_take_code(const char *what, const char *text, char out[REGISTER_CODE_MAX + 1],
		      struct err *err) MUST_CHECK;
/* A label may be empty, and NULL means empty. */
enum rc put_take_label(const char *what, const char *text, char out[REGISTER_TEXT_MAX + 1],
		       struct err *err) MUST_CHECK;
/* *id: the number of the site in `buffer`, or NULL for a NULL code. */
enum rc put_find_site(struct admin *a, const char *code, char buffer[NUMBER_TEXT_MAX],
		      const char **id, struct err *err) MUST_CHECK;

/* Runs one statement, and calls for each row; of at most 12 columns. */
enum rc admin_each_row(struct admin *a, const char *sql, int n_params, const char *const *params,
		       admin_row *row, void *arg, struct err *err) MUST_CHECK;

#endif
