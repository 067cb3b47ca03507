/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cards and rights in memory.  Guards that
 *
 *	- replay comes to the same state as deciding did, whatever was under way;
 *	- a snapshot is the state, and a cut or bent one is refused;
 *	- a controller that takes every list it is sent holds what the register holds,
 *	  wherever it was cut off and however far the log reaches back;
 *	- what a door did is held against what stood then, not against what stands now.
 *
 * The first three with random rows of changes, by seed: SEEDS=n for more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "register/rights.h"
#include "wire/kind.h"

#define HOUR INT64_C(3600000000)
#define DAY  (24 * HOUR)
/* Monday 2026-01-05T00:00:00Z */
#define MONDAY (INT64_C(1767571200) * 1000000)

enum { SITE = 7, OTHER_SITE = 8, CARDS = 6, DOORS = 8, CONTROLLERS = 3, STEPS = 120 };

static const struct rights_conf conf = {.changes = 1000, .history_us = 7 * DAY, .grace_us = 5};

/* ---- Making changes ---------------------------------------------------------- */

static void
key_of(unsigned card, uint8_t key[CARD_KEY_BYTES])
{
	for (unsigned i = 0; i < CARD_KEY_BYTES; i++)
		key[i] = (uint8_t)(card * 31 + i * 7 + 1);
}

static struct right_change
card_change(unsigned card, uint16_t kind, enum card_status status, int64_t at_us)
{
	struct right_change change = {
		.desk_id = 1,
		.site_id = SITE,
		.kind = kind,
		.epoch = 1,
		.received_us = at_us,
		.by = "office",
		.by_len = 6,
		.card_kind = CARD_KIND_TENANT,
		.status = (uint8_t)status,
		.card_from_us = MONDAY - DAY,
		.unit = "301",
		.unit_len = 3,
	};

	key_of(card, change.card_key);
	return change;
}

static struct right_change
grant_change(unsigned card, uint16_t kind, uint32_t door, int64_t from_us, int64_t until_us,
	     int64_t at_us)
{
	struct right_change change = card_change(card, kind, CARD_ACTIVE, at_us);

	change.valid_from_us = from_us;
	change.valid_until_us = until_us;
	change.doors[0] = door;
	change.n_doors = 1;
	return change;
}

static void
apply(struct rights *rights, const struct right_change *change, uint64_t position)
{
	rights_apply(rights, change);
	rights_number(rights, position);
}

static struct list_doors
doors_of(uint32_t controller, uint32_t first, size_t n)
{
	struct list_doors doors = {.controller_id = controller,
				   .site_id = SITE,
				   .timezone = "Europe/Berlin",
				   .timezone_len = 13,
				   .n_doors = n};

	for (uint32_t i = 0; i < n; i++) {
		doors.doors[i].door_id = first + i;
		doors.doors[i].number = i + 1;
	}
	return doors;
}

/* ---- A controller ------------------------------------------------------------- */

struct held {
	uint8_t key[LIST_KEY_BYTES];
	struct list_right right;
};

/* What it holds, by what it was sent alone. */
struct controller_model {
	uint32_t id;
	uint64_t number;
	struct held held[512];
	size_t n;
	unsigned full, changes;
};

static void
model_remove(struct controller_model *m, const struct list_right *ref)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct held *held = &m->held[i];

		if (memcmp(held->key, ref->card_key, LIST_KEY_BYTES) == 0 &&
		    held->right.door == ref->door &&
		    held->right.valid_from_us == ref->valid_from_us) {
			m->held[i] = m->held[--m->n];
			return;
		}
	}
}

static void
model_put(struct controller_model *m, const struct list_right *right)
{
	struct held *held;

	model_remove(m, right);
	assert_true(m->n < ARRAY_LEN(m->held));
	held = &m->held[m->n++];
	memcpy(held->key, right->card_key, LIST_KEY_BYTES);
	held->right = *right;
	held->right.card_key = NULL;
	/* the spans are the register's; how many there are is enough here */
	held->right.hours = NULL;
}

