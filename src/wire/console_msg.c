/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's side of the contract: frames to messages, answers to frames.
 * Actions are looked at in console_action.c.
 */
#include "wire/console_msg.h"

#include <string.h>

#include "console_action.h"
#include "pb.h"

/* ---- What a console says ------------------------------------------------- */

static enum rc
subscribe_take(struct arena *arena, const Gatehouse__V1__Subscribe *from, struct console_msg *msg,
	       struct err *err)
{
	const char **areas;
	uint32_t *kinds;

	if (from->n_areas > SUBSCRIBE_AREAS_MAX || from->n_kinds > SUBSCRIBE_KINDS_MAX)
		return err_invalid(
			err,
			"subscribe names %zu areas and %zu kinds, at most %d and %d are allowed",
			from->n_areas, from->n_kinds, SUBSCRIBE_AREAS_MAX, SUBSCRIBE_KINDS_MAX);
	if ((unsigned)from->severity_min > SEVERITY_CRITICAL)
		return err_invalid(err, "severity_min of subscribe is %d, expected 0 to %d",
				   (int)from->severity_min, SEVERITY_CRITICAL);
	areas = arena_get(arena, (from->n_areas + 1) * sizeof(*areas));
	kinds = arena_get(arena, (from->n_kinds + 1) * sizeof(*kinds));
	if (areas == NULL || kinds == NULL)
		return err_invalid(err, "subscribe is too large");
	for (size_t i = 0; i < from->n_areas; i++) {
		if (!pb_text_ok(arena, from->areas[i], HELLO_TEXT_MAX))
			return err_invalid(
				err, "area %zu of subscribe is not a text of at most %d bytes",
				i + 1, HELLO_TEXT_MAX);
		areas[i] = from->areas[i];
	}
	for (size_t i = 0; i < from->n_kinds; i++)
		kinds[i] = (uint32_t)from->kinds[i];
	msg->subscribe.areas = areas;
	msg->subscribe.n_areas = from->n_areas;
	msg->subscribe.kinds = kinds;
	msg->subscribe.n_kinds = from->n_kinds;
	msg->subscribe.severity_min = (enum severity)from->severity_min;
	msg->subscribe.from_position = from->from_position;
	msg->subscribe.called_only = from->called_only;
	return RC_OK;
}

enum rc
console_msg_decode(struct arena *arena, const uint8_t *bytes, size_t n, struct console_msg *msg,
		   struct err *err)
{
	ProtobufCAllocator allocator = pb_allocator(arena);
	Gatehouse__V1__FromConsole *from =
		gatehouse__v1__from_console__unpack(&allocator, n, bytes);

	if (from == NULL)
		return err_invalid(err, "not a FromConsole message, or too large");
	switch (from->message_case) {
	case GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_HELLO:
		msg->type = CONSOLE_MSG_HELLO;
		msg->hello.protocol = from->hello->protocol;
		msg->hello.software = from->hello->software;
		if (!pb_text_ok(arena, from->hello->software, HELLO_TEXT_MAX))
			return err_invalid(err,
					   "software in hello is not a text of at most %d bytes",
					   HELLO_TEXT_MAX);
		return RC_OK;
	case GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SUBSCRIBE:
		msg->type = CONSOLE_MSG_SUBSCRIBE;
		return subscribe_take(arena, from->subscribe, msg, err);
	case GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_KEEP_ALIVE:
		msg->type = CONSOLE_MSG_KEEP_ALIVE;
		return RC_OK;
	case GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_ACTION:
		msg->type = CONSOLE_MSG_ACTION;
		return action_take(arena, from->action, &msg->action, err);
	case GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SHOWN:
		msg->type = CONSOLE_MSG_SHOWN;
		return shown_take(arena, from->shown, msg, err);
	case GATEHOUSE__V1__FROM_CONSOLE__MESSAGE__NOT_SET:
	case _GATEHOUSE__V1__FROM_CONSOLE__MESSAGE__CASE_IS_INT_SIZE:
		break;
	}
	return err_invalid(err, "a FromConsole message of a kind that is not in the contract");
}

/* ---- What it is told ----------------------------------------------------- */

static size_t
put_answer(uint8_t out[CONSOLE_ANSWER_MAX], const Gatehouse__V1__ToConsole *to)
{
	return pb_put_framed(out, CONSOLE_ANSWER_MAX, &to->base);
}

size_t
console_put_welcome(uint8_t out[CONSOLE_ANSWER_MAX], const struct console_welcome *welcome)
{
	Gatehouse__V1__ConsoleWelcome body = GATEHOUSE__V1__CONSOLE_WELCOME__INIT;
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;

	body.console = pb_text(welcome->console);
	body.station = pb_text(welcome->station);
	body.keepalive_s = welcome->keepalive_s;
	body.position = welcome->position;
	body.node = welcome->node;
	body.server_time_us = welcome->server_time_us;
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_WELCOME;
	to.welcome = &body;
	return put_answer(out, &to);
}

static void
alarm_set_place(Gatehouse__V1__Alarm *body, const struct alarm_place *place)
{
	body->area = pb_text(place->area);
	body->site = pb_text(place->site);
	body->site_name = pb_text(place->site_name);
	body->door = pb_text(place->door);
	body->door_name = pb_text(place->door_name);
	body->address = pb_text(place->address);
	body->controller = pb_text(place->controller);
	body->station = pb_text(place->station);
	body->handed_to = pb_text(place->handed_to);
	body->supervised = place->supervised;
}

