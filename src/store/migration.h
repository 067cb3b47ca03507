/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of sql/, carried within the program; the Makefile makes the table.
 * Immutable; any thread.
 */
#ifndef GATEHOUSE_STORE_MIGRATION_H
#define GATEHOUSE_STORE_MIGRATION_H

struct migration {
	const char *name; /* "001_register.sql"; NULL ends the table */
	const char *text;
};
extern const struct migration migrations[];

#endif
