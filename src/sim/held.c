/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of rights by card key and door, each with its windows; and the queue of list
 * messages before it.
 *
 * Invariant: the table is a function of the lists applied so far, nothing of a list
 * that broke off is in it.
 */
#include "sim/held.h"

#include <glib.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { SITE_KEY_BYTES = 32, WEEK_DAY_MINUTES = 1440, QUEUE_MAX = 1 << 20 };

/* Of a card at a door. */
struct slot_key {
	uint8_t card_key[HELD_KEY_BYTES];
	uint32_t door;
};

struct window {
	struct held_right right;
	struct window *next;
};

struct slot {
	struct slot_key key;
	struct window *windows;
	UT_hash_handle hh;
};

struct held {
	struct hmac_sha256_ctx hmac;
	struct slot *slots;
	size_t n;
	uint64_t number, digest;
	GTimeZone *zone; /* NULL: UTC */
	Gatehouse__V1__ToController **queue;
	size_t n_queue, capacity;
	size_t n_whole, whole_end; /* lists that came whole; one behind the last of them */
};

/* ---- Digests ------------------------------------------------------------------ */

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	/* FNV-1a over eight bytes, then scattered once */
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3u;
	return hash ^ hash >> 29;
}

uint64_t
held_right_digest(const struct held_right *r)
{
	uint64_t hash = 0xcbf29ce484222325u, half;

	for (size_t i = 0; i < HELD_KEY_BYTES; i += sizeof(half)) {
		memcpy(&half, r->card_key + i, sizeof(half));
		hash = mix(hash, half);
	}
	hash = mix(hash, r->door);
	hash = mix(hash, (uint64_t)r->valid_from_us);
	hash = mix(hash, (uint64_t)r->valid_until_us);
	hash = mix(hash, (uint64_t)r->not_before_us);
	hash = mix(hash, r->active);
	for (size_t i = 0; i < r->n_hours; i++)
		hash = mix(hash, (uint64_t)r->from_minute[i] << 16 | r->to_minute[i]);
	return hash;
}

/* ---- The table ------------------------------------------------------------------ */

static struct slot_key
slot_key_of(const uint8_t *card_key, uint32_t door)
{
	struct slot_key key;

	memset(&key, 0, sizeof(key)); /* also what lies between the fields */
	memcpy(key.card_key, card_key, HELD_KEY_BYTES);
	key.door = door;
	return key;
}

static struct slot *
slot_get(const struct held *held, const struct slot_key *key)
{
	struct slot *slot;

	HASH_FIND(hh, held->slots, key, sizeof(*key), slot);
	return slot;
}

static void
held_remove(struct held *held, const uint8_t *card_key, uint32_t door, int64_t valid_from_us)
{
	struct slot_key key = slot_key_of(card_key, door);
	struct slot *slot = slot_get(held, &key);
	struct window **at = slot != NULL ? &slot->windows : NULL, *gone;

	while (at != NULL && *at != NULL && (*at)->right.valid_from_us != valid_from_us)
		at = &(*at)->next;
	if (at == NULL || *at == NULL)
		return;
	gone = *at;
	*at = gone->next;
	held->digest -= held_right_digest(&gone->right);
	held->n--;
	free(gone);
	if (slot->windows == NULL) {
		HASH_DEL(held->slots, slot);
		free(slot);
	}
}

static void
held_put(struct held *held, const struct held_right *right)
{
	struct slot_key key = slot_key_of(right->card_key, right->door);
	struct window *window = xcalloc(1, sizeof(*window));
	struct slot *slot;

	held_remove(held, right->card_key, right->door, right->valid_from_us);
	slot = slot_get(held, &key);
	if (slot == NULL) {
		slot = xcalloc(1, sizeof(*slot));
		slot->key = key;
		HASH_ADD(hh, held->slots, key, sizeof(slot->key), slot);
	}
	window->right = *right;
	window->next = slot->windows;
	slot->windows = window;
	held->digest += held_right_digest(right);
	held->n++;
}

