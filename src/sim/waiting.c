/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of items with a stretch of seqs, the stock, that takes no memory.
 * The place of an item in the ring is its seq, less what is acknowledged, less
 * as much of the stock as lies between.
 *
 * Owner: the controller.  It never gives up a record that isn't acknowledged:
 * the ring grows as long as the server doesn't acknowledge, as a controller's
 * buffer would.
 */
#include "sim/waiting.h"

#include <stdlib.h>

void
waiting_init(struct waiting *w, uint64_t acked)
{
	*w = (struct waiting){.acked = acked, .last = acked, .stock_first = 1};
}

void
waiting_fini(struct waiting *w)
{
	free(w->items);
	*w = (struct waiting){0};
}

static void
waiting_grow(struct waiting *w)
{
	size_t capacity = w->capacity > 0 ? w->capacity * 2 : 16;
	struct item *items = xcalloc(capacity, sizeof(*items));

	for (size_t i = 0; i < w->n; i++)
		items[i] = w->items[(w->head + i) & (w->capacity - 1)];
	free(w->items);
	w->items = items;
	w->capacity = capacity;
	w->head = 0;
}

uint64_t
waiting_push(struct waiting *w, const struct item *item)
{
	if (w->n == w->capacity)
		waiting_grow(w);
	w->items[(w->head + w->n++) & (w->capacity - 1)] = *item;
	return ++w->last;
}

void
waiting_push_stock(struct waiting *w, uint64_t n)
{
	must(w->stock_first > w->stock_last);
	if (n == 0)
		return;
	w->stock_first = w->last + 1;
	w->stock_last = w->last + n;
	w->last += n;
}

/* How many seqs in acked + 1 .. seq are of the stock. */
static uint64_t
waiting_stock_up_to(const struct waiting *w, uint64_t seq)
{
	uint64_t from = w->stock_first > w->acked ? w->stock_first : w->acked + 1;
	uint64_t to = w->stock_last < seq ? w->stock_last : seq;

	return from <= to ? to - from + 1 : 0;
}

enum waiting_kind
waiting_get(const struct waiting *w, uint64_t seq, struct item *item, uint64_t *stock)
{
	size_t place;

	if (seq <= w->acked || seq > w->last)
		return WAITING_NONE;
	if (seq >= w->stock_first && seq <= w->stock_last) {
		*stock = w->stock_taken + (seq - w->stock_first);
		return WAITING_STOCK;
	}
	place = (size_t)(seq - w->acked - 1 - waiting_stock_up_to(w, seq));
	must(place < w->n);
	*item = w->items[(w->head + place) & (w->capacity - 1)];
	return WAITING_ITEM;
}

void
waiting_ack(struct waiting *w, uint64_t seq)
{
	size_t items;

	must(seq <= w->last);
	if (seq <= w->acked)
		return;
	items = (size_t)(seq - w->acked - waiting_stock_up_to(w, seq));
	must(items <= w->n);
	w->head = w->capacity > 0 ? (w->head + items) & (w->capacity - 1) : 0;
	w->n -= items;
	w->acked = seq;
}

void
waiting_renumber(struct waiting *w, uint64_t acked)
{
	uint64_t before = w->acked;

	w->last = acked + (w->last - before);
	if (w->stock_last > before && w->stock_last >= w->stock_first) {
		if (w->stock_first <= before) { /* it was begun: what is left of it moves */
			w->stock_taken += before + 1 - w->stock_first;
			w->stock_first = before + 1;
		}
		w->stock_first = acked + (w->stock_first - before);
		w->stock_last = acked + (w->stock_last - before);
	}
	w->acked = acked;
}
