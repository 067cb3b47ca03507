/* SPDX-License-Identifier: Apache-2.0 */
/* Actions over the operator's socket: JSON in, JSON out.  Owner: the main thread. */
#include "daemon/control_act.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A text without control characters of at most `max` bytes; "" when there is none; NULL
 * when it is something else.  jansson has seen to UTF-8. */
static const char *
take_text(const json_t *request, const char *key, size_t max, struct err *err)
{
	const json_t *value = json_object_get(request, key);
	const char *text = value != NULL ? json_string_value(value) : "";
	bool ok = text != NULL && strlen(text) <= max;

	for (size_t i = 0; ok && text[i] != '\0'; i++)
		ok = (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
	if (ok)
		return text;
	(void)err_invalid(err, "\"%s\" is not a text of at most %zu bytes", key, max);
	return NULL;
}

/* The number of a name; 0 when there is none.  False when the name is nobody's. */
static bool
take_name(const json_t *request, const char *key, unsigned (*by_name)(const char *),
	  unsigned *number, struct err *err)
{
	const char *name = take_text(request, key, ALARM_NAME_MAX, err);

	if (name == NULL)
		return false;
	*number = name[0] != '\0' ? by_name(name) : 0;
	if (name[0] == '\0' || *number != 0)
		return true;
	(void)err_invalid(err, "there is no %s \"%s\"", key, name);
	return false;
}

static unsigned
verb_number(const char *name)
{
	enum alarm_verb verb = verb_by_name(name);

	return verb_is_of_people(verb) ? verb : VERB_NONE;
}

static unsigned
outcome_number(const char *name)
{
	return outcome_by_name(name);
}

static unsigned
reject_number(const char *name)
{
	return reject_alarm_by_name(name);
}

static int64_t
take_number(const json_t *request, const char *key)
{
	return json_integer_value(json_object_get(request, key));
}

static bool
take_request(const json_t *request, struct action_request *to, struct err *err)
{
	unsigned verb, outcome, reject;

	if (!take_name(request, "do", verb_number, &verb, err) ||
	    !take_name(request, "outcome", outcome_number, &outcome, err) ||
	    !take_name(request, "reject_reason", reject_number, &reject, err))
		return false;
	*to = (struct action_request){
		.alarm_id = (uint64_t)take_number(request, "alarm_id"),
		.seen_change = (uint32_t)take_number(request, "seen_change"),
		.verb = (enum alarm_verb)verb,
		.outcome = (enum outcome)outcome,
		.reject = (enum reject_alarm)reject,
		.until_us = take_number(request, "until_us"),
		.operator_code = take_text(request, "operator", ALARM_NAME_MAX, err),
		.text = take_text(request, "text", ALARM_TEXT_MAX, err),
		.station = take_text(request, "station", ALARM_NAME_MAX, err),
	};
	return to->operator_code != NULL && to->text != NULL && to->station != NULL;
}

/* Whose process it is; a user that has no name has a number. */
static void
put_user(int fd, char *out, size_t size)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t n = sizeof(peer);
	struct passwd entry, *found = NULL;
	char buffer[1024];

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
	if (getpwuid_r(peer.uid, &entry, buffer, sizeof(buffer), &found) == 0 && found != NULL &&
	    strlen(found->pw_name) < size)
		(void)snprintf(out, size, "%s", found->pw_name);
	else
		(void)snprintf(out, size, "uid %u", (unsigned)peer.uid);
}

struct action_ask *
control_act_ask(const json_t *request, int fd, struct err *err)
{
	struct action_request parts;
	struct action_ask *ask;

	if (!take_request(request, &parts, err))
		return NULL;
	ask = action_ask_new(&parts);
	ask->actor_kind = ACTOR_OPERATOR;
	ask->supervisor = true;
	put_user(fd, ask->actor, sizeof(ask->actor));
	return ask;
}

json_t *
control_act_reply(const struct action_result *result)
{
	json_t *reply;
	char *error;

	if (result->refusal == REFUSAL_NONE)
		return json_pack("{s:b, s:I}", "ok", 1, "change", (json_int_t)result->change);
	error = result->by[0] != '\0' ? xasprintf("%s (last by %s)", result->detail, result->by)
				      : xstrdup(result->detail);
	reply = json_pack("{s:b, s:s, s:s, s:s, s:I}", "ok", 0, "error", error, "refusal",
			  refusal_name(result->refusal), "by", result->by, "at_us",
			  (json_int_t)result->at_us);
	free(error);
	return reply;
}