static void
held_clear(struct held *held)
{
	struct slot *slot;

	while ((slot = held->slots) != NULL) {
		while (slot->windows != NULL) {
			struct window *window = slot->windows;

			slot->windows = window->next;
			free(window);
		}
		HASH_DEL(held->slots, slot);
		free(slot);
	}
	held->n = 0;
	held->digest = 0;
}

/* ---- Messages ---------------------------------------------------------------------- */

static bool
right_is_sane(const Gatehouse__V1__Right *pb)
{
	if (pb->card_key.len != HELD_KEY_BYTES || pb->door == 0 || pb->n_hours > HELD_HOURS_MAX)
		return false;
	for (size_t i = 0; i < pb->n_hours; i++)
		if (pb->hours[i]->to_minute > 7 * WEEK_DAY_MINUTES ||
		    pb->hours[i]->from_minute >= pb->hours[i]->to_minute)
			return false;
	return true;
}

static bool
change_is_sane(const Gatehouse__V1__ListChange *change)
{
	for (size_t i = 0; i < change->n_put; i++)
		if (!right_is_sane(change->put[i]))
			return false;
	for (size_t i = 0; i < change->n_remove; i++)
		if (change->remove[i]->card_key.len != HELD_KEY_BYTES)
			return false;
	return true;
}

/* The message has its place: the rest of the queue is whole lists. */
static bool
held_fits(const struct held *held, const Gatehouse__V1__ToController *message)
{
	bool open = held->n_queue > held->whole_end;

	if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN)
		return !open;
	if (!open)
		return false;
	if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE)
		return change_is_sane(message->list_change);
	return message->list_end->number == held->queue[held->whole_end]->list_begin->number;
}

enum rc
held_take(struct held *held, Gatehouse__V1__ToController *message, struct err *err)
{
	if (!held_fits(held, message) || held->n_queue >= QUEUE_MAX) {
		gatehouse__v1__to_controller__free_unpacked(message, NULL);
		return err_invalid(err, "a message of a list that has no place, or makes no sense");
	}
	if (held->n_queue == held->capacity) {
		held->capacity = held->capacity > 0 ? held->capacity * 2 : 16;
		held->queue = xrealloc(held->queue, held->capacity * sizeof(*held->queue));
	}
	held->queue[held->n_queue++] = message;
	if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_END) {
		held->n_whole++;
		held->whole_end = held->n_queue;
	}
	return RC_OK;
}

static void
held_begin(struct held *held, const Gatehouse__V1__ListBegin *begin)
{
	if (begin->full)
		held_clear(held);
	if (begin->timezone[0] == '\0')
		return;
	if (held->zone != NULL)
		g_time_zone_unref(held->zone);
	held->zone = g_time_zone_new_identifier(begin->timezone);
}

static void
held_change(struct held *held, const Gatehouse__V1__ListChange *change)
{
	for (size_t i = 0; i < change->n_remove; i++)
		held_remove(held, change->remove[i]->card_key.data, change->remove[i]->door,
			    change->remove[i]->valid_from_us);
	for (size_t i = 0; i < change->n_put; i++) {
		const Gatehouse__V1__Right *pb = change->put[i];
		struct held_right right = {.door = pb->door,
					   .valid_from_us = pb->valid_from_us,
					   .valid_until_us = pb->valid_until_us,
					   .not_before_us = pb->not_before_us,
					   .active = pb->active,
					   .n_hours = pb->n_hours};

		memcpy(right.card_key, pb->card_key.data, HELD_KEY_BYTES);
		for (size_t k = 0; k < pb->n_hours; k++) {
			right.from_minute[k] = (uint16_t)pb->hours[k]->from_minute;
			right.to_minute[k] = (uint16_t)pb->hours[k]->to_minute;
		}
		held_put(held, &right);
	}
}

