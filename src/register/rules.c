/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of registration, each where its words are: what is refused says the rule.
 * Nothing is changed here, so that a refusal leaves nothing half done.
 */
#include "register/rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "wire/kind.h"

/* 2000-01-01 and 2100-01-01: what lies outside is a broken field. */
#define WINDOW_MIN_US (INT64_C(946684800) * 1000000)
#define WINDOW_MAX_US (INT64_C(4102444800) * 1000000)

/* What all the steps look at. */
struct ruling {
	const struct rights *rights;
	const struct reg *reg;
	const struct rules_request *request;
	const struct registration *ask;
	const struct card *card; /* NULL: the site has none of this key */
	struct right_change *change;
	struct err *err;
};

#define REFUSE(ruling, reason, ...) ((void)err_invalid((ruling)->err, __VA_ARGS__), (reason))

static const char *
ask_name(const struct ruling *r)
{
	return kind_get(r->ask->kind)->name;
}

/* ---- Windows --------------------------------------------------------------- */

static enum reject
check_window(const struct ruling *r, const char *what, int64_t from_us, int64_t until_us)
{
	if (from_us < WINDOW_MIN_US || from_us >= WINDOW_MAX_US ||
	    (until_us != 0 && (until_us < WINDOW_MIN_US || until_us >= WINDOW_MAX_US)))
		return REFUSE(r, REJECT_BAD_WINDOW,
			      "the window of the %s is from %" PRId64 " until %" PRId64
			      ", expected times from 2000 to 2100",
			      what, from_us, until_us);
	if (until_us != 0 && until_us <= from_us)
		return REFUSE(r, REJECT_BAD_WINDOW, "the window of the %s ends before it begins",
			      what);
	return REJECT_NONE;
}

static enum reject
check_hours(const struct ruling *r)
{
	unsigned free_from = 0;

	for (size_t i = 0; i < r->ask->n_hours; i++) {
		const struct right_hours *hours = &r->ask->hours[i];

		if (hours->to_minute <= hours->from_minute || hours->to_minute > WEEK_MINUTES)
			return REFUSE(r, REJECT_BAD_WINDOW,
				      "hours %zu are from minute %u to %u, expected an ascending "
				      "span within a week of %d",
				      i + 1, hours->from_minute, hours->to_minute, WEEK_MINUTES);
		if (hours->from_minute < free_from)
			return REFUSE(r, REJECT_BAD_WINDOW,
				      "hours %zu begin at minute %u: they must ascend, and not "
				      "touch those before",
				      i + 1, hours->from_minute);
		free_from = hours->to_minute + 1u;
	}
	return REJECT_NONE;
}

/* ---- Who may --------------------------------------------------------------- */

static enum reject
check_site(const struct ruling *r)
{
	const struct rules_request *q = r->request;

	if (!reg_is_linked(r->reg, REG_DESK_SITES, q->desk->id, q->site->id))
		return REFUSE(r, REJECT_FOREIGN_SITE, "desk \"%s\" does not act for site \"%s\"",
			      q->desk->name, q->site->code);
	return REJECT_NONE;
}

/* The unit as it would be; "" for none. */
static enum reject
check_unit(const struct ruling *r, const char *code)
{
	const struct rules_request *q = r->request;
	const struct unit *unit = reg_unit_by_code(r->reg, q->site->id, code);

	if (code[0] != '\0' && unit == NULL)
		return REFUSE(r, REJECT_UNKNOWN_UNIT, "site \"%s\" has no unit \"%s\"",
			      q->site->code, code);
	if (q->desk->role == DESK_MANAGER)
		return REJECT_NONE;
	if (unit == NULL || !reg_is_linked(r->reg, REG_DESK_UNITS, q->desk->id, unit->id))
		return REFUSE(r, REJECT_NOT_YOUR_UNIT,
			      "a landlord acts on cards of its own units only: \"%s\" is not one "
			      "of desk \"%s\"",
			      code, q->desk->name);
	return REJECT_NONE;
}

