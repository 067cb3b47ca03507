/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record as a controller reported it: does it make sense by itself?  What
 * needs the register (whose door is that) is the session's.
 *
 * Here the card number is in reach for the last time; the session wipes it as
 * soon as there is a token.
 */
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "reported_priv.h"

enum { SEALED_MAX = 16384, UNIT_MAX = 64, FIRMWARE_MAX = 64 };

uint64_t
reported_seq(const struct reported *reported)
{
	return reported_pb(reported)->seq;
}

uint32_t
reported_door(const struct reported *reported)
{
	return reported_pb(reported)->door;
}

const uint8_t *
reported_card(const struct reported *reported, size_t *n)
{
	*n = reported_pb(reported)->card.len;
	return reported_pb(reported)->card.data;
}

void
reported_wipe_card(struct reported *reported)
{
	Gatehouse__V1__Record *pb = (Gatehouse__V1__Record *)(void *)reported;

	if (pb->card.len > 0)
		OPENSSL_cleanse(pb->card.data, pb->card.len);
	pb->card.len = 0;
}

/* ---- Detail: the rare kinds say more, kept as JSON ----------------------- */

static json_t *
detail_of_card(const struct arena *arena, const Gatehouse__V1__CardChange *change, struct err *err)
{
	json_t *json;

	if (!pb_text_ok(arena, change->unit, UNIT_MAX)) {
		(void)err_invalid(err, "card_change.unit is not a text of at most %d bytes",
				  UNIT_MAX);
		return NULL;
	}
	if (change->sealed.len > SEALED_MAX) {
		(void)err_invalid(err, "card_change.sealed has %zu bytes, at most %d are allowed",
				  change->sealed.len, SEALED_MAX);
		return NULL;
	}
	if (change->valid_from_us != 0 && change->valid_until_us != 0 &&
	    change->valid_until_us <= change->valid_from_us) {
		(void)err_invalid(err, "card_change ends before it begins");
		return NULL;
	}
	json = json_pack("{s:i}", "card_kind", (int)change->card_kind);
	if (change->valid_from_us != 0)
		json_object_set_new(json, "valid_from_us", json_integer(change->valid_from_us));
	if (change->valid_until_us != 0)
		json_object_set_new(json, "valid_until_us", json_integer(change->valid_until_us));
	if (change->unit[0] != '\0')
		json_object_set_new(json, "unit", json_string(change->unit));
	if (change->sealed.len > 0) {
		unsigned char text[(SEALED_MAX + 2) / 3 * 4 + 1];
		int n = EVP_EncodeBlock(text, change->sealed.data, (int)change->sealed.len);

		json_object_set_new(json, "sealed", json_stringn((const char *)text, (size_t)n));
	}
	return json;
}

static void
set_number(json_t *json, const char *name, json_int_t value)
{
	if (value != 0)
		json_object_set_new(json, name, json_integer(value));
}

static json_t *
detail_of_device(const struct arena *arena, const Gatehouse__V1__DeviceState *state,
		 struct err *err)
{
	json_t *json;

	if (!pb_text_ok(arena, state->firmware, FIRMWARE_MAX)) {
		(void)err_invalid(err, "device_state.firmware is not a text of at most %d bytes",
				  FIRMWARE_MAX);
		return NULL;
	}
	if (state->records_overwritten > INT64_MAX) {
		(void)err_invalid(err, "device_state.records_overwritten is out of range");
		return NULL;
	}
	json = json_object();
	set_number(json, "uptime_s", state->uptime_s);
	set_number(json, "battery_mv", state->battery_mv);
	set_number(json, "records_waiting", state->records_waiting);
	set_number(json, "clock_before_us", state->clock_before_us);
	set_number(json, "reader", state->reader);
	set_number(json, "records_overwritten", (json_int_t)state->records_overwritten);
	if (state->firmware[0] != '\0')
		json_object_set_new(json, "firmware", json_string(state->firmware));
	return json;
}

static enum reject
reported_take_detail(struct arena *arena, const Gatehouse__V1__Record *pb, const struct kind *kind,
		     struct record *record, struct err *err)
{
	bool unknown = (record->flags & RECORD_UNKNOWN_KIND) != 0;
	json_t *json;
	size_t n;
	char *text;

	if (pb->card_change == NULL && pb->device_state == NULL && !unknown)
		return REJECT_NONE;
	if (pb->card_change != NULL &&
	    (pb->device_state != NULL || (kind->flags & KIND_FLAG_CHANGE) == 0)) {
		(void)err_invalid(err, "card_change does not go with kind %s", kind->name);
		return REJECT_BAD_DETAIL;
	}
	if (pb->card_change != NULL)
		json = detail_of_card(arena, pb->card_change, err);
	else if (pb->device_state != NULL)
		json = detail_of_device(arena, pb->device_state, err);
	else
		json = json_object();
	if (json == NULL)
		return REJECT_BAD_DETAIL;
	if (unknown) /* a number that is not known is kept, not dropped */
		json_object_set_new(json, "kind", json_integer((uint32_t)pb->kind));
	n = json_dumpb(json, NULL, 0, JSON_COMPACT);
	text = n <= DETAIL_MAX ? arena_get(arena, n) : NULL;
	if (text != NULL)
		(void)json_dumpb(json, text, n, JSON_COMPACT);
	json_decref(json);
	if (text == NULL) {
		(void)err_invalid(err, "detail is longer than %d bytes", DETAIL_MAX);
		return REJECT_BAD_DETAIL;
	}
	record->detail = text;
	record->detail_len = n;
	return REJECT_NONE;
}

/* ---- Form and bounds ----------------------------------------------------- */

