/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on their way through the journal.
 *
 * Each has a ticket, by which it is known again when it comes back.  Tickets begin anew
 * with each run: an action of a former run is applied before this one gives out its
 * first, and nobody waits for it any more.
 *
 * What can be refused at once is, so that it costs no entry; it is judged again when its
 * turn comes, because another may be on its way before it.
 *
 * Owner: the thread of the desk.
 */
#include "desk/actions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_source.h"
#include "hub_priv.h"

/* Queued by the server in one look: a storm that ends must not hold up the desk. */
enum { DUE_AT_ONCE = 4096 };

/* A console whose every click is refused is worth a line now and then. */
enum { REFUSED_LOG_MS = 10000 };

/* An entry that waits for room in the journal. */
struct queued {
	STAILQ_ENTRY(queued) next;
	uint8_t type;
	size_t n;
	uint8_t body[];
};

/* Somebody waits for an answer. */
struct asked {
	uint64_t ticket;
	struct mailbox *box;
	uint64_t id, request_id;
	UT_hash_handle hh;
};

struct actions {
	struct actions_conf conf;
	struct desk *desk;
	const struct reg *reg; /* NULL: none yet */
	STAILQ_HEAD(, queued) queue;
	struct asked *by_ticket;
	uint64_t last_ticket;
	struct actions_counters counters;
};

/* ---- Asking --------------------------------------------------------------------- */

struct action_ask *
action_ask_new(const struct action_request *request)
{
	struct action_ask *ask = xcalloc(1, sizeof(*ask));

	ask->mail.kind = ACTIONS_MAIL_ASK;
	ask->request = *request;
	(void)snprintf(ask->operator_code, sizeof(ask->operator_code), "%s",
		       request->operator_code);
	(void)snprintf(ask->text, sizeof(ask->text), "%s", request->text);
	(void)snprintf(ask->station, sizeof(ask->station), "%s", request->station);
	ask->request.operator_code = ask->operator_code;
	ask->request.text = ask->text;
	ask->request.station = ask->station;
	return ask;
}

static void
answer_post(struct mailbox *box, uint64_t id, const struct action_result *result)
{
	struct action_answer *answer = xcalloc(1, sizeof(*answer));

	answer->mail.kind = ACTIONS_MAIL_ANSWER;
	answer->id = id;
	answer->result = *result;
	(void)snprintf(answer->by, sizeof(answer->by), "%s", result->by);
	(void)snprintf(answer->detail, sizeof(answer->detail), "%s", result->detail);
	answer->result.by = answer->by;
	answer->result.detail = answer->detail;
	mailbox_post(box, &answer->mail);
}

static struct action_result
result_of(uint64_t request_id, uint64_t alarm_id, const struct desk_verdict *verdict)
{
	return (struct action_result){
		.request_id = request_id,
		.alarm_id = alarm_id,
		.refusal = verdict->refusal,
		.by = verdict->by,
		.at_us = verdict->at_us,
		.detail = verdict->detail,
	};
}

/* Refused actions leave no entry and no row, so this is their only trace: which console,
 * never who sat there, nor what was said. */
static void
actions_note_refusal(struct actions *actions, const struct action *action,
		     enum action_refusal refusal)
{
	const char *who = action->actor_kind == ACTOR_CONSOLE ? action->actor : "the server's own";
	uint64_t held_back;

	counter_add(&actions->counters.refused, 1);
	if (log_source_ok(who, strlen(who), REFUSED_LOG_MS, &held_back))
		log_info("desk",
			 "action refused console=%s verb=%s alarm=%" PRIu64
			 " reason=%s held_back=%" PRIu64,
			 who, verb_name(action->verb), action->alarm_id, refusal_name(refusal),
			 held_back);
}

/* ---- The queue for the journal ---------------------------------------------------- */

static uint8_t *
actions_queue(struct actions *actions, enum entry_type type, size_t n)
{
	struct queued *queued = xcalloc(1, sizeof(*queued) + n);

	queued->type = (uint8_t)type;
	queued->n = n;
	STAILQ_INSERT_TAIL(&actions->queue, queued, next);
	return queued->body;
}

static void
actions_queue_action(struct actions *actions, const struct action *action)
{
	(void)action_encode(action,
			    actions_queue(actions, ENTRY_ACTION, action_encoded_len(action)));
}

static void
actions_queue_seen(struct actions *actions, const struct alarm_seen *seen)
{
	(void)alarm_seen_encode(seen, actions_queue(actions, ENTRY_SEEN, ALARM_SEEN_BYTES));
}

bool
actions_journal(struct actions *actions, uint8_t *(*room)(void *arg, uint8_t type, size_t len),
		void *arg)
{
	struct queued *queued;

	while ((queued = STAILQ_FIRST(&actions->queue)) != NULL) {
		uint8_t *body = room(arg, queued->type, queued->n);

		if (body == NULL)
			return false;
		memcpy(body, queued->body, queued->n);
		STAILQ_REMOVE_HEAD(&actions->queue, next);
		free(queued);
	}
	return true;
}