static enum reject
check_card_kind(const struct ruling *r, uint8_t kind)
{
	if (kind > CARD_KIND_STAFF)
		return REFUSE(r, REJECT_BAD_DETAIL, "card_kind is %u, expected 1 to %d", kind,
			      CARD_KIND_STAFF);
	if (r->request->desk->role != DESK_MANAGER && kind != CARD_KIND_TENANT &&
	    kind != CARD_KIND_TEMPORARY)
		return REFUSE(r, REJECT_RULE,
			      "a landlord acts on cards of tenants and temporary cards only");
	return REJECT_NONE;
}

/* That there is a card which may be changed, and by this desk. */
static enum reject
check_card(const struct ruling *r)
{
	enum reject reject;

	if (r->card == NULL)
		return REFUSE(r, REJECT_UNKNOWN_CARD, "site \"%s\" has no such card",
			      r->request->site->code);
	if (r->card->status == CARD_REVOKED)
		return REFUSE(r, REJECT_CARD_ENDED, "the card is revoked, which is final");
	reject = check_card_kind(r, r->card->kind);
	return reject == REJECT_NONE && r->request->desk->role != DESK_MANAGER
		       ? check_unit(r, r->card->unit)
		       : reject;
}

/* ---- Cards ----------------------------------------------------------------- */

/* The change begins with the card as it is. */
static void
take_card(const struct ruling *r)
{
	struct right_change *c = r->change;

	c->card_kind = r->card->kind;
	c->status = r->card->status;
	c->card_from_us = r->card->valid_from_us;
	c->card_until_us = r->card->valid_until_us;
	c->unit = r->card->unit;
	c->unit_len = strlen(r->card->unit);
}

/* What the record says of the card, over what stands. */
static enum reject
take_asked(const struct ruling *r)
{
	const struct registration *ask = r->ask;
	struct right_change *c = r->change;
	enum reject reject;

	if (ask->card_kind != CARD_KIND_NONE)
		c->card_kind = ask->card_kind;
	if (ask->card_from_us != 0)
		c->card_from_us = ask->card_from_us;
	if (ask->card_until_us != 0)
		c->card_until_us = ask->card_until_us;
	if (ask->unit[0] != '\0') {
		c->unit = ask->unit;
		c->unit_len = strlen(ask->unit);
	}
	reject = check_card_kind(r, c->card_kind);
	if (reject == REJECT_NONE)
		reject = check_unit(r, c->unit);
	if (reject == REJECT_NONE)
		reject = check_window(r, "card", c->card_from_us, c->card_until_us);
	return reject;
}

static enum reject
decide_registered(const struct ruling *r)
{
	if (r->card != NULL && r->card->status != CARD_REVOKED)
		return REFUSE(r, REJECT_CARD_EXISTS, "site \"%s\" has this card already",
			      r->request->site->code);
	if (r->ask->card_kind == CARD_KIND_NONE)
		return REFUSE(r, REJECT_BAD_DETAIL,
			      "card_change.card_kind is required with card.registered");
	r->change->status = CARD_ACTIVE;
	r->change->card_from_us = r->request->now_us;
	r->change->unit = "";
	return take_asked(r);
}

static enum reject
decide_status(const struct ruling *r, enum card_status status)
{
	const struct registration *ask = r->ask;

	if (ask->card_kind != CARD_KIND_NONE || ask->card_from_us != 0 || ask->card_until_us != 0 ||
	    ask->unit[0] != '\0')
		return REFUSE(r, REJECT_BAD_DETAIL,
			      "kind, window and unit of a card don't change with %s", ask_name(r));
	if (status == CARD_SUSPENDED && r->card->status == CARD_LOST)
		return REFUSE(r, REJECT_RULE,
			      "a card that is lost is not suspended but resumed "
			      "or revoked");
	r->change->status = (uint8_t)status;
	return REJECT_NONE;
}

/* ---- Rights ---------------------------------------------------------------- */

static enum reject
add_door(const struct ruling *r, const struct door *door)
{
	struct right_change *c = r->change;

	if (c->n_doors == RIGHT_DOORS_MAX)
		return REFUSE(r, REJECT_BAD_DETAIL, "more than %d doors in one record",
			      RIGHT_DOORS_MAX);
	c->doors[c->n_doors++] = door->id;
	return REJECT_NONE;
}

