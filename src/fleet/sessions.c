/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's sessions: who there is, and what the roster and the register say.
 *
 * A session's id is its slot, with the worker and the slot's generation above it:
 * an answer for a session that is gone meets nobody, and no two have one name in
 * the log.
 *
 * Invariant: a controller is released to the roster only when everything that its
 * session appended was posted to the journal.  So whatever the next session posts,
 * on whichever worker, comes behind it.
 */
#include "fleet/sessions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sessions_priv.h"

enum { SESSIONS_SWEEP_MS = 500, SESSIONS_ARENA_BYTES = 256 * 1024 };

/* ---- Slots --------------------------------------------------------------- */

static uint32_t
session_slot(uint64_t id)
{
	return (uint32_t)id & (SESSION_SLOTS_MAX - 1);
}

struct session *
sessions_find(struct sessions *all, uint64_t id)
{
	uint32_t slot = session_slot(id);

	if (slot >= all->n_slots || all->slot_generations[slot] != id >> 32)
		return NULL;
	return all->slots[slot];
}

static void
sessions_grow(struct sessions *all)
{
	size_t more = all->n_slots > 0 ? all->n_slots * 2 : 64;

	all->slots = xrealloc(all->slots, more * sizeof(*all->slots));
	all->slot_generations =
		xrealloc(all->slot_generations, more * sizeof(*all->slot_generations));
	all->free_slots = xrealloc(all->free_slots, more * sizeof(*all->free_slots));
	for (size_t slot = more; slot > all->n_slots; slot--) {
		all->slots[slot - 1] = NULL;
		all->slot_generations[slot - 1] = 0;
		all->free_slots[all->n_free_slots++] = (uint32_t)slot - 1;
	}
	all->n_slots = more;
}

static void
sessions_add(struct sessions *all, struct session *session)
{
	uint32_t slot;

	if (all->n_free_slots == 0)
		sessions_grow(all);
	slot = all->free_slots[--all->n_free_slots];
	all->slots[slot] = session;
	must(slot < SESSION_SLOTS_MAX);
	session->id = (uint64_t)++all->slot_generations[slot] << 32 |
		      (uint64_t)all->conf.worker << SESSION_SLOT_BITS | slot;
	TAILQ_INSERT_TAIL(&all->all, session, in_all);
	counter_set(&all->counters.open, counter_get(&all->counters.open) + 1);
	if (session->role == TLS_ROLE_DESK)
		counter_set(&all->counters.desks, counter_get(&all->counters.desks) + 1);
}

void
sessions_remove(struct session *session)
{
	struct sessions *all = session->all;
	uint32_t slot = session_slot(session->id);

	if (session->waits_for_group) {
		TAILQ_REMOVE(&all->waiting, session, in_waiting);
		counter_set(&all->counters.paused, counter_get(&all->counters.paused) - 1);
	}
	all->slots[slot] = NULL;
	all->slot_generations[slot]++;
	all->free_slots[all->n_free_slots++] = slot;
	TAILQ_REMOVE(&all->all, session, in_all);
	TAILQ_INSERT_TAIL(&all->dead, session, in_all);
	/* desks first: who subtracts them from all never gets below nothing */
	if (session->role == TLS_ROLE_DESK)
		counter_set(&all->counters.desks, counter_get(&all->counters.desks) - 1);
	counter_set(&all->counters.open, counter_get(&all->counters.open) - 1);
	loop_again(all->loop);
}

static void
sessions_bury(struct sessions *all)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&all->dead)) != NULL) {
		TAILQ_REMOVE(&all->dead, session, in_all);
		session->magic = 0;
		free(session);
	}
}

/* ---- Beginning of a session ---------------------------------------------- */

/* Whom the register has under the session's name: fills what the session knows of it.
 * False: nobody. */
static bool
session_find_client(struct session *session, uint32_t *id, bool *enabled)
{
	const struct reg *reg = session->all->reg;
	const struct registration_desk *desk;

	if (session->role == TLS_ROLE_DESK) {
		desk = reg_desk_by_name(reg, session->name);
		*id = desk != NULL ? desk->id : 0;
		*enabled = desk != NULL && desk->enabled;
		return desk != NULL;
	}
	session->controller = reg_controller_by_name(reg, session->name);
	*id = session->controller != NULL ? session->controller->id : 0;
	*enabled = session->controller != NULL && session->controller->enabled;
	return session->controller != NULL;
}

static bool
sessions_may_enter(struct session *session)
{
	const char *what = tls_role_name(session->role);
	bool enabled;

	if (session->all->reg == NULL) {
		session_close(session, GOAWAY_UNKNOWN, "the register is not loaded yet");
		return false;
	}
	if (!session_find_client(session, &session->client_id, &enabled)) {
		session_close(session, GOAWAY_UNKNOWN, "no %s \"%s\" in the register", what,
			      session->name);
		return false;
	}
	if (!enabled) {
		session_close(session, GOAWAY_DISABLED, "%s \"%s\" is disabled", what,
			      session->name);
		return false;
	}
	return true;
}

