/* SPDX-License-Identifier: Apache-2.0 */
/* What a controller keeps: items, a stock that takes no memory, acks, renumbering. */
#include "../support/scratch.h"

#include "sim/latency.h"
#include "sim/waiting.h"

static uint64_t
push(struct waiting *w, int64_t time_us)
{
	const struct item item = {.time_us = time_us};

	return waiting_push(w, &item);
}

static void
assert_item(const struct waiting *w, uint64_t seq, int64_t time_us)
{
	struct item item;
	uint64_t stock;

	assert_int_equal(waiting_get(w, seq, &item, &stock), WAITING_ITEM);
	assert_int_equal(item.time_us, time_us);
}

static void
assert_stock(const struct waiting *w, uint64_t seq, uint64_t place)
{
	struct item item;
	uint64_t stock;

	assert_int_equal(waiting_get(w, seq, &item, &stock), WAITING_STOCK);
	assert_int_equal(stock, place);
}

static void
assert_none(const struct waiting *w, uint64_t seq)
{
	struct item item;
	uint64_t stock;

	assert_int_equal(waiting_get(w, seq, &item, &stock), WAITING_NONE);
}

static void
test_ring_keeps_what_is_not_acked(void **state)
{
	struct waiting w;

	(void)state;
	waiting_init(&w, 0);
	/* more than the ring's first capacity, with acks in between, so that it wraps */
	for (uint64_t i = 1; i <= 1000; i++) {
		assert_int_equal(push(&w, (int64_t)i), i);
		if (i > 40)
			waiting_ack(&w, i - 40);
	}
	assert_none(&w, 960);
	for (uint64_t seq = 961; seq <= 1000; seq++)
		assert_item(&w, seq, (int64_t)seq);
	assert_none(&w, 1001);
	waiting_ack(&w, 1000);
	assert_int_equal(w.n, 0);
	waiting_ack(&w, 7); /* an old one changes nothing */
	assert_int_equal(w.acked, 1000);
	waiting_fini(&w);
}

static void
test_stock_lies_between_items(void **state)
{
	struct waiting w;

	(void)state;
	waiting_init(&w, 10);
	assert_int_equal(push(&w, 100), 11);
	waiting_push_stock(&w, 1000000000);
	assert_int_equal(push(&w, 200), 1000000012);
	assert_item(&w, 11, 100);
	assert_stock(&w, 12, 0);
	assert_stock(&w, 1000000011, 999999999);
	assert_item(&w, 1000000012, 200);
	waiting_ack(&w, 500);
	assert_none(&w, 500);
	assert_stock(&w, 501, 489);
	assert_item(&w, 1000000012, 200);
	waiting_ack(&w, 1000000011);
	assert_item(&w, 1000000012, 200);
	assert_int_equal(push(&w, 300), 1000000013);
	waiting_ack(&w, 1000000012);
	assert_item(&w, 1000000013, 300);
	waiting_fini(&w);
}

static void
test_renumbering_moves_what_waits(void **state)
{
	struct waiting w;

	(void)state;
	waiting_init(&w, 0);
	push(&w, 100);
	waiting_push_stock(&w, 5);
	push(&w, 200);
	waiting_renumber(&w, 70);
	assert_none(&w, 70);
	assert_item(&w, 71, 100);
	assert_stock(&w, 72, 0);
	assert_stock(&w, 76, 4);
	assert_item(&w, 77, 200);
	assert_int_equal(w.last, 77);
	/* the stock was begun: what is left keeps its places */
	waiting_ack(&w, 73);
	waiting_renumber(&w, 200);
	assert_stock(&w, 201, 2);
	assert_stock(&w, 203, 4);
	assert_item(&w, 204, 200);
	waiting_fini(&w);
}

static void
test_latency_quantiles_are_close_and_never_below(void **state)
{
	struct latency latency = {0};

	(void)state;
	assert_int_equal(latency_quantile_ns(&latency, 0.99), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		latency_add(&latency, i * 1000);
	for (unsigned percent = 1; percent <= 100; percent++) {
		uint64_t exact = percent * 1000000ULL;
		uint64_t got = latency_quantile_ns(&latency, percent / 100.0);

		assert_true(got >= exact - 1000); /* a rank more or less by rounding */
		assert_true(got <= exact + exact / 60);
	}
	assert_int_equal(latency_quantile_ns(&latency, 1.0), 100000000);
	assert_int_equal(latency.max_ns, 100000000);
}

static void
test_latency_takes_any_number(void **state)
{
	struct latency latency = {0};

	(void)state;
	latency_add(&latency, 0);
	latency_add(&latency, 63);
	latency_add(&latency, 64);
	latency_add(&latency, UINT64_MAX);
	assert_int_equal(latency_quantile_ns(&latency, 0.25), 0);
	assert_int_equal(latency_quantile_ns(&latency, 0.5), 63);
	assert_int_equal(latency_quantile_ns(&latency, 0.75), 64);
	assert_true(latency_quantile_ns(&latency, 1.0) == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_keeps_what_is_not_acked),
		cmocka_unit_test(test_stock_lies_between_items),
		cmocka_unit_test(test_renumbering_moves_what_waits),
		cmocka_unit_test(test_latency_quantiles_are_close_and_never_below),
		cmocka_unit_test(test_latency_takes_any_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
