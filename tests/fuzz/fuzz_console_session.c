/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: whole conversations of a console behind TLS, through the session,
 * the hub and the desk, while alarms come and go.
 *
 * conversation.h says what the input is.
 *
 * Beside crashes it looks for answers that are no frames of the contract.
 */
#include <stdlib.h>
#include <string.h>

#include "../fake/clock_fake.h"
#include "../fake/loop_fake.h"
#include "base/log.h"
#include "conversation.h"
#include "desk/actions.h"
#include "desk/consoles.h"
#include "gatehouse.pb-c.h"

enum { HISTORY = 32 };
enum {
	STEP_RECONNECT = CONVERSATION_STEP_MIN, /* the peer is gone, and comes again */
	STEP_ALARMS,                            /* some are raised, some end */
	STEP_TIME,                              /* ten seconds pass */
	STEP_SENT,                              /* the kernel has taken all answers */
	STEP_REGISTER,                          /* the register is loaded again */
};

struct place {
	struct loop *loop, *hub_loop;
	struct desk *desk;
	struct hub *hub;
	struct consoles *consoles;
	struct conversation talk;
	uint64_t seq, position;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct reg *
make_register(void)
{
	struct reg_builder *b = conversation_register();

	reg_add_console(b, 21, 1, "north-1", false, true);
	return conversation_build(b);
}

static void
consoles_on_mail(void *arg, struct mail *mail)
{
	must(mail->kind == HUB_MAIL_DELIVERY);
	consoles_deliver(((struct place *)arg)->consoles,
			 CONTAINER_OF(mail, struct hub_delivery, mail));
}

static void
hub_on_mail(void *arg, struct mail *mail)
{
	/* what is done with alarms is judged elsewhere, and nobody answers here */
	if (mail->kind == ACTIONS_MAIL_ASK || mail->kind == ACTIONS_MAIL_SHOWN)
		free(mail);
	else
		hub_mail(((struct place *)arg)->hub, mail);
}

static void
hub_on_turn(void *arg)
{
	while (hub_pump(((struct place *)arg)->hub))
		;
}

static void
place_init(struct place *place)
{
	const struct loop_hooks hooks = {.on_mail = consoles_on_mail, .arg = place};
	const struct loop_hooks hub_hooks = {
		.on_mail = hub_on_mail, .on_turn = hub_on_turn, .arg = place};
	const struct consoles_conf conf = {
		.node = 5,
		.keepalive_ms = 15000,
		.stall_ms = 60000,
		.hello_timeout_ms = 60000,
		.frame_max_bytes = 4096,
	};
	const struct desk_conf desk_conf = {
		.node = 5, .history = HISTORY, .open_alarms_max = HISTORY};
	struct err err;

	clock_fake_reset();
	must(loop_new(&place->loop, &hooks, &err) == RC_OK);
	must(loop_new(&place->hub_loop, &hub_hooks, &err) == RC_OK);
	place->desk = desk_new(&desk_conf);
	place->hub = hub_new(place->desk, 65536);
	must(consoles_new(&place->consoles, place->loop, &conf, loop_mailbox(place->hub_loop),
			  &err) == RC_OK);
	hub_set_register(place->hub, make_register());
	consoles_set_register(place->consoles, make_register());
}

static void
connect_peer(struct place *place)
{
	place->talk.stream = stream_fake_new(TLS_ROLE_CONSOLE, "north-1");
	consoles_adopt(place->consoles, place->talk.stream);
}

static void
turn_without_peer(struct place *place)
{
	consoles_turn(place->consoles);
	loop_fake_turn(place->hub_loop, 0);
	loop_fake_turn(place->loop, 0);
}

static void
turn(void *arg)
{
	struct place *place = arg;

	turn_without_peer(place);
	stream_fake_offer(place->talk.stream);
	turn_without_peer(place);
}

static void
raise_some(struct place *place)
{
	static const uint16_t kinds[] = {202, 320, 203, 205, 702, 206, 202};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct record record = {
			.controller_id = kinds[i] == 702 ? 0 : ELM,
			.site_id = kinds[i] == 702 ? 0 : SITE,
			.door_id = kinds[i] == 320 || kinds[i] == 702 ? 0 : ELM_FRONT,
			.kind = kinds[i],
			.epoch = kinds[i] == 702 ? -1 : 3,
			.seq = ++place->seq,
			.received_us = 5000,
		};

		place->position += 100;
		(void)desk_apply(place->desk, &record, false, place->position, 6000);
	}
}

/* Each is one of the contract. */
static void
on_answer(void *arg, const uint8_t *payload, size_t n)
{
	Gatehouse__V1__ToConsole *to = gatehouse__v1__to_console__unpack(NULL, n, payload);

	(void)arg;
	must(to != NULL);
	gatehouse__v1__to_console__free_unpacked(to, NULL);
}

static void
happen(void *arg, uint8_t step)
{
	struct place *place = arg;

	switch (step) {
	case STEP_RECONNECT:
		conversation_answers(&place->talk);
		stream_fake_free(&place->talk.stream);
		turn_without_peer(place);
		connect_peer(place);
		break;
	case STEP_ALARMS:
		raise_some(place);
		break;
	case STEP_TIME:
		clock_fake_advance_ms(10000);
		loop_fake_tick(place->loop);
		break;
	case STEP_SENT:
		conversation_answers(&place->talk);
		break;
	case STEP_REGISTER:
		consoles_set_register(place->consoles, make_register());
		hub_set_register(place->hub, make_register());
		break;
	default:
		break;
	}
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
	conversation_answers(&place.talk);
	stream_fake_free(&place.talk.stream);
	consoles_close_all(place.consoles, GOAWAY_RESTART, "");
	turn_without_peer(&place);
	consoles_free(&place.consoles);
	hub_free(&place.hub);
	desk_free(&place.desk);
	loop_free(&place.loop);
	loop_free(&place.hub_loop);
	return 0;
}
