/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A controller's side of the contract: hello and welcome, records within the
 * window, acks, what to send again, and alarms ahead of a queue.
 *
 * Invariant: acked <= sent <= waiting.last, and sent - max(acked, resumed) is at
 * most the window.  Only seqs above sent_ever are new to the ledger.
 *
 * Nothing is numbered for good before the first welcome: when the server knows
 * more of the epoch than we do, what waits is numbered behind it.
 *
 * Deliberately never forgets an unacknowledged record, and never loses its
 * counter: those controllers come later.
 */
#include "sim/device.h"

#include <stdlib.h>

#include "base/clock.h"
#include "sim/content.h"
#include "wire/frame.h"

enum {
	DEVICE_RECORD_MAX = 512,     /* a framed record: site and group of 64, card, numbers */
	DEVICE_HELLO_DOORS_MAX = 32, /* more might not fit into 4096 bytes; then none are said */
	DEVICE_HELLO_TIMEOUT_MS = 20000,   /* twice what the server gives us */
	DEVICE_BACKLOG_SPAN_S = 12 * 3600, /* a backlog lies within the last half day */
};

static const struct peer_hooks device_peer_hooks;

static void
device_init_desk(struct device *d, const struct enrolment *e, uint32_t desk)
{
	d->is_desk = true;
	d->registering = (struct registering_desk){.desk = desk,
						   .n_desks = (uint32_t)d->sim->offices.n,
						   .site = e->sites[0],
						   .group = d->sim->grant_group};
}

static void
device_init_list(struct device *d, const struct enrolment *e)
{
	const struct run_options *o = d->sim->options;
	struct err err;

	/* the key was looked at when the folder was read */
	if (e->site_key != NULL)
		must(held_new(&d->held, e->site_key, &err) == RC_OK);
	if (d->number < (uint32_t)o->late)
		d->obeys = DEVICE_LATE;
	else if (d->number < (uint32_t)(o->late + o->disobedient))
		d->obeys = DEVICE_DISOBEDIENT;
}

void
device_init(struct device *d, struct sim *sim, uint32_t number)
{
	uint32_t desk = number - (uint32_t)sim->fleet.n;
	const struct enrolment *e =
		number < sim->fleet.n ? &sim->fleet.items[number] : &sim->offices.items[desk];
	struct past *past = history_of(&sim->history, e->name);

	*d = (struct device){.sim = sim, .number = number, .stream = UINT32_MAX};
	d->seed = content_seed(e->name);
	d->epoch = (uint64_t)sim->options->epoch;
	waiting_init(&d->waiting, 0);
	/* another epoch on the command line means that the counter was lost, and with
	 * it what waited */
	if (past != NULL && (!sim->options->epoch_given || past->epoch == d->epoch)) {
		d->epoch = past->epoch;
		d->waiting = past->waiting;
		waiting_init(&past->waiting, 0); /* taken */
	}
	d->sent_ever = d->waiting.last;
	if (number >= sim->fleet.n)
		device_init_desk(d, e, desk);
	else
		device_init_list(d, e);
	peer_init(&d->peer, &sim->peers, e, &device_peer_hooks, number);
}

void
device_fini(struct device *d)
{
	peer_fini(&d->peer);
	waiting_fini(&d->waiting);
	held_free(&d->held);
}

uint64_t
device_waiting(const struct device *d)
{
	return d->waiting.last - d->waiting.acked;
}

/* ---- What is sent ------------------------------------------------------------------ */

/* Highest seq that may be sent now.  What the server had before it welcomed us
 * takes no place in the window: its ack may come together with the next one, and
 * both sides would wait for each other. */
static uint64_t
device_limit(const struct device *d)
{
	uint64_t from = d->resumed > d->waiting.acked ? d->resumed : d->waiting.acked;
	uint64_t limit = from + d->window;

	return limit < d->waiting.last ? limit : d->waiting.last;
}

