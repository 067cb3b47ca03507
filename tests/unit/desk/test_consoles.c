/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Console sessions over real TLS on the loopback, both sides on one loop, with a
 * clock that the test moves: what is allowed when, who is sent away and why,
 * credit that is given back, and silence in either direction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/by_hand.h"
#include "../support/certificates.h"
#include "../support/loopback.h"
#include "base/log.h"
#include "desk/consoles.h"
#include "gatehouse.pb-c.h"
#include "wire/frame.h"

enum { CENTRE = 1, NORTH = 2, ELM = 41, FORCED = 202 };
enum { KEEPALIVE_MS = 15000, STALL_MS = 60000, HELLO_MS = 10000, FRAME_MAX = 4096 };
enum { CLIENTS = 4, TOLD_MAX = 64, TICK_MS = 5 };

/* ---- Certificates, made once ------------------------------------------------------------ */

static char dir[] = "/tmp/gatehouse-consoles-XXXXXX";

static int
make_certificates(void **state)
{
	(void)state;
	log_setup(LOG_LEVEL_WARNING, LOG_TARGET_STDERR);
	if (mkdtemp(dir) == NULL)
		return -1;
	return certificates_make(dir, "console", "north-1 off-1 stranger");
}

static int
remove_certificates(void **state)
{
	char *command = xasprintf("rm -r %s", dir);
	int result = system(command);

	(void)state;
	free(command);
	return result;
}

/* ---- A worker with consoles, and clients on the same loop -------------------------------- */

struct client {
	struct stream *stream; /* NULL: closed */
	bool open;
	Gatehouse__V1__ToConsole *told[TOLD_MAX];
	size_t n_told;
	size_t bytes; /* when it isn't to look at them */
	bool blind;
};

struct fixture {
	struct loop *loop;
	struct stream_set *set;
	struct tls *server;
	int listener;
	struct sockaddr_in address;
	struct consoles *consoles;
	struct mailbox hub_box; /* the test is the hub */
	struct mail *to_hub[TOLD_MAX];
	size_t n_to_hub;
	struct client clients[CLIENTS];
};

static struct reg *
sample_reg(bool enabled, uint32_t station)
{
	struct reg_builder *b = reg_builder_new();
	struct reg *reg = NULL;
	struct err err;

	reg_add_station(b, CENTRE, "C", "Centre");
	reg_add_station(b, NORTH, "N", "North");
	reg_add_area(b, 11, 0, NORTH, "north", "North");
	reg_add_site(b, ELM, 11, "elm", "Elm Court", "Elm Road 1");
	reg_add_console(b, 51, station, "north-1", false, enabled);
	reg_add_console(b, 52, NORTH, "off-1", false, false);
	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fail_msg("%s", err.msg);
	return reg;
}

static void
door_on_open(void *arg, struct stream *stream)
{
	struct fixture *f = arg;

	consoles_adopt(f->consoles, stream);
}

static size_t
door_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	(void)arg;
	(void)stream;
	(void)bytes;
	return n;
}

static void
door_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	(void)arg;
	(void)stream;
	fail_msg("handshake: %s %s", stream_end_name(end), err->msg);
}

static const struct stream_hooks door_hooks = {
	.on_open = door_on_open,
	.on_bytes = door_on_bytes,
	.on_closed = door_on_closed,
};

static void
on_mail(void *arg, struct mail *mail)
{
	struct fixture *f = arg;

	assert_int_equal(mail->kind, HUB_MAIL_DELIVERY);
	consoles_deliver(f->consoles, (struct hub_delivery *)mail);
}

/* Keeps a turn from waiting for ever. */
static void
on_tick(void *arg)
{
	(void)arg;
}

