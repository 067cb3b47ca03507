/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one subscriber gets next.  It begins with the stream, where the ring
 * reaches back to what it has; otherwise with a resync: the alarms that stand,
 * then the stream from where they stood.
 *
 * Exactly once: a snapshot belongs to one place of the stream.  An alarm that
 * has changed since is left out of it, because that change comes by the stream.
 *
 * Credit: bytes that were posted and are not with the kernel stay within
 * credit_bytes; a single frame may exceed it only when nothing is on its way,
 * or it could never leave.
 *
 * Owner: the hub.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hub_priv.h"

/* ---- Where it begins ---------------------------------------------------------------- */

static void
hub_snapshot_unref(struct hub *hub, struct hub_snapshot *snapshot)
{
	if (--snapshot->refs > 0)
		return;
	if (hub->snapshot == snapshot)
		hub->snapshot = NULL;
	free(snapshot->ids);
	free(snapshot);
}

/* With a reference.  After a power cut all consoles begin at once: they share one. */
static struct hub_snapshot *
hub_snapshot_get(struct hub *hub)
{
	struct hub_snapshot *snapshot = hub->snapshot;

	if (snapshot == NULL || snapshot->next != desk_next(hub->desk)) {
		snapshot = xcalloc(1, sizeof(*snapshot));
		snapshot->next = desk_next(hub->desk);
		snapshot->position = desk_position(hub->desk);
		snapshot->ids = desk_open_ids(hub->desk, &snapshot->n);
		hub->snapshot = snapshot;
	}
	snapshot->refs++;
	return snapshot;
}

void
hub_drop_snapshot(struct hub *hub, struct hub_subscriber *subscriber)
{
	if (subscriber->snapshot != NULL)
		hub_snapshot_unref(hub, subscriber->snapshot);
	subscriber->snapshot = NULL;
}

void
hub_restart(struct hub *hub, struct hub_subscriber *subscriber, const char *reason)
{
	hub_drop_snapshot(hub, subscriber);
	subscriber->stage = HUB_STAGE_RESYNC;
	(void)snprintf(subscriber->reason, sizeof(subscriber->reason), "%s", reason);
	counter_add(&hub->counters.resyncs, 1);
}

static void
hub_restart_behind(struct hub *hub, struct hub_subscriber *subscriber)
{
	const struct alarm_change *oldest = desk_change(hub->desk, desk_oldest(hub->desk));
	char reason[sizeof(subscriber->reason)];

	(void)snprintf(reason, sizeof(reason),
		       "changes before position %" PRIu64 " are no longer kept", oldest->position);
	hub_restart(hub, subscriber, reason);
}

void
hub_begin(struct hub *hub, struct hub_subscriber *subscriber, uint64_t position)
{
	char reason[sizeof(subscriber->reason)];

	subscriber->asked = position;
	if (position == 0) {
		hub_restart(hub, subscriber, "first subscription");
	} else if (position > desk_position(hub->desk)) {
		(void)snprintf(reason, sizeof(reason),
			       "position %" PRIu64 " is ahead of this server", position);
		hub_restart(hub, subscriber, reason);
	} else if (!desk_find(hub->desk, position, &subscriber->next)) {
		hub_restart_behind(hub, subscriber);
	} else {
		hub_drop_snapshot(hub, subscriber);
		subscriber->stage = HUB_STAGE_STREAM;
	}
}

/* ---- What it costs ---------------------------------------------------------------------- */

static void
hub_charge(size_t *looks, size_t n)
{
	*looks -= n < *looks ? n : *looks;
}

/* ---- The snapshot --------------------------------------------------------------------- */

/* `n`: bytes that are about to be posted in one delivery. */
static bool
hub_has_credit(const struct hub *hub, const struct hub_subscriber *subscriber, size_t before,
	       size_t n)
{
	size_t unsent = subscriber->unsent + before;

	return unsent == 0 || (unsent <= hub->credit_bytes && n <= hub->credit_bytes - unsent);
}

/* Adds a frame to the delivery under way.  False when it must wait; *wait says for what. */
static bool
hub_out_add(struct hub *hub, const struct hub_subscriber *subscriber, size_t n, enum hub_wait *wait)
{
	size_t before = buf_len(&hub->out);

	if (!hub_has_credit(hub, subscriber, before, n)) {
		*wait = HUB_WAIT_CREDIT;
		return false;
	}
	/* full; one frame alone always fits */
	if (before + n > HUB_DELIVERY_MAX) {
		*wait = HUB_WAIT_TURN;
		return false;
	}
	must(buf_append(&hub->out, hub->sender.scratch, n) == RC_OK);
	return true;
}

static bool
hub_put_standing(struct hub *hub, struct hub_subscriber *subscriber, uint64_t alarm_id,
		 size_t *looks, enum hub_wait *wait)
{
	const struct alarm_change *change = desk_open_alarm(hub->desk, alarm_id);
	size_t n;

	hub_charge(looks, 1);
	if (change == NULL || change->position > subscriber->snapshot->position ||
	    !hub_filter_passes(&subscriber->filter, change, hub_site(hub->reg, change)))
		return true;
	hub_charge(looks, HUB_LOOKS_PER_FRAME);
	n = hub_put_change(subscriber->format, change, hub->reg, hub->sender.scratch);
	if (!hub_out_add(hub, subscriber, n, wait))
		return false;
	hub_sender_offer(&hub->sender, subscriber->format, change);
	return true;
}

