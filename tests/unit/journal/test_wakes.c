/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is told that the journal grew, and when.  Guards: nobody with news is forgotten,
 * what is urgent never waits, and what isn't is told together.
 */
#include "fixture.h"

#include "base/mailbox.h"

enum { PACE_MS = 5, DESK = 0, STORE = 1, READERS = 2 };

#define MS(n) ((uint64_t)(n)*1000000)

struct readers {
	struct mailbox boxes[READERS];
	struct wakes wakes;
};

static int
set_up(void **state)
{
	struct readers *r = xcalloc(1, sizeof(*r));
	struct err err;

	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(mailbox_init(&r->boxes[i], &err), RC_OK);
	wakes_init(&r->wakes,
		   (const struct journal_wake[]){
			   [DESK] = {.box = &r->boxes[DESK], .at_once = ENTRY_FLAG_DESK},
			   [STORE] = {.box = &r->boxes[STORE]},
		   },
		   READERS, PACE_MS);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	struct readers *r = *state;

	wakes_fini(&r->wakes);
	for (size_t i = 0; i < READERS; i++)
		mailbox_fini(&r->boxes[i]);
	free(r);
	return 0;
}

/* Whether it was rung since the last look. */
static bool
heard(struct readers *r, size_t who)
{
	bool rang = mailbox_wait(&r->boxes[who], 0);

	(void)mailbox_take_all(&r->boxes[who]);
	return rang;
}

static void
durable(struct readers *r, uint8_t flags, uint64_t now_ns)
{
	wakes_note(&r->wakes, flags);
	wakes_ring(&r->wakes, now_ns);
}

static void
test_the_first_news_after_quiet_are_told_at_once(void **state)
{
	struct readers *r = *state;

	assert_int_equal(wakes_wait_ms(&r->wakes), -1);
	durable(r, 0, MS(100));
	assert_true(heard(r, DESK));
	assert_true(heard(r, STORE));
	assert_int_equal(wakes_wait_ms(&r->wakes), -1);
	durable(r, 0, MS(100 + PACE_MS));
	assert_true(heard(r, DESK));
	assert_true(heard(r, STORE));
}

static void
test_what_follows_soon_is_told_together_and_not_forgotten(void **state)
{
	struct readers *r = *state;

	durable(r, 0, MS(100));
	(void)heard(r, DESK);
	(void)heard(r, STORE);
	durable(r, 0, MS(101));
	durable(r, 0, MS(102));
	assert_false(heard(r, DESK));
	assert_false(heard(r, STORE));
	/* the appender sleeps no longer than this, and rings then */
	assert_int_equal(wakes_wait_ms(&r->wakes), PACE_MS);
	wakes_ring(&r->wakes, MS(100 + PACE_MS));
	assert_true(heard(r, DESK));
	assert_true(heard(r, STORE));
	assert_int_equal(wakes_wait_ms(&r->wakes), -1);
	/* nothing new: nobody is woken for it */
	wakes_ring(&r->wakes, MS(200));
	assert_false(heard(r, DESK));
	assert_false(heard(r, STORE));
}

static void
test_an_alarm_is_told_at_once_to_who_asks_for_it(void **state)
{
	struct readers *r = *state;

	durable(r, 0, MS(100));
	(void)heard(r, DESK);
	(void)heard(r, STORE);
	durable(r, ENTRY_FLAG_DESK, MS(101));
	assert_true(heard(r, DESK));
	assert_false(heard(r, STORE));
	/* and it was told: what comes behind it waits again */
	durable(r, ENTRY_FLAG_RIGHTS, MS(102));
	assert_false(heard(r, DESK));
	durable(r, ENTRY_FLAG_DESK | ENTRY_FLAG_RIGHTS, MS(103));
	assert_true(heard(r, DESK));
}

static void
test_without_a_pace_each_sync_is_told(void **state)
{
	struct readers *r = *state;

	r->wakes.pace_ns = 0;
	for (unsigned i = 0; i < 3; i++) {
		durable(r, 0, MS(100));
		assert_true(heard(r, DESK));
		assert_true(heard(r, STORE));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_first_news_after_quiet_are_told_at_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_follows_soon_is_told_together_and_not_forgotten, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_an_alarm_is_told_at_once_to_who_asks_for_it,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_a_pace_each_sync_is_told, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