void
device_mark_dirty(struct device *d)
{
	struct sim *sim = d->sim;

	if (d->dirty || d->peer.state != PEER_READY || d->sent >= device_limit(d))
		return;
	d->dirty = true;
	d->next_dirty = NULL;
	if (sim->dirty_last != NULL)
		sim->dirty_last->next_dirty = d;
	else
		sim->dirty_first = d;
	sim->dirty_last = d;
}

/* The n-th record of the stock. */
static void
device_stock_item(const struct device *d, uint64_t n, uint64_t seq, struct item *item)
{
	const struct sim *sim = d->sim;

	*item = (struct item){0};
	if (d->number < sim->n_replaying) {
		uint32_t row = replay_row(&sim->replay, d->number, (size_t)n);

		item->time_us = replay_time_us(&sim->replay, row);
		item->kind = GATEHOUSE__V1__KIND__KIND_ACCESS_GRANTED;
		item->door = replay_door_of(&sim->replay, row);
		item->row = row + 1;
	} else {
		int64_t step_us = DEVICE_BACKLOG_SPAN_S * 1000000LL / (int64_t)d->stock;

		if (step_us > 1000000) /* a busy door: one a second */
			step_us = 1000000;
		content_make(d->seed, d->peer.enrolment, seq, item);
		item->time_us = sim->begun_us - (int64_t)(d->stock - n) * step_us;
	}
}

static void
device_item(const struct device *d, uint64_t seq, struct item *item)
{
	uint64_t n = 0;
	enum waiting_kind kind = waiting_get(&d->waiting, seq, item, &n);

	must(kind != WAITING_NONE);
	if (kind == WAITING_STOCK)
		device_stock_item(d, n, seq, item);
	if (d->is_desk) /* whatever number it had before the first welcome */
		item->kind = registering_kind(seq);
}

/* Writes a framed message with the record; returns the place behind.  The caller
 * has room for DEVICE_RECORD_MAX. */
static uint8_t *
device_put_record(const struct device *d, uint64_t seq, bool ahead, uint8_t *out)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Record record;
	struct registering registering;
	uint8_t card[CONTENT_CARD_BYTES];
	struct item item;
	size_t len;

	device_item(d, seq, &item);
	message.message_case = ahead ? GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_AHEAD
				     : GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	/* a union: serves both cases */
	if (d->is_desk) {
		registering_fill(&d->registering, seq, item.time_us, &registering);
		message.record = &registering.record;
	} else {
		content_fill(d->seed, seq, &item, &d->sim->log, card, &record);
		message.record = &record;
	}
	if (item.list_number != 0)
		message.record->list_number = item.list_number;
	len = gatehouse__v1__from_controller__get_packed_size(&message);
	must(len + FRAME_HEADER_MAX <= DEVICE_RECORD_MAX);
	out = frame_put_header(out, len);
	return out + gatehouse__v1__from_controller__pack(&message, out);
}

static void
device_write_down_alarm(struct device *d, uint64_t seq, uint64_t now_ns)
{
	const struct ledger_entry entry = {
		.type = LEDGER_ALARM_SENT, .id = d->stream, .seq = seq, .mono_ns = now_ns};

	if (alarm_book_sent(&d->sim->alarms, d->number, seq, now_ns))
		sim_write_down(d->sim, &entry);
}

/* What went out, up to seq, into the ledger and the tally. */
static void
device_write_down_sent(struct device *d, uint64_t seq)
{
	uint64_t now_ns = clock_mono_ns();

	while (d->sent < seq) {
		struct ledger_entry entry = {.type = LEDGER_SENT, .id = d->stream};
		struct item item;

		if (++d->sent <= d->sent_ever) {
			d->sim->tally.resent++;
			continue;
		}
		device_item(d, d->sent, &item);
		entry.seq = d->sent_ever = d->sent;
		entry.wall_us = item.time_us;
		entry.kind = item.kind;
		entry.door = item.door;
		entry.row = item.row;
		sim_write_down(d->sim, &entry);
		d->sim->tally.sent++;
		if (content_raises_alarm(item.kind))
			device_write_down_alarm(d, d->sent, now_ns);
	}
}

