/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub, with plain mailboxes in the place of workers: who sees what, each
 * change once and in order over any number of subscriptions, credit, the end of
 * the ring, and that many subscribers share one delivery.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk/hub.h"
#include "gatehouse.pb-c.h"
#include "wire/frame.h"

enum { FORCED = 202, FORCED_RESTORED = 203, HELD = 205, PANIC = 320, DIVERGENCE = 700 };
enum { CENTRE = 1, NORTH = 2, ELM = 41, OAK = 42, FAR = 43, NOWHERE = 99 };
enum { BOXES = 2, SCREENS = 64, SEEN_MAX = 8192 };

/* ---- A desk, a hub, and screens that remember what they were told -------------------- */

enum seen_type { SEEN_ALARM, SEEN_RESYNC, SEEN_SNAPSHOT_END };

struct seen {
	enum seen_type type;
	uint64_t position; /* RESYNC: what was asked for */
	uint64_t alarm_id;
	uint32_t count;
	char text[96]; /* RESYNC: the reason; ALARM: door, address and so on */
};

struct screen {
	struct seen seen[SEEN_MAX];
	size_t n;
	size_t unsent;
	size_t deliveries;
	size_t longest; /* delivery */
	uint64_t position;
};

struct fixture {
	struct desk *desk;
	struct hub *hub;
	struct mailbox boxes[BOXES];
	struct screen *screens; /* by id */
	uint64_t position;
	uint64_t seq;
	size_t posts;
};

/*
 *	city (station Centre)
 *	 +- north (station North)
 *	 |   +- estate		site elm, controller elm-1, door 101
 *	 +- south		site oak, controller oak-1, door 102
 *	abroad			site far, nobody's
 */
static struct reg *
sample_reg(uint32_t north_station)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg = NULL;
	struct err err;

	reg_add_station(b, CENTRE, "C", "Centre");
	reg_add_station(b, NORTH, "N", "North");
	reg_add_area(b, 10, 0, CENTRE, "city", "City");
	reg_add_area(b, 11, 10, north_station, "north", "North");
	reg_add_area(b, 13, 11, 0, "estate", "Estate");
	reg_add_area(b, 12, 10, 0, "south", "South");
	reg_add_area(b, 14, 0, 0, "abroad", "Abroad");
	reg_add_site(b, ELM, 13, "elm", "Elm Court", "Elm Road 1");
	reg_add_site(b, OAK, 12, "oak", "Oak House", "Oak Road 2");
	reg_add_site(b, FAR, 14, "far", "Far Away", "");
	reg_add_controller(b, 31, ELM, "elm-1", true);
	reg_add_controller(b, 32, OAK, "oak-1", true);
	reg_add_door(b, &(struct door){.id = 101,
				       .site_id = ELM,
				       .controller_id = 31,
				       .number = 1,
				       .code = "elm-front",
				       .name = "Front door",
				       .address = "Elm Road 1, front"});
	reg_add_door(b, &(struct door){.id = 102,
				       .site_id = OAK,
				       .controller_id = 32,
				       .number = 1,
				       .code = "oak-front",
				       .name = "Front door"});
	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return reg;
}

static void
fixture_init(struct fixture *f, size_t history, size_t credit)
{
	struct desk_conf conf = {.node = 1, .history = history, .open_alarms_max = 100000};
	struct err err;

	*f = (struct fixture){.desk = desk_new(&conf)};
	f->hub = hub_new(f->desk, credit);
	hub_set_register(f->hub, sample_reg(NORTH));
	for (size_t i = 0; i < BOXES; i++)
		assert_int_equal(mailbox_init(&f->boxes[i], &err), RC_OK);
	f->screens = calloc(SCREENS, sizeof(*f->screens));
}

static void
screen_put(struct screen *screen, struct seen seen)
{
	assert_true(screen->n < SEEN_MAX);
	screen->seen[screen->n++] = seen;
}

static void
screen_take_message(struct screen *screen, const uint8_t *bytes, size_t n)
{
	Gatehouse__V1__ToConsole *to = gatehouse__v1__to_console__unpack(NULL, n, bytes);
	struct seen seen = {0};

	assert_non_null(to);
	if (to->message_case == GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ALARM) {
		seen.type = SEEN_ALARM;
		seen.position = to->alarm->position;
		seen.alarm_id = to->alarm->alarm_id;
		seen.count = to->alarm->count;
		(void)snprintf(seen.text, sizeof(seen.text), "%s/%s/%s/%s/%s/%s/%s",
			       to->alarm->area, to->alarm->site, to->alarm->door,
			       to->alarm->door_name, to->alarm->address, to->alarm->controller,
			       to->alarm->station);
	} else if (to->message_case == GATEHOUSE__V1__TO_CONSOLE__MESSAGE_RESYNC) {
		seen.type = SEEN_RESYNC;
		seen.position = to->resync->from_position;
		(void)snprintf(seen.text, sizeof(seen.text), "%s", to->resync->reason);
	} else {
		assert_int_equal(to->message_case, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_SNAPSHOT_END);
		seen.type = SEEN_SNAPSHOT_END;
		seen.position = to->snapshot_end->position;
	}
	screen_put(screen, seen);
	gatehouse__v1__to_console__free_unpacked(to, NULL);
}

