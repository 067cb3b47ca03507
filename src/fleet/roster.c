/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roster.  An entry is made when a controller is first heard of, and stays.
 *
 *	idle ----claim--> held ----release--> idle (lease runs) --> lost
 *	held ----claim--> yielding (the old session was asked) --release--> held
 *
 * What the roster itself reports goes through groups of its own; while none is
 * free, it waits for the next sweep: the facts don't run away.
 */
#include "fleet/roster.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "fleet/observer.h"
#include "wire/kind.h"

enum { ROSTER_SWEEP_MS = 500, ROSTER_GROUPS = 4, ROSTER_GROUP_BYTES = 2 * JOURNAL_BODY_MAX };

/* Who holds a controller, or waits for it. */
struct roster_holder {
	struct mailbox *box; /* NULL: nobody */
	uint64_t session;
};

struct roster_row {
	uint32_t controller_id;
	struct sequence sequence;
	struct roster_holder holder, waiting;
	uint64_t generation; /* of the holder */
	uint64_t waiting_epoch, waiting_acked;
	uint64_t lease_end_ms;  /* with lease_runs */
	bool lease_runs;        /* it had a session, and has none */
	bool lost;              /* reported as lost, and not as restored */
	bool restore_to_report; /* it is back, and no group was free to say so */
	UT_hash_handle hh;
};

/* Owner: the daemon's main thread. */
struct roster {
	struct loop *loop;
	struct roster_conf conf;
	struct journal *journal;
	struct reg *reg; /* NULL until the first is loaded */
	struct roster_row *rows;
	struct observer observer;
	struct group *free_groups[ROSTER_GROUPS], *group;
	unsigned n_free;
	struct roster_counters counters;
};

/* ---- Its own records ----------------------------------------------------- */

static void
roster_post(struct roster *roster)
{
	if (roster->group == NULL || roster->group->entries == 0)
		return;
	journal_post(roster->journal, roster->group);
	roster->group = NULL;
}

/* False when no group is free now. */
static bool
roster_report(struct roster *roster, const struct controller *controller, uint16_t kind)
{
	const struct observed about = {controller->id, controller->site_id};
	struct record record;
	uint8_t *body;

	if (roster->group == NULL) {
		if (roster->n_free == 0)
			return false;
		roster->group = roster->free_groups[--roster->n_free];
		group_clear(roster->group);
	}
	observer_record(&roster->observer, &about, kind, clock_wall_us(), NULL, &record);
	body = group_add(roster->group, ENTRY_RECORD, ENTRY_FLAG_DESK, record_encoded_len(&record));
	if (body == NULL) {
		roster_post(roster);
		return false;
	}
	(void)record_encode(&record, body);
	return true;
}

static void
roster_group_back(struct roster *roster, struct mail *mail)
{
	must(roster->n_free < ROSTER_GROUPS);
	roster->free_groups[roster->n_free++] = CONTAINER_OF(mail, struct group, mail);
}

/* ---- Rows ---------------------------------------------------------------- */

static struct roster_row *
roster_xget(struct roster *roster, uint32_t controller_id)
{
	struct roster_row *row;

	HASH_FIND(hh, roster->rows, &controller_id, sizeof(controller_id), row);
	if (row == NULL) {
		row = xcalloc(1, sizeof(*row));
		row->controller_id = controller_id;
		HASH_ADD(hh, roster->rows, controller_id, sizeof(controller_id), row);
	}
	return row;
}

/* NULL: the register doesn't know it, or there is no register yet. */
static const struct controller *
roster_controller(const struct roster *roster, const struct roster_row *row)
{
	return roster->reg != NULL ? reg_controller(roster->reg, row->controller_id) : NULL;
}

static void
roster_tell(const struct roster_holder *to, unsigned kind, const struct roster_row *row,
	    enum goaway reason)
{
	struct roster_grant *grant = xcalloc(1, sizeof(*grant));

	grant->mail.kind = kind;
	grant->session = to->session;
	grant->controller_id = row->controller_id;
	grant->generation = row->generation;
	grant->sequence = row->sequence;
	grant->reason = reason;
	mailbox_post(to->box, &grant->mail);
}

/* ---- Claims -------------------------------------------------------------- */