static void
fixture_init(struct fixture *f)
{
	struct loop_hooks hooks = {.on_mail = on_mail, .arg = f};
	struct stream_limits limits = {.handshake_timeout_ms = 1000000,
				       .handshake_steps = 64,
				       .read_budget_bytes = 65536,
				       .output_limit_bytes = 128 * 1024};
	struct consoles_conf conf = {
		.node = 5,
		.keepalive_ms = KEEPALIVE_MS,
		.stall_ms = STALL_MS,
		.hello_timeout_ms = HELLO_MS,
		.frame_max_bytes = FRAME_MAX,
		.goaway_delay_ms = 777,
	};
	struct err err;

	*f = (struct fixture){0};
	assert_int_equal(loop_new(&f->loop, &hooks, &err), RC_OK);
	assert_int_equal(loop_every(f->loop, TICK_MS, on_tick, NULL, &err), RC_OK);
	assert_int_equal(stream_set_new(&f->set, f->loop, &limits, &err), RC_OK);
	assert_int_equal(mailbox_init(&f->hub_box, &err), RC_OK);
	assert_int_equal(consoles_new(&f->consoles, f->loop, &conf, &f->hub_box, &err), RC_OK);
	consoles_set_register(f->consoles, sample_reg(true, NORTH));
	f->server = certificates_tls(dir, "server", true);
	f->listener = loopback_listen(&f->address);
}

static void
take_hub_mail(struct fixture *f)
{
	struct mail *mail = mailbox_take_all(&f->hub_box), *next;

	for (; mail != NULL; mail = next) {
		next = mail->next;
		assert_true(f->n_to_hub < TOLD_MAX);
		f->to_hub[f->n_to_hub++] = mail;
	}
}

static void
forget_hub_mail(struct fixture *f)
{
	for (size_t i = 0; i < f->n_to_hub; i++) {
		if (f->to_hub[i]->kind == HUB_MAIL_SUBSCRIBE) {
			struct hub_subscribe *subscribe = (struct hub_subscribe *)f->to_hub[i];

			free(subscribe->areas);
			free(subscribe->kinds);
		}
		free(f->to_hub[i]);
	}
	f->n_to_hub = 0;
}

static void
fixture_fini(struct fixture *f)
{
	stream_set_free(&f->set);
	consoles_free(&f->consoles);
	take_hub_mail(f);
	forget_hub_mail(f);
	mailbox_fini(&f->hub_box);
	loop_free(&f->loop);
	tls_unref(&f->server);
	(void)close(f->listener);
	for (size_t i = 0; i < CLIENTS; i++) {
		for (size_t k = 0; k < f->clients[i].n_told; k++)
			gatehouse__v1__to_console__free_unpacked(f->clients[i].told[k], NULL);
	}
}

static void
turn(struct fixture *f)
{
	int fd = accept(f->listener, NULL, NULL);
	struct stream *stream;
	struct err err;
	int small = 4096;

	if (fd >= 0) {
		/* so that a client that doesn't read is felt soon */
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		assert_int_equal(
			stream_accept(f->set, f->server, fd, &door_hooks, f, &stream, &err), RC_OK);
	}
	assert_true(event_base_loop(loop_base(f->loop), EVLOOP_ONCE) >= 0);
	stream_set_turn(f->set);
	consoles_turn(f->consoles);
	take_hub_mail(f);
}

/* ---- Clients -------------------------------------------------------------------------------- */

static void
client_on_open(void *arg, struct stream *stream)
{
	struct client *client = arg;

	(void)stream;
	client->open = true;
}

static size_t
client_on_bytes(void *arg, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct client *client = arg;
	const uint8_t *payload;
	size_t done = 0, len, used;

	(void)stream;
	if (client->blind) {
		client->bytes += n;
		return n;
	}
	while (frame_parse(bytes + done, n - done, 65536, &payload, &len, &used) == FRAME_WHOLE) {
		Gatehouse__V1__ToConsole *to =
			gatehouse__v1__to_console__unpack(NULL, len, payload);

		assert_non_null(to);
		assert_true(client->n_told < TOLD_MAX);
		client->told[client->n_told++] = to;
		done += used;
	}
	return done;
}

static void
client_on_closed(void *arg, struct stream *stream, enum stream_end end, const struct err *err)
{
	struct client *client = arg;

	(void)stream;
	(void)end;
	(void)err;
	client->stream = NULL;
}

static const struct stream_hooks client_hooks = {
	.on_open = client_on_open,
	.on_bytes = client_on_bytes,
	.on_closed = client_on_closed,
};