bool
device_flush(struct device *d)
{
	struct sim *sim = d->sim;
	uint8_t *out = sim->scratch, *end = out + SIM_SCRATCH_BYTES - DEVICE_RECORD_MAX;
	uint64_t seq = d->sent, limit, per = (uint64_t)sim->options->per_tls_record;

	/* first the bytes, then the ledger: what the stream refused was not sent */
	if (d->peer.state != PEER_READY)
		return false;
	limit = device_limit(d);
	if (per > 0 && limit > seq + per)
		limit = seq + per;
	while (seq < limit && out < end)
		out = device_put_record(d, ++seq, false, out);
	if (out == sim->scratch)
		return false;
	/* a full output buffer: on_drained comes */
	if (peer_write(&d->peer, sim->scratch, (size_t)(out - sim->scratch)) != RC_OK)
		return false;
	device_write_down_sent(d, seq);
	return d->sent < device_limit(d);
}

/* An alarm that the window holds back goes ahead of what waits before it. */
static void
device_send_ahead(struct device *d, uint64_t seq)
{
	uint8_t frame[DEVICE_RECORD_MAX];
	uint8_t *end = device_put_record(d, seq, true, frame);

	if (peer_write(&d->peer, frame, (size_t)(end - frame)) != RC_OK)
		return; /* it goes with the next connection, or in its turn */
	d->sim->tally.ahead++;
	device_write_down_alarm(d, seq, clock_mono_ns());
}

void
device_add(struct device *d, const struct item *item)
{
	uint64_t seq = waiting_push(&d->waiting, item);

	if (content_raises_alarm(item->kind) && d->peer.state == PEER_READY &&
	    seq > device_limit(d))
		device_send_ahead(d, seq);
	device_mark_dirty(d);
}

void
device_add_made(struct device *d, int64_t now_us)
{
	struct item item = {.time_us = now_us};

	content_make(d->seed, d->peer.enrolment, d->waiting.last + 1, &item);
	device_decide(d, d->waiting.last + 1, &item);
	device_add(d, &item);
}

void
device_add_registration(struct device *d, int64_t now_us)
{
	const struct item item = {.time_us = now_us, .kind = registering_kind(d->waiting.last + 1)};

	device_add(d, &item);
}

void
device_stock(struct device *d, uint64_t n)
{
	d->stock = n;
	waiting_push_stock(&d->waiting, n);
	device_mark_dirty(d);
}

/* ---- The conversation ----------------------------------------------------------------- */

static void
device_say_hello(struct peer *peer)
{
	struct device *d = CONTAINER_OF(peer, struct device, peer);
	const struct enrolment *e = peer->enrolment;
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Hello hello;
	Gatehouse__V1__Door doors[DEVICE_HELLO_DOORS_MAX], *list[DEVICE_HELLO_DOORS_MAX];
	char firmware[] = "gatehouse-sim";

	gatehouse__v1__hello__init(&hello);
	hello.protocol = 1;
	hello.epoch = d->epoch;
	hello.acked_seq = d->waiting.acked;
	hello.clock_us = clock_wall_us();
	hello.firmware = firmware;
	hello.list_number = d->held != NULL ? held_number(d->held) : 0;
	for (size_t i = 0; i < e->n_doors && e->n_doors <= DEVICE_HELLO_DOORS_MAX; i++) {
		gatehouse__v1__door__init(&doors[i]);
		doors[i].number = e->doors[i].number;
		doors[i].code = e->doors[i].code;
		list[hello.n_doors++] = &doors[i];
	}
	hello.doors = list;
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	message.hello = &hello;
	peer_send(peer, &message.base);
}

