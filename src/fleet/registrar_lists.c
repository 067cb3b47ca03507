/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers: what they are sent, and for which doors.
 *
 * A list is made when there is somebody to take it: what changed while one is on its way
 * goes with the next.  So a controller that doesn't read costs one list and its credit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "registrar_priv.h"
#include "wire/frame.h"

enum {
	LIST_RIGHTS_PER_MESSAGE = 32, /* with hours, a few KiB */
	LIST_BYTES_MAX = 64 * 1024 * 1024,
	LIST_FRAME_MAX = 32 * 1024,
};

/* ---- Subscribers -------------------------------------------------------------- */

static struct subscriber *
subscriber_get(const struct registrar *r, uint32_t controller_id)
{
	struct subscriber *subscriber;

	HASH_FIND(hh, r->subscribers, &controller_id, sizeof(controller_id), subscriber);
	return subscriber;
}

/* NULL: the note is from a session that is not the controller's any more. */
static struct subscriber *
subscriber_of(const struct registrar *r, const struct registrar_note *note)
{
	struct subscriber *subscriber = subscriber_get(r, note->id);

	return subscriber != NULL && subscriber->box == note->box &&
			       subscriber->session == note->session
		       ? subscriber
		       : NULL;
}

static void
subscriber_mark(struct registrar *r, struct subscriber *subscriber)
{
	if (subscriber->dirty)
		return;
	subscriber->dirty = true;
	subscriber->next_dirty = NULL;
	if (r->last_dirty != NULL)
		r->last_dirty->next_dirty = subscriber;
	else
		r->first_dirty = subscriber;
	r->last_dirty = subscriber;
}

void
lists_subscribe(struct registrar *r, const struct registrar_note *note)
{
	struct subscriber *subscriber = subscriber_get(r, note->id);

	if (subscriber == NULL) {
		subscriber = xcalloc(1, sizeof(*subscriber));
		subscriber->controller_id = note->id;
		buf_init(&subscriber->out, LIST_BYTES_MAX);
		HASH_ADD(hh, r->subscribers, controller_id, sizeof(note->id), subscriber);
		counter_add(&r->counters.subscribers, 1);
	}
	subscriber->box = note->box;
	subscriber->session = note->session;
	subscriber->have = note->number;
	subscriber->credit_used = 0;
	buf_clear(&subscriber->out);
	rights_confirm(r->rights, note->id, note->number);
	subscriber_mark(r, subscriber);
}

static void
subscriber_free(struct registrar *r, struct subscriber *subscriber)
{
	HASH_DEL(r->subscribers, subscriber);
	buf_fini(&subscriber->out);
	free(subscriber);
}

/* One that waits to be looked at goes when its turn comes. */
void
lists_unsubscribe(struct registrar *r, const struct registrar_note *note)
{
	struct subscriber *subscriber = subscriber_of(r, note);

	if (subscriber == NULL)
		return;
	counter_set(&r->counters.subscribers, counter_get(&r->counters.subscribers) - 1);
	subscriber->box = NULL;
	if (!subscriber->dirty)
		subscriber_free(r, subscriber);
}

void
lists_sent(struct registrar *r, const struct registrar_note *note)
{
	struct subscriber *subscriber = subscriber_of(r, note);

	if (subscriber == NULL)
		return;
	subscriber->credit_used -=
		note->bytes < subscriber->credit_used ? note->bytes : subscriber->credit_used;
	subscriber_mark(r, subscriber);
}

void
lists_confirm(struct registrar *r, const struct registrar_note *note)
{
	if (subscriber_of(r, note) == NULL)
		return;
	rights_confirm(r->rights, note->id, note->number);
	counter_add(&r->counters.confirms, 1);
}

/* ---- Making a list ------------------------------------------------------------- */

static enum rc
put_changes(struct buf *out, const struct rights_list *list)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < list->n_removed && rc == RC_OK; i += LIST_RIGHTS_PER_MESSAGE) {
		size_t left = list->n_removed - i;

		rc = list_put_change(out, NULL, 0, &list->removed[i],
				     left < LIST_RIGHTS_PER_MESSAGE ? left
								    : LIST_RIGHTS_PER_MESSAGE);
	}
	for (size_t i = 0; i < list->n_put && rc == RC_OK; i += LIST_RIGHTS_PER_MESSAGE) {
		size_t left = list->n_put - i;

		rc = list_put_change(
			out, &list->put[i],
			left < LIST_RIGHTS_PER_MESSAGE ? left : LIST_RIGHTS_PER_MESSAGE, NULL, 0);
	}
	return rc;
}

static enum rc
put_list(struct registrar *r, struct buf *out, const struct rights_list *list)
{
	const struct site *site = r->reg != NULL ? reg_site(r->reg, list->site_id) : NULL;
	/* of a site that went since: its hours are in the zone of the entry all the same */
	bool known = site != NULL && strcmp(site->timezone, list->timezone) == 0;
	struct list_begin begin = {
		.number = list->number,
		.full = list->full,
		.timezone = list->timezone,
		.timezone_posix = known ? zone_posix(site->zone) : "",
		.rights = (uint32_t)list->n_put,
	};
	enum rc rc = list_put_begin(out, &begin);

	if (rc == RC_OK)
		rc = put_changes(out, list);
	if (rc == RC_OK)
		rc = list_put_end(out, list->number);
	return rc;
}