static struct client *
client_connect(struct fixture *f, size_t i, const char *who)
{
	struct client *client = &f->clients[i];
	struct tls *tls = certificates_tls(dir, who, false);
	struct err err;

	assert_int_equal(stream_connect(f->set, tls, (struct sockaddr *)&f->address,
					sizeof(f->address), NULL, 0, &client_hooks, client,
					&client->stream, &err),
			 RC_OK);
	tls_unref(&tls);
	UNTIL(f, client->open);
	return client;
}

static void
client_say(struct client *client, const Gatehouse__V1__FromConsole *from)
{
	uint8_t frame[FRAME_MAX], *out;
	size_t n = gatehouse__v1__from_console__get_packed_size(from);

	out = frame_put_header(frame, n);
	(void)gatehouse__v1__from_console__pack(from, out);
	assert_int_equal(stream_write(client->stream, frame, (size_t)(out - frame) + n), RC_OK);
}

static void
client_say_hello(struct client *client, uint32_t protocol)
{
	Gatehouse__V1__ConsoleHello hello;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	gatehouse__v1__console_hello__init(&hello);
	hello.protocol = protocol;
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_HELLO;
	from.hello = &hello;
	client_say(client, &from);
}

static void
client_say_subscribe(struct client *client, uint64_t from_position)
{
	Gatehouse__V1__Subscribe subscribe = GATEHOUSE__V1__SUBSCRIBE__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__Kind kinds[] = {GATEHOUSE__V1__KIND__KIND_PANIC,
				       (Gatehouse__V1__Kind)(65536 + FORCED)};
	char north[] = "north", *areas[] = {north};

	subscribe.from_position = from_position;
	subscribe.severity_min = GATEHOUSE__V1__SEVERITY__SEVERITY_LOW;
	subscribe.areas = areas;
	subscribe.n_areas = 1;
	subscribe.kinds = kinds;
	subscribe.n_kinds = 2;
	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SUBSCRIBE;
	from.subscribe = &subscribe;
	client_say(client, &from);
}

static void
client_say_keep_alive(struct client *client)
{
	Gatehouse__V1__KeepAlive alive = GATEHOUSE__V1__KEEP_ALIVE__INIT;
	Gatehouse__V1__FromConsole from = GATEHOUSE__V1__FROM_CONSOLE__INIT;

	from.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_KEEP_ALIVE;
	from.keep_alive = &alive;
	client_say(client, &from);
}

/* Connected, welcomed and subscribed from position 70. */
static struct client *
client_subscribed(struct fixture *f, size_t i)
{
	struct client *client = client_connect(f, i, "north-1");
	size_t before = f->n_to_hub;

	client_say_hello(client, 1);
	client_say_subscribe(client, 70);
	UNTIL(f, f->n_to_hub == before + 1);
	assert_int_equal(f->to_hub[before]->kind, HUB_MAIL_SUBSCRIBE);
	UNTIL(f, client->n_told == 1);
	return client;
}

/* The last that it was told; it must be of that type. */
static const Gatehouse__V1__ToConsole *
last_told(const struct client *client, Gatehouse__V1__ToConsole__MessageCase type)
{
	assert_true(client->n_told > 0);
	assert_int_equal(client->told[client->n_told - 1]->message_case, type);
	return client->told[client->n_told - 1];
}

static void
assert_sent_away(struct fixture *f, struct client *client, enum goaway reason)
{
	const Gatehouse__V1__ToConsole *to;

	UNTIL(f, client->stream == NULL);
	to = last_told(client, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_GOAWAY);
	assert_int_equal(to->goaway->reason, reason);
	assert_int_equal(to->goaway->delay_ms, 777);
}

static uint64_t
sessions(const struct fixture *f)
{
	return counter_get(&consoles_counters(f->consoles)->open);
}

static uint64_t
sent_away(const struct fixture *f, enum goaway reason)
{
	return counter_get(&consoles_counters(f->consoles)->closed[reason]);
}

