/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sorts and two walks: by console and position for what was seen twice, by
 * record for what was seen at all, and how late.
 *
 * A record's first change has one position; only sights of that position are
 * samples of the latency, so that a later change of the alarm is none.  What a
 * snapshot shows counts as seen, but not as a sample.
 *
 * After a resync positions may begin anew (a new journal), and what happened
 * before it can't be told one by one: that is the contract, not a fault.
 */
#include "sim/sightings.h"

#include <stdlib.h>

#include "sim/names.h"

struct sending {
	uint64_t at_ns, seq;
	uint32_t stream;
};

struct sightings {
	struct sending *sendings;
	size_t n_sendings, sendings_capacity;
	struct sighting *items;
	size_t n, capacity;
	struct names names;
	struct sightings_console *consoles; /* by number */
	bool subscribed;
	uint64_t last_resync_ns; /* of any console */
};

struct sightings *
sightings_new(void)
{
	return xcalloc(1, sizeof(struct sightings));
}

void
sightings_free(struct sightings **out)
{
	struct sightings *s = *out;

	if (s == NULL)
		return;
	*out = NULL;
	free(s->sendings);
	free(s->items);
	free(s->consoles);
	names_free(&s->names);
	free(s);
}

void
sightings_sent(struct sightings *s, uint32_t stream, uint64_t seq, uint64_t at_ns)
{
	if (s->n_sendings == s->sendings_capacity) {
		s->sendings_capacity = s->sendings_capacity > 0 ? s->sendings_capacity * 2 : 64;
		s->sendings = xrealloc(s->sendings, s->sendings_capacity * sizeof(*s->sendings));
	}
	s->sendings[s->n_sendings++] =
		(struct sending){.at_ns = at_ns, .seq = seq, .stream = stream};
}

uint32_t
sightings_console(struct sightings *s, const char *name)
{
	size_t before = s->names.n;
	uint32_t number = names_add(&s->names, name);

	if (s->names.n > before) {
		s->consoles = xrealloc(s->consoles, s->names.n * sizeof(*s->consoles));
		s->consoles[number] =
			(struct sightings_console){.name = names_text(&s->names, number)};
	}
	return number;
}

void
sightings_subscribed(struct sightings *s)
{
	s->subscribed = true;
}

void
sightings_resync(struct sightings *s, uint32_t console, uint64_t at_ns)
{
	s->consoles[console].resyncs++;
	if (at_ns > s->last_resync_ns)
		s->last_resync_ns = at_ns;
}

void
sightings_seen(struct sightings *s, const struct sighting *sighting)
{
	if (s->n == s->capacity) {
		s->capacity = s->capacity > 0 ? s->capacity * 2 : 64;
		s->items = xrealloc(s->items, s->capacity * sizeof(*s->items));
	}
	s->items[s->n] = *sighting;
	s->items[s->n++].resyncs = (uint32_t)s->consoles[sighting->console].resyncs;
	s->consoles[sighting->console].messages++;
}

/* ---- Seen twice ------------------------------------------------------------------------ */

static int
order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
by_position(const void *left, const void *right)
{
	const struct sighting *a = left, *b = right;
	int result = order(a->snapshot, b->snapshot);

	if (result == 0)
		result = order(a->console, b->console);
	if (result == 0)
		result = order(a->resyncs, b->resyncs);
	return result != 0 ? result : order(a->position, b->position);
}

static void
sightings_find_twice(struct sightings *s, struct sightings_result *result)
{
	qsort(s->items, s->n, sizeof(*s->items), by_position);
	/* snapshots come last in this order, and may repeat what they like */
	for (size_t i = 1; i < s->n && !s->items[i].snapshot; i++) {
		if (by_position(&s->items[i - 1], &s->items[i]) != 0)
			continue;
		s->consoles[s->items[i].console].twice++;
		result->twice++;
	}
}

/* ---- Seen at all ------------------------------------------------------------------------- */

static int
by_record(const void *left, const void *right)
{
	const struct sighting *a = left, *b = right;
	int result = order(a->stream, b->stream);

	if (result == 0)
		result = order(a->seq, b->seq);
	return result != 0 ? result : order(a->at_ns, b->at_ns);
}

static int
by_sent_record(const void *left, const void *right)
{
	const struct sending *a = left, *b = right;
	int result = order(a->stream, b->stream);

	if (result == 0)
		result = order(a->seq, b->seq);
	return result != 0 ? result : order(a->at_ns, b->at_ns);
}

/* The sights of one alarm: items[from .. to).  Returns whether there are any. */
static bool
sightings_take_samples(struct sightings *s, const struct sending *sent, size_t from, size_t to,
		       struct sightings_result *result)
{
	uint64_t position = 0;

	for (size_t i = from; i < to; i++) {
		const struct sighting *seen = &s->items[i];

		if (seen->snapshot || seen->at_ns < sent->at_ns)
			continue;
		/* the items are in order of time: the first one is the first change */
		if (position == 0)
			position = seen->position;
		if (seen->position != position)
			continue;
		latency_add(&result->latency, seen->at_ns - sent->at_ns);
		latency_add(&s->consoles[seen->console].latency, seen->at_ns - sent->at_ns);
	}
	return to > from;
}

static void
sightings_match(struct sightings *s, const struct compare *compare, struct sightings_result *result)
{
	size_t at = 0;

	for (size_t i = 0; i < s->n_sendings; i++) {
		const struct sending *sent = &s->sendings[i];
		const struct sighting key = {.stream = sent->stream, .seq = sent->seq};
		size_t from;

		if (i > 0 && sent[-1].stream == sent->stream && sent[-1].seq == sent->seq)
			continue; /* of an earlier run, and again of a later one */
		result->sent++;
		while (at < s->n && by_record(&s->items[at], &key) < 0)
			at++;
		for (from = at; at < s->n && s->items[at].stream == sent->stream &&
				s->items[at].seq == sent->seq;)
			at++;
		if (sightings_take_samples(s, sent, from, at, result))
			result->seen++;
		else if (!compare_is_acked(compare, sent->stream, sent->seq))
			continue; /* nobody promised it */
		else if (s->last_resync_ns >= sent->at_ns)
			result->merged++;
		else
			result->missing++;
	}
}

void
sightings_finish(struct sightings *s, const struct compare *compare,
		 struct sightings_result *result)
{
	*result = (struct sightings_result){.subscribed = s->subscribed};
	if (s->n > 0) {
		sightings_find_twice(s, result);
		qsort(s->items, s->n, sizeof(*s->items), by_record);
	}
	if (s->n_sendings > 0)
		qsort(s->sendings, s->n_sendings, sizeof(*s->sendings), by_sent_record);
	sightings_match(s, compare, result);
	result->consoles = s->consoles;
	result->n_consoles = s->names.n;
}
