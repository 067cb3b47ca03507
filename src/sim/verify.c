/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "gatehouse-sim verify": loads the ledger, looks at the database, and says
 * whether the two agree.
 *
 * With --wait it looks again while something acknowledged is not there yet: the
 * store is behind the acks by design.  A cheap count comes before each whole
 * look, and a fault other than a loss never heals, so it ends the wait.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "sim/run.h"
#include "sim/verify.h"

enum { VERIFY_POLL_MS = 200 };

static void
verify_pause(void)
{
	const struct timespec pause = {.tv_nsec = VERIFY_POLL_MS * 1000000L};

	(void)nanosleep(&pause, NULL);
}

static bool
verify_only_lost(const struct compare_result *result)
{
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		if (i != COMPARE_LOST && result->faults[i] > 0)
			return false;
	return result->faults[COMPARE_LOST] > 0;
}

/* Waits until there are as many rows as were acknowledged, or the time is over. */
static enum rc
verify_wait_for_rows(struct verify_db *db, uint64_t acked, uint64_t until_ms, struct err *err)
{
	uint64_t rows = 0;
	enum rc rc;

	while ((rc = verify_db_count(db, &rows, err)) == RC_OK && rows < acked &&
	       clock_mono_ms() < until_ms)
		verify_pause();
	return rc;
}

/* Records and lists, as PostgreSQL has them now. */
static enum rc
verify_look(struct verify_db *db, struct verify_cores *cores, struct verify_result *result,
	    struct err *err)
{
	enum rc rc = verify_db_look(db, cores->compare, err);

	if (rc == RC_OK)
		rc = verify_db_look_lists(db, &cores->lists, err);
	if (rc != RC_OK)
		return rc;
	compare_finish(cores->compare, &result->records);
	lists_finish(&cores->lists, &result->lists);
	return RC_OK;
}

static enum rc
verify_records(struct verify_cores *cores, const struct verify_options *options,
	       struct verify_result *result, struct err *err)
{
	uint64_t until_ms = clock_mono_ms() + (uint64_t)(options->wait_s * 1000);
	uint64_t acked = compare_count_acked(cores->compare);
	struct verify_db *db = NULL;
	enum rc rc = verify_db_open(&db, options->conninfo, err);

	while (rc == RC_OK) {
		rc = verify_wait_for_rows(db, acked, until_ms, err);
		if (rc == RC_OK)
			rc = verify_look(db, cores, result, err);
		if (rc != RC_OK)
			break;
		/* rows of other ledgers may have made up the count: then it looks again */
		if (!verify_only_lost(&result->records) || clock_mono_ms() >= until_ms)
			break;
		verify_pause();
	}
	verify_db_close(&db);
	return rc;
}

int
run_verify(const struct verify_options *options)
{
	struct verify_cores cores = {.compare = compare_new(), .sightings = sightings_new()};
	struct verify_result result = {0};
	struct err err = {0};
	int status = 2;

	if (verify_load_ledger(options->ledger_dir, &cores, &err) != RC_OK ||
	    verify_records(&cores, options, &result, &err) != RC_OK) {
		(void)fprintf(stderr, "gatehouse-sim: %s\n", err.msg);
		goto out;
	}
	sightings_finish(cores.sightings, cores.compare, &result.alarms);
	result.alarms_expected =
		options->expect_alarms == VERIFY_EXPECT_ALL ||
		(options->expect_alarms == VERIFY_EXPECT_AUTO && result.alarms.subscribed);
	verify_report(&result, options->json);
	status = verify_is_right(&result) ? 0 : 1;
out:
	lists_fini(&cores.lists);
	sightings_free(&cores.sightings);
	compare_free(&cores.compare);
	return status;
}