/* Returns false when it stopped on the way. */
static bool
hub_put_snapshot(struct hub *hub, struct hub_subscriber *subscriber, size_t *looks,
		 enum hub_wait *wait)
{
	size_t n;

	if (subscriber->stage == HUB_STAGE_RESYNC) {
		n = hub_put_resync(subscriber->format, subscriber->asked, subscriber->reason,
				   hub->sender.scratch);
		if (!hub_out_add(hub, subscriber, n, wait))
			return false;
		subscriber->snapshot = hub_snapshot_get(hub);
		subscriber->at = 0;
		subscriber->stage = HUB_STAGE_SNAPSHOT;
	}
	for (; subscriber->at < subscriber->snapshot->n; subscriber->at++) {
		uint64_t alarm_id = subscriber->snapshot->ids[subscriber->at];

		*wait = HUB_WAIT_TURN;
		if (*looks == 0 || !hub_put_standing(hub, subscriber, alarm_id, looks, wait))
			return false;
	}
	n = hub_put_snapshot_end(subscriber->format, subscriber->snapshot->position,
				 hub->sender.scratch);
	return hub_out_add(hub, subscriber, n, wait);
}

static enum hub_wait
hub_serve_snapshot(struct hub *hub, struct hub_subscriber *subscriber, size_t *looks)
{
	enum hub_wait wait = HUB_WAIT_TURN;
	uint64_t position = 0;

	buf_clear(&hub->out);
	if (hub_put_snapshot(hub, subscriber, looks, &wait)) {
		position = subscriber->snapshot->position;
		subscriber->next = subscriber->snapshot->next;
		subscriber->stage = HUB_STAGE_STREAM;
		hub_drop_snapshot(hub, subscriber);
	}
	if (buf_len(&hub->out) > 0) {
		subscriber->unsent += buf_len(&hub->out);
		hub_send_one(subscriber->key.box, subscriber->key.id, buf_front(&hub->out),
			     buf_len(&hub->out), position);
	}
	return wait;
}

/* ---- The stream ------------------------------------------------------------------------- */

/* Looks at the next change.  False when it must wait; *wait says for what. */
static bool
hub_pick(struct hub *hub, struct hub_subscriber *subscriber, struct hub_picked *picked,
	 size_t *looks, enum hub_wait *wait)
{
	uint64_t number = subscriber->next;
	size_t n;

	hub_charge(looks, 1);
	if (!hub_filter_passes(&subscriber->filter, desk_change(hub->desk, number),
			       hub_frame_get(&hub->sender, number)->site))
		return true;
	hub_charge(looks, HUB_LOOKS_PER_FRAME);
	n = hub_frame_len(&hub->sender, number, subscriber->format);
	if (!hub_has_credit(hub, subscriber, picked->bytes, n)) {
		*wait = HUB_WAIT_CREDIT;
		return false;
	}
	if (picked->n == HUB_PICKED_MAX ||
	    (picked->n > 0 && picked->bytes + n > HUB_DELIVERY_MAX)) {
		*wait = HUB_WAIT_TURN;
		return false;
	}
	picked->numbers[picked->n++] = number;
	picked->bytes += n;
	return true;
}

static enum hub_wait
hub_serve_stream(struct hub *hub, struct hub_subscriber *subscriber, size_t *looks)
{
	enum hub_wait wait = HUB_WAIT_CHANGE;
	struct hub_picked picked;

	if (subscriber->next < desk_oldest(hub->desk)) {
		hub_restart_behind(hub, subscriber);
		return HUB_WAIT_TURN;
	}
	picked.n = picked.bytes = 0;
	for (; subscriber->next < desk_next(hub->desk); subscriber->next++) {
		if (*looks == 0) {
			wait = HUB_WAIT_TURN;
			break;
		}
		if (!hub_pick(hub, subscriber, &picked, looks, &wait))
			break;
	}
	if (picked.n > 0) {
		subscriber->unsent += picked.bytes;
		counter_add(&hub->counters.changes_sent, picked.n);
		hub_sender_add(&hub->sender, subscriber->key.box, subscriber->key.id,
			       subscriber->format, &picked);
	}
	return wait;
}

enum hub_wait
hub_serve(struct hub *hub, struct hub_subscriber *subscriber, size_t *looks)
{
	size_t at_most = *looks < HUB_LOOKS_AT_ONCE ? *looks : HUB_LOOKS_AT_ONCE;
	size_t left = at_most;
	enum hub_wait wait = subscriber->stage == HUB_STAGE_STREAM
				     ? hub_serve_stream(hub, subscriber, &left)
				     : hub_serve_snapshot(hub, subscriber, &left);

	*looks -= at_most - left;
	return wait;
}
