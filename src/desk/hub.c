/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub: its subscribers, and whose turn it is.
 *
 * Each subscriber is on one of three lists, by what it waits for.  Those that
 * have everything cost nothing until something changes, and are then served
 * first: an alarm doesn't wait for those who catch up.  These have their turns
 * one after the other, with one delivery each, and a bounded amount of work in
 * one call of hub_pump().  Those without credit are not looked at.
 *
 * What one subscriber gets is decided in hub_serve.c, who may see what in
 * hub_filter.c.
 *
 * Owner: the thread of the desk.
 */
#include <stdlib.h>

#include "base/log.h"
#include "hub_priv.h"

/* ---- Lists ------------------------------------------------------------------------------ */

/* The only writer of `wait`. */
static void
hub_set_wait(struct hub *hub, struct hub_subscriber *subscriber, enum hub_wait wait)
{
	TAILQ_REMOVE(&hub->waiting[subscriber->wait], subscriber, in_wait);
	subscriber->wait = wait;
	TAILQ_INSERT_TAIL(&hub->waiting[wait], subscriber, in_wait);
}

static struct hub_subscriber *
hub_find(const struct hub *hub, struct mailbox *box, uint64_t id)
{
	struct hub_key key = {.box = box, .id = id};
	struct hub_subscriber *subscriber;

	HASH_FIND(hh, hub->by_key, &key, sizeof(key), subscriber);
	return subscriber;
}

static struct hub_subscriber *
hub_add(struct hub *hub, struct mailbox *box, uint64_t id)
{
	struct hub_subscriber *subscriber = xcalloc(1, sizeof(*subscriber));

	subscriber->key = (struct hub_key){.box = box, .id = id};
	subscriber->wait = HUB_WAIT_TURN;
	TAILQ_INSERT_TAIL(&hub->waiting[HUB_WAIT_TURN], subscriber, in_wait);
	HASH_ADD(hh, hub->by_key, key, sizeof(subscriber->key), subscriber);
	counter_set(&hub->counters.subscribers, HASH_COUNT(hub->by_key));
	return subscriber;
}

static void
hub_remove(struct hub *hub, struct hub_subscriber *subscriber)
{
	hub_drop_snapshot(hub, subscriber);
	TAILQ_REMOVE(&hub->waiting[subscriber->wait], subscriber, in_wait);
	HASH_DEL(hub->by_key, subscriber);
	counter_set(&hub->counters.subscribers, HASH_COUNT(hub->by_key));
	hub_filter_fini(&subscriber->filter);
	free(subscriber);
}

/* ---- Messages ---------------------------------------------------------------------------- */

/* Again replaces the filter and the place; bytes on their way stay counted. */
static void
hub_take_subscribe(struct hub *hub, struct hub_subscribe *from)
{
	struct hub_subscriber *subscriber = hub_find(hub, from->box, from->id);

	if (subscriber == NULL)
		subscriber = hub_add(hub, from->box, from->id);
	subscriber->format = from->format;
	hub_filter_fini(&subscriber->filter);
	hub_filter_init(&subscriber->filter, from);
	hub_filter_resolve(&subscriber->filter, hub->reg);
	hub_begin(hub, subscriber, from->from_position);
	hub_set_wait(hub, subscriber, HUB_WAIT_TURN);
}

static void
hub_take_sent(struct hub *hub, const struct hub_note *note)
{
	struct hub_subscriber *subscriber = hub_find(hub, note->box, note->id);

	if (subscriber == NULL)
		return;
	must(note->bytes <= subscriber->unsent);
	subscriber->unsent -= note->bytes;
	if (subscriber->wait == HUB_WAIT_CREDIT)
		hub_set_wait(hub, subscriber, HUB_WAIT_TURN);
}

static void
hub_take_unsubscribe(struct hub *hub, const struct hub_note *note)
{
	struct hub_subscriber *subscriber = hub_find(hub, note->box, note->id);

	if (subscriber != NULL)
		hub_remove(hub, subscriber);
}

void
hub_mail(struct hub *hub, struct mail *mail)
{
	/* the mail is the first member of both */
	struct hub_subscribe *subscribe = (struct hub_subscribe *)mail;
	const struct hub_note *note = (const struct hub_note *)mail;

	if (mail->kind == HUB_MAIL_SUBSCRIBE) {
		hub_take_subscribe(hub, subscribe);
	} else if (mail->kind == HUB_MAIL_SENT) {
		hub_take_sent(hub, note);
	} else {
		must(mail->kind == HUB_MAIL_UNSUBSCRIBE);
		hub_take_unsubscribe(hub, note);
	}
	free(mail);
}

/* ---- The register ------------------------------------------------------------------------- */

/* An alarm that stands, with its site in the old and in the new register. */
struct standing {
	const struct alarm_change *change;
	const struct site *was, *is;
};

