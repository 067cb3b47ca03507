/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's turn, and its beginning and end.
 *
 * It reads the journal as it becomes durable: its own changes come back by that way with
 * their positions, and accesses come by to be judged.  When all of its own is back, it
 * sends lists, saves, and decides what waits, in this order.
 */
#include "fleet/registrar.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "registrar_priv.h"

enum { EXPIRE_MS = 60 * 1000 };

/* ---- Groups ---------------------------------------------------------------------- */

static void
registrar_post(struct registrar *r)
{
	if (r->group == NULL || r->group->entries == 0)
		return;
	journal_post(r->journal, r->group);
	r->group = NULL;
}

uint8_t *
registrar_room(struct registrar *r, uint8_t type, uint8_t flags, size_t len)
{
	for (;;) {
		uint8_t *body;

		if (r->group == NULL) {
			if (r->n_free == 0)
				return NULL;
			r->group = r->free_groups[--r->n_free];
			group_clear(r->group);
		}
		body = group_add(r->group, type, flags, len);
		if (body != NULL)
			return body;
		registrar_post(r);
	}
}

static void
registrar_group_back(struct registrar *r, struct mail *mail)
{
	struct group *group = CONTAINER_OF(mail, struct group, mail);

	must(r->n_free < REGISTRAR_GROUPS);
	r->free_groups[r->n_free++] = group;
	r->groups_end = group->end;
	/* of one producer they come back in order: all that was decided is durable */
	if (r->n_free == REGISTRAR_GROUPS)
		desks_tell(r);
}

bool
registrar_is_settled(const struct registrar *r)
{
	return r->n_free == REGISTRAR_GROUPS && rights_pending(r->rights) == 0 &&
	       journal_reader_position(r->reader) >= r->groups_end;
}

/* ---- Reading ---------------------------------------------------------------------- */

static void
registrar_take_right(struct registrar *r, const struct journal_entry *entry)
{
	struct right_change change;
	struct err err;

	if (!r->replaying) {
		/* nobody else appends any, so it is the oldest that has no position */
		rights_number(r->rights, entry->next);
		return;
	}
	if (right_change_decode(entry->body, entry->len, &change, &err) != RC_OK) {
		log_error("rights", "entry at %lu is not a change of rights: %s",
			  (unsigned long)entry->position, err.msg);
		return;
	}
	rights_apply(r->rights, &change);
	rights_number(r->rights, entry->next);
}

static void
registrar_take_doors(struct registrar *r, const struct journal_entry *entry)
{
	struct list_doors doors;
	struct err err;

	if (list_doors_decode(entry->body, entry->len, &doors, &err) == RC_OK)
		rights_set_doors(r->rights, &doors, entry->next);
	else
		log_error("rights", "entry at %lu is not the doors of a list: %s",
			  (unsigned long)entry->position, err.msg);
}

/* Most records are none of its business, and are not looked into. */
static void
registrar_take_record(struct registrar *r, const struct journal_entry *entry)
{
	struct record record;
	struct err err;

	if ((entry->flags & ENTRY_FLAG_RIGHTS) == 0 && !r->replaying)
		return;
	if (record_decode(entry->body, entry->len, &record, &err) == RC_OK)
		judge_record(r, entry, &record);
}

static void
registrar_take(struct registrar *r, const struct journal_entry *entry)
{
	switch (entry->type) {
	case ENTRY_RIGHT:
		registrar_take_right(r, entry);
		break;
	case ENTRY_DOORS:
		registrar_take_doors(r, entry);
		break;
	case ENTRY_RECORD:
		registrar_take_record(r, entry);
		break;
	default:
		break;
	}
}

/* RC_OK: the budget ended; RC_AGAIN: all that is durable was read. */
static enum rc
registrar_read(struct registrar *r, uint64_t budget, struct err *err)
{
	struct journal_entry entry;
	enum rc rc = RC_OK;

	while (budget-- > 0 && r->n_findings < REGISTRAR_FINDINGS_MAX &&
	       (rc = journal_read(r->reader, &entry, err)) == RC_OK)
		registrar_take(r, &entry);
	counter_set(&r->counters.position, journal_reader_position(r->reader));
	return rc;
}