static int
compare_held(const void *a, const void *b)
{
	const struct held *left = a, *right = b;
	int order = memcmp(left->key, right->key, LIST_KEY_BYTES);

	if (order != 0)
		return order;
	if (left->right.door != right->right.door)
		return left->right.door < right->right.door ? -1 : 1;
	return (left->right.valid_from_us > right->right.valid_from_us) -
	       (left->right.valid_from_us < right->right.valid_from_us);
}

static void
model_sync(struct controller_model *m, struct rights *rights, int64_t now_us)
{
	struct rights_list list;

	if (rights_list_since(rights, m->id, m->number, now_us, &list) == RC_EOF)
		return;
	if (list.full) {
		m->n = 0;
		m->full++;
	} else {
		m->changes++;
	}
	for (size_t i = 0; i < list.n_removed; i++)
		model_remove(m, &list.removed[i]);
	for (size_t i = 0; i < list.n_put; i++)
		model_put(m, &list.put[i]);
	m->number = list.number;
	rights_confirm(rights, m->id, m->number);
	rights_list_fini(&list);
}

/* It holds what one that asks for everything would. */
static void
model_check(struct controller_model *m, struct rights *rights, int64_t now_us)
{
	struct controller_model whole = {.id = m->id};

	if (rights_list_number(rights, m->id) != 0)
		model_sync(&whole, rights, now_us);
	assert_true(whole.number == m->number);
	if (whole.n != m->n)
		fail_msg("controller %u holds %zu rights, expected %zu", m->id, m->n, whole.n);
	qsort(m->held, m->n, sizeof(*m->held), compare_held);
	qsort(whole.held, whole.n, sizeof(*whole.held), compare_held);
	for (size_t i = 0; i < m->n; i++) {
		assert_int_equal(compare_held(&m->held[i], &whole.held[i]), 0);
		assert_true(m->held[i].right.valid_until_us == whole.held[i].right.valid_until_us);
		assert_true(m->held[i].right.not_before_us == whole.held[i].right.not_before_us);
		assert_int_equal(m->held[i].right.active, whole.held[i].right.active);
		assert_int_equal(m->held[i].right.n_hours, whole.held[i].right.n_hours);
	}
}

/* ---- Random rows of changes --------------------------------------------------- */

static uint64_t random_state;

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static struct right_change
random_change(int64_t at_us)
{
	static const uint16_t kinds[] = {
		KIND_CODE_CARD_REGISTERED, KIND_CODE_CARD_EXTENDED, KIND_CODE_CARD_SUSPENDED,
		KIND_CODE_CARD_RESUMED,    KIND_CODE_CARD_REVOKED,  KIND_CODE_GRANT_SET,
		KIND_CODE_GRANT_SET,       KIND_CODE_GRANT_SET,     KIND_CODE_GRANT_SET,
		KIND_CODE_GRANT_REMOVED,
	};
	uint16_t kind = kinds[draw(ARRAY_LEN(kinds))];
	struct right_change change = card_change(draw(CARDS), kind, CARD_ACTIVE, at_us);

	change.site_id = draw(8) == 0 ? OTHER_SITE : SITE;
	change.card_from_us += draw(3) * DAY;
	change.card_until_us = draw(2) == 0 ? 0 : MONDAY + (int64_t)(20 + draw(3)) * DAY;
	if (kind == KIND_CODE_CARD_SUSPENDED)
		change.status = CARD_SUSPENDED;
	if (kind == KIND_CODE_CARD_REVOKED)
		change.status = CARD_REVOKED;
	if (kind != KIND_CODE_GRANT_SET && kind != KIND_CODE_GRANT_REMOVED)
		return change;
	for (uint32_t door = 1; door <= DOORS; door++) {
		if (draw(3) == 0 || (door == DOORS && change.n_doors == 0))
			change.doors[change.n_doors++] = change.site_id == SITE ? door : door + 100;
	}
	change.valid_from_us = MONDAY + draw(2) * DAY;
	if (kind == KIND_CODE_GRANT_REMOVED) {
		change.valid_from_us *= draw(2);
		return change;
	}
	change.valid_until_us = draw(3) == 0 ? 0 : MONDAY + (int64_t)(2 + draw(9)) * DAY;
	change.n_hours = draw(3);
	change.hours[0] = (struct right_hours){60, 120};
	change.hours[1] = (struct right_hours){180, (uint16_t)(200 + draw(5))};
	return change;
}

