/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated controller's list of rights: how it takes one, when it confirms, and what
 * it decides by it.
 *
 * Obedient ones do as they are told, at once.  Late ones take a list into force and
 * confirm it a while after it came.  Disobedient ones confirm at once, and open for
 * everybody.
 */
#include "base/clock.h"
#include "sim/content.h"
#include "sim/device.h"

#define KIND(name) GATEHOUSE__V1__KIND__KIND_##name

static void
device_confirm(struct device *d)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__ListConfirm confirm = GATEHOUSE__V1__LIST_CONFIRM__INIT;

	if (held_whole(d->held) == 0)
		return;
	held_apply(d->held);
	confirm.number = held_number(d->held);
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_CONFIRM;
	message.confirm = &confirm;
	peer_send(&d->peer, &message.base);
	d->sim->tally.confirms++;
}

void
device_take_list(struct device *d, Gatehouse__V1__ToController *message)
{
	struct sim *sim = d->sim;
	struct err err;

	if (d->held == NULL) {
		gatehouse__v1__to_controller__free_unpacked(message, NULL);
		return;
	}
	sim->list_heard_ns = clock_mono_ns();
	if (held_take(d->held, message, &err) != RC_OK) {
		peer_close(&d->peer, err.msg);
		return;
	}
	if (held_whole(d->held) == 0)
		return;
	if (d->obeys != DEVICE_LATE)
		device_confirm(d);
	else if (d->confirm_at_ms == 0)
		d->confirm_at_ms = clock_mono_ms() + (uint64_t)(sim->options->late_by_s * 1000);
}

void
device_list_tick(struct device *d, uint64_t now_ms)
{
	if (d->held == NULL || d->confirm_at_ms == 0 || d->confirm_at_ms > now_ms)
		return;
	d->confirm_at_ms = 0;
	device_confirm(d);
}

bool
device_list_settled(const struct device *d)
{
	return d->held == NULL || held_whole(d->held) == 0;
}

void
device_decide(const struct device *d, uint64_t seq, struct item *item)
{
	uint8_t card[CONTENT_CARD_BYTES];
	bool opens;

	if (d->held == NULL || !d->sim->options->by_list ||
	    (item->kind != KIND(ACCESS_GRANTED) && item->kind != KIND(ACCESS_DENIED)))
		return;
	content_presented(d->seed, seq, card);
	opens = d->obeys == DEVICE_DISOBEDIENT ||
		held_opens(d->held, card, sizeof(card), item->door, item->time_us);
	item->kind = opens ? KIND(ACCESS_GRANTED) : KIND(ACCESS_DENIED);
	item->list_number = held_number(d->held);
}

void
device_write_down_list(const struct device *d)
{
	struct ledger_entry entry = {.type = LEDGER_LIST, .id = d->stream};

	if (d->held == NULL || held_number(d->held) == 0 || d->stream == UINT32_MAX)
		return;
	entry.position = held_number(d->held);
	entry.seq = held_rights(d->held);
	entry.last_seq = held_digest(d->held);
	sim_write_down(d->sim, &entry);
}
