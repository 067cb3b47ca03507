/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is under way to the operator's clients when their socket is closed, as at every stop
 * of the daemon, goes nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/control.h"

static void
a_delivery_that_comes_behind_the_end_is_dropped(void **state)
{
	struct hub_delivery *delivery = xcalloc(1, sizeof(*delivery) + sizeof(uint64_t));

	(void)state;
	delivery->n_ids = 1;
	delivery->ids[0] = 1;
	control_deliver(NULL, delivery);
}

static void
an_answer_that_comes_behind_the_end_is_dropped(void **state)
{
	(void)state;
	control_answer(NULL, xcalloc(1, sizeof(struct action_answer)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delivery_that_comes_behind_the_end_is_dropped),
		cmocka_unit_test(an_answer_that_comes_behind_the_end_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