static void
screen_take(struct screen *screen, const struct hub_delivery *delivery)
{
	size_t done = 0;

	screen->deliveries++;
	screen->unsent += delivery->n;
	screen->position = delivery->position;
	if (delivery->n > screen->longest)
		screen->longest = delivery->n;
	while (done < delivery->n) {
		const uint8_t *payload;
		size_t len, used;

		assert_int_equal(frame_parse(delivery->bytes + done, delivery->n - done, 4096,
					     &payload, &len, &used),
				 FRAME_WHOLE);
		screen_take_message(screen, payload, len);
		done += used;
	}
}

/* Shows on the screens what has arrived. */
static void
collect(struct fixture *f)
{
	for (size_t i = 0; i < BOXES; i++) {
		struct mail *mail = mailbox_take_all(&f->boxes[i]), *next;

		for (; mail != NULL; mail = next) {
			struct hub_delivery *delivery = (struct hub_delivery *)mail;

			next = mail->next;
			assert_int_equal(mail->kind, HUB_MAIL_DELIVERY);
			f->posts++;
			for (size_t k = 0; k < delivery->n_ids; k++)
				screen_take(&f->screens[delivery->ids[k]], delivery);
			hub_delivery_free(&delivery);
		}
	}
}

static void
fixture_fini(struct fixture *f)
{
	hub_free(&f->hub);
	desk_free(&f->desk);
	collect(f);
	for (size_t i = 0; i < BOXES; i++)
		mailbox_fini(&f->boxes[i]);
	free(f->screens);
}

static void
pump(struct fixture *f)
{
	while (hub_pump(f->hub))
		;
	collect(f);
}

/* A record of that kind; returns its position. */
static uint64_t
happen(struct fixture *f, uint16_t kind, uint32_t site, uint32_t door)
{
	struct record record = {
		.controller_id = site == ELM ? 31 : 32,
		.site_id = site,
		.door_id = door,
		.kind = kind,
		.epoch = 1,
		.seq = ++f->seq,
		.received_us = 5000,
	};

	f->position += 100;
	assert_non_null(desk_apply(f->desk, &record, false, f->position, 6000));
	return f->position;
}

static struct hub_subscribe *
subscription(struct fixture *f, uint64_t id, uint32_t station, uint64_t from)
{
	struct hub_subscribe *subscribe = calloc(1, sizeof(*subscribe));

	subscribe->mail.kind = HUB_MAIL_SUBSCRIBE;
	subscribe->box = &f->boxes[id % BOXES];
	subscribe->id = id;
	subscribe->station_id = station;
	subscribe->from_position = from;
	return subscribe;
}

static void
subscribe(struct fixture *f, uint64_t id, uint32_t station, uint64_t from)
{
	hub_mail(f->hub, &subscription(f, id, station, from)->mail);
	pump(f);
}

static void
note(struct fixture *f, unsigned kind, uint64_t id, size_t bytes)
{
	struct hub_note *mail = calloc(1, sizeof(*mail));

	*mail = (struct hub_note){
		.mail.kind = kind, .box = &f->boxes[id % BOXES], .id = id, .bytes = bytes};
	hub_mail(f->hub, &mail->mail);
}

/* The kernel has all that the screen was sent. */
static void
drain(struct fixture *f, uint64_t id)
{
	note(f, HUB_MAIL_SENT, id, f->screens[id].unsent);
	f->screens[id].unsent = 0;
	pump(f);
}

static void
drain_all(struct fixture *f, uint64_t id)
{
	while (f->screens[id].unsent > 0)
		drain(f, id);
}

/* "R" resync, "E" snapshot end, and the positions of alarms in hundreds: "R 1 4 E4 5". */
static void
assert_seen(const struct screen *screen, const char *expected)
{
	char text[4096] = "";
	size_t used = 0;

	for (size_t i = 0; i < screen->n; i++) {
		const struct seen *seen = &screen->seen[i];
		const char *space = i > 0 ? " " : "";

		if (seen->type == SEEN_RESYNC)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%sR", space);
		else
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%" PRIu64,
						 space, seen->type == SEEN_ALARM ? "" : "E",
						 seen->position / 100);
		assert_true(used < sizeof(text));
	}
	assert_string_equal(text, expected);
}