/* The names' table must outlive the packing. */
static void
alarm_set_called(Gatehouse__V1__Alarm *body, const struct alarm_place *place,
		 char *called[ALARM_CALLED_MAX])
{
	must(place->n_called <= ALARM_CALLED_MAX);
	for (size_t i = 0; i < place->n_called; i++)
		called[i] = pb_text(place->called[i]);
	body->called = called;
	body->n_called = place->n_called;
}

static char *
alarm_text(const char *text)
{
	return pb_text(text != NULL ? text : "");
}

static void
alarm_set_change(Gatehouse__V1__Alarm *body, const struct alarm_change *change)
{
	body->position = change->position;
	body->alarm_id = change->alarm_id;
	body->kind = (Gatehouse__V1__Kind)change->kind;
	body->severity = (Gatehouse__V1__Severity)change->severity;
	body->state = (Gatehouse__V1__AlarmState)change->state;
	body->count = change->count;
	body->silent = change->silent != 0;
	body->device_time_us = change->device_time_us;
	body->received_time_us = change->received_us;
	body->durable_time_us = change->durable_us;
	body->raised_time_us = change->raised_us;
	body->cleared_time_us = change->cleared_us;
	/* the server's own observations have no number that a client could know */
	body->epoch = change->epoch > 0 ? (uint64_t)change->epoch : 0;
	body->seq = change->epoch > 0 ? change->seq : 0;
	body->raw_code = pb_text(change->raw_code);
}

static void
alarm_set_life(Gatehouse__V1__Alarm *body, const struct alarm_change *change)
{
	body->change = change->change;
	body->verb = (Gatehouse__V1__Verb)change->verb;
	body->actor_kind = (Gatehouse__V1__ActorKind)change->actor_kind;
	body->actor = alarm_text(change->actor);
	body->operator_ = alarm_text(change->operator_code);
	body->text = alarm_text(change->text);
	body->reject_reason = (Gatehouse__V1__RejectAlarmReason)change->reject;
	body->outcome = (Gatehouse__V1__Outcome)change->outcome;
	body->acted_time_us = change->acted_us;
	body->stage = (Gatehouse__V1__AlarmStage)change->stage;
	body->escalation = change->escalation;
	body->group_id = change->group_id;
	body->shelved_until_us = change->until_us;
	body->acknowledged_time_us = change->acknowledged_us;
	body->acknowledged_by = alarm_text(change->acknowledged_by);
	body->first_acknowledged_time_us = change->first_acknowledged_us;
	body->offered_time_us = change->offered_us;
	body->shown_time_us = change->shown_us;
	body->latched = change->latches != 0;
}

size_t
console_put_alarm(uint8_t out[CONSOLE_ANSWER_MAX], const struct alarm_change *change,
		  const struct alarm_place *place)
{
	Gatehouse__V1__Alarm body = GATEHOUSE__V1__ALARM__INIT;
	char *called[ALARM_CALLED_MAX];
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;

	alarm_set_change(&body, change);
	alarm_set_life(&body, change);
	alarm_set_place(&body, place);
	alarm_set_called(&body, place, called);
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ALARM;
	to.alarm = &body;
	return put_answer(out, &to);
}

size_t
console_put_keep_alive(uint8_t out[CONSOLE_ANSWER_MAX], int64_t clock_us, uint64_t position)
{
	Gatehouse__V1__KeepAlive body = GATEHOUSE__V1__KEEP_ALIVE__INIT;
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;

	body.clock_us = clock_us;
	body.position = position;
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_KEEP_ALIVE;
	to.keep_alive = &body;
	return put_answer(out, &to);
}

size_t
console_put_resync(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t from_position, const char *reason)
{
	Gatehouse__V1__Resync body = GATEHOUSE__V1__RESYNC__INIT;
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;

	body.from_position = from_position;
	body.reason = pb_text(reason);
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_RESYNC;
	to.resync = &body;
	return put_answer(out, &to);
}

size_t
console_put_snapshot_end(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t position)
{
	Gatehouse__V1__SnapshotEnd body = GATEHOUSE__V1__SNAPSHOT_END__INIT;
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;

	body.position = position;
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_SNAPSHOT_END;
	to.snapshot_end = &body;
	return put_answer(out, &to);
}

size_t
console_put_goaway(uint8_t out[CONSOLE_ANSWER_MAX], enum goaway reason, uint32_t delay_ms,
		   const char *detail)
{
	Gatehouse__V1__Goaway body = GATEHOUSE__V1__GOAWAY__INIT;
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;

	body.reason = (Gatehouse__V1__GoawayReason)reason;
	body.delay_ms = delay_ms;
	body.detail = pb_text(detail);
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_GOAWAY;
	to.goaway = &body;
	return put_answer(out, &to);
}

size_t
console_put_action_result(uint8_t out[CONSOLE_ANSWER_MAX], const struct action_result *result)
{
	Gatehouse__V1__ActionResult body = GATEHOUSE__V1__ACTION_RESULT__INIT;
	Gatehouse__V1__ToConsole to = GATEHOUSE__V1__TO_CONSOLE__INIT;
	char detail[ALARM_TEXT_MAX + 1];

	must(strlen(result->by) <= ALARM_BY_MAX);
	pb_cut_text(detail, sizeof(detail), result->detail);
	body.request_id = result->request_id;
	body.alarm_id = result->alarm_id;
	body.accepted = result->refusal == REFUSAL_NONE;
	body.refusal = (Gatehouse__V1__ActionRefusal)result->refusal;
	body.change = result->change;
	body.by = pb_text(result->by);
	body.at_us = result->at_us;
	body.detail = detail;
	to.message_case = GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ACTION_RESULT;
	to.action_result = &body;
	return put_answer(out, &to);
}