static void
device_begin_stream(struct device *d)
{
	struct ledger_entry entry = {.type = LEDGER_STREAM, .epoch = d->epoch};

	d->stream = entry.id = d->sim->ledger_streams++;
	for (size_t i = 0; d->peer.enrolment->name[i] != '\0'; i++)
		entry.name[i] = d->peer.enrolment->name[i];
	sim_write_down(d->sim, &entry);
}

static void
device_send_lost(struct device *d, uint64_t from, uint64_t to)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Lost lost = GATEHOUSE__V1__LOST__INIT;
	const struct ledger_entry entry = {
		.type = LEDGER_LOST, .id = d->stream, .seq = from, .last_seq = to};

	lost.from_seq = from;
	lost.to_seq = to;
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_LOST;
	message.lost = &lost;
	peer_send(&d->peer, &message.base);
	sim_write_down(d->sim, &entry);
	d->sim->tally.lost_told += to - from + 1;
}

/* Alarms that wait behind more than the window go out at once. */
static void
device_send_all_ahead(struct device *d)
{
	uint64_t seq = device_limit(d) + 1;

	while (seq <= d->waiting.last && d->peer.state == PEER_READY) {
		struct item item;
		uint64_t n;

		if (waiting_get(&d->waiting, seq, &item, &n) == WAITING_STOCK)
			seq = d->waiting.stock_last; /* no alarms in there */
		else if (content_raises_alarm(item.kind))
			device_send_ahead(d, seq);
		seq++;
	}
}

/* Takes the epoch and the place from which the server wants to go on. */
static void
device_resume(struct device *d, uint64_t epoch, uint64_t after)
{
	/* nothing of what waits behind sent_ever was ever sent, so it may get other
	 * numbers; what the server has and we don't know of stays the server's */
	if (epoch != d->epoch || after > d->sent_ever) {
		waiting_ack(&d->waiting, d->sent_ever);
		waiting_renumber(&d->waiting, after);
		d->sent_ever = after;
	}
	if (epoch != d->epoch || d->stream == UINT32_MAX) {
		d->epoch = epoch;
		device_begin_stream(d);
	}
	d->sent = after;
	d->resumed = after;
}

static void
device_on_welcome(struct device *d, const Gatehouse__V1__Welcome *welcome)
{
	uint32_t window = (uint32_t)d->sim->options->window;

	if (d->peer.state != PEER_GREETING || welcome->window == 0) {
		peer_close(&d->peer, "the server's welcome is not one");
		return;
	}
	peer_set_ready(&d->peer);
	d->window = window > 0 && window < welcome->window ? window : welcome->window;
	d->heartbeat_ms = welcome->heartbeat_s * 1000;
	d->lease_ms = welcome->lease_s * 1000;
	device_resume(d, welcome->epoch, welcome->resume_after);
	if (d->sent < d->waiting.acked) { /* the server lost what we don't have any more */
		device_send_lost(d, d->sent + 1, d->waiting.acked);
		d->sent = d->waiting.acked;
	}
	device_send_all_ahead(d);
	device_mark_dirty(d);
}

static void
device_on_ack(struct device *d, uint64_t seq)
{
	const struct ledger_entry entry = {.type = LEDGER_ACK, .id = d->stream, .seq = seq};

	if (seq > d->sent) {
		peer_close(&d->peer, "the server acknowledges what was not sent");
		return;
	}
	if (seq <= d->waiting.acked) /* acks may be repeated */
		return;
	sim_write_down(d->sim, &entry);
	d->sim->tally.acked += seq - d->waiting.acked;
	waiting_ack(&d->waiting, seq);
	device_mark_dirty(d);
}

static void
device_on_reject(struct device *d, const Gatehouse__V1__Reject *reject)
{
	const struct ledger_entry entry = {.type = LEDGER_REJECT,
					   .id = d->stream,
					   .seq = reject->seq,
					   .kind = (uint16_t)reject->reason};

	/* it is covered by an ack as all others: nothing else to forget */
	sim_write_down(d->sim, &entry);
	d->sim->tally.rejected++;
}