/* The journal: changes, or doors of a controller. */
struct step {
	bool is_doors;
	struct right_change change;
	struct list_doors doors;
	uint64_t position;
};

static struct step *
random_steps(void)
{
	struct step *steps = xcalloc(STEPS, sizeof(*steps));

	for (unsigned i = 0; i < STEPS; i++) {
		steps[i].position = 100 + i * 50;
		steps[i].is_doors = i < CONTROLLERS || draw(20) == 0;
		if (i < CONTROLLERS)
			steps[i].doors = doors_of(i + 1, 1 + i * 3, i < 2 ? 3 : 2);
		else if (steps[i].is_doors)
			steps[i].doors =
				doors_of(1 + draw(CONTROLLERS), 1 + draw(DOORS - 3), draw(4));
		else
			steps[i].change = random_change(MONDAY + i * HOUR);
	}
	return steps;
}

static void
step_replay(struct rights *rights, const struct step *step)
{
	if (step->is_doors)
		rights_set_doors(rights, &step->doors, step->position);
	else
		apply(rights, &step->change, step->position);
}

static void
assert_same(const struct rights *a, const struct rights *b)
{
	struct buf left, right;

	buf_init(&left, 1 << 24);
	buf_init(&right, 1 << 24);
	assert_int_equal(rights_save(a, &left), RC_OK);
	assert_int_equal(rights_save(b, &right), RC_OK);
	assert_int_equal(buf_len(&left), buf_len(&right));
	assert_memory_equal(buf_front(&left), buf_front(&right), buf_len(&left));
	buf_fini(&left);
	buf_fini(&right);
}

/* Decided some at a time and numbered later, with doors in between. */
static struct rights *
decide_all(const struct step *steps)
{
	struct rights *rights = rights_new(&conf);
	unsigned applied = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		for (unsigned ahead = draw(6); applied < STEPS && applied <= i + ahead; applied++) {
			if (!steps[applied].is_doors)
				rights_apply(rights, &steps[applied].change);
		}
		if (steps[i].is_doors)
			rights_set_doors(rights, &steps[i].doors, steps[i].position);
		else
			rights_number(rights, steps[i].position);
	}
	assert_int_equal(rights_pending(rights), 0);
	return rights;
}

static struct rights *
save_and_load(const struct rights *rights)
{
	struct rights *again = rights_new(&conf);
	struct buf buf;
	struct err err;

	buf_init(&buf, 1 << 24);
	assert_int_equal(rights_save(rights, &buf), RC_OK);
	assert_int_equal(rights_load(again, buf_front(&buf), buf_len(&buf), &err), RC_OK);
	buf_fini(&buf);
	return again;
}

static unsigned
seeds(void)
{
	const char *text = getenv("SEEDS");

	return text != NULL ? (unsigned)atoi(text) : 200;
}

static void
replay_comes_to_what_was_decided(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < seeds(); seed++) {
		struct rights *decided, *replayed = rights_new(&conf), *loaded;
		struct step *steps;
		unsigned cut;

		random_state = seed;
		steps = random_steps();
		cut = draw(STEPS);
		decided = decide_all(steps);
		/* from a snapshot on, too */
		for (unsigned i = 0; i < cut; i++)
			step_replay(replayed, &steps[i]);
		loaded = save_and_load(replayed);
		assert_same(loaded, replayed);
		for (unsigned i = cut; i < STEPS; i++) {
			step_replay(replayed, &steps[i]);
			step_replay(loaded, &steps[i]);
		}
		assert_same(replayed, decided);
		assert_same(loaded, decided);
		rights_free(&loaded);
		rights_free(&replayed);
		rights_free(&decided);
		free(steps);
	}
}

