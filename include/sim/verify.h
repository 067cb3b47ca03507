/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of "gatehouse-sim verify": the ledger and the database are told to
 * the two cores, and what these found is reported.
 */
#ifndef GATEHOUSE_SIM_VERIFY_H
#define GATEHOUSE_SIM_VERIFY_H

#include "sim/sightings.h"

/* Tells a ledger to both cores. */
enum rc verify_load_ledger(const char *dir, struct compare *compare, struct sightings *sightings,
			   struct err *err) MUST_CHECK;

/* A connection to PostgreSQL. */
struct verify_db;
enum rc verify_db_open(struct verify_db **db, const char *conninfo, struct err *err) MUST_CHECK;
void verify_db_close(struct verify_db **db);
/* How many records and quarantine rows of controllers there are. */
enum rc verify_db_count(struct verify_db *db, uint64_t *rows, struct err *err) MUST_CHECK;
/* Tells all rows of the compare's controllers, as one snapshot. */
enum rc verify_db_look(struct verify_db *db, struct compare *compare, struct err *err) MUST_CHECK;

/* To stdout.  `alarms_expected`: a missing alarm is a fault. */
void verify_report(const struct compare_result *records, const struct sightings_result *alarms,
		   bool alarms_expected, bool json);
/* True when nothing is wrong. */
bool verify_is_right(const struct compare_result *records, const struct sightings_result *alarms,
		     bool alarms_expected);

#endif
