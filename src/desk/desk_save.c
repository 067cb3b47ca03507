/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desk as bytes, for the checkpoint, and back.  Little endian:
 *
 *	 0 magic u32		 4 version u32
 *	 8 next u64		16 gone_position u64
 *	24 n_changes u32	28 n_alarms u32		32 n_ahead u32
 *	36 changes, oldest first:		len u16, alarm_change_encode()
 *	   alarms in order of raising:		newest_epoch i64, newest_seq u64,
 *						raise_us i64, acted_us i64,
 *						acted_change u32, len u16, acted_by,
 *						len u16, alarm_change_encode()
 *	   ahead, oldest first:			epoch i64, seq u64, controller_id u32
 *
 * Loading believes nothing: the bytes are a cache of what the journal says, and
 * a desk that can't be loaded is empty, to be filled by a longer replay.  The
 * limits may have changed since: of changes the newest are kept, of alarms all.
 *
 * Checksums are the checkpoint's affair.  Owner: the desk's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "desk_priv.h"

enum {
	SAVE_MAGIC = 0x4b534544, /* "DESK" */
	SAVE_VERSION = 2,
	SAVE_FIXED_BYTES = 36,
	SAVE_LEN_BYTES = 2,
	SAVE_ALARM_BYTES = 38, /* beside acted_by and the change */
	SAVE_AHEAD_BYTES = 20,
};

/* ---- Saving ---------------------------------------------------------------------------- */

static size_t
acted_by_len(const struct alarm *alarm)
{
	return alarm->acted_by != NULL ? strlen(alarm->acted_by) : 0;
}

static size_t
desk_saved_len(const struct desk *desk)
{
	size_t n = SAVE_FIXED_BYTES + desk->ahead.n * SAVE_AHEAD_BYTES;
	const struct alarm *alarm;

	for (uint64_t number = desk->oldest; number < desk->next; number++)
		n += SAVE_LEN_BYTES + alarm_change_encoded_len(desk_change(desk, number));
	for (alarm = TAILQ_FIRST(&desk->raised); alarm != NULL;
	     alarm = TAILQ_NEXT(alarm, in_raised))
		n += SAVE_ALARM_BYTES + acted_by_len(alarm) + SAVE_LEN_BYTES +
		     alarm_change_encoded_len(&alarm->now);
	return n;
}

static uint8_t *
change_save(const struct alarm_change *change, uint8_t *out)
{
	out = le_put16(out, (uint16_t)alarm_change_encoded_len(change));
	return alarm_change_encode(change, out);
}

static uint8_t *
alarm_save(const struct alarm *alarm, uint8_t *out)
{
	size_t n = acted_by_len(alarm);

	out = le_put64(out, (uint64_t)alarm->newest_epoch);
	out = le_put64(out, alarm->newest_seq);
	out = le_put64(out, (uint64_t)alarm->raise_us);
	out = le_put64(out, (uint64_t)alarm->acted_us);
	out = le_put32(out, alarm->acted_change);
	out = le_put16(out, (uint16_t)n);
	if (n > 0)
		memcpy(out, alarm->acted_by, n);
	return change_save(&alarm->now, out + n);
}

static uint8_t *
desk_save_fixed(const struct desk *desk, uint8_t *out)
{
	out = le_put32(out, SAVE_MAGIC);
	out = le_put32(out, SAVE_VERSION);
	out = le_put64(out, desk->next);
	out = le_put64(out, desk->gone_position);
	out = le_put32(out, (uint32_t)(desk->next - desk->oldest));
	out = le_put32(out, (uint32_t)desk_open_count(desk));
	return le_put32(out, (uint32_t)desk->ahead.n);
}

enum rc
desk_save(const struct desk *desk, struct buf *buf)
{
	size_t n = desk_saved_len(desk);
	uint8_t *begin = buf_reserve(buf, n), *out = begin;
	const struct alarm *alarm;
	const struct ahead_one *one;

	if (begin == NULL)
		return RC_AGAIN;
	out = desk_save_fixed(desk, out);
	for (uint64_t number = desk->oldest; number < desk->next; number++)
		out = change_save(desk_change(desk, number), out);
	for (alarm = TAILQ_FIRST(&desk->raised); alarm != NULL;
	     alarm = TAILQ_NEXT(alarm, in_raised))
		out = alarm_save(alarm, out);
	for (one = TAILQ_FIRST(&desk->ahead.order); one != NULL; one = TAILQ_NEXT(one, in_order)) {
		out = le_put64(out, (uint64_t)one->key.epoch);
		out = le_put64(out, one->key.seq);
		out = le_put32(out, (uint32_t)one->key.controller_id);
	}
	must((size_t)(out - begin) == n);
	buf_added(buf, n);
	return RC_OK;
}

