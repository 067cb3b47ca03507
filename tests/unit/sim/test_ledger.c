/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: bytes and back, cut-off tails, several runs, and going on from it. */
#include "../support/scratch.h"

#include <sys/stat.h>
#include <unistd.h>

#include "sim/history.h"
#include "sim/ledger.h"

/* One of each type, every field of it different from zero. */
static const struct ledger_entry samples[] = {
	{.type = LEDGER_RUN, .wall_us = -5, .mono_ns = 6},
	{.type = LEDGER_STREAM, .id = 1, .epoch = 1ULL << 61, .name = "north-17"},
	{.type = LEDGER_SENT,
	 .id = 0x01020304,
	 .seq = 0x0102030405060708,
	 .wall_us = 1464653100000000,
	 .kind = 100,
	 .door = 65535,
	 .row = 7},
	{.type = LEDGER_ACK, .id = 1, .seq = UINT64_MAX},
	{.type = LEDGER_REJECT, .id = 1, .seq = 3, .kind = 2},
	{.type = LEDGER_LOST, .id = 1, .seq = 3, .last_seq = 9},
	{.type = LEDGER_ALARM_SENT, .id = 1, .seq = 3, .mono_ns = 99},
	{.type = LEDGER_CONSOLE, .id = 2, .name = "n"},
	{.type = LEDGER_SUBSCRIBED, .id = 2, .mono_ns = 4, .position = 5},
	{.type = LEDGER_RESYNC, .id = 2, .mono_ns = 4, .position = 5},
	{.type = LEDGER_SEEN,
	 .id = 2,
	 .mono_ns = 4,
	 .position = 5,
	 .alarm_id = 6,
	 .epoch = 7,
	 .seq = 8,
	 .kind = 202,
	 .state = 1,
	 .snapshot = 1,
	 .name = "0123456789012345678901234567890123456789012345678901234567890123"},
	{.type = LEDGER_SNAPSHOT_END, .id = 2, .mono_ns = 4, .position = 5},
	{.type = LEDGER_LIST, .id = 1, .position = 5, .seq = 6, .last_seq = UINT64_MAX},
};

static void
test_every_type_comes_back(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(samples), LEDGER_TYPES - 1);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		uint8_t bytes[LEDGER_ENTRY_MAX];
		size_t n = (size_t)(ledger_encode(&samples[i], bytes) - bytes), used = 0;
		struct ledger_entry entry;
		struct err err;

		assert_int_equal(ledger_decode(bytes, n, &entry, &used, &err), RC_OK);
		assert_int_equal(used, n);
		assert_memory_equal(&entry, &samples[i], sizeof(entry));
		/* cut off anywhere: not yet, and not read beyond */
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *exact = malloc(cut > 0 ? cut : 1);

			memcpy(exact, bytes, cut);
			assert_int_equal(ledger_decode(exact, cut, &entry, &used, &err), RC_AGAIN);
			free(exact);
		}
	}
}

static void
test_what_is_no_entry_is_refused(void **state)
{
	static const uint8_t type_0[] = {0, 0}, type_13[] = {LEDGER_TYPES, 0};
	static const uint8_t no_name[] = {LEDGER_CONSOLE, 1, 0, 0, 0, 0};
	static const uint8_t long_name[] = {LEDGER_CONSOLE, 1, 0, 0, 0, 65};
	static const uint8_t zero_name[] = {LEDGER_CONSOLE, 1, 0, 0, 0, 2, 'a', 0};
	struct ledger_entry entry;
	struct err err;
	size_t used;

	(void)state;
	assert_int_equal(ledger_decode(type_0, 2, &entry, &used, &err), RC_INVALID);
	assert_int_equal(ledger_decode(type_13, 2, &entry, &used, &err), RC_INVALID);
	assert_int_equal(ledger_decode(no_name, 6, &entry, &used, &err), RC_INVALID);
	assert_int_equal(ledger_decode(long_name, 6, &entry, &used, &err), RC_INVALID);
	assert_int_equal(ledger_decode(zero_name, 8, &entry, &used, &err), RC_INVALID);
}

/* ---- Files -------------------------------------------------------------------------------- */

struct seen {
	struct ledger_entry last;
	size_t n, runs;
	uint64_t seqs;
};

static enum rc
see(void *arg, const struct ledger_entry *entry, struct err *err)
{
	struct seen *seen = arg;

	(void)err;
	seen->last = *entry;
	seen->n++;
	seen->runs += entry->type == LEDGER_RUN;
	seen->seqs += entry->seq;
	return RC_OK;
}

