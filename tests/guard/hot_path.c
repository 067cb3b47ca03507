/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a record, step by step over the same input each time, for callgrind to
 * count instructions of one step at a time: see tests/guard/guard.sh, which runs it.
 *
 *	hot_path DIR	an empty folder, for key files and a journal
 *
 * Each stage is a round over all records in which every step is done, and one is
 * counted; then callgrind writes what it counted under the stage's name.  Counts, unlike
 * times, are the same on a machine that is busy.
 *
 * Without callgrind it does the same, and counts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "../../src/store/batch.h"
#include "../../src/store/rows.h"
#include "appender.h"
#include "base/clock.h"
#include "base/fs.h"
#include "gatehouse.pb-c.h"
#include "wire/card.h"
#include "wire/controller_msg.h"
#include "wire/frame.h"
#include "wire/kind.h"

enum {
	RECORDS = 4000,
	CONTROLLERS = 1000,
	SITES = 40,
	FRAME_MAX = 256,
	ARENA_BYTES = 64 * 1024,
	GROUP_BYTES = 512 * 1024,
};

/* 2026-03-01T12:00:00Z */
#define RECEIVED_US INT64_C(1772366400000000)

/* In the order of the way. */
enum stage {
	STAGE_WARM, /* caches filled, keys derived: counted, and not looked at */
	STAGE_DECODE,
	STAGE_VALIDATE,
	STAGE_TOKENISE,
	STAGE_ENCODE,
	STAGE_APPEND,
	STAGE_READ,
	STAGE_COPY,
	STAGES,
};

struct way {
	uint8_t frames[RECORDS][FRAME_MAX];
	size_t frame_len[RECORDS];
	struct arena arena;
	struct card_keys *keys;
	struct mailbox box; /* where groups come back */
	struct group *group;
	struct journal *journal;
	struct journal_reader *reader;
	struct batch batch;
	uint8_t *rows;
	struct err err;
};

/* Only the steps of this stage are counted. */
#define STEP(now, stage, what)                                                                     \
	do {                                                                                       \
		if ((now) == (stage))                                                              \
			CALLGRIND_TOGGLE_COLLECT;                                                  \
		what;                                                                              \
		if ((now) == (stage))                                                              \
			CALLGRIND_TOGGLE_COLLECT;                                                  \
	} while (0)

static void
need(enum rc rc, const struct err *err)
{
	if (rc != RC_OK)
		fatal("%s", err->msg);
}

/* ---- Input ------------------------------------------------------------------------------ */

/* Nine in ten are a card at a door, the rest have none: as the simulator's mix. */
static void
make_frame(struct way *way, size_t i)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Record record = GATEHOUSE__V1__RECORD__INIT;
	uint8_t card[10];
	size_t len;

	for (size_t at = 0; at < sizeof(card); at++)
		card[at] = (uint8_t)('0' + (i * 7 + at * 3) % 10);
	record.seq = i / CONTROLLERS + 1;
	record.time_us = RECEIVED_US - (int64_t)i * 1000;
	record.door = 1;
	if (i % 10 == 9) {
		record.kind = GATEHOUSE__V1__KIND__KIND_EXIT_REQUEST;
	} else {
		record.kind = GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED;
		record.card.data = card;
		record.card.len = sizeof(card);
	}
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	message.record = &record;
	len = gatehouse__v1__from_controller__get_packed_size(&message);
	must(len + FRAME_HEADER_MAX <= FRAME_MAX);
	way->frame_len[i] = (size_t)(frame_put_header(way->frames[i], len) - way->frames[i]) + len;
	(void)gatehouse__v1__from_controller__pack(&message,
						   way->frames[i] + frame_header_len(len));
}

static void
make_keys(struct way *way, const char *dir)
{
	static const uint8_t key[CARD_KEY_BYTES] = {1, 2, 3};

	need(fs_publish_file(dir, "site.key", key, sizeof(key), &way->err), &way->err);
	need(card_keys_open(&way->keys, dir, &way->err), &way->err);
}

/* Without threads: this program takes the appender's turns itself. */
static void
open_journal(struct way *way, const char *dir)
{
	char *journal_dir = xasprintf("%s/journal", dir);
	struct journal_conf conf = {.dir = journal_dir,
				    .node = 1,
				    .segment_bytes = 32 << 20,
				    .retain_ms = 1000,
				    .spare_segments = 1};
	struct journal_recovery recovery;

	need(fs_make_dir(journal_dir, &way->err), &way->err);
	need(journal_open(&way->journal, &conf, &recovery, &way->err), &way->err);
	need(journal_reader_new(&way->reader, way->journal, journal_first(way->journal), &way->err),
	     &way->err);
	free(journal_dir);
	need(mailbox_init(&way->box, &way->err), &way->err);
	way->group = group_new(GROUP_BYTES, &way->box, NULL);
}