/* True: there is something to send. */
static bool
subscriber_fill(struct registrar *r, struct subscriber *subscriber)
{
	struct rights_list list;
	bool filled;

	if (rights_list_since(r->rights, subscriber->controller_id, subscriber->have,
			      clock_wall_us(), &list) == RC_EOF)
		return false;
	filled = put_list(r, &subscriber->out, &list) == RC_OK;
	if (filled) {
		counter_add(list.full ? &r->counters.lists_full : &r->counters.lists_changes, 1);
		subscriber->have = list.number;
	} else {
		buf_clear(&subscriber->out);
		log_error("rights", "controller id=%u is not sent its list: more than %d MiB",
			  subscriber->controller_id, LIST_BYTES_MAX >> 20);
	}
	rights_list_fini(&list);
	return filled;
}

/* ---- Sending -------------------------------------------------------------------- */

/* Bytes of whole frames at the front, as many as fit into `max`, and one at least. */
static size_t
frames_within(const struct buf *out, size_t max)
{
	size_t n = 0;

	while (n < buf_len(out)) {
		const uint8_t *payload;
		size_t payload_len, used = 0;

		must(frame_parse(buf_front(out) + n, buf_len(out) - n, LIST_FRAME_MAX, &payload,
				 &payload_len, &used) == FRAME_WHOLE);
		if (n > 0 && n + used > max)
			break;
		n += used;
	}
	return n;
}

static void
subscriber_send(struct registrar *r, struct subscriber *subscriber)
{
	size_t credit = r->conf.credit_bytes - subscriber->credit_used;
	size_t n = frames_within(&subscriber->out, credit);
	struct registrar_list *list = xcalloc(1, sizeof(*list) + n);

	list->mail.kind = REGISTRAR_MAIL_LIST;
	list->session = subscriber->session;
	list->controller_id = subscriber->controller_id;
	list->n = n;
	memcpy(list->bytes, buf_front(&subscriber->out), n);
	buf_consume(&subscriber->out, n);
	if (buf_len(&subscriber->out) == 0)
		buf_release(&subscriber->out);
	subscriber->credit_used += n;
	counter_add(&r->counters.list_bytes, n);
	mailbox_post(subscriber->box, &list->mail);
}

/* Until its credit is used up, or there is nothing more. */
static void
subscriber_serve(struct registrar *r, struct subscriber *subscriber)
{
	while (subscriber->credit_used < r->conf.credit_bytes) {
		if (buf_len(&subscriber->out) == 0 && !subscriber_fill(r, subscriber))
			return;
		subscriber_send(r, subscriber);
	}
}

static void
lists_mark_touched(struct registrar *r)
{
	uint32_t ids[64];
	size_t n;

	while ((n = rights_take_touched(r->rights, ids, ARRAY_LEN(ids))) > 0) {
		for (size_t i = 0; i < n; i++) {
			struct subscriber *subscriber = subscriber_get(r, ids[i]);

			if (subscriber != NULL)
				subscriber_mark(r, subscriber);
		}
	}
}

bool
lists_pump(struct registrar *r)
{
	unsigned budget = REGISTRAR_LISTS_PER_TURN;

	lists_mark_touched(r);
	while (r->first_dirty != NULL && budget-- > 0) {
		struct subscriber *subscriber = r->first_dirty;

		r->first_dirty = subscriber->next_dirty;
		if (r->first_dirty == NULL)
			r->last_dirty = NULL;
		subscriber->dirty = false;
		if (subscriber->box == NULL)
			subscriber_free(r, subscriber);
		else
			subscriber_serve(r, subscriber);
	}
	return r->first_dirty != NULL;
}

void
lists_free(struct registrar *r)
{
	while (r->subscribers != NULL)
		subscriber_free(r, r->subscribers);
}

/* ---- Doors ---------------------------------------------------------------------- */

static int
compare_doors(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void
doors_of_controller(const struct controller *controller, struct list_doors *doors)
{
	memset(doors, 0, offsetof(struct list_doors, doors));
	doors->controller_id = controller->id;
	doors->site_id = controller->site_id;
	doors->n_doors =
		controller->n_doors < LIST_DOORS_MAX ? controller->n_doors : LIST_DOORS_MAX;
	if (doors->n_doors == 0)
		return;
	doors->timezone = controller->site->timezone;
	doors->timezone_len = strlen(controller->site->timezone);
	for (size_t i = 0; i < doors->n_doors; i++) {
		doors->doors[i].door_id = controller->doors[i]->id;
		doors->doors[i].number = controller->doors[i]->number;
	}
	qsort(doors->doors, doors->n_doors, sizeof(doors->doors[0]), compare_doors);
}

/* False: no group is free. */
static bool
doors_journal(struct registrar *r, const struct list_doors *doors)
{
	uint8_t *body;

	if (!rights_doors_differ(r->rights, doors))
		return true;
	body = registrar_room(r, ENTRY_DOORS, 0, list_doors_encoded_len(doors));
	if (body == NULL)
		return false;
	(void)list_doors_encode(doors, body);
	return true;
}

struct gone_doors {
	struct registrar *r;
	bool room;
};

/* A controller that the register has no more. */
static void
doors_journal_gone(void *arg, uint32_t controller_id)
{
	struct gone_doors *gone = arg;
	struct list_doors doors = {.controller_id = controller_id};

	if (gone->room && reg_controller(gone->r->reg, controller_id) == NULL)
		gone->room = doors_journal(gone->r, &doors);
}

/* What no group had room for is found again when all is settled. */
void
lists_check_doors(struct registrar *r)
{
	struct gone_doors gone = {r, true};
	const struct controller *const *controllers;
	struct list_doors doors;
	size_t n;

	if (!r->doors_to_check || r->reg == NULL)
		return;
	controllers = reg_controllers(r->reg, &n);
	for (size_t i = 0; i < n && gone.room; i++) {
		doors_of_controller(controllers[i], &doors);
		gone.room = doors_journal(r, &doors);
	}
	rights_each_controller(r->rights, doors_journal_gone, &gone);
	r->doors_to_check = !gone.room;
}
