/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row's way: its card registered where it is new, extended where its window is
 * another, then the right set at each door where it is another.  A right that the card
 * has at a door keeps its beginning, unless the row names one.
 *
 * Owner: one thread.
 */
#include "ctl/card_plan.h"

#include <stdlib.h>
#include <string.h>

#include "wire/kind.h"

/* One row on its way. */
struct planning {
	struct card_plan *plan;
	const struct card_plan_base *base;
	struct card_rows *rows;
	struct card_row *row;
	uint8_t key[CARD_KEY_BYTES];
	size_t steps; /* of this row */
};

/* ---- Steps -------------------------------------------------------------------------- */

void
card_step_ask(const struct card_step *step, int64_t now_us, const char *doors[],
	      struct registration *ask)
{
	const struct card_row *row = step->row;

	*ask = (struct registration){.kind = step->kind, .device_time_us = now_us};
	ask->unit = ask->group = "";
	if (step->kind == KIND_CODE_GRANT_SET) {
		for (size_t i = 0; i < step->n_doors; i++)
			doors[i] = row->doors[step->first_door + i];
		ask->doors = doors;
		ask->n_doors = step->n_doors;
		ask->group = step->n_doors == 0 ? row->group : "";
		ask->valid_from_us = step->valid_from_us;
		ask->valid_until_us = row->right_until_us;
		ask->n_hours = row->n_hours;
		memcpy(ask->hours, row->hours, sizeof(ask->hours));
		return;
	}
	ask->card_from_us = row->card_from_us;
	ask->card_until_us = row->card_until_us;
	if (step->kind == KIND_CODE_CARD_REGISTERED) {
		ask->card_kind = row->kind;
		ask->unit = row->unit != NULL ? row->unit : "";
	}
}

/* The column that a person would look at. */
static const char *
column_of(enum reject reject, uint16_t kind)
{
	static const char *const names[] = {
		[REJECT_UNKNOWN_UNIT] = "unit",      [REJECT_NOT_YOUR_UNIT] = "unit",
		[REJECT_OVERLAP] = "right_from",     [REJECT_FOREIGN_SITE] = "doors",
		[REJECT_UNKNOWN_DOOR] = "doors",     [REJECT_RULE] = "kind",
		[REJECT_BAD_WINDOW] = "valid_until",
	};

	if (reject == REJECT_BAD_WINDOW && kind == KIND_CODE_GRANT_SET)
		return "right_until";
	if (reject < ARRAY_LEN(names) && names[reject] != NULL)
		return names[reject];
	return "card";
}

/* By the daemon's rules, on the copy: what holds there will hold there. */
static bool
plan_step(struct planning *p, const struct card_step *step)
{
	const struct card_plan_base *base = p->base;
	const struct rules_request request = {
		.desk = base->desk, .site = base->site, .card_key = p->key, .now_us = base->now_us};
	struct right_change change;
	struct registration ask;
	const char *doors[CARD_ROW_DOORS_MAX];
	struct err err;
	enum reject reject;
	struct card_plan *plan = p->plan;

	card_step_ask(step, base->now_us, doors, &ask);
	reject = rules_decide(base->rights, base->reg, &request, &ask, &change, &err);
	if (reject != REJECT_NONE) {
		card_rows_problem(p->rows, p->row, column_of(reject, step->kind), "%s", err.msg);
		return false;
	}
	rights_apply(base->rights, &change);
	if (plan->n == plan->capacity) {
		plan->capacity = plan->capacity == 0 ? 256 : plan->capacity * 2;
		plan->steps = xrealloc(plan->steps, plan->capacity * sizeof(*plan->steps));
	}
	plan->steps[plan->n++] = *step;
	p->steps++;
	return true;
}

/* ---- The card ------------------------------------------------------------------------- */

static bool
plan_new_card(struct planning *p)
{
	const struct card_step step = {.row = p->row, .kind = KIND_CODE_CARD_REGISTERED};

	if (p->row->kind == CARD_KIND_NONE) {
		card_rows_problem(p->rows, p->row, "kind",
				  "is needed for a card that the site doesn't know");
		return false;
	}
	if (!plan_step(p, &step))
		return false;
	p->plan->registered++;
	return true;
}

/* A file says times to the second. */
static bool
same_time(int64_t a_us, int64_t b_us)
{
	return a_us / 1000000 == b_us / 1000000;
}

static bool
plan_known_card(struct planning *p, const struct card *card)
{
	const struct card_row *row = p->row;
	const struct card_step step = {.row = row, .kind = KIND_CODE_CARD_EXTENDED};
	bool same_from =
		row->card_from_us == 0 || same_time(row->card_from_us, card->valid_from_us);
	bool same_until =
		row->card_until_us == 0 || same_time(row->card_until_us, card->valid_until_us);

	if (row->kind != CARD_KIND_NONE && row->kind != card->kind) {
		card_rows_problem(p->rows, p->row, "kind",
				  "the card is registered as %s, and a card's kind doesn't change",
				  card_kind_name(card->kind));
		return false;
	}
	if (row->unit != NULL && strcmp(row->unit, card->unit) != 0) {
		card_rows_problem(p->rows, p->row, "unit", "the card belongs to %s%s",
				  card->unit[0] != '\0' ? "unit " : "no unit", card->unit);
		return false;
	}
	if (same_from && same_until)
		return true;
	if (!plan_step(p, &step))
		return false;
	p->plan->extended++;
	return true;
}