static void
changes_come_to_the_full_list(void **state)
{
	unsigned full = 0, changes = 0;

	(void)state;
	for (unsigned seed = 0; seed < seeds(); seed++) {
		/* a short log, too, that loses what a controller lacks */
		struct rights_conf small = {
			.changes = 1 + seed % 40, .history_us = 7 * DAY, .grace_us = 5};
		struct rights *rights = rights_new(&small);
		struct controller_model models[CONTROLLERS] = {{.id = 1}, {.id = 2}, {.id = 3}};
		struct step *steps;

		random_state = seed;
		steps = random_steps();
		for (unsigned i = 0; i < STEPS; i++) {
			step_replay(rights, &steps[i]);
			for (unsigned c = 0; c < CONTROLLERS; c++) {
				if (draw(4) != 0)
					continue;
				model_sync(&models[c], rights, MONDAY);
				model_check(&models[c], rights, MONDAY);
			}
		}
		for (unsigned c = 0; c < CONTROLLERS; c++) {
			full += models[c].full;
			changes += models[c].changes;
		}
		rights_free(&rights);
		free(steps);
	}
	/* both ways were tried */
	assert_true(full > seeds() && changes > seeds());
}

/* ---- Lists --------------------------------------------------------------------- */

static void
a_number_is_the_position_of_the_last_change(void **state)
{
	struct rights *rights = rights_new(&conf);
	struct list_doors one = doors_of(1, 1, 2), two = doors_of(2, 5, 1);
	struct right_change change;
	uint32_t touched[8];

	(void)state;
	rights_set_doors(rights, &one, 10);
	rights_set_doors(rights, &two, 20);
	/* nobody registered a card: there is nothing to be told */
	assert_int_equal(rights_list_number(rights, 1), 0);
	assert_int_equal(rights_take_touched(rights, touched, 8), 0);

	change = card_change(1, KIND_CODE_CARD_REGISTERED, CARD_ACTIVE, MONDAY);
	rights_apply(rights, &change);
	assert_int_equal(rights_list_number(rights, 1), 0);
	rights_number(rights, 30);
	assert_int_equal(rights_list_number(rights, 1), 30);
	assert_int_equal(rights_list_number(rights, 2), 30);
	assert_int_equal(rights_take_touched(rights, touched, 8), 2);

	change = grant_change(1, KIND_CODE_GRANT_SET, 2, MONDAY, 0, MONDAY);
	apply(rights, &change, 40);
	assert_int_equal(rights_list_number(rights, 1), 40);
	assert_int_equal(rights_list_number(rights, 2), 30);
	assert_int_equal(rights_take_touched(rights, touched, 8), 1);
	assert_int_equal(touched[0], 1);

	/* a suspended card is seen by the doors that it opens, and by no others */
	change = card_change(1, KIND_CODE_CARD_SUSPENDED, CARD_SUSPENDED, MONDAY);
	apply(rights, &change, 50);
	assert_int_equal(rights_list_number(rights, 1), 50);
	assert_int_equal(rights_list_number(rights, 2), 30);

	rights_confirm(rights, 1, 50);
	rights_confirm(rights, 2, 31); /* a number that was never given */
	assert_int_equal(rights_confirmed(rights, 1), 50);
	assert_int_equal(rights_confirmed(rights, 2), 0);
	rights_free(&rights);
}

static void
windows_travel_with_the_right(void **state)
{
	struct rights *rights = rights_new(&conf);
	struct list_doors doors = doors_of(1, 1, 1);
	struct right_change change;
	struct rights_list list;

	(void)state;
	rights_set_doors(rights, &doors, 10);
	change = card_change(1, KIND_CODE_CARD_REGISTERED, CARD_ACTIVE, MONDAY);
	change.card_from_us = MONDAY + HOUR;
	change.card_until_us = MONDAY + DAY;
	apply(rights, &change, 20);
	change.kind = KIND_CODE_GRANT_SET;
	change.valid_from_us = MONDAY;
	change.valid_until_us = MONDAY + 2 * DAY;
	change.doors[0] = change.n_doors = 1;
	apply(rights, &change, 30);
	assert_int_equal(rights_list_since(rights, 1, 0, MONDAY, &list), RC_OK);
	assert_true(list.full && list.n_put == 1);
	assert_string_equal(list.timezone, "Europe/Berlin");
	assert_true(list.put[0].valid_from_us == MONDAY);
	assert_true(list.put[0].not_before_us == MONDAY + HOUR);
	assert_true(list.put[0].valid_until_us == MONDAY + DAY);
	assert_true(list.put[0].active);
	rights_list_fini(&list);
	/* what ended is in no list */
	assert_int_equal(rights_list_since(rights, 1, 0, MONDAY + DAY, &list), RC_OK);
	assert_int_equal(list.n_put, 0);
	rights_list_fini(&list);
	assert_int_equal(rights_list_since(rights, 1, 30, MONDAY, &list), RC_EOF);
	rights_free(&rights);
}

