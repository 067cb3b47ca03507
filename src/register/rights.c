/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards and rights: finding them, adding and taking away, beginning and end.  Owner:
 * one thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "rights_priv.h"

enum { BY_KEY_FIRST = 1024 };

/* ---- Small shared things --------------------------------------------------- */

struct hours *
hours_new(const struct right_hours *spans, size_t n)
{
	struct hours *hours;

	if (n == 0)
		return NULL;
	hours = xcalloc(1, sizeof(*hours) + n * sizeof(*spans));
	hours->refs = 1;
	hours->n = (uint32_t)n;
	memcpy(hours->spans, spans, n * sizeof(*spans));
	return hours;
}

void
hours_unref(struct hours *hours)
{
	if (hours != NULL && --hours->refs == 0)
		free(hours);
}

/* Units are few, and stay: each is kept once. */
const char *
rights_xunit(struct rights *r, const char *text, size_t len)
{
	struct unit_text *unit;

	if (len == 0)
		return "";
	HASH_FIND(hh, r->units, text, len, unit);
	if (unit == NULL) {
		unit = xcalloc(1, sizeof(*unit) + len + 1);
		memcpy(unit->text, text, len);
		HASH_ADD_KEYPTR(hh, r->units, unit->text, len, unit);
	}
	return unit->text;
}

struct site_row *
rights_site(const struct rights *r, uint32_t site_id)
{
	struct site_row *site;

	HASH_FIND(hh, r->sites, &site_id, sizeof(site_id), site);
	return site;
}

struct door_row *
rights_xdoor(struct rights *r, uint32_t id)
{
	struct door_row *door;

	HASH_FIND(hh, r->doors, &id, sizeof(id), door);
	if (door == NULL) {
		door = xcalloc(1, sizeof(*door));
		door->id = id;
		HASH_ADD(hh, r->doors, id, sizeof(id), door);
	}
	return door;
}

/* ---- Cards ----------------------------------------------------------------- */

/* A card key is the output of an HMAC: any part of it is as good as a hash. */
static size_t
key_slot(const struct rights *r, uint32_t site_id, const uint8_t key[CARD_KEY_BYTES])
{
	return (size_t)(le_get64(key) ^ site_id * UINT64_C(0x9e3779b97f4a7c15)) &
	       (r->by_key_size - 1);
}

/* The slot that holds the card, or the free one where it would go. */
static uint32_t *
key_find(const struct rights *r, uint32_t site_id, const uint8_t key[CARD_KEY_BYTES])
{
	size_t at = key_slot(r, site_id, key);

	for (;; at = (at + 1) & (r->by_key_size - 1)) {
		const struct card *card = &r->cards[r->by_key[at]].card;

		if (r->by_key[at] == 0 ||
		    (card->site_id == site_id && memcmp(card->key, key, CARD_KEY_BYTES) == 0))
			return &r->by_key[at];
	}
}

static void
by_key_grow(struct rights *r)
{
	free(r->by_key);
	r->by_key_size = r->by_key_size == 0 ? BY_KEY_FIRST : 2 * r->by_key_size;
	r->by_key = xcalloc(r->by_key_size, sizeof(*r->by_key));
	for (uint32_t id = 1; id < r->n_cards; id++)
		*key_find(r, r->cards[id].card.site_id, r->cards[id].card.key) = id;
}

static struct site_row *
site_xget(struct rights *r, uint32_t site_id)
{
	struct site_row *site = rights_site(r, site_id);

	if (site == NULL) {
		site = xcalloc(1, sizeof(*site));
		site->site_id = site_id;
		HASH_ADD(hh, r->sites, site_id, sizeof(site_id), site);
	}
	return site;
}

