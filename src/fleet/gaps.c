/* SPDX-License-Identifier: Apache-2.0 */
/* Declared holes of a sequence, piece by piece: see the header. */
#include "fleet/gaps.h"

#include <string.h>

static void
gaps_remove(struct gaps *gaps, size_t at)
{
	gaps->n--;
	memmove(&gaps->of[at], &gaps->of[at + 1], (gaps->n - at) * sizeof(gaps->of[0]));
}

/* The two neighbours with the least between them become one. */
static void
gaps_merge_closest(struct gaps *gaps)
{
	size_t best = 0;

	for (size_t i = 1; i + 1 < gaps->n; i++) {
		if (gaps->of[i + 1].from - gaps->of[i].to <
		    gaps->of[best + 1].from - gaps->of[best].to)
			best = i;
	}
	gaps->of[best].to = gaps->of[best + 1].to;
	gaps->of[best].whole_to = gaps->of[best + 1].whole_to;
	gaps_remove(gaps, best + 1);
}

static void
gaps_insert(struct gaps *gaps, const struct gap *gap)
{
	size_t at = 0;

	while (gaps->n == GAPS_MAX)
		gaps_merge_closest(gaps);
	while (at < gaps->n && gaps->of[at].from < gap->from)
		at++;
	/* merging may have swallowed it */
	if (at > 0 && gaps->of[at - 1].to >= gap->from)
		return;
	memmove(&gaps->of[at + 1], &gaps->of[at], (gaps->n - at) * sizeof(gaps->of[0]));
	gaps->of[at] = *gap;
	gaps->n++;
}

void
gaps_add(struct gaps *gaps, uint64_t from, uint64_t to)
{
	const struct gap gap = {.from = from, .to = to, .whole_from = from, .whole_to = to};

	for (size_t i = 0; i < gaps->n; i++) {
		if (gaps->of[i].from <= to && gaps->of[i].to >= from)
			return; /* declared before */
	}
	if (from <= to)
		gaps_insert(gaps, &gap);
}

/* Index of the piece that misses the number; gaps->n: none. */
static size_t
gaps_find(const struct gaps *gaps, uint64_t seq)
{
	size_t at = 0;

	while (at < gaps->n && (seq < gaps->of[at].from || seq > gaps->of[at].to))
		at++;
	return at;
}

bool
gaps_has(const struct gaps *gaps, uint64_t seq)
{
	return gaps_find(gaps, seq) < gaps->n;
}

static bool
gaps_has_piece_of(const struct gaps *gaps, const struct gap *whole)
{
	for (size_t i = 0; i < gaps->n; i++) {
		if (gaps->of[i].whole_from <= whole->whole_from &&
		    whole->whole_to <= gaps->of[i].whole_to)
			return true;
	}
	return false;
}

bool
gaps_take(struct gaps *gaps, uint64_t seq, struct gap *filled)
{
	size_t at = gaps_find(gaps, seq);
	struct gap *gap = &gaps->of[at], rest;

	if (at == gaps->n)
		return false;
	*filled = rest = *gap;
	if (gap->from == gap->to) {
		gaps_remove(gaps, at);
		return !gaps_has_piece_of(gaps, filled);
	}
	if (seq == gap->from) {
		gap->from++;
	} else {
		gap->to = seq - 1;
		rest.from = seq + 1;
		if (rest.from <= rest.to)
			gaps_insert(gaps, &rest);
	}
	return false;
}
