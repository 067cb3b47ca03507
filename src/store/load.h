/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register's rows out of PostgreSQL, whoever asks: the daemon by its link, an
 * operator's program by its connection.
 */
#ifndef GATEHOUSE_STORE_LOAD_H
#define GATEHOUSE_STORE_LOAD_H

#include <libpq-fe.h>

#include "register/rights.h"

/* Runs one statement; *rows is new, also with RC_OK of a statement without rows. */
typedef enum rc load_exec(void *arg, const char *sql, PGresult **rows, struct err *err);

/* All tables as of one moment, in a transaction of its own. */
enum rc load_rows(load_exec *exec, void *arg, struct reg_builder *builder,
		  struct err *err) MUST_CHECK;

/* Cards and rights into an empty `rights`, as of one moment, each numbered 1. */
enum rc load_rights(load_exec *exec, void *arg, struct rights *rights, struct err *err) MUST_CHECK;

#endif
