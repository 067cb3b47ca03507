/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one loop: who has something to send, who has more to read, who
 * is dead, and what is done for them at the end of each turn.
 *
 * Fairness: one stream fills the scratch buffer at most once per turn; what is
 * left waits for the next turn, in which everybody else is served too.  All of them are read
 * for so long at most, so that the turn comes to its end.  A step of
 * a handshake takes as long as a hundred records: a turn has few of them, so that a
 * fleet that comes back at once delays nobody who is there.  What was begun goes
 * before what is new: or all of them would be done at the same time, which is late.
 *
 * Owner: the loop's thread.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "stream_priv.h"

/* How exact the handshake's limit is, at the price of a look at the oldest one. */
enum { STREAM_SWEEP_MS = 500 };

/* A fleet that came together gets its fresh sessions in a minute or two. */
enum { STREAM_RENEWALS_PER_SWEEP = 64 };

/* ---- Lists ---------------------------------------------------------------- */

struct stream_list *
stream_list_of(const struct stream *stream)
{
	if (stream->state == STREAM_HANDSHAKE)
		return &stream->set->handshaking;
	return stream->session_due_ms > 0 ? &stream->set->renewing : &stream->set->open;
}

void
stream_mark_dirty(struct stream *stream)
{
	if (stream->dirty)
		return;
	stream->dirty = true;
	stream->dirty_turn = stream->set->turn;
	TAILQ_INSERT_TAIL(&stream->set->dirty, stream, in_dirty);
	loop_again(stream->set->loop);
}

void
stream_unmark_dirty(struct stream *stream)
{
	if (!stream->dirty)
		return;
	stream->dirty = false;
	TAILQ_REMOVE(&stream->set->dirty, stream, in_dirty);
}

void
stream_mark_ready(struct stream *stream)
{
	/* it stays readable, and would say so in each turn */
	(void)event_del(&stream->readable);
	if (stream->ready)
		return;
	stream->ready = true;
	stream->set->n_ready++;
	TAILQ_INSERT_TAIL(stream->begun ? &stream->set->ready : &stream->set->ready_new, stream,
			  in_ready);
	loop_again(stream->set->loop);
}

void
stream_unmark_ready(struct stream *stream)
{
	if (!stream->ready)
		return;
	stream->ready = false;
	stream->set->n_ready--;
	TAILQ_REMOVE(stream->begun ? &stream->set->ready : &stream->set->ready_new, stream,
		     in_ready);
}

/* Who was read in this turn has had its share of it. */
static struct stream_list *
stream_set_reading_list(const struct stream *stream)
{
	struct stream_set *set = stream->set;

	return stream->read_turn == set->turn ? &set->left_over : &set->to_read;
}

void
stream_mark_to_read(struct stream *stream)
{
	struct stream_set *set = stream->set;
	struct stream_list *list = stream_set_reading_list(stream);

	if (stream->to_read)
		return;
	stream->to_read = true;
	/* where others wait already, the reader knows, or has used up this turn's time */
	if (list == &set->to_read && TAILQ_EMPTY(list))
		event_active(set->reader, EV_READ, 0);
	TAILQ_INSERT_TAIL(list, stream, in_to_read);
}

void
stream_unmark_to_read(struct stream *stream)
{
	if (!stream->to_read)
		return;
	stream->to_read = false;
	TAILQ_REMOVE(stream_set_reading_list(stream), stream, in_to_read);
}

/* ---- The set ---------------------------------------------------------------- */

static void
stream_set_renew_sessions(struct stream_set *set, uint64_t now_ms)
{
	for (int i = 0; i < STREAM_RENEWALS_PER_SWEEP; i++) {
		struct stream *first = TAILQ_FIRST(&set->renewing);

		if (first == NULL || first->session_due_ms > now_ms)
			return;
		stream_renew_session(first);
	}
}

static void
stream_list_end_revoked(struct stream_list *list, const struct tls *tls)
{
	struct stream *stream = TAILQ_FIRST(list), *next;
	struct err err;

	(void)err_fail(&err, "certificate revoked");
	for (; stream != NULL; stream = next) {
		next = TAILQ_NEXT(stream, in_all);
		if (tls_peer_is_revoked(tls, &stream->peer))
			stream_end(stream, STREAM_END_BAD_CERTIFICATE, &err);
	}
}

void
stream_set_end_revoked(struct stream_set *set, const struct tls *tls)
{
	stream_list_end_revoked(&set->open, tls);
	stream_list_end_revoked(&set->renewing, tls);
}

static void
stream_set_sweep(void *arg)
{
	struct stream_set *set = arg;
	uint64_t now = clock_mono_ms();
	struct stream *oldest;

	while ((oldest = TAILQ_FIRST(&set->handshaking)) != NULL && oldest->deadline_ms <= now)
		stream_end(oldest, STREAM_END_HANDSHAKE_TIMEOUT, NULL);
	stream_set_renew_sessions(set, now);
	stream_linger_sweep(set, now);
}

/* One in a turn is read in any case. */
static bool
stream_set_may_read(struct stream_set *set)
{
	uint64_t now_ns;

	if (set->limits.read_ns == 0)
		return true;
	now_ns = clock_mono_ns();
	if (set->reading_since_ns == 0) {
		set->reading_since_ns = now_ns;
		return true;
	}
	return now_ns - set->reading_since_ns < set->limits.read_ns;
}

