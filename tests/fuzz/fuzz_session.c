/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: whole conversations of a controller behind TLS, through the session,
 * the roster and the journal, on a disk in memory.
 *
 * conversation.h says what the input is.
 *
 * Beside crashes it looks for an ack of what the journal doesn't have, and for entries
 * that don't decode.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fake/clock_fake.h"
#include "../fake/fs_fake.h"
#include "../fake/loop_fake.h"
#include "base/fs.h"
#include "base/log.h"
#include "conversation.h"
#include "fleet/sessions.h"
#include "gatehouse.pb-c.h"

enum { NODE = 5, SEGMENT = 1024 * 1024 };
enum {
	STEP_RECONNECT = CONVERSATION_STEP_MIN, /* the peer is gone, and comes again */
	STEP_DURABLE,                           /* what was posted becomes durable */
	STEP_TIME,                              /* half a minute passes */
	STEP_SENT,                              /* the kernel has taken all answers */
	STEP_REGISTER,                          /* the register is loaded again */
};

struct place {
	struct loop *loop, *roster_loop;
	struct journal *journal;
	struct roster *roster;
	struct sessions *sessions;
	struct conversation talk;
	uint64_t acked;   /* highest */
	uint64_t epoch;   /* of the last welcome */
	uint64_t claimed; /* highest that the controller said was acknowledged elsewhere */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct reg *
make_register(void)
{
	return conversation_build(conversation_register());
}

static void
sessions_on_mail(void *arg, struct mail *mail)
{
	sessions_mail(((struct place *)arg)->sessions, mail);
}

static void
sessions_on_turn(void *arg)
{
	sessions_turn(((struct place *)arg)->sessions);
}

static void
roster_on_mail(void *arg, struct mail *mail)
{
	roster_mail(((struct place *)arg)->roster, mail);
}

/* ---- Beginning and end -------------------------------------------------------- */

/* The register reads the site's time zone from the disk, too. */
static void
put_time_zone(void)
{
	static const char path[] = "/usr/share/zoneinfo/UTC";
	uint8_t bytes[4096];
	FILE *file = fopen(path, "re");
	size_t n = file != NULL ? fread(bytes, 1, sizeof(bytes), file) : 0;

	struct err err;

	must(n > 0 && fclose(file) == 0);
	must(fs_make_dir("/usr", &err) == RC_OK && fs_make_dir("/usr/share", &err) == RC_OK &&
	     fs_make_dir("/usr/share/zoneinfo", &err) == RC_OK);
	fs_fake_put(path, bytes, n);
}

static void
open_journal(struct place *place)
{
	const struct journal_conf conf = {.dir = "j",
					  .node = NODE,
					  .segment_bytes = SEGMENT,
					  .retain_ms = 1000,
					  .spare_segments = 1};
	struct journal_recovery recovery;
	struct err err;

	fs_fake_reset(1);
	put_time_zone();
	must(fs_make_dir("j", &err) == RC_OK);
	must(journal_open(&place->journal, &conf, &recovery, &err) == RC_OK);
}

static void
place_init(struct place *place)
{
	const struct loop_hooks hooks = {
		.on_mail = sessions_on_mail, .on_turn = sessions_on_turn, .arg = place};
	const struct loop_hooks roster_hooks = {.on_mail = roster_on_mail, .arg = place};
	const struct sessions_conf conf = {
		.heartbeat_s = 10,
		.lease_s = 60,
		.window = 64,
		.frame_max_bytes = 16384,
		.gap_wait_ms = 5000,
		.hello_timeout_ms = 60000,
		.clock_tolerance_us = 60 * 1000000,
		.group_bytes = (size_t)2 * JOURNAL_BODY_MAX,
		.groups = 2,
		.keys_dir = "keys",
		.node = NODE,
		.start_us = CLOCK_FAKE_WALL_US,
		.observers = 2,
	};
	const struct roster_conf roster_conf = {.lease_ms = 60000,
						.node = NODE,
						.start_us = CLOCK_FAKE_WALL_US,
						.observer_index = 1,
						.observers = 2};
	struct positions *none = positions_new();
	struct err err;

	clock_fake_reset();
	open_journal(place);
	must(loop_new(&place->loop, &hooks, &err) == RC_OK);
	must(loop_new(&place->roster_loop, &roster_hooks, &err) == RC_OK);
	must(roster_new(&place->roster, place->roster_loop, &roster_conf, none, place->journal,
			&err) == RC_OK);
	must(sessions_new(&place->sessions, place->loop, &conf, place->journal,
			  loop_mailbox(place->roster_loop), &err) == RC_OK);
	roster_set_register(place->roster, make_register());
	sessions_set_register(place->sessions, make_register());
	positions_free(&none);
}

static void
connect_peer(struct place *place)
{
	place->talk.stream = stream_fake_new(TLS_ROLE_CONTROLLER, "elm-1");
	sessions_adopt(place->sessions, place->talk.stream);
}

/* ---- Steps ----------------------------------------------------------------------- */

static void
turn(void *arg)
{
	struct place *place = arg;

	for (int i = 0; i < 3; i++) {
		loop_fake_turn(place->loop, 0);
		loop_fake_turn(place->roster_loop, 0);
		stream_fake_offer(place->talk.stream);
	}
	loop_fake_turn(place->loop, 0);
}

static void
make_durable(struct place *place)
{
	struct err err;

	while (journal_turn(place->journal, 1, &err) == RC_AGAIN)
		must(journal_keep(place->journal, 1, &err) == RC_OK);
}

/* An epoch that the server knows nothing of begins where the controller says that it
 * was acknowledged: by another server, or by this one before it lost its disk. */
static void
note_welcome(struct place *place, const Gatehouse__V1__Welcome *welcome)
{
	if (welcome->epoch != place->epoch && welcome->resume_after > place->claimed)
		place->claimed = welcome->resume_after;
	place->epoch = welcome->epoch;
}

/* Each is one of the contract. */
static void
on_answer(void *arg, const uint8_t *payload, size_t n)
{
	struct place *place = arg;
	Gatehouse__V1__ToController *to = gatehouse__v1__to_controller__unpack(NULL, n, payload);

	must(to != NULL);
	if (to->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK &&
	    to->ack->seq > place->acked)
		place->acked = to->ack->seq;
	if (to->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME)
		note_welcome(place, to->welcome);
	gatehouse__v1__to_controller__free_unpacked(to, NULL);
}

static void
happen(void *arg, uint8_t step)
{
	struct place *place = arg;

	switch (step) {
	case STEP_RECONNECT:
		conversation_answers(&place->talk);
		stream_fake_free(&place->talk.stream);
		connect_peer(place);
		break;
	case STEP_DURABLE:
		make_durable(place);
		break;
	case STEP_TIME:
		clock_fake_advance_ms(30000);
		loop_fake_tick(place->loop);
		loop_fake_tick(place->roster_loop);
		break;
	case STEP_SENT:
		conversation_answers(&place->talk);
		break;
	case STEP_REGISTER:
		sessions_set_register(place->sessions, make_register());
		break;
	default:
		break;
	}
}

/* ---- What must hold -------------------------------------------------------------- */

/* The highest number that an entry takes care of. */
static uint64_t
highest_in(const struct journal_entry *entry)
{
	struct quarantine q;
	struct record record;
	struct err err;
	const char *to;

	if (entry->type == ENTRY_QUARANTINE) {
		must(quarantine_decode(entry->body, entry->len, &q, &err) == RC_OK);
		return q.seq;
	}
	must(entry->type == ENTRY_RECORD || entry->type == ENTRY_AHEAD);
	must(record_decode(entry->body, entry->len, &record, &err) == RC_OK);
	if (entry->type == ENTRY_AHEAD)
		return 0;
	if (record.epoch > 0)
		return record.seq;
	to = record.detail_len > 0 ? memmem(record.detail, record.detail_len, "\"to\":", 5) : NULL;
	return to != NULL ? strtoull(to + 5, NULL, 10) : 0;
}

static void
check_journal(const struct place *place)
{
	struct journal_reader *reader;
	struct journal_entry entry;
	uint64_t highest = 0;
	struct err err;

	must(journal_reader_new(&reader, place->journal, 0, &err) == RC_OK);
	while (journal_read(reader, &entry, &err) == RC_OK) {
		uint64_t seq = highest_in(&entry);

		highest = seq > highest ? seq : highest;
	}
	journal_reader_free(&reader);
	must(place->acked <= highest || place->acked <= place->claimed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct place place = {.talk = {.happen = happen, .turn = turn, .on_answer = on_answer}};

	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	place.talk.arg = &place;
	place_init(&place);
	connect_peer(&place);
	conversation_run(&place.talk, data, n);
	/* what was acknowledged without STEP_DURABLE at the end is found out here */
	conversation_answers(&place.talk);
	check_journal(&place);
	stream_fake_free(&place.talk.stream);
	sessions_close_all(place.sessions, GOAWAY_RESTART, "");
	while (!sessions_drained(place.sessions) || !roster_drained(place.roster)) {
		loop_fake_turn(place.loop, 0);
		loop_fake_turn(place.roster_loop, 0);
		make_durable(&place);
	}
	loop_fake_turn(place.roster_loop, 0);
	sessions_free(&place.sessions);
	roster_free(&place.roster);
	loop_free(&place.loop);
	loop_free(&place.roster_loop);
	journal_close(&place.journal);
	fs_fake_reset(0);
	return 0;
}