static enum reject
take_named_doors(const struct ruling *r)
{
	const struct site *site = r->request->site;
	enum reject reject = REJECT_NONE;

	for (size_t i = 0; i < r->ask->n_doors && reject == REJECT_NONE; i++) {
		const struct door *door = reg_door_by_code(r->reg, r->ask->doors[i]);

		if (door == NULL)
			return REFUSE(r, REJECT_UNKNOWN_DOOR, "there is no door \"%s\"",
				      r->ask->doors[i]);
		if (door->site_id != site->id)
			return REFUSE(r, REJECT_FOREIGN_SITE,
				      "door \"%s\" is not of site \"%s\", as the card is",
				      door->code, site->code);
		reject = add_door(r, door);
	}
	return reject;
}

static enum reject
take_group(const struct ruling *r)
{
	const struct site *site = r->request->site;
	const struct door_group *group = reg_group_by_code(r->reg, site->id, r->ask->group);
	enum reject reject = REJECT_NONE;
	const struct reg_pair *pairs;
	size_t n;

	if (group == NULL)
		return REFUSE(r, REJECT_UNKNOWN_DOOR, "site \"%s\" has no group of doors \"%s\"",
			      site->code, r->ask->group);
	pairs = reg_links_of(r->reg, REG_GROUP_DOORS, group->id, &n);
	for (size_t i = 0; i < n && reject == REJECT_NONE; i++)
		reject = add_door(r, reg_door(r->reg, pairs[i].to));
	return reject;
}

static int
compare_ids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void
sort_doors(struct right_change *c)
{
	size_t kept = 0;

	qsort(c->doors, c->n_doors, sizeof(*c->doors), compare_ids);
	for (size_t i = 0; i < c->n_doors; i++) {
		if (kept == 0 || c->doors[kept - 1] != c->doors[i])
			c->doors[kept++] = c->doors[i];
	}
	c->n_doors = kept;
}

/* Landlords: the doors of the card's unit, which check_card() found to be theirs. */
static enum reject
check_unit_doors(const struct ruling *r)
{
	const struct right_change *c = r->change;
	const struct unit *unit = reg_unit_by_code(r->reg, r->request->site->id, r->card->unit);

	if (r->request->desk->role == DESK_MANAGER)
		return REJECT_NONE;
	for (size_t i = 0; i < c->n_doors; i++) {
		if (unit == NULL || !reg_is_linked(r->reg, REG_UNIT_DOORS, unit->id, c->doors[i]))
			return REFUSE(r, REJECT_RULE,
				      "a landlord grants doors of the card's unit only: door "
				      "\"%s\" is not one of \"%s\"",
				      reg_door(r->reg, c->doors[i])->code, r->card->unit);
	}
	return REJECT_NONE;
}

static enum reject
take_doors(const struct ruling *r)
{
	enum reject reject = take_named_doors(r);

	if (reject == REJECT_NONE && r->ask->group[0] != '\0')
		reject = take_group(r);
	if (reject != REJECT_NONE)
		return reject;
	if (r->change->n_doors == 0)
		return REFUSE(r, REJECT_BAD_DETAIL, "%s names no door", ask_name(r));
	sort_doors(r->change);
	return check_unit_doors(r);
}

static bool
windows_overlap(int64_t from_a, int64_t until_a, int64_t from_b, int64_t until_b)
{
	return (until_a == 0 || from_b < until_a) && (until_b == 0 || from_a < until_b);
}