/* Behind all that became readable, and before the turn's end.  While one is read, the next
 * one comes nearer. */
static void
stream_set_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream_set *set = arg;
	struct stream *stream, *next;

	(void)fd;
	(void)what;
	while ((stream = TAILQ_FIRST(&set->to_read)) != NULL && stream_set_may_read(set)) {
		next = TAILQ_NEXT(stream, in_to_read);
		if (next != NULL)
			stream_bring(next);
		stream_unmark_to_read(stream);
		stream->read_turn = set->turn;
		stream_read(stream);
	}
}

enum rc
stream_set_new(struct stream_set **out, struct loop *loop, const struct stream_limits *limits,
	       struct err *err)
{
	struct stream_set *set = xcalloc(1, sizeof(*set));
	enum rc rc;

	must(limits->handshake_steps > 0); /* or nobody would ever get in */
	set->loop = loop;
	set->limits = *limits;
	set->turn = 1; /* nobody was read in it */
	set->scratch = xcalloc(1, limits->read_budget_bytes);
	TAILQ_INIT(&set->handshaking);
	TAILQ_INIT(&set->open);
	TAILQ_INIT(&set->renewing);
	TAILQ_INIT(&set->ready);
	TAILQ_INIT(&set->ready_new);
	TAILQ_INIT(&set->dirty);
	TAILQ_INIT(&set->to_read);
	TAILQ_INIT(&set->left_over);
	TAILQ_INIT(&set->dead);
	TAILQ_INIT(&set->lingering);
	set->reader = event_new(loop_base(loop), -1, 0, stream_set_read_cb, set);
	rc = set->reader == NULL ? err_fail(err, "out of memory for the streams of a loop")
				 : loop_every(loop, STREAM_SWEEP_MS, stream_set_sweep, set, err);
	if (rc != RC_OK) {
		if (set->reader != NULL)
			event_free(set->reader);
		free(set->scratch);
		free(set);
		return rc;
	}
	stream_bufs_init(set);
	*out = set;
	return RC_OK;
}

static void
stream_set_bury(struct stream_set *set)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(&set->dead)) != NULL) {
		TAILQ_REMOVE(&set->dead, stream, in_all);
		stream_free(stream);
	}
}

void
stream_set_free(struct stream_set **out)
{
	struct stream_set *set = *out;
	struct stream *stream;

	if (set == NULL)
		return;
	*out = NULL;
	while ((stream = TAILQ_FIRST(&set->open)) != NULL ||
	       (stream = TAILQ_FIRST(&set->renewing)) != NULL ||
	       (stream = TAILQ_FIRST(&set->handshaking)) != NULL)
		stream_close(stream);
	stream_set_bury(set);
	stream_linger_sweep(set, UINT64_MAX);
	tls_memory_drop(&set->spares);
	stream_bufs_fini(set);
	event_free(set->reader);
	free(set->scratch);
	free(set);
}

static void
stream_set_shake(struct stream_set *set)
{
	struct stream *stream;

	for (unsigned i = 0; i < set->limits.handshake_steps; i++) {
		stream = TAILQ_FIRST(&set->ready);
		if (stream == NULL)
			stream = TAILQ_FIRST(&set->ready_new);
		if (stream == NULL)
			return;
		stream_unmark_ready(stream);
		stream->begun = true;
		stream_shake(stream);
	}
}

void
stream_set_linger_all(struct stream_set *set)
{
	set->limits.linger_max = SIZE_MAX;
}

size_t
stream_set_lingering(const struct stream_set *set)
{
	return set->n_lingering;
}

size_t
stream_set_handshakes_ready(const struct stream_set *set)
{
	return set->n_ready;
}

static void
stream_set_flush(struct stream_set *set)
{
	struct stream *stream, *next;

	while ((stream = TAILQ_FIRST(&set->dirty)) != NULL && stream->dirty_turn != set->turn) {
		next = TAILQ_NEXT(stream, in_dirty);
		if (next != NULL)
			stream_bring(next);
		stream_unmark_dirty(stream);
		(void)stream_flush(stream);
	}
}

static void
stream_set_next_turn(struct stream_set *set)
{
	set->turn++;
	set->reading_since_ns = 0;
	TAILQ_CONCAT(&set->to_read, &set->left_over, in_to_read);
}

void
stream_set_turn(struct stream_set *set)
{
	tls_memory_use(&set->spares);
	stream_set_shake(set);
	/* what was written while reading leaves in this turn, too; what the owner
	 * writes because all was sent leaves in the next */
	stream_set_next_turn(set);
	stream_set_flush(set);
	stream_set_bury(set);
	stream_set_next_turn(set);
	if (!TAILQ_EMPTY(&set->to_read))
		event_active(set->reader, EV_READ, 0);
	if (set->n_ready > 0 || !TAILQ_EMPTY(&set->to_read) || !TAILQ_EMPTY(&set->dirty) ||
	    !TAILQ_EMPTY(&set->dead))
		loop_again(set->loop);
}
