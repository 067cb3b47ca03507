/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal as it runs: its threads, several producers and a follower, on a
 * real file system.  Worth most under -fsanitize=thread.
 */
#include "fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

enum {
	PRODUCERS = 3,
	GROUPS = 4,     /* of each producer */
	ENTRIES = 3000, /* of each producer */
	PER_GROUP = 25,
};

static enum rc
remove_one(void *arg, const char *name)
{
	char *path = xasprintf("%s/%s", (const char *)arg, name);

	(void)unlink(path);
	free(path);
	return RC_OK;
}

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/gatehouse-journal-XXXXXX", tmp ? tmp : "/tmp");

	assert_non_null(mkdtemp(dir));
	rig_init(rig, dir);
	rig->conf.retain_ms = 0;
	rig->conf.spare_segments = 2;
	rig_open(rig);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;
	char *dir = (char *)(uintptr_t)rig->conf.dir;

	rig_fini(rig);
	assert_int_equal(fs_list(dir, remove_one, dir, &rig->err), RC_OK);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
	free(rig);
	return 0;
}

/* ---- Producers: cmocka's assertions are not for threads, so they count mistakes ---- */

struct producer {
	struct rig *rig;
	uint64_t id;
	struct mailbox box;
	struct group *groups[GROUPS];
	uint64_t sent, back; /* entries */
	uint64_t end;        /* position behind the last group that came back */
	unsigned mistakes;
};

static void
producer_send(struct producer *producer, struct group *group)
{
	group_clear(group);
	for (unsigned i = 0; i < PER_GROUP && producer->sent < ENTRIES; i++) {
		uint64_t number = producer->id << 32 | producer->sent;

		if (!rig_add(group, number, RIG_BODY_MIN + (size_t)(number * 7919 % 2000)))
			break;
		producer->sent++;
	}
	journal_post(producer->rig->journal, group);
}

static void
producer_take(struct producer *producer, struct group *group)
{
	if (group->begin < producer->end || group->end < group->begin ||
	    group->end > journal_durable(producer->rig->journal) ||
	    group->owner != (void *)producer)
		producer->mistakes++;
	producer->end = group->end;
	producer->back += group->entries;
	if (producer->sent < ENTRIES)
		producer_send(producer, group);
}

static void *
producer_run(void *arg)
{
	struct producer *producer = arg;

	for (unsigned i = 0; i < GROUPS; i++)
		producer_send(producer, producer->groups[i]);
	while (producer->back < ENTRIES) {
		(void)mailbox_wait(&producer->box, -1);
		for (struct mail *mail = mailbox_take_all(&producer->box); mail;) {
			struct group *group = CONTAINER_OF(mail, struct group, mail);

			mail = mail->next;
			producer_take(producer, group);
		}
	}
	return NULL;
}

/* ---- A follower that lets go of what it has read -------------------------- */

struct follower {
	struct rig *rig;
	struct mailbox wake;
	unsigned hold;
	uint64_t next[PRODUCERS]; /* the number that each producer's next entry has */
	uint64_t read;
	unsigned mistakes;
};

static void
follower_see(struct follower *follower, const struct journal_entry *entry)
{
	uint64_t number = le_get64(entry->body), producer = number >> 32;
	uint8_t body[RIG_BODY_MIN + 2000];

	rig_fill_body(body, entry->len, number);
	if (producer >= PRODUCERS || (uint32_t)number != follower->next[producer] ||
	    entry->len != RIG_BODY_MIN + number * 7919 % 2000 ||
	    memcmp(body, entry->body, entry->len) != 0) {
		follower->mistakes++;
		return;
	}
	follower->next[producer]++;
}

static void *
follower_run(void *arg)
{
	struct follower *follower = arg;
	struct journal_reader *reader;
	struct journal_entry entry;
	struct err err;

	if (journal_reader_new(&reader, follower->rig->journal, 0, &err) != RC_OK) {
		follower->mistakes++;
		return NULL;
	}
	while (follower->read < PRODUCERS * ENTRIES) {
		enum rc rc = journal_read(reader, &entry, &err);

		if (rc == RC_OK) {
			follower_see(follower, &entry);
			follower->read++;
			journal_hold_set(follower->rig->journal, follower->hold, entry.next);
		} else if (rc == RC_AGAIN) {
			(void)mailbox_wait(&follower->wake, -1);
			(void)mailbox_take_all(&follower->wake);
		} else {
			print_error("journal_read: %s\n", err.msg);
			follower->mistakes++;
			break;
		}
	}
	journal_reader_free(&reader);
	return NULL;
}

