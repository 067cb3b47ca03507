/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two steps of a change: applied when it is decided, numbered when it is durable.
 * Owner: one thread.
 *
 * Nothing here decides.  What is applied was decided (rules.c) or stood in the journal;
 * where it names a card that isn't there, the card is made.
 */
#include <string.h>

#include "rights_priv.h"
#include "wire/kind.h"

/* ---- First step: applied --------------------------------------------------- */

/* Returns what stands for its position until it has one. */
static uint64_t
touch_add(struct rights *r, const struct touch *touch)
{
	if (r->n_touches == r->touches_room) {
		r->touches_room = r->touches_room == 0 ? 256 : 2 * r->touches_room;
		r->touches = xrealloc(r->touches, r->touches_room * sizeof(*r->touches));
	}
	r->touches[r->n_touches] = *touch;
	r->touches[r->n_touches].ticket = r->applied;
	return POSITION_PENDING | (r->touches_gone + r->n_touches++);
}

/* A state ends and becomes a former one.  Where its own beginning has no position yet,
 * that is to find it there. */
static uint64_t
state_to_former(struct rights *r, struct former *former)
{
	uint64_t made_by = former->position, number;

	former->position = position_known(made_by);
	number = former_add(r, former);
	if (made_by >= POSITION_PENDING)
		r->touches[(made_by & ~POSITION_PENDING) - r->touches_gone].became = number;
	return number;
}

static uint64_t
right_to_former(struct rights *r, const struct right_row *row, int64_t until_us)
{
	struct former former = {
		.card = row->card,
		.door_id = row->door->id,
		.valid_from_us = row->valid_from_us,
		.valid_until_us = row->valid_until_us,
		.since_us = row->since_us,
		.until_us = until_us,
		.position = row->position,
		.hours = row->hours,
	};

	return state_to_former(r, &former);
}

static bool
card_is(const struct card *card, const struct right_change *change)
{
	return card->status == change->status && card->kind == change->card_kind &&
	       card->valid_from_us == change->card_from_us &&
	       card->valid_until_us == change->card_until_us &&
	       strlen(card->unit) == change->unit_len &&
	       memcmp(card->unit, change->unit, change->unit_len) == 0;
}

/* The card as the change leaves it; every right of it is seen anew by its door. */
static void
apply_card(struct rights *r, uint32_t id, const struct right_change *change)
{
	struct card *card = &r->cards[id].card;
	struct former former = {
		.card = id,
		.status = card->status,
		.valid_from_us = card->valid_from_us,
		.valid_until_us = card->valid_until_us,
		.since_us = card->since_us,
		.until_us = change->received_us,
		.position = card->position,
	};
	struct touch touch = {.card = id, .made = true};

	if (card_is(card, change))
		return;
	if (card->status != 0)
		touch.former = state_to_former(r, &former);
	card->kind = change->card_kind;
	card->status = change->status;
	card->valid_from_us = change->card_from_us;
	card->valid_until_us = change->card_until_us;
	card->unit = rights_xunit(r, change->unit, change->unit_len);
	card->since_us = change->received_us;
	card->position = touch_add(r, &touch);
	if (change->status == CARD_REVOKED) /* they are about to be taken away */
		return;
	for (uint32_t at = r->cards[id].rights; at != 0; at = r->rows[at].next_of_card) {
		touch = (struct touch){.card = id,
				       .door = r->rows[at].door,
				       .valid_from_us = r->rows[at].valid_from_us};
		(void)touch_add(r, &touch);
	}
}

static void
apply_removal(struct rights *r, uint32_t at, int64_t now_us)
{
	struct right_row *row = &r->rows[at];
	struct touch touch = {.card = row->card,
			      .door = row->door,
			      .valid_from_us = row->valid_from_us,
			      .former = right_to_former(r, row, now_us)};

	rights_remove(r, at);
	(void)touch_add(r, &touch);
}

static void
apply_set(struct rights *r, uint32_t card, const struct right_change *change, uint32_t door_id,
	  struct hours *hours)
{
	struct door_row *door = rights_xdoor(r, door_id);
	uint32_t at = rights_find(r, card, door_id, change->valid_from_us);
	struct touch touch = {
		.card = card, .door = door, .valid_from_us = change->valid_from_us, .made = true};
	struct right_row *row;