static void
forget(struct screen *screen)
{
	screen->n = 0;
	screen->deliveries = screen->longest = 0;
}

/* ---- Who sees what -------------------------------------------------------------------- */

static void
stations_see_their_areas(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	subscribe(&f, 1, NORTH, 0);
	subscribe(&f, 2, CENTRE, 0);
	subscribe(&f, 3, 0, 0);
	subscribe(&f, 4, 77, 0); /* a station that isn't there */
	(void)happen(&f, FORCED, ELM, 101);
	(void)happen(&f, FORCED, OAK, 102);
	(void)happen(&f, FORCED, FAR, 7);
	(void)happen(&f, FORCED, NOWHERE, 8);
	pump(&f);
	assert_seen(&f.screens[1], "R E0 1");
	assert_seen(&f.screens[2], "R E0 1 2");
	assert_seen(&f.screens[3], "R E0 1 2 3 4");
	assert_seen(&f.screens[4], "R E0");

	/* the same in a snapshot */
	subscribe(&f, 5, NORTH, 0);
	subscribe(&f, 6, CENTRE, 0);
	subscribe(&f, 7, 0, 0);
	assert_seen(&f.screens[5], "R 1 E4");
	assert_seen(&f.screens[6], "R 1 2 E4");
	assert_seen(&f.screens[7], "R 1 2 3 4 E4");
	fixture_fini(&f);
}

static void
everybody_sees_what_the_server_says_of_itself(void **state)
{
	struct record record = {.kind = 702, .epoch = -1, .seq = 1, .received_us = 5000};
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	subscribe(&f, 1, NORTH, 0);
	subscribe(&f, 2, CENTRE, 0);
	subscribe(&f, 3, 0, 0);
	assert_non_null(desk_apply(f.desk, &record, false, f.position += 100, 6000));
	pump(&f);
	for (size_t i = 1; i <= 3; i++)
		assert_seen(&f.screens[i], "R E0 1");
	fixture_fini(&f);
}

static void
subscribe_filtered(struct fixture *f, uint64_t id, uint32_t station, const char *area,
		   uint16_t kind, enum severity severity_min)
{
	struct hub_subscribe *with = subscription(f, id, station, 0);

	if (area != NULL) {
		with->areas = calloc(1, sizeof(*with->areas));
		(void)snprintf(with->areas[0], sizeof(with->areas[0]), "%s", area);
		with->n_areas = 1;
	}
	if (kind != 0) {
		with->kinds = calloc(1, sizeof(*with->kinds));
		with->kinds[0] = kind;
		with->n_kinds = 1;
	}
	with->severity_min = severity_min;
	hub_mail(f->hub, &with->mail);
	pump(f);
}

static void
filters_narrow(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	subscribe_filtered(&f, 1, CENTRE, "north", 0, SEVERITY_NONE);
	subscribe_filtered(&f, 2, CENTRE, "nowhere", 0, SEVERITY_NONE);
	subscribe_filtered(&f, 3, NORTH, "south", 0, SEVERITY_NONE); /* not its own */
	subscribe_filtered(&f, 4, CENTRE, NULL, HELD, SEVERITY_NONE);
	subscribe_filtered(&f, 5, CENTRE, NULL, 0, SEVERITY_HIGH);
	subscribe_filtered(&f, 6, 0, "city", 0, SEVERITY_NONE);
	(void)happen(&f, FORCED, ELM, 101); /* 1 high */
	(void)happen(&f, HELD, OAK, 102);   /* 2 medium */
	(void)happen(&f, PANIC, OAK, 102);  /* 3 critical */
	(void)happen(&f, PANIC, NOWHERE, 9);
	pump(&f);
	assert_seen(&f.screens[1], "R E0 1");
	assert_seen(&f.screens[2], "R E0");
	assert_seen(&f.screens[3], "R E0");
	assert_seen(&f.screens[4], "R E0 2");
	assert_seen(&f.screens[5], "R E0 1 3");
	assert_seen(&f.screens[6], "R E0 1 2 3");

	/* again replaces the filter */
	subscribe_filtered(&f, 4, CENTRE, NULL, PANIC, SEVERITY_NONE);
	assert_seen(&f.screens[4], "R E0 2 R 3 E4");
	assert_int_equal(hub_counters(f.hub)->subscribers, 6);
	fixture_fini(&f);
}

