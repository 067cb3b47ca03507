/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hub says, as bytes: frames of the contract for consoles, a line of
 * JSON for operators.  The places' names come from the register as it is now;
 * what it doesn't know is an empty text, never a reason to keep an alarm back.
 *
 * Owner: the hub; keeps nothing.
 */
#include <jansson.h>
#include <string.h>

#include "desk/life.h"
#include "hub_priv.h"

/* ---- Where it is ----------------------------------------------------------------- */

static void
place_set_site(struct alarm_place *place, const struct site *site)
{
	place->area = site->area->code;
	place->site = site->code;
	place->site_name = site->name;
	place->address = site->address;
	if (site->area->station != NULL)
		place->station = site->area->station->code;
}

static void
place_set_door(struct alarm_place *place, const struct door *door)
{
	place->door = door->code;
	place->door_name = door->name;
	if (door->address[0] != '\0')
		place->address = door->address;
}

static void
place_set_stations(struct alarm_place *place, const struct alarm_change *change,
		   const struct reg *reg)
{
	const struct station *called[ALARM_CALLED_MAX], *handed;

	if (reg == NULL)
		return;
	place->n_called = hub_called(reg, change, called);
	for (size_t i = 0; i < place->n_called; i++)
		place->called[i] = called[i]->code;
	handed = reg_station(reg, change->handed_station_id);
	if (handed != NULL)
		place->handed_to = handed->code;
}

static struct alarm_place
place_of(const struct alarm_change *change, const struct reg *reg)
{
	struct alarm_place place = {.area = "",
				    .site = "",
				    .site_name = "",
				    .door = "",
				    .door_name = "",
				    .address = "",
				    .controller = "",
				    .station = "",
				    .handed_to = ""};
	const struct site *site = hub_site(reg, change);
	const struct door *door = reg != NULL ? reg_door(reg, change->door_id) : NULL;
	const struct controller *controller =
		reg != NULL ? reg_controller(reg, change->controller_id) : NULL;

	if (site != NULL)
		place_set_site(&place, site);
	if (door != NULL)
		place_set_door(&place, door);
	if (controller != NULL)
		place.controller = controller->name;
	place_set_stations(&place, change, reg);
	place.supervised = life_is_supervised(change);
	return place;
}

/* ---- JSON ------------------------------------------------------------------------- */

/* A text that is not UTF-8 is left out; the rest is still true. */
static void
json_put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text);

	must(json_object_set_new(object, key, value != NULL ? value : json_string("")) == 0);
}

static void
json_put_number(json_t *object, const char *key, int64_t number)
{
	must(json_object_set_new(object, key, json_integer(number)) == 0);
}

static void
json_put_change(json_t *object, const struct alarm_change *change)
{
	const struct kind *kind = kind_get(change->kind);

	json_put_number(object, "position", (int64_t)change->position);
	json_put_number(object, "alarm_id", (int64_t)change->alarm_id);
	json_put_text(object, "kind", kind != NULL ? kind->name : "unknown");
	json_put_text(object, "severity", severity_name((enum severity)change->severity));
	json_put_text(object, "state", alarm_state_name(change->state));
	json_put_number(object, "count", change->count);
	must(json_object_set_new(object, "silent", json_boolean(change->silent != 0)) == 0);
	json_put_number(object, "change", change->change);
}

/* What isn't there, or is nothing, is left out. */
static void
json_put_text_if(json_t *object, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_put_text(object, key, text);
}

static void
json_put_number_if(json_t *object, const char *key, int64_t number)
{
	if (number != 0)
		json_put_number(object, key, number);
}

static void
json_put_action(json_t *object, const struct alarm_change *change)
{
	if (change->verb == VERB_NONE)
		return;
	json_put_text(object, "verb", verb_name(change->verb));
	json_put_text_if(object, "actor", change->actor);
	json_put_text_if(object, "operator", change->operator_code);
	json_put_text_if(object, "text", change->text);
	if (change->reject != REJECT_ALARM_NONE)
		json_put_text(object, "reject_reason", reject_alarm_name(change->reject));
	if (change->outcome != OUTCOME_NONE)
		json_put_text(object, "outcome", outcome_name(change->outcome));
	json_put_number(object, "acted_time_us", change->acted_us);
}