/* A delivery of so many keep-alives. */
static size_t
deliver(struct fixture *f, const uint64_t *ids, size_t n_ids, size_t frames, uint64_t position)
{
	uint8_t frame[CONSOLE_ANSWER_MAX];
	size_t n = console_put_keep_alive(frame, 1, position);
	struct hub_delivery *delivery =
		calloc(1, sizeof(*delivery) + n_ids * sizeof(*ids) + frames * n);

	delivery->mail.kind = HUB_MAIL_DELIVERY;
	delivery->position = position;
	delivery->n_ids = n_ids;
	memcpy(delivery->ids, ids, n_ids * sizeof(*ids));
	delivery->bytes = (uint8_t *)&delivery->ids[n_ids];
	for (size_t i = 0; i < frames; i++)
		memcpy(delivery->bytes + i * n, frame, n);
	delivery->n = frames * n;
	mailbox_post(loop_mailbox(f->loop), &delivery->mail);
	return frames * n;
}

/* ---- The tests ------------------------------------------------------------------------------ */

static void
a_console_is_welcomed_and_subscribed(void **state)
{
	const Gatehouse__V1__ConsoleWelcome *welcome;
	const struct hub_subscribe *subscribe;
	struct client *client;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	client = client_connect(&f, 0, "north-1");
	client_say_hello(client, 1);
	UNTIL(&f, client->n_told == 1);
	welcome = last_told(client, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_WELCOME)->welcome;
	assert_string_equal(welcome->console, "north-1");
	assert_string_equal(welcome->station, "N");
	assert_int_equal(welcome->keepalive_s, 15);
	assert_int_equal(welcome->node, 5);
	assert_int_equal(welcome->server_time_us, now_ms * 1000);
	assert_int_equal(sessions(&f), 1);

	client_say_keep_alive(client);
	client_say_subscribe(client, 70);
	UNTIL(&f, f.n_to_hub == 1);
	assert_int_equal(f.to_hub[0]->kind, HUB_MAIL_SUBSCRIBE);
	subscribe = (const struct hub_subscribe *)f.to_hub[0];
	assert_ptr_equal(subscribe->box, loop_mailbox(f.loop));
	assert_int_equal(subscribe->format, HUB_FORMAT_WIRE);
	assert_int_equal(subscribe->station_id, NORTH);
	assert_int_equal(subscribe->from_position, 70);
	assert_int_equal(subscribe->severity_min, SEVERITY_LOW);
	assert_int_equal(subscribe->n_areas, 1);
	assert_string_equal(subscribe->areas[0], "north");
	assert_int_equal(subscribe->n_kinds, 2);
	assert_int_equal(subscribe->kinds[0], 320);
	assert_int_equal(subscribe->kinds[1], 0); /* not 202 */
	fixture_fini(&f);
}

static void
bytes_are_noted_when_they_are_sent(void **state)
{
	struct client *one, *two;
	const struct hub_note *note;
	uint64_t ids[3];
	struct fixture f;
	size_t n;

	(void)state;
	fixture_init(&f);
	one = client_subscribed(&f, 0);
	two = client_subscribed(&f, 1);
	ids[0] = ((struct hub_subscribe *)f.to_hub[0])->id;
	ids[1] = 4711; /* was there once */
	ids[2] = ((struct hub_subscribe *)f.to_hub[1])->id;
	assert_true(ids[0] != ids[2]);
	forget_hub_mail(&f);

	n = deliver(&f, ids, 3, 2, 80);
	n += deliver(&f, ids, 2, 1, 90);
	UNTIL(&f, f.n_to_hub == 2 && one->n_told == 4 && two->n_told == 3);
	/* what two deliveries brought in one turn is one note */
	note = (const struct hub_note *)f.to_hub[0];
	assert_int_equal(note->mail.kind, HUB_MAIL_SENT);
	assert_ptr_equal(note->box, loop_mailbox(f.loop));
	assert_int_equal(note->id, ids[0]);
	assert_int_equal(note->bytes, n);
	note = (const struct hub_note *)f.to_hub[1];
	assert_int_equal(note->id, ids[2]);
	forget_hub_mail(&f);

	/* one leaves: the hub hears of it, and what is on its way finds nobody */
	stream_close(one->stream);
	UNTIL(&f, f.n_to_hub == 1);
	note = (const struct hub_note *)f.to_hub[0];
	assert_int_equal(note->mail.kind, HUB_MAIL_UNSUBSCRIBE);
	assert_int_equal(note->id, ids[0]);
	n = deliver(&f, ids, 3, 1, 100);
	UNTIL(&f, two->n_told == 4 && f.n_to_hub == 2);
	note = (const struct hub_note *)f.to_hub[1];
	assert_int_equal(note->id, ids[2]);
	assert_int_equal(note->bytes, n); /* what was noted before is not noted again */
	assert_int_equal(sessions(&f), 1);
	assert_int_equal(counter_get(&consoles_counters(f.consoles)->ended[STREAM_END_PEER]), 1);
	fixture_fini(&f);
}

