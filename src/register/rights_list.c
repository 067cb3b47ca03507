/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers: for which doors their lists are, by which number, and what they lack.
 *
 * The log says which rights changed, not how: what is sent is always how they are now.
 * So a right that changed ten times while its controller was away travels once.
 */
#include <stdlib.h>
#include <string.h>

#include "rights_priv.h"

/* ---- Nodes ----------------------------------------------------------------- */

static struct node *
node_get(const struct rights *r, uint32_t controller_id)
{
	struct node *node;

	HASH_FIND(hh, r->nodes, &controller_id, sizeof(controller_id), node);
	return node;
}

struct node *
rights_xnode(struct rights *r, uint32_t controller_id)
{
	struct node *node = node_get(r, controller_id);

	if (node == NULL) {
		node = xcalloc(1, sizeof(*node));
		node->controller_id = controller_id;
		node->timezone = xstrdup("");
		HASH_ADD(hh, r->nodes, controller_id, sizeof(controller_id), node);
	}
	return node;
}

void
nodes_free(struct rights *r)
{
	struct node *node, *next;

	HASH_ITER (hh, r->nodes, node, next) {
		HASH_DEL(r->nodes, node);
		free(node->doors);
		free(node->timezone);
		free(node);
	}
}

void
node_touch(struct rights *r, struct node *node, uint64_t position)
{
	node->number = position;
	if (node->touched)
		return;
	node->touched = true;
	if (r->n_touched == r->touched_room) {
		r->touched_room = r->touched_room == 0 ? 64 : 2 * r->touched_room;
		r->touched = xrealloc(r->touched, r->touched_room * sizeof(struct node *));
	}
	r->touched[r->n_touched++] = node;
}

size_t
rights_take_touched(struct rights *r, uint32_t *controller_ids, size_t max)
{
	size_t n = 0;

	while (n < max && r->n_touched > 0) {
		struct node *node = r->touched[--r->n_touched];

		node->touched = false;
		controller_ids[n++] = node->controller_id;
	}
	return n;
}

/* ---- Doors ----------------------------------------------------------------- */

bool
rights_doors_differ(const struct rights *r, const struct list_doors *doors)
{
	const struct node *node = node_get(r, doors->controller_id);

	if (node == NULL)
		return doors->n_doors > 0;
	if (node->n_doors != doors->n_doors)
		return true;
	if (node->n_doors == 0)
		return false;
	if (node->site_id != doors->site_id || strlen(node->timezone) != doors->timezone_len ||
	    memcmp(node->timezone, doors->timezone, doors->timezone_len) != 0)
		return true;
	for (size_t i = 0; i < doors->n_doors; i++) {
		const struct door_row *door = node->doors[i];

		if (door->id != doors->doors[i].door_id || door->number != doors->doors[i].number ||
		    door->node != node)
			return true;
	}
	return false;
}

void
rights_each_controller(const struct rights *r, void (*call)(void *arg, uint32_t controller_id),
		       void *arg)
{
	for (const struct node *node = r->nodes; node != NULL; node = node->hh.next) {
		if (node->n_doors > 0)
			call(arg, node->controller_id);
	}
}

void
node_set_doors(struct rights *r, struct node *node, const struct list_doors *doors)
{
	for (size_t i = 0; i < node->n_doors; i++) {
		if (node->doors[i]->node == node)
			node->doors[i]->node = NULL;
	}
	free(node->timezone);
	node->timezone = xasprintf("%.*s", (int)doors->timezone_len, doors->timezone);
	node->site_id = doors->site_id;
	node->n_doors = doors->n_doors;
	node->doors = xrealloc(node->doors, (doors->n_doors + 1) * sizeof(struct door_row *));
	for (size_t i = 0; i < doors->n_doors; i++) {
		struct door_row *door = rights_xdoor(r, doors->doors[i].door_id);

		door->node = node;
		door->number = doors->doors[i].number;
		node->doors[i] = door;
	}
}

static void
node_renew(struct rights *r, struct node *node, uint64_t position)
{
	node->full_since = position;
	node_touch(r, node, position);
}

/* What hung elsewhere until now is in that list no more. */
static void
doors_leave(struct rights *r, const struct node *to, const struct list_doors *doors,
	    uint64_t position)
{
	for (size_t i = 0; i < doors->n_doors; i++) {
		struct node *from = rights_xdoor(r, doors->doors[i].door_id)->node;

		if (from != NULL && from != to && from->number != 0)
			node_renew(r, from, position);
	}
}

void
rights_set_doors(struct rights *r, const struct list_doors *doors, uint64_t position)
{
	struct node *node = rights_xnode(r, doors->controller_id);

	doors_leave(r, node, doors, position);
	node_set_doors(r, node, doors);
	if (node->number == 0 && !rights_has_site(r, node->site_id))
		return;
	node_renew(r, node, position);
}

/* ---- Numbers --------------------------------------------------------------- */

uint64_t
rights_list_number(const struct rights *r, uint32_t controller_id)
{
	const struct node *node = node_get(r, controller_id);

	return node != NULL ? node->number : 0;
}

void
rights_confirm(struct rights *r, uint32_t controller_id, uint64_t number)
{
	struct node *node = node_get(r, controller_id);

	if (node != NULL && number <= node->number)
		node->confirmed = number;
}

uint64_t
rights_confirmed(const struct rights *r, uint32_t controller_id)
{
	const struct node *node = node_get(r, controller_id);

	return node != NULL ? node->confirmed : 0;
}

