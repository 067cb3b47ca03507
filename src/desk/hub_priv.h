/* SPDX-License-Identifier: Apache-2.0 */
/* What the hub's files share: the subscribers, their filters, and the bytes for them. */
#ifndef GATEHOUSE_HUB_PRIV_H
#define GATEHOUSE_HUB_PRIV_H

#include <sys/queue.h>

#include "desk/hub.h"

/* A table that can't grow is memory that we chose and that is not there. */
#define uthash_fatal(text) fatal("out of memory: %s", text)
#include <uthash.h>

enum {
	HUB_FORMATS = HUB_FORMAT_JSON + 1,

	/* One line of JSON: 8 texts of REGISTER_TEXT_MAX bytes, ALARM_CALLED_MAX codes
	 * and the texts of an action, of which each byte may become "\u0000", with names
	 * and numbers around. */
	HUB_FRAME_MAX = 32768,

	/* Of one delivery. */
	HUB_DELIVERY_MAX = 64 * 1024,
	/* Changes in one delivery; a bit more than HUB_LOOKS_AT_ONCE pays for. */
	HUB_PICKED_MAX = 512,

	/* Work is counted in looks at a change, some 30 to 60 ns; encoding a frame takes
	 * as long as so many. */
	HUB_LOOKS_PER_FRAME = 16,
	/* For one subscriber, before the next has its turn. */
	HUB_LOOKS_AT_ONCE = 8192,
	/* For all who catch up together, before new changes have their turn: 3 to 5 ms. */
	HUB_LOOKS_PER_PUMP = 65536,

	/* Frames that are kept, a power of two: several deliveries' worth. */
	HUB_FRAMES = 1024,
};

/* ---- Who may see what: hub_filter.c -------------------------------------------- */

/* A subscription's filter, as it reads with one register. */
struct hub_filter {
	uint32_t station_id; /* 0: everything */
	enum severity severity_min;
	char (*areas)[REGISTER_CODE_MAX + 1];
	size_t n_areas; /* 0: all */
	uint16_t *kinds;
	size_t n_kinds; /* 0: all */
	bool called_only;
	const struct reg *reg;     /* borrowed from the hub; NULL: none yet */
	const struct area **found; /* the areas in reg; NULL where it has none of that code */
};

/* Takes the lists of the message.  To be resolved before use. */
void hub_filter_init(struct hub_filter *filter, struct hub_subscribe *from);
void hub_filter_fini(struct hub_filter *filter);
void hub_filter_resolve(struct hub_filter *filter, const struct reg *reg);
/* `site`: that of the change in the filter's register, NULL when it has none. */
bool hub_filter_passes(const struct hub_filter *filter, const struct alarm_change *change,
		       const struct site *site);
/* Whether a station sees this alarm at all. */
bool hub_station_sees(const struct reg *reg, uint32_t station_id,
		      const struct alarm_change *change);
/* The stations that are called to answer for it; returns how many. */
size_t hub_called(const struct reg *reg, const struct alarm_change *change,
		  const struct station *called[ALARM_CALLED_MAX]);
/* How often it can go on to a station further up. */
unsigned hub_escalations_max(const struct reg *reg, const struct alarm_change *change);
/* NULL when there is no register, or no such site in it. */
const struct site *hub_site(const struct reg *reg, const struct alarm_change *change);

/* ---- Bytes: hub_format.c --------------------------------------------------------- */

/* Each returns how many bytes it wrote. */
size_t hub_put_change(enum hub_format format, const struct alarm_change *change,
		      const struct reg *reg, uint8_t out[HUB_FRAME_MAX]);
size_t hub_put_resync(enum hub_format format, uint64_t from_position, const char *reason,
		      uint8_t out[HUB_FRAME_MAX]);
size_t hub_put_snapshot_end(enum hub_format format, uint64_t position, uint8_t out[HUB_FRAME_MAX]);

/* ---- Deliveries: hub_send.c ------------------------------------------------------ */

/* One change in the desk's ring, looked up and encoded once for all. */
struct hub_frame {
	bool valid;
	uint64_t number;
	const struct site *site; /* in the hub's register */
	struct {
		uint8_t *bytes; /* NULL: nobody needed it in this format yet */
		size_t n;
	} as[HUB_FORMATS];
};

/* The changes that are picked for one delivery. */
struct hub_picked {
	uint64_t numbers[HUB_PICKED_MAX]; /* in the ring, ascending */
	size_t n, bytes;
};

/* Changes that one or more subscribers get next: a delivery, not yet posted. */
struct hub_batch {
	struct mailbox *box;
	enum hub_format format;
	uint64_t *numbers; /* in the ring, ascending */
	size_t n_numbers;
	size_t n_bytes;
	uint64_t *ids;
	size_t n_ids, ids_capacity;
};

