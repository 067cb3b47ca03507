/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards, rights, former states and controllers as bytes, for the snapshot.  Little
 * endian, row after row.
 *
 *	head: magic "GHRIGHT1", known_from_us i64, and the counts u64 of cards, rights,
 *	      former states, controllers
 *	card: site_id u32, kind u8, status u8, unit_len u8, zero u8, valid_from_us i64,
 *	      valid_until_us i64, since_us i64, position u64, site's since_us i64, rights u32,
 *	      zero u32, key, unit
 *	right: door_id u32, n_hours u32, valid_from_us, valid_until_us, since_us i64,
 *	      position u64, hours 2 x u16 each: behind their card
 *	former: card u32, door_id u32, status u32, n_hours u32, valid_from_us,
 *	      valid_until_us, since_us, until_us i64, position, by_position u64, hours
 *	controller: number u64, confirmed u64, len u32, list_doors as the journal has it
 *
 * The log of changes is not in it: a controller that lacked something when the daemon
 * stopped gets its whole list.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "rights_priv.h"

#define RIGHTS_MAGIC "GHRIGHT1"

enum {
	HEAD_BYTES = 8 + 5 * 8,
	CARD_BYTES = 56 + CARD_KEY_BYTES,
	RIGHT_BYTES = 40,
	FORMER_BYTES = 64,
	NODE_BYTES = 20,
	SPAN_BYTES = 4,
};

/* ---- Saving ------------------------------------------------------------------ */

static uint8_t *
put_hours(uint8_t *out, const struct hours *hours)
{
	for (size_t i = 0; hours != NULL && i < hours->n; i++) {
		out = le_put16(out, hours->spans[i].from_minute);
		out = le_put16(out, hours->spans[i].to_minute);
	}
	return out;
}

static uint32_t
hours_count(const struct hours *hours)
{
	return hours != NULL ? hours->n : 0;
}

static enum rc
save_head(const struct rights *r, struct buf *out)
{
	uint8_t head[HEAD_BYTES], *at = head + 8;

	memcpy(head, RIGHTS_MAGIC, 8);
	at = le_put64(at, (uint64_t)r->known_from_us);
	at = le_put64(at, r->n_cards - 1);
	at = le_put64(at, r->n_rights);
	at = le_put64(at, r->next_former - r->oldest_former);
	(void)le_put64(at, HASH_COUNT(r->nodes));
	return buf_append(out, head, sizeof(head));
}

static enum rc
save_right(const struct right_row *row, struct buf *out)
{
	size_t len = RIGHT_BYTES + SPAN_BYTES * hours_count(row->hours);
	uint8_t *at = buf_reserve(out, len);

	if (at == NULL)
		return RC_AGAIN;
	at = le_put32(at, row->door->id);
	at = le_put32(at, hours_count(row->hours));
	at = le_put64(at, (uint64_t)row->valid_from_us);
	at = le_put64(at, (uint64_t)row->valid_until_us);
	at = le_put64(at, (uint64_t)row->since_us);
	at = le_put64(at, row->position);
	(void)put_hours(at, row->hours);
	buf_added(out, len);
	return RC_OK;
}

static enum rc
save_card(const struct rights *r, const struct card_row *row, struct buf *out)
{
	const struct card *card = &row->card;
	size_t unit_len = strlen(card->unit), len = CARD_BYTES + unit_len;
	uint8_t *at = buf_reserve(out, len);
	uint32_t n = 0;

	if (at == NULL)
		return RC_AGAIN;
	for (uint32_t right = row->rights; right != 0; right = r->rows[right].next_of_card)
		n++;
	at = le_put32(at, card->site_id);
	*at++ = card->kind;
	*at++ = card->status;
	*at++ = (uint8_t)unit_len;
	*at++ = 0;
	at = le_put64(at, (uint64_t)card->valid_from_us);
	at = le_put64(at, (uint64_t)card->valid_until_us);
	at = le_put64(at, (uint64_t)card->since_us);
	at = le_put64(at, card->position);
	at = le_put64(at, (uint64_t)rights_site(r, card->site_id)->since_us);
	at = le_put32(at, n);
	at = le_put32(at, 0);
	memcpy(at, card->key, CARD_KEY_BYTES);
	memcpy(at + CARD_KEY_BYTES, card->unit, unit_len);
	buf_added(out, len);
	for (uint32_t right = row->rights; right != 0; right = r->rows[right].next_of_card) {
		if (save_right(&r->rows[right], out) != RC_OK)
			return RC_AGAIN;
	}
	return RC_OK;
}

