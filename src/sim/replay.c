/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distributes a badge log over controllers by arithmetic alone, so that a
 * second run, or another program, comes to the same doors.
 *
 * The rows of a controller are a slice of one array, made by counting: 4 bytes
 * for each row of the log.
 *
 * Deliberately doesn't make doors: the enrolled controllers must have them.
 */
#include "sim/replay.h"

#include <stdlib.h>

size_t
replay_controller_of(const struct replay *replay, uint32_t row)
{
	return replay->log->rows[row].door % replay->n_controllers;
}

uint16_t
replay_door_of(const struct replay *replay, uint32_t row)
{
	return (uint16_t)(replay->log->rows[row].door / replay->n_controllers + 1);
}

static enum rc
replay_check_doors(const struct replay *replay, const struct enrolments *fleet, struct err *err)
{
	size_t doors = replay->log->doors.n, n = replay->n_controllers;

	if (n == 0 || n > fleet->n)
		return err_invalid(err, "replay needs 1 to %zu controllers, not %zu", fleet->n, n);
	if ((doors - 1) / n + 1 > UINT16_MAX)
		return err_invalid(err, "the log has %zu doors, too many for %zu controllers",
				   doors, n);
	for (size_t i = 0; i < doors; i++) {
		const struct enrolment *e = &fleet->items[i % n];

		if (!enrolment_has_door(e, (uint32_t)(i / n + 1)))
			return err_invalid(err,
					   "the log has %zu doors: controller \"%s\" needs doors 1 "
					   "to %zu, and has no door %zu",
					   doors, e->name, (doors - 1 - i % n) / n + 1, i / n + 1);
	}
	return RC_OK;
}

static void
replay_slice(struct replay *replay)
{
	const struct badge_log *log = replay->log;
	size_t n = replay->n_controllers;
	size_t *fill;

	replay->rows = xcalloc(log->n, sizeof(*replay->rows));
	replay->first = xcalloc(n + 1, sizeof(*replay->first));
	fill = xcalloc(n, sizeof(*fill));
	for (uint32_t row = 0; row < log->n; row++)
		replay->first[replay_controller_of(replay, row) + 1]++;
	for (size_t c = 0; c < n; c++) {
		replay->first[c + 1] += replay->first[c];
		fill[c] = replay->first[c];
	}
	for (uint32_t row = 0; row < log->n; row++)
		replay->rows[fill[replay_controller_of(replay, row)]++] = row;
	free(fill);
}

enum rc
replay_init(struct replay *replay, const struct badge_log *log, const struct enrolments *fleet,
	    size_t n_controllers, struct err *err)
{
	enum rc rc;

	*replay = (struct replay){.log = log, .n_controllers = n_controllers};
	rc = replay_check_doors(replay, fleet, err);
	if (rc == RC_OK)
		replay_slice(replay);
	return rc;
}

void
replay_fini(struct replay *replay)
{
	free(replay->rows);
	free(replay->first);
	*replay = (struct replay){0};
}

size_t
replay_rows(const struct replay *replay, size_t controller)
{
	return replay->first[controller + 1] - replay->first[controller];
}

uint32_t
replay_row(const struct replay *replay, size_t controller, size_t i)
{
	must(i < replay_rows(replay, controller));
	return replay->rows[replay->first[controller] + i];
}

bool
replay_next_due(struct replay *replay, uint64_t elapsed_ns, uint32_t *row)
{
	const struct badge_row *rows = replay->log->rows;
	double after_us;

	if (replay_is_over(replay))
		return false;
	/* a row whose time goes back is due at once */
	after_us = (double)(rows[replay->next].time_us - rows[0].time_us) / replay->speed;
	if (after_us * 1000.0 > (double)elapsed_ns)
		return false;
	*row = (uint32_t)replay->next++;
	return true;
}

bool
replay_is_over(const struct replay *replay)
{
	return replay->next == replay->log->n;
}

int64_t
replay_time_us(const struct replay *replay, uint32_t row)
{
	/* "now" must be the same when the record is sent again: a microsecond for
	 * each row keeps them apart and in order */
	if (replay->times_now)
		return replay->started_us + row;
	return replay->log->rows[row].time_us;
}
