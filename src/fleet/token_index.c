/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a token to its card.  A token's key is that of a site and month, so there is one
 * table for each of those, made when an access of that month is looked at first, from the
 * keys of the site's cards.  Cards that are registered later are added when they are
 * missed.  Memory only: on disk nothing leads from a token to a card.
 *
 * Owner: the registrar's thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "registrar_priv.h"

enum { MONTHS_KEPT = 2048 }; /* tables: sites times months that still come in */

struct slot {
	uint8_t token[TOKEN_BYTES];
	uint32_t card; /* 0: free */
};

struct month_key {
	uint32_t site_id, month;
};

struct month_table {
	struct month_key key;
	struct slot *slots; /* a power of two, at most half full */
	size_t size;
	size_t n_cards;    /* of the site, that are in it */
	UT_hash_handle hh; /* keeps the order of insertion: the first is the oldest */
};

struct token_index {
	struct card_keys *keys;
	struct month_table *months;
};

static void
month_free(struct token_index *index, struct month_table *month)
{
	HASH_DEL(index->months, month);
	free(month->slots);
	free(month);
}

static struct month_table *
month_xget(struct token_index *index, uint32_t site_id, int64_t received_us)
{
	struct month_key key = {site_id, card_token_month(received_us)};
	struct month_table *month;

	HASH_FIND(hh, index->months, &key, sizeof(key), month);
	if (month != NULL)
		return month;
	if (HASH_COUNT(index->months) >= MONTHS_KEPT)
		month_free(index, index->months);
	month = xcalloc(1, sizeof(*month));
	month->key = key;
	HASH_ADD(hh, index->months, key, sizeof(month->key), month);
	return month;
}

/* A token is the output of an HMAC: any part of it is as good as a hash. */
static struct slot *
slot_find(const struct month_table *month, const uint8_t token[TOKEN_BYTES])
{
	size_t at = (size_t)le_get64(token) & (month->size - 1);

	while (month->slots[at].card != 0 &&
	       memcmp(month->slots[at].token, token, TOKEN_BYTES) != 0)
		at = (at + 1) & (month->size - 1);
	return &month->slots[at];
}

static void
month_reserve(struct month_table *month, size_t n)
{
	struct month_table bigger = *month;

	if (2 * n <= month->size)
		return;
	for (bigger.size = 64; bigger.size < 2 * n; bigger.size *= 2)
		;
	bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
	for (size_t i = 0; i < month->size; i++) {
		if (month->slots[i].card != 0)
			*slot_find(&bigger, month->slots[i].token) = month->slots[i];
	}
	free(month->slots);
	month->slots = bigger.slots;
	month->size = bigger.size;
}

/* Adds the cards that were registered since: the newest of the site come first. */
static enum rc
month_catch_up(struct token_index *index, struct month_table *month, const struct rights *rights,
	       int64_t received_us, struct err *err)
{
	size_t n = rights_site_cards(rights, month->key.site_id), missing = n - month->n_cards;
	const struct card *card = NULL;

	month_reserve(month, n);
	for (size_t i = 0; i < missing; i++) {
		uint8_t token[TOKEN_BYTES];

		card = rights_next_card(rights, month->key.site_id, card);
		must(card != NULL);
		if (card_token_of_key(index->keys, month->key.site_id, received_us, card->key,
				      token, err) != RC_OK)
			return RC_FAIL;
		struct slot *slot = slot_find(month, token);

		memcpy(slot->token, token, TOKEN_BYTES);
		slot->card = card->id;
	}
	month->n_cards = n;
	return RC_OK;
}

enum rc
token_index_find(struct token_index *index, const struct rights *rights,
		 const struct record *record, uint32_t *card_id, struct err *err)
{
	struct month_table *month = month_xget(index, record->site_id, record->received_us);

	*card_id = 0;
	if (month->n_cards != rights_site_cards(rights, record->site_id) &&
	    month_catch_up(index, month, rights, record->received_us, err) != RC_OK)
		return RC_FAIL;
	if (month->size > 0)
		*card_id = slot_find(month, record->token)->card;
	return RC_OK;
}

struct token_index *
token_index_new(struct card_keys *keys)
{
	struct token_index *index = xcalloc(1, sizeof(*index));

	index->keys = keys;
	return index;
}

void
token_index_free(struct token_index **out)
{
	struct token_index *index = *out;

	if (index == NULL)
		return;
	*out = NULL;
	while (index->months != NULL)
		month_free(index, index->months);
	free(index);
}