static enum reject
reported_take_raw_code(const struct arena *arena, const Gatehouse__V1__Record *pb,
		       struct record *record, struct err *err)
{
	if (!pb_text_ok(arena, pb->raw_code, RAW_CODE_MAX)) {
		(void)err_invalid(
			err,
			"raw_code is not UTF-8 text of at most %d bytes without control characters",
			RAW_CODE_MAX);
		return REJECT_BAD_TEXT;
	}
	record->raw_code = pb->raw_code;
	record->raw_code_len = strlen(pb->raw_code);
	return REJECT_NONE;
}

static enum reject
reported_check_reason(const Gatehouse__V1__Record *pb, const struct kind *kind, struct err *err)
{
	bool denied = kind->code == KIND_CODE_ACCESS_DENIED;

	if (denied && reason_name((uint32_t)pb->reason) == NULL)
		(void)err_invalid(err, "reason is %d, expected 1 to %" PRIu32 " with access.denied",
				  (int)pb->reason, reason_count());
	else if (!denied && pb->reason != 0)
		(void)err_invalid(err, "reason is %d, expected none with %s", (int)pb->reason,
				  kind->name);
	else
		return REJECT_NONE;
	return REJECT_BAD_REASON;
}

enum reject
reported_check_time(const Gatehouse__V1__Record *pb, struct err *err)
{
	if (pb->time_us >= TIME_MIN_US && pb->time_us < TIME_MAX_US)
		return REJECT_NONE;
	(void)err_invalid(err, "time_us is %" PRId64 ", expected a time from 2000 to 2100",
			  pb->time_us);
	return REJECT_IMPOSSIBLE_TIME;
}

enum reject
reported_check_card(const Gatehouse__V1__Record *pb, const struct kind *kind, struct err *err)
{
	if (pb->card.len > CARD_MAX)
		(void)err_invalid(err, "card has %zu bytes, at most %d are allowed", pb->card.len,
				  CARD_MAX);
	else if (pb->card.len == 0 && (kind->flags & KIND_FLAG_CARD) != 0)
		(void)err_invalid(err, "card is missing, and required with %s", kind->name);
	else
		return REJECT_NONE;
	return REJECT_BAD_CARD;
}

/* Under which list of rights the controller decided. */
static enum reject
reported_take_list_number(const Gatehouse__V1__Record *pb, const struct kind *kind,
			  struct record *record, struct err *err)
{
	bool decided =
		kind->code == KIND_CODE_ACCESS_GRANTED || kind->code == KIND_CODE_ACCESS_DENIED;

	if (pb->list_number == 0)
		return REJECT_NONE;
	if (!decided || pb->list_number > LIST_NUMBER_MAX) {
		(void)err_invalid(err, "list_number does not go with %s, or is out of range",
				  kind->name);
		return REJECT_BAD_DETAIL;
	}
	record->flags |= RECORD_HAS_LIST;
	record->list_number = pb->list_number;
	return REJECT_NONE;
}

static const struct kind *
reported_kind(const Gatehouse__V1__Record *pb, struct record *record)
{
	const struct kind *kind = kind_get((uint32_t)pb->kind);

	if (kind == NULL) {
		record->flags |= RECORD_UNKNOWN_KIND;
		kind = kind_get(KIND_CODE_DEVICE_OTHER);
	}
	record->kind = kind->code;
	return kind;
}

enum reject
reported_check(struct arena *arena, const struct reported *reported, struct record *record,
	       struct err *err)
{
	const Gatehouse__V1__Record *pb = reported_pb(reported);
	const struct kind *kind;
	enum reject reject;

	*record = (struct record){.seq = pb->seq, .device_time_us = pb->time_us};
	kind = reported_kind(pb, record);
	if ((kind->flags & KIND_FLAG_SERVER) != 0) {
		(void)err_invalid(err, "%s is reported by the server only", kind->name);
		return REJECT_NOT_YOURS;
	}
	if ((kind->flags & KIND_FLAG_GRANT) != 0) {
		(void)err_invalid(err, "%s is reported by registration desks only", kind->name);
		return REJECT_NOT_YOURS;
	}
	reject = reported_check_time(pb, err);
	if (reject == REJECT_NONE)
		reject = reported_take_raw_code(arena, pb, record, err);
	if (reject == REJECT_NONE)
		reject = reported_check_card(pb, kind, err);
	if (reject == REJECT_NONE)
		reject = reported_check_reason(pb, kind, err);
	if (reject == REJECT_NONE)
		reject = reported_take_list_number(pb, kind, record, err);
	if (reject == REJECT_NONE)
		reject = reported_take_detail(arena, pb, kind, record, err);
	if (reject == REJECT_NONE)
		record->reason = (uint16_t)pb->reason;
	return reject;
}

/* ---- Quarantine ---------------------------------------------------------- */

static void
drop_unknown(ProtobufCMessage *message)
{
	message->n_unknown_fields = 0;
	message->unknown_fields = NULL;
}

size_t
reported_pack_safely(struct reported *reported, uint8_t *out, size_t max)
{
	Gatehouse__V1__Record *pb = (Gatehouse__V1__Record *)(void *)reported;
	size_t n;

	reported_wipe_card(reported);
	drop_unknown(&pb->base);
	if (pb->card_change != NULL)
		drop_unknown(&pb->card_change->base);
	if (pb->device_state != NULL)
		drop_unknown(&pb->device_state->base);
	if (pb->grant_change != NULL) {
		drop_unknown(&pb->grant_change->base);
		for (size_t i = 0; i < pb->grant_change->n_hours; i++)
			drop_unknown(&pb->grant_change->hours[i]->base);
	}
	n = gatehouse__v1__record__get_packed_size(pb);
	return n <= max ? gatehouse__v1__record__pack(pb, out) : 0;
}
