/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up records: mostly granted entries, some denied, some doors and buttons,
 * by a hash of controller and seq.  Nothing among them raises an alarm; alarms
 * are made apart, at their own rate.
 *
 * A simulated controller opens for whom the hash says, unless it is to decide by its
 * list of rights: see device_list.c.
 */
#include "sim/content.h"

#include <string.h>

/* Distinct made-up cards: those of a town of 20,000 residents. */
enum { CONTENT_CARDS = 20000 };

#define KIND(name) GATEHOUSE__V1__KIND__KIND_##name

/* The mix: of 100 records, so many and the following ones. */
static const struct {
	uint8_t below;
	uint16_t kind;
} content_mix[] = {
	{60, KIND(ACCESS_GRANTED)}, {76, KIND(ACCESS_TAKEN)}, {84, KIND(EXIT_REQUEST)},
	{90, KIND(DOOR_OPENED)},    {96, KIND(DOOR_CLOSED)},  {100, KIND(ACCESS_DENIED)},
};

static const struct content_alarm content_alarms[] = {
	{KIND(DOOR_FORCED), KIND(DOOR_FORCED_RESTORED), true},
	{KIND(PANIC), 0, true},
	{KIND(DOOR_HELD_OPEN), KIND(DOOR_HELD_OPEN_RESTORED), true},
	{KIND(TAMPER_CONTROLLER), KIND(TAMPER_CONTROLLER_RESTORED), false},
	{KIND(EMERGENCY_CALL), 0, true},
	{KIND(TAMPER_READER), KIND(TAMPER_READER_RESTORED), true},
	{KIND(HOLD_UP), 0, true},
	{KIND(TAMPER_CABINET), KIND(TAMPER_CABINET_RESTORED), false},
	{KIND(FIRE), 0, true},
	{KIND(ACCESS_DURESS), 0, true},
};

/* Scatters the bits of a number: the finaliser of splitmix64. */
static uint64_t
content_scatter(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t
content_seed(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	return hash;
}

void
content_make(uint64_t seed, const struct enrolment *controller, uint64_t seq, struct item *item)
{
	uint64_t hash = content_scatter(seed ^ seq);
	uint64_t part = hash % 100;
	size_t i = 0;

	item->row = 0;
	item->list_number = 0;
	if (controller->n_doors == 0) { /* nothing but itself to report on */
		item->kind = KIND(SUPERVISION_TEST);
		item->door = 0;
		return;
	}
	while (part >= content_mix[i].below)
		i++;
	item->kind = content_mix[i].kind;
	item->door = controller->doors[(hash >> 32) % controller->n_doors].number;
}

/* Access is somebody's card; the rest is not. */
static bool
content_has_card(uint16_t kind)
{
	return kind >= KIND(ACCESS_GRANTED) && kind <= KIND(ACCESS_DURESS);
}

void
content_card(uint64_t number, uint8_t card[CONTENT_CARD_BYTES])
{
	/* an odd factor keeps different cards different in 32 bits */
	uint64_t digits = (uint32_t)(number * 2654435761u);

	for (size_t i = CONTENT_CARD_BYTES; i-- > 0; digits /= 10)
		card[i] = (uint8_t)('0' + digits % 10);
}

void
content_presented(uint64_t seed, uint64_t seq, uint8_t card[CONTENT_CARD_BYTES])
{
	content_card(content_scatter(seed + seq) % CONTENT_CARDS, card);
}

static void
content_fill_row(const struct badge_log *log, const struct badge_row *row,
		 Gatehouse__V1__Record *record)
{
	const char *card = names_text(&log->cards, row->card);

	record->card.data = (uint8_t *)(uintptr_t)card; /* protobuf-c only reads it */
	record->card.len = strlen(card);
	if (row->type != NAMES_NONE)
		record->raw_code = (char *)(uintptr_t)names_text(&log->types, row->type);
}

void
content_fill(uint64_t seed, uint64_t seq, const struct item *item, const struct badge_log *log,
	     uint8_t card[CONTENT_CARD_BYTES], Gatehouse__V1__Record *record)
{
	uint64_t hash = content_scatter(seed + seq);

	gatehouse__v1__record__init(record);
	record->seq = seq;
	record->time_us = item->time_us;
	record->kind = (Gatehouse__V1__Kind)item->kind;
	record->door = item->door;
	if (item->row > 0) {
		must(log != NULL && item->row <= log->n);
		content_fill_row(log, &log->rows[item->row - 1], record);
	} else if (content_has_card(item->kind)) {
		content_presented(seed, seq, card);
		record->card.data = card;
		record->card.len = CONTENT_CARD_BYTES;
	}
	if (item->kind == KIND(ACCESS_DENIED)) /* the reasons are 1 .. 10 */
		record->reason = (Gatehouse__V1__Reason)(hash / CONTENT_CARDS % 10 + 1);
}

const struct content_alarm *
content_alarm(uint64_t n)
{
	return &content_alarms[n % ARRAY_LEN(content_alarms)];
}

bool
content_raises_alarm(uint16_t kind)
{
	for (size_t i = 0; i < ARRAY_LEN(content_alarms); i++)
		if (content_alarms[i].raise == kind)
			return true;
	return false;
}
