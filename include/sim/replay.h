/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who replays which rows of a badge log, and when: each door of the log becomes
 * a door of one controller, the same in each run.  Door i of the log, in order
 * of first appearance, is door i / N + 1 of controller i % N.
 */
#ifndef GATEHOUSE_SIM_REPLAY_H
#define GATEHOUSE_SIM_REPLAY_H

#include "sim/badge_log.h"
#include "sim/enrolment.h"

struct replay {
	const struct badge_log *log;
	size_t n_controllers;
	double speed;   /* log seconds in a second; 0: as fast as the windows allow */
	bool times_now; /* else the times of the log */
	int64_t started_us;
	size_t next;    /* speed > 0: first row that is not due yet */
	uint32_t *rows; /* numbers of rows, by controller, in the log's order */
	size_t *first;  /* rows of controller c: rows[first[c]] .. rows[first[c + 1]] */
};

/* `log` and `fleet` are borrowed.  RC_INVALID says which doors are needed. */
enum rc replay_init(struct replay *replay, const struct badge_log *log,
		    const struct enrolments *fleet, size_t n_controllers,
		    struct err *err) MUST_CHECK;
void replay_fini(struct replay *replay);

size_t replay_controller_of(const struct replay *replay, uint32_t row);
uint16_t replay_door_of(const struct replay *replay, uint32_t row);

/* How many rows a controller has, and the number of the i-th of them. */
size_t replay_rows(const struct replay *replay, size_t controller);
uint32_t replay_row(const struct replay *replay, size_t controller, size_t i);

/* With a speed: true and the next row that is due so long after the start. */
bool replay_next_due(struct replay *replay, uint64_t elapsed_ns, uint32_t *row);
/* With a speed: every row was due. */
bool replay_is_over(const struct replay *replay);

/* The device time of a row that belongs to the stock (speed 0). */
int64_t replay_time_us(const struct replay *replay, uint32_t row);

#endif
