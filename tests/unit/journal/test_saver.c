/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State on its way to the disk: the hold on the journal moves when the file is durable and
 * only then, and the end waits for what was begun.
 *
 * Seen to fail with the hold moved before the file is written, and with a stop that is obeyed
 * before what was begun is written.
 */
#include "fixture.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "journal/saver.h"

enum { PATIENCE_MS = 60000, FROM = 100, UP_TO = 200, ROUNDS = 200 };

struct desk {
	struct journal journal; /* only its holds are looked at */
	struct mailbox done;
	struct saver saver;
	counter saved_us;
	char dir[64];
	struct err err;
};

static int
set_up(void **state)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	shelf_init(&desk->journal.shelf);
	(void)snprintf(desk->dir, sizeof(desk->dir), "/tmp/gatehouse-saver-XXXXXX");
	assert_non_null(mkdtemp(desk->dir));
	assert_int_equal(mailbox_init(&desk->done, &desk->err), RC_OK);
	*state = desk;
	return 0;
}

static void
start(struct desk *desk, const char *dir)
{
	const struct saver_conf conf = {
		.room = "test",
		.what = "state",
		.thread = "saver",
		.dir = dir,
		.file = "state",
		.journal = &desk->journal,
		.hold = journal_hold(&desk->journal, "test", FROM),
		.done = &desk->done,
		.saved_us = &desk->saved_us,
	};

	assert_int_equal(saver_start(&desk->saver, &conf, &desk->err), RC_OK);
}

static int
tear_down(void **state)
{
	struct desk *desk = *state;
	char *path = xasprintf("%s/state", desk->dir);

	saver_stop(&desk->saver);
	saver_stop(&desk->saver); /* of no effect */
	mailbox_fini(&desk->done);
	(void)unlink(path);
	assert_int_equal(rmdir(desk->dir), 0);
	shelf_fini(&desk->journal.shelf);
	free(path);
	free(desk);
	return 0;
}

static void
begin(struct desk *desk, const char *text)
{
	struct buf bytes;

	buf_init(&bytes, 64);
	assert_int_equal(buf_append(&bytes, text, strlen(text)), RC_OK);
	saver_begin(&desk->saver, &bytes, UP_TO);
	assert_int_equal(buf_len(&bytes), 0);
}

static void
await_done(struct desk *desk)
{
	while (saver_is_busy(&desk->saver)) {
		(void)mailbox_take_all(&desk->done);
		assert_true(mailbox_wait(&desk->done, PATIENCE_MS));
	}
}

static void
assert_saved(const struct desk *desk, const char *text)
{
	char *path = xasprintf("%s/state", desk->dir);
	uint8_t *bytes;
	size_t n;
	struct err err;

	assert_int_equal(fs_read_file(path, 64, &bytes, &n, &err), RC_OK);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(bytes, text, n);
	free(bytes);
	free(path);
}

static void
the_hold_moves_with_the_file(void **state)
{
	struct desk *desk = *state;

	start(desk, desk->dir);
	assert_int_equal(desk->journal.shelf.holds[0].position, FROM);
	begin(desk, "one");
	await_done(desk);
	assert_saved(desk, "one");
	assert_int_equal(desk->journal.shelf.holds[0].position, UP_TO);
	assert_true(counter_get(&desk->saved_us) > 0);
	begin(desk, "another");
	await_done(desk);
	assert_saved(desk, "another");
}

static void
what_was_not_written_holds_the_journal(void **state)
{
	struct desk *desk = *state;

	start(desk, "/nonexistent");
	begin(desk, "one");
	await_done(desk);
	assert_int_equal(desk->journal.shelf.holds[0].position, FROM);
	assert_int_equal(counter_get(&desk->saved_us), 0);
}

static void
the_end_waits_for_what_was_begun(void **state)
{
	struct desk *desk = *state;

	for (int i = 0; i < ROUNDS; i++) {
		char *text = xasprintf("round %d", i);

		desk->saver = (struct saver){0};
		desk->journal.shelf.n_holds = 0;
		start(desk, desk->dir);
		mailbox_ring(&desk->saver.box); /* for nothing: it is awake, or about to be */
		begin(desk, text);
		saver_stop(&desk->saver);
		assert_false(saver_is_busy(&desk->saver));
		assert_saved(desk, text);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_hold_moves_with_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_written_holds_the_journal, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_end_waits_for_what_was_begun, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