void
held_apply(struct held *held)
{
	for (size_t i = 0; i < held->whole_end; i++) {
		Gatehouse__V1__ToController *message = held->queue[i];

		if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_BEGIN)
			held_begin(held, message->list_begin);
		else if (message->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_LIST_CHANGE)
			held_change(held, message->list_change);
		else
			held->number = message->list_end->number;
		gatehouse__v1__to_controller__free_unpacked(message, NULL);
	}
	held->n_queue -= held->whole_end;
	if (held->n_queue > 0)
		memmove(held->queue, held->queue + held->whole_end,
			held->n_queue * sizeof(*held->queue));
	held->whole_end = held->n_whole = 0;
}

void
held_forget_coming(struct held *held)
{
	while (held->n_queue > 0)
		gatehouse__v1__to_controller__free_unpacked(held->queue[--held->n_queue], NULL);
	held->whole_end = held->n_whole = 0;
}

/* ---- Asking -------------------------------------------------------------------------- */

static uint32_t
week_minute(const struct held *held, int64_t time_us)
{
	GDateTime *utc = g_date_time_new_from_unix_utc(time_us / 1000000);
	GDateTime *local = held->zone != NULL ? g_date_time_to_timezone(utc, held->zone)
					      : g_date_time_ref(utc);
	uint32_t minute =
		(uint32_t)((g_date_time_get_day_of_week(local) - 1) * WEEK_DAY_MINUTES +
			   g_date_time_get_hour(local) * 60 + g_date_time_get_minute(local));

	g_date_time_unref(local);
	g_date_time_unref(utc);
	return minute;
}

static bool
right_opens(const struct held *held, const struct held_right *r, int64_t time_us)
{
	uint32_t minute;

	if (!r->active || time_us < r->valid_from_us || time_us < r->not_before_us ||
	    (r->valid_until_us != 0 && time_us >= r->valid_until_us))
		return false;
	if (r->n_hours == 0)
		return true;
	minute = week_minute(held, time_us);
	for (size_t i = 0; i < r->n_hours; i++)
		if (minute >= r->from_minute[i] && minute < r->to_minute[i])
			return true;
	return false;
}

bool
held_opens(const struct held *held, const uint8_t *card, size_t n, uint32_t door, int64_t time_us)
{
	struct hmac_sha256_ctx hmac = held->hmac;
	uint8_t card_key[HELD_KEY_BYTES];
	const struct slot *slot;
	struct slot_key key;

	hmac_sha256_update(&hmac, n, card);
	hmac_sha256_digest(&hmac, sizeof(card_key), card_key);
	key = slot_key_of(card_key, door);
	slot = slot_get(held, &key);
	for (const struct window *w = slot != NULL ? slot->windows : NULL; w != NULL; w = w->next)
		if (right_opens(held, &w->right, time_us))
			return true;
	return false;
}

size_t
held_whole(const struct held *held)
{
	return held->n_whole;
}

uint64_t
held_number(const struct held *held)
{
	return held->number;
}

size_t
held_rights(const struct held *held)
{
	return held->n;
}

uint64_t
held_digest(const struct held *held)
{
	return held->digest;
}

/* ---- Beginning and end --------------------------------------------------------------- */

enum rc
held_new(struct held **out, const char *site_key, struct err *err)
{
	struct base64_decode_ctx decode;
	uint8_t key[BASE64_DECODE_LENGTH(64)];
	size_t n = 0, len = strlen(site_key);
	struct held *held;

	base64_decode_init(&decode);
	if (len > 64 || base64_decode_update(&decode, &n, key, len, site_key) != 1 ||
	    base64_decode_final(&decode) != 1 || n != SITE_KEY_BYTES)
		return err_invalid(err, "\"card_key_site\" is not %d bytes in base64",
				   SITE_KEY_BYTES);
	held = xcalloc(1, sizeof(*held));
	hmac_sha256_set_key(&held->hmac, n, key);
	*out = held;
	return RC_OK;
}

void
held_free(struct held **out)
{
	struct held *held = *out;

	if (held == NULL)
		return;
	*out = NULL;
	held_forget_coming(held);
	held_clear(held);
	free(held->queue);
	if (held->zone != NULL)
		g_time_zone_unref(held->zone);
	free(held);
}