static void
add_run(const char *dir, uint64_t from, uint64_t to)
{
	struct ledger *ledger = NULL;
	struct err err;

	assert_int_equal(ledger_open(&ledger, dir, &err), RC_OK);
	for (uint64_t seq = from; seq <= to; seq++) {
		const struct ledger_entry entry = {.type = LEDGER_SENT, .seq = seq};

		ledger_add(ledger, &entry);
	}
	assert_int_equal(ledger_flush(ledger, &err), RC_OK);
	ledger_close(&ledger);
	assert_null(ledger);
}

static void
test_runs_are_read_in_order(void **state)
{
	char *dir = xasprintf("%s/runs", (char *)*state);
	struct seen seen = {0};
	struct err err;

	/* more than one buffer in the first */
	add_run(dir, 1, 100000);
	add_run(dir, 100001, 100010);
	assert_int_equal(ledger_read(dir, see, &seen, &err), RC_OK);
	assert_int_equal(seen.runs, 2);
	assert_int_equal(seen.n, 100012);
	assert_int_equal(seen.seqs, 100010ULL * 100011 / 2);
	assert_int_equal(seen.last.seq, 100010);
	free(dir);
}

static void
test_cut_off_tail_counts_not(void **state)
{
	char *dir = xasprintf("%s/cut", (char *)*state);
	char *path = xasprintf("%s/run-0001.ledger", dir);
	struct seen seen = {0};
	struct stat st;
	struct err err;

	add_run(dir, 1, 10);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_int_equal(ledger_read(dir, see, &seen, &err), RC_OK);
	assert_int_equal(seen.last.seq, 9);
	free(path);
	free(dir);
}

static void
test_foreign_and_damaged_files_are_refused(void **state)
{
	char *dir = xasprintf("%s/foreign", (char *)*state);
	struct seen seen = {0};
	struct err err;

	assert_int_equal(mkdir(dir, 0700), 0);
	free(scratch_write_text(dir, "run-0001.ledger", "GHLEDGR0 something else"));
	assert_int_equal(ledger_read(dir, see, &seen, &err), RC_INVALID);
	assert_contains(err.msg, "not a ledger of this version");
	free(scratch_write(dir, "run-0001.ledger", LEDGER_MAGIC "\xff\xff", 10));
	assert_int_equal(ledger_read(dir, see, &seen, &err), RC_INVALID);
	assert_contains(err.msg, "at byte 8: no entry has the type 255");
	free(dir);
}

static void
test_one_writer_at_a_time(void **state)
{
	char *dir = xasprintf("%s/locked", (char *)*state);
	struct ledger *first = NULL, *second = NULL;
	struct err err;

	assert_int_equal(ledger_open(&first, dir, &err), RC_OK);
	assert_int_equal(ledger_open(&second, dir, &err), RC_INVALID);
	assert_contains(err.msg, "another simulator");
	assert_null(second);
	ledger_close(&first);
	free(dir);
}

/* ---- Going on ------------------------------------------------------------------------------- */

static void
write_entries(const char *dir, const struct ledger_entry *entries, size_t n)
{
	struct ledger *ledger = NULL;
	struct err err;

	assert_int_equal(ledger_open(&ledger, dir, &err), RC_OK);
	for (size_t i = 0; i < n; i++)
		ledger_add(ledger, &entries[i]);
	assert_int_equal(ledger_flush(ledger, &err), RC_OK);
	ledger_close(&ledger);
}

/* Whoever sends or sees has a name; an alarm may be no controller's. */
static void
test_a_group_has_no_controller(void **state)
{
	static const struct ledger_entry group = {
		.type = LEDGER_SEEN, .id = 2, .alarm_id = 9, .kind = 720, .state = 1};
	uint8_t bytes[LEDGER_ENTRY_MAX];
	struct ledger_entry entry;
	struct err err;
	size_t n, used;

	(void)state;
	n = (size_t)(ledger_encode(&group, bytes) - bytes);
	assert_int_equal(ledger_decode(bytes, n, &entry, &used, &err), RC_OK);
	assert_int_equal(used, n);
	assert_string_equal(entry.name, "");
	assert_int_equal(entry.alarm_id, 9);
}