/* ---- The turn ---------------------------------------------------------------------- */

static void
registrar_housekeeping(struct registrar *r)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= r->next_expire_ms) {
		rights_expire(r->rights, clock_wall_us());
		r->next_expire_ms = now_ms + EXPIRE_MS;
	}
	if (now_ms >= r->next_save_ms && rights_file_save(r))
		r->next_save_ms = now_ms + r->conf.snapshot_ms;
}

void
registrar_turn(struct registrar *r)
{
	enum rc rc = RC_AGAIN;
	struct err err;
	bool more = false;

	if (!r->ready)
		return;
	rc = registrar_read(r, REGISTRAR_ENTRIES_PER_TURN, &err);
	if (rc != RC_OK && rc != RC_AGAIN)
		fatal("the journal can't be read back: %s", err.msg);
	if (registrar_is_settled(r)) {
		more = lists_pump(r);
		registrar_housekeeping(r);
		(void)judge_emit(r);
		if (!r->stopping) {
			lists_check_doors(r);
			desks_decide(r);
		}
		registrar_post(r);
	}
	if (rc == RC_OK || more)
		loop_again(r->loop);
}

static void
registrar_tick(void *arg)
{
	struct registrar *r = arg;
	struct rights_stats stats;

	rights_get_stats(r->rights, &stats);
	counter_set(&r->counters.cards, stats.cards);
	counter_set(&r->counters.rights, stats.rights);
	counter_set(&r->counters.controllers, stats.controllers);
	counter_set(&r->counters.behind, stats.behind);
	counter_set(&r->counters.bytes, stats.bytes);
	counter_set(&r->counters.ready, r->ready);
	counter_add(&r->counters.ticks, 1);
}

static enum rc
registrar_replay(struct registrar *r, uint64_t from, struct err *err)
{
	enum rc rc;

	journal_reader_free(&r->reader);
	rc = journal_reader_new(&r->reader, r->journal, from, err);
	if (rc != RC_OK || !r->ready)
		return rc;
	r->replaying = true;
	do {
		/* what is found here is held back, however much it is */
		struct journal_entry entry;

		rc = journal_read(r->reader, &entry, err);
		if (rc == RC_OK)
			registrar_take(r, &entry);
	} while (rc == RC_OK);
	r->replaying = false;
	counter_set(&r->counters.position, journal_reader_position(r->reader));
	return rc == RC_AGAIN ? RC_OK : rc;
}

/* Those that the store found, and what the journal has behind them. */
static void
registrar_take_rights(struct registrar *r, struct registrar_rights *from)
{
	struct err err;

	if (r->ready) {
		rights_free(&from->rights);
		return;
	}
	rights_free(&r->rights);
	r->rights = from->rights;
	/* how they were before is not in the database */
	rights_known_from(r->rights, clock_wall_us());
	r->ready = true;
	if (registrar_replay(r, from->position, &err) != RC_OK)
		fatal("the journal can't be read back: %s", err.msg);
	r->groups_end = journal_reader_position(r->reader);
	r->next_save_ms = 0;
	registrar_tick(r);
	log_info("rights", "loaded from PostgreSQL cards=%lu rights=%lu",
		 (unsigned long)counter_get(&r->counters.cards),
		 (unsigned long)counter_get(&r->counters.rights));
}

void
registrar_mail(struct registrar *r, struct mail *mail)
{
	struct registrar_note *note = CONTAINER_OF(mail, struct registrar_note, mail);

	switch (mail->kind) {
	case REGISTRAR_MAIL_CLAIM:
		desks_claim(r, CONTAINER_OF(mail, struct registrar_claim, mail));
		break;
	case REGISTRAR_MAIL_RELEASE:
		desks_release(r, note);
		break;
	case REGISTRAR_MAIL_RECORD:
		desks_take(r, CONTAINER_OF(mail, struct registrar_record, mail));
		return; /* is freed when it was decided */
	case REGISTRAR_MAIL_SUBSCRIBE:
		lists_subscribe(r, note);
		break;
	case REGISTRAR_MAIL_UNSUBSCRIBE:
		lists_unsubscribe(r, note);
		break;
	case REGISTRAR_MAIL_SENT:
		lists_sent(r, note);
		break;
	case REGISTRAR_MAIL_CONFIRM:
		lists_confirm(r, note);
		break;
	case REGISTRAR_MAIL_GROUP:
		registrar_group_back(r, mail);
		return; /* goes round, is not freed */
	case REGISTRAR_MAIL_RIGHTS:
		registrar_take_rights(r, CONTAINER_OF(mail, struct registrar_rights, mail));
		break;
	default:
		must(!"a message that the registrar knows");
	}
	free(mail);
}