struct card_row *
rights_xcard(struct rights *r, uint32_t site_id, const uint8_t key[CARD_KEY_BYTES])
{
	uint32_t *slot = key_find(r, site_id, key);
	struct site_row *site;
	struct card_row *row;

	if (*slot != 0)
		return &r->cards[*slot];
	must(r->n_cards < UINT32_MAX);
	if (r->n_cards == r->cards_room) {
		r->cards_room *= 2;
		r->cards = xrealloc(r->cards, r->cards_room * sizeof(*r->cards));
	}
	row = &r->cards[r->n_cards];
	*row = (struct card_row){
		.card = {.id = (uint32_t)r->n_cards, .site_id = site_id, .unit = ""}};
	memcpy(row->card.key, key, CARD_KEY_BYTES);
	*slot = (uint32_t)r->n_cards++;
	site = site_xget(r, site_id);
	row->next_of_site = site->cards;
	site->cards = row->card.id;
	site->n_cards++;
	if (2 * r->n_cards > r->by_key_size)
		by_key_grow(r);
	return row;
}

const struct card *
rights_card(const struct rights *r, uint32_t site_id, const uint8_t key[CARD_KEY_BYTES])
{
	uint32_t id = *key_find(r, site_id, key);

	return id != 0 ? &r->cards[id].card : NULL;
}

const struct card *
rights_card_by_id(const struct rights *r, uint32_t id)
{
	return id != 0 && id < r->n_cards ? &r->cards[id].card : NULL;
}

const struct card *
rights_next_card(const struct rights *r, uint32_t site_id, const struct card *card)
{
	const struct site_row *site = rights_site(r, site_id);
	uint32_t id = 0;

	if (card != NULL)
		id = r->cards[card->id].next_of_site;
	else if (site != NULL)
		id = site->cards;
	return rights_card_by_id(r, id);
}

bool
rights_has_site(const struct rights *r, uint32_t site_id)
{
	return rights_site(r, site_id) != NULL;
}

size_t
rights_site_cards(const struct rights *r, uint32_t site_id)
{
	const struct site_row *site = rights_site(r, site_id);

	return site != NULL ? site->n_cards : 0;
}

/* ---- Rights ---------------------------------------------------------------- */

uint32_t
rights_find(const struct rights *r, uint32_t card, uint32_t door_id, int64_t valid_from_us)
{
	for (uint32_t at = r->cards[card].rights; at != 0; at = r->rows[at].next_of_card) {
		if (r->rows[at].door->id == door_id && r->rows[at].valid_from_us == valid_from_us)
			return at;
	}
	return 0;
}

bool
rights_next_of_card(const struct rights *r, const struct card *card, uint32_t *at,
		    struct right *right)
{
	const struct right_row *row;

	*at = *at == 0 ? r->cards[card->id].rights : r->rows[*at].next_of_card;
	if (*at == 0)
		return false;
	row = &r->rows[*at];
	*right = (struct right){
		.door_id = row->door->id,
		.valid_from_us = row->valid_from_us,
		.valid_until_us = row->valid_until_us,
		.hours = row->hours != NULL ? row->hours->spans : NULL,
		.n_hours = row->hours != NULL ? row->hours->n : 0,
		.position = position_known(row->position),
	};
	return true;
}

static uint32_t
row_take(struct rights *r)
{
	uint32_t at = r->free_row;

	if (at != 0) {
		r->free_row = r->rows[at].next_of_card;
		return at;
	}
	must(r->n_rows < UINT32_MAX);
	if (r->n_rows == r->rows_room) {
		r->rows_room *= 2;
		r->rows = xrealloc(r->rows, r->rows_room * sizeof(*r->rows));
	}
	return (uint32_t)r->n_rows++;
}

struct right_row *
rights_add(struct rights *r, uint32_t card, struct door_row *door, struct hours *hours)
{
	uint32_t at = row_take(r), *end = &r->cards[card].rights;
	struct right_row *row = &r->rows[at];

	*row = (struct right_row){
		.card = card, .door = door, .hours = hours, .next_of_door = door->rights};
	if (hours != NULL)
		hours->refs++;
	while (*end != 0)
		end = &r->rows[*end].next_of_card;
	*end = at;
	if (door->rights != 0)
		r->rows[door->rights].prev_of_door = at;
	door->rights = at;
	door->n_rights++;
	r->n_rights++;
	return row;
}

