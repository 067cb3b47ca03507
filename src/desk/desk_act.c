/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people do with alarms, and the server when a time is over.
 *
 * An action is judged when its turn comes in the journal, never before: of two, the
 * first wins, and the second is told by whom.  What it takes to be refused is in the
 * desk alone, so that replay refuses the same ones.
 *
 * An action of the server carries the change that it has seen, and does nothing when
 * there was another since.
 *
 * Owner: the desk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk_priv.h"
#include "wire/kind.h"

static struct alarm *
desk_alarm_by_id(const struct desk *desk, uint64_t alarm_id)
{
	struct alarm *alarm;

	HASH_FIND(by_id, desk->by_id, &alarm_id, sizeof(alarm_id), alarm);
	return alarm;
}

static bool
is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* "OPERATOR@CONSOLE", or the console. */
static void
action_name_by(const struct action *action, char by[ALARM_BY_MAX + 1])
{
	const char *actor = is_empty(action->actor) ? "server" : action->actor;

	if (is_empty(action->operator_code))
		(void)snprintf(by, ALARM_BY_MAX + 1, "%s", actor);
	else
		(void)snprintf(by, ALARM_BY_MAX + 1, "%s@%s", action->operator_code, actor);
}

/* ---- Those that are done ------------------------------------------------------------ */

static void
desk_note_done(struct desk *desk, const struct alarm *alarm)
{
	struct done_alarm *done = &desk->done[desk->n_done++ % DONE_MAX];

	*done = (struct done_alarm){.alarm_id = alarm->now.alarm_id, .at_us = alarm->acted_us};
	(void)snprintf(done->by, sizeof(done->by), "%s", alarm->acted_by);
}

static enum action_refusal
judge_unknown(const struct desk *desk, uint64_t alarm_id, struct desk_verdict *verdict)
{
	size_t n = desk->n_done < DONE_MAX ? desk->n_done : DONE_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct done_alarm *done = &desk->done[i];

		if (done->alarm_id != alarm_id)
			continue;
		memcpy(verdict->by, done->by, sizeof(verdict->by));
		verdict->at_us = done->at_us;
		verdict->detail = "the alarm is done";
		return REFUSAL_OVERTAKEN;
	}
	verdict->detail = "there is no such alarm";
	return REFUSAL_UNKNOWN_ALARM;
}

/* ---- Judging ------------------------------------------------------------------------ */

static bool
is_overtaken(const struct alarm *alarm, const struct action *action)
{
	char by[ALARM_BY_MAX + 1];

	if (action->actor_kind == ACTOR_SERVER)
		return action->seen_change != alarm->now.change;
	if (action->seen_change == 0 || alarm->acted_change <= action->seen_change)
		return false;
	/* who types fast has not overtaken himself */
	action_name_by(action, by);
	return strcmp(by, alarm->acted_by) != 0;
}

static enum action_refusal
judge_person(const struct alarm *alarm, const struct action *action, const char **detail)
{
	const struct kind *kind = kind_get(alarm->now.kind);

	if (action->verb == VERB_SHELVE && kind != NULL &&
	    (kind->flags & KIND_FLAG_UNSHELVED) != 0) {
		*detail = "this kind of alarm can't be shelved";
		return REFUSAL_KIND;
	}
	if (!life_needs_supervisor(&alarm->now, (enum alarm_verb)action->verb))
		return REFUSAL_NONE;
	if (!action->supervisor) {
		*detail = "this needs the right of a supervisor";
		return REFUSAL_RIGHT;
	}
	if (is_empty(action->text)) {
		*detail = "this needs a reason in words";
		return REFUSAL_FORM;
	}
	return REFUSAL_NONE;
}

static enum action_refusal
judge_alarm(const struct alarm *alarm, const struct action *action, const char **detail)
{
	if (action->actor_kind != ACTOR_SERVER && !verb_is_of_people(action->verb)) {
		*detail = "this is done by the server alone";
		return REFUSAL_FORM;
	}
	if (is_overtaken(alarm, action)) {
		*detail = "another was first";
		return REFUSAL_OVERTAKEN;
	}
	if (life_next(&alarm->now, action->verb) == 0) {
		*detail = "the alarm does not take this in its state";
		return REFUSAL_STATE;
	}
	return REFUSAL_NONE;
}

static enum action_refusal
judge_server(const struct desk *desk, const struct alarm *alarm, const struct action *action,
	     const char **detail)
{
	const char *why = groups_judge(desk, alarm, action);

	if (why == NULL)
		return REFUSAL_NONE;
	*detail = why;
	return REFUSAL_STATE;
}