/* ---- Loading --------------------------------------------------------------------------- */

/* What is left to be read. */
struct saved {
	const uint8_t *at;
	size_t left;
};

/* NULL when there are not so many bytes. */
static const uint8_t *
saved_take(struct saved *saved, size_t n, struct err *err)
{
	const uint8_t *at = saved->at;

	if (n > saved->left) {
		(void)err_invalid(err, "alarms end %zu bytes too early", n - saved->left);
		return NULL;
	}
	saved->at += n;
	saved->left -= n;
	return at;
}

static enum rc
change_load(struct saved *saved, struct alarm_change *change, struct err *err)
{
	const uint8_t *len = saved_take(saved, SAVE_LEN_BYTES, err);
	const uint8_t *body;

	if (len == NULL)
		return RC_INVALID;
	body = saved_take(saved, le_get16(len), err);
	if (body == NULL)
		return RC_INVALID;
	return alarm_change_decode(body, le_get16(len), change, err);
}

static enum rc
desk_load_ring(struct desk *desk, uint32_t n, struct saved *saved, struct err *err)
{
	struct alarm_change change;

	for (uint32_t i = 0; i < n; i++) {
		if (change_load(saved, &change, err) != RC_OK)
			return RC_INVALID;
		if (change.position <= desk_position(desk))
			return err_invalid(err, "change %u of %u is not behind the one before",
					   i + 1, n);
		(void)desk_keep(desk, &change);
	}
	return RC_OK;
}

/* The states that a tracked alarm can be in; desk.c has no row for another. */
static bool
state_is_tracked(uint8_t state)
{
	return state != 0 && state != ALARM_NORMAL && state < ALARM_STATES;
}

/* NULL and no error where there is none. */
static enum rc
acted_by_load(struct saved *saved, uint16_t n, const char **acted_by, struct err *err)
{
	const uint8_t *at = saved_take(saved, n, err);

	if (at == NULL)
		return RC_INVALID;
	if (n > ALARM_BY_MAX || memchr(at, '\0', n) != NULL)
		return err_invalid(err, "whoever acted on an alarm has no name");
	*acted_by = (const char *)at;
	return RC_OK;
}

/* Its texts are borrowed from the bytes; *acted_by, too, without an end. */
static enum rc
alarm_load(struct saved *saved, struct alarm *alarm, const char **acted_by, size_t *acted_by_n,
	   struct err *err)
{
	const uint8_t *fixed = saved_take(saved, SAVE_ALARM_BYTES, err);

	if (fixed == NULL)
		return RC_INVALID;
	alarm->newest_epoch = (int64_t)le_get64(fixed);
	alarm->newest_seq = le_get64(fixed + 8);
	alarm->raise_us = (int64_t)le_get64(fixed + 16);
	alarm->acted_us = (int64_t)le_get64(fixed + 24);
	alarm->acted_change = le_get32(fixed + 32);
	*acted_by_n = le_get16(fixed + 36);
	if (acted_by_load(saved, (uint16_t)*acted_by_n, acted_by, err) != RC_OK ||
	    change_load(saved, &alarm->now, err) != RC_OK)
		return RC_INVALID;
	if (!state_is_tracked(alarm->now.state))
		return err_invalid(err, "an open alarm is in state %u", alarm->now.state);
	if ((alarm->acted_change != 0) != (*acted_by_n > 0))
		return err_invalid(err, "an open alarm was acted on by nobody");
	alarm->due_at = DUE_NEVER;
	alarm->key = (struct alarm_key){
		.controller_id = alarm->now.controller_id,
		.door_id = alarm->now.door_id,
		.kind = alarm->now.kind,
	};
	return RC_OK;
}

/* Takes what alarm_load() left borrowed. */
static struct alarm *
alarm_new_loaded(const struct alarm *loaded, const char *acted_by, size_t acted_by_n)
{
	struct alarm *alarm = xcalloc(1, sizeof(*alarm));

	*alarm = *loaded;
	alarm->words = change_own_words(&alarm->now);
	if (acted_by_n > 0) {
		alarm->acted_by = xcalloc(1, acted_by_n + 1);
		memcpy(alarm->acted_by, acted_by, acted_by_n);
	}
	return alarm;
}

