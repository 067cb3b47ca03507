/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes on their way out.  A change is encoded once for each format, however
 * many get it; subscribers of one mailbox that get the same changes next share
 * one delivery.  With a thousand consoles on four workers, an alarm is thus one
 * encoding and four posts.
 *
 * Frames stay until their slot is needed: a change never changes, its number is
 * never used again, and the names in it come from one register.
 *
 * Owner: the hub.
 */
#include <stdlib.h>
#include <string.h>

#include "hub_priv.h"

_Static_assert((HUB_FRAMES & (HUB_FRAMES - 1)) == 0, "a slot is found by lower bits");
_Static_assert((int)CONSOLE_ANSWER_MAX <= (int)HUB_FRAME_MAX, "frames of the contract fit");

/* ---- Frames ------------------------------------------------------------------------ */

static void
hub_frame_forget(struct hub_frame *frame)
{
	for (size_t i = 0; i < HUB_FORMATS; i++)
		free(frame->as[i].bytes);
	*frame = (struct hub_frame){0};
}

static struct hub_frame *
hub_frame_find(struct hub_sender *sender, uint64_t number)
{
	struct hub_frame *frame = &sender->frames[number & (HUB_FRAMES - 1)];

	if (frame->valid && frame->number == number)
		return frame;
	hub_frame_forget(frame);
	frame->valid = true;
	frame->number = number;
	frame->site = hub_site(sender->reg, desk_change(sender->desk, number));
	return frame;
}

const struct hub_frame *
hub_frame_get(struct hub_sender *sender, uint64_t number)
{
	return hub_frame_find(sender, number);
}

static const struct hub_frame *
hub_frame_encoded(struct hub_sender *sender, uint64_t number, enum hub_format format)
{
	struct hub_frame *frame = hub_frame_find(sender, number);
	size_t n;

	if (frame->as[format].bytes != NULL)
		return frame;
	n = hub_put_change(format, desk_change(sender->desk, number), sender->reg, sender->scratch);
	frame->as[format].bytes = xcalloc(1, n);
	memcpy(frame->as[format].bytes, sender->scratch, n);
	frame->as[format].n = n;
	return frame;
}

size_t
hub_frame_len(struct hub_sender *sender, uint64_t number, enum hub_format format)
{
	return hub_frame_encoded(sender, number, format)->as[format].n;
}

/* ---- Deliveries -------------------------------------------------------------------- */

static struct hub_delivery *
hub_delivery_new(const uint64_t *ids, size_t n_ids, size_t n, uint64_t position)
{
	struct hub_delivery *delivery =
		xcalloc(1, sizeof(*delivery) + n_ids * sizeof(delivery->ids[0]) + n);

	delivery->mail.kind = HUB_MAIL_DELIVERY;
	delivery->position = position;
	delivery->n_ids = n_ids;
	memcpy(delivery->ids, ids, n_ids * sizeof(*ids));
	delivery->bytes = (uint8_t *)&delivery->ids[n_ids];
	delivery->n = n;
	return delivery;
}

void
hub_delivery_free(struct hub_delivery **delivery)
{
	free(*delivery);
	*delivery = NULL;
}

void
hub_send_one(struct mailbox *box, uint64_t id, const uint8_t *bytes, size_t n, uint64_t position)
{
	struct hub_delivery *delivery = hub_delivery_new(&id, 1, n, position);

	memcpy(delivery->bytes, bytes, n);
	mailbox_post(box, &delivery->mail);
}

static bool
hub_batch_is(const struct hub_batch *batch, const struct mailbox *box, enum hub_format format,
	     const struct hub_picked *picked)
{
	return batch->box == box && batch->format == format && batch->n_numbers == picked->n &&
	       memcmp(batch->numbers, picked->numbers, picked->n * sizeof(*picked->numbers)) == 0;
}