static void
places_have_names(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	subscribe(&f, 1, 0, 0);
	(void)happen(&f, FORCED, ELM, 101);
	(void)happen(&f, FORCED, OAK, 102);
	(void)happen(&f, PANIC, FAR, 0);
	(void)happen(&f, PANIC, NOWHERE, 0);
	pump(&f);
	/* area/site/door/door_name/address/controller/station */
	assert_string_equal(f.screens[1].seen[2].text,
			    "estate/elm/elm-front/Front door/Elm Road 1, front/elm-1/N");
	assert_string_equal(f.screens[1].seen[3].text,
			    "south/oak/oak-front/Front door/Oak Road 2/oak-1/C");
	assert_string_equal(f.screens[1].seen[4].text, "abroad/far////oak-1/");
	assert_string_equal(f.screens[1].seen[5].text, "/////oak-1/");
	fixture_fini(&f);
}

static void
the_register_changes_what_is_seen(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	subscribe(&f, 1, NORTH, 0);
	subscribe(&f, 2, CENTRE, 0);
	(void)happen(&f, FORCED, ELM, 101);
	(void)happen(&f, FORCED, OAK, 102);
	pump(&f);

	hub_set_register(f.hub, sample_reg(0)); /* the centre looks after the north */
	pump(&f);
	assert_seen(&f.screens[1], "R E0 1 R E2"); /* it must not stand there for ever */
	assert_seen(&f.screens[2], "R E0 1 2");    /* sees what it saw */
	assert_string_equal(f.screens[1].seen[3].text,
			    "the register has changed who sees which alarms");

	/* names that are encoded from now on are the new ones */
	subscribe(&f, 3, CENTRE, 0);
	assert_string_equal(f.screens[3].seen[1].text,
			    "estate/elm/elm-front/Front door/Elm Road 1, front/elm-1/C");
	/* ... also of a change that was encoded before */
	subscribe(&f, 4, CENTRE, 50);
	assert_seen(&f.screens[4], "1 2");
	assert_string_equal(f.screens[4].seen[0].text,
			    "estate/elm/elm-front/Front door/Elm Road 1, front/elm-1/C");
	(void)happen(&f, FORCED, ELM, 101);
	pump(&f);
	hub_set_register(f.hub, sample_reg(NORTH));
	pump(&f);
	assert_seen(&f.screens[1], "R E0 1 R E2 R 3 E3");
	assert_int_equal(hub_counters(f.hub)->resyncs, 5);
	fixture_fini(&f);
}

/* ---- Each change once, in order ---------------------------------------------------------- */

static void
a_subscription_goes_on(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	for (uint32_t i = 1; i <= 5; i++)
		(void)happen(&f, FORCED, ELM, i);
	subscribe(&f, 1, NORTH, 300);
	subscribe(&f, 2, NORTH, 350); /* between two */
	subscribe(&f, 3, NORTH, 500);
	assert_seen(&f.screens[1], "4 5");
	assert_seen(&f.screens[2], "4 5");
	assert_seen(&f.screens[3], "");
	assert_int_equal(f.screens[1].position, 500);
	(void)happen(&f, FORCED, ELM, 6);
	pump(&f);
	assert_seen(&f.screens[1], "4 5 6");
	assert_seen(&f.screens[3], "6");
	assert_int_equal(hub_counters(f.hub)->resyncs, 0);
	assert_int_equal(hub_counters(f.hub)->changes_sent, 7);
	fixture_fini(&f);
}

static void
a_resync_says_why(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 4, 1 << 20);
	subscribe(&f, 1, NORTH, 100); /* a server that has lost everything */
	assert_string_equal(f.screens[1].seen[0].text, "position 100 is ahead of this server");
	assert_int_equal(f.screens[1].seen[0].position, 100);
	for (uint32_t i = 1; i <= 7; i++)
		(void)happen(&f, FORCED, ELM, i % 2);
	subscribe(&f, 2, NORTH, 0);
	assert_string_equal(f.screens[2].seen[0].text, "first subscription");
	assert_seen(&f.screens[2], "R 7 6 E7"); /* in order of raising */
	assert_int_equal(f.screens[2].position, 700);
	subscribe(&f, 3, NORTH, 299);
	assert_string_equal(f.screens[3].seen[0].text,
			    "changes before position 400 are no longer kept");
	assert_seen(&f.screens[3], "R 7 6 E7");
	subscribe(&f, 4, NORTH, 300);
	assert_seen(&f.screens[4], "4 5 6 7");
	fixture_fini(&f);
}

