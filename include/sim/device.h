/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated controller: its sequence, and its side of the conversation.
 * Owner: the simulator's thread.
 */
#ifndef GATEHOUSE_SIM_DEVICE_H
#define GATEHOUSE_SIM_DEVICE_H

#include "sim/held.h"
#include "sim/registering.h"
#include "sim/sim.h"

enum device_obeys { DEVICE_OBEDIENT, DEVICE_LATE, DEVICE_DISOBEDIENT };

/* Also a registration desk: that speaks the same conversation. */
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
	bool is_desk;
	struct registering_desk registering; /* of a desk */
	struct held *held;                   /* of a controller with a list of rights; NULL: none */
	enum device_obeys obeys;             /* how it takes its list */
	uint64_t confirm_at_ms; /* a late one: when what came is in force; 0: nothing came */
	bool dirty;             /* is on the sim's list */
	struct device *next_dirty;
};

/* `number`: of a controller of the fleet; behind those, of a desk. */
void device_init(struct device *device, struct sim *sim, uint32_t number);
void device_fini(struct device *device);

/* Something happened at the device now. */
void device_add(struct device *device, const struct item *item);
/* A made-up record happened now. */
void device_add_made(struct device *device, int64_t now_us);
/* A desk asks for its next change. */
void device_add_registration(struct device *device, int64_t now_us);
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

/* ---- device_list.c -------------------------------------------------------- */

/* Takes a message of a list, and its memory. */
void device_take_list(struct device *device, Gatehouse__V1__ToController *message);
void device_list_tick(struct device *device, uint64_t now_ms);
/* Nothing that came waits to be confirmed. */
bool device_list_settled(const struct device *device);
/* Whether the door opens for the card of the made-up record `seq`, where --by-list asks
 * for that: changes the item's kind. */
void device_decide(const struct device *device, uint64_t seq, struct item *item);
/* What it holds at the end, into the ledger. */
void device_write_down_list(const struct device *device);

#endif
