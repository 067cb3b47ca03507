/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract from the console's end.  The server is trusted to be ours, and what
 * it says is checked all the same: its texts go into pages and logs.
 */
#include "wire/console_peer.h"

#include "pb.h"

/* ---- What the server says -------------------------------------------------- */

static bool
alarm_texts_ok(const struct arena *arena, const Gatehouse__V1__Alarm *from)
{
	const char *const texts[] = {from->area,    from->site,       from->site_name,
				     from->door,    from->door_name,  from->address,
				     from->station, from->controller, from->raw_code};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!pb_text_ok(arena, texts[i], CONSOLE_ANSWER_MAX))
			return false;
	for (size_t i = 0; i < from->n_called; i++)
		if (!pb_text_ok(arena, from->called[i], ALARM_NAME_MAX))
			return false;
	return from->n_called <= ALARM_CALLED_MAX;
}

static enum rc
alarm_take(const struct arena *arena, const Gatehouse__V1__Alarm *from, struct console_alarm *alarm,
	   struct err *err)
{
	if (!alarm_texts_ok(arena, from))
		return err_invalid(err,
				   "a text of an alarm is not UTF-8 without control characters");
	if (from->alarm_id == 0 || from->position == 0)
		return err_invalid(err, "an alarm has no id, or no position");
	*alarm = (struct console_alarm){
		.position = from->position,
		.alarm_id = from->alarm_id,
		.kind = (uint32_t)from->kind,
		.severity = (enum severity)from->severity,
		.state = (unsigned)from->state,
		.count = from->count,
		.silent = from->silent != 0,
		.place = {.area = from->area,
			  .site = from->site,
			  .site_name = from->site_name,
			  .door = from->door,
			  .door_name = from->door_name,
			  .address = from->address,
			  .controller = from->controller,
			  .station = from->station,
			  .handed_to = from->handed_to,
			  .n_called = from->n_called,
			  .supervised = from->supervised != 0},
		.device_time_us = from->device_time_us,
		.received_us = from->received_time_us,
		.durable_us = from->durable_time_us,
		.raised_us = from->raised_time_us,
		.cleared_us = from->cleared_time_us,
		.epoch = from->epoch,
		.seq = from->seq,
		.raw_code = from->raw_code,
		.change = from->change,
		.verb = (enum alarm_verb)from->verb,
		.actor_kind = (enum actor_kind)from->actor_kind,
		.actor = from->actor,
		.operator_code = from->operator_,
		.text = from->text,
		.acknowledged_by = from->acknowledged_by,
		.reject = (enum reject_alarm)from->reject_reason,
		.outcome = (enum outcome)from->outcome,
		.stage = (enum alarm_stage)from->stage,
		.escalation = from->escalation,
		.group_id = from->group_id,
		.acted_us = from->acted_time_us,
		.shelved_until_us = from->shelved_until_us,
		.acknowledged_us = from->acknowledged_time_us,
		.first_acknowledged_us = from->first_acknowledged_time_us,
		.offered_us = from->offered_time_us,
		.shown_us = from->shown_time_us,
		.latched = from->latched != 0,
	};
	for (size_t i = 0; i < from->n_called; i++)
		alarm->place.called[i] = from->called[i];
	return RC_OK;
}

static enum rc
welcome_take(const struct arena *arena, const Gatehouse__V1__ConsoleWelcome *from,
	     struct console_news *news, struct err *err)
{
	if (!pb_text_ok(arena, from->console, HELLO_TEXT_MAX) ||
	    !pb_text_ok(arena, from->station, HELLO_TEXT_MAX))
		return err_invalid(err, "a text of the welcome is not one of at most %d bytes",
				   HELLO_TEXT_MAX);
	if (from->keepalive_s == 0)
		return err_invalid(err, "the welcome has no keepalive_s");
	news->welcome.console = from->console;
	news->welcome.station = from->station;
	news->welcome.keepalive_s = from->keepalive_s;
	news->welcome.node = from->node;
	news->welcome.position = from->position;
	return RC_OK;
}

static enum rc
result_take(const struct arena *arena, const Gatehouse__V1__ActionResult *from,
	    struct action_result *result, struct err *err)
{
	if (!pb_text_ok(arena, from->by, ALARM_BY_MAX) ||
	    !pb_text_ok(arena, from->detail, CONSOLE_ANSWER_MAX))
		return err_invalid(err, "a text of an action's result is not one, or too long");
	*result = (struct action_result){
		.request_id = from->request_id,
		.alarm_id = from->alarm_id,
		/* a refusal of a newer server's has no name, and is one all the same */
		.refusal = from->accepted      ? REFUSAL_NONE
			   : from->refusal > 0 ? (enum action_refusal)from->refusal
					       : REFUSAL_FORM,
		.change = from->change,
		.at_us = from->at_us,
		.by = from->by,
		.detail = from->detail,
	};
	return RC_OK;
}

enum rc
console_news_decode(struct arena *arena, const uint8_t *bytes, size_t n, struct console_news *news,
		    struct err *err)
{
	ProtobufCAllocator allocator = pb_allocator(arena);
	Gatehouse__V1__ToConsole *to = gatehouse__v1__to_console__unpack(&allocator, n, bytes);