/* What changes while a snapshot is under way comes by the stream, and only there. */
static void
a_snapshot_is_of_one_moment(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1); /* one frame at a time */
	for (uint32_t i = 1; i <= 4; i++)
		(void)happen(&f, FORCED, ELM, i);
	subscribe(&f, 1, NORTH, 0);
	assert_seen(&f.screens[1], "R");
	drain(&f, 1);
	assert_seen(&f.screens[1], "R 1");
	assert_int_equal(f.screens[1].position, 0);
	(void)happen(&f, FORCED, ELM, 3);          /* again */
	(void)happen(&f, FORCED_RESTORED, ELM, 4); /* over */
	(void)happen(&f, FORCED, ELM, 5);          /* new */
	(void)happen(&f, FORCED, ELM, 1);          /* was shown already */
	drain_all(&f, 1);
	assert_seen(&f.screens[1], "R 1 2 E4 5 6 7 8");
	assert_int_equal(f.screens[1].position, 800);
	fixture_fini(&f);
}

/* ---- Credit -------------------------------------------------------------------------------- */

static void
a_slow_one_costs_its_credit(void **state)
{
	enum { CREDIT = 1000, CHANGES = 200 };
	struct fixture f;

	(void)state;
	fixture_init(&f, 1024, CREDIT);
	subscribe(&f, 1, NORTH, 0);
	subscribe(&f, 2, NORTH, 0);
	for (uint32_t i = 1; i <= CHANGES; i++) {
		(void)happen(&f, FORCED, ELM, i);
		pump(&f);
		drain(&f, 2);
	}
	assert_int_equal(f.screens[2].n, 2 + CHANGES);
	assert_true(f.screens[1].unsent <= CREDIT);
	assert_true(f.screens[1].n < 20);

	/* part of it only */
	note(&f, HUB_MAIL_SENT, 1, 1);
	f.screens[1].unsent -= 1;
	pump(&f);
	assert_true(f.screens[1].unsent <= CREDIT);

	/* it reads again: everything, in order, still within its credit */
	while (f.screens[1].unsent > 0) {
		drain(&f, 1);
		assert_true(f.screens[1].unsent <= CREDIT);
	}
	assert_int_equal(f.screens[1].n, 2 + CHANGES);
	for (uint64_t i = 1; i <= CHANGES; i++)
		assert_int_equal(f.screens[1].seen[1 + i].position, 100 * i);
	fixture_fini(&f);
}

static void
a_slow_one_that_falls_behind_begins_anew(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 4, 1);
	subscribe(&f, 1, NORTH, 0);
	drain_all(&f, 1);
	for (uint32_t i = 1; i <= 9; i++) {
		(void)happen(&f, FORCED, ELM, 100 + i % 3);
		pump(&f);
	}
	assert_seen(&f.screens[1], "R E0 1");
	drain_all(&f, 1);
	assert_seen(&f.screens[1], "R E0 1 R 7 8 9 E9");
	assert_string_equal(f.screens[1].seen[3].text,
			    "changes before position 600 are no longer kept");
	(void)happen(&f, FORCED, ELM, 101);
	pump(&f);
	drain_all(&f, 1);
	assert_seen(&f.screens[1], "R E0 1 R 7 8 9 E9 10");
	fixture_fini(&f);
}

static void
one_that_left_gets_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1);
	for (uint32_t i = 1; i <= 3; i++)
		(void)happen(&f, FORCED, ELM, i);
	subscribe(&f, 1, NORTH, 0);
	drain(&f, 1);
	note(&f, HUB_MAIL_UNSUBSCRIBE, 1, 0); /* within its snapshot */
	note(&f, HUB_MAIL_SENT, 1, 17);
	note(&f, HUB_MAIL_UNSUBSCRIBE, 1, 0);
	pump(&f);
	assert_seen(&f.screens[1], "R 1");
	assert_int_equal(hub_counters(f.hub)->subscribers, 0);
	/* the same id again is a new one, with its whole credit */
	forget(&f.screens[1]);
	subscribe(&f, 1, NORTH, 200);
	assert_seen(&f.screens[1], "3");
	fixture_fini(&f);
}

/* ---- One delivery for many ------------------------------------------------------------------ */