struct offence {
	const char *who;
	bool hello_first;
	enum { SAY_HELLO, SAY_HELLO_2, SAY_SUBSCRIBE, SAY_KEEP_ALIVE, SAY_BYTES } say;
	const char *bytes;
	size_t n;
	enum goaway reason;
};

static const struct offence offences[] = {
	{"stranger", false, SAY_HELLO, NULL, 0, GOAWAY_UNKNOWN},
	{"off-1", false, SAY_HELLO, NULL, 0, GOAWAY_DISABLED},
	{"north-1", false, SAY_HELLO_2, NULL, 0, GOAWAY_VERSION},
	{"north-1", false, SAY_SUBSCRIBE, NULL, 0, GOAWAY_PROTOCOL},
	{"north-1", false, SAY_KEEP_ALIVE, NULL, 0, GOAWAY_PROTOCOL},
	{"north-1", true, SAY_HELLO, NULL, 0, GOAWAY_PROTOCOL},
	{"north-1", true, SAY_BYTES, "\x81\x20", 2, GOAWAY_FRAME_TOO_LONG}, /* 4097 */
	{"north-1", false, SAY_BYTES, "\xff\xff\xff\xff\xff\xff", 6, GOAWAY_BAD_FRAME},
	{"north-1", true, SAY_BYTES, "\x04\xff\xff\xff\xff", 5, GOAWAY_BAD_FRAME},
	{"north-1", true, SAY_BYTES, "\x00", 1, GOAWAY_BAD_FRAME}, /* no message in it */
};

static void
client_offend(struct client *client, const struct offence *offence)
{
	if (offence->say == SAY_HELLO || offence->say == SAY_HELLO_2)
		client_say_hello(client, offence->say == SAY_HELLO ? 1 : 2);
	else if (offence->say == SAY_SUBSCRIBE)
		client_say_subscribe(client, 0);
	else if (offence->say == SAY_KEEP_ALIVE)
		client_say_keep_alive(client);
	else
		assert_int_equal(stream_write(client->stream, offence->bytes, offence->n), RC_OK);
}

static void
what_is_not_allowed_ends_the_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(offences); i++) {
		struct client *client;
		struct fixture f;

		fixture_init(&f);
		client = client_connect(&f, 0, offences[i].who);
		if (offences[i].hello_first)
			client_say_hello(client, 1);
		client_offend(client, &offences[i]);
		/* what follows in the same bytes is not looked at */
		client_say_hello(client, 1);
		assert_sent_away(&f, client, offences[i].reason);
		assert_int_equal(sent_away(&f, offences[i].reason), 1);
		assert_int_equal(sessions(&f), 0);
		assert_int_equal(f.n_to_hub, 0);
		fixture_fini(&f);
	}
}

static void
the_longest_frame_is_read(void **state)
{
	uint8_t bytes[2 + FRAME_MAX] = {0x80, 0x20, 0x1a, 0x00}; /* 4096; an empty keep-alive */
	struct client *client;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	client = client_subscribed(&f, 0);
	/* the rest is a field that this version doesn't know: 1000, of 4091 bytes */
	memcpy(bytes + 4, "\xc2\x3e\xfa\x1f", 4);
	bytes[6] = (uint8_t)((FRAME_MAX - 6) & 0x7f) | 0x80;
	bytes[7] = (FRAME_MAX - 6) >> 7;
	assert_int_equal(stream_write(client->stream, bytes, sizeof(bytes)), RC_OK);
	client_say_hello(client, 1); /* is an offence here: so all before it was read */
	assert_sent_away(&f, client, GOAWAY_PROTOCOL);
	fixture_fini(&f);
}

