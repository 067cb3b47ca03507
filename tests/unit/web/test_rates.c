/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an address may ask for.  Seen to fail with: a bucket that never runs dry, one
 * that never fills, and a table that grows without end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "web/rates.h"

/* How many in a row at that moment. */
static unsigned
taken(struct rates *rates, const char *address, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 1000 && rates_take(rates, address, now_ms))
		n++;
	return n;
}

static void
a_bucket_runs_dry_and_fills(void **state)
{
	struct rates *rates = rates_new(60);

	(void)state;
	assert_int_equal(taken(rates, "10.0.0.1", 0), 15);
	assert_int_equal(taken(rates, "10.0.0.1", 999), 0);
	assert_int_equal(taken(rates, "10.0.0.1", 1000), 1);
	assert_int_equal(taken(rates, "10.0.0.1", 6000), 5);
	/* and no fuller than full */
	assert_int_equal(taken(rates, "10.0.0.1", 1000000000), 15);
	rates_free(&rates);
}

static void
addresses_don_t_share(void **state)
{
	struct rates *rates = rates_new(4);

	(void)state;
	assert_int_equal(taken(rates, "10.0.0.1", 0), 1);
	assert_int_equal(taken(rates, "10.0.0.2", 0), 1);
	assert_int_equal(taken(rates, "10.0.0.1", 0), 0);
	rates_free(&rates);
}

static void
the_address_unseen_for_longest_is_forgotten(void **state)
{
	struct rates *rates = rates_new(4);
	char address[32];

	(void)state;
	(void)taken(rates, "old", 0);
	(void)taken(rates, "busy", 0);
	for (int i = 0; i < RATES_ADDRESSES_MAX - 1; i++) {
		(void)snprintf(address, sizeof(address), "a%d", i);
		(void)rates_take(rates, address, 0);
		assert_false(rates_take(rates, "busy", 0));
	}
	assert_true(rates_take(rates, "old", 0));
	assert_false(rates_take(rates, "busy", 0));
	rates_free(&rates);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_runs_dry_and_fills),
		cmocka_unit_test(addresses_don_t_share),
		cmocka_unit_test(the_address_unseen_for_longest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
