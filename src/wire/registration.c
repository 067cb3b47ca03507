/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registration desk's record: does it make sense by itself?  What needs the
 * register or the rights is for the rules.
 *
 * A field that a kind has no use for is refused and not passed over: whoever sent it
 * meant something by it.
 */
#include "wire/registration.h"

#include <inttypes.h>
#include <string.h>

#include "reported_priv.h"

/* 0 stands for "unchanged" or "open end". */
static bool
time_is_possible(int64_t time_us)
{
	return time_us == 0 || (time_us >= TIME_MIN_US && time_us < TIME_MAX_US);
}

static enum reject
check_window(int64_t from_us, int64_t until_us, const char *what, struct err *err)
{
	if (!time_is_possible(from_us) || !time_is_possible(until_us))
		(void)err_invalid(err, "window in %s is not from 2000 to 2100", what);
	else if (from_us != 0 && until_us != 0 && until_us <= from_us)
		(void)err_invalid(err, "window in %s ends before it begins", what);
	else
		return REJECT_NONE;
	return REJECT_BAD_WINDOW;
}

/* ---- card.* --------------------------------------------------------------- */

static enum reject
take_card_change(const struct arena *arena, const Gatehouse__V1__CardChange *pb,
		 struct registration *ask, struct err *err)
{
	if (!pb_text_ok(arena, pb->unit, RIGHT_TEXT_MAX)) {
		(void)err_invalid(err, "card_change.unit is not a text of at most %d bytes",
				  RIGHT_TEXT_MAX);
		return REJECT_BAD_TEXT;
	}
	if ((unsigned)pb->card_kind > CARD_KIND_STAFF) {
		(void)err_invalid(err, "card_change.card_kind is %d, expected at most %d",
				  (int)pb->card_kind, CARD_KIND_STAFF);
		return REJECT_BAD_DETAIL;
	}
	if (pb->sealed.len > RIGHT_SEALED_MAX) {
		(void)err_invalid(err, "card_change.sealed has %zu bytes, at most %d are allowed",
				  pb->sealed.len, RIGHT_SEALED_MAX);
		return REJECT_BAD_DETAIL;
	}
	ask->card_kind = (uint8_t)pb->card_kind;
	ask->card_from_us = pb->valid_from_us;
	ask->card_until_us = pb->valid_until_us;
	ask->unit = pb->unit;
	ask->sealed = pb->sealed.data;
	ask->sealed_len = pb->sealed.len;
	return check_window(pb->valid_from_us, pb->valid_until_us, "card_change", err);
}

static enum reject
take_card(const struct arena *arena, const Gatehouse__V1__Record *pb, struct registration *ask,
	  struct err *err)
{
	enum reject reject = REJECT_NONE;

	if (pb->grant_change != NULL) {
		(void)err_invalid(err, "grant_change goes with grant.* only");
		return REJECT_BAD_DETAIL;
	}
	if (pb->card_change != NULL)
		reject = take_card_change(arena, pb->card_change, ask, err);
	if (reject != REJECT_NONE)
		return reject;
	if (ask->kind == KIND_CODE_CARD_REGISTERED && ask->card_kind == CARD_KIND_NONE) {
		(void)err_invalid(err, "card_change.card_kind is missing");
		return REJECT_BAD_DETAIL;
	}
	if (ask->kind == KIND_CODE_CARD_EXTENDED && ask->card_from_us == 0 &&
	    ask->card_until_us == 0) {
		(void)err_invalid(err, "card.extended names no time");
		return REJECT_BAD_WINDOW;
	}
	return REJECT_NONE;
}

/* ---- grant.* -------------------------------------------------------------- */

static enum reject
take_doors(const struct arena *arena, const Gatehouse__V1__GrantChange *pb,
	   struct registration *ask, struct err *err)
{
	if (pb->n_doors > RIGHT_DOORS_MAX) {
		(void)err_invalid(err, "grant_change names %zu doors, at most %d are allowed",
				  pb->n_doors, RIGHT_DOORS_MAX);
		return REJECT_BAD_DETAIL;
	}
	for (size_t i = 0; i < pb->n_doors; i++)
		if (pb->doors[i][0] == '\0' || !pb_text_ok(arena, pb->doors[i], RIGHT_TEXT_MAX)) {
			(void)err_invalid(err, "door %zu of grant_change is not a code", i + 1);
			return REJECT_BAD_TEXT;
		}
	if (!pb_text_ok(arena, pb->group, RIGHT_TEXT_MAX)) {
		(void)err_invalid(err, "grant_change.group is not a code");
		return REJECT_BAD_TEXT;
	}
	if (pb->n_doors == 0 && pb->group[0] == '\0') {
		(void)err_invalid(err, "grant_change names neither doors nor a group");
		return REJECT_BAD_DETAIL;
	}
	ask->doors = (const char *const *)pb->doors;
	ask->n_doors = pb->n_doors;
	ask->group = pb->group;
	return REJECT_NONE;
}

