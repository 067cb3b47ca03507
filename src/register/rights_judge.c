/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Former states of cards and rights, and what a door should have done.
 *
 * A state holds from the receipt of the change that made it to the receipt of the next
 * one, by the server's clock; what a door did has its time by the door's clock.  Where
 * the two may differ a little, at the edges of windows and hours, the door is given the
 * benefit of conf.grace_us.  At a change it is not: that is what `confirmed` is for.
 */
#include <stdlib.h>

#include "rights_priv.h"

/* ---- Former states: a ring, oldest first ------------------------------------ */

struct former *
former_get(const struct rights *r, uint64_t number)
{
	if (number < r->oldest_former || number >= r->next_former)
		return NULL;
	return &r->formers[number % r->formers_room];
}

static void
formers_grow(struct rights *r)
{
	size_t room = r->formers_room == 0 ? 256 : 2 * r->formers_room;
	struct former *formers = xcalloc(room, sizeof(*formers));

	for (uint64_t i = r->oldest_former; i < r->next_former; i++)
		formers[i % room] = r->formers[i % r->formers_room];
	free(r->formers);
	r->formers = formers;
	r->formers_room = room;
}

uint64_t
former_add(struct rights *r, const struct former *former)
{
	struct card_row *card = &r->cards[former->card];
	uint64_t number = r->next_former;

	if (r->next_former - r->oldest_former == r->formers_room)
		formers_grow(r);
	r->next_former++;
	r->formers[number % r->formers_room] = *former;
	r->formers[number % r->formers_room].next_of_card = 0;
	if (former->hours != NULL)
		former->hours->refs++;
	if (card->newest_former != 0)
		former_get(r, card->newest_former)->next_of_card = number;
	else
		card->oldest_former = number;
	card->newest_former = number;
	return number;
}

/* The oldest of all is the oldest of its card. */
static void
former_forget(struct rights *r)
{
	struct former *former = former_get(r, r->oldest_former);
	struct card_row *card = &r->cards[former->card];

	must(card->oldest_former == r->oldest_former);
	card->oldest_former = former->next_of_card;
	if (card->oldest_former == 0)
		card->newest_former = 0;
	hours_unref(former->hours);
	r->oldest_former++;
}

void
formers_expire(struct rights *r, int64_t before_us)
{
	while (r->oldest_former < r->next_former &&
	       former_get(r, r->oldest_former)->until_us < before_us)
		former_forget(r);
}

/* ---- Judging ---------------------------------------------------------------- */

static const char *const verdict_names[VERDICT_COUNT] = {
	[VERDICT_OK] = "ok",
	[VERDICT_NOT_JUDGED] = "not_judged",
	[VERDICT_UNKNOWN_CARD] = "unknown_card",
	[VERDICT_REVOKED] = "revoked",
	[VERDICT_SUSPENDED] = "suspended",
	[VERDICT_LOST] = "lost",
	[VERDICT_NOT_ACTIVE] = "not_active",
	[VERDICT_EXPIRED] = "expired",
	[VERDICT_OUTSIDE_HOURS] = "outside_hours",
	[VERDICT_NO_RIGHT] = "no_right",
};

const char *
verdict_name(enum verdict verdict)
{
	must((size_t)verdict < ARRAY_LEN(verdict_names));
	return verdict_names[verdict];
}

/* What the card was, as a former state would say it; false: it wasn't registered. */
static bool
card_at(const struct rights *r, const struct card *card, int64_t time_us, struct former *out)
{
	uint64_t at = r->cards[card->id].oldest_former;

	for (; at != 0; at = former_get(r, at)->next_of_card) {
		const struct former *former = former_get(r, at);

		if (former->door_id == 0 && former->since_us <= time_us &&
		    time_us < former->until_us) {
			*out = *former;
			return true;
		}
	}
	*out = (struct former){
		.status = card->status,
		.valid_from_us = card->valid_from_us,
		.valid_until_us = card->valid_until_us,
		.position = position_known(card->position),
	};
	return card->since_us <= time_us;
}

static enum verdict
window_verdict(int64_t from_us, int64_t until_us, int64_t time_us, int64_t grace_us)
{
	if (time_us + grace_us < from_us)
		return VERDICT_NOT_ACTIVE;
	if (until_us != 0 && time_us - grace_us >= until_us)
		return VERDICT_EXPIRED;
	return VERDICT_OK;
}