/* A door that is hung at another controller: both lists are new as a whole. */
static void
a_door_that_moves_takes_its_rights_along(void **state)
{
	struct rights *rights = rights_new(&conf);
	struct list_doors from = doors_of(1, 1, 2), to = doors_of(2, 3, 1), moved;
	struct controller_model one = {.id = 1}, two = {.id = 2};
	struct right_change change = grant_change(1, KIND_CODE_GRANT_SET, 2, MONDAY, 0, MONDAY);

	(void)state;
	rights_set_doors(rights, &from, 10);
	rights_set_doors(rights, &to, 20);
	apply(rights, &change, 30);
	model_sync(&one, rights, MONDAY);
	model_sync(&two, rights, MONDAY);
	assert_int_equal(one.n, 1);
	assert_int_equal(two.n, 0);
	assert_false(rights_doors_differ(rights, &from));
	moved = doors_of(2, 2, 2);
	assert_true(rights_doors_differ(rights, &moved));
	rights_set_doors(rights, &moved, 40);
	from.n_doors = 1;
	assert_true(rights_doors_differ(rights, &from));
	rights_set_doors(rights, &from, 50);
	model_sync(&one, rights, MONDAY);
	model_sync(&two, rights, MONDAY);
	assert_int_equal(one.n, 0);
	assert_int_equal(two.n, 1);
	assert_int_equal(two.number, 40);
	assert_int_equal(one.number, 50);
	rights_free(&rights);
}

/* ---- Judging -------------------------------------------------------------------- */

struct court {
	struct rights *rights;
	struct zone *zone;
};

static int
court_open(void **state)
{
	struct court *court = xcalloc(1, sizeof(*court));
	struct err err;

	court->rights = rights_new(&conf);
	assert_int_equal(zone_new(&court->zone, "Europe/Berlin", &err), RC_OK);
	*state = court;
	return 0;
}

static int
court_close(void **state)
{
	struct court *court = *state;

	rights_free(&court->rights);
	zone_free(&court->zone);
	free(court);
	return 0;
}

static struct judgement
judge(const struct court *court, unsigned card, uint32_t door, int64_t time_us)
{
	uint8_t key[CARD_KEY_BYTES];
	struct access access = {
		.site_id = SITE, .door_id = door, .time_us = time_us, .zone = court->zone};

	key_of(card, key);
	access.card = rights_card(court->rights, SITE, key);
	return rights_judge(court->rights, &access);
}

static void
assert_verdict(const struct court *court, uint32_t door, int64_t time_us, enum verdict verdict,
	       uint64_t position)
{
	struct judgement judgement = judge(court, 1, door, time_us);

	if (judgement.verdict != verdict || judgement.position != position)
		fail_msg("%s by %lu, expected %s by %lu", verdict_name(judgement.verdict),
			 (unsigned long)judgement.position, verdict_name(verdict),
			 (unsigned long)position);
}

