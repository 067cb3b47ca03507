/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each epoch of each controller an array by seq, with what was sent and, as
 * rows come by, what of it is there.  A row costs two steps: from the
 * controller to its epoch, and from there by seq; no sorting, no hashing.
 *
 * Found at once: duplicates, inventions, wrong content.  Found at the end, in
 * order of seq: what is lost, and positions that don't rise.  Positions belong
 * to a node, so two records are only compared within one.
 */
#include "sim/compare.h"

#include <stdlib.h>

#include "sim/names.h"

enum {
	MARK_SENT = 1u << 0,
	MARK_STORED = 1u << 1,
	MARK_QUARANTINED = 1u << 2,
	MARK_ROWS = MARK_STORED | MARK_QUARANTINED,
};

/* Holes of a stream in which nothing was sent: a server that knew of more. */
#define COMPARE_HOLE_MAX (100u * 1000 * 1000)

struct mark {
	int64_t time_us;
	uint64_t position;
	uint16_t kind, door, node;
	uint16_t flags; /* MARK_* */
};

struct compare_stream_state {
	uint64_t epoch;
	uint32_t controller;
	uint32_t next;  /* another epoch of this controller, or COMPARE_NO_STREAM */
	uint64_t first; /* seq of marks[0] */
	struct mark *marks;
	size_t n, capacity;
	uint64_t acked;
};

struct compare {
	struct names controllers;
	uint32_t *heads; /* by controller: its first stream */
	struct compare_stream_state *streams;
	size_t n_streams;
	struct compare_result found; /* while rows come */
};

const char *
compare_fault_name(enum compare_fault fault)
{
	static const char *const names[COMPARE_FAULTS] = {
		[COMPARE_LOST] = "lost",
		[COMPARE_DUPLICATE] = "duplicate",
		[COMPARE_INVENTED] = "invented",
		[COMPARE_ORDER] = "out_of_order",
		[COMPARE_CONTENT] = "wrong_content",
	};

	return names[fault];
}

struct compare *
compare_new(void)
{
	return xcalloc(1, sizeof(struct compare));
}

void
compare_free(struct compare **out)
{
	struct compare *c = *out;

	if (c == NULL)
		return;
	*out = NULL;
	for (size_t i = 0; i < c->n_streams; i++)
		free(c->streams[i].marks);
	free(c->streams);
	free(c->heads);
	names_free(&c->controllers);
	free(c);
}

/* ---- Streams ------------------------------------------------------------------------ */

uint32_t
compare_controller(const struct compare *c, const char *name)
{
	return names_find(&c->controllers, name);
}

const char *
compare_controller_name(const struct compare *c, uint32_t controller)
{
	return controller < c->controllers.n ? names_text(&c->controllers, controller) : NULL;
}

static uint32_t
compare_stream_of(const struct compare *c, uint32_t controller, uint64_t epoch)
{
	uint32_t stream = c->heads[controller];

	while (stream != COMPARE_NO_STREAM && c->streams[stream].epoch != epoch)
		stream = c->streams[stream].next;
	return stream;
}

uint32_t
compare_find_stream(const struct compare *c, const char *controller, uint64_t epoch)
{
	uint32_t number = names_find(&c->controllers, controller);

	return number != NAMES_NONE ? compare_stream_of(c, number, epoch) : COMPARE_NO_STREAM;
}

uint32_t
compare_stream(struct compare *c, const char *controller, uint64_t epoch)
{
	size_t before = c->controllers.n;
	uint32_t number = names_add(&c->controllers, controller), stream;

	if (c->controllers.n > before) {
		c->heads = xrealloc(c->heads, c->controllers.n * sizeof(*c->heads));
		c->heads[number] = COMPARE_NO_STREAM;
	}
	stream = compare_stream_of(c, number, epoch);
	if (stream != COMPARE_NO_STREAM)
		return stream;
	stream = (uint32_t)c->n_streams++;
	c->streams = xrealloc(c->streams, c->n_streams * sizeof(*c->streams));
	c->streams[stream] = (struct compare_stream_state){
		.epoch = epoch, .controller = number, .next = c->heads[number]};
	c->heads[number] = stream;
	return stream;
}

static struct mark *
stream_mark(const struct compare_stream_state *s, uint64_t seq)
{
	if (seq < s->first || seq - s->first >= s->n)
		return NULL;
	return &s->marks[seq - s->first];
}

static void
stream_grow(struct compare_stream_state *s, size_t n)
{
	if (n > s->capacity) {
		size_t capacity = s->capacity > 0 ? s->capacity * 2 : 64;

		if (capacity < n)
			capacity = n;
		s->marks = xrealloc(s->marks, capacity * sizeof(*s->marks));
		s->capacity = capacity;
	}
	for (; s->n < n; s->n++)
		s->marks[s->n] = (struct mark){0};
}

enum rc
compare_sent(struct compare *c, uint32_t stream, const struct compare_record *record,
	     struct err *err)
{
	struct compare_stream_state *s = &c->streams[stream];
	uint64_t seq = record->seq;

