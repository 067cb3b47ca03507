/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A console's side of the contract: hello, subscribe from the last position,
 * keep-alives.  All it remembers is the position of the last message.
 *
 * What arrives between Resync and SnapshotEnd is what stands, not what happens:
 * it is marked as such in the ledger, and is no sample of a latency.
 */
#include "sim/console.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sim/device.h"

enum {
	CONSOLE_HELLO_TIMEOUT_MS = 20000, /* twice what the server gives us */
	CONSOLE_SILENCE = 3,              /* keep-alives that may be missing */
};

static const struct peer_hooks console_peer_hooks;

void
console_init(struct console *c, struct sim *sim, uint32_t number)
{
	const struct enrolment *e = &sim->dispatchers.items[number];
	struct ledger_entry entry = {.type = LEDGER_CONSOLE, .id = number};

	*c = (struct console){.sim = sim, .number = number};
	dispatcher_init(&c->dispatcher, sim->options->dispatch,
			(uint64_t)(sim->options->dispatch_delay_s * 1000), number);
	c->position = history_position(&sim->history, e->name);
	(void)snprintf(entry.name, sizeof(entry.name), "%s", e->name);
	sim_write_down(sim, &entry);
	/* source addresses are for the many */
	peer_init(&c->peer, &sim->peers, e, &console_peer_hooks, 0);
}

void
console_fini(struct console *c)
{
	peer_fini(&c->peer);
}

static void
console_write_down(struct console *c, enum ledger_type type, uint64_t position)
{
	const struct ledger_entry entry = {
		.type = type, .id = c->number, .mono_ns = clock_mono_ns(), .position = position};

	sim_write_down(c->sim, &entry);
}

static void
console_say_hello(struct peer *peer)
{
	Gatehouse__V1__FromConsole message = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__ConsoleHello hello;
	char software[] = "gatehouse-sim";

	gatehouse__v1__console_hello__init(&hello);
	hello.protocol = 1;
	hello.software = software;
	message.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_HELLO;
	message.hello = &hello;
	peer_send(peer, &message.base);
}

static void
console_on_welcome(struct console *c, const Gatehouse__V1__ConsoleWelcome *welcome)
{
	Gatehouse__V1__FromConsole message = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__Subscribe subscribe = GATEHOUSE__V1__SUBSCRIBE__INIT;

	if (c->peer.state != PEER_GREETING) {
		peer_close(&c->peer, "the server welcomes twice");
		return;
	}
	peer_set_ready(&c->peer);
	c->keepalive_ms = welcome->keepalive_s * 1000;
	c->in_snapshot = false;
	subscribe.from_position = c->position;
	message.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SUBSCRIBE;
	message.subscribe = &subscribe;
	peer_send(&c->peer, &message.base);
	console_write_down(c, LEDGER_SUBSCRIBED, c->position);
	if (c->position > 0) /* from 0, the end of the snapshot says it */
		c->subscribed = true;
}

/* Only while there are dispatchers: other consoles watch. */
static void
console_see(struct console *c, const Gatehouse__V1__Alarm *alarm)
{
	Gatehouse__V1__FromConsole message = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__Shown shown = GATEHOUSE__V1__SHOWN__INIT;
	Gatehouse__V1__ShownAlarm one = GATEHOUSE__V1__SHOWN_ALARM__INIT, *alarms[] = {&one};

	if (c->dispatcher.percent == 0)
		return;
	dispatcher_see(&c->dispatcher, alarm->alarm_id, alarm->change,
		       alarm->state == GATEHOUSE__V1__ALARM_STATE__ALARM_STATE_UNACKNOWLEDGED,
		       clock_mono_ms());
	if (alarm->change != 1)
		return;
	one.alarm_id = alarm->alarm_id;
	one.change = alarm->change;
	one.shown_time_us = clock_wall_us();
	shown.alarms = alarms;
	shown.n_alarms = ARRAY_LEN(alarms);
	message.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_SHOWN;
	message.shown = &shown;
	peer_send(&c->peer, &message.base);
}

static void
console_accept(struct console *c, const struct in_hand *taken)
{
	Gatehouse__V1__FromConsole message = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__Action action = GATEHOUSE__V1__ACTION__INIT;

	action.request_id = ++c->last_request;
	action.alarm_id = taken->alarm_id;
	action.seen_change = taken->change;
	action.verb = GATEHOUSE__V1__VERB__VERB_ACCEPT;
	message.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_ACTION;
	message.action = &action;
	peer_send(&c->peer, &message.base);
	c->sim->tally.actions++;
}

static void
console_on_result(struct console *c, const Gatehouse__V1__ActionResult *result)
{
	if (result->request_id == 0 || result->request_id > c->last_request)
		peer_close(&c->peer, "an answer to what was never asked");
	else if (result->accepted)
		c->sim->tally.actions_accepted++;
	else
		c->sim->tally.actions_refused++;
}