static void
what_a_door_did_is_held_against_what_stood_then(void **state)
{
	struct court *court = *state;
	struct right_change change;

	assert_verdict(court, 1, MONDAY, VERDICT_NOT_JUDGED, 0);
	change = card_change(1, KIND_CODE_CARD_REGISTERED, CARD_ACTIVE, MONDAY);
	apply(court->rights, &change, 10);
	change = grant_change(1, KIND_CODE_GRANT_SET, 1, MONDAY, 0, MONDAY + HOUR);
	apply(court->rights, &change, 20);
	change = card_change(1, KIND_CODE_CARD_SUSPENDED, CARD_SUSPENDED, MONDAY + 2 * HOUR);
	apply(court->rights, &change, 30);
	change = card_change(1, KIND_CODE_CARD_RESUMED, CARD_ACTIVE, MONDAY + 3 * HOUR);
	apply(court->rights, &change, 40);
	change = card_change(1, KIND_CODE_CARD_REPORTED_LOST, CARD_LOST, MONDAY + 4 * HOUR);
	apply(court->rights, &change, 50);
	change = card_change(1, KIND_CODE_CARD_REVOKED, CARD_REVOKED, MONDAY + 5 * HOUR);
	apply(court->rights, &change, 60);

	assert_verdict(court, 1, MONDAY - 1, VERDICT_NOT_JUDGED, 0);
	assert_verdict(court, 1, MONDAY + HOUR - 1, VERDICT_NO_RIGHT, 0);
	assert_verdict(court, 1, MONDAY + HOUR, VERDICT_OK, 20);
	assert_verdict(court, 2, MONDAY + HOUR, VERDICT_NO_RIGHT, 0);
	assert_verdict(court, 1, MONDAY + 2 * HOUR - 1, VERDICT_OK, 20);
	assert_verdict(court, 1, MONDAY + 2 * HOUR, VERDICT_SUSPENDED, 30);
	assert_verdict(court, 1, MONDAY + 3 * HOUR, VERDICT_OK, 20);
	assert_verdict(court, 1, MONDAY + 4 * HOUR, VERDICT_LOST, 50);
	assert_verdict(court, 1, MONDAY + 9 * HOUR, VERDICT_REVOKED, 60);
	assert_int_equal(judge(court, 2, 1, MONDAY + HOUR).verdict, VERDICT_UNKNOWN_CARD);

	/* what is forgotten is not judged, and no verdict is made up */
	rights_expire(court->rights, MONDAY + 4 * HOUR + 7 * DAY);
	assert_verdict(court, 1, MONDAY + 2 * HOUR, VERDICT_NOT_JUDGED, 0);
	assert_verdict(court, 1, MONDAY + 4 * HOUR, VERDICT_LOST, 50);
}

static void
rights_that_were_taken_away_name_the_change(void **state)
{
	struct court *court = *state;
	struct right_change change;

	change = grant_change(1, KIND_CODE_GRANT_SET, 1, MONDAY, MONDAY + DAY, MONDAY);
	apply(court->rights, &change, 10);
	/* shortened, and then taken away */
	change = grant_change(1, KIND_CODE_GRANT_SET, 1, MONDAY, MONDAY + 3 * HOUR, MONDAY + HOUR);
	apply(court->rights, &change, 20);
	assert_verdict(court, 1, MONDAY + 4 * HOUR, VERDICT_EXPIRED, 20);
	change = grant_change(1, KIND_CODE_GRANT_REMOVED, 1, 0, 0, MONDAY + 2 * HOUR);
	apply(court->rights, &change, 30);
	assert_verdict(court, 1, MONDAY + 30 * 60, VERDICT_OK, 10);
	assert_verdict(court, 1, MONDAY + HOUR, VERDICT_OK, 20);
	assert_verdict(court, 1, MONDAY + 2 * HOUR, VERDICT_NO_RIGHT, 30);
}

static void
edges_are_exact_but_for_the_grace(void **state)
{
	struct court *court = *state;
	struct right_change change;

	change = grant_change(1, KIND_CODE_GRANT_SET, 1, MONDAY + HOUR, MONDAY + DAY, MONDAY);
	apply(court->rights, &change, 10);
	assert_verdict(court, 1, MONDAY + HOUR - 6, VERDICT_NOT_ACTIVE, 10);
	assert_verdict(court, 1, MONDAY + HOUR - 5, VERDICT_OK, 10);
	assert_verdict(court, 1, MONDAY + DAY + 4, VERDICT_OK, 10);
	assert_verdict(court, 1, MONDAY + DAY + 5, VERDICT_EXPIRED, 10);
}

/* The night on which the clocks go back, 2026-10-25 in Berlin: 02:00 to 03:00 on Sunday
 * comes twice, and the right holds in both; what ends at a time ends once. */
