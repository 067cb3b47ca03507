/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desk as bytes, for the checkpoint, and back.  Little endian:
 *
 *	 0 magic u32		 4 version u32
 *	 8 next u64		16 gone_position u64
 *	24 n_changes u32	28 n_alarms u32		32 n_ahead u32
 *	36 n_arrivals u32
 *	40 changes, oldest first:		len u16, alarm_change_encode()
 *	   alarms in order of raising:		newest_epoch i64, newest_seq u64,
 *						raise_us i64, acted_us i64,
 *						acted_change u32, arrived_us i64,
 *						alone_us i64, alarm_id u64 of its group,
 *						counted_us i64, joined u32, worst u8,
 *						len u16 of each of acted_by, and actor
 *						and operator_code of who is owed;
 *						these three;
 *						len u16, alarm_change_encode()
 *	   ahead, oldest first:			epoch i64, seq u64, controller_id u32
 *	   arrivals, longest ago first:		site_id u32, kind u32, newest_us i64,
 *						n u32, and of each, oldest first:
 *						alarm_id u64, at_us i64
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
#include "wire/kind.h"

enum {
	SAVE_MAGIC = 0x4b534544, /* "DESK" */
	SAVE_VERSION = 3,
	SAVE_FIXED_BYTES = 40,
	SAVE_LEN_BYTES = 2,
	SAVE_ALARM_BYTES = 79, /* beside the texts and the change */
	SAVE_AHEAD_BYTES = 20,
	SAVE_ARRIVALS_BYTES = 20, /* beside those that arrived */
	SAVE_ARRIVAL_BYTES = 16,
};

/* ---- Saving ---------------------------------------------------------------------------- */