static void
console_on_alarm(struct console *c, const Gatehouse__V1__Alarm *alarm)
{
	struct sim *sim = c->sim;
	struct ledger_entry entry = {.type = LEDGER_SEEN,
				     .id = c->number,
				     .mono_ns = clock_mono_ns(),
				     .position = alarm->position,
				     .alarm_id = alarm->alarm_id,
				     .epoch = alarm->epoch,
				     .seq = alarm->seq,
				     .kind = (uint16_t)alarm->kind,
				     .state = (uint8_t)alarm->state,
				     .snapshot = c->in_snapshot};
	uint32_t device = names_find(&sim->names, alarm->controller);

	if (strlen(alarm->controller) > TLS_NAME_MAX) {
		peer_close(&c->peer, "an alarm of a controller with an endless name");
		return;
	}
	memcpy(entry.name, alarm->controller, strlen(alarm->controller) + 1);
	sim_write_down(sim, &entry);
	if (c->in_snapshot) {
		sim->tally.snapshot_messages++;
		return;
	}
	console_see(c, alarm);
	/* in order, none left out: this one number is all there is to remember */
	c->position = alarm->position;
	sim->tally.alarm_messages++;
	if (device != NAMES_NONE && sim->devices[device].epoch == alarm->epoch)
		alarm_book_seen(&sim->alarms, device, alarm->seq, alarm->position, entry.mono_ns);
}

static void
console_on_resync(struct console *c)
{
	console_write_down(c, LEDGER_RESYNC, c->position);
	c->in_snapshot = true;
	c->sim->tally.resyncs++;
}

static void
console_on_snapshot_end(struct console *c, uint64_t position)
{
	console_write_down(c, LEDGER_SNAPSHOT_END, position);
	c->in_snapshot = false; /* what follows happens now */
	c->subscribed = true;
	c->position = position;
}

static void
console_on_message(struct peer *peer, const uint8_t *payload, size_t n)
{
	struct console *c = CONTAINER_OF(peer, struct console, peer);
	Gatehouse__V1__ToConsole *message = gatehouse__v1__to_console__unpack(NULL, n, payload);

	if (message == NULL) {
		peer_close(peer, "the server's message can't be decoded");
		return;
	}
	switch (message->message_case) {
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_WELCOME:
		console_on_welcome(c, message->welcome);
		break;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ALARM:
		console_on_alarm(c, message->alarm);
		break;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_RESYNC:
		console_on_resync(c);
		break;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_SNAPSHOT_END:
		console_on_snapshot_end(c, message->snapshot_end->position);
		break;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_ACTION_RESULT:
		console_on_result(c, message->action_result);
		break;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_GOAWAY:
		peer_goaway(peer, message->goaway);
		break;
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE_KEEP_ALIVE: /* was heard, that's all */
	case GATEHOUSE__V1__TO_CONSOLE__MESSAGE__NOT_SET:
	case _GATEHOUSE__V1__TO_CONSOLE__MESSAGE__CASE_IS_INT_SIZE:
		break;
	}
	gatehouse__v1__to_console__free_unpacked(message, NULL);
}

static void
console_on_drained(struct peer *peer)
{
	(void)peer; /* a console says little */
}

static void
console_on_down(struct peer *peer)
{
	CONTAINER_OF(peer, struct console, peer)->in_snapshot = false;
}

static const struct peer_hooks console_peer_hooks = {
	.on_open = console_say_hello,
	.on_message = console_on_message,
	.on_drained = console_on_drained,
	.on_down = console_on_down,
};

static void
console_send_keep_alive(struct peer *peer)
{
	Gatehouse__V1__FromConsole message = GATEHOUSE__V1__FROM_CONSOLE__INIT;
	Gatehouse__V1__KeepAlive keep_alive = GATEHOUSE__V1__KEEP_ALIVE__INIT;

	keep_alive.clock_us = clock_wall_us();
	message.message_case = GATEHOUSE__V1__FROM_CONSOLE__MESSAGE_KEEP_ALIVE;
	message.keep_alive = &keep_alive;
	peer_send(peer, &message.base);
}

void
console_tick(struct console *c, uint64_t now_ms)
{
	struct peer *peer = &c->peer;
	struct in_hand taken;

	while (peer->state == PEER_READY && dispatcher_take(&c->dispatcher, now_ms, &taken))
		console_accept(c, &taken);
	if (peer->state == PEER_GREETING && now_ms - peer->heard_ms > CONSOLE_HELLO_TIMEOUT_MS)
		peer_close(peer, "no welcome came");
	else if (peer->state == PEER_READY &&
		 now_ms - peer->heard_ms > (uint64_t)CONSOLE_SILENCE * c->keepalive_ms)
		peer_close(peer, "the server is silent");
	else if (peer->state == PEER_READY && now_ms - peer->spoke_ms >= c->keepalive_ms / 2)
		console_send_keep_alive(peer);
}
