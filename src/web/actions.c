/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies to actions, results to replies. */
#include "web/actions.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "web/http.h"
#include "web/pending.h"

enum { ACTIONS_PATIENCE_MS = 10000 };

struct actions {
	struct pending *pending;
};

struct actions *
actions_new(size_t max)
{
	struct actions *actions = xcalloc(1, sizeof(*actions));

	actions->pending = pending_new(max);
	return actions;
}

/* ---- What is to be done ------------------------------------------------------ */

/* The member as a text; "" where it is missing.  False: it is something else, or too
 * long, or has control characters. */
static bool
body_text(const json_t *body, const char *key, size_t max, const char **text)
{
	const json_t *value = json_object_get(body, key);

	*text = value == NULL || json_is_null(value) ? "" : json_string_value(value);
	if (*text == NULL || strlen(*text) > max)
		return false;
	for (const char *c = *text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return true;
}

static enum rc
request_take_words(struct action_request *action, const json_t *body, struct err *err)
{
	const char *verb, *reject, *outcome;

	if (!body_text(body, "verb", ALARM_NAME_MAX, &verb) ||
	    !verb_is_of_people(verb_by_name(verb)))
		return err_invalid(err, "\"verb\" is not one that people have");
	if (!body_text(body, "reject_reason", ALARM_NAME_MAX, &reject) ||
	    (reject[0] != '\0' && reject_alarm_by_name(reject) == REJECT_ALARM_NONE))
		return err_invalid(err, "\"reject_reason\" is not one");
	if (!body_text(body, "outcome", ALARM_NAME_MAX, &outcome) ||
	    (outcome[0] != '\0' && outcome_by_name(outcome) == OUTCOME_NONE))
		return err_invalid(err, "\"outcome\" is not one");
	if (!body_text(body, "text", ALARM_TEXT_MAX, &action->text))
		return err_invalid(err, "\"text\" is not a text of at most %d bytes on one line",
				   ALARM_TEXT_MAX);
	if (!body_text(body, "station", ALARM_NAME_MAX, &action->station))
		return err_invalid(err, "\"station\" is not a text of at most %d bytes",
				   ALARM_NAME_MAX);
	action->verb = verb_by_name(verb);
	action->reject = reject[0] != '\0' ? reject_alarm_by_name(reject) : REJECT_ALARM_NONE;
	action->outcome = outcome[0] != '\0' ? outcome_by_name(outcome) : OUTCOME_NONE;
	return RC_OK;
}

/* A number that may be missing; -1 where it is none. */
static json_int_t
body_number(const json_t *body, const char *key, json_int_t max)
{
	const json_t *value = json_object_get(body, key);

	if (value == NULL || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max)
		return -1;
	return json_integer_value(value);
}

static enum rc
request_take(struct action_request *action, const json_t *body, struct err *err)
{
	json_int_t seen = body_number(body, "seen_change", UINT32_MAX);
	json_int_t minutes = body_number(body, "minutes", INT32_MAX);
	enum rc rc = request_take_words(action, body, err);

	if (rc != RC_OK)
		return rc;
	if (seen < 0 || minutes < 0)
		return err_invalid(err, "\"seen_change\" and \"minutes\" are whole numbers");
	action->seen_change = (uint32_t)seen;
	if (minutes > 0)
		action->until_us = clock_wall_us() + minutes * 60 * 1000000;
	return action_request_check(action, err);
}

void
actions_post(struct actions *actions, struct evhttp_request *request, struct upstream *upstream,
	     const struct session *session, uint64_t alarm_id, const json_t *body)
{
	struct action_request action = {.alarm_id = alarm_id, .operator_code = session->console};
	struct err err;

	if (request_take(&action, body, &err) != RC_OK) {
		http_problem(request, 400, err.msg);
		return;
	}
	if (!station_connected(upstream_station(upstream))) {
		http_problem(request, 503, "there is no connection to the daemon");
		return;
	}
	if (pending_add(actions->pending, request, upstream, clock_mono_ms(), &action.request_id) !=
	    RC_OK) {
		http_problem(request, 503, "too many actions wait for the daemon");
		return;
	}
	log_info("web", "action console=%s verb=%s alarm=%lu", session->console,
		 verb_name(action.verb), (unsigned long)alarm_id);
	upstream_act(upstream, &action);
}

static bool
shown_take(const json_t *item, struct alarm_seen *seen)
{
	const char *id = json_string_value(json_object_get(item, "alarm_id"));
	json_int_t change = body_number(item, "change", UINT32_MAX);

	if (id == NULL || change < 0)
		return false;
	seen->alarm_id = strtoull(id, NULL, 10);
	seen->change = (uint32_t)change;
	/* by our clock: browsers' are whatever they are */
	seen->shown_us = clock_wall_us();
	return seen->alarm_id > 0;
}

enum rc
actions_shown(struct upstream *upstream, const json_t *body, struct err *err)
{
	const json_t *list = json_object_get(body, "alarms");
	struct alarm_seen seen[SHOWN_MAX];
	size_t n = json_array_size(list);

	if (n == 0 || n > SHOWN_MAX)
		return err_invalid(err, "\"alarms\" is not a list of 1 to %d", SHOWN_MAX);
	for (size_t i = 0; i < n; i++) {
		seen[i] = (struct alarm_seen){0};
		if (!shown_take(json_array_get(list, i), &seen[i]))
			return err_invalid(err, "item %zu is not {alarm_id, change}", i);
	}
	upstream_show(upstream, seen, n);
	return RC_OK;
}

/* ---- What became of it ------------------------------------------------------- */

static int
status_of(enum action_refusal refusal)
{
	switch (refusal) {
	case REFUSAL_NONE:
		return 200;
	case REFUSAL_UNKNOWN_ALARM:
		return 404;
	case REFUSAL_FORM:
		return 400;
	case REFUSAL_RIGHT:
		return 403;
	case REFUSAL_BUSY:
		return 503;
	case REFUSAL_STATE:
	case REFUSAL_OVERTAKEN:
	case REFUSAL_KIND:
	case REFUSALS:
		break;
	}
	return 409;
}

void
actions_result(struct actions *actions, const struct action_result *result)
{
	struct evhttp_request *request = pending_take(actions->pending, result->request_id);
	bool accepted = result->refusal == REFUSAL_NONE;
	char at[32] = "";

	if (request == NULL)
		return;
	if (result->at_us > 0)
		(void)log_time_text(result->at_us, at);
	http_reply_json(request, status_of(result->refusal),
			json_pack("{s:b, s:i, s:s?, s:s, s:s?, s:s}", "accepted", accepted,
				  "change", (int)result->change, "refusal",
				  accepted ? NULL : refusal_name(result->refusal), "by", result->by,
				  "at", at[0] != '\0' ? at : NULL, "detail", result->detail));
}

static void
answer_unknown(struct evhttp_request *request)
{
	http_problem(request, 504,
		     "the daemon has not answered: whether it was done shows in the alarm");
}

void
actions_lost(struct actions *actions, const struct upstream *upstream)
{
	struct evhttp_request *request;

	while ((request = pending_take_of(actions->pending, upstream)) != NULL)
		answer_unknown(request);
}

void
actions_tick(struct actions *actions)
{
	uint64_t now_ms = clock_mono_ms();
	struct evhttp_request *request;

	if (now_ms < ACTIONS_PATIENCE_MS)
		return;
	while ((request = pending_take_old(actions->pending, now_ms - ACTIONS_PATIENCE_MS)) != NULL)
		answer_unknown(request);
}

void
actions_free(struct actions **out)
{
	if (*out == NULL)
		return;
	pending_free(&(*out)->pending);
	free(*out);
	*out = NULL;
}