static struct way *
way_open(const char *dir)
{
	struct way *way = xcalloc(1, sizeof(*way));

	for (size_t i = 0; i < RECORDS; i++)
		make_frame(way, i);
	arena_init(&way->arena, ARENA_BYTES);
	make_keys(way, dir);
	open_journal(way, dir);
	batch_init(&way->batch, RECORDS, 8 << 20);
	way->rows = xcalloc(RECORDS, 512);
	return way;
}

static void
way_close(struct way *way)
{
	free(way->rows);
	batch_fini(&way->batch);
	journal_reader_free(&way->reader);
	group_free(&way->group);
	journal_close(&way->journal);
	mailbox_fini(&way->box);
	card_keys_close(&way->keys);
	arena_fini(&way->arena);
	free(way);
}

/* ---- The steps ---------------------------------------------------------------------------- */

static struct reported *
decode(struct way *way, size_t i)
{
	const uint8_t *payload;
	struct controller_msg msg;
	size_t len, used;

	arena_reset(&way->arena);
	must(frame_parse(way->frames[i], way->frame_len[i], FRAME_MAX, &payload, &len, &used) ==
	     FRAME_WHOLE);
	need(controller_msg_decode(&way->arena, payload, len, &msg, &way->err), &way->err);
	must(msg.type == CONTROLLER_MSG_RECORD);
	return msg.record;
}

static void
tokenise(struct way *way, struct reported *reported, struct record *record)
{
	size_t n;
	const uint8_t *card = reported_card(reported, &n);

	if (n == 0)
		return;
	need(card_token(way->keys, record->site_id, record->received_us, card, n, record->token,
			&way->err),
	     &way->err);
	reported_wipe_card(reported);
	record->flags |= RECORD_HAS_TOKEN;
}

static void
encode(struct way *way, const struct record *record)
{
	uint8_t *body = group_add(way->group, ENTRY_RECORD, 0, record_encoded_len(record));

	must(body != NULL);
	(void)record_encode(record, body);
}

/* From the frame into the group. */
static void
take_on(struct way *way, enum stage stage, size_t i)
{
	struct reported *reported;
	struct record record;
	enum reject reject;

	STEP(STAGE_DECODE, stage, reported = decode(way, i));
	STEP(STAGE_VALIDATE, stage,
	     reject = reported_check(&way->arena, reported, &record, &way->err));
	must(reject == REJECT_NONE);
	record.controller_id = (uint32_t)(i % CONTROLLERS + 1);
	record.site_id = (uint32_t)(i % SITES + 1);
	record.door_id = record.controller_id;
	record.epoch = 1;
	record.received_us = RECEIVED_US;
	STEP(STAGE_TOKENISE, stage, tokenise(way, reported, &record));
	STEP(STAGE_ENCODE, stage, encode(way, &record));
}

/* Seals and writes; what the kernel does is not counted. */
static void
append(struct way *way)
{
	journal_post(way->journal, way->group);
	appender_turn(way->journal);
	must(mailbox_take_all(&way->box) == &way->group->mail);
}

static void
copy_rows(struct way *way)
{
	uint8_t *out = way->rows;

	for (size_t i = 0; i < way->batch.n; i++) {
		const struct batch_entry *entry = &way->batch.entries[i];
		const struct row_place place = {.node = 1, .position = entry->position};
		struct record record;

		need(record_decode(batch_body(&way->batch, entry), entry->len, &record, &way->err),
		     &way->err);
		out = row_put_record(out, &place, &record);
	}
}

static void
run_stage(struct way *way, enum stage stage)
{
	enum rc rc;

	group_clear(way->group);
	for (size_t i = 0; i < RECORDS; i++)
		take_on(way, stage, i);
	STEP(STAGE_APPEND, stage, append(way));
	batch_restart(&way->batch, journal_reader_position(way->reader));
	STEP(STAGE_READ, stage, rc = batch_fill(&way->batch, way->reader, &way->err));
	must(rc == RC_OK && way->batch.n == RECORDS);
	STEP(STAGE_COPY, stage, copy_rows(way));
}

int
main(int argc, char **argv)
{
	static const char *const names[STAGES] = {"warm",   "decode", "validate", "tokenise",
						  "encode", "append", "read",     "copy"};
	struct way *way;

	if (argc != 2)
		fatal("expected a folder");
	way = way_open(argv[1]);
	for (enum stage stage = 0; stage < STAGES; stage++) {
		run_stage(way, stage);
		/* a dump begins the next count at zero */
		CALLGRIND_DUMP_STATS_AT(names[stage]);
	}
	printf("records %d\n", RECORDS);
	way_close(way);
	return 0;
}
