/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts by the thousand.  Each seed is one journal with several lives: in
 * each it appends, rolls, unlinks, reads, and dies in the middle of some
 * operation of the disk: by power, by a killed process, by an error of the disk,
 * or by any two of them.  After each death it must open again, and hold:
 *
 *	every entry of every group that came back, in order, byte for byte;
 *	behind them at most what was posted and had not come back, in order;
 *	nothing else, and nothing twice;
 *	and no death looks like a loss or like damage, also to one who remembers what
 *	came back.
 *
 * Protection tested: the order of write, sync, header and name, and recovery that
 * writes the tail again.  Seen to fail with the sync before a group's return left out
 * (at seed 2), with a segment named before its header is written (at 1), and with the
 * tail not written again (at 32).
 *
 * JOURNAL_SEEDS=n runs n seeds (default 20000; a tenth of that under AddressSanitizer)
 * from JOURNAL_FIRST on, JOURNAL_SEED=s only that one.  A failing seed prints itself
 * and the command that replays it.
 */
#include "disk_rig.h"

#include <errno.h>

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 2000 };
#else
enum { SEEDS = 20000 };
#endif

enum {
	LIVES = 5,
	STEPS_MAX = 60, /* in one life */
	GROUPS_MAX = 4, /* on the way at a time */
};

/* What the world outside knows.  Entries are numbered over all lives. */
struct ledger {
	struct rig *rig;
	uint64_t random;
	uint64_t next;      /* number of the next entry to be posted */
	uint64_t returned;  /* all below this came back */
	uint64_t held;      /* number of the oldest entry that is still needed ... */
	uint64_t held_from; /* ... and its position */
	unsigned hold;
	struct journal_proof proof;       /* of all that came back: as a checkpoint would have it */
	struct group *groups[GROUPS_MAX]; /* on the way, in order of posting */
	uint64_t ends[GROUPS_MAX];        /* number behind the last entry of each */
	unsigned n_groups;
	uint64_t seed;                      /* which is running; 0: none */
	uint64_t deaths, survived, refused; /* how much was tested at all */
};

static uint64_t
dice(struct ledger *ledger, uint64_t sides)
{
	ledger->random = ledger->random * 6364136223846793005u + 1442695040888963407u;
	return (ledger->random >> 33) % sides;
}

#define check(ledger, expr)                                                                        \
	do {                                                                                       \
		if (!(expr))                                                                       \
			fail_msg("seed %llu: %s is not so (\"%s\")",                               \
				 (unsigned long long)(ledger)->seed, #expr,                        \
				 (ledger)->rig->err.msg);                                          \
	} while (0)

/* ---- One life ------------------------------------------------------------- */

static void
step_post(struct ledger *ledger)
{
	struct group *group = rig_group(ledger->rig);
	uint64_t n = dice(ledger, 12);

	for (uint64_t i = 0; i < n; i++) {
		/* mostly small, and now and then some that make a segment roll */
		size_t most = dice(ledger, 3) ? 300 : JOURNAL_BODY_MAX - RIG_BODY_MIN;
		size_t len = RIG_BODY_MIN + (size_t)dice(ledger, most);

		if (!rig_add(group, ledger->next, len))
			break;
		ledger->next++;
	}
	ledger->groups[ledger->n_groups] = group;
	ledger->ends[ledger->n_groups++] = ledger->next;
	journal_post(ledger->rig->journal, group);
}

/* Groups come back in order, and what is in them is a promise from then on. */
static void
collect(struct ledger *ledger)
{
	struct mail *mail = mailbox_take_all(&ledger->rig->box);

	while (mail) {
		struct mail *next = mail->next;

		check(ledger, ledger->n_groups > 0 && mail == &ledger->groups[0]->mail);
		check(ledger, ledger->groups[0]->end <= journal_durable(ledger->rig->journal));
		ledger->returned = ledger->ends[0];
		ledger->proof.position = ledger->groups[0]->end;
		group_free(&ledger->groups[0]);
		ledger->n_groups--;
		memmove(ledger->groups, ledger->groups + 1,
			ledger->n_groups * sizeof(ledger->groups[0]));
		memmove(ledger->ends, ledger->ends + 1, ledger->n_groups * sizeof(ledger->ends[0]));
		mail = next;
	}
}

/* Reads on from the oldest entry that is needed, and may let go of some. */
static enum rc
step_follow(struct ledger *ledger)
{
	struct rig *rig = ledger->rig;
	struct journal_reader *reader;
	struct journal_entry entry;
	uint64_t n = dice(ledger, 40);
	enum rc rc = journal_reader_new(&reader, rig->journal, ledger->held_from, &rig->err);

	while (rc == RC_OK && n-- > 0) {
		rc = journal_read(reader, &entry, &rig->err);
		if (rc != RC_OK)
			break;
		check(ledger, rig_check_entry(&entry) == ledger->held);
		ledger->held++;
		ledger->held_from = entry.next;
	}
	check(ledger, rc != RC_INVALID);
	journal_reader_free(&reader);
	journal_hold_set(rig->journal, ledger->hold, ledger->held_from);
	return rc == RC_FAIL ? rc : RC_OK;
}

/* RC_FAIL: this life is over. */
static enum rc
step(struct ledger *ledger)
{
	struct rig *rig = ledger->rig;
	enum rc rc = RC_OK;

	rig->now_ms += dice(ledger, 500);
	switch (dice(ledger, 8)) {
	case 0:
	case 1:
	case 2:
		if (ledger->n_groups < GROUPS_MAX)
			step_post(ledger);
		break;
	case 3:
	case 4:
	case 5:
		rc = rig_turn(rig);
		break;
	case 6:
		rc = rig_keep(rig);
		break;
	default:
		rc = step_follow(ledger);
		break;
	}
	collect(ledger);
	return rc;
}