static enum reject
take_hours(const Gatehouse__V1__GrantChange *pb, struct registration *ask, struct err *err)
{
	uint32_t behind = 0; /* the first may begin with the week */

	if (pb->n_hours > RIGHT_HOURS_MAX) {
		(void)err_invalid(err,
				  "grant_change has %zu spans of hours, at most %d are allowed",
				  pb->n_hours, RIGHT_HOURS_MAX);
		return REJECT_BAD_WINDOW;
	}
	for (size_t i = 0; i < pb->n_hours; i++) {
		uint32_t from = pb->hours[i]->from_minute, to = pb->hours[i]->to_minute;

		if (from < behind || to <= from || to > WEEK_MINUTES) {
			(void)err_invalid(err,
					  "hours %" PRIu32 " to %" PRIu32
					  " in grant_change: expected "
					  "minutes of the week, ascending, none touching another",
					  from, to);
			return REJECT_BAD_WINDOW;
		}
		ask->hours[i] = (struct right_hours){(uint16_t)from, (uint16_t)to};
		behind = to + 1;
	}
	ask->n_hours = pb->n_hours;
	return REJECT_NONE;
}

static enum reject
take_grant(const struct arena *arena, const Gatehouse__V1__Record *pb, struct registration *ask,
	   struct err *err)
{
	const Gatehouse__V1__GrantChange *change = pb->grant_change;
	enum reject reject;

	if (change == NULL || pb->card_change != NULL) {
		(void)err_invalid(err, "grant.* needs grant_change, and has no card_change");
		return REJECT_BAD_DETAIL;
	}
	if (ask->kind == KIND_CODE_GRANT_SET && change->valid_from_us == 0) {
		(void)err_invalid(err, "grant_change.valid_from_us is missing");
		return REJECT_BAD_WINDOW;
	}
	if (ask->kind == KIND_CODE_GRANT_REMOVED &&
	    (change->valid_until_us != 0 || change->n_hours > 0)) {
		(void)err_invalid(err, "grant.removed has no valid_until_us and no hours");
		return REJECT_BAD_DETAIL;
	}
	ask->valid_from_us = change->valid_from_us;
	ask->valid_until_us = change->valid_until_us;
	reject = check_window(ask->valid_from_us, ask->valid_until_us, "grant_change", err);
	if (reject == REJECT_NONE)
		reject = take_doors(arena, change, ask, err);
	if (reject == REJECT_NONE)
		reject = take_hours(change, ask, err);
	return reject;
}

/* ---- All ------------------------------------------------------------------ */

/* NULL: not a desk's. */
static const struct kind *
desk_kind(const Gatehouse__V1__Record *pb, struct err *err)
{
	const struct kind *kind = kind_get((uint32_t)pb->kind);

	if (kind == NULL)
		(void)err_invalid(err, "kind is %d, which is not in the vocabulary", (int)pb->kind);
	else if ((kind->flags & (KIND_FLAG_CHANGE | KIND_FLAG_GRANT)) == 0)
		(void)err_invalid(err, "%s is not reported by registration desks", kind->name);
	else
		return kind;
	return NULL;
}

/* By its number or by its key, and not by both. */
static enum reject
check_card(const Gatehouse__V1__Record *pb, const struct kind *kind, struct err *err)
{
	if (pb->card_key.len == 0)
		return reported_check_card(pb, kind, err);
	if (pb->card.len == 0 && pb->card_key.len == CARD_KEY_BYTES)
		return REJECT_NONE;
	if (pb->card.len > 0)
		(void)err_invalid(err, "card and card_key are both given");
	else
		(void)err_invalid(err, "card_key has %zu bytes, expected %d", pb->card_key.len,
				  CARD_KEY_BYTES);
	return REJECT_BAD_CARD;
}

static enum reject
check_common(const struct arena *arena, const Gatehouse__V1__Record *pb, const struct kind *kind,
	     struct err *err)
{
	enum reject reject = reported_check_time(pb, err);

	if (reject == REJECT_NONE)
		reject = check_card(pb, kind, err);
	if (reject != REJECT_NONE)
		return reject;
	if (pb->site[0] == '\0' || !pb_text_ok(arena, pb->site, RIGHT_TEXT_MAX)) {
		(void)err_invalid(err, "site is not the code of a site");
		return REJECT_BAD_TEXT;
	}
	if (pb->door != 0 || pb->reason != 0 || pb->raw_code[0] != '\0' ||
	    pb->device_state != NULL || pb->list_number != 0) {
		(void)err_invalid(err,
				  "door, reason, raw_code, device_state and list_number do not go "
				  "with %s from a registration desk",
				  kind->name);
		return REJECT_BAD_DETAIL;
	}
	return REJECT_NONE;
}

enum reject
registration_check(struct arena *arena, const struct reported *reported, struct registration *ask,
		   const char **site, struct err *err)
{
	const Gatehouse__V1__Record *pb = reported_pb(reported);
	const struct kind *kind = desk_kind(pb, err);
	enum reject reject;

	*ask = (struct registration){
		.seq = pb->seq,
		.device_time_us = pb->time_us,
		.card_key = pb->card_key.len == CARD_KEY_BYTES ? pb->card_key.data : NULL,
		.unit = "",
		.group = "",
	};
	if (kind == NULL)
		return REJECT_NOT_YOURS;
	ask->kind = kind->code;
	*site = pb->site;
	reject = check_common(arena, pb, kind, err);
	if (reject != REJECT_NONE)
		return reject;
	return (kind->flags & KIND_FLAG_GRANT) != 0 ? take_grant(arena, pb, ask, err)
						    : take_card(arena, pb, ask, err);
}
