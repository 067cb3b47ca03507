/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it takes to make the register say what rows of a file say: each row is held
 * against the cards and rights that there are, and against the daemon's own rules,
 * on a copy in memory.  So a file is checked as a whole before anything is sent, and
 * a file that was imported already takes nothing.
 *
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_CARD_PLAN_H
#define GATEHOUSE_CTL_CARD_PLAN_H

#include "ctl/card_rows.h"
#include "register/rules.h"
#include "wire/card.h"

/* What the plan is made against; all borrowed.  `rights` is changed: it ends as it will
 * be when the plan was carried out. */
struct card_plan_base {
	const struct reg *reg;
	struct rights *rights;
	struct card_keys *keys;
	const struct registration_desk *desk;
	const struct site *site;
	int64_t now_us;
};

/* One record to be sent, for one row.  The row outlives it. */
struct card_step {
	const struct card_row *row;
	uint16_t kind;     /* card.registered, card.extended or grant.set */
	size_t first_door; /* with grant.set: which of the row's doors */
	size_t n_doors;    /* 0: the row's group */
	int64_t valid_from_us;
};

struct card_plan {
	struct card_step *steps;
	size_t n, capacity;
	size_t registered, extended, granted, unchanged; /* the last in rows */
};

/* Rows that can't be become problems of `rows`, and get no step; those that were bad
 * before are passed over.  A row that turned out bad may have left its mark on `rights`:
 * then the plan is good for nothing but to be made again.  RC_FAIL: no card keys. */
enum rc card_plan_make(struct card_plan *plan, const struct card_plan_base *base,
		       struct card_rows *rows, struct err *err) MUST_CHECK;
void card_plan_fini(struct card_plan *plan);

/* The step as a record of the desk; doors are copied to `doors`, which has room for
 * CARD_ROW_DOORS_MAX. */
void card_step_ask(const struct card_step *step, int64_t now_us, const char *doors[],
		   struct registration *ask);

#endif
