/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read PostgreSQL for verify share. */
#ifndef GATEHOUSE_SIM_VERIFY_DB_PRIV_H
#define GATEHOUSE_SIM_VERIFY_DB_PRIV_H

#include <libpq-fe.h>

#include "sim/verify.h"

/* Runs a statement that gives rows, as text; the caller clears them. */
enum rc verify_db_query(struct verify_db *db, const char *sql, PGresult **result,
			struct err *err) MUST_CHECK;

#endif
