/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cards are those of content.c's town, dealt out to the desks in turn, so that
 * what is presented at the doors is often a card that some desk registered.
 */
#include "sim/registering.h"

#define KIND(name) GATEHOUSE__V1__KIND__KIND_##name

/* 2020-01-01 and 2090-01-01: windows that neither begin nor end while a run lasts. */
#define WINDOW_BEGIN_US (INT64_C(1577836800) * 1000000)
#define WINDOW_END_US   (INT64_C(3786912000) * 1000000)

enum { RECORDS_PER_CARD = 3, WAYS = 4 };

static uint64_t
card_of(uint64_t seq)
{
	return (seq - 1) / RECORDS_PER_CARD;
}

uint16_t
registering_kind(uint64_t seq)
{
	static const uint16_t last[WAYS] = {KIND(CARD_EXTENDED), KIND(CARD_SUSPENDED),
					    KIND(CARD_REVOKED), KIND(GRANT_SET)};

	switch ((seq - 1) % RECORDS_PER_CARD) {
	case 0:
		return KIND(CARD_REGISTERED);
	case 1:
		return KIND(GRANT_SET);
	default:
		return last[card_of(seq) % WAYS];
	}
}

static void
fill_grant(const struct registering_desk *desk, uint64_t seq, struct registering *out)
{
	Gatehouse__V1__GrantChange *grant = &out->grant_change;

	gatehouse__v1__grant_change__init(grant);
	grant->group = desk->group;
	grant->valid_from_us = WINDOW_BEGIN_US + (int64_t)card_of(seq) * 1000000;
	grant->valid_until_us = WINDOW_END_US;
	if ((seq - 1) % RECORDS_PER_CARD == 2) { /* the same right, now with hours */
		for (size_t i = 0; i < ARRAY_LEN(out->hours); i++) {
			gatehouse__v1__hours__init(&out->hours[i]);
			out->hours[i].from_minute = (uint32_t)i * 1440 + 360;
			out->hours[i].to_minute = (uint32_t)i * 1440 + 1320;
			out->hour_list[i] = &out->hours[i];
		}
		grant->hours = out->hour_list;
		grant->n_hours = ARRAY_LEN(out->hours);
	}
	out->record.grant_change = grant;
}

static void
fill_card(uint16_t kind, struct registering *out)
{
	Gatehouse__V1__CardChange *change = &out->card_change;

	gatehouse__v1__card_change__init(change);
	if (kind == KIND(CARD_REGISTERED)) {
		change->card_kind = GATEHOUSE__V1__CARD_KIND__CARD_KIND_STAFF;
		change->valid_from_us = WINDOW_BEGIN_US;
	} else if (kind == KIND(CARD_EXTENDED)) {
		change->valid_until_us = WINDOW_END_US - 1000000;
	} else {
		return;
	}
	out->record.card_change = change;
}

void
registering_fill(const struct registering_desk *desk, uint64_t seq, int64_t time_us,
		 struct registering *out)
{
	uint16_t kind = registering_kind(seq);

	gatehouse__v1__record__init(&out->record);
	content_card(desk->desk + card_of(seq) * desk->n_desks, out->card);
	out->record.seq = seq;
	out->record.time_us = time_us;
	out->record.kind = (Gatehouse__V1__Kind)kind;
	out->record.site = desk->site;
	out->record.card.data = out->card;
	out->record.card.len = CONTENT_CARD_BYTES;
	if (kind == KIND(GRANT_SET))
		fill_grant(desk, seq, out);
	else
		fill_card(kind, out);
}
