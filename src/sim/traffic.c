/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open loop: things happen at their time whether or not the server keeps up,
 * and wait in their controller.  Each pace counts from the start of the run, so
 * a late turn makes up for what it missed.
 *
 * Live records go to the controllers in turn, after those that replay; alarms
 * go to all.
 *
 * Deliberately has no chance in it: two runs with the same options make the
 * same records.
 */
#include "sim/traffic.h"

#include <stdlib.h>

#include "base/clock.h"
#include "sim/content.h"
#include "sim/device.h"

enum {
	TRAFFIC_RESTORE_AFTER_MS = 2000, /* long enough to be seen standing */
	TRAFFIC_TURN_MAX = 20000,        /* records in one turn: then others get theirs */
};

struct restore {
	uint64_t due_ns;
	uint32_t device;
	uint16_t kind, door;
};

/* All are due equally late after they were pushed, so the ring is in order. */
static void
restores_push(struct restores *r, const struct restore *restore)
{
	if (r->n == r->capacity) {
		size_t capacity = r->capacity > 0 ? r->capacity * 2 : 64;
		struct restore *items = xcalloc(capacity, sizeof(*items));

		for (size_t i = 0; i < r->n; i++)
			items[i] = r->items[(r->head + i) & (r->capacity - 1)];
		free(r->items);
		*r = (struct restores){items, 0, r->n, capacity};
	}
	r->items[(r->head + r->n++) & (r->capacity - 1)] = *restore;
}

/* Takes the oldest that is due; false: none is. */
static bool
restores_pop(struct restores *r, uint64_t now_ns, struct restore *restore)
{
	if (r->n == 0 || r->items[r->head].due_ns > now_ns)
		return false;
	*restore = r->items[r->head];
	r->head = (r->head + 1) & (r->capacity - 1);
	r->n--;
	return true;
}

static void
traffic_restore(struct sim *sim, uint64_t until_ns)
{
	struct restore restore;

	while (restores_pop(&sim->restores, until_ns, &restore)) {
		const struct item item = {
			.time_us = clock_wall_us(), .kind = restore.kind, .door = restore.door};

		device_add(&sim->devices[restore.device], &item);
	}
}

void
traffic_restore_all(struct sim *sim)
{
	traffic_restore(sim, UINT64_MAX);
}

static void
traffic_raise(struct sim *sim, uint64_t now_ns)
{
	uint32_t number = (uint32_t)(sim->raised % sim->fleet.n);
	const struct enrolment *e = &sim->fleet.items[number];
	/* a round of all devices, then the next alarm for each: every kind comes
	 * to every device, also where the counts have a common divisor */
	uint64_t turn = sim->raised + sim->raised / sim->fleet.n;
	const struct content_alarm *alarm = content_alarm(turn);
	struct item item = {.time_us = clock_wall_us(), .kind = alarm->raise};
	struct restore restore = {.due_ns = now_ns + TRAFFIC_RESTORE_AFTER_MS * 1000000ULL,
				  .device = number,
				  .kind = alarm->restore};

	/* another door in each round of the fleet */
	if (alarm->at_door && e->n_doors > 0)
		item.door = e->doors[sim->raised / sim->fleet.n % e->n_doors].number;
	restore.door = item.door;
	device_add(&sim->devices[number], &item);
	if (alarm->restore != 0)
		restores_push(&sim->restores, &restore);
	sim->raised++;
}

static void
traffic_live(struct sim *sim, uint64_t elapsed_ns)
{
	size_t live = sim->fleet.n - sim->n_replaying;
	uint64_t due = pace_due(&sim->records, elapsed_ns);
	int64_t now_us = clock_wall_us();

	/* after a stall the rest comes in the next turns, without being forgotten */
	if (due > sim->issued + TRAFFIC_TURN_MAX)
		due = sim->issued + TRAFFIC_TURN_MAX;
	for (; sim->issued < due; sim->issued++)
		device_add_made(&sim->devices[sim->n_replaying + sim->issued % live], now_us);
}

static void
traffic_replay(struct sim *sim, uint64_t elapsed_ns)
{
	struct replay *replay = &sim->replay;
	uint32_t row;

	for (size_t i = 0; i < TRAFFIC_TURN_MAX && replay_next_due(replay, elapsed_ns, &row); i++) {
		struct item item = {.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED,
				    .door = replay_door_of(replay, row),
				    .row = row + 1};

		item.time_us = replay->times_now ? clock_wall_us() : replay->log->rows[row].time_us;
		device_add(&sim->devices[replay_controller_of(replay, row)], &item);
	}
}

/* The desks ask in turn. */
static void
traffic_register(struct sim *sim, uint64_t elapsed_ns)
{
	uint64_t due = pace_due(&sim->registering, elapsed_ns);
	int64_t now_us = clock_wall_us();

	if (due > sim->tally.registrations + TRAFFIC_TURN_MAX)
		due = sim->tally.registrations + TRAFFIC_TURN_MAX;
	for (; sim->tally.registrations < due; sim->tally.registrations++) {
		size_t desk = sim->tally.registrations % sim->offices.n;

		device_add_registration(&sim->devices[sim->fleet.n + desk], now_us);
	}
}

void
traffic_turn(struct sim *sim, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - sim->started_ns;
	uint64_t alarms = pace_due(&sim->raising, elapsed_ns);

	if (sim->records.per_s > 0)
		traffic_live(sim, elapsed_ns);
	if (sim->registering.per_s > 0)
		traffic_register(sim, elapsed_ns);
	if (sim->n_replaying > 0 && sim->replay.speed > 0)
		traffic_replay(sim, elapsed_ns);
	traffic_restore(sim, now_ns);
	for (size_t i = 0; i < TRAFFIC_TURN_MAX && sim->raised < alarms; i++)
		traffic_raise(sim, now_ns);
}

bool
traffic_is_over(const struct sim *sim)
{
	if (sim->records.per_s > 0 || sim->raising.per_s > 0 || sim->registering.per_s > 0)
		return false;
	return sim->n_replaying == 0 || sim->replay.speed <= 0 || replay_is_over(&sim->replay);
}

void
traffic_fini(struct sim *sim)
{
	free(sim->restores.items);
	sim->restores = (struct restores){0};
}