static void
device_on_resend(struct device *d, uint64_t from)
{
	d->sim->tally.resends++;
	if (from == 0 || from > d->sent)
		return;                 /* it is on its way */
	if (from <= d->waiting.acked) { /* acknowledged, and asked for: it lost its disk */
		device_send_lost(d, from, d->waiting.acked);
		from = d->waiting.acked + 1;
	}
	d->sent = from - 1;
	device_mark_dirty(d);
}

static void
device_on_message(struct peer *peer, const uint8_t *payload, size_t n)
{
	struct device *d = CONTAINER_OF(peer, struct device, peer);
	Gatehouse__V1__ToController *message =
		gatehouse__v1__to_controller__unpack(NULL, n, payload);

	if (message == NULL) {
		peer_close(peer, "the server's message can't be decoded");
		return;
	}
	if (peer->state != PEER_READY &&
	    message->message_case != GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME &&
	    message->message_case != GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY) {
		peer_close(peer, "the server speaks before its welcome");
		goto out;
	}
	switch (message->message_case) {
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN:
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE:
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_END:
		device_take_list(d, message);
		return; /* it has the memory */
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME:
		device_on_welcome(d, message->welcome);
		break;
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK:
		device_on_ack(d, message->ack->seq);
		break;
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_REJECT:
		device_on_reject(d, message->reject);
		break;
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_RESEND:
		device_on_resend(d, message->resend->from_seq);
		break;
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY:
		peer_goaway(peer, message->goaway);
		break;
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_HEARTBEAT_REPLY: /* was heard, that's all */
	case GATEHOUSE__V1__TO_CONTROLLER__MESSAGE__NOT_SET:
	case _GATEHOUSE__V1__TO_CONTROLLER__MESSAGE__CASE_IS_INT_SIZE:
		break;
	}
out:
	gatehouse__v1__to_controller__free_unpacked(message, NULL);
}

static void
device_on_drained(struct peer *peer)
{
	device_mark_dirty(CONTAINER_OF(peer, struct device, peer));
}

static void
device_on_down(struct peer *peer)
{
	struct device *d = CONTAINER_OF(peer, struct device, peer);

	if (d->held != NULL)
		held_forget_coming(d->held);
	d->confirm_at_ms = 0;
	/* the next welcome says where to go on */
	d->sent = d->resumed = d->waiting.acked;
}

static const struct peer_hooks device_peer_hooks = {
	.on_open = device_say_hello,
	.on_message = device_on_message,
	.on_drained = device_on_drained,
	.on_down = device_on_down,
};

static void
device_send_heartbeat(struct device *d)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Heartbeat heartbeat = GATEHOUSE__V1__HEARTBEAT__INIT;
	uint64_t unsent = d->waiting.last - d->sent;

	heartbeat.clock_us = clock_wall_us();
	heartbeat.records_waiting = unsent < UINT32_MAX ? (uint32_t)unsent : UINT32_MAX;
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HEARTBEAT;
	message.heartbeat = &heartbeat;
	peer_send(&d->peer, &message.base);
	d->sim->tally.heartbeats++;
}

void
device_tick(struct device *d, uint64_t now_ms)
{
	struct peer *peer = &d->peer;

	device_list_tick(d, now_ms);
	if (peer->state == PEER_GREETING && now_ms - peer->heard_ms > DEVICE_HELLO_TIMEOUT_MS)
		peer_close(peer, "no welcome came");
	else if (peer->state == PEER_READY && now_ms - peer->heard_ms > d->lease_ms)
		peer_close(peer, "the server is silent");
	else if (peer->state == PEER_READY && now_ms - peer->spoke_ms >= d->heartbeat_ms)
		device_send_heartbeat(d);
}