static enum rc
desk_load_alarms(struct desk *desk, uint32_t n, struct saved *saved, struct err *err)
{
	for (uint32_t i = 0; i < n; i++) {
		struct alarm loaded = {0}, *alarm;
		const char *acted_by = NULL;
		size_t acted_by_n;

		if (alarm_load(saved, &loaded, &acted_by, &acted_by_n, err) != RC_OK)
			return RC_INVALID;
		if (desk_find_alarm(desk, &loaded.key) != NULL ||
		    desk_open_alarm(desk, loaded.now.alarm_id) != NULL)
			return err_invalid(err, "an open alarm is there twice");
		alarm = alarm_new_loaded(&loaded, acted_by, acted_by_n);
		desk_track(desk, alarm);
		due_renew(desk, alarm);
		/* a place in the list, so that the alarm may be freed; not yet the right one */
		if (alarm_is_over(alarm))
			TAILQ_INSERT_TAIL(&desk->over, alarm, in_over);
	}
	return RC_OK;
}

static int
compare_positions(const void *a, const void *b)
{
	const struct alarm *const *x = a, *const *y = b;

	return ((*x)->now.position > (*y)->now.position) -
	       ((*x)->now.position < (*y)->now.position);
}

/* Alarms are saved in order of raising; those that are over have an order of their own. */
static void
desk_sort_over(struct desk *desk)
{
	struct alarm **over = xcalloc(desk_open_count(desk) + 1, sizeof(struct alarm *));
	struct alarm *alarm;
	size_t n = 0;

	while ((alarm = TAILQ_FIRST(&desk->over)) != NULL) {
		TAILQ_REMOVE(&desk->over, alarm, in_over);
		over[n++] = alarm;
	}
	qsort(over, n, sizeof(struct alarm *), compare_positions);
	for (size_t i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&desk->over, over[i], in_over);
	free(over);
}

static enum rc
desk_load_ahead(struct desk *desk, uint32_t n, struct saved *saved, struct err *err)
{
	if (n > AHEAD_MAX)
		return err_invalid(err, "%u records ahead of their turn, at most %d are kept", n,
				   AHEAD_MAX);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *one = saved_take(saved, SAVE_AHEAD_BYTES, err);
		struct ahead_key key;

		if (one == NULL)
			return RC_INVALID;
		key = (struct ahead_key){
			.epoch = (int64_t)le_get64(one),
			.seq = le_get64(one + 8),
			.controller_id = le_get32(one + 16),
		};
		if (ahead_knows(&desk->ahead, &key))
			return err_invalid(err, "a record ahead of its turn is there twice");
		ahead_remember(&desk->ahead, &key);
	}
	return RC_OK;
}

static enum rc
desk_load_parts(struct desk *desk, const uint8_t *fixed, struct saved *saved, struct err *err)
{
	uint64_t next = le_get64(fixed + 8);
	uint32_t n_changes = le_get32(fixed + 24);

	if (next < n_changes)
		return err_invalid(err, "%u changes are there, but only %llu were made", n_changes,
				   (unsigned long long)next);
	desk->oldest = desk->next = next - n_changes;
	desk->gone_position = le_get64(fixed + 16);
	/* the ring keeps at least the newest change, once there was one */
	if (n_changes == 0 && (next > 0 || desk->gone_position > 0))
		return err_invalid(err, "changes were made, but none is there");
	if (desk_load_ring(desk, n_changes, saved, err) != RC_OK ||
	    desk_load_alarms(desk, le_get32(fixed + 28), saved, err) != RC_OK ||
	    desk_load_ahead(desk, le_get32(fixed + 32), saved, err) != RC_OK)
		return RC_INVALID;
	if (saved->left > 0)
		return err_invalid(err, "%zu bytes follow the alarms", saved->left);
	desk_sort_over(desk);
	return RC_OK;
}

enum rc
desk_load(struct desk *desk, const uint8_t *bytes, size_t n, struct err *err)
{
	struct saved saved = {.at = bytes, .left = n};
	const uint8_t *fixed = saved_take(&saved, SAVE_FIXED_BYTES, err);

	must(desk->next == 0 && desk_open_count(desk) == 0);
	if (fixed == NULL)
		return RC_INVALID;
	if (le_get32(fixed) != SAVE_MAGIC)
		return err_invalid(err, "not the alarms of a desk");
	if (le_get32(fixed + 4) != SAVE_VERSION)
		return err_invalid(err, "alarms are in version %u, expected %d",
				   le_get32(fixed + 4), SAVE_VERSION);
	if (desk_load_parts(desk, fixed, &saved, err) != RC_OK) {
		desk_clear(desk);
		return RC_INVALID;
	}
	return RC_OK;
}
