/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal full of records, without a daemon: what a start and the draining of a
 * backlog are measured on.
 *
 *	fill_journal DIR RECORDS EPOCH <controllers
 *
 * On stdin a line "CONTROLLER_ID SITE_ID DOOR_ID" for each controller; the records are
 * dealt out to them in turn, a second of device time to each round, the last of them
 * now.  No daemon may have the journal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "wire/entry.h"

enum {
	CONTROLLERS_MAX = 100000,
	GROUP_BYTES = 1024 * 1024,
	GROUPS = 2,
	SEGMENT_BYTES = 64 * 1024 * 1024, /* the daemon's default */
	KIND_ACCESS_GRANTED = 100,
};

struct controller {
	uint32_t id, site, door;
};

struct fill {
	struct journal *journal;
	struct mailbox box; /* where groups come back */
	struct group *free[GROUPS];
	size_t n_free;
	struct controller *controllers;
	size_t n;
	int64_t epoch;
	uint64_t records;
};

static void
fill_read_controllers(struct fill *fill)
{
	unsigned id, site, door;

	fill->controllers = xcalloc(CONTROLLERS_MAX, sizeof(*fill->controllers));
	while (fill->n < CONTROLLERS_MAX && scanf("%u %u %u", &id, &site, &door) == 3)
		fill->controllers[fill->n++] = (struct controller){id, site, door};
	if (fill->n == 0)
		fatal("no controllers on stdin");
}

static void
fill_open(struct fill *fill, const char *dir)
{
	const struct journal_conf conf = {
		.dir = dir, .node = 1, .segment_bytes = SEGMENT_BYTES, .spare_segments = 2};
	struct journal_recovery recovery;
	struct err err;

	if (mailbox_init(&fill->box, &err) != RC_OK ||
	    journal_open(&fill->journal, &conf, &recovery, &err) != RC_OK)
		fatal("%s", err.msg);
	/* all of it stays: nothing is stored */
	(void)journal_hold(fill->journal, "store", 0);
	if (journal_start(fill->journal, NULL, 0, &err) != RC_OK)
		fatal("%s", err.msg);
	for (size_t i = 0; i < GROUPS; i++)
		fill->free[fill->n_free++] = group_new(GROUP_BYTES, &fill->box, fill);
}

static void
fill_take_back(struct fill *fill)
{
	struct mail *mail = mailbox_take_all(&fill->box), *next;

	for (; mail != NULL; mail = next) {
		next = mail->next;
		fill->free[fill->n_free++] = CONTAINER_OF(mail, struct group, mail);
	}
}

static struct group *
fill_next_group(struct fill *fill)
{
	struct group *group;

	while (fill->n_free == 0) {
		(void)mailbox_wait(&fill->box, -1);
		fill_take_back(fill);
	}
	group = fill->free[--fill->n_free];
	group_clear(group);
	return group;
}

/* False when the group is full. */
static bool
fill_add(const struct fill *fill, struct group *group, uint64_t n, int64_t now_us)
{
	const struct controller *controller = &fill->controllers[n % fill->n];
	uint64_t rounds = (fill->records - 1 - n) / fill->n;
	struct record record = {
		.controller_id = controller->id,
		.site_id = controller->site,
		.door_id = controller->door,
		.kind = KIND_ACCESS_GRANTED,
		.epoch = fill->epoch,
		.seq = n / fill->n + 1,
		.device_time_us = now_us - (int64_t)rounds * 1000000,
		.received_us = now_us,
		.flags = RECORD_HAS_TOKEN,
	};
	uint8_t *body = group_add(group, ENTRY_RECORD, 0, record_encoded_len(&record));

	if (body == NULL)
		return false;
	memcpy(record.token, &n, sizeof(n));
	(void)record_encode(&record, body);
	return true;
}

static void
fill_all(struct fill *fill)
{
	struct group *group = fill_next_group(fill);
	int64_t now_us = clock_wall_us();

	for (uint64_t n = 0; n < fill->records;) {
		if (fill_add(fill, group, n, now_us)) {
			n++;
			continue;
		}
		journal_post(fill->journal, group);
		group = fill_next_group(fill);
	}
	journal_post(fill->journal, group);
	while (fill->n_free < GROUPS) {
		(void)mailbox_wait(&fill->box, -1);
		fill_take_back(fill);
	}
}

int
main(int argc, char **argv)
{
	struct fill fill = {0};

	if (argc != 4)
		fatal("expected DIR RECORDS EPOCH");
	fill.records = strtoul(argv[2], NULL, 10);
	fill.epoch = strtol(argv[3], NULL, 10);
	if (fill.records == 0)
		fatal("expected records");
	fill_read_controllers(&fill);
	fill_open(&fill, argv[1]);
	fill_all(&fill);
	journal_stop(fill.journal);
	journal_close(&fill.journal);
	for (size_t i = 0; i < GROUPS; i++)
		group_free(&fill.free[i]);
	mailbox_fini(&fill.box);
	free(fill.controllers);
	return 0;
}
