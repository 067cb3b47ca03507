/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated controller: its sequence, and its side of the conversation.
 * Owner: the simulator's thread.
 */
#ifndef GATEHOUSE_SIM_DEVICE_H
#define GATEHOUSE_SIM_DEVICE_H

#include "sim/sim.h"

struct device {
	struct peer peer;
	struct sim *sim;
	uint32_t number;
	uint32_t stream; /* in the ledger, of this epoch */
	uint64_t seed;   /* of its records' content */
	uint64_t epoch;
	struct waiting waiting;
	uint64_t sent;      /* highest seq sent on this connection */
	uint64_t sent_ever; /* ... in this epoch */
	uint64_t resumed;   /* the server has all up to here, durable or not */
	uint32_t window;    /* of this connection */
	uint32_t heartbeat_ms, lease_ms;
	uint64_t stock; /* records in its stock: a backlog, or rows to replay */
	bool dirty;     /* is on the sim's list */
	struct device *next_dirty;
};

void device_init(struct device *device, struct sim *sim, uint32_t number);
void device_fini(struct device *device);

/* Something happened at the device now. */
void device_add(struct device *device, const struct item *item);
/* A made-up record happened now. */
void device_add_made(struct device *device, int64_t now_us);
/* Gives it its stock: the rows that it replays, or the backlog. */
void device_stock(struct device *device, uint64_t n);

/* Puts it on the sim's list, when there is something that it may send. */
void device_mark_dirty(struct device *device);
/* Sends what the window allows.  True: more could go in the next turn. */
bool device_flush(struct device *device);
/* Heartbeats and time-outs; about once a second. */
void device_tick(struct device *device, uint64_t now_ms);
/* Records that are not acknowledged, sent or not. */
uint64_t device_waiting(const struct device *device);

#endif