static void
judge_begin(const struct desk *desk, const struct action *action, struct desk_verdict *verdict)
{
	const char *why = groups_judge_begin(desk, action->kind, action->site_id);

	if (why == NULL)
		return;
	verdict->refusal = REFUSAL_STATE;
	verdict->detail = why;
}

void
desk_judge(const struct desk *desk, const struct action *action, struct desk_verdict *verdict)
{
	const struct alarm *alarm = desk_alarm_by_id(desk, action->alarm_id);

	*verdict = (struct desk_verdict){.detail = ""};
	if (action->verb == VERB_GROUP_BEGUN) {
		judge_begin(desk, action, verdict);
		return;
	}
	if (alarm == NULL) {
		verdict->refusal = judge_unknown(desk, action->alarm_id, verdict);
		return;
	}
	verdict->refusal = judge_alarm(alarm, action, &verdict->detail);
	if (verdict->refusal == REFUSAL_NONE)
		verdict->refusal = action->actor_kind == ACTOR_SERVER
					   ? judge_server(desk, alarm, action, &verdict->detail)
					   : judge_person(alarm, action, &verdict->detail);
	if (verdict->refusal == REFUSAL_NONE || alarm->acted_by == NULL)
		return;
	(void)snprintf(verdict->by, sizeof(verdict->by), "%s", alarm->acted_by);
	verdict->at_us = alarm->acted_us;
}

/* ---- Doing -------------------------------------------------------------------------- */

static void
alarm_set_taken(struct alarm *alarm, const struct action *action, const char *by)
{
	struct alarm_change *now = &alarm->now;

	if (now->acknowledged_us == 0) {
		now->acknowledged_us = action->when_us;
		now->acknowledged_by = by;
	}
	if (now->first_acknowledged_us == 0)
		now->first_acknowledged_us = action->when_us;
}

static void
alarm_raise_stage(struct alarm *alarm, enum alarm_stage stage)
{
	if (alarm->now.stage < stage)
		alarm->now.stage = (uint8_t)stage;
}

/* What the verb does beside the state. */
static void
desk_do(struct desk *desk, struct alarm *alarm, const struct action *action, enum alarm_state next,
	const char *by)
{
	struct alarm_change *now = &alarm->now;

	switch ((enum alarm_verb)action->verb) {
	case VERB_ACCEPT:
	case VERB_DISPATCHED:
	case VERB_ON_SCENE:
		alarm_set_taken(alarm, action, by);
		/* the verbs stand in the order of the stages */
		alarm_raise_stage(alarm, action->verb == VERB_ACCEPT       ? ALARM_STAGE_ACCEPTED
					 : action->verb == VERB_DISPATCHED ? ALARM_STAGE_DISPATCHED
									   : ALARM_STAGE_ON_SCENE);
		groups_take_members(desk, alarm, action);
		break;
	case VERB_CLOSE:
	case VERB_RESET:
		alarm_set_taken(alarm, action, by);
		break;
	case VERB_HAND_OVER:
		now->handed_station_id = action->to_station_id;
		groups_take_out(desk, alarm);
		groups_leave_members(desk, alarm);
		alarm_set_untaken(alarm);
		now->stage = ALARM_STAGE_NONE;
		break;
	case VERB_CANCEL:
	case VERB_ACK_EXPIRED:
		groups_leave_members(desk, alarm);
		alarm_set_untaken(alarm);
		now->stage = ALARM_STAGE_NONE;
		break;
	case VERB_REJECT:
	case VERB_ESCALATED:
		if (now->escalation < UINT8_MAX)
			now->escalation++;
		break;
	case VERB_SHELVE:
	case VERB_OUT_OF_SERVICE:
		now->until_us = action->until_us;
		break;
	case VERB_UNSHELVE:
	case VERB_IN_SERVICE:
	case VERB_SHELF_OVER:
		now->until_us = 0;
		if (next == ALARM_UNACKNOWLEDGED)
			alarm_set_untaken(alarm);
		break;
	case VERB_GROUP_BEGUN:
		if (next == ALARM_UNACKNOWLEDGED)
			alarm_set_untaken(alarm);
		groups_begin(desk, alarm, action->when_us);
		break;
	case VERB_GROUP_COUNTED:
		groups_count(alarm, action->when_us);
		break;
	case VERB_GROUP_ENDED:
		groups_count(alarm, action->when_us);
		now->cleared_us = action->when_us;
		break;
	case VERB_COMMENT:
	case VERB_GROUP_JOINED: /* which group, says every change */
	case VERB_NONE:
	case VERBS:
		break;
	}
}