static enum rc
save_former(const struct former *former, struct buf *out)
{
	size_t len = FORMER_BYTES + SPAN_BYTES * hours_count(former->hours);
	uint8_t *at = buf_reserve(out, len);

	if (at == NULL)
		return RC_AGAIN;
	at = le_put32(at, former->card);
	at = le_put32(at, former->door_id);
	at = le_put32(at, former->status);
	at = le_put32(at, hours_count(former->hours));
	at = le_put64(at, (uint64_t)former->valid_from_us);
	at = le_put64(at, (uint64_t)former->valid_until_us);
	at = le_put64(at, (uint64_t)former->since_us);
	at = le_put64(at, (uint64_t)former->until_us);
	at = le_put64(at, former->position);
	at = le_put64(at, former->by_position);
	(void)put_hours(at, former->hours);
	buf_added(out, len);
	return RC_OK;
}

static enum rc
save_node(const struct node *node, struct buf *out)
{
	struct list_doors doors = {
		.controller_id = node->controller_id,
		.site_id = node->site_id,
		.timezone = node->timezone,
		.timezone_len = strlen(node->timezone),
	};
	uint8_t *at;
	size_t len;

	for (size_t i = 0; i < node->n_doors; i++) {
		/* one that hangs elsewhere by now, and whose entry here is still to come */
		if (node->doors[i]->node != node)
			continue;
		doors.doors[doors.n_doors].door_id = node->doors[i]->id;
		doors.doors[doors.n_doors++].number = node->doors[i]->number;
	}
	len = list_doors_encoded_len(&doors);
	at = buf_reserve(out, NODE_BYTES + len);
	if (at == NULL)
		return RC_AGAIN;
	at = le_put64(at, node->number);
	at = le_put64(at, node->confirmed);
	at = le_put32(at, (uint32_t)len);
	(void)list_doors_encode(&doors, at);
	buf_added(out, NODE_BYTES + len);
	return RC_OK;
}

enum rc
rights_save(const struct rights *r, struct buf *out)
{
	enum rc rc = save_head(r, out);

	must(rights_pending(r) == 0);
	for (size_t i = 1; i < r->n_cards && rc == RC_OK; i++)
		rc = save_card(r, &r->cards[i], out);
	for (uint64_t i = r->oldest_former; i < r->next_former && rc == RC_OK; i++)
		rc = save_former(former_get(r, i), out);
	for (const struct node *node = r->nodes; node != NULL && rc == RC_OK; node = node->hh.next)
		rc = save_node(node, out);
	return rc;
}

/* ---- Loading ------------------------------------------------------------------ */

/* What is left of the bytes. */
struct reading {
	const uint8_t *at;
	size_t left;
};

/* NULL: there are not so many. */
static const uint8_t *
take(struct reading *reading, size_t n)
{
	const uint8_t *at = reading->at;

	if (n > reading->left)
		return NULL;
	reading->at += n;
	reading->left -= n;
	return at;
}

/* False: not so many, or not as they may be. */
static bool
take_hours(struct reading *reading, uint32_t n, struct hours **hours)
{
	struct right_hours spans[RIGHT_HOURS_MAX];
	const uint8_t *at;

	*hours = NULL;
	if (n > RIGHT_HOURS_MAX)
		return false;
	at = take(reading, SPAN_BYTES * (size_t)n);
	if (at == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++, at += SPAN_BYTES)
		spans[i] = (struct right_hours){le_get16(at), le_get16(at + 2)};
	*hours = hours_new(spans, n);
	return true;
}