void
registrar_set_register(struct registrar *r, struct reg *reg)
{
	reg_unref(&r->reg);
	r->reg = reg;
	r->doors_to_check = true;
	loop_again(r->loop);
}

bool
registrar_finish(struct registrar *r)
{
	r->stopping = true;
	if (!r->ready)
		return true;
	return rights_file_save(r) && !saver_is_busy(&r->saver);
}

const struct registrar_counters *
registrar_counters(const struct registrar *r)
{
	return &r->counters;
}

/* ---- Beginning and end --------------------------------------------------------------- */

/* Where to read from.  Leaves `ready` false when there is no snapshot to go by. */
static uint64_t
registrar_load(struct registrar *r)
{
	uint64_t position = journal_first(r->journal);
	struct err err;
	enum rc rc = rights_file_read(r, &position, &err);

	if (rc == RC_OK && position >= journal_first(r->journal) &&
	    position <= journal_durable(r->journal)) {
		r->ready = true;
		return position;
	}
	if (rc != RC_EOF)
		log_warning("rights", "snapshot of the rights is not used: %s",
			    rc == RC_OK ? "the journal doesn't reach it" : err.msg);
	log_info("rights", "no cards and rights until PostgreSQL answers");
	rights_free(&r->rights);
	r->rights = rights_new(&r->conf.rights);
	return journal_first(r->journal);
}

static void
registrar_make_groups(struct registrar *r)
{
	for (r->n_free = 0; r->n_free < REGISTRAR_GROUPS; r->n_free++) {
		struct group *group = group_new(REGISTRAR_GROUP_BYTES, loop_mailbox(r->loop), r);

		group->mail.kind = REGISTRAR_MAIL_GROUP;
		r->free_groups[r->n_free] = group;
	}
}

enum rc
registrar_new(struct registrar **out, struct loop *loop, const struct registrar_conf *conf,
	      const struct registrar_start *start, struct err *err)
{
	struct registrar *r = xcalloc(1, sizeof(*r));
	uint64_t from;
	enum rc rc;

	*out = r;
	r->loop = loop;
	r->conf = *conf;
	r->journal = start->journal;
	r->reg = start->reg;
	r->doors_to_check = true;
	r->epoch = -(int64_t)conf->node;
	r->rights = rights_new(&conf->rights);
	registrar_make_groups(r);
	desks_start(r, start->positions);
	r->next_save_ms = clock_mono_ms() + conf->snapshot_ms;
	rc = card_keys_open(&r->keys, conf->keys_dir, err);
	if (rc != RC_OK)
		return rc;
	r->tokens = token_index_new(r->keys);
	from = registrar_load(r);
	r->hold = journal_hold(r->journal, "rights", from);
	rc = registrar_replay(r, from, err);
	r->groups_end = journal_reader_position(r->reader);
	registrar_tick(r);
	return rc == RC_OK ? loop_every(loop, REGISTRAR_TICK_MS, registrar_tick, r, err) : rc;
}

void
registrar_free(struct registrar **out)
{
	struct registrar *r = *out;

	if (r == NULL)
		return;
	*out = NULL;
	saver_stop(&r->saver);
	while (r->n_free > 0)
		group_free(&r->free_groups[--r->n_free]);
	group_free(&r->group);
	desks_free(r);
	lists_free(r);
	free(r->findings);
	token_index_free(&r->tokens);
	card_keys_close(&r->keys);
	journal_reader_free(&r->reader);
	rights_free(&r->rights);
	reg_unref(&r->reg);
	free(r);
}