static size_t
text_len(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

/* The texts of an alarm beside its change. */
enum { SAVE_TEXTS = 3 };

static void
alarm_texts(const struct alarm *alarm, const char *texts[SAVE_TEXTS])
{
	texts[0] = alarm->acted_by;
	texts[1] = alarm->owed != NULL ? alarm->owed->actor : NULL;
	texts[2] = alarm->owed != NULL ? alarm->owed->operator_code : NULL;
}

static size_t
alarm_saved_len(const struct alarm *alarm)
{
	size_t n = SAVE_ALARM_BYTES + SAVE_LEN_BYTES + alarm_change_encoded_len(&alarm->now);
	const char *texts[SAVE_TEXTS];

	alarm_texts(alarm, texts);
	for (size_t i = 0; i < SAVE_TEXTS; i++)
		n += text_len(texts[i]);
	return n;
}

static size_t
desk_saved_len(const struct desk *desk)
{
	size_t n = SAVE_FIXED_BYTES + desk->ahead.n * SAVE_AHEAD_BYTES;
	const struct arrivals *arrivals;
	const struct alarm *alarm;

	for (uint64_t number = desk->oldest; number < desk->next; number++)
		n += SAVE_LEN_BYTES + alarm_change_encoded_len(desk_change(desk, number));
	for (alarm = TAILQ_FIRST(&desk->raised); alarm != NULL;
	     alarm = TAILQ_NEXT(alarm, in_raised))
		n += alarm_saved_len(alarm);
	TAILQ_FOREACH(arrivals, &desk->arrivals.order, in_order)
	n += SAVE_ARRIVALS_BYTES + arrivals->n * SAVE_ARRIVAL_BYTES;
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
	const char *texts[SAVE_TEXTS];

	alarm_texts(alarm, texts);
	out = le_put64(out, (uint64_t)alarm->newest_epoch);
	out = le_put64(out, alarm->newest_seq);
	out = le_put64(out, (uint64_t)alarm->raise_us);
	out = le_put64(out, (uint64_t)alarm->acted_us);
	out = le_put32(out, alarm->acted_change);
	out = le_put64(out, (uint64_t)alarm->arrived_us);
	out = le_put64(out, (uint64_t)alarm->alone_us);
	out = le_put64(out, alarm->group != NULL ? alarm->group->now.alarm_id : 0);
	out = le_put64(out, (uint64_t)alarm->counted_us);
	out = le_put32(out, alarm->joined);
	*out++ = alarm->worst;
	for (size_t i = 0; i < SAVE_TEXTS; i++)
		out = le_put16(out, (uint16_t)text_len(texts[i]));
	for (size_t i = 0; i < SAVE_TEXTS; i++) {
		if (text_len(texts[i]) > 0)
			memcpy(out, texts[i], text_len(texts[i]));
		out += text_len(texts[i]);
	}
	return change_save(&alarm->now, out);
}

static uint8_t *
arrivals_save(const struct arrivals *arrivals, uint8_t *out)
{
	out = le_put32(out, arrivals->key.site_id);
	out = le_put32(out, arrivals->key.kind);
	out = le_put64(out, (uint64_t)arrivals->newest_us);
	out = le_put32(out, (uint32_t)arrivals->n);
	for (size_t i = 0; i < arrivals->n; i++) {
		out = le_put64(out, arrivals->last[i].alarm_id);
		out = le_put64(out, (uint64_t)arrivals->last[i].at_us);
	}
	return out;
}

static size_t
arrivals_count(const struct arrivals_set *set)
{
	return HASH_COUNT(set->by_key);
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
	out = le_put32(out, (uint32_t)desk->ahead.n);
	return le_put32(out, (uint32_t)arrivals_count(&desk->arrivals));
}

enum rc
desk_save(const struct desk *desk, struct buf *buf)
{
	size_t n = desk_saved_len(desk);
	uint8_t *begin = buf_reserve(buf, n), *out = begin;
	const struct alarm *alarm;
	const struct arrivals *arrivals;
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
	TAILQ_FOREACH(arrivals, &desk->arrivals.order, in_order)
	out = arrivals_save(arrivals, out);
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

/* An alarm as it was saved, and what it owns otherwise. */
struct loaded {
	struct alarm alarm; /* its texts are borrowed from the bytes */
	uint64_t group_id;  /* 0: it belongs to none */
	uint16_t lens[SAVE_TEXTS];
	const char *texts[SAVE_TEXTS]; /* borrowed, too, without an end */
};

static enum rc
texts_load(struct saved *saved, struct loaded *loaded, struct err *err)
{
	static const size_t most[SAVE_TEXTS] = {ALARM_BY_MAX, ALARM_NAME_MAX, ALARM_NAME_MAX};

	for (size_t i = 0; i < SAVE_TEXTS; i++) {
		uint16_t n = loaded->lens[i];
		const uint8_t *at = saved_take(saved, n, err);

		if (at == NULL)
			return RC_INVALID;
		if (n > most[i] || memchr(at, '\0', n) != NULL)
			return err_invalid(err, "whoever acted on an alarm has no name");
		loaded->texts[i] = (const char *)at;
	}
	return RC_OK;
}

static void
alarm_load_fixed(struct loaded *loaded, const uint8_t *fixed)
{
	struct alarm *alarm = &loaded->alarm;

	alarm->newest_epoch = (int64_t)le_get64(fixed);
	alarm->newest_seq = le_get64(fixed + 8);
	alarm->raise_us = (int64_t)le_get64(fixed + 16);
	alarm->acted_us = (int64_t)le_get64(fixed + 24);
	alarm->acted_change = le_get32(fixed + 32);
	alarm->arrived_us = (int64_t)le_get64(fixed + 36);
	alarm->alone_us = (int64_t)le_get64(fixed + 44);
	loaded->group_id = le_get64(fixed + 52);
	alarm->counted_us = (int64_t)le_get64(fixed + 60);
	alarm->joined = le_get32(fixed + 68);
	alarm->worst = fixed[72];
	for (size_t i = 0; i < SAVE_TEXTS; i++)
		loaded->lens[i] = le_get16(fixed + 73 + i * SAVE_LEN_BYTES);
}

static enum rc
loaded_check(const struct loaded *loaded, struct err *err)
{
	const struct alarm *alarm = &loaded->alarm;
	const struct kind *kind = kind_get(alarm->now.kind);
	bool is_group = kind != NULL && (kind->flags & KIND_FLAG_GROUP) != 0;

	if (!state_is_tracked(alarm->now.state))
		return err_invalid(err, "an open alarm is in state %u", alarm->now.state);
	if ((alarm->acted_change != 0) != (loaded->lens[0] > 0))
		return err_invalid(err, "an open alarm was acted on by nobody");
	if (alarm->worst > SEVERITY_CRITICAL)
		return err_invalid(err, "an open alarm is of severity %u", alarm->worst);
	if (is_group && (alarm->now.site_id == 0 || loaded->group_id != 0))
		return err_invalid(err, "a group has no site, or is part of another");
	return RC_OK;
}

static enum rc
alarm_load(struct saved *saved, struct loaded *loaded, struct err *err)
{
	const uint8_t *fixed = saved_take(saved, SAVE_ALARM_BYTES, err);
	struct alarm *alarm = &loaded->alarm;
	const struct kind *kind;

	if (fixed == NULL)
		return RC_INVALID;
	alarm_load_fixed(loaded, fixed);
	if (texts_load(saved, loaded, err) != RC_OK ||
	    change_load(saved, &alarm->now, err) != RC_OK || loaded_check(loaded, err) != RC_OK)
		return RC_INVALID;
	alarm->due_at = DUE_NEVER;
	kind = kind_get(alarm->now.kind);
	alarm->key = (struct alarm_key){
		.controller_id = alarm->now.controller_id,
		.door_id = alarm->now.door_id,
		.kind = alarm->now.kind,
		.site_id = kind != NULL && (kind->flags & KIND_FLAG_GROUP) != 0 ? alarm->now.site_id
										: 0,
	};
	return RC_OK;
}

/* Takes what alarm_load() left borrowed. */
static struct alarm *
alarm_new_loaded(const struct loaded *loaded)
{
	struct alarm *alarm = xcalloc(1, sizeof(*alarm));

	*alarm = loaded->alarm;
	alarm->words = change_own_words(&alarm->now);
	if (loaded->lens[0] > 0) {
		alarm->acted_by = xcalloc(1, loaded->lens[0] + (size_t)1);
		memcpy(alarm->acted_by, loaded->texts[0], loaded->lens[0]);
	}
	if (loaded->lens[1] > 0) {
		alarm->owed = xcalloc(1, sizeof(*alarm->owed));
		memcpy(alarm->owed->actor, loaded->texts[1], loaded->lens[1]);
		memcpy(alarm->owed->operator_code, loaded->texts[2], loaded->lens[2]);
	}
	return alarm;
}

/* Members may have been raised before their group: they are joined when all are there. */
static enum rc
desk_load_alarms(struct desk *desk, uint32_t n, uint64_t *group_ids, struct saved *saved,
		 struct err *err)
{
	for (uint32_t i = 0; i < n; i++) {
		struct loaded loaded = {.group_id = 0};
		struct alarm *alarm;

		if (alarm_load(saved, &loaded, err) != RC_OK)
			return RC_INVALID;
		if (desk_find_alarm(desk, &loaded.alarm.key) != NULL ||
		    desk_open_alarm(desk, loaded.alarm.now.alarm_id) != NULL)
			return err_invalid(err, "an open alarm is there twice");
		alarm = alarm_new_loaded(&loaded);
		desk_track(desk, alarm);
		group_ids[i] = loaded.group_id;
		/* a place in the list, so that the alarm may be freed; not yet the right one */
		if (alarm_is_over(alarm))
			TAILQ_INSERT_TAIL(&desk->over, alarm, in_over);
	}
	return RC_OK;
}

/* `group_ids` in order of raising. */
static enum rc
desk_load_members(struct desk *desk, const uint64_t *group_ids, struct err *err)
{
	struct alarm *alarm, *group;

	TAILQ_FOREACH(alarm, &desk->raised, in_raised)
	{
		uint64_t group_id = *group_ids++;

		if (group_id == 0)
			continue;
		HASH_FIND(by_id, desk->by_id, &group_id, sizeof(group_id), group);
		if (group == NULL || group->key.site_id == 0)
			return err_invalid(err,
					   "an open alarm belongs to a group that is not there");
		groups_link(alarm, group);
	}
	return RC_OK;
}

static enum rc
arrivals_load(struct desk *desk, struct saved *saved, struct err *err)
{
	const uint8_t *fixed = saved_take(saved, SAVE_ARRIVALS_BYTES, err);
	uint32_t site_id, kind, n;
	struct arrivals *arrivals;

	if (fixed == NULL)
		return RC_INVALID;
	site_id = le_get32(fixed);
	kind = le_get32(fixed + 4);
	n = le_get32(fixed + 16);
	if (site_id == 0 || (kind != KIND_CODE_ALARM_FLOOD && kind != KIND_CODE_SITE_LOST) ||
	    arrivals_find(&desk->arrivals, site_id, kind) != NULL)
		return err_invalid(err, "alarms of no site arrived, or of one twice");
	/* NULL: the configuration knows no such groups any more */
	arrivals = arrivals_get(desk, site_id, kind);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *one = saved_take(saved, SAVE_ARRIVAL_BYTES, err);

		if (one == NULL)
			return RC_INVALID;
		if (arrivals != NULL)
			arrivals_put(&desk->arrivals, arrivals,
				     &(struct arrival){le_get64(one), (int64_t)le_get64(one + 8)});
	}
	if (arrivals != NULL)
		arrivals->newest_us = (int64_t)le_get64(fixed + 8);
	return RC_OK;
}

static enum rc
desk_load_arrivals(struct desk *desk, uint32_t n, struct saved *saved, struct err *err)
{
	struct alarm *alarm;

	for (uint32_t i = 0; i < n; i++) {
		if (arrivals_load(desk, saved, err) != RC_OK)
			return RC_INVALID;
	}
	/* each where it arrived, if the configuration still knows that */
	TAILQ_FOREACH(alarm, &desk->raised, in_raised)
	{
		struct arrivals *arrivals = arrivals_find(&desk->arrivals, alarm->now.site_id,
							  arrivals_group_kind(alarm->now.kind));

		if (arrivals != NULL && alarm->arrived_us != 0)
			arrivals_link(arrivals, alarm, alarm->arrived_us);
		else
			alarm->arrived_us = 0;
	}
	return RC_OK;
}

static enum rc
desk_load_open(struct desk *desk, uint32_t n, struct saved *saved, struct err *err)
{
	uint64_t *group_ids;
	enum rc rc;

	if (n > saved->left / SAVE_ALARM_BYTES)
		return err_invalid(err, "%u alarms do not fit into %zu bytes", n, saved->left);
	group_ids = xcalloc((size_t)n + 1, sizeof(*group_ids));
	rc = desk_load_alarms(desk, n, group_ids, saved, err);
	if (rc == RC_OK)
		rc = desk_load_members(desk, group_ids, err);
	free(group_ids);
	return rc;
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
	struct alarm *alarm;

	if (next < n_changes)
		return err_invalid(err, "%u changes are there, but only %llu were made", n_changes,
				   (unsigned long long)next);
	desk->oldest = desk->next = next - n_changes;
	desk->gone_position = le_get64(fixed + 16);
	/* the ring keeps at least the newest change, once there was one */
	if (n_changes == 0 && (next > 0 || desk->gone_position > 0))
		return err_invalid(err, "changes were made, but none is there");
	if (desk_load_ring(desk, n_changes, saved, err) != RC_OK ||
	    desk_load_open(desk, le_get32(fixed + 28), saved, err) != RC_OK ||
	    desk_load_ahead(desk, le_get32(fixed + 32), saved, err) != RC_OK ||
	    desk_load_arrivals(desk, le_get32(fixed + 36), saved, err) != RC_OK)
		return RC_INVALID;
	if (saved->left > 0)
		return err_invalid(err, "%zu bytes follow the alarms", saved->left);
	desk_sort_over(desk);
	/* the last, because it follows from all of it */
	TAILQ_FOREACH(alarm, &desk->raised, in_raised)
	due_renew(desk, alarm);
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