/* Which sequence the session is to go on with. */
static void
roster_choose_sequence(struct roster *roster, struct roster_row *row)
{
	struct sequence *known = &row->sequence;
	int64_t epoch = (int64_t)row->waiting_epoch;

	if (epoch == 0) {
		/* Seconds of Unix time grow from grant to grant and over restarts, so
		 * that an epoch which was given away and not used need not be kept. */
		int64_t now_s = clock_wall_us() / 1000000;

		*known = (struct sequence){
			.epoch = now_s > known->epoch ? now_s : known->epoch + 1,
		};
	} else if (epoch > known->epoch) {
		*known = (struct sequence){.epoch = epoch, .last_seq = row->waiting_acked};
	} else if (row->waiting_acked > known->last_seq) {
		/* it holds our acks for records that we don't have */
		counter_add(&roster->counters.behind, 1);
		log_error(
			"fleet",
			"controller id=%u has acknowledgements up to seq=%lu, the journal ends at "
			"seq=%lu: acknowledged records were lost here",
			row->controller_id, (unsigned long)row->waiting_acked,
			(unsigned long)known->last_seq);
	}
}

static void
roster_restored(struct roster *roster, struct roster_row *row)
{
	const struct controller *controller = roster_controller(roster, row);

	row->restore_to_report = controller == NULL ||
				 !roster_report(roster, controller, KIND_CODE_CONTROLLER_RESTORED);
	if (row->restore_to_report)
		return;
	row->lost = false;
	counter_set(&roster->counters.lost, counter_get(&roster->counters.lost) - 1);
}

/* The holder is gone or never was: whoever waits gets it. */
static void
roster_grant_waiting(struct roster *roster, struct roster_row *row)
{
	struct roster_holder waiting = row->waiting;

	row->waiting = (struct roster_holder){0};
	roster_choose_sequence(roster, row);
	row->holder = waiting;
	row->generation++;
	row->lease_runs = false;
	counter_set(&roster->counters.online, counter_get(&roster->counters.online) + 1);
	roster_tell(&row->holder, ROSTER_MAIL_GRANT, row, GOAWAY_NONE);
	if (row->lost)
		roster_restored(roster, row);
}

static void
roster_take_claim(struct roster *roster, const struct roster_claim *claim)
{
	struct roster_row *row = roster_xget(roster, claim->controller_id);
	struct roster_holder claimant = {.box = claim->box, .session = claim->session};
	bool asked = row->waiting.box != NULL;

	/* The epoch never goes back, nor does it change while somebody waits: who can't
	 * have the controller doesn't drive anybody out. */
	if (claim->epoch != 0 && (int64_t)claim->epoch < row->sequence.epoch) {
		roster_tell(&claimant, ROSTER_MAIL_DENY, row, GOAWAY_STALE_EPOCH);
		return;
	}
	if (asked) /* the newest connection is the one that lives */
		roster_tell(&row->waiting, ROSTER_MAIL_DENY, row, GOAWAY_SUPERSEDED);
	row->waiting = claimant;
	row->waiting_epoch = claim->epoch;
	row->waiting_acked = claim->acked_seq;
	if (row->holder.box == NULL) {
		roster_grant_waiting(roster, row);
	} else if (!asked) {
		counter_add(&roster->counters.superseded, 1);
		roster_tell(&row->holder, ROSTER_MAIL_YIELD, row, GOAWAY_SUPERSEDED);
	}
}

static void
roster_take_release(struct roster *roster, const struct roster_release *release)
{
	struct roster_row *row = roster_xget(roster, release->controller_id);

	if (row->holder.box == NULL || release->generation != row->generation)
		return;
	row->holder = (struct roster_holder){0};
	row->sequence = release->sequence;
	row->restore_to_report = false;
	row->lease_runs = true;
	row->lease_end_ms = release->heard_ms + roster->conf.lease_ms;
	counter_set(&roster->counters.online, counter_get(&roster->counters.online) - 1);
	if (row->waiting.box != NULL)
		roster_grant_waiting(roster, row);
}