/* ---- The log --------------------------------------------------------------- */

static struct log_entry *
log_get(const struct rights *r, uint64_t number)
{
	return &r->log[number % r->conf.changes];
}

static bool
log_has(const struct rights *r, uint64_t number)
{
	return number != 0 && number + r->conf.changes >= r->next_change;
}

void
node_log(struct rights *r, struct node *node, uint64_t position, const struct touch *touch)
{
	*log_get(r, r->next_change) = (struct log_entry){
		.position = position,
		.before = node->last_change,
		.card = touch->card,
		.door_id = touch->door->id,
		.valid_from_us = touch->valid_from_us,
	};
	node->last_change = r->next_change++;
}

/* How many entries tell what is lacking since `since`; SIZE_MAX: they don't. */
static size_t
log_count_since(const struct rights *r, const struct node *node, uint64_t since)
{
	uint64_t at = node->last_change;
	size_t n = 0;

	if (since < node->full_since || since == 0 || since > node->number)
		return SIZE_MAX;
	for (; log_has(r, at) && log_get(r, at)->position > since; at = log_get(r, at)->before)
		n++;
	/* it ends at one that the controller has, or where the node's first one was */
	return at == 0 || log_has(r, at) ? n : SIZE_MAX;
}

/* ---- Lists ----------------------------------------------------------------- */

static int64_t
earlier_end(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* False: it isn't in any list. */
static bool
list_right_of(const struct rights *r, const struct right_row *row, int64_t now_us,
	      struct list_right *out)
{
	const struct card *card = &r->cards[row->card].card;
	int64_t until_us = earlier_end(row->valid_until_us, card->valid_until_us);

	if (card->status == CARD_REVOKED || (until_us != 0 && until_us <= now_us))
		return false;
	*out = (struct list_right){
		.card_key = card->key,
		.door = row->door->number,
		.valid_from_us = row->valid_from_us,
		.valid_until_us = until_us,
		.not_before_us = card->valid_from_us > row->valid_from_us ? card->valid_from_us : 0,
		.active = card->status == CARD_ACTIVE,
		.hours = row->hours != NULL ? row->hours->spans : NULL,
		.n_hours = row->hours != NULL ? row->hours->n : 0,
	};
	return true;
}

static void
list_whole(const struct rights *r, const struct node *node, size_t room, int64_t now_us,
	   struct rights_list *list)
{
	list->full = true;
	list->put = xcalloc(room + 1, sizeof(*list->put));
	for (size_t i = 0; i < node->n_doors; i++) {
		if (node->doors[i]->node != node)
			continue;
		for (uint32_t at = node->doors[i]->rights; at != 0; at = r->rows[at].next_of_door) {
			if (list_right_of(r, &r->rows[at], now_us, &list->put[list->n_put]))
				list->n_put++;
		}
	}
}

static int
compare_changes(const void *a, const void *b)
{
	const struct log_entry *left = a, *right = b;

	if (left->card != right->card)
		return left->card < right->card ? -1 : 1;
	if (left->door_id != right->door_id)
		return left->door_id < right->door_id ? -1 : 1;
	return (left->valid_from_us > right->valid_from_us) -
	       (left->valid_from_us < right->valid_from_us);
}

/* What the entry's right is now: to be put, or to be removed. */
static void
list_change(const struct rights *r, const struct log_entry *change, int64_t now_us,
	    struct rights_list *list)
{
	uint32_t at = rights_find(r, change->card, change->door_id, change->valid_from_us);
	const struct door_row *door;

	if (at != 0 && list_right_of(r, &r->rows[at], now_us, &list->put[list->n_put])) {
		list->n_put++;
		return;
	}
	HASH_FIND(hh, r->doors, &change->door_id, sizeof(change->door_id), door);
	list->removed[list->n_removed++] = (struct list_right){
		.card_key = r->cards[change->card].card.key,
		.door = door->number,
		.valid_from_us = change->valid_from_us,
	};
}

static void
list_changes(const struct rights *r, const struct node *node, size_t n, int64_t now_us,
	     struct rights_list *list)
{
	struct log_entry *changes = xcalloc(n + 1, sizeof(*changes));
	uint64_t at = node->last_change;

	list->put = xcalloc(n + 1, sizeof(*list->put));
	list->removed = xcalloc(n + 1, sizeof(*list->removed));
	for (size_t i = 0; i < n; i++, at = log_get(r, at)->before)
		changes[i] = *log_get(r, at);
	qsort(changes, n, sizeof(*changes), compare_changes);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || compare_changes(&changes[i - 1], &changes[i]) != 0)
			list_change(r, &changes[i], now_us, list);
	}
	free(changes);
}

enum rc
rights_list_since(const struct rights *r, uint32_t controller_id, uint64_t since, int64_t now_us,
		  struct rights_list *list)
{
	const struct node *node = node_get(r, controller_id);
	size_t n, room = 0;

	*list = (struct rights_list){0};
	if (node == NULL || node->number == since)
		return RC_EOF;
	list->number = node->number;
	list->timezone = node->timezone;
	list->site_id = node->site_id;
	for (size_t i = 0; i < node->n_doors; i++)
		room += node->doors[i]->n_rights;
	n = log_count_since(r, node, since);
	if (n > room)
		list_whole(r, node, room, now_us, list);
	else
		list_changes(r, node, n, now_us, list);
	return RC_OK;
}

void
rights_list_fini(struct rights_list *list)
{
	free(list->put);
	free(list->removed);
	*list = (struct rights_list){0};
}
