/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: bytes as what a controller or a registration desk sends, taken the
 * way that the session takes them: frame, message, look at the record, token for card, body
 * of a journal entry; or quarantine.
 *
 * Beside crashes it looks for values outside the bounds that the headers
 * promise, for a good record that the journal's decoder would refuse, and for a
 * card in what goes into quarantine.
 */
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "gatehouse.pb-c.h"
#include "wire/controller_msg.h"
#include "wire/kind.h"
#include "wire/registration.h"

enum { FRAME_MAX = 64 * 1024, ARENA_BYTES = 128 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_hello(const struct hello *hello)
{
	must(hello->epoch < EPOCH_MAX && hello->acked_seq <= SEQ_MAX);
	must(hello->clock_us >= 0 && hello->clock_us <= INT64_MAX / 2);
	must(strlen(hello->firmware) <= HELLO_TEXT_MAX);
	must(hello->n_doors <= CONTROLLER_DOORS_MAX);
	must(hello->list_number <= LIST_NUMBER_MAX);
	for (size_t i = 0; i < hello->n_doors; i++)
		must(strlen(hello->doors[i].code) <= HELLO_TEXT_MAX);
}

static void
check_quarantine(struct reported *reported)
{
	uint8_t *out = malloc(DETAIL_MAX);
	Gatehouse__V1__Record *back;
	size_t n;

	must(out != NULL);
	n = reported_pack_safely(reported, out, DETAIL_MAX);
	must(n <= DETAIL_MAX);
	back = n > 0 ? gatehouse__v1__record__unpack(NULL, n, out) : NULL;
	must(n == 0 || back != NULL);
	if (back != NULL) {
		must(back->card.len == 0 && back->base.n_unknown_fields == 0);
		gatehouse__v1__record__free_unpacked(back, NULL);
	}
	free(out);
}

static void
check_body(struct record *record, bool has_card)
{
	struct record back;
	struct err err;
	uint8_t *body;
	size_t len;

	/* what the session adds */
	if (has_card) {
		record->flags |= RECORD_HAS_TOKEN;
		memset(record->token, 0x5a, TOKEN_BYTES);
	}
	record->controller_id = 1;
	record->site_id = 2;
	record->epoch = 3;
	len = record_encoded_len(record);
	must(len <= ENTRY_BODY_MAX);
	body = malloc(len);
	must(body != NULL);
	must(record_encode(record, body) == body + len);
	must(record_decode(body, len, &back, &err) == RC_OK);
	must(back.seq == record->seq && back.kind == record->kind &&
	     back.reason == record->reason && back.flags == record->flags &&
	     back.device_time_us == record->device_time_us);
	must(back.raw_code_len == record->raw_code_len && back.detail_len == record->detail_len);
	must(memcmp(back.raw_code, record->raw_code, back.raw_code_len) == 0);
	must(back.detail_len == 0 || memcmp(back.detail, record->detail, back.detail_len) == 0);
	free(body);
}

/* The same record, as if a registration desk had sent it. */
static void
take_registration(struct arena *arena, const struct reported *reported)
{
	struct registration ask;
	const char *site = NULL;
	struct err err = {0};
	size_t card_len;
	enum reject reject = registration_check(arena, reported, &ask, &site, &err);

	must((reject == REJECT_NONE) == (err.msg[0] == '\0'));
	must(ask.seq == reported_seq(reported));
	if (reject != REJECT_NONE) {
		must(reject_name(reject) != NULL);
		return;
	}
	(void)reported_card(reported, &card_len);
	must(card_len >= 1 && card_len <= CARD_MAX);
	must(site[0] != '\0' && strlen(site) <= RIGHT_TEXT_MAX);
	must(strlen(ask.unit) <= RIGHT_TEXT_MAX && strlen(ask.group) <= RIGHT_TEXT_MAX);
	must(ask.card_kind <= CARD_KIND_STAFF && ask.sealed_len <= RIGHT_SEALED_MAX);
	must(ask.n_doors <= RIGHT_DOORS_MAX && ask.n_hours <= RIGHT_HOURS_MAX);
	must(ask.valid_until_us == 0 || ask.valid_until_us > ask.valid_from_us);
	for (size_t i = 0; i < ask.n_doors; i++)
		must(ask.doors[i][0] != '\0' && strlen(ask.doors[i]) <= RIGHT_TEXT_MAX);
	for (size_t i = 0; i < ask.n_hours; i++) {
		must(ask.hours[i].from_minute < ask.hours[i].to_minute);
		must(ask.hours[i].to_minute <= WEEK_MINUTES);
		must(i == 0 || ask.hours[i].from_minute > ask.hours[i - 1].to_minute);
	}
}

static void
take_record(struct arena *arena, struct reported *reported)
{
	struct record record;
	struct err err = {0};
	size_t card_len;
	enum reject reject;

	take_registration(arena, reported);
	must(reported_seq(reported) >= 1 && reported_seq(reported) <= SEQ_MAX);
	(void)reported_door(reported);
	reject = reported_check(arena, reported, &record, &err);
	must((reject == REJECT_NONE) == (err.msg[0] == '\0'));
	(void)reported_card(reported, &card_len);
	if (reject == REJECT_NONE) {
		must(card_len <= CARD_MAX);
		must(kind_get(record.kind) != NULL);
		check_body(&record, card_len > 0);
		reported_wipe_card(reported);
	} else {
		must(reject_name(reject) != NULL);
		check_quarantine(reported);
	}
}

static void
take_message(struct arena *arena, const uint8_t *payload, size_t len)
{
	struct controller_msg msg;
	struct err err = {0};
	enum rc rc = controller_msg_decode(arena, payload, len, &msg, &err);

	must(rc == RC_OK || (rc == RC_INVALID && err.msg[0] != '\0'));
	if (rc != RC_OK)
		return;
	switch (msg.type) {
	case CONTROLLER_MSG_HELLO:
		check_hello(&msg.hello);
		break;
	case CONTROLLER_MSG_RECORD:
	case CONTROLLER_MSG_AHEAD:
		take_record(arena, msg.record);
		break;
	case CONTROLLER_MSG_LOST:
		must(msg.lost.from >= 1 && msg.lost.from <= msg.lost.to && msg.lost.to <= SEQ_MAX);
		break;
	case CONTROLLER_MSG_CONFIRM:
		must(msg.confirmed <= LIST_NUMBER_MAX);
		break;
	case CONTROLLER_MSG_HEARTBEAT:
	case CONTROLLER_MSG_TYPES:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	frames_run(data, n, FRAME_MAX, ARENA_BYTES, take_message);
	return 0;
}