static void
hours_follow_the_clocks_of_the_site(void **state)
{
	struct court *court = *state;
	int64_t back = INT64_C(1792890000) * 1000000; /* 03:00 becomes 02:00 */
	struct right_change change =
		grant_change(1, KIND_CODE_GRANT_SET, 1, MONDAY, back + HOUR / 2, MONDAY);

	change.n_hours = 1;
	change.hours[0] = (struct right_hours){6 * 24 * 60 + 120, 6 * 24 * 60 + 180};
	apply(court->rights, &change, 10);
	assert_verdict(court, 1, back - HOUR - 6, VERDICT_OUTSIDE_HOURS, 10);
	assert_verdict(court, 1, back - HOUR, VERDICT_OK, 10);
	assert_verdict(court, 1, back - 1, VERDICT_OK, 10);
	assert_verdict(court, 1, back, VERDICT_OK, 10);
	assert_verdict(court, 1, back + HOUR / 2 + 5, VERDICT_EXPIRED, 10);
	/* a week before there is no such hour twice */
	assert_verdict(court, 1, back - 7 * DAY + 5, VERDICT_OUTSIDE_HOURS, 10);
}

/* ---- Snapshot -------------------------------------------------------------------- */

static void
a_bent_snapshot_is_refused(void **state)
{
	struct rights *rights, *again;
	struct step *steps;
	struct buf buf;
	struct err err;

	(void)state;
	random_state = 5;
	steps = random_steps();
	rights = decide_all(steps);
	buf_init(&buf, 1 << 24);
	assert_int_equal(rights_save(rights, &buf), RC_OK);
	for (size_t n = 0; n < buf_len(&buf); n++) {
		again = rights_new(&conf);
		assert_int_equal(rights_load(again, buf_front(&buf), n, &err), RC_INVALID);
		rights_free(&again);
	}
	/* whatever a byte says, nothing is read or written beyond */
	for (size_t n = 0; n < buf_len(&buf); n++) {
		buf_front(&buf)[n] ^= 0xff;
		again = rights_new(&conf);
		(void)!rights_load(again, buf_front(&buf), buf_len(&buf), &err);
		rights_free(&again);
		buf_front(&buf)[n] ^= 0xff;
	}
	buf_fini(&buf);
	rights_free(&rights);
	free(steps);
}

static void
a_card_of_two_sites_is_two_cards(void **state)
{
	struct rights *rights = rights_new(&conf);
	struct right_change change = card_change(1, KIND_CODE_CARD_REGISTERED, CARD_ACTIVE, MONDAY);
	const struct card *here, *there;

	(void)state;
	apply(rights, &change, 10);
	change.site_id = OTHER_SITE;
	apply(rights, &change, 20);
	change = card_change(1, KIND_CODE_CARD_REVOKED, CARD_REVOKED, MONDAY);
	apply(rights, &change, 30);
	here = rights_card(rights, SITE, change.card_key);
	there = rights_card(rights, OTHER_SITE, change.card_key);
	assert_int_equal(here->status, CARD_REVOKED);
	assert_int_equal(there->status, CARD_ACTIVE);
	assert_int_equal(rights_site_cards(rights, SITE), 1);
	assert_ptr_equal(rights_next_card(rights, SITE, NULL), here);
	assert_null(rights_next_card(rights, SITE, here));
	rights_free(&rights);
}

int
main(void)
{
#define IN_COURT(test) cmocka_unit_test_setup_teardown(test, court_open, court_close)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_comes_to_what_was_decided),
		cmocka_unit_test(changes_come_to_the_full_list),
		cmocka_unit_test(a_number_is_the_position_of_the_last_change),
		cmocka_unit_test(windows_travel_with_the_right),
		cmocka_unit_test(a_door_that_moves_takes_its_rights_along),
		IN_COURT(what_a_door_did_is_held_against_what_stood_then),
		IN_COURT(rights_that_were_taken_away_name_the_change),
		IN_COURT(edges_are_exact_but_for_the_grace),
		IN_COURT(hours_follow_the_clocks_of_the_site),
		cmocka_unit_test(a_bent_snapshot_is_refused),
		cmocka_unit_test(a_card_of_two_sites_is_two_cards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
