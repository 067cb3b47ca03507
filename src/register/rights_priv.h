/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside struct rights, for its files:
 *
 *	rights.c        cards and rights: finding, adding, taking away
 *	rights_change.c the two steps of a change
 *	rights_list.c   controllers: their doors, numbers, and what they lack
 *	rights_judge.c  former states, and what a door should have done
 *	rights_save.c   all of it as bytes
 *
 * A million rights are a million small rows: they lie in arrays and refer to one another
 * by index (0: none), which takes half of what pointers would, and lets a snapshot be
 * read back as fast as the disk gives it.
 */
#ifndef GATEHOUSE_REGISTER_RIGHTS_PRIV_H
#define GATEHOUSE_REGISTER_RIGHTS_PRIV_H

#include <uthash.h>

#include "register/rights.h"

/* In the place of a position, which it is above: none yet. */
#define POSITION_PENDING (UINT64_C(1) << 63)

/* Hours of the week, shared by the rights of one change and their former states. */
struct hours {
	uint32_t refs;
	uint32_t n;
	struct right_hours spans[];
};

/* One card.  Its index is card.id. */
struct card_row {
	struct card card;
	uint32_t next_of_site; /* older card of its site */
	uint32_t rights;       /* first of its rights */
	uint64_t oldest_former, newest_former;
};

/* One right; card 0: the row is free, and next_of_card leads to the next free one. */
struct right_row {
	uint32_t card;
	uint32_t next_of_card;
	uint32_t next_of_door, prev_of_door;
	struct door_row *door;
	struct hours *hours; /* NULL: always */
	int64_t valid_from_us, valid_until_us;
	int64_t since_us;  /* as it is now: time of receipt of the change */
	uint64_t position; /* of that change; or POSITION_PENDING and the number of its touch */
};

/* A door, once somebody had a right to it or a controller serves it. */
struct door_row {
	uint32_t id;
	uint32_t number;   /* on its controller */
	struct node *node; /* its controller; NULL: none */
	uint32_t rights;   /* first right */
	uint32_t n_rights;
	UT_hash_handle hh;
};

/* A controller. */
struct node {
	uint32_t controller_id;
	uint32_t site_id;
	char *timezone;
	struct door_row **doors; /* ascending by id */
	size_t n_doors;
	uint64_t number;     /* of its list; 0: none */
	uint64_t full_since; /* who has an older number gets the whole list */
	uint64_t confirmed;
	uint64_t last_change; /* in the log; 0: none */
	bool touched;         /* is in `touched` */
	UT_hash_handle hh;
};

struct site_row {
	uint32_t site_id;
	uint32_t cards; /* newest card */
	uint32_t n_cards;
	int64_t since_us; /* first card */
	UT_hash_handle hh;
};

/* What a change did to a controller's list: which right, not what it is now. */
struct log_entry {
	uint64_t position;
	uint64_t before; /* of the same node, in the log; 0: none */
	uint32_t card;
	uint32_t door_id;
	int64_t valid_from_us;
};

/* How a card or a right was, from since_us to until_us. */
struct former {
	uint32_t card;
	uint32_t door_id; /* 0: this is the card's own state */
	uint8_t status;
	uint64_t next_of_card; /* newer */
	int64_t valid_from_us, valid_until_us;
	int64_t since_us, until_us;
	uint64_t position;    /* of the change that made it so */
	uint64_t by_position; /* of the one that ended it; 0: not durable yet */
	struct hours *hours;
};

/* What is to be numbered when the change has its position. */
struct touch {
	uint64_t ticket; /* of the change */
	uint32_t card;
	uint32_t site_id;      /* not 0: the site's first card: all its controllers get a list */
	struct door_row *door; /* NULL: the card itself */
	int64_t valid_from_us;
	uint64_t former; /* not 0: this ended */
	bool made;       /* a state of the card or the right began with it .. */
	uint64_t became; /* .. and ended before it was numbered: this former state */
};

struct unit_text {
	UT_hash_handle hh;
	char text[];
};

/* Owner: one thread. */
struct rights {
	struct rights_conf conf;
	struct card_row *cards; /* [0] is not used */
	size_t n_cards, cards_room;
	uint32_t *by_key; /* open addressing over cards; a power of two, at most half full */
	size_t by_key_size;
	struct right_row *rows; /* [0] is not used */
	size_t n_rows, rows_room, n_rights;
	uint32_t free_row;
	struct door_row *doors;
	struct node *nodes;
	struct site_row *sites;
	struct unit_text *units;
	/* former states: numbers oldest_former .. next_former - 1 lie in a ring */
	struct former *formers;
	size_t formers_room;
	uint64_t oldest_former, next_former;
	int64_t known_from_us;
	/* the log: numbers up to next_change - 1, the last conf.changes of them */
	struct log_entry *log;
	uint64_t next_change;
	/* changes that are applied and not numbered */
	struct touch *touches;
	size_t first_touch, n_touches, touches_room;
	uint64_t touches_gone; /* touches[i] has number touches_gone + i */
	uint64_t applied, numbered;
	struct node **touched;
	size_t n_touched, touched_room;
};

static inline uint64_t
position_known(uint64_t position)
{
	return position >= POSITION_PENDING ? 0 : position;
}

/* ---- rights.c -------------------------------------------------------------- */

struct card_row *rights_xcard(struct rights *r, uint32_t site_id,
			      const uint8_t key[CARD_KEY_BYTES]);
const char *rights_xunit(struct rights *r, const char *text, size_t len);
struct door_row *rights_xdoor(struct rights *r, uint32_t id);
struct site_row *rights_site(const struct rights *r, uint32_t site_id);
/* 0: there is none. */
uint32_t rights_find(const struct rights *r, uint32_t card, uint32_t door_id,
		     int64_t valid_from_us);
/* A new row at the end of the card's and at the front of the door's; takes a reference to
 * `hours`. */
struct right_row *rights_add(struct rights *r, uint32_t card, struct door_row *door,
			     struct hours *hours);
void rights_remove(struct rights *r, uint32_t at);
struct hours *hours_new(const struct right_hours *spans, size_t n);
void hours_unref(struct hours *hours);

/* ---- rights_list.c --------------------------------------------------------- */

struct node *rights_xnode(struct rights *r, uint32_t controller_id);
void node_touch(struct rights *r, struct node *node, uint64_t position);
void node_log(struct rights *r, struct node *node, uint64_t position, const struct touch *touch);
void node_set_doors(struct rights *r, struct node *node, const struct list_doors *doors);
void nodes_free(struct rights *r);

/* ---- rights_judge.c -------------------------------------------------------- */

/* Keeps how it was until `until_us`; returns its number.  Takes a reference to hours. */
uint64_t former_add(struct rights *r, const struct former *former);
struct former *former_get(const struct rights *r, uint64_t number);
void formers_expire(struct rights *r, int64_t before_us);

#endif