static enum reject
check_overlaps(const struct ruling *r)
{
	const struct right_change *c = r->change;
	struct right right;
	uint32_t at = 0;

	while (rights_next_of_card(r->rights, r->card, &at, &right)) {
		if (right.valid_from_us == c->valid_from_us ||
		    !windows_overlap(right.valid_from_us, right.valid_until_us, c->valid_from_us,
				     c->valid_until_us) ||
		    bsearch(&right.door_id, c->doors, c->n_doors, sizeof(*c->doors), compare_ids) ==
			    NULL)
			continue;
		const struct door *door = reg_door(r->reg, right.door_id);

		return REFUSE(r, REJECT_OVERLAP,
			      "the card has a right at door \"%s\" from %" PRId64 " until %" PRId64
			      ", which overlaps: change that one, or take it "
			      "away first",
			      door != NULL ? door->code : "", right.valid_from_us,
			      right.valid_until_us);
	}
	return REJECT_NONE;
}

static enum reject
decide_set(const struct ruling *r)
{
	const struct registration *ask = r->ask;
	enum reject reject = check_window(r, "right", ask->valid_from_us, ask->valid_until_us);

	r->change->valid_from_us = ask->valid_from_us;
	r->change->valid_until_us = ask->valid_until_us;
	r->change->n_hours = ask->n_hours;
	memcpy(r->change->hours, ask->hours, ask->n_hours * sizeof(*ask->hours));
	if (reject == REJECT_NONE)
		reject = check_hours(r);
	if (reject == REJECT_NONE)
		reject = take_doors(r);
	if (reject == REJECT_NONE)
		reject = check_overlaps(r);
	return reject;
}

static enum reject
decide_removed(const struct ruling *r)
{
	if (r->ask->valid_until_us != 0 || r->ask->n_hours > 0)
		return REFUSE(r, REJECT_BAD_DETAIL,
			      "valid_until_us and hours don't go with grant.removed");
	r->change->valid_from_us = r->ask->valid_from_us;
	return take_doors(r);
}

/* ---- The whole ------------------------------------------------------------- */

static void
begin_change(const struct ruling *r)
{
	struct right_change *c = r->change;

	memset(c, 0, offsetof(struct right_change, hours));
	c->n_doors = 0;
	c->desk_id = r->request->desk->id;
	c->site_id = r->request->site->id;
	c->kind = r->ask->kind;
	c->seq = r->ask->seq;
	c->flags = r->ask->flags;
	c->device_time_us = r->ask->device_time_us;
	c->received_us = r->request->now_us;
	c->by = r->request->desk->name;
	c->by_len = strlen(r->request->desk->name);
	memcpy(c->card_key, r->request->card_key, CARD_KEY_BYTES);
	c->sealed = r->ask->sealed;
	c->sealed_len = r->ask->sealed_len;
}

static enum reject
decide_by_kind(const struct ruling *r)
{
	enum reject reject;

	if (r->ask->kind == KIND_CODE_CARD_REGISTERED)
		return decide_registered(r);
	reject = check_card(r);
	if (reject != REJECT_NONE)
		return reject;
	take_card(r);
	switch (r->ask->kind) {
	case KIND_CODE_CARD_EXTENDED:
		return take_asked(r);
	case KIND_CODE_CARD_SUSPENDED:
		return decide_status(r, CARD_SUSPENDED);
	case KIND_CODE_CARD_RESUMED:
		return decide_status(r, CARD_ACTIVE);
	case KIND_CODE_CARD_REPORTED_LOST:
		return decide_status(r, CARD_LOST);
	case KIND_CODE_CARD_REVOKED:
		return decide_status(r, CARD_REVOKED);
	case KIND_CODE_GRANT_SET:
		return decide_set(r);
	case KIND_CODE_GRANT_REMOVED:
		return decide_removed(r);
	default:
		return REFUSE(r, REJECT_NOT_YOURS, "a registration desk does not report %s",
			      ask_name(r));
	}
}

enum reject
rules_decide(const struct rights *rights, const struct reg *reg,
	     const struct rules_request *request, const struct registration *ask,
	     struct right_change *change, struct err *err)
{
	struct ruling ruling = {
		.rights = rights,
		.reg = reg,
		.request = request,
		.ask = ask,
		.card = rights_card(rights, request->site->id, request->card_key),
		.change = change,
		.err = err,
	};
	enum reject reject = check_site(&ruling);

	if (reject != REJECT_NONE)
		return reject;
	begin_change(&ruling);
	return decide_by_kind(&ruling);
}