static void
json_put_life(json_t *object, const struct alarm_change *change, const struct alarm_place *place)
{
	json_t *called = json_array();

	must(called != NULL);
	for (size_t i = 0; i < place->n_called; i++)
		must(json_array_append_new(called, json_string(place->called[i])) == 0);
	must(json_object_set_new(object, "called", called) == 0);
	if (change->stage != ALARM_STAGE_NONE)
		json_put_text(object, "stage", alarm_stage_name(change->stage));
	json_put_number_if(object, "escalation", change->escalation);
	json_put_number_if(object, "group_id", (int64_t)change->group_id);
	json_put_text_if(object, "handed_to", place->handed_to);
	json_put_text_if(object, "acknowledged_by", change->acknowledged_by);
	json_put_number_if(object, "acknowledged_time_us", change->acknowledged_us);
	json_put_number_if(object, "shelved_until_us", change->until_us);
}

static void
json_put_place(json_t *object, const struct alarm_place *place)
{
	json_put_text(object, "area", place->area);
	json_put_text(object, "site", place->site);
	json_put_text(object, "site_name", place->site_name);
	json_put_text(object, "door", place->door);
	json_put_text(object, "door_name", place->door_name);
	json_put_text(object, "address", place->address);
	json_put_text(object, "controller", place->controller);
	json_put_text(object, "station", place->station);
}

static void
json_put_times(json_t *object, const struct alarm_change *change)
{
	json_put_number(object, "device_time_us", change->device_time_us);
	json_put_number(object, "received_time_us", change->received_us);
	json_put_number(object, "durable_time_us", change->durable_us);
	json_put_number(object, "raised_time_us", change->raised_us);
	json_put_number(object, "cleared_time_us", change->cleared_us);
}

/* Takes the object; writes it as a line. */
static size_t
json_put_line(json_t *object, uint8_t out[HUB_FRAME_MAX])
{
	size_t n = json_dumpb(object, (char *)out, HUB_FRAME_MAX, JSON_COMPACT);

	must(n > 0 && n < HUB_FRAME_MAX);
	json_decref(object);
	out[n] = '\n';
	return n + 1;
}

static json_t *
json_new_object(void)
{
	json_t *object = json_object();

	must(object != NULL);
	return object;
}

/* ---- By format -------------------------------------------------------------------- */

size_t
hub_put_change(enum hub_format format, const struct alarm_change *change, const struct reg *reg,
	       uint8_t out[HUB_FRAME_MAX])
{
	struct alarm_place place = place_of(change, reg);
	json_t *object;

	if (format == HUB_FORMAT_WIRE)
		return console_put_alarm(out, change, &place);
	object = json_new_object();
	json_put_change(object, change);
	json_put_place(object, &place);
	json_put_times(object, change);
	json_put_action(object, change);
	json_put_life(object, change, &place);
	json_put_text(object, "raw_code", change->raw_code);
	return json_put_line(object, out);
}

size_t
hub_put_resync(enum hub_format format, uint64_t from_position, const char *reason,
	       uint8_t out[HUB_FRAME_MAX])
{
	json_t *object;

	if (format == HUB_FORMAT_WIRE)
		return console_put_resync(out, from_position, reason);
	object = json_new_object();
	must(json_object_set_new(object, "resync", json_true()) == 0);
	json_put_text(object, "reason", reason);
	return json_put_line(object, out);
}

size_t
hub_put_snapshot_end(enum hub_format format, uint64_t position, uint8_t out[HUB_FRAME_MAX])
{
	json_t *object;

	if (format == HUB_FORMAT_WIRE)
		return console_put_snapshot_end(out, position);
	object = json_new_object();
	must(json_object_set_new(object, "snapshot_end", json_true()) == 0);
	json_put_number(object, "position", (int64_t)position);
	return json_put_line(object, out);
}
