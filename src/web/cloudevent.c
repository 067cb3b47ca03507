/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source: CloudEvents 1.0.2, "JSON Event Format"; HTML Living Standard, "Server-sent
 * events".
 */
#include "web/cloudevent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

void
event_id_write(char out[EVENT_ID_MAX], uint32_t node, uint64_t position)
{
	(void)snprintf(out, EVENT_ID_MAX, "%" PRIu32 "-%" PRIu64, node, position);
}

bool
event_id_read(const char *text, uint32_t *node, uint64_t *position)
{
	char again[EVENT_ID_MAX], *end;

	*node = (uint32_t)strtoul(text, &end, 10);
	if (*end != '-')
		return false;
	*position = strtoull(end + 1, NULL, 10);
	/* exactly as we write it: no blanks, signs, overflows */
	event_id_write(again, *node, *position);
	return strcmp(again, text) == 0;
}

static json_t *
time_json(int64_t time_us)
{
	char text[32];

	return time_us == 0 ? json_null() : json_string(log_time_text(time_us, text));
}

static void
put(json_t *object, const char *key, json_t *value)
{
	must(json_object_set_new(object, key, value) == 0);
}

static void
put_number_text(json_t *object, const char *key, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	put(object, key, json_string(text));
}

static void
put_place(json_t *data, const struct alarm_place *place)
{
	put(data, "area", json_string(place->area));
	put(data, "site", json_string(place->site));
	put(data, "site_name", json_string(place->site_name));
	put(data, "door", json_string(place->door));
	put(data, "door_name", json_string(place->door_name));
	put(data, "address", json_string(place->address));
	put(data, "controller", json_string(place->controller));
	put(data, "station", json_string(place->station));
}

/* What people, and the server in their place, have done with it. */
static void
put_life(json_t *data, const struct console_alarm *alarm)
{
	put(data, "change", json_integer(alarm->change));
	put(data, "stage", json_string(alarm_stage_name(alarm->stage)));
	put(data, "verb",
	    alarm->verb == VERB_NONE ? json_null() : json_string(verb_name(alarm->verb)));
	put(data, "by_server", json_boolean(alarm->actor_kind == ACTOR_SERVER));
	put(data, "actor", json_string(alarm->actor));
	put(data, "operator", json_string(alarm->operator_code));
	put(data, "text", json_string(alarm->text));
	put(data, "reject_reason",
	    alarm->reject == REJECT_ALARM_NONE ? json_null()
					       : json_string(reject_alarm_name(alarm->reject)));
	put(data, "outcome",
	    alarm->outcome == OUTCOME_NONE ? json_null()
					   : json_string(outcome_name(alarm->outcome)));
	put(data, "acted_time", time_json(alarm->acted_us));
	put(data, "acknowledged_time", time_json(alarm->acknowledged_us));
	put(data, "acknowledged_by", json_string(alarm->acknowledged_by));
	put(data, "first_acknowledged_time", time_json(alarm->first_acknowledged_us));
	put(data, "shelved_until", time_json(alarm->shelved_until_us));
	put(data, "escalation", json_integer(alarm->escalation));
	put(data, "latched", json_boolean(alarm->latched));
	put(data, "supervised", json_boolean(alarm->place.supervised));
	put(data, "handed_to", json_string(alarm->place.handed_to));
	put(data, "offered_time", time_json(alarm->offered_us));
	put(data, "shown_time", time_json(alarm->shown_us));
}

/* Those that are called to answer; and the group that this one is folded into. */
static void
put_calls(json_t *data, const struct console_alarm *alarm)
{
	json_t *called = json_array();

	for (size_t i = 0; i < alarm->place.n_called; i++)
		must(json_array_append_new(called, json_string(alarm->place.called[i])) == 0);
	put(data, "called", called);
	if (alarm->group_id != 0)
		put_number_text(data, "group_id", alarm->group_id);
	else
		put(data, "group_id", json_null());
}

json_t *
event_alarm_data(const struct console_alarm *alarm)
{
	const struct kind *kind = kind_get(alarm->kind);
	json_t *data = json_object();

	put_number_text(data, "alarm_id", alarm->alarm_id);
	put(data, "position", json_integer((json_int_t)alarm->position));
	put(data, "kind", json_string(kind != NULL ? kind->name : "device.other"));
	put(data, "severity", json_string(severity_name(alarm->severity)));
	put(data, "severity_level", json_integer(alarm->severity));
	put(data, "state", json_string(alarm_state_name(alarm->state)));
	put(data, "count", json_integer(alarm->count));
	put(data, "silent", json_boolean(alarm->silent));
	put_place(data, &alarm->place);
	put(data, "device_time", time_json(alarm->device_time_us));
	put(data, "received_time", time_json(alarm->received_us));
	put(data, "durable_time", time_json(alarm->durable_us));
	put(data, "raised_time", time_json(alarm->raised_us));
	put(data, "cleared_time", time_json(alarm->cleared_us));
	put(data, "raw_code", json_string(alarm->raw_code));
	put_life(data, alarm);
	put_calls(data, alarm);
	return data;
}

/* An alarm may change twice in one microsecond: where there is a place, it tells them
 * apart. */
static json_t *
event_name(const struct cloudevent *event)
{
	return event->id != NULL ? json_sprintf("%s/%s/%s", event->name, event->id, event->subject)
				 : json_sprintf("%s/%" PRId64 "/%s", event->name, event->time_us,
						event->subject);
}

char *
event_json(const struct cloudevent *event)
{
	json_t *root = json_object();
	char source[32], type[64], *json;

	(void)snprintf(source, sizeof(source), "urn:gatehouse:node:%" PRIu32, event->node);
	(void)snprintf(type, sizeof(type), "gatehouse.%s", event->name);
	put(root, "specversion", json_string("1.0"));
	put(root, "id", event_name(event));
	put(root, "source", json_string(source));
	put(root, "type", json_string(type));
	put(root, "subject", json_string(event->subject));
	put(root, "time", time_json(event->time_us));
	put(root, "datacontenttype", json_string("application/json"));
	put(root, "data", json_incref(event->data));
	json = json_dumps(root, JSON_COMPACT);
	must(json != NULL);
	json_decref(root);
	return json;
}

char *
event_frame(const struct cloudevent *event, size_t *n)
{
	const char *id = event->id;
	char *json = event_json(event), *frame;

	frame = xasprintf("%s%s%sevent: %s\ndata: %s\n\n", id != NULL ? "id: " : "",
			  id != NULL ? id : "", id != NULL ? "\n" : "", event->name, json);
	free(json);
	*n = strlen(frame);
	return frame;
}