static void
the_register_sends_consoles_away(void **state)
{
	struct client *client, *other;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	client = client_subscribed(&f, 0);
	consoles_set_register(f.consoles, sample_reg(true, NORTH));
	assert_int_equal(sessions(&f), 1);
	consoles_set_register(f.consoles, sample_reg(true, CENTRE));
	assert_sent_away(&f, client, GOAWAY_RESTART);

	/* back at once, now with the other station's rights */
	other = client_subscribed(&f, 1);
	assert_int_equal(((struct hub_subscribe *)f.to_hub[f.n_to_hub - 1])->station_id, CENTRE);
	consoles_set_register(f.consoles, sample_reg(false, CENTRE));
	assert_sent_away(&f, other, GOAWAY_DISABLED);
	fixture_fini(&f);
}

static void
silence_is_broken_or_ends_it(void **state)
{
	struct client *quiet, *mute;
	uint64_t id;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	quiet = client_subscribed(&f, 0);
	id = ((struct hub_subscribe *)f.to_hub[0])->id;
	mute = client_connect(&f, 1, "north-1");
	UNTIL(&f, sessions(&f) == 2);

	/* the position that it asked for, until it has another */
	now_ms += HELLO_MS;
	UNTIL(&f, mute->stream == NULL);
	assert_sent_away(&f, mute, GOAWAY_IDLE);
	assert_int_equal(quiet->n_told, 1);
	now_ms += KEEPALIVE_MS - HELLO_MS;
	UNTIL(&f, quiet->n_told == 2);
	assert_int_equal(last_told(quiet, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_KEEP_ALIVE)
				 ->keep_alive->position,
			 70);

	(void)deliver(&f, &id, 1, 1, 80);
	UNTIL(&f, quiet->n_told == 3);
	client_say_keep_alive(quiet);
	UNTIL(&f, stream_unsent(quiet->stream) == 0);
	turn(&f);
	now_ms += 3 * KEEPALIVE_MS - 1;
	UNTIL(&f, quiet->n_told == 4);
	assert_int_equal(last_told(quiet, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_KEEP_ALIVE)
				 ->keep_alive->position,
			 80);
	now_ms += 1;
	assert_sent_away(&f, quiet, GOAWAY_IDLE);
	fixture_fini(&f);
}

static void
one_that_does_not_read_is_closed(void **state)
{
	struct client *client, *other;
	size_t delivered = 0, told;
	struct fixture f;
	uint64_t id;

	(void)state;
	fixture_init(&f);
	client = client_subscribed(&f, 0);
	id = ((struct hub_subscribe *)f.to_hub[0])->id;
	client->blind = true;
	stream_pause(client->stream);
	/* the hub gives credit for each note, until none comes any more */
	for (bool noted = true; noted;) {
		forget_hub_mail(&f);
		delivered += deliver(&f, &id, 1, 3000, 100);
		noted = false;
		for (int i = 0; i < 20 && !noted; i++) {
			turn(&f);
			noted = f.n_to_hub > 0;
		}
	}
	/* speaking doesn't save it; what the other is told shows that a sweep has passed */
	other = client_subscribed(&f, 1);
	for (uint64_t ms = 0; ms < STALL_MS; ms += KEEPALIVE_MS) {
		now_ms += KEEPALIVE_MS;
		told = other->n_told;
		client_say_keep_alive(client);
		client_say_keep_alive(other);
		UNTIL(&f, other->n_told == told + 1);
		assert_int_equal(sessions(&f), 2);
	}
	now_ms += KEEPALIVE_MS;
	UNTIL(&f, sessions(&f) == 1);
	assert_int_equal(sent_away(&f, GOAWAY_SLOW), 1);
	assert_true(delivered < 64u * 1024 * 1024);
	fixture_fini(&f);
}

