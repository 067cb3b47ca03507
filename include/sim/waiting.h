/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one controller must be able to send: everything after the last
 * acknowledged seq.  A record is kept as the 24 bytes that can't be computed;
 * a long stock of records (a backlog, a log to replay) is kept as a number only.
 *
 * Invariant: the items are those of acked + 1 .. last, in order, without the
 * stock's seqs.  Owner: the controller.
 */
#ifndef GATEHOUSE_SIM_WAITING_H
#define GATEHOUSE_SIM_WAITING_H

#include "base/base.h"

/* One record, as far as it can't be computed from the controller and seq. */
struct item {
	int64_t time_us; /* by the controller's clock */
	uint32_t row;    /* of the badge log + 1; 0: made up */
	uint16_t kind;
	uint16_t door;
	uint64_t list_number; /* by which it was decided; 0: by none.  Not in the ledger */
};

struct waiting {
	uint64_t acked;                   /* all up to here is forgotten */
	uint64_t last;                    /* highest seq that there is */
	uint64_t stock_first, stock_last; /* seqs of the stock; first > last: none */
	uint64_t stock_taken;             /* place of stock_first in the stock */
	struct item *items;               /* ring; capacity is a power of two */
	size_t head, n, capacity;
};

void waiting_init(struct waiting *waiting, uint64_t acked);
void waiting_fini(struct waiting *waiting);

/* Adds one and returns its seq. */
uint64_t waiting_push(struct waiting *waiting, const struct item *item);
/* Adds n that are computed when they are needed.  Once in a life. */
void waiting_push_stock(struct waiting *waiting, uint64_t n);

enum waiting_kind {
	WAITING_NONE,  /* acknowledged already, or not there yet */
	WAITING_ITEM,  /* *item is set */
	WAITING_STOCK, /* *stock is its place in the stock, from 0 */
};
enum waiting_kind waiting_get(const struct waiting *waiting, uint64_t seq, struct item *item,
			      uint64_t *stock);

/* Forgets all up to seq, which is at most `last`. */
void waiting_ack(struct waiting *waiting, uint64_t seq);
/* The server knows of more than we do: what waits is numbered from `acked` + 1. */
void waiting_renumber(struct waiting *waiting, uint64_t acked);

#endif