void
sessions_adopt(struct sessions *all, struct stream *stream)
{
	struct session *session = xcalloc(1, sizeof(*session));

	session->magic = SESSION_MAGIC;
	session->state = SESSION_HELLO;
	session->all = all;
	session->stream = stream;
	session->role = stream_peer_role(stream);
	must(session->role != TLS_ROLE_DESK || all->conf.registrar != NULL);
	session->opened_ms = session->heard_ms = clock_mono_ms();
	memcpy(session->name, stream_peer_name(stream), sizeof(session->name));
	sessions_add(all, session);
	stream_hand_over(stream, &session_hooks, session);
	if (all->stopping)
		session_close(session, GOAWAY_RESTART, "the server is stopping");
	else
		(void)sessions_may_enter(session);
}

/* ---- Roster -------------------------------------------------------------- */

void
sessions_release(struct sessions *all, uint32_t controller_id, uint64_t generation,
		 const struct sequence *sequence, uint64_t heard_ms)
{
	struct roster_release *release = xcalloc(1, sizeof(*release));

	release->mail.kind = ROSTER_MAIL_RELEASE;
	release->controller_id = controller_id;
	release->generation = generation;
	release->sequence = *sequence;
	release->heard_ms = heard_ms;
	if (all->last_release != NULL)
		all->last_release->next = &release->mail;
	else
		all->first_release = &release->mail;
	all->last_release = &release->mail;
}

static struct mail *
sessions_pop_release(struct sessions *all)
{
	struct mail *mail = all->first_release;

	if (mail == NULL)
		return NULL;
	all->first_release = mail->next;
	if (all->first_release == NULL)
		all->last_release = NULL;
	return mail;
}

static void
sessions_post_releases(struct sessions *all)
{
	struct mail *mail;

	while ((mail = sessions_pop_release(all)) != NULL)
		mailbox_post(all->roster, mail);
}

static void
sessions_take_grant(struct sessions *all, const struct roster_grant *grant)
{
	struct session *session = sessions_find(all, grant->session);

	if (session != NULL && session->state == SESSION_CLAIMING)
		session_granted(session, grant->generation, &grant->sequence);
	else /* it ended while the roster was thinking */
		sessions_release(all, grant->controller_id, grant->generation, &grant->sequence,
				 clock_mono_ms());
}

/* ---- Registrar ----------------------------------------------------------- */

static void
sessions_take_desk(struct sessions *all, const struct registrar_grant *grant)
{
	struct session *session = sessions_find(all, grant->session);

	if (session != NULL && session->state == SESSION_CLAIMING)
		session_granted(session, grant->generation, &grant->sequence);
	else /* it ended while the registrar was thinking */
		registration_release(all, grant->session, grant->desk_id, grant->generation);
}

static void
sessions_deny_desk(struct sessions *all, const struct registrar_grant *grant)
{
	struct session *session = sessions_find(all, grant->session);

	if (session != NULL)
		session_close(session, grant->reason,
			      grant->reason == GOAWAY_STALE_EPOCH
				      ? "a newer epoch of this desk is known"
			      : grant->reason == GOAWAY_SUPERSEDED
				      ? "a newer connection of the same desk"
				      : "the register of cards does not take it");
}

/* From the registrar, for a session that may be gone. */
static void
sessions_registrar_mail(struct sessions *all, struct mail *mail)
{
	const struct registrar_done *done = CONTAINER_OF(mail, struct registrar_done, mail);
	const struct registrar_list *list = CONTAINER_OF(mail, struct registrar_list, mail);
	struct session *session;

	switch (mail->kind) {
	case REGISTRAR_MAIL_GRANT:
		sessions_take_desk(all, CONTAINER_OF(mail, struct registrar_grant, mail));
		break;
	case REGISTRAR_MAIL_DENY:
		sessions_deny_desk(all, CONTAINER_OF(mail, struct registrar_grant, mail));
		break;
	case REGISTRAR_MAIL_DONE:
		session = sessions_find(all, done->session);
		if (session != NULL && session->state == SESSION_STREAMING)
			registration_done(session, done);
		break;
	case REGISTRAR_MAIL_RESEND:
		session = sessions_find(all, done->session);
		if (session != NULL && session->state == SESSION_STREAMING)
			registration_resend(session, done);
		break;
	case REGISTRAR_MAIL_LIST:
		session = sessions_find(all, list->session);
		if (session != NULL && session->list_wanted)
			list_send(session, list);
		break;
	default:
		must(!"a message that sessions know");
	}
	free(mail);
}

