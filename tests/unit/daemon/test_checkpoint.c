/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoint file: what comes back, and that nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "daemon/checkpoint.h"
#include "wire/kind.h"

enum { NODE = 5, ELM = 7, FRONT = 71, POSITION = 4711, FORCED = 202 };

static const struct desk_conf desk_conf = {.node = NODE, .history = 16, .open_alarms_max = 16};
static const struct checkpoint_key key = {.journal_id = "0123456789abcde", .node = NODE};

static char dir[] = "/tmp/gatehouse-checkpoint-XXXXXX";

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
	char *command = xasprintf("rm -r %s", dir);
	int result = system(command);

	(void)state;
	free(command);
	return result;
}

/* Tables with something in them. */
struct tables {
	struct positions *positions;
	struct desk *desk;
};

static struct tables
empty_tables(void)
{
	return (struct tables){.positions = positions_new(), .desk = desk_new(&desk_conf)};
}

static struct tables
sample_tables(void)
{
	struct tables tables = empty_tables();
	struct record record = {.controller_id = ELM,
				.site_id = 41,
				.door_id = FRONT,
				.kind = FORCED,
				.epoch = 3,
				.seq = 17,
				.device_time_us = 1,
				.received_us = 2,
				.raw_code = "E17",
				.raw_code_len = 3,
				.detail = ""};

	positions_apply_record(tables.positions, &record);
	assert_non_null(desk_apply(tables.desk, &record, false, POSITION - 1, 3));
	return tables;
}

static void
free_tables(struct tables *tables)
{
	positions_free(&tables->positions);
	desk_free(&tables->desk);
}

static void
make_sample(struct buf *bytes)
{
	struct tables tables = sample_tables();

	buf_init(bytes, 1 << 20);
	assert_int_equal(checkpoint_make(&key, POSITION, tables.positions, tables.desk, bytes),
			 RC_OK);
	free_tables(&tables);
}

static void
write_bytes(const uint8_t *bytes, size_t n)
{
	char *path = xasprintf("%s/checkpoint", dir);
	FILE *file;

	/* a file that is written over would be flushed to the disk each time */
	(void)remove(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static enum rc
read_with(const struct checkpoint_key *with, uint64_t *position, struct err *err)
{
	struct tables tables = empty_tables();
	enum rc rc = checkpoint_read(dir, with, position, tables.positions, tables.desk, err);

	free_tables(&tables);
	return rc;
}

static void
without_a_file_there_is_none(void **state)
{
	char *path = xasprintf("%s/checkpoint", dir);
	uint64_t position;
	struct err err;

	(void)state;
	(void)remove(path);
	assert_int_equal(read_with(&key, &position, &err), RC_EOF);
	free(path);
}

static void
what_was_written_comes_back(void **state)
{
	struct tables tables = empty_tables();
	const struct alarm_change *change;
	uint64_t position = 0;
	struct buf bytes;
	struct err err;

	(void)state;
	make_sample(&bytes);
	assert_int_equal(
		fs_replace_file(dir, CHECKPOINT_NAME, buf_front(&bytes), buf_len(&bytes), &err),
		RC_OK);
	assert_int_equal(checkpoint_read(dir, &key, &position, tables.positions, tables.desk, &err),
			 RC_OK);
	assert_int_equal(position, POSITION);
	assert_int_equal(positions_get(tables.positions, ELM)->epoch, 3);
	assert_int_equal(positions_get(tables.positions, ELM)->last_seq, 17);
	assert_int_equal(desk_open_count(tables.desk), 1);
	assert_int_equal(desk_position(tables.desk), POSITION - 1);
	change = desk_change(tables.desk, desk_oldest(tables.desk));
	assert_int_equal(change->kind, FORCED);
	assert_int_equal(change->seq, 17);
	assert_string_equal(change->raw_code, "E17");
	buf_fini(&bytes);
	free_tables(&tables);
}

static void
it_may_be_added_behind_other_bytes(void **state)
{
	struct tables tables = sample_tables();
	struct buf alone, behind;

	(void)state;
	make_sample(&alone);
	buf_init(&behind, 1 << 20);
	assert_int_equal(buf_append(&behind, "x", 1), RC_OK);
	assert_int_equal(checkpoint_make(&key, POSITION, tables.positions, tables.desk, &behind),
			 RC_OK);
	assert_int_equal(buf_len(&behind), buf_len(&alone) + 1);
	assert_memory_equal(buf_front(&behind) + 1, buf_front(&alone), buf_len(&alone));
	buf_fini(&alone);
	buf_fini(&behind);
	free_tables(&tables);
}

static void
what_does_not_fit_is_said(void **state)
{
	struct tables tables = sample_tables();
	struct buf whole;

	(void)state;
	make_sample(&whole);
	for (size_t limit = 0; limit < buf_len(&whole); limit++) {
		struct buf small;

		buf_init(&small, limit);
		assert_int_equal(
			checkpoint_make(&key, POSITION, tables.positions, tables.desk, &small),
			RC_AGAIN);
		buf_fini(&small);
	}
	buf_fini(&whole);
	free_tables(&tables);
}

static void
every_truncation_and_every_flipped_bit_is_refused(void **state)
{
	uint64_t position;
	struct buf bytes;
	struct err err;

	(void)state;
	make_sample(&bytes);
	for (size_t n = 0; n < buf_len(&bytes); n++) {
		write_bytes(buf_front(&bytes), n);
		assert_int_equal(read_with(&key, &position, &err), RC_INVALID);
	}
	for (size_t bit = 0; bit < buf_len(&bytes) * 8; bit++) {
		buf_front(&bytes)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		write_bytes(buf_front(&bytes), buf_len(&bytes));
		assert_int_equal(read_with(&key, &position, &err), RC_INVALID);
		buf_front(&bytes)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(buf_append(&bytes, "x", 1), RC_OK);
	write_bytes(buf_front(&bytes), buf_len(&bytes));
	assert_int_equal(read_with(&key, &position, &err), RC_INVALID);
	buf_fini(&bytes);
}

static void
one_of_another_journal_is_refused(void **state)
{
	struct checkpoint_key other_journal = key, other_node = key;
	uint64_t position;
	struct buf bytes;
	struct err err;

	(void)state;
	other_journal.journal_id[0] ^= 1;
	other_node.node++;
	make_sample(&bytes);
	assert_int_equal(
		fs_replace_file(dir, CHECKPOINT_NAME, buf_front(&bytes), buf_len(&bytes), &err),
		RC_OK);
	assert_int_equal(read_with(&other_journal, &position, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "another journal"));
	assert_int_equal(read_with(&other_node, &position, &err), RC_INVALID);
	assert_int_equal(read_with(&key, &position, &err), RC_OK);
	buf_fini(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_there_is_none),
		cmocka_unit_test(what_was_written_comes_back),
		cmocka_unit_test(it_may_be_added_behind_other_bytes),
		cmocka_unit_test(what_does_not_fit_is_said),
		cmocka_unit_test(every_truncation_and_every_flipped_bit_is_refused),
		cmocka_unit_test(one_of_another_journal_is_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