/* A comment is something that follows, but nobody who takes it; a count is neither, and
 * a group that begins again is waited for since it was first. */
static bool
action_restarts_waiting(const struct alarm_change *now, const struct action *action)
{
	if (action->verb == VERB_COMMENT || action->verb == VERB_GROUP_BEGUN)
		return !life_is_waiting(now);
	return action->verb < VERB_GROUP_BEGUN;
}

static void
alarm_note_action(struct alarm *alarm, const struct action *action, uint64_t position,
		  const char *by)
{
	struct alarm_change *now = &alarm->now;

	now->change++;
	now->position = position;
	now->verb = action->verb;
	now->actor_kind = action->actor_kind;
	now->reject = action->reject;
	now->outcome = action->outcome;
	now->acted_us = action->when_us;
	now->actor = action->actor;
	now->operator_code = action->operator_code;
	now->text = action->text;
	/* whom the server accepts for took the group */
	if (action->actor_kind == ACTOR_SERVER && action->verb != VERB_ACCEPT)
		return;
	alarm->acted_change = now->change;
	alarm->acted_us = action->when_us;
	free(alarm->acted_by);
	alarm->acted_by = xstrdup(by);
}

/* The texts of `now` are borrowed from the action and from the words before. */
static void
alarm_renew_words(struct alarm *alarm)
{
	char *before = alarm->words;

	alarm->words = change_own_words(&alarm->now);
	free(before);
}

/* The alarm that takes the action; NULL: it is refused. */
static struct alarm *
desk_judge_alarm(struct desk *desk, const struct action *action, uint64_t position,
		 struct desk_verdict *verdict)
{
	bool begins = action->verb == VERB_GROUP_BEGUN;
	struct alarm *alarm = begins ? NULL : desk_alarm_by_id(desk, action->alarm_id);

	desk_judge(desk, action, verdict);
	if (begins)
		groups_begin_is_back(desk, action);
	if (begins && verdict->refusal == REFUSAL_NONE) {
		alarm = groups_place(desk, action, position);
		if (alarm == NULL) {
			verdict->refusal = REFUSAL_BUSY;
			verdict->detail = "no more alarms can be tracked";
		}
	}
	return verdict->refusal == REFUSAL_NONE ? alarm : NULL;
}

const struct alarm_change *
desk_act(struct desk *desk, const struct action *action, uint64_t position,
	 struct desk_verdict *verdict)
{
	struct alarm *alarm = desk_judge_alarm(desk, action, position, verdict);
	const struct alarm_change *kept;
	char by[ALARM_BY_MAX + 1];
	enum alarm_state next;

	if (alarm == NULL)
		return NULL;
	next = life_next(&alarm->now, action->verb);
	action_name_by(action, by);
	if (action_restarts_waiting(&alarm->now, action))
		alarm->now.waiting_us = action->when_us;
	desk_do(desk, alarm, action, next, by);
	alarm_set_state(desk, alarm, next);
	alarm_note_action(alarm, action, position, by);
	alarm_renew_words(alarm);
	groups_settle(alarm);
	kept = desk_keep(desk, &alarm->now);
	if (next == ALARM_NORMAL) {
		desk_note_done(desk, alarm);
		desk_untrack(desk, alarm, action->when_us);
	} else {
		due_renew(desk, alarm);
	}
	return kept;
}

void
desk_see(struct desk *desk, const struct alarm_seen *seen)
{
	struct alarm *alarm = desk_alarm_by_id(desk, seen->alarm_id);

	if (alarm == NULL)
		return;
	if (alarm->now.offered_us == 0)
		alarm->now.offered_us = seen->offered_us;
	if (alarm->now.shown_us == 0)
		alarm->now.shown_us = seen->shown_us;
}

static bool
note_once(bool *noted)
{
	bool first = !*noted;

	*noted = true;
	return first;
}

bool
desk_note_offered(struct desk *desk, uint64_t alarm_id)
{
	struct alarm *alarm = desk_alarm_by_id(desk, alarm_id);

	return alarm != NULL && alarm->now.offered_us == 0 && note_once(&alarm->offer_noted);
}

bool
desk_note_shown(struct desk *desk, uint64_t alarm_id)
{
	struct alarm *alarm = desk_alarm_by_id(desk, alarm_id);

	return alarm != NULL && alarm->now.shown_us == 0 && note_once(&alarm->show_noted);
}