static void
test_many_producers_and_a_follower(void **state)
{
	struct rig *rig = *state;
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS], following;
	struct follower follower = {.rig = rig};
	struct journal_wake wake = {.box = &follower.wake};
	struct journal_stats stats;

	assert_int_equal(mailbox_init(&follower.wake, &rig->err), RC_OK);
	follower.hold = journal_hold(rig->journal, "follower", 0);
	assert_int_equal(journal_start(rig->journal, &wake, 1, &rig->err), RC_OK);
	assert_int_equal(pthread_create(&following, NULL, follower_run, &follower), 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *p = &producers[i];

		*p = (struct producer){.rig = rig, .id = i};
		assert_int_equal(mailbox_init(&p->box, &rig->err), RC_OK);
		for (unsigned k = 0; k < GROUPS; k++)
			p->groups[k] = group_new(RIG_GROUP_BYTES, &p->box, p);
		assert_int_equal(pthread_create(&threads[i], NULL, producer_run, p), 0);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(pthread_join(following, NULL), 0);
	journal_stop(rig->journal);

	assert_int_equal(follower.mistakes, 0);
	assert_int_equal(follower.read, PRODUCERS * ENTRIES);
	journal_get_stats(rig->journal, &stats);
	assert_int_equal(stats.entries, PRODUCERS * ENTRIES);
	assert_int_equal(stats.groups_waiting, 0);
	assert_true(stats.syncs <= stats.groups);
	assert_true(stats.disk_free_bytes > 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		assert_int_equal(producers[i].mistakes, 0);
		assert_int_equal(producers[i].back, ENTRIES);
		(void)mailbox_take_all(&producers[i].box);
		mailbox_fini(&producers[i].box);
		for (unsigned k = 0; k < GROUPS; k++)
			group_free(&producers[i].groups[k]);
	}
	mailbox_fini(&follower.wake);

	/* about nine segments were written; the keeper drops those that were passed */
	rig->now_ms = clock_mono_ms();
	assert_int_equal(rig_keep(rig), RC_OK);
	assert_int_equal(shelf_count(&rig->journal->shelf), 1);
	uint64_t end = journal_durable(rig->journal);
	rig_reopen(rig);
	assert_int_equal(rig->recovery.end, end);
	assert_int_equal(rig->recovery.segments, 1);
	assert_int_equal(rig->recovery.dropped_bytes, 0);
}

/* What was posted before the stop is durable and back when it returns. */
static void
test_stop_takes_all_with_it(void **state)
{
	struct rig *rig = *state;

	rig->conf.retain_ms = 3600 * 1000;
	rig_reopen(rig);
	assert_int_equal(journal_start(rig->journal, NULL, 0, &rig->err), RC_OK);
	for (uint64_t i = 0; i < 100; i++)
		(void)rig_post(rig, i, 1, 30000);
	journal_stop(rig->journal);
	assert_int_equal(rig_collect(rig), 100);
	assert_int_equal(rig_read(rig, 0, 0), 100);
	rig_reopen(rig);
	assert_int_equal(rig_read(rig, 0, 0), 100);
}

/* The lock is the kernel's, and goes with the descriptor. */
static void
test_lock_on_a_real_disk(void **state)
{
	struct rig *rig = *state;
	struct journal *second;
	struct journal_recovery recovery;
	struct stat st;

	assert_int_equal(journal_open(&second, &rig->conf, &recovery, &rig->err), RC_INVALID);
	assert_non_null(strstr(rig->err.msg, "in use by another process"));
	char *path = xasprintf("%s/0000000000000000.seg", rig->conf.dir);
	assert_int_equal(stat(path, &st), 0);
	free(path);
	assert_int_equal(st.st_size, RIG_SEGMENT_BYTES);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* written zeros, not a hole: a sync of entries need not change the file's blocks */
	assert_true(st.st_blocks * 512 >= RIG_SEGMENT_BYTES);
	rig_reopen(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_producers_and_a_follower, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_stop_takes_all_with_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_on_a_real_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
