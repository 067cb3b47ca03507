/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What consoles want to be done, checked for form.
 *
 * Two kinds of mistakes: bytes that are not of the contract end the connection; a
 * request that lacks what its verb needs is refused by an answer, because a person
 * waits for it.
 */
#include "console_action.h"

enum rc
action_take(const struct arena *arena, const Gatehouse__V1__Action *from, struct action_request *to,
	    struct err *err)
{
	unsigned verb = (unsigned)from->verb, reject = (unsigned)from->reject_reason;
	unsigned outcome = (unsigned)from->outcome;

	*to = (struct action_request){
		.request_id = from->request_id,
		.alarm_id = from->alarm_id,
		.seen_change = from->seen_change,
		/* the server's verbs are nobody else's */
		.verb = verb_is_of_people(verb) ? (enum alarm_verb)verb : VERB_NONE,
		/* one that we don't know yet is still a reason */
		.reject = reject < REJECT_ALARMS ? (enum reject_alarm)reject : REJECT_ALARM_OTHER,
		.outcome = outcome < OUTCOMES ? (enum outcome)outcome : OUTCOME_OTHER,
		.until_us = from->until_us,
		.operator_code = from->operator_,
		.text = from->text,
		.station = from->station,
	};
	if (!pb_text_ok(arena, to->operator_code, ALARM_NAME_MAX))
		return err_invalid(err, "operator of an action is not a text of at most %d bytes",
				   ALARM_NAME_MAX);
	if (!pb_text_ok(arena, to->text, ALARM_TEXT_MAX))
		return err_invalid(err, "text of an action is not a text of at most %d bytes",
				   ALARM_TEXT_MAX);
	if (!pb_text_ok(arena, to->station, ALARM_NAME_MAX))
		return err_invalid(err, "station of an action is not a text of at most %d bytes",
				   ALARM_NAME_MAX);
	return RC_OK;
}

enum rc
shown_take(struct arena *arena, const Gatehouse__V1__Shown *from, struct console_msg *msg,
	   struct err *err)
{
	struct alarm_seen *alarms;

	if (from->n_alarms > SHOWN_MAX)
		return err_invalid(err, "shown names %zu alarms, at most %d are allowed",
				   from->n_alarms, SHOWN_MAX);
	alarms = arena_get(arena, (from->n_alarms + 1) * sizeof(*alarms));
	if (alarms == NULL)
		return err_invalid(err, "shown is too large");
	for (size_t i = 0; i < from->n_alarms; i++)
		alarms[i] = (struct alarm_seen){
			.alarm_id = from->alarms[i]->alarm_id,
			.change = from->alarms[i]->change,
			.shown_us = from->alarms[i]->shown_time_us,
		};
	msg->shown.alarms = alarms;
	msg->shown.n = from->n_alarms;
	return RC_OK;
}

/* ---- What a verb needs ------------------------------------------------------- */

enum {
	NEEDS_TEXT = 1u << 0,
	NEEDS_UNTIL = 1u << 1,
	NEEDS_REJECT = 1u << 2,
	NEEDS_OUTCOME = 1u << 3,
	NEEDS_STATION = 1u << 4,
	MAY_HAVE_OUTCOME = 1u << 5,
};

static const unsigned verb_needs[VERB_OF_PEOPLE_LAST + 1] = {
	[VERB_REJECT] = NEEDS_REJECT,
	[VERB_CLOSE] = NEEDS_OUTCOME,
	[VERB_COMMENT] = NEEDS_TEXT,
	[VERB_HAND_OVER] = NEEDS_STATION,
	[VERB_SHELVE] = NEEDS_UNTIL | NEEDS_TEXT,
	[VERB_RESET] = MAY_HAVE_OUTCOME,
	[VERB_OUT_OF_SERVICE] = NEEDS_UNTIL | NEEDS_TEXT,
};

/* One thing: there where it is needed, and not where it means nothing. */
static enum rc
check_part(const struct action_request *request, const char *part, bool there, bool needed,
	   bool allowed, struct err *err)
{
	if (needed && !there)
		return err_invalid(err, "%s needs %s", verb_name(request->verb), part);
	if (there && !needed && !allowed)
		return err_invalid(err, "%s can't have %s", verb_name(request->verb), part);
	return RC_OK;
}

enum rc
action_request_check(const struct action_request *request, struct err *err)
{
	unsigned needs = verb_needs[request->verb];

	if (request->verb == VERB_NONE)
		return err_invalid(err, "verb is missing, or none of the contract's");
	/* a text may go with everything */
	if (check_part(request, "a text", request->text[0] != '\0', needs & NEEDS_TEXT, true,
		       err) != RC_OK ||
	    check_part(request, "until_us", request->until_us != 0, needs & NEEDS_UNTIL, false,
		       err) != RC_OK ||
	    check_part(request, "a reject_reason", request->reject != REJECT_ALARM_NONE,
		       needs & NEEDS_REJECT, false, err) != RC_OK ||
	    check_part(request, "an outcome", request->outcome != OUTCOME_NONE,
		       needs & NEEDS_OUTCOME, needs & MAY_HAVE_OUTCOME, err) != RC_OK)
		return RC_INVALID;
	return check_part(request, "a station", request->station[0] != '\0', needs & NEEDS_STATION,
			  false, err);
}