void
rights_remove(struct rights *r, uint32_t at)
{
	struct right_row *row = &r->rows[at];
	uint32_t *link = &r->cards[row->card].rights;

	while (*link != at)
		link = &r->rows[*link].next_of_card;
	*link = row->next_of_card;
	if (row->prev_of_door != 0)
		r->rows[row->prev_of_door].next_of_door = row->next_of_door;
	else
		row->door->rights = row->next_of_door;
	if (row->next_of_door != 0)
		r->rows[row->next_of_door].prev_of_door = row->prev_of_door;
	row->door->n_rights--;
	hours_unref(row->hours);
	*row = (struct right_row){.next_of_card = r->free_row};
	r->free_row = at;
	r->n_rights--;
}

/* ---- Beginning and end ----------------------------------------------------- */

struct rights *
rights_new(const struct rights_conf *conf)
{
	struct rights *r = xcalloc(1, sizeof(*r));

	must(conf->changes > 0);
	r->conf = *conf;
	r->n_cards = r->n_rows = 1;
	r->cards_room = r->rows_room = 64;
	r->cards = xcalloc(r->cards_room, sizeof(*r->cards));
	r->rows = xcalloc(r->rows_room, sizeof(*r->rows));
	r->log = xcalloc(conf->changes, sizeof(*r->log));
	r->oldest_former = r->next_former = r->next_change = 1;
	r->known_from_us = INT64_MIN;
	by_key_grow(r);
	return r;
}

void
rights_free(struct rights **rights)
{
	struct rights *r = *rights;
	struct door_row *door, *next_door;
	struct site_row *site, *next_site;
	struct unit_text *unit, *next_unit;

	if (r == NULL)
		return;
	*rights = NULL;
	for (size_t i = 1; i < r->n_rows; i++)
		hours_unref(r->rows[i].hours);
	formers_expire(r, INT64_MAX);
	nodes_free(r);
	HASH_ITER (hh, r->doors, door, next_door) {
		HASH_DEL(r->doors, door);
		free(door);
	}
	HASH_ITER (hh, r->sites, site, next_site) {
		HASH_DEL(r->sites, site);
		free(site);
	}
	HASH_ITER (hh, r->units, unit, next_unit) {
		HASH_DEL(r->units, unit);
		free(unit);
	}
	free(r->cards);
	free(r->by_key);
	free(r->rows);
	free(r->formers);
	free(r->log);
	free(r->touches);
	free(r->touched);
	free(r);
}

void
rights_known_from(struct rights *r, int64_t time_us)
{
	if (time_us > r->known_from_us)
		r->known_from_us = time_us;
}

void
rights_expire(struct rights *r, int64_t now_us)
{
	int64_t before_us = now_us - r->conf.history_us;

	must(rights_pending(r) == 0);
	formers_expire(r, before_us);
	for (uint32_t at = 1; at < r->n_rows; at++) {
		const struct right_row *row = &r->rows[at];

		if (row->card != 0 && row->valid_until_us != 0 && row->valid_until_us < before_us &&
		    row->since_us < before_us)
			rights_remove(r, at);
	}
	rights_known_from(r, before_us);
}

void
rights_get_stats(const struct rights *r, struct rights_stats *stats)
{
	*stats = (struct rights_stats){
		.cards = r->n_cards - 1,
		.rights = r->n_rights,
		.bytes = r->cards_room * sizeof(*r->cards) + r->by_key_size * sizeof(*r->by_key) +
			 r->rows_room * sizeof(*r->rows) + r->formers_room * sizeof(*r->formers) +
			 r->conf.changes * sizeof(*r->log) + r->touches_room * sizeof(*r->touches) +
			 HASH_COUNT(r->doors) * sizeof(struct door_row),
	};
	for (const struct node *node = r->nodes; node != NULL; node = node->hh.next) {
		stats->controllers += node->number != 0;
		stats->behind += node->number != 0 && node->confirmed != node->number;
		stats->bytes += sizeof(*node) + node->n_doors * sizeof(struct door_row *);
	}
}
