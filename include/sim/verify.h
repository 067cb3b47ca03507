/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of "gatehouse-sim verify": the ledger and the database are told to
 * the three cores, and what these found is reported.
 */
#ifndef GATEHOUSE_SIM_VERIFY_H
#define GATEHOUSE_SIM_VERIFY_H

#include "sim/lists.h"
#include "sim/sightings.h"

/* What a ledger is told to. */
struct verify_cores {
	struct compare *compare;
	struct sightings *sightings;
	struct lists lists;
};
enum rc verify_load_ledger(const char *dir, struct verify_cores *cores, struct err *err) MUST_CHECK;

/* A connection to PostgreSQL. */
struct verify_db;
enum rc verify_db_open(struct verify_db **db, const char *conninfo, struct err *err) MUST_CHECK;
void verify_db_close(struct verify_db **db);
/* How many records and quarantine rows of controllers there are. */
enum rc verify_db_count(struct verify_db *db, uint64_t *rows, struct err *err) MUST_CHECK;
/* Tells all rows of the compare's controllers, as one snapshot. */
enum rc verify_db_look(struct verify_db *db, struct compare *compare, struct err *err) MUST_CHECK;

/* Tells what the register gives to each controller. */
enum rc verify_db_look_lists(struct verify_db *db, struct lists *lists, struct err *err) MUST_CHECK;

struct verify_result {
	struct compare_result records;
	struct sightings_result alarms;
	struct lists_result lists;
	bool alarms_expected; /* a missing alarm is a fault */
};
/* To stdout. */
void verify_report(const struct verify_result *result, bool json);
/* True when nothing is wrong. */
bool verify_is_right(const struct verify_result *result);

#endif
