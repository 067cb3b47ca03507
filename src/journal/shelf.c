/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which segments and spares there are, and who still needs them.
 *
 * Used by appender (adds), keeper (spares, drops) and followers (find, holds),
 * a few times per segment and per batch, so one lock is enough.  It makes moving
 * a hold back safe: either the keeper sees it, or the mover finds the segment
 * gone when it looks for it.
 *
 * Invariant: segments are in order of position, and the last one is never dropped.
 *
 * What this deliberately does not do: touch a file.
 */
#include <stdlib.h>
#include <string.h>

#include "journal_priv.h"

static void
shelf_lock(struct shelf *shelf)
{
	must(pthread_mutex_lock(&shelf->lock) == 0);
}

static void
shelf_unlock(struct shelf *shelf)
{
	must(pthread_mutex_unlock(&shelf->lock) == 0);
}

void
shelf_init(struct shelf *shelf)
{
	must(pthread_mutex_init(&shelf->lock, NULL) == 0);
}

void
shelf_fini(struct shelf *shelf)
{
	free(shelf->segments);
	shelf->segments = NULL;
	(void)pthread_mutex_destroy(&shelf->lock);
}

/* ---- Segments ----------------------------------------------------------- */

void
shelf_add(struct shelf *shelf, uint64_t first, uint64_t bytes)
{
	shelf_lock(shelf);
	must(shelf->n == 0 || shelf->segments[shelf->n - 1].first < first);
	if (shelf->n == shelf->capacity) {
		shelf->capacity = shelf->capacity ? 2 * shelf->capacity : 16;
		shelf->segments =
			xrealloc(shelf->segments, shelf->capacity * sizeof(shelf->segments[0]));
	}
	shelf->segments[shelf->n++] = (struct segment){.first = first, .bytes = bytes};
	shelf_unlock(shelf);
}

bool
shelf_find(struct shelf *shelf, uint64_t position, uint64_t *first)
{
	bool found = false;

	shelf_lock(shelf);
	for (size_t i = shelf->n; i > 0 && !found && position >= shelf->unlinking; i--) {
		*first = shelf->segments[i - 1].first;
		found = *first <= position;
	}
	shelf_unlock(shelf);
	return found;
}

bool
shelf_next(struct shelf *shelf, uint64_t first, uint64_t *next)
{
	bool found = false;

	shelf_lock(shelf);
	/* from the end: readers are mostly near it */
	for (size_t i = shelf->n; i > 1 && !found; i--) {
		*next = shelf->segments[i - 1].first;
		found = shelf->segments[i - 2].first == first;
	}
	shelf_unlock(shelf);
	return found;
}

uint64_t
shelf_count(struct shelf *shelf)
{
	shelf_lock(shelf);
	uint64_t n = shelf->n;
	shelf_unlock(shelf);
	return n;
}

/* ---- Spares ------------------------------------------------------------- */

void
shelf_add_spare(struct shelf *shelf, uint32_t serial)
{
	shelf_lock(shelf);
	must(shelf->n_spares < SPARES_MAX);
	shelf->spares[shelf->n_spares++] = serial;
	shelf_unlock(shelf);
}

bool
shelf_take_spare(struct shelf *shelf, uint32_t *serial)
{
	shelf_lock(shelf);
	bool got = shelf->n_spares > 0;
	if (got)
		*serial = shelf->spares[--shelf->n_spares];
	shelf_unlock(shelf);
	return got;
}

size_t
shelf_spares(struct shelf *shelf)
{
	shelf_lock(shelf);
	size_t n = shelf->n_spares;
	shelf_unlock(shelf);
	return n;
}

/* ---- Holds and retention ------------------------------------------------ */

/* Lock held.  Nothing that isn't durable is passed, whatever a follower says. */
static uint64_t
shelf_lowest_hold(const struct shelf *shelf, uint64_t durable)
{
	uint64_t lowest = durable;

	for (unsigned i = 0; i < shelf->n_holds; i++) {
		if (shelf->holds[i].position < lowest)
			lowest = shelf->holds[i].position;
	}
	return lowest;
}

/* Lock held.  A hold that went back takes the time of grace back too. */
static void
shelf_mark_passed(struct shelf *shelf, uint64_t lowest, uint64_t now_ms)
{
	for (size_t i = 0; i + 1 < shelf->n; i++) {
		struct segment *segment = &shelf->segments[i];
		bool passed = lowest >= shelf->segments[i + 1].first;

		if (passed && !segment->passed)
			segment->passed_ms = now_ms;
		segment->passed = passed;
	}
}

bool
shelf_oldest_passed(struct shelf *shelf, uint64_t durable, uint64_t now_ms, uint64_t retain_ms,
		    uint64_t *first, uint64_t *next)
{
	bool passed = false;

	shelf_lock(shelf);
	shelf_mark_passed(shelf, shelf_lowest_hold(shelf, durable), now_ms);
	if (shelf->n > 1) {
		struct segment *oldest = &shelf->segments[0];

		passed = oldest->passed && now_ms - oldest->passed_ms >= retain_ms;
		*first = oldest->first;
		*next = shelf->segments[1].first;
		if (passed)
			shelf->unlinking = *next;
	}
	shelf_unlock(shelf);
	return passed;
}

void
shelf_drop_oldest(struct shelf *shelf)
{
	shelf_lock(shelf);
	must(shelf->n > 1);
	shelf->n--;
	memmove(shelf->segments, shelf->segments + 1, shelf->n * sizeof(shelf->segments[0]));
	shelf_unlock(shelf);
}

unsigned
journal_hold(struct journal *journal, const char *name, uint64_t position)
{
	struct shelf *shelf = &journal->shelf;

	shelf_lock(shelf);
	must(shelf->n_holds < JOURNAL_HOLDS_MAX);
	unsigned hold = shelf->n_holds++;
	shelf->holds[hold] = (struct hold){.name = name, .position = position};
	shelf_unlock(shelf);
	return hold;
}

void
journal_hold_set(struct journal *journal, unsigned hold, uint64_t position)
{
	struct shelf *shelf = &journal->shelf;

	shelf_lock(shelf);
	must(hold < shelf->n_holds);
	shelf->holds[hold].position = position;
	shelf_unlock(shelf);
}
