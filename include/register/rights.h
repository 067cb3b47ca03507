/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards and rights in memory: who opens what, and what each controller is to know
 * of it.  Pure data: no thread, no clock, no disk.  It is a function of the
 * entries ENTRY_RIGHT and ENTRY_DOORS of the journal, in their order.
 *
 * A CARD is (site, key); its states before this one are kept for history_us, so that
 * what a door did can be held against the register as it stood then.  A RIGHT is
 * (card, door, valid_from); those of one card and door never overlap.
 *
 * A change comes in two steps.  rights_apply() when it is decided: the next decision
 * sees it.  rights_number() when it is durable, by its position in the journal: now
 * controllers may learn of it.  Replay calls one after the other.
 *
 * A LIST is what one controller is to know: the rights of its doors whose window has
 * not ended, of cards that are not revoked.  Its NUMBER is the position of the last
 * change that touched it.  A bounded log of changes tells what is lacking since a
 * number; further back than that, the whole list is sent.
 *
 * Owner: one thread.
 */
#ifndef GATEHOUSE_REGISTER_RIGHTS_H
#define GATEHOUSE_REGISTER_RIGHTS_H

#include "base/buf.h"
#include "register/register.h"
#include "register/zone.h"
#include "wire/entry.h"
#include "wire/list_msg.h"

struct rights_conf {
	size_t changes;     /* log of changes kept for controllers that lack some; >= 1 */
	int64_t history_us; /* states before the present ones are kept for so long */
	int64_t grace_us;   /* a door's clock may be off by so much at the edges of windows */
};

struct rights;

/* `conf` is copied. */
struct rights *rights_new(const struct rights_conf *conf);
void rights_free(struct rights **rights);

/* ---- Changes ------------------------------------------------------------- */

/* What rules_decide() or right_change_decode() made. */
void rights_apply(struct rights *rights, const struct right_change *change);
/* The first of the applied changes that has no position yet stands at this one, which is
 * above those before it.  */
void rights_number(struct rights *rights, uint64_t position);
/* Applied changes without a position. */
uint64_t rights_pending(const struct rights *rights);
/* From `position` on, this is for which doors the controller's list is. */
void rights_set_doors(struct rights *rights, const struct list_doors *doors, uint64_t position);
/* Does what `rights` holds differ from this? */
bool rights_doors_differ(const struct rights *rights, const struct list_doors *doors);
/* Every controller that has doors here. */
void rights_each_controller(const struct rights *rights,
			    void (*call)(void *arg, uint32_t controller_id), void *arg);
/* Forgets what is older than history_us: former states, and rights that ended. */
void rights_expire(struct rights *rights, int64_t now_us);
/* What was before is not known: accesses before then are not judged. */
void rights_known_from(struct rights *rights, int64_t time_us);

/* ---- Cards --------------------------------------------------------------- */

struct card {
	uint32_t id; /* of this struct rights, from 1; never given away twice */
	uint32_t site_id;
	uint8_t key[CARD_KEY_BYTES];
	uint8_t kind;   /* enum card_kind */
	uint8_t status; /* enum card_status */
	int64_t valid_from_us;
	int64_t valid_until_us; /* 0: open end */
	const char *unit;       /* "": none */
	int64_t since_us;       /* it has been in this state: time of receipt of the change */
	uint64_t position;      /* of that change; 2^63 and more: not durable yet */
};

/* NULL: the site has no such card.  Valid until the next change. */
const struct card *rights_card(const struct rights *rights, uint32_t site_id,
			       const uint8_t key[CARD_KEY_BYTES]);
const struct card *rights_card_by_id(const struct rights *rights, uint32_t id);
/* The site's cards one after the other, from NULL on, newest first.  NULL: no more. */
const struct card *rights_next_card(const struct rights *rights, uint32_t site_id,
				    const struct card *card);
/* Whether the site ever registered a card: then its doors are held against it. */
bool rights_has_site(const struct rights *rights, uint32_t site_id);
/* How many it registered. */
size_t rights_site_cards(const struct rights *rights, uint32_t site_id);

struct right {
	uint32_t door_id;
	int64_t valid_from_us;
	int64_t valid_until_us; /* 0: open end */
	const struct right_hours *hours;
	size_t n_hours; /* 0: always */
	uint64_t position;
};

/* The rights of a card one after the other, in no order, *at from 0 on.  False: no more. */
bool rights_next_of_card(const struct rights *rights, const struct card *card, uint32_t *at,
			 struct right *right);

/* ---- Lists --------------------------------------------------------------- */

/* 0: it has none (yet). */
uint64_t rights_list_number(const struct rights *rights, uint32_t controller_id);
/* The controller says that it has this one.  Beyond the list's own number: ignored. */
void rights_confirm(struct rights *rights, uint32_t controller_id, uint64_t number);
uint64_t rights_confirmed(const struct rights *rights, uint32_t controller_id);

/* What a controller that has `since` lacks.  Texts and arrays live in `rights`, until the
 * next change; the tables are the caller's, by rights_list_fini(). */
struct rights_list {
	uint64_t number;
	bool full;            /* put is the whole list */
	const char *timezone; /* IANA name */
	uint32_t site_id;
	struct list_right *put, *removed;
	size_t n_put, n_removed;
};
/* RC_EOF: it lacks nothing. */
enum rc rights_list_since(const struct rights *rights, uint32_t controller_id, uint64_t since,
			  int64_t now_us, struct rights_list *list) MUST_CHECK;
void rights_list_fini(struct rights_list *list);

/* Controllers whose number grew since this was asked last, each once.  Returns how many
 * of at most `max`; call again for more. */
size_t rights_take_touched(struct rights *rights, uint32_t *controller_ids, size_t max);

/* ---- Was it right to open? ------------------------------------------------ */

enum verdict {
	VERDICT_OK,
	VERDICT_NOT_JUDGED,   /* before what is known, or before the site's first card */
	VERDICT_UNKNOWN_CARD, /* was not registered */
	VERDICT_REVOKED,
	VERDICT_SUSPENDED,
	VERDICT_LOST,
	VERDICT_NOT_ACTIVE, /* the card's or the right's window had not begun */
	VERDICT_EXPIRED,    /* ... had ended */
	VERDICT_OUTSIDE_HOURS,
	VERDICT_NO_RIGHT,
	VERDICT_COUNT,
};
/* "unknown_card" and so on. */
const char *verdict_name(enum verdict verdict);

struct judgement {
	enum verdict verdict;
	uint64_t position; /* of the change that made it so; 0: there was none */
};

struct access {
	uint32_t site_id;
	uint32_t door_id;
	int64_t time_us;
	const struct card *card; /* NULL: no such card */
	const struct zone *zone; /* of the site */
};
/* Was the door to open for the card at that time? */
struct judgement rights_judge(const struct rights *rights, const struct access *access);

/* ---- The whole ----------------------------------------------------------- */

struct rights_stats {
	size_t cards, rights, controllers; /* controllers: with a list */
	size_t behind;                     /* of them, whose number isn't confirmed */
	size_t bytes;                      /* of memory, about */
};
void rights_get_stats(const struct rights *rights, struct rights_stats *stats);

/* For the snapshot.  RC_AGAIN: beyond the buffer's limit. */
enum rc rights_save(const struct rights *rights, struct buf *out) MUST_CHECK;
/* Into an empty one.  RC_INVALID when the bytes are not from rights_save(). */
enum rc rights_load(struct rights *rights, const uint8_t *bytes, size_t n,
		    struct err *err) MUST_CHECK;

#endif