static bool
hours_hold(const struct hours *hours, const struct zone *zone, int64_t time_us)
{
	uint32_t minute = zone_week_minute(zone, time_us);

	for (size_t i = 0; i < hours->n; i++) {
		if (minute >= hours->spans[i].from_minute && minute < hours->spans[i].to_minute)
			return true;
	}
	return false;
}

static enum verdict
right_verdict(const struct rights *r, const struct access *access, const struct former *right)
{
	int64_t grace_us = r->conf.grace_us, time_us = access->time_us;
	enum verdict verdict =
		window_verdict(right->valid_from_us, right->valid_until_us, time_us, grace_us);

	if (verdict == VERDICT_OK && right->hours != NULL &&
	    !hours_hold(right->hours, access->zone, time_us) &&
	    !hours_hold(right->hours, access->zone, time_us - grace_us) &&
	    !hours_hold(right->hours, access->zone, time_us + grace_us))
		return VERDICT_OUTSIDE_HOURS;
	return verdict;
}

/* The kinder one wins: a right that opens, then the one that nearly did. */
static void
consider(struct judgement *best, enum verdict verdict, uint64_t position)
{
	static const uint8_t ranks[VERDICT_COUNT] = {
		[VERDICT_OK] = 4,         [VERDICT_OUTSIDE_HOURS] = 3, [VERDICT_EXPIRED] = 2,
		[VERDICT_NOT_ACTIVE] = 2, [VERDICT_NO_RIGHT] = 1,
	};

	if (ranks[verdict] > ranks[best->verdict] ||
	    (verdict == best->verdict && position > best->position))
		*best = (struct judgement){verdict, position};
}

static void
consider_former_rights(const struct rights *r, const struct access *access, struct judgement *best)
{
	uint64_t at = r->cards[access->card->id].oldest_former;

	for (; at != 0; at = former_get(r, at)->next_of_card) {
		const struct former *former = former_get(r, at);

		if (former->door_id != access->door_id || access->time_us < former->since_us)
			continue;
		if (access->time_us < former->until_us)
			consider(best, right_verdict(r, access, former), former->position);
		else /* it had been taken away, or replaced by one that is looked at, too */
			consider(best, VERDICT_NO_RIGHT, former->by_position);
	}
}

static void
consider_rights(const struct rights *r, const struct access *access, struct judgement *best)
{
	uint32_t at = r->cards[access->card->id].rights;

	for (; at != 0; at = r->rows[at].next_of_card) {
		const struct right_row *row = &r->rows[at];
		struct former right = {.valid_from_us = row->valid_from_us,
				       .valid_until_us = row->valid_until_us,
				       .hours = row->hours};

		if (row->door->id == access->door_id && row->since_us <= access->time_us)
			consider(best, right_verdict(r, access, &right),
				 position_known(row->position));
	}
}

struct judgement
rights_judge(const struct rights *r, const struct access *access)
{
	static const enum verdict by_status[] = {
		[CARD_ACTIVE] = VERDICT_OK,
		[CARD_SUSPENDED] = VERDICT_SUSPENDED,
		[CARD_LOST] = VERDICT_LOST,
		[CARD_REVOKED] = VERDICT_REVOKED,
	};
	const struct site_row *site = rights_site(r, access->site_id);
	struct judgement best = {VERDICT_NO_RIGHT, 0};
	struct former card;
	enum verdict verdict;

	if (site == NULL || access->time_us < site->since_us || access->time_us < r->known_from_us)
		return (struct judgement){VERDICT_NOT_JUDGED, 0};
	if (access->card == NULL || !card_at(r, access->card, access->time_us, &card))
		return (struct judgement){VERDICT_UNKNOWN_CARD, 0};
	verdict = by_status[card.status];
	if (verdict == VERDICT_OK)
		verdict = window_verdict(card.valid_from_us, card.valid_until_us, access->time_us,
					 r->conf.grace_us);
	if (verdict != VERDICT_OK)
		return (struct judgement){verdict, card.position};
	consider_rights(r, access, &best);
	consider_former_rights(r, access, &best);
	return best;
}