static bool
plan_card(struct planning *p)
{
	const struct card *card = rights_card(p->base->rights, p->base->site->id, p->key);

	if (card == NULL || card->status == CARD_REVOKED)
		return plan_new_card(p);
	return plan_known_card(p, card);
}

/* ---- Its rights --------------------------------------------------------------------------- */

/* The right that the card has at a door, now or later, and that the row is about. */
struct found_right {
	bool found, same; /* same: as the row has it */
	int64_t valid_from_us;
};

static bool
right_is_as_in_row(const struct right *right, const struct card_row *row)
{
	return same_time(right->valid_until_us, row->right_until_us) &&
	       right->n_hours == row->n_hours &&
	       /* without hours there is nothing to point to */
	       (row->n_hours == 0 ||
		memcmp(right->hours, row->hours, row->n_hours * sizeof(*row->hours)) == 0);
}

static struct found_right
find_right(const struct planning *p, uint32_t door_id)
{
	const struct card_plan_base *base = p->base;
	const struct card_row *row = p->row;
	const struct card *card = rights_card(base->rights, base->site->id, p->key);
	struct right right;
	uint32_t at = 0;

	while (card != NULL && rights_next_of_card(base->rights, card, &at, &right)) {
		bool wanted = row->right_from_us == 0 ||
			      same_time(row->right_from_us, right.valid_from_us);
		bool ended = right.valid_until_us != 0 && right.valid_until_us <= base->now_us;

		if (right.door_id == door_id && wanted && !ended)
			return (struct found_right){.found = true,
						    .same = right_is_as_in_row(&right, row),
						    .valid_from_us = right.valid_from_us};
	}
	return (struct found_right){0};
}

/* False: it can't be.  A right that is there keeps its beginning. */
static bool
plan_grant(struct planning *p, const struct found_right *found, struct card_step *step)
{
	step->valid_from_us = found->found ? found->valid_from_us : p->row->right_from_us;
	if (step->valid_from_us == 0)
		step->valid_from_us = p->base->now_us;
	if (!plan_step(p, step))
		return false;
	p->plan->granted++;
	return true;
}

static bool
plan_door(struct planning *p, size_t i)
{
	const struct door *door = reg_door_by_code(p->base->reg, p->row->doors[i]);
	struct card_step step = {
		.row = p->row, .kind = KIND_CODE_GRANT_SET, .first_door = i, .n_doors = 1};
	struct found_right found = {0};

	if (door != NULL)
		found = find_right(p, door->id);
	return (found.found && found.same) || plan_grant(p, &found, &step);
}

/* One record for all its doors, unless each has the right already. */
static bool
plan_group(struct planning *p)
{
	const struct card_plan_base *base = p->base;
	const struct door_group *group =
		reg_group_by_code(base->reg, base->site->id, p->row->group);
	struct card_step step = {.row = p->row, .kind = KIND_CODE_GRANT_SET};
	const struct reg_pair *pairs;
	size_t n;

	if (group == NULL) {
		card_rows_problem(p->rows, p->row, "group", "site \"%s\" has no group \"%s\"",
				  base->site->code, p->row->group);
		return false;
	}
	pairs = reg_links_of(base->reg, REG_GROUP_DOORS, group->id, &n);
	for (size_t i = 0; i < n; i++) {
		struct found_right found = find_right(p, pairs[i].to);

		if (!found.found || !found.same)
			return plan_grant(p, &found, &step);
	}
	return true;
}

static bool
plan_rights(struct planning *p)
{
	for (size_t i = 0; i < p->row->n_doors; i++) {
		if (!plan_door(p, i))
			return false;
	}
	return p->row->group == NULL || plan_group(p);
}

/* ---- All ----------------------------------------------------------------------------------- */

static enum rc
plan_row(struct planning *p, struct err *err)
{
	const struct card_plan_base *base = p->base;
	struct card_row *row = p->row;
	enum rc rc = RC_OK;

	if (row->number.len > 0)
		rc = card_key_of(base->keys, base->site->id, row->number.bytes, row->number.len,
				 p->key, err);
	else
		memcpy(p->key, row->card_key, CARD_KEY_BYTES);
	if (rc != RC_OK)
		return rc;
	if (plan_card(p) && plan_rights(p))
		p->plan->unchanged += p->steps == 0;
	else
		p->plan->n -= p->steps; /* nothing half applied */
	return RC_OK;
}

enum rc
card_plan_make(struct card_plan *plan, const struct card_plan_base *base, struct card_rows *rows,
	       struct err *err)
{
	enum rc rc = RC_OK;

	*plan = (struct card_plan){0};
	for (size_t i = 0; i < rows->n && rc == RC_OK; i++) {
		struct planning planning = {
			.plan = plan, .base = base, .rows = rows, .row = &rows->items[i]};

		if (rows->items[i].problem == NULL)
			rc = plan_row(&planning, err);
	}
	if (rc != RC_OK)
		card_plan_fini(plan);
	return rc;
}

void
card_plan_fini(struct card_plan *plan)
{
	free(plan->steps);
	*plan = (struct card_plan){0};
}