void
sessions_mail(struct sessions *all, struct mail *mail)
{
	struct roster_grant *grant = CONTAINER_OF(mail, struct roster_grant, mail);
	struct session *session;

	switch (mail->kind) {
	case SESSIONS_MAIL_GROUP:
		batch_durable(all, CONTAINER_OF(mail, struct group, mail));
		return; /* goes round, is not freed */
	case ROSTER_MAIL_GRANT:
		sessions_take_grant(all, grant);
		break;
	case ROSTER_MAIL_DENY:
		session = sessions_find(all, grant->session);
		if (session != NULL)
			session_close(session, grant->reason,
				      grant->reason == GOAWAY_STALE_EPOCH
					      ? "a newer epoch of this controller is known"
					      : "a newer connection of the same controller");
		break;
	case ROSTER_MAIL_YIELD:
		session = sessions_find(all, grant->session);
		if (session != NULL && session->generation == grant->generation)
			session_close(session, GOAWAY_SUPERSEDED,
				      "a newer connection of the same controller");
		break;
	default:
		sessions_registrar_mail(all, mail);
		return;
	}
	free(grant);
}

/* ---- Register ------------------------------------------------------------ */

void
sessions_set_register(struct sessions *all, struct reg *reg)
{
	struct reg *old = all->reg;
	struct session *session = TAILQ_FIRST(&all->all), *next;
	uint32_t id;
	bool enabled;

	all->reg = reg;
	for (; session != NULL; session = next) {
		next = TAILQ_NEXT(session, in_all);
		/* its certificate names it: under another name or number it is another one */
		if (!session_find_client(session, &id, &enabled) || id != session->client_id)
			session_close(session, GOAWAY_UNKNOWN, "%s \"%s\" left the register",
				      tls_role_name(session->role), session->name);
		else if (!enabled)
			session_close(session, GOAWAY_DISABLED, "%s \"%s\" is disabled",
				      tls_role_name(session->role), session->name);
	}
	reg_unref(&old);
}

/* ---- Time ---------------------------------------------------------------- */

static void
sessions_sweep(void *arg)
{
	struct sessions *all = arg;
	uint64_t now = clock_mono_ms();
	struct session *session = TAILQ_FIRST(&all->all), *next;

	for (; session != NULL; session = next) {
		next = TAILQ_NEXT(session, in_all);
		session_check_time(session, now);
	}
}

void
sessions_turn(struct sessions *all)
{
	batch_turn(all);
	sessions_post_releases(all);
	sessions_bury(all);
}

/* ---- The set ------------------------------------------------------------- */

enum rc
sessions_new(struct sessions **out, struct loop *loop, const struct sessions_conf *conf,
	     struct journal *journal, struct mailbox *roster, struct err *err)
{
	struct sessions *all = xcalloc(1, sizeof(*all));
	enum rc rc = card_keys_open(&all->keys, conf->keys_dir, err);

	if (rc != RC_OK) {
		free(all);
		return rc;
	}
	all->loop = loop;
	all->conf = *conf;
	all->journal = journal;
	all->roster = roster;
	TAILQ_INIT(&all->all);
	TAILQ_INIT(&all->dead);
	TAILQ_INIT(&all->waiting);
	arena_init(&all->arena, SESSIONS_ARENA_BYTES);
	observer_init(&all->observer, conf->start_us, conf->node, conf->worker, conf->observers);
	batches_init(all);
	*out = all;
	return loop_every(loop, SESSIONS_SWEEP_MS, sessions_sweep, all, err);
}

void
sessions_free(struct sessions **out)
{
	struct sessions *all = *out;
	struct mail *mail;

	if (all == NULL)
		return;
	*out = NULL;
	must(TAILQ_EMPTY(&all->all));
	while ((mail = sessions_pop_release(all)) != NULL)
		free(mail);
	sessions_bury(all);
	batches_fini(all);
	arena_fini(&all->arena);
	card_keys_close(&all->keys);
	reg_unref(&all->reg);
	free(all->slots);
	free(all->slot_generations);
	free(all->free_slots);
	free(all);
}

void
sessions_stop_reading(struct sessions *all)
{
	struct session *session;

	all->stopping = true;
	TAILQ_FOREACH(session, &all->all, in_all)
	stream_pause(session->stream);
}

bool
sessions_drained(const struct sessions *all)
{
	return all->current == NULL && counter_get(&all->counters.groups_free) == all->conf.groups;
}

void
sessions_close_all(struct sessions *all, enum goaway reason, const char *detail)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&all->all)) != NULL)
		session_close(session, reason, "%s", detail);
}

const struct sessions_counters *
sessions_counters(const struct sessions *all)
{
	return &all->counters;
}