static void
test_history_is_where_the_ledger_ends(void **state)
{
	static const struct ledger_entry first[] = {
		{.type = LEDGER_STREAM, .id = 0, .epoch = 1, .name = "a"},
		{.type = LEDGER_STREAM, .id = 1, .epoch = 4, .name = "b"},
		{.type = LEDGER_CONSOLE, .id = 0, .name = "desk"},
		{.type = LEDGER_SENT, .id = 0, .seq = 1, .wall_us = 10, .kind = 100},
		{.type = LEDGER_SENT, .id = 0, .seq = 2, .wall_us = 20, .kind = 101, .row = 5},
		{.type = LEDGER_SENT, .id = 1, .seq = 900, .wall_us = 30},
		{.type = LEDGER_ACK, .id = 0, .seq = 1},
		{.type = LEDGER_SEEN, .id = 0, .position = 77, .name = "a"},
	};
	/* the numbers begin anew, in another order */
	static const struct ledger_entry second[] = {
		{.type = LEDGER_STREAM, .id = 0, .epoch = 4, .name = "b"},
		{.type = LEDGER_SENT, .id = 0, .seq = 901, .wall_us = 40},
		{.type = LEDGER_ACK, .id = 0, .seq = 900},
	};
	char *dir = xasprintf("%s/history", (char *)*state);
	struct history history;
	struct past *past;
	struct item item;
	struct err err;
	uint64_t stock;

	assert_int_equal(history_load(&history, dir, &err), RC_OK);
	assert_null(history_of(&history, "a"));
	write_entries(dir, first, ARRAY_LEN(first));
	write_entries(dir, second, ARRAY_LEN(second));
	assert_int_equal(history_load(&history, dir, &err), RC_OK);
	past = history_of(&history, "a");
	assert_non_null(past);
	assert_int_equal(past->epoch, 1);
	assert_int_equal(past->waiting.acked, 1);
	assert_int_equal(past->waiting.last, 2);
	assert_int_equal(waiting_get(&past->waiting, 2, &item, &stock), WAITING_ITEM);
	assert_int_equal(item.time_us, 20);
	assert_int_equal(item.kind, 101);
	past = history_of(&history, "b");
	assert_int_equal(past->epoch, 4);
	assert_int_equal(past->waiting.acked, 900);
	assert_int_equal(past->waiting.last, 901);
	assert_int_equal(history_position(&history, "desk"), 77);
	assert_int_equal(history_position(&history, "other"), 0);
	assert_int_equal(history.row_max, 5);
	history_free(&history);
	free(dir);
}

static void
test_history_forgets_with_the_epoch(void **state)
{
	static const struct ledger_entry entries[] = {
		{.type = LEDGER_STREAM, .id = 0, .epoch = 1, .name = "a"},
		{.type = LEDGER_SENT, .id = 0, .seq = 1},
		{.type = LEDGER_STREAM, .id = 1, .epoch = 2, .name = "a"},
	};
	char *dir = xasprintf("%s/epochs", (char *)*state);
	struct history history;
	struct err err;

	write_entries(dir, entries, ARRAY_LEN(entries));
	assert_int_equal(history_load(&history, dir, &err), RC_OK);
	assert_int_equal(history_of(&history, "a")->epoch, 2);
	assert_int_equal(history_of(&history, "a")->waiting.last, 0);
	history_free(&history);
	free(dir);
}

static void
test_history_refuses_unknown_numbers(void **state)
{
	static const struct ledger_entry entries[] = {{.type = LEDGER_ACK, .id = 3, .seq = 1}};
	char *dir = xasprintf("%s/unknown", (char *)*state);
	struct history history;
	struct err err;

	write_entries(dir, entries, 1);
	assert_int_equal(history_load(&history, dir, &err), RC_INVALID);
	assert_contains(err.msg, "stream 3 before it begins");
	free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_comes_back),
		cmocka_unit_test(test_what_is_no_entry_is_refused),
		cmocka_unit_test(test_runs_are_read_in_order),
		cmocka_unit_test(test_cut_off_tail_counts_not),
		cmocka_unit_test(test_foreign_and_damaged_files_are_refused),
		cmocka_unit_test(test_one_writer_at_a_time),
		cmocka_unit_test(test_a_group_has_no_controller),
		cmocka_unit_test(test_history_is_where_the_ledger_ends),
		cmocka_unit_test(test_history_forgets_with_the_epoch),
		cmocka_unit_test(test_history_refuses_unknown_numbers),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