void
roster_mail(struct roster *roster, struct mail *mail)
{
	switch (mail->kind) {
	case ROSTER_MAIL_CLAIM:
		roster_take_claim(roster, CONTAINER_OF(mail, struct roster_claim, mail));
		break;
	case ROSTER_MAIL_RELEASE:
		roster_take_release(roster, CONTAINER_OF(mail, struct roster_release, mail));
		break;
	case ROSTER_MAIL_GROUP:
		roster_group_back(roster, mail);
		return; /* goes round, is not freed */
	default:
		must(!"a message that the roster knows");
	}
	free(mail);
	roster_post(roster);
}

/* ---- Leases -------------------------------------------------------------- */

static void
roster_check_lease(struct roster *roster, struct roster_row *row, uint64_t now_ms)
{
	const struct controller *controller = roster_controller(roster, row);

	/* who can't come is not missed; from when it can, it has one lease to do so */
	if (controller == NULL || !controller->enabled) {
		row->lease_end_ms = now_ms + roster->conf.lease_ms;
		return;
	}
	if (row->lease_end_ms > now_ms)
		return;
	if (!row->lost) {
		if (!roster_report(roster, controller, KIND_CODE_CONTROLLER_LOST))
			return; /* the next sweep tries again */
		row->lost = true;
		counter_set(&roster->counters.lost, counter_get(&roster->counters.lost) + 1);
		log_warning("fleet", "controller lost ctl=%s", controller->name);
	}
	row->lease_runs = false;
}

static void
roster_sweep(void *arg)
{
	struct roster *roster = arg;
	uint64_t now = clock_mono_ms();

	for (struct roster_row *row = roster->rows; row != NULL; row = row->hh.next) {
		if (row->restore_to_report)
			roster_restored(roster, row);
		else if (row->lease_runs)
			roster_check_lease(roster, row, now);
	}
	roster_post(roster);
}

/* ---- Beginning and end --------------------------------------------------- */

static void
roster_add_known(void *arg, const struct position *position)
{
	struct roster *roster = arg;
	struct roster_row *row = roster_xget(roster, position->controller_id);

	row->sequence = (struct sequence){
		.epoch = position->epoch,
		.last_seq = position->last_seq,
		.device_time_us = position->device_time_us,
		.gaps = position->gaps,
	};
	row->lost = position->lost;
	row->lease_runs = !position->lost;
	row->lease_end_ms = clock_mono_ms() + roster->conf.lease_ms;
	if (row->lost)
		counter_set(&roster->counters.lost, counter_get(&roster->counters.lost) + 1);
}

enum rc
roster_new(struct roster **out, struct loop *loop, const struct roster_conf *conf,
	   const struct positions *start, struct journal *journal, struct err *err)
{
	struct roster *roster = xcalloc(1, sizeof(*roster));

	roster->loop = loop;
	roster->conf = *conf;
	roster->journal = journal;
	observer_init(&roster->observer, conf->start_us, conf->node, conf->observer_index,
		      conf->observers);
	for (roster->n_free = 0; roster->n_free < ROSTER_GROUPS; roster->n_free++) {
		struct group *group = group_new(ROSTER_GROUP_BYTES, loop_mailbox(loop), roster);

		group->mail.kind = ROSTER_MAIL_GROUP;
		roster->free_groups[roster->n_free] = group;
	}
	positions_each(start, roster_add_known, roster);
	*out = roster;
	return loop_every(loop, ROSTER_SWEEP_MS, roster_sweep, roster, err);
}

void
roster_free(struct roster **out)
{
	struct roster *roster = *out;
	struct roster_row *row, *next;

	if (roster == NULL)
		return;
	*out = NULL;
	HASH_ITER (hh, roster->rows, row, next) {
		HASH_DEL(roster->rows, row);
		free(row);
	}
	while (roster->n_free > 0)
		group_free(&roster->free_groups[--roster->n_free]);
	group_free(&roster->group);
	reg_unref(&roster->reg);
	free(roster);
}

bool
roster_drained(const struct roster *roster)
{
	return roster->group == NULL && roster->n_free == ROSTER_GROUPS;
}

void
roster_set_register(struct roster *roster, struct reg *reg)
{
	reg_unref(&roster->reg);
	roster->reg = reg;
}

const struct roster_counters *
roster_counters(const struct roster *roster)
{
	return &roster->counters;
}