/* Owner: the hub.  Batches live within one round of serving. */
struct hub_sender {
	const struct desk *desk;
	const struct reg *reg;
	struct hub_frame *frames; /* HUB_FRAMES: change `number` is in the slot of its lower bits */
	struct hub_batch *batches;
	size_t n_batches, batches_capacity;
	uint8_t *scratch;    /* HUB_FRAME_MAX */
	hub_offer_cb *offer; /* NULL: nobody wants to know */
	void *offer_arg;
};

/* `change` is about to be written in this format. */
void hub_sender_offer(const struct hub_sender *sender, enum hub_format format,
		      const struct alarm_change *change);
void hub_sender_init(struct hub_sender *sender, const struct desk *desk);
void hub_sender_fini(struct hub_sender *sender);
/* Borrowed; what was encoded with the old one is forgotten. */
void hub_sender_set_register(struct hub_sender *sender, const struct reg *reg);
const struct hub_frame *hub_frame_get(struct hub_sender *sender, uint64_t number);
/* Of the change in this format. */
size_t hub_frame_len(struct hub_sender *sender, uint64_t number, enum hub_format format);
/* The subscriber shares the batch of those that get the same. */
void hub_sender_add(struct hub_sender *sender, struct mailbox *box, uint64_t id,
		    enum hub_format format, const struct hub_picked *picked);
/* Posts and empties the batches. */
void hub_sender_flush(struct hub_sender *sender);
/* Posts to one subscriber; the bytes are copied. */
void hub_send_one(struct mailbox *box, uint64_t id, const uint8_t *bytes, size_t n,
		  uint64_t position);

/* ---- Subscribers: hub.c, hub_serve.c --------------------------------------------- */

/* The alarms that stand, at one place of the stream; shared by all who begin there. */
struct hub_snapshot {
	unsigned refs;
	uint64_t next;     /* number of the first change behind it */
	uint64_t position; /* of the last change before that */
	uint64_t *ids;
	size_t n;
};

enum hub_stage {
	HUB_STAGE_RESYNC,   /* is to be told that it begins anew */
	HUB_STAGE_SNAPSHOT, /* gets what stands */
	HUB_STAGE_STREAM,   /* gets what changes */
};

/* What a subscriber waits for; it is on the list of that name. */
enum hub_wait {
	HUB_WAIT_CHANGE, /* has everything */
	HUB_WAIT_TURN,   /* there is something for it */
	HUB_WAIT_CREDIT, /* ... and it doesn't read */
	HUB_WAITS,
};

/* Hashed as bytes. */
struct hub_key {
	struct mailbox *box;
	uint64_t id;
};
_Static_assert(sizeof(struct hub_key) == sizeof(struct mailbox *) + sizeof(uint64_t), "no padding");

/* Owner: the hub. */
struct hub_subscriber {
	struct hub_key key;
	enum hub_format format;
	struct hub_filter filter;
	enum hub_stage stage;
	enum hub_wait wait;
	uint64_t asked;                /* from_position of its subscription */
	char reason[96];               /* STAGE_RESYNC: why */
	struct hub_snapshot *snapshot; /* STAGE_SNAPSHOT */
	size_t at;                     /* STAGE_SNAPSHOT: next of its ids */
	uint64_t next;                 /* STAGE_STREAM: number of the next change */
	size_t unsent;                 /* bytes posted, and not with the kernel yet */
	UT_hash_handle hh;
	TAILQ_ENTRY(hub_subscriber) in_wait;
};
TAILQ_HEAD(hub_list, hub_subscriber);

/* Owner: the thread of the desk. */
struct hub {
	const struct desk *desk;
	struct reg *reg; /* NULL: none yet */
	size_t credit_bytes;
	struct hub_subscriber *by_key;
	struct hub_list waiting[HUB_WAITS];
	uint64_t served_to;            /* the ring's end when HUB_WAIT_CHANGE was served last */
	struct hub_snapshot *snapshot; /* the newest; NULL: none, or nobody uses it */
	struct hub_sender sender;
	struct buf out; /* frames of the snapshot that is being sent */
	struct hub_counters counters;
};

/* From here on with a resync and a snapshot. */
void hub_restart(struct hub *hub, struct hub_subscriber *subscriber, const char *reason);
/* Begins behind `position`, or anew where the ring doesn't reach back so far. */
void hub_begin(struct hub *hub, struct hub_subscriber *subscriber, uint64_t position);
/* Lets go of a snapshot that may be under way. */
void hub_drop_snapshot(struct hub *hub, struct hub_subscriber *subscriber);
/* Gives it one delivery at most, takes what was looked at off `looks`; returns
 * what it waits for now. */
enum hub_wait hub_serve(struct hub *hub, struct hub_subscriber *subscriber, size_t *looks);

#endif