static void
many_share_a_delivery(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	for (uint64_t id = 0; id < 40; id++)
		subscribe(&f, id, id < 20 ? NORTH : CENTRE, 0);
	f.posts = 0;
	(void)happen(&f, FORCED, ELM, 101);
	(void)hub_pump(f.hub);
	collect(&f);
	/* one for each mailbox, although the stations and their rights differ */
	assert_int_equal(f.posts, BOXES);
	for (uint64_t id = 0; id < 40; id++)
		assert_seen(&f.screens[id], "R E0 1");

	/* of two changes the one sees both, the other one */
	f.posts = 0;
	(void)happen(&f, FORCED, ELM, 101);
	(void)happen(&f, FORCED, OAK, 102);
	(void)hub_pump(f.hub);
	collect(&f);
	assert_int_equal(f.posts, 2 * BOXES);
	assert_seen(&f.screens[7], "R E0 1 2");
	assert_seen(&f.screens[27], "R E0 1 2 3");

	/* as many, but not the same */
	subscribe_filtered(&f, 40, CENTRE, "north", 0, SEVERITY_NONE);
	subscribe_filtered(&f, 42, CENTRE, "south", 0, SEVERITY_NONE);
	(void)happen(&f, FORCED, ELM, 101);
	(void)happen(&f, FORCED, OAK, 102);
	pump(&f);
	assert_seen(&f.screens[40], "R 2 E3 4");
	assert_seen(&f.screens[42], "R 3 E3 5");
	fixture_fini(&f);
}

static void
catching_up_is_in_large_pieces(void **state)
{
	enum { CHANGES = 2000 };
	struct fixture f;

	(void)state;
	fixture_init(&f, CHANGES, 1 << 20);
	for (uint32_t i = 1; i <= CHANGES; i++)
		(void)happen(&f, FORCED, ELM, i);
	subscribe(&f, 1, NORTH, 100);
	assert_int_equal(f.screens[1].n, CHANGES - 1);
	assert_true(f.screens[1].longest <= 64 * 1024);
	assert_true(f.screens[1].longest > 32 * 1024);
	assert_true(f.screens[1].deliveries < 10);
	forget(&f.screens[1]);
	subscribe(&f, 1, NORTH, 0);
	assert_int_equal(f.screens[1].n, CHANGES + 2);
	assert_true(f.screens[1].longest <= 64 * 1024);
	assert_true(f.screens[1].deliveries < 10);
	fixture_fini(&f);
}