/* ---- Judging what is asked for ------------------------------------------------------- */

static bool
may_see(const struct actions *actions, uint32_t station_id, uint64_t alarm_id)
{
	const struct alarm_change *change = desk_open_alarm(actions->desk, alarm_id);

	/* one that is done is known to the desk alone, which says by whom */
	return station_id == 0 || change == NULL ||
	       hub_station_sees(actions->reg, station_id, change);
}

static const char *
judge_until(const struct actions *actions, const struct action *action)
{
	int64_t max_us = action->verb == VERB_SHELVE ? actions->conf.shelve_max_us
						     : actions->conf.service_max_us;

	if (action->until_us == 0)
		return NULL;
	if (action->until_us <= action->when_us)
		return "until_us is over already";
	if (action->until_us - action->when_us > max_us)
		return action->verb == VERB_SHELVE ? "until_us is beyond desk.shelve_max_s"
						   : "until_us is beyond desk.service_max_s";
	return NULL;
}

static const char *
judge_station(const struct actions *actions, const struct action_request *request,
	      struct action *action)
{
	const struct station *station;

	if (request->station[0] == '\0')
		return NULL;
	station = actions->reg != NULL ? reg_station_by_code(actions->reg, request->station) : NULL;
	if (station == NULL)
		return "the register has no such station";
	action->to_station_id = station->id;
	return NULL;
}

static bool
calls_nobody_new(const struct actions *actions, const struct action *action)
{
	const struct alarm_change *change = desk_open_alarm(actions->desk, action->alarm_id);

	return change != NULL && hub_escalations_max(actions->reg, change) <= change->escalation;
}

/* What the desk doesn't know: who may see it, stations, limits. */
static enum action_refusal
judge_ask(const struct actions *actions, const struct action_ask *ask, struct action *action,
	  struct err *err)
{
	const char *wrong = judge_until(actions, action);

	if (!may_see(actions, ask->station_id, action->alarm_id)) {
		(void)err_invalid(err, "there is no such alarm");
		return REFUSAL_UNKNOWN_ALARM;
	}
	if (wrong == NULL)
		wrong = judge_station(actions, &ask->request, action);
	if (wrong != NULL) {
		(void)err_invalid(err, "%s", wrong);
		return REFUSAL_FORM;
	}
	if (action->verb == VERB_REJECT && calls_nobody_new(actions, action)) {
		(void)err_invalid(err, "there is no further station to call");
		return REFUSAL_STATE;
	}
	if (HASH_COUNT(actions->by_ticket) >= actions->conf.waiting_max) {
		(void)err_invalid(err, "too many actions wait for the disk");
		return REFUSAL_BUSY;
	}
	return REFUSAL_NONE;
}

/* Its texts are borrowed from the message. */
static struct action
action_of(const struct action_ask *ask)
{
	const struct action_request *request = &ask->request;

	return (struct action){
		.alarm_id = request->alarm_id,
		.seen_change = request->seen_change,
		.verb = (uint8_t)request->verb,
		.actor_kind = (uint8_t)ask->actor_kind,
		.supervisor = ask->supervisor,
		.reject = (uint8_t)request->reject,
		.outcome = (uint8_t)request->outcome,
		.when_us = clock_wall_us(),
		.until_us = request->until_us,
		.actor = ask->actor,
		.operator_code = ask->operator_code,
		.text = ask->text,
	};
}

/* Form first, then what the register says, then the desk. */
static void
actions_judge(const struct actions *actions, const struct action_ask *ask, struct action *action,
	      struct desk_verdict *verdict, struct err *err)
{
	*verdict = (struct desk_verdict){.detail = err->msg};
	if (action_request_check(&ask->request, err) != RC_OK) {
		verdict->refusal = REFUSAL_FORM;
		return;
	}
	verdict->refusal = judge_ask(actions, ask, action, err);
	if (verdict->refusal == REFUSAL_NONE)
		desk_judge(actions->desk, action, verdict);
}

static void
actions_take_ask(struct actions *actions, const struct action_ask *ask)
{
	struct action action = action_of(ask);
	struct action_result result;
	struct desk_verdict verdict;
	struct asked *asked;
	struct err err = {0};

	actions_judge(actions, ask, &action, &verdict, &err);
	if (verdict.refusal != REFUSAL_NONE) {
		result = result_of(ask->request.request_id, action.alarm_id, &verdict);
		actions_note_refusal(actions, &action, verdict.refusal);
		answer_post(ask->box, ask->id, &result);
		return;
	}
	asked = xcalloc(1, sizeof(*asked));
	asked->ticket = action.ticket = ++actions->last_ticket;
	asked->box = ask->box;
	asked->id = ask->id;
	asked->request_id = ask->request.request_id;
	HASH_ADD(hh, actions->by_ticket, ticket, sizeof(asked->ticket), asked);
	counter_set(&actions->counters.waiting, HASH_COUNT(actions->by_ticket));
	actions_queue_action(actions, &action);
}