	if (at != 0) {
		row = &r->rows[at];
		touch.former = right_to_former(r, row, change->received_us);
		hours_unref(row->hours);
		row->hours = hours;
		if (hours != NULL)
			hours->refs++;
	} else {
		row = rights_add(r, card, door, hours);
	}
	row->valid_from_us = change->valid_from_us;
	row->valid_until_us = change->valid_until_us;
	row->since_us = change->received_us;
	row->position = touch_add(r, &touch);
}

/* `door_id` 0: at whatever door; `valid_from_us` 0: whatever the window. */
static void
apply_removals(struct rights *r, uint32_t card, uint32_t door_id, int64_t valid_from_us,
	       int64_t now_us)
{
	uint32_t at = r->cards[card].rights;

	while (at != 0) {
		const struct right_row *row = &r->rows[at];
		uint32_t next = row->next_of_card;

		if ((door_id == 0 || row->door->id == door_id) &&
		    (valid_from_us == 0 || row->valid_from_us == valid_from_us))
			apply_removal(r, at, now_us);
		at = next;
	}
}

void
rights_apply(struct rights *r, const struct right_change *change)
{
	bool first = !rights_has_site(r, change->site_id);
	uint32_t card = rights_xcard(r, change->site_id, change->card_key)->card.id;
	struct touch touch = {.card = card, .site_id = change->site_id};
	struct hours *hours;

	r->applied++;
	if (first) {
		rights_site(r, change->site_id)->since_us = change->received_us;
		(void)touch_add(r, &touch);
	}
	apply_card(r, card, change);
	if (change->status == CARD_REVOKED)
		apply_removals(r, card, 0, 0, change->received_us);
	if (change->kind == KIND_CODE_GRANT_SET) {
		hours = hours_new(change->hours, change->n_hours);
		for (size_t i = 0; i < change->n_doors; i++)
			apply_set(r, card, change, change->doors[i], hours);
		hours_unref(hours);
	} else if (change->kind == KIND_CODE_GRANT_REMOVED) {
		for (size_t i = 0; i < change->n_doors; i++)
			apply_removals(r, card, change->doors[i], change->valid_from_us,
				       change->received_us);
	}
}

/* ---- Second step: numbered ------------------------------------------------- */

static void
number_site(struct rights *r, uint32_t site_id, uint64_t position)
{
	for (struct node *node = r->nodes; node != NULL; node = node->hh.next) {
		if (node->site_id != site_id)
			continue;
		node->full_since = position;
		node_touch(r, node, position);
	}
}

/* The state that began with it gets its position, wherever it is by now. */
static void
number_made(struct rights *r, const struct touch *touch, uint64_t position)
{
	uint32_t at;

	if (touch->became != 0) {
		struct former *former = former_get(r, touch->became);

		if (former != NULL)
			former->position = position;
	} else if (touch->door == NULL) {
		r->cards[touch->card].card.position = position;
	} else {
		at = rights_find(r, touch->card, touch->door->id, touch->valid_from_us);
		must(at != 0);
		r->rows[at].position = position;
	}
}

static void
number_touch(struct rights *r, const struct touch *touch, uint64_t position)
{
	struct former *former = touch->former != 0 ? former_get(r, touch->former) : NULL;

	if (former != NULL)
		former->by_position = position;
	if (touch->made)
		number_made(r, touch, position);
	if (touch->site_id != 0)
		number_site(r, touch->site_id, position);
	if (touch->door != NULL && touch->door->node != NULL) {
		node_log(r, touch->door->node, position, touch);
		node_touch(r, touch->door->node, position);
	}
}

void
rights_number(struct rights *r, uint64_t position)
{
	must(r->numbered < r->applied && position < POSITION_PENDING);
	r->numbered++;
	while (r->first_touch < r->n_touches && r->touches[r->first_touch].ticket == r->numbered)
		number_touch(r, &r->touches[r->first_touch++], position);
	if (r->first_touch == r->n_touches) {
		r->touches_gone += r->n_touches;
		r->first_touch = r->n_touches = 0;
	}
}

uint64_t
rights_pending(const struct rights *r)
{
	return r->applied - r->numbered;
}