/* ---- Deaths --------------------------------------------------------------- */

static void
choose_death(struct ledger *ledger)
{
	uint64_t when = 1 + dice(ledger, 80);

	switch (dice(ledger, 6)) {
	case 0:
	case 1:
	case 2:
		fs_fake_power_off_in(when);
		break;
	case 3:
		fs_fake_fail_in(when, EIO);
		break;
	case 4:
		fs_fake_fail_in(when, ENOSPC);
		break;
	default:
		fs_fake_fail_sync_in(1 + when / 3, EIO);
		break;
	}
}

static void
die(struct ledger *ledger)
{
	journal_close(&ledger->rig->journal);
	for (unsigned i = 0; i < ledger->n_groups; i++)
		group_free(&ledger->groups[i]);
	ledger->n_groups = 0;
	ledger->deaths++;
	fs_fake_kill_process();
	fs_fake_fail_in(0, 0);
	fs_fake_fail_sync_in(0, 0);
	if (fs_fake_power_is_off() || dice(ledger, 3) == 0)
		fs_fake_power_on();
	fs_fake_power_off_in(0);
}

/* ---- After it ------------------------------------------------------------- */

/* What is there must be what was promised, and what follows goes on behind it. */
static void
check_content(struct ledger *ledger)
{
	struct rig *rig = ledger->rig;
	uint64_t n = rig_read(rig, ledger->held_from, ledger->held);
	uint64_t end = ledger->held + n;

	struct journal_stats stats;

	journal_get_stats(rig->journal, &stats);
	check(ledger, stats.damaged_regions == 0);
	check(ledger, end >= ledger->returned);
	check(ledger, end <= ledger->next);
	ledger->survived += end - ledger->returned;
	ledger->next = ledger->returned = end;
	ledger->proof.position = journal_durable(rig->journal);
	journal_id(rig->journal, ledger->proof.id);
	rig->conf.proof = &ledger->proof;
}

/* Opens, perhaps with a death in the middle of recovery; false then. */
static bool
be_born(struct ledger *ledger)
{
	struct rig *rig = ledger->rig;

	if (dice(ledger, 3) == 0) {
		fs_fake_power_off_in(1 + dice(ledger, 12));
		enum rc rc = rig_try_open(rig);

		check(ledger, rc != RC_INVALID);
		if (rc != RC_OK)
			ledger->refused++;
		if (rc != RC_OK || fs_fake_power_is_off()) {
			die(ledger);
			return false;
		}
		fs_fake_power_off_in(0);
	} else {
		check(ledger, rig_try_open(rig) == RC_OK);
	}
	ledger->hold = journal_hold(rig->journal, "test", ledger->held_from);
	check(ledger, journal_first(rig->journal) <= ledger->held_from);
	return true;
}

static void
live(struct ledger *ledger)
{
	uint64_t steps = dice(ledger, STEPS_MAX);

	choose_death(ledger);
	for (uint64_t i = 0; i < steps; i++) {
		if (step(ledger) == RC_FAIL)
			break;
	}
}

static void
run_seed(struct ledger *total, uint64_t seed)
{
	struct rig rig;
	struct ledger ledger = {.rig = &rig, .random = seed * 2 + 1, .seed = seed};

	fs_fake_reset(seed);
	rig_init(&rig, dir);
	rig.conf.retain_ms = dice(&ledger, 2) * 1000;
	rig.conf.spare_segments = 1 + (unsigned)dice(&ledger, 3);
	assert_int_equal(fs_make_dir(dir, &rig.err), RC_OK);
	for (unsigned i = 0; i < LIVES; i++) {
		if (!be_born(&ledger))
			continue;
		check_content(&ledger);
		live(&ledger);
		die(&ledger);
	}
	rig_open(&rig);
	check_content(&ledger);
	rig_fini(&rig);
	total->deaths += ledger.deaths;
	total->survived += ledger.survived;
	total->refused += ledger.refused;
	total->next += ledger.next;
}

static int
setup(void **state)
{
	*state = xcalloc(1, sizeof(struct ledger));
	return 0;
}

/* A failed assertion leaves the test by a long jump, from wherever it was. */
static int
teardown(void **state)
{
	struct ledger *total = *state;

	if (total->seed)
		print_error("failed; to replay: JOURNAL_SEED=%llu %s\n",
			    (unsigned long long)total->seed, program_invocation_name);
	free(total);
	fs_fake_reset(0);
	return 0;
}

static uint64_t
number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void
test_power_cuts(void **state)
{
	bool one = getenv("JOURNAL_SEED") != NULL;
	uint64_t first = one ? number_from("JOURNAL_SEED", 1) : number_from("JOURNAL_FIRST", 1);
	uint64_t n = one ? 1 : number_from("JOURNAL_SEEDS", SEEDS);
	struct ledger *total = *state;

	for (total->seed = first; total->seed < first + n; total->seed++)
		run_seed(total, total->seed);
	total->seed = 0;
	print_message("%llu seeds: %llu deaths, %llu in recovery, %llu entries, "
		      "%llu survived without having been promised\n",
		      (unsigned long long)n, (unsigned long long)total->deaths,
		      (unsigned long long)total->refused, (unsigned long long)total->next,
		      (unsigned long long)total->survived);
	/* a test that never gets there tests nothing */
	assert_true(total->deaths >= n);
	assert_true(n < 100 || total->refused > n / 10);
	assert_true(n < 100 || total->survived > n / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_power_cuts, setup, teardown),
	};

	/* each death is reported by the journal, which is right and not wanted here */
	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
