/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links are good once and not for ever; sessions end by themselves.
 *
 * Seen to fail with: a link that stays after it was redeemed; the age of a link, and
 * each of the two ages of a session, not looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "web/sessions.h"

static const struct sessions_limits limits = {
	.link_ms = 1000, .idle_ms = 5000, .max_ms = 20000, .sessions_max = 6, .per_console = 3};

static int
set_up(void **state)
{
	*state = sessions_new(&limits);
	return 0;
}

static int
tear_down(void **state)
{
	struct sessions *sessions = *state;

	sessions_free(&sessions);
	return 0;
}

static const struct session *
opened(struct sessions *sessions, const char *console, uint64_t now_ms)
{
	const struct session_of of = {.console = console, .station = "north"};

	return sessions_open(sessions, &of, now_ms);
}

static void
a_link_is_good_once(void **state)
{
	char secret[SECRET_TEXT + 1], console[SESSION_NAME_MAX + 1];

	assert_int_equal(sessions_invite(*state, "desk-1", 0, secret), RC_OK);
	assert_int_equal(strlen(secret), SECRET_TEXT);
	assert_true(sessions_redeem(*state, secret, 999, console));
	assert_string_equal(console, "desk-1");
	assert_false(sessions_redeem(*state, secret, 999, console));
}

static void
a_link_gets_too_old(void **state)
{
	char secret[SECRET_TEXT + 1], console[SESSION_NAME_MAX + 1];

	assert_int_equal(sessions_invite(*state, "desk-1", 0, secret), RC_OK);
	assert_false(sessions_redeem(*state, secret, 1000, console));
	assert_false(sessions_redeem(*state, "", 0, console));
	assert_false(sessions_redeem(*state, "x", 0, console));
}

static void
links_are_bounded_until_they_are_old(void **state)
{
	char secret[SECRET_TEXT + 1];
	int made = 0;

	while (made < 100000 && sessions_invite(*state, "desk-1", 0, secret) == RC_OK)
		made++;
	assert_in_range(made, 10, 10000);
	assert_int_equal(sessions_invite(*state, "desk-1", 1000, secret), RC_OK);
}

static void
a_session_that_is_used_stays_until_its_end(void **state)
{
	char secret[SECRET_TEXT + 1];

	memcpy(secret, opened(*state, "desk-1", 0)->secret, sizeof(secret));
	for (uint64_t now = 0; now < 20000; now += 4999)
		assert_non_null(sessions_find(*state, secret, now));
	assert_null(sessions_find(*state, secret, 20000));
	assert_int_equal(sessions_count(*state), 0);
}

static void
a_session_that_is_not_used_ends(void **state)
{
	char secret[SECRET_TEXT + 1];

	memcpy(secret, opened(*state, "desk-1", 0)->secret, sizeof(secret));
	sessions_sweep(*state, 4999, NULL, NULL);
	assert_int_equal(sessions_count(*state), 1);
	assert_null(sessions_find(*state, secret, 5000));
}

static void
a_console_with_too_many_loses_its_oldest(void **state)
{
	char first[SECRET_TEXT + 1], other[SECRET_TEXT + 1];

	memcpy(first, opened(*state, "desk-1", 0)->secret, sizeof(first));
	memcpy(other, opened(*state, "desk-2", 0)->secret, sizeof(other));
	for (int i = 0; i < 3; i++)
		assert_non_null(opened(*state, "desk-1", 1));
	assert_null(sessions_find(*state, first, 1));
	assert_non_null(sessions_find(*state, other, 1));
	assert_int_equal(sessions_count(*state), 4);
}

static void
sessions_are_bounded(void **state)
{
	char name[32];

	for (int i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "desk-%d", i);
		assert_non_null(opened(*state, name, 0));
	}
	assert_null(opened(*state, "desk-more", 0));
}

static bool
is_not_desk_2(void *arg, const struct session *session)
{
	(void)arg;
	return strcmp(session->console, "desk-2") != 0;
}

static void
who_may_no_longer_is_swept(void **state)
{
	(void)opened(*state, "desk-1", 0);
	(void)opened(*state, "desk-2", 0);
	sessions_sweep(*state, 0, is_not_desk_2, NULL);
	assert_int_equal(sessions_count(*state), 1);
}

static void
secrets_differ(void **state)
{
	const struct session *a = opened(*state, "desk-1", 0);

	assert_string_not_equal(a->secret, a->csrf);
	assert_true(secrets_equal("abc", "abc"));
	assert_false(secrets_equal("abc", "abd"));
	assert_false(secrets_equal("abc", "abcd"));
	assert_false(secrets_equal("abc", ""));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_link_is_good_once),
		TEST(a_link_gets_too_old),
		TEST(links_are_bounded_until_they_are_old),
		TEST(a_session_that_is_used_stays_until_its_end),
		TEST(a_session_that_is_not_used_ends),
		TEST(a_console_with_too_many_loses_its_oldest),
		TEST(sessions_are_bounded),
		TEST(who_may_no_longer_is_swept),
		TEST(secrets_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