static void
one_that_gets_more_than_its_room_is_closed(void **state)
{
	struct client *client;
	struct fixture f;
	uint64_t id;

	(void)state;
	fixture_init(&f);
	client = client_subscribed(&f, 0);
	id = ((struct hub_subscribe *)f.to_hub[0])->id;
	client->blind = true;
	(void)deliver(&f, &id, 1, 20000, 100); /* over the output limit at once */
	UNTIL(&f, sessions(&f) == 0);
	assert_int_equal(sent_away(&f, GOAWAY_SLOW), 1);
	fixture_fini(&f);
}

static void
subscribing_again_is_paced(void **state)
{
	struct client *client;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	client = client_subscribed(&f, 0);
	for (uint64_t i = 1; i <= 50; i++)
		client_say_subscribe(client, i);
	now_ms += 999;
	client_say_subscribe(client, 51);
	UNTIL(&f, stream_unsent(client->stream) == 0);
	turn(&f);
	turn(&f);
	assert_int_equal(f.n_to_hub, 1);
	now_ms += 1;
	UNTIL(&f, f.n_to_hub == 2);
	assert_int_equal(((struct hub_subscribe *)f.to_hub[1])->from_position, 51);
	fixture_fini(&f);
}

static void
all_are_told_at_the_end(void **state)
{
	struct client *one, *two;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	one = client_subscribed(&f, 0);
	two = client_connect(&f, 1, "north-1");
	UNTIL(&f, sessions(&f) == 2);
	consoles_close_all(f.consoles, GOAWAY_RESTART, "the server stops");
	assert_int_equal(sessions(&f), 0);
	assert_sent_away(&f, one, GOAWAY_RESTART);
	assert_sent_away(&f, two, GOAWAY_RESTART);
	assert_string_equal(one->told[one->n_told - 1]->goaway->detail, "the server stops");
	fixture_fini(&f);
}

/* With a real hub in the place of the test. */
static void
an_alarm_comes_to_the_screen(void **state)
{
	struct desk_conf conf = {.node = 5, .history = 64, .open_alarms_max = 64};
	struct desk *desk = desk_new(&conf);
	struct hub *hub = hub_new(desk, 65536);
	struct record record = {
		.controller_id = 31, .site_id = ELM, .kind = 320, .epoch = 1, .seq = 1};
	const Gatehouse__V1__ToConsole *to;
	struct client *client;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	hub_set_register(hub, sample_reg(true, NORTH));
	assert_non_null(desk_apply(desk, &record, false, 70, 1));
	client = client_subscribed(&f, 0);
	hub_mail(hub, f.to_hub[0]);
	f.n_to_hub = 0;
	record.seq = 2;
	assert_non_null(desk_apply(desk, &record, false, 140, 2));
	(void)hub_pump(hub);
	UNTIL(&f, client->n_told == 2 && f.n_to_hub == 1);
	to = last_told(client, GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ALARM);
	assert_int_equal(to->alarm->position, 140);
	assert_int_equal(to->alarm->count, 2);
	assert_string_equal(to->alarm->area, "north");
	hub_mail(hub, f.to_hub[0]); /* the credit comes back: else it must() */
	f.n_to_hub = 0;
	stream_close(client->stream);
	UNTIL(&f, f.n_to_hub == 1);
	hub_mail(hub, f.to_hub[0]);
	f.n_to_hub = 0;
	assert_int_equal(hub_counters(hub)->subscribers, 0);
	fixture_fini(&f);
	hub_free(&hub);
	desk_free(&desk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_console_is_welcomed_and_subscribed),
		cmocka_unit_test(bytes_are_noted_when_they_are_sent),
		cmocka_unit_test(what_is_not_allowed_ends_the_session),
		cmocka_unit_test(the_longest_frame_is_read),
		cmocka_unit_test(the_register_sends_consoles_away),
		cmocka_unit_test(silence_is_broken_or_ends_it),
		cmocka_unit_test(one_that_does_not_read_is_closed),
		cmocka_unit_test(one_that_gets_more_than_its_room_is_closed),
		cmocka_unit_test(subscribing_again_is_paced),
		cmocka_unit_test(all_are_told_at_the_end),
		cmocka_unit_test(an_alarm_comes_to_the_screen),
	};

	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