/* Once for an alarm: who has it on the screen first. */
static void
actions_take_shown(struct actions *actions, const struct shown_ask *ask)
{
	for (size_t i = 0; i < ask->n; i++) {
		struct alarm_seen seen = ask->alarms[i];
		const struct alarm_change *change = desk_open_alarm(actions->desk, seen.alarm_id);

		/* a clock that can't be one would be the ledger's error */
		if (change == NULL || change->shown_us != 0 || seen.shown_us <= 0 ||
		    !may_see(actions, ask->station_id, seen.alarm_id))
			continue;
		if (desk_note_shown(actions->desk, seen.alarm_id))
			actions_queue_seen(actions, &seen);
	}
}

void
actions_mail(struct actions *actions, struct mail *mail)
{
	/* the mail is the first member of both */
	if (mail->kind == ACTIONS_MAIL_ASK) {
		actions_take_ask(actions, (const struct action_ask *)mail);
	} else {
		must(mail->kind == ACTIONS_MAIL_SHOWN);
		actions_take_shown(actions, (const struct shown_ask *)mail);
	}
	free(mail);
}

/* ---- What the server does by itself -------------------------------------------------- */

void
actions_due(struct actions *actions, int64_t now_us)
{
	struct action action;

	for (int i = 0; i < DUE_AT_ONCE && desk_due(actions->desk, now_us, &action); i++) {
		if (action.verb == VERB_ESCALATED && calls_nobody_new(actions, &action))
			continue;
		actions_queue_action(actions, &action);
	}
}

void
actions_offered(struct actions *actions, const struct alarm_change *change, int64_t now_us)
{
	struct alarm_seen seen = {
		.alarm_id = change->alarm_id, .change = change->change, .offered_us = now_us};

	if (desk_note_offered(actions->desk, change->alarm_id))
		actions_queue_seen(actions, &seen);
}

/* ---- What comes back ----------------------------------------------------------------- */

static void
actions_answer(struct actions *actions, uint64_t ticket, struct action_result *result)
{
	struct asked *asked;

	HASH_FIND(hh, actions->by_ticket, &ticket, sizeof(ticket), asked);
	if (asked == NULL)
		return;
	result->request_id = asked->request_id;
	answer_post(asked->box, asked->id, result);
	HASH_DEL(actions->by_ticket, asked);
	free(asked);
	counter_set(&actions->counters.waiting, HASH_COUNT(actions->by_ticket));
}

static void
actions_count(struct actions *actions, const struct action *action, enum action_refusal refusal)
{
	if (action->actor_kind == ACTOR_SERVER) {
		if (refusal == REFUSAL_NONE && action->verb == VERB_ESCALATED)
			counter_add(&actions->counters.escalated, 1);
	} else if (refusal == REFUSAL_NONE) {
		counter_add(&actions->counters.accepted, 1);
	} else {
		actions_note_refusal(actions, action, refusal);
	}
}

enum rc
actions_apply(struct actions *actions, const uint8_t *body, size_t len, uint64_t position,
	      bool *changed, struct err *err)
{
	const struct alarm_change *change;
	struct action_result result;
	struct desk_verdict verdict;
	struct action action;
	enum rc rc = action_decode(body, len, &action, err);

	if (rc != RC_OK)
		return rc;
	change = desk_act(actions->desk, &action, position, &verdict);
	*changed = change != NULL;
	actions_count(actions, &action, verdict.refusal);
	result = result_of(0, action.alarm_id, &verdict);
	result.change = change != NULL ? change->change : 0;
	actions_answer(actions, action.ticket, &result);
	return RC_OK;
}

enum rc
actions_apply_seen(struct actions *actions, const uint8_t *body, size_t len, struct err *err)
{
	struct alarm_seen seen;
	enum rc rc = alarm_seen_decode(body, len, &seen, err);

	if (rc == RC_OK)
		desk_see(actions->desk, &seen);
	return rc;
}

/* ---- Beginning and end --------------------------------------------------------------- */

struct actions *
actions_new(const struct actions_conf *conf, struct desk *desk)
{
	struct actions *actions = xcalloc(1, sizeof(*actions));

	actions->conf = *conf;
	actions->desk = desk;
	STAILQ_INIT(&actions->queue);
	return actions;
}

void
actions_free(struct actions **out)
{
	struct actions *actions = *out;
	struct queued *queued;
	struct asked *asked, *next;

	if (actions == NULL)
		return;
	*out = NULL;
	while ((queued = STAILQ_FIRST(&actions->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&actions->queue, next);
		free(queued);
	}
	HASH_ITER (hh, actions->by_ticket, asked, next) {
		HASH_DEL(actions->by_ticket, asked);
		free(asked);
	}
	free(actions);
}

void
actions_set_register(struct actions *actions, const struct reg *reg)
{
	actions->reg = reg;
}

const struct actions_counters *
actions_counters(const struct actions *actions)
{
	return &actions->counters;
}