/* Those who catch up don't hold a new alarm back: the work of a pump is bounded. */
static void
new_alarms_come_first(void **state)
{
	enum { CHANGES = 4000, CATCHING_UP = 40 };
	struct fixture f;

	(void)state;
	fixture_init(&f, 2 * CHANGES, 1 << 20);
	subscribe(&f, 0, CENTRE, 0);
	for (uint32_t i = 1; i <= CHANGES; i++)
		(void)happen(&f, FORCED, OAK, i);
	pump(&f);
	drain_all(&f, 0);
	forget(&f.screens[0]);
	for (uint64_t id = 1; id <= CATCHING_UP; id++)
		hub_mail(f.hub, &subscription(&f, id, NORTH, 100)->mail);
	(void)happen(&f, FORCED, ELM, 101);
	assert_true(hub_pump(f.hub));
	collect(&f);
	assert_seen(&f.screens[0], "4001");
	assert_seen(&f.screens[CATCHING_UP], "");
	pump(&f);
	assert_seen(&f.screens[CATCHING_UP], "4001");
	fixture_fini(&f);
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

/* All that has come into the box of screen 1; the caller frees it. */
static char *
json_lines(struct fixture *f)
{
	struct mail *mail = mailbox_take_all(&f->boxes[1]), *next;
	char *text = calloc(1, 65536);

	for (; mail != NULL; mail = next) {
		struct hub_delivery *delivery = (struct hub_delivery *)mail;

		next = mail->next;
		assert_true(strlen(text) + delivery->n < 65536);
		strncat(text, (const char *)delivery->bytes, delivery->n);
		hub_delivery_free(&delivery);
	}
	return text;
}

static void
json_is_a_line_each(void **state)
{
	struct hub_subscribe *with;
	struct fixture f;
	char *text;

	(void)state;
	fixture_init(&f, 64, 1 << 20);
	(void)happen(&f, FORCED, ELM, 101);
	with = subscription(&f, 1, 0, 0);
	with->format = HUB_FORMAT_JSON;
	hub_mail(f.hub, &with->mail);
	(void)hub_pump(f.hub);
	text = json_lines(&f);
	assert_string_equal(
		text,
		"{\"resync\":true,\"reason\":\"first subscription\"}\n"
		"{\"position\":100,\"alarm_id\":281474976710756,\"kind\":\"door.forced\","
		"\"severity\":\"high\",\"state\":\"unacknowledged\",\"count\":1,"
		"\"silent\":false,\"change\":1,\"area\":\"estate\",\"site\":\"elm\",\"site_name\":"
		"\"Elm Court\","
		"\"door\":\"elm-front\",\"door_name\":\"Front door\","
		"\"address\":\"Elm Road 1, front\",\"controller\":\"elm-1\",\"station\":\"N\","
		"\"device_time_us\":0,\"received_time_us\":5000,\"durable_time_us\":6000,"
		"\"raised_time_us\":5000,\"cleared_time_us\":0,\"called\":[\"N\"],\"raw_code\":"
		"\"\"}\n"
		"{\"snapshot_end\":true,\"position\":100}\n");
	free(text);
	fixture_fini(&f);
}

/* The longest texts that the register has, of bytes that JSON writes in six. */
static void
the_longest_line_fits(void **state)
{
	struct hub_subscribe *with;
	struct record record = {.controller_id = 31, .site_id = ELM, .door_id = 101, .kind = PANIC};
	struct reg_builder *b = reg_builder_new();
	char code[REGISTER_CODE_MAX + 1] = "", text[REGISTER_TEXT_MAX + 1] = "", raw[RAW_CODE_MAX];
	struct reg *reg = NULL;
	struct fixture f;
	char *lines, *second;
	struct err err;
	json_t *object;

	(void)state;
	memset(code, 1, REGISTER_CODE_MAX);
	memset(text, 1, REGISTER_TEXT_MAX);
	memset(raw, 1, sizeof(raw));
	reg_add_station(b, 1, code, text);
	reg_add_area(b, 13, 0, 1, code, text);
	reg_add_site(b, ELM, 13, code, text, text);
	reg_add_controller(b, 31, ELM, code, true);
	reg_add_door(b, &(struct door){.id = 101,
				       .site_id = ELM,
				       .controller_id = 31,
				       .number = 1,
				       .code = code,
				       .name = text,
				       .address = text});
	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	fixture_init(&f, 64, 1 << 20);
	hub_set_register(f.hub, reg);
	with = subscription(&f, 1, 0, 0);
	with->format = HUB_FORMAT_JSON;
	with->from_position = 100;
	(void)desk_apply(f.desk, &record, false, 100, 0);
	record.raw_code = raw;
	record.raw_code_len = sizeof(raw);
	(void)desk_apply(f.desk, &record, false, 200, 0);
	record.kind = DIVERGENCE;
	raw[0] = (char)0xff; /* not UTF-8: left out */
	(void)desk_apply(f.desk, &record, false, 300, 0);
	hub_mail(f.hub, &with->mail);
	(void)hub_pump(f.hub);
	lines = json_lines(&f);
	second = strchr(lines, '\n') + 1;
	assert_true(second - lines > 6000);
	object = json_loads(second, 0, NULL);
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "raw_code")), "");
	assert_string_equal(json_string_value(json_object_get(object, "site_name")), text);
	json_decref(object);
	free(lines);
	fixture_fini(&f);
}

/* ---- Everything at once
 * -------------------------------------------------------------------------- */

/* A small generator of our own, so that a failure can be repeated. */
static uint32_t
dice(uint32_t *seed, uint32_t sides)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % sides;
}

static bool
station_sees(uint32_t station, uint32_t site)
{
	if (station == NORTH)
		return site == ELM;
	return station == 0 || site == ELM || site == OAK;
}

/* What happened, and what one screen may see of it. */
struct truth {
	const struct alarm_change *all;
	size_t n;
	uint32_t station;
};

/* True when the alarm of change `i` changes again, up to `position`. */
static bool
changes_again(const struct truth *truth, size_t i, uint64_t position)
{
	for (size_t k = i + 1; k < truth->n && truth->all[k].position <= position; k++) {
		if (truth->all[k].alarm_id == truth->all[i].alarm_id)
			return true;
	}
	return false;
}

static bool
shows(const struct seen *seen, size_t n, uint64_t position)
{
	for (size_t i = 0; i < n; i++) {
		if (seen[i].position == position)
			return true;
	}
	return false;
}

/* Nothing ends in this life: what stands is the last change of every alarm.  One
 * that changed on the way may be missing, because it comes by the stream. */
static void
check_snapshot(const struct truth *truth, const struct seen *seen, size_t n, uint64_t end)
{
	size_t expected = 0;

	for (size_t i = 0; i < truth->n && truth->all[i].position <= end; i++) {
		const struct alarm_change *change = &truth->all[i];

		if (!station_sees(truth->station, change->site_id) || changes_again(truth, i, end))
			continue;
		if (shows(seen, n, change->position))
			expected++;
		else
			assert_true(changes_again(truth, i, UINT64_MAX));
	}
	/* each once, and no other */
	assert_int_equal(n, expected);
}

