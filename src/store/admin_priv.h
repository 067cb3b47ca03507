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

#endif