static struct hub_batch *
hub_batch_new(struct hub_sender *sender, struct mailbox *box, enum hub_format format,
	      const struct hub_picked *picked)
{
	struct hub_batch *batch;

	if (sender->n_batches == sender->batches_capacity) {
		sender->batches_capacity = sender->batches_capacity * 2 + 8;
		sender->batches = xrealloc(sender->batches,
					   sender->batches_capacity * sizeof(*sender->batches));
	}
	batch = &sender->batches[sender->n_batches++];
	*batch = (struct hub_batch){
		.box = box, .format = format, .n_numbers = picked->n, .n_bytes = picked->bytes};
	batch->numbers = xcalloc(picked->n, sizeof(*batch->numbers));
	memcpy(batch->numbers, picked->numbers, picked->n * sizeof(*batch->numbers));
	return batch;
}

static void
hub_batch_add(struct hub_batch *batch, uint64_t id)
{
	if (batch->n_ids == batch->ids_capacity) {
		batch->ids_capacity = batch->ids_capacity * 2 + 8;
		batch->ids = xrealloc(batch->ids, batch->ids_capacity * sizeof(*batch->ids));
	}
	batch->ids[batch->n_ids++] = id;
}

void
hub_sender_add(struct hub_sender *sender, struct mailbox *box, uint64_t id, enum hub_format format,
	       const struct hub_picked *picked)
{
	struct hub_batch *batch = NULL;

	for (size_t i = 0; i < sender->n_batches && batch == NULL; i++) {
		if (hub_batch_is(&sender->batches[i], box, format, picked))
			batch = &sender->batches[i];
	}
	if (batch == NULL)
		batch = hub_batch_new(sender, box, format, picked);
	hub_batch_add(batch, id);
}

void
hub_sender_offer(const struct hub_sender *sender, enum hub_format format,
		 const struct alarm_change *change)
{
	/* an operator at the server is no dispatcher */
	if (sender->offer != NULL && format == HUB_FORMAT_WIRE)
		sender->offer(sender->offer_arg, change);
}

static void
hub_batch_post(struct hub_sender *sender, const struct hub_batch *batch)
{
	uint64_t last = batch->numbers[batch->n_numbers - 1];
	struct hub_delivery *delivery = hub_delivery_new(batch->ids, batch->n_ids, batch->n_bytes,
							 desk_change(sender->desk, last)->position);
	uint8_t *out = delivery->bytes;

	for (size_t i = 0; i < batch->n_numbers; i++) {
		const struct hub_frame *frame =
			hub_frame_encoded(sender, batch->numbers[i], batch->format);
		size_t n = frame->as[batch->format].n;

		/* the same change and the same register: the same bytes as when counted */
		must(n <= batch->n_bytes - (size_t)(out - delivery->bytes));
		memcpy(out, frame->as[batch->format].bytes, n);
		out += n;
		hub_sender_offer(sender, batch->format,
				 desk_change(sender->desk, batch->numbers[i]));
	}
	must((size_t)(out - delivery->bytes) == batch->n_bytes);
	mailbox_post(batch->box, &delivery->mail);
}

void
hub_sender_flush(struct hub_sender *sender)
{
	for (size_t i = 0; i < sender->n_batches; i++) {
		struct hub_batch *batch = &sender->batches[i];

		hub_batch_post(sender, batch);
		free(batch->numbers);
		free(batch->ids);
	}
	sender->n_batches = 0;
}

/* ---- Beginning and end -------------------------------------------------------------- */

void
hub_sender_init(struct hub_sender *sender, const struct desk *desk)
{
	*sender = (struct hub_sender){.desk = desk};
	sender->frames = xcalloc(HUB_FRAMES, sizeof(*sender->frames));
	sender->scratch = xcalloc(1, HUB_FRAME_MAX);
}

void
hub_sender_set_register(struct hub_sender *sender, const struct reg *reg)
{
	must(sender->n_batches == 0);
	for (size_t i = 0; i < HUB_FRAMES; i++)
		hub_frame_forget(&sender->frames[i]);
	sender->reg = reg;
}

void
hub_sender_fini(struct hub_sender *sender)
{
	hub_sender_set_register(sender, NULL);
	free(sender->frames);
	free(sender->batches);
	free(sender->scratch);
}