	if (s->n == 0) /* where this ledger begins; the server may have had more */
		s->first = seq;
	if (seq < s->first || seq - s->first > s->n + COMPARE_HOLE_MAX)
		return err_invalid(err, "seq %llu of controller \"%s\" doesn't follow on %llu",
				   (unsigned long long)seq,
				   names_text(&c->controllers, s->controller),
				   (unsigned long long)(s->first + s->n));
	if (seq - s->first >= s->n)
		stream_grow(s, (size_t)(seq - s->first + 1));
	/* a ledger may say it twice, when a run was cut off and its record was sent
	 * again by the next: it is the same record */
	*stream_mark(s, seq) = (struct mark){.time_us = record->time_us,
					     .kind = record->kind,
					     .door = record->door,
					     .flags = MARK_SENT};
	return RC_OK;
}

void
compare_acked(struct compare *c, uint32_t stream, uint64_t seq)
{
	if (seq > c->streams[stream].acked)
		c->streams[stream].acked = seq;
}

bool
compare_is_acked(const struct compare *c, uint32_t stream, uint64_t seq)
{
	return seq <= c->streams[stream].acked;
}

uint64_t
compare_count_acked(const struct compare *c)
{
	uint64_t acked = 0;

	for (size_t i = 0; i < c->n_streams; i++) {
		const struct compare_stream_state *s = &c->streams[i];

		for (size_t m = 0; m < s->n && s->first + m <= s->acked; m++)
			acked += (s->marks[m].flags & MARK_SENT) != 0;
	}
	return acked;
}

/* ---- Rows ------------------------------------------------------------------------------ */

static void
compare_note(struct compare *c, enum compare_fault fault, uint32_t controller, uint64_t epoch,
	     uint64_t seq)
{
	uint64_t n = c->found.faults[fault]++;

	if (n < COMPARE_EXAMPLES)
		c->found.examples[fault][n] = (struct compare_example){
			.controller = names_text(&c->controllers, controller),
			.epoch = epoch,
			.seq = seq};
}

void
compare_begin_rows(struct compare *c)
{
	c->found = (struct compare_result){0};
	for (size_t i = 0; i < c->n_streams; i++)
		for (size_t m = 0; m < c->streams[i].n; m++)
			c->streams[i].marks[m].flags &= (uint16_t)~MARK_ROWS;
}

/* The mark of a record that was sent.  Else it was invented, which is noted; or it
 * is of an epoch of which the ledger knows nothing: another ledger's.  A record
 * that was moved to a wrong epoch is missing from its own. */
static struct mark *
compare_mark(struct compare *c, uint32_t controller, uint64_t epoch, uint64_t seq)
{
	uint32_t stream = compare_stream_of(c, controller, epoch);
	struct mark *mark;

	if (stream == COMPARE_NO_STREAM) {
		c->found.foreign++;
		return NULL;
	}
	mark = stream_mark(&c->streams[stream], seq);
	if (mark != NULL && (mark->flags & MARK_SENT) != 0)
		return mark;
	compare_note(c, COMPARE_INVENTED, controller, epoch, seq);
	return NULL;
}

void
compare_stored(struct compare *c, uint32_t controller, const struct compare_row *row)
{
	struct mark *mark = compare_mark(c, controller, row->epoch, row->seq);

	if (mark == NULL)
		return;
	if ((mark->flags & MARK_STORED) != 0) {
		compare_note(c, COMPARE_DUPLICATE, controller, row->epoch, row->seq);
		return;
	}
	/* the first one is taken for the record, the others for its copies */
	mark->flags |= MARK_STORED;
	mark->position = row->position;
	mark->node = row->node;
	if (mark->time_us != row->time_us || mark->kind != row->kind || mark->door != row->door)
		compare_note(c, COMPARE_CONTENT, controller, row->epoch, row->seq);
}

void
compare_quarantined(struct compare *c, uint32_t controller, uint64_t epoch, uint64_t seq)
{
	struct mark *mark = compare_mark(c, controller, epoch, seq);

	if (mark != NULL)
		mark->flags |= MARK_QUARANTINED;
}

static void
compare_finish_stream(struct compare *c, const struct compare_stream_state *s)
{
	const struct mark *before = NULL;

	for (size_t m = 0; m < s->n; m++) {
		const struct mark *mark = &s->marks[m];
		uint64_t seq = s->first + m;

		if ((mark->flags & MARK_SENT) == 0)
			continue;
		c->found.sent++;
		c->found.acked += seq <= s->acked;
		c->found.stored += (mark->flags & MARK_STORED) != 0;
		c->found.quarantined += (mark->flags & MARK_QUARANTINED) != 0;
		if (seq <= s->acked && (mark->flags & MARK_ROWS) == 0)
			compare_note(c, COMPARE_LOST, s->controller, s->epoch, seq);
		if ((mark->flags & MARK_STORED) == 0)
			continue;
		if (before != NULL && before->node == mark->node &&
		    before->position >= mark->position)
			compare_note(c, COMPARE_ORDER, s->controller, s->epoch, seq);
		before = mark;
	}
}

void
compare_finish(struct compare *c, struct compare_result *result)
{
	for (size_t i = 0; i < c->n_streams; i++)
		compare_finish_stream(c, &c->streams[i]);
	c->found.controllers = c->controllers.n;
	*result = c->found;
}