	if (to == NULL)
		return err_invalid(err, "not a ToConsole message, or too large");
	*news = (struct console_news){.type = CONSOLE_NEWS_OTHER};
	switch ((int)to->message_case) {
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_WELCOME:
		news->type = CONSOLE_NEWS_WELCOME;
		return welcome_take(arena, to->welcome, news, err);
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ALARM:
		news->type = CONSOLE_NEWS_ALARM;
		return alarm_take(arena, to->alarm, &news->alarm, err);
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_KEEP_ALIVE:
		news->type = CONSOLE_NEWS_KEEP_ALIVE;
		news->position = to->keep_alive->position;
		return RC_OK;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_RESYNC:
		news->type = CONSOLE_NEWS_RESYNC;
		news->resync_reason = to->resync->reason;
		return RC_OK;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_SNAPSHOT_END:
		news->type = CONSOLE_NEWS_SNAPSHOT_END;
		news->position = to->snapshot_end->position;
		return RC_OK;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_GOAWAY:
		news->type = CONSOLE_NEWS_GOAWAY;
		news->goaway.reason = (uint32_t)to->goaway->reason;
		news->goaway.delay_ms = to->goaway->delay_ms;
		news->goaway.detail = to->goaway->detail;
		return RC_OK;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ACTION_RESULT:
		news->type = CONSOLE_NEWS_ACTION_RESULT;
		return result_take(arena, to->action_result, &news->result, err);
	default: /* a newer server's */
		return RC_OK;
	}
}

/* ---- What the console says ------------------------------------------------- */

static size_t
say(uint8_t out[CONSOLE_ANSWER_MAX], const Gatehouse__V1__FromConsole *from)
{
	return pb_put_framed(out, CONSOLE_ANSWER_MAX, &from->base);
}

size_t
console_say_hello(uint8_t out[CONSOLE_ANSWER_MAX], const char *software)
{
	Gatehouse__V1__ConsoleHello body = GATEHOUSE__V1__CONSOLE_HELLO__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	body.protocol = PROTOCOL_VERSION;
	body.software = pb_text(software);
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_HELLO;
	from.hello = &body;
	return say(out, &from);
}

size_t
console_say_subscribe(uint8_t out[CONSOLE_ANSWER_MAX], uint64_t from_position,
		      const struct console_filter *filter)
{
	Gatehouse__V1__Subscribe body = GATEHOUSE__V1__SUBSCRIBE__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__Kind kinds[SUBSCRIBE_KINDS_MAX];

	must(filter->n_kinds <= SUBSCRIBE_KINDS_MAX);
	for (size_t i = 0; i < filter->n_kinds; i++)
		kinds[i] = (Gatehouse__V1__Kind)filter->kinds[i];
	body.kinds = kinds;
	body.n_kinds = filter->n_kinds;
	body.severity_min = (Gatehouse__V1__Severity)filter->severity_min;
	body.from_position = from_position;
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SUBSCRIBE;
	from.subscribe = &body;
	return say(out, &from);
}

size_t
console_say_action(uint8_t out[CONSOLE_ANSWER_MAX], const struct action_request *request)
{
	Gatehouse__V1__Action body = GATEHOUSE__V1__ACTION__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	body.request_id = request->request_id;
	body.alarm_id = request->alarm_id;
	body.seen_change = request->seen_change;
	body.verb = (Gatehouse__V1__Verb)request->verb;
	body.operator_ = pb_text(request->operator_code);
	body.until_us = request->until_us;
	body.reject_reason = (Gatehouse__V1__RejectAlarmReason)request->reject;
	body.outcome = (Gatehouse__V1__Outcome)request->outcome;
	body.text = pb_text(request->text);
	body.station = pb_text(request->station);
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_ACTION;
	from.action = &body;
	return say(out, &from);
}

size_t
console_say_shown(uint8_t out[CONSOLE_ANSWER_MAX], const struct alarm_seen *alarms, size_t n)
{
	Gatehouse__V1__ShownAlarm items[SHOWN_MAX], *list[SHOWN_MAX];
	Gatehouse__V1__Shown body = GATEHOUSE__V1__SHOWN__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	must(n <= SHOWN_MAX);
	for (size_t i = 0; i < n; i++) {
		gatehouse__v1__shown_alarm__init(&items[i]);
		items[i].alarm_id = alarms[i].alarm_id;
		items[i].change = alarms[i].change;
		items[i].shown_time_us = alarms[i].shown_us;
		list[i] = &items[i];
	}
	body.n_alarms = n;
	body.alarms = list;
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SHOWN;
	from.shown = &body;
	return say(out, &from);
}

size_t
console_say_keep_alive(uint8_t out[CONSOLE_ANSWER_MAX], int64_t clock_us)
{
	Gatehouse__V1__KeepAlive body = GATEHOUSE__V1__KEEP_ALIVE__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	body.clock_us = clock_us;
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_KEEP_ALIVE;
	from.keep_alive = &body;
	return say(out, &from);
}
