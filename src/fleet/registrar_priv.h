/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the registrar:
 *
 *	registrar.c        the turn: reads the journal, posts groups, begins and ends
 *	registrar_desks.c  desks: who speaks for one, and what becomes of its records
 *	registrar_lists.c  controllers: what they are sent, and for which doors
 *	registrar_judge.c  accesses held against the rights
 *	registrar_save.c   the snapshot
 *	token_index.c      from a token to its card
 *
 * A TURN decides what has come in, posts it, and waits until it is durable and read
 * back.  Between a decision and its position nothing is sent, saved or decided: so what
 * a controller holds was always durable, and a snapshot never runs ahead of the journal.
 */
#ifndef GATEHOUSE_FLEET_REGISTRAR_PRIV_H
#define GATEHOUSE_FLEET_REGISTRAR_PRIV_H

#include <uthash.h>

#include "fleet/registrar.h"
#include "journal/saver.h"
#include "wire/card.h"

enum {
	REGISTRAR_GROUPS = 4,
	REGISTRAR_GROUP_BYTES = 256 * 1024,
	REGISTRAR_ENTRIES_PER_TURN = 4096,
	REGISTRAR_LISTS_PER_TURN = 256,
	REGISTRAR_TICK_MS = 500,
	REGISTRAR_FINDINGS_MAX = 4096, /* then reading waits for groups */
};

/* ---- From tokens to cards -------------------------------------------------- */

struct token_index;

struct token_index *token_index_new(struct card_keys *keys);
void token_index_free(struct token_index **index);
/* 0: none of the site's cards had this token in that month. */
enum rc token_index_find(struct token_index *index, const struct rights *rights,
			 const struct record *record, uint32_t *card_id,
			 struct err *err) MUST_CHECK;

/* ---- The registrar's own --------------------------------------------------- */

struct desk_row {
	uint32_t desk_id;
	struct mailbox *box; /* NULL: no session */
	uint64_t session;
	uint64_t generation;
	struct sequence sequence; /* last_seq: decided; what is durable was told */
	bool told_resend;
	/* of the groups under way */
	bool dirty;
	struct registrar_refusal *refusals;
	size_t n_refusals, refusals_room;
	struct desk_row *next_dirty;
	UT_hash_handle hh;
};

/* A controller's session. */
struct subscriber {
	uint32_t controller_id;
	struct mailbox *box;
	uint64_t session;
	uint64_t have;      /* number of the list that it has, or will have with `out` */
	size_t credit_used; /* bytes that are not with the kernel yet */
	struct buf out;     /* frames of a list, not sent yet */
	bool dirty;         /* is in the row of those to be looked at */
	struct subscriber *next_dirty;
	UT_hash_handle hh;
};

/* An alarm that is to go into the journal. */
struct finding {
	uint32_t controller_id, site_id, door_id;
	uint16_t kind;
	uint64_t seq; /* under the registrar's epoch: from the judged record's position */
	int64_t device_time_us, received_us;
	bool has_token;
	uint8_t token[TOKEN_BYTES];
	char detail[240];
};

/* Owner: the thread of its loop. */
struct registrar {
	struct loop *loop;
	struct registrar_conf conf;
	struct journal *journal;
	struct journal_reader *reader;
	struct reg *reg; /* NULL until the first is loaded */
	struct rights *rights;
	struct card_keys *keys;
	struct token_index *tokens;
	int64_t epoch; /* of its own records */
	bool replaying, ready, stopping;
	/* groups */
	struct group *free_groups[REGISTRAR_GROUPS], *group;
	unsigned n_free;
	uint64_t groups_end; /* behind the last of those that came back */
	/* desks */
	struct desk_row *desks, *dirty_desks;
	struct mail *first_record, *last_record; /* struct registrar_record, undecided */
	/* controllers */
	struct subscriber *subscribers, *first_dirty, *last_dirty;
	bool doors_to_check;
	/* findings that are not in a group yet */
	struct finding *findings;
	size_t n_findings, findings_room;
	/* snapshot */
	struct saver saver;
	unsigned hold; /* on the journal */
	uint64_t next_save_ms, saved_position;
	uint64_t next_expire_ms;
	struct registrar_counters counters;
};

/* ---- registrar.c ------------------------------------------------------------ */

/* Room for an entry's body, or NULL when no group is free. */
uint8_t *registrar_room(struct registrar *r, uint8_t type, uint8_t flags, size_t len);
/* Everything that was posted is durable and read back. */
bool registrar_is_settled(const struct registrar *r);

/* ---- registrar_desks.c ------------------------------------------------------ */

void desks_claim(struct registrar *r, const struct registrar_claim *claim);
void desks_release(struct registrar *r, const struct registrar_note *note);
/* Takes the record. */
void desks_take(struct registrar *r, struct registrar_record *record);
/* Decides what waits, as far as groups go. */
void desks_decide(struct registrar *r);
/* All groups are durable: tells the desks. */
void desks_tell(struct registrar *r);
void desks_start(struct registrar *r, const struct positions *start);
void desks_free(struct registrar *r);

/* ---- registrar_lists.c ------------------------------------------------------ */

void lists_subscribe(struct registrar *r, const struct registrar_note *note);
void lists_unsubscribe(struct registrar *r, const struct registrar_note *note);
void lists_sent(struct registrar *r, const struct registrar_note *note);
void lists_confirm(struct registrar *r, const struct registrar_note *note);
/* Sends what there is to send; true when some is left for the next turn. */
bool lists_pump(struct registrar *r);
/* Journals the doors of controllers that are not as the register has them. */
void lists_check_doors(struct registrar *r);
void lists_free(struct registrar *r);

/* ---- registrar_judge.c ------------------------------------------------------ */

/* An entry with ENTRY_FLAG_RIGHTS; or, in replay, one of the registrar's own. */
void judge_record(struct registrar *r, const struct journal_entry *entry,
		  const struct record *record);
/* Journals findings; false: no group is free. */
bool judge_emit(struct registrar *r);

/* ---- registrar_save.c ------------------------------------------------------- */

/* Fills r->rights and *position.  RC_EOF: there is none; RC_INVALID: damaged or foreign,
 * and then the rights are to be made anew. */
enum rc rights_file_read(struct registrar *r, uint64_t *position, struct err *err) MUST_CHECK;
/* False: something is under way; try again. */
bool rights_file_save(struct registrar *r);

#endif
