/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: whole conversations of a console behind TLS, through the session,
 * the hub and the desk, while alarms come and go.
 *
 * The input is a row of steps.  A step is a byte and what belongs to it: below 0xf0 so
 * many bytes that the console says in one piece; above, what happens around it.
 *
 * Beside crashes it looks for answers that are no frames of the contract.
 */
#include <stdlib.h>
#include <string.h>

#include "../fake/clock_fake.h"
#include "../fake/loop_fake.h"
#include "../fake/stream_fake.h"
#include "base/log.h"
#include "desk/actions.h"
#include "desk/consoles.h"
#include "gatehouse.pb-c.h"
#include "wire/frame.h"

enum { ELM = 7, SITE = 41, STEPS_MAX = 100, HISTORY = 32 };
enum {
	STEP_RECONNECT = 0xf0, /* the peer is gone, and comes again */
	STEP_ALARMS,           /* some are raised, some end */
	STEP_TIME,             /* ten seconds pass */
	STEP_SENT,             /* the kernel has taken all answers */
	STEP_REGISTER,         /* the register is loaded again */
};

struct place {
	struct loop *loop, *hub_loop;
	struct desk *desk;
	struct hub *hub;
	struct consoles *consoles;
	struct stream *stream;
	uint64_t seq, position;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct reg *
make_register(void)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg = NULL;
	struct err err;

	reg_add_station(b, 1, "C", "Centre");
	reg_add_area(b, 11, 0, 1, "north", "North");
	reg_add_site(b, SITE, 11, "elm", "Elm Court", "Elm Road 1");
	reg_add_controller(b, ELM, SITE, "elm-1", true);
	reg_add_door(b, 71, SITE, ELM, 1, "elm-front", "Front", "");
	reg_add_console(b, 21, 1, "north-1", false, true);
	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fatal("%s", err.msg);
	return reg;
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
	place->stream = stream_fake_new(TLS_ROLE_CONSOLE, "north-1");
	consoles_adopt(place->consoles, place->stream);
}

static void
turn_without_peer(struct place *place)
{
	loop_fake_turn(place->hub_loop, 0);
	loop_fake_turn(place->loop, 0);
}

static void
turn(struct place *place)
{
	turn_without_peer(place);
	stream_fake_offer(place->stream);
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
			.door_id = kinds[i] == 320 || kinds[i] == 702 ? 0 : 71,
			.kind = kinds[i],
			.epoch = kinds[i] == 702 ? -1 : 3,
			.seq = ++place->seq,
			.received_us = 5000,
		};

		place->position += 100;
		(void)desk_apply(place->desk, &record, false, place->position, 6000);
	}
}

static void
read_answers(struct place *place)
{
	size_t n = buf_len(&place->stream->out), len, used;
	const uint8_t *at = n > 0 ? buf_front(&place->stream->out) : NULL, *payload;

	while (n > 0) {
		must(frame_parse(at, n, 65536, &payload, &len, &used) == FRAME_WHOLE);
		Gatehouse__V1__ToConsole *to =
			gatehouse__v1__to_console__unpack(NULL, len, payload);

		must(to != NULL);
		gatehouse__v1__to_console__free_unpacked(to, NULL);
		at += used;
		n -= used;
	}
	stream_fake_drain(place->stream);
}

static void
happen(struct place *place, uint8_t step)
{
	switch (step) {
	case STEP_RECONNECT:
		read_answers(place);
		stream_fake_free(&place->stream);
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
		read_answers(place);
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
	struct place place = {0};

	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	place_init(&place);
	connect_peer(&place);
	for (int i = 0; n > 0 && i < STEPS_MAX; i++) {
		uint8_t step = *data++;

		n--;
		if (step < STEP_RECONNECT) {
			size_t len = step < n ? step : n;

			stream_fake_say(place.stream, data, len);
			data += len;
			n -= len;
		} else {
			happen(&place, step);
		}
		turn(&place);
	}
	read_answers(&place);
	stream_fake_free(&place.stream);
	consoles_close_all(place.consoles, GOAWAY_RESTART, "");
	turn_without_peer(&place);
	consoles_free(&place.consoles);
	hub_free(&place.hub);
	desk_free(&place.desk);
	loop_free(&place.loop);
	loop_free(&place.hub_loop);
	return 0;
}