static bool
load_right(struct rights *r, uint32_t card, struct reading *reading)
{
	const uint8_t *at = take(reading, RIGHT_BYTES);
	struct right_row *row;
	struct hours *hours;

	if (at == NULL || !take_hours(reading, le_get32(at + 4), &hours))
		return false;
	row = rights_add(r, card, rights_xdoor(r, le_get32(at)), hours);
	hours_unref(hours);
	row->valid_from_us = (int64_t)le_get64(at + 8);
	row->valid_until_us = (int64_t)le_get64(at + 16);
	row->since_us = (int64_t)le_get64(at + 24);
	row->position = le_get64(at + 32);
	return true;
}

static bool
load_card(struct rights *r, struct reading *reading)
{
	const uint8_t *at = take(reading, CARD_BYTES), *unit;
	struct card_row *row;
	uint32_t id;

	if (at == NULL || at[5] < CARD_ACTIVE || at[5] > CARD_REVOKED)
		return false;
	unit = take(reading, at[6]);
	if (unit == NULL || at[6] > RIGHT_TEXT_MAX)
		return false;
	row = rights_xcard(r, le_get32(at), at + 56);
	row->card.kind = at[4];
	row->card.status = at[5];
	row->card.valid_from_us = (int64_t)le_get64(at + 8);
	row->card.valid_until_us = (int64_t)le_get64(at + 16);
	row->card.since_us = (int64_t)le_get64(at + 24);
	row->card.position = le_get64(at + 32);
	row->card.unit = rights_xunit(r, (const char *)unit, at[6]);
	rights_site(r, le_get32(at))->since_us = (int64_t)le_get64(at + 40);
	id = row->card.id;
	for (uint32_t n = le_get32(at + 48); n > 0; n--) {
		if (!load_right(r, id, reading))
			return false;
	}
	return true;
}

static bool
load_former(struct rights *r, struct reading *reading)
{
	const uint8_t *at = take(reading, FORMER_BYTES);
	struct former former;

	if (at == NULL)
		return false;
	former = (struct former){
		.card = le_get32(at),
		.door_id = le_get32(at + 4),
		.status = at[8],
		.valid_from_us = (int64_t)le_get64(at + 16),
		.valid_until_us = (int64_t)le_get64(at + 24),
		.since_us = (int64_t)le_get64(at + 32),
		.until_us = (int64_t)le_get64(at + 40),
		.position = le_get64(at + 48),
		.by_position = le_get64(at + 56),
	};
	if (former.card == 0 || former.card >= r->n_cards || former.status > CARD_REVOKED ||
	    !take_hours(reading, le_get32(at + 12), &former.hours))
		return false;
	(void)former_add(r, &former);
	hours_unref(former.hours);
	return true;
}

static bool
load_node(struct rights *r, struct reading *reading)
{
	const uint8_t *at = take(reading, NODE_BYTES), *body;
	struct list_doors doors;
	struct node *node;
	struct err err;

	if (at == NULL)
		return false;
	body = take(reading, le_get32(at + 16));
	if (body == NULL || list_doors_decode(body, le_get32(at + 16), &doors, &err) != RC_OK)
		return false;
	node = rights_xnode(r, doors.controller_id);
	node_set_doors(r, node, &doors);
	node->number = node->full_since = le_get64(at);
	node->confirmed = le_get64(at + 8);
	return true;
}

/* `rows` of them, each by `load`. */
static bool
load_rows(struct rights *r, struct reading *reading, uint64_t rows,
	  bool (*load)(struct rights *r, struct reading *reading))
{
	for (; rows > 0; rows--) {
		if (!load(r, reading))
			return false;
	}
	return true;
}

enum rc
rights_load(struct rights *r, const uint8_t *bytes, size_t n, struct err *err)
{
	struct reading reading = {bytes, n};
	const uint8_t *head = take(&reading, HEAD_BYTES);

	if (head == NULL || memcmp(head, RIGHTS_MAGIC, 8) != 0)
		return err_invalid(err, "these are no rights");
	r->known_from_us = (int64_t)le_get64(head + 8);
	if (!load_rows(r, &reading, le_get64(head + 16), load_card) ||
	    !load_rows(r, &reading, le_get64(head + 32), load_former) ||
	    !load_rows(r, &reading, le_get64(head + 40), load_node) || reading.left > 0 ||
	    r->n_cards - 1 != le_get64(head + 16) || r->n_rights != le_get64(head + 24))
		return err_invalid(err, "rights are cut short, or not as they were saved");
	return RC_OK;
}
