/* SPDX-License-Identifier: Apache-2.0 */
/* The pace: never drifts, follows a profile; and what a profile must look like. */
#include "../support/scratch.h"

#include "sim/pace.h"

#define SECOND 1000000000ULL

static void
test_even_pace_is_exact_however_often_it_is_asked(void **state)
{
	const struct pace pace = {.per_s = 333.0};
	uint64_t given = 0;

	(void)state;
	/* a look every 7 ms: what is due adds up to the same as one look at the end */
	for (uint64_t ns = 0; ns <= 3600 * SECOND; ns += 7000000) {
		uint64_t due = pace_due(&pace, ns);

		assert_true(due >= given);
		assert_true(due - given <= 3);
		given = due;
	}
	assert_int_equal(pace_due(&pace, 3600 * SECOND), 333 * 3600);
	assert_int_equal(pace_due(&pace, 0), 0);
}

static void
test_slow_pace_waits_for_its_first(void **state)
{
	const struct pace pace = {.per_s = 0.1};

	(void)state;
	assert_int_equal(pace_due(&pace, 9 * SECOND), 0);
	assert_int_equal(pace_due(&pace, 10 * SECOND), 1);
	assert_int_equal(pace_due(&pace, 25 * SECOND), 2);
}

/* Slot 0 has twice the mean, slot 1 nothing, all others the mean. */
static char *
write_profile(const char *dir, double first, double second)
{
	char *path = xasprintf("%s/profile.tsv", dir);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs("# a comment\nslot\tstart\tmultiple\n", file);
	for (int i = 0; i < PROFILE_SLOTS; i++)
		fprintf(file, "%d\t%02d:%02d\t%.3f\n", i, i / 6, i % 6 * 10,
			i == 0   ? first
			: i == 1 ? second
				 : 1.0);
	fclose(file);
	return path;
}

static void
test_profile_shapes_the_rate(void **state)
{
	struct profile profile;
	struct err err;
	char *path = write_profile(*state, 2.0, 0.0);
	/* a day in 144 s: a slot is a second */
	const struct pace pace = {.per_s = 100.0, .profile = &profile, .day_s = 144.0};

	assert_int_equal(profile_load(&profile, path, &err), RC_OK);
	assert_int_equal(pace_due(&pace, SECOND / 2), 100);
	assert_int_equal(pace_due(&pace, SECOND), 200);
	assert_int_equal(pace_due(&pace, SECOND + SECOND / 2), 200);
	assert_int_equal(pace_due(&pace, 2 * SECOND), 200);
	assert_int_equal(pace_due(&pace, 3 * SECOND), 300);
	assert_int_equal(pace_due(&pace, 144 * SECOND), 14400);
	/* and the next day begins as the first */
	assert_int_equal(pace_due(&pace, 145 * SECOND), 14600);
	free(path);
}

static void
assert_refused(const char *dir, const char *text, const char *why)
{
	struct profile profile;
	struct err err;
	char *path = scratch_write_text(dir, "bad.tsv", text);

	assert_int_equal(profile_load(&profile, path, &err), RC_INVALID);
	assert_contains(err.msg, why);
	free(path);
}

static void
test_bad_profiles_are_refused_with_the_line(void **state)
{
	const char *dir = *state;

	assert_refused(dir, "# nothing\n", "0 slots, expected 144");
	assert_refused(dir, "0\t00:00\t1.0\n2\t00:20\t1.0\n", "bad.tsv:2: slot is 2, expected 1");
	assert_refused(dir, "0\t00:10\t1.0\n", "bad.tsv:1: slot 0 starts at 00:00");
	assert_refused(dir, "#\n0\t00:00\t-1\n", "bad.tsv:2: multiple is not a number");
	assert_refused(dir, "0\t00:00\tnan\n", "multiple is not a number");
	assert_refused(dir, "0\t00:00\t1.0 more\n", "expected slot, start");
	assert_refused(dir, "0\t00:00\n", "expected slot, start");
}

static void
test_profile_of_145_slots_is_refused(void **state)
{
	struct profile profile;
	struct err err;
	char *path = write_profile(*state, 1.0, 1.0);
	FILE *file = fopen(path, "ae");

	assert_non_null(file);
	fputs("144\t24:00\t1.0\n", file);
	fclose(file);
	assert_int_equal(profile_load(&profile, path, &err), RC_INVALID);
	assert_contains(err.msg, "more than 144 slots");
	free(path);
}

static void
test_shipped_profile_has_the_mean_one(void **state)
{
	struct profile profile;
	struct err err;

	(void)state;
	assert_int_equal(profile_load(&profile, "tests/data/arrival-profile.tsv", &err), RC_OK);
	assert_true(profile.before[PROFILE_SLOTS] > 143.9 && profile.before[PROFILE_SLOTS] < 144.1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_even_pace_is_exact_however_often_it_is_asked),
		cmocka_unit_test(test_slow_pace_waits_for_its_first),
		cmocka_unit_test(test_profile_shapes_the_rate),
		cmocka_unit_test(test_bad_profiles_are_refused_with_the_line),
		cmocka_unit_test(test_profile_of_145_slots_is_refused),
		cmocka_unit_test(test_shipped_profile_has_the_mean_one),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