/* Looked up once for all subscribers; the caller frees. */
static struct standing *
hub_all_standing(const struct hub *hub, const struct reg *reg, size_t *n)
{
	uint64_t *ids = desk_open_ids(hub->desk, n);
	struct standing *all = xcalloc(*n + 1, sizeof(*all));

	for (size_t i = 0; i < *n; i++) {
		all[i].change = desk_open_alarm(hub->desk, ids[i]);
		all[i].was = hub_site(hub->reg, all[i].change);
		all[i].is = hub_site(reg, all[i].change);
	}
	free(ids);
	return all;
}

static bool
hub_sees_others(const struct hub_filter *was, const struct hub_filter *is,
		const struct standing *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (hub_filter_passes(was, all[i].change, all[i].was) !=
		    hub_filter_passes(is, all[i].change, all[i].is))
			return true;
	}
	return false;
}

/* Alarms that a station sees no more would stand on its screens for ever, and
 * those that it sees now would be missing there until they change. */
static void
hub_renew_filter(struct hub *hub, struct hub_subscriber *subscriber, const struct reg *reg,
		 const struct standing *all, size_t n)
{
	struct hub_filter was = subscriber->filter;

	subscriber->filter.found = NULL;
	hub_filter_resolve(&subscriber->filter, reg);
	if (hub_sees_others(&was, &subscriber->filter, all, n)) {
		hub_restart(hub, subscriber, "the register has changed who sees which alarms");
		/* for credit it goes on waiting: it can't be told before */
		if (subscriber->wait == HUB_WAIT_CHANGE)
			hub_set_wait(hub, subscriber, HUB_WAIT_TURN);
	}
	free(was.found);
}

void
hub_set_register(struct hub *hub, struct reg *reg)
{
	struct hub_subscriber *subscriber;
	struct reg *old = hub->reg;
	struct standing *all;
	size_t n;

	all = hub_all_standing(hub, reg, &n);
	for (subscriber = hub->by_key; subscriber != NULL; subscriber = subscriber->hh.next)
		hub_renew_filter(hub, subscriber, reg, all, n);
	free(all);
	hub_sender_set_register(&hub->sender, reg);
	hub->reg = reg;
	reg_unref(&old);
}

/* ---- Pumping ------------------------------------------------------------------------------- */

/* One turn for each on the list.  Stops when `looks` are used up. */
static void
hub_serve_list(struct hub *hub, enum hub_wait which, size_t *looks)
{
	struct hub_subscriber *last = TAILQ_LAST(&hub->waiting[which], hub_list);
	struct hub_subscriber *subscriber;

	while (last != NULL && *looks > 0) {
		subscriber = TAILQ_FIRST(&hub->waiting[which]);
		hub_set_wait(hub, subscriber, hub_serve(hub, subscriber, looks));
		if (subscriber == last)
			break;
	}
	hub_sender_flush(&hub->sender);
}

bool
hub_pump(struct hub *hub)
{
	/* everybody who has everything else, whatever it takes: it is new to all */
	size_t no_limit = SIZE_MAX, looks = HUB_LOOKS_PER_PUMP;

	if (hub->served_to < desk_next(hub->desk))
		hub_serve_list(hub, HUB_WAIT_CHANGE, &no_limit);
	hub->served_to = desk_next(hub->desk);
	while (!TAILQ_EMPTY(&hub->waiting[HUB_WAIT_TURN]) && looks > 0)
		hub_serve_list(hub, HUB_WAIT_TURN, &looks);
	return !TAILQ_EMPTY(&hub->waiting[HUB_WAIT_TURN]);
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

struct hub *
hub_new(const struct desk *desk, size_t credit_bytes)
{
	struct hub *hub = xcalloc(1, sizeof(*hub));

	must(credit_bytes > 0);
	hub->desk = desk;
	hub->credit_bytes = credit_bytes;
	hub->served_to = desk_next(desk);
	for (size_t i = 0; i < HUB_WAITS; i++)
		TAILQ_INIT(&hub->waiting[i]);
	hub_sender_init(&hub->sender, desk);
	buf_init(&hub->out, HUB_DELIVERY_MAX);
	return hub;
}

void
hub_free(struct hub **out)
{
	struct hub *hub = *out;

	if (hub == NULL)
		return;
	*out = NULL;
	while (hub->by_key != NULL)
		hub_remove(hub, hub->by_key);
	hub_sender_fini(&hub->sender);
	buf_fini(&hub->out);
	reg_unref(&hub->reg);
	free(hub);
}

void
hub_on_offer(struct hub *hub, hub_offer_cb *offer, void *arg)
{
	hub->sender.offer = offer;
	hub->sender.offer_arg = arg;
}

const struct hub_counters *
hub_counters(const struct hub *hub)
{
	return &hub->counters;
}