/* Every change behind `at`, once and in order; to the end, when `complete`. */
static void
check_stream(const struct truth *truth, const struct seen *seen, size_t n, uint64_t at,
	     bool complete)
{
	size_t told = 0;

	for (size_t i = 0; i < truth->n; i++) {
		const struct alarm_change *change = &truth->all[i];

		if (change->position <= at || !station_sees(truth->station, change->site_id))
			continue;
		if (told == n) {
			assert_false(complete);
			return;
		}
		assert_int_equal(seen[told].type, SEEN_ALARM);
		assert_int_equal(seen[told].position, change->position);
		assert_int_equal(seen[told].count, change->count);
		told++;
	}
	assert_int_equal(told, n);
}

/* What a screen was told since it subscribed `from`; at a resync it forgets. */
static void
check_screen(const struct screen *screen, const struct truth *truth, uint64_t from, bool complete)
{
	size_t begin = 0, end;

	for (size_t i = 0; i < screen->n; i++) {
		if (screen->seen[i].type == SEEN_RESYNC)
			begin = i + 1;
	}
	if (begin == 0) {
		check_stream(truth, screen->seen, screen->n, from, complete);
		return;
	}
	for (end = begin; end < screen->n && screen->seen[end].type == SEEN_ALARM;)
		end++;
	if (end == screen->n) { /* still in the snapshot */
		assert_false(complete);
		return;
	}
	check_snapshot(truth, &screen->seen[begin], end - begin, screen->seen[end].position);
	check_stream(truth, &screen->seen[end + 1], screen->n - end - 1, screen->seen[end].position,
		     complete);
}

static void
nothing_is_lost_or_doubled(void **state)
{
	enum { ROUNDS = 1500, IDS = 9 };
	static const uint32_t stations[3] = {0, CENTRE, NORTH}, sites[3] = {ELM, OAK, FAR};
	struct alarm_change *all = calloc(ROUNDS, sizeof(*all));
	uint64_t from[IDS];
	uint32_t seed = 20260117;
	size_t n_all = 0;
	struct truth truth;
	struct fixture f;

	(void)state;
	fixture_init(&f, 40, 700);
	for (uint64_t id = 0; id < IDS; id++) {
		from[id] = 0;
		subscribe(&f, id, stations[id % 3], 0);
	}
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t id = dice(&seed, IDS);
		struct screen *screen = &f.screens[id];

		for (uint32_t burst = dice(&seed, 3); burst > 0 && n_all < ROUNDS; burst--) {
			uint32_t site = sites[dice(&seed, 3)], door = dice(&seed, 12);

			(void)happen(&f, FORCED, site, site * 100 + door);
			all[n_all++] = *desk_change(f.desk, desk_next(f.desk) - 1);
		}
		if (dice(&seed, 4) > 0)
			(void)hub_pump(f.hub);
		collect(&f);
		/* some read often, some rarely */
		if (dice(&seed, (uint32_t)id + 2) == 0)
			drain(&f, id);
		if (dice(&seed, 25) == 0) {
			/* gone, and back from the position it has */
			truth = (struct truth){all, n_all, stations[id % 3]};
			check_screen(screen, &truth, from[id], false);
			note(&f, HUB_MAIL_UNSUBSCRIBE, id, 0);
			collect(&f);
			from[id] = screen->position;
			forget(screen);
			screen->unsent = 0;
			subscribe(&f, id, stations[id % 3], from[id]);
		}
	}
	pump(&f);
	for (uint64_t id = 0; id < IDS; id++) {
		drain_all(&f, id);
		truth = (struct truth){all, n_all, stations[id % 3]};
		check_screen(&f.screens[id], &truth, from[id], true);
	}
	assert_true(hub_counters(f.hub)->resyncs > IDS);
	free(all);
	fixture_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stations_see_their_areas),
		cmocka_unit_test(everybody_sees_what_the_server_says_of_itself),
		cmocka_unit_test(filters_narrow),
		cmocka_unit_test(places_have_names),
		cmocka_unit_test(the_register_changes_what_is_seen),
		cmocka_unit_test(a_subscription_goes_on),
		cmocka_unit_test(a_resync_says_why),
		cmocka_unit_test(a_snapshot_is_of_one_moment),
		cmocka_unit_test(a_slow_one_costs_its_credit),
		cmocka_unit_test(a_slow_one_that_falls_behind_begins_anew),
		cmocka_unit_test(one_that_left_gets_nothing),
		cmocka_unit_test(many_share_a_delivery),
		cmocka_unit_test(catching_up_is_in_large_pieces),
		cmocka_unit_test(new_alarms_come_first),
		cmocka_unit_test(json_is_a_line_each),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(nothing_is_lost_or_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
