/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the entries about alarms as bytes: changes, actions, and that they
 * were seen.  Built as those of entry.c.
 *
 * Texts are stored with their ends, so that a decoded struct can borrow them.
 */
#include "entry_priv.h"
#include "wire/kind.h"

/*
 * struct alarm_change:
 *	 0 alarm_id u64		 8 position u64		16 change u32
 *	20 count u32		24 controller_id u32	28 site_id u32
 *	32 door_id u32		36 kind u16		38 severity u8
 *	39 state u8		40 silent u8		41 raw_code_len u8
 *	42 device_time_us i64	50 received_us i64	58 durable_us i64
 *	66 raised_us i64	74 cleared_us i64	82 epoch i64
 *	90 seq u64		98 verb u8		99 actor_kind u8
 *	100 reject u8		101 outcome u8		102 stage u8
 *	103 escalation u8	104 latches u8		105 handed_station_id u32
 *	109 group_id u64	117 acted_us i64	125 until_us i64
 *	133 waiting_us i64	141 acknowledged_us i64	149 first_acknowledged_us i64
 *	157 offered_us i64	165 shown_us i64	173 length u16 of each of actor,
 *	operator_code, acknowledged_by, text, with its end
 *	181 raw_code, without end; these four
 */
enum { ALARM_CHANGE_FIXED_BYTES = 181 };

/*
 * struct action:
 *	 0 alarm_id u64		 8 ticket u64		16 seen_change u32
 *	20 verb u8		21 actor_kind u8	22 supervisor u8
 *	23 reject u8		24 outcome u8		25 kind u16
 *	27 site_id u32		31 count u32		35 to_station_id u32
 *	39 when_us i64		47 until_us i64		55 length u16 of each of actor,
 *	operator_code, text, with its end
 *	61 these three
 */
enum { ACTION_FIXED_BYTES = 61 };

/* struct alarm_seen: 0 alarm_id u64	 8 change u32	12 offered_us i64	20 shown_us i64 */

_Static_assert(ALARM_CHANGE_FIXED_BYTES + RAW_CODE_MAX + 2 * (ALARM_NAME_MAX + 1) + ALARM_BY_MAX +
			       1 + ALARM_TEXT_MAX + 1 <=
		       UINT16_MAX,
	       "a change's length is stored in 16 bits");

/* ---- Texts with their ends ------------------------------------------------- */

/* 0 for none: an empty text takes no byte. */
static size_t
text_len(const char *text)
{
	return text == NULL || text[0] == '\0' ? 0 : strlen(text) + 1;
}

static uint8_t *
put_text_len(uint8_t *out, const char *text, size_t max)
{
	must(text_len(text) <= max + 1);
	return le_put16(out, (uint16_t)text_len(text));
}

static uint8_t *
put_text(uint8_t *out, const char *text)
{
	return put_bytes(out, text, text_len(text));
}

/* A text's length as it was read, and what it may be. */
struct text_claim {
	const char *field;
	size_t len, max;
};

static enum rc
check_text_lens(const char *what, const struct text_claim *claims, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (claims[i].len > 0 && check_most(what, claims[i].field, claims[i].len - 1,
						    claims[i].max, err) != RC_OK)
			return RC_INVALID;
	}
	return RC_OK;
}

/* Borrows a text of `len` bytes, of which the end is one, and only that. */
static enum rc
take_text(const char *what, const struct text_claim *claim, const uint8_t **in, const char **text,
	  struct err *err)
{
	const char *at = (const char *)*in;

	*text = NULL;
	*in += claim->len;
	if (claim->len == 0)
		return RC_OK;
	if (claim->len == 1 || memchr(at, '\0', claim->len) != at + claim->len - 1)
		return err_invalid(err, "%s entry has %s that does not end with it", what,
				   claim->field);
	*text = at;
	return RC_OK;
}

/* ---- Changes of alarms ----------------------------------------------------- */

size_t
alarm_change_encoded_len(const struct alarm_change *change)
{
	return ALARM_CHANGE_FIXED_BYTES + strnlen(change->raw_code, sizeof(change->raw_code)) +
	       text_len(change->actor) + text_len(change->operator_code) +
	       text_len(change->acknowledged_by) + text_len(change->text);
}

/* The record's part, and what it did. */
static uint8_t *
alarm_change_put_record(const struct alarm_change *change, size_t raw_code_len, uint8_t *out)
{
	out = le_put64(out, change->alarm_id);
	out = le_put64(out, change->position);
	out = le_put32(out, change->change);
	out = le_put32(out, change->count);
	out = le_put32(out, change->controller_id);
	out = le_put32(out, change->site_id);
	out = le_put32(out, change->door_id);
	out = le_put16(out, change->kind);
	*out++ = change->severity;
	*out++ = change->state;
	*out++ = change->silent;
	*out++ = (uint8_t)raw_code_len;
	out = le_put64(out, (uint64_t)change->device_time_us);
	out = le_put64(out, (uint64_t)change->received_us);
	out = le_put64(out, (uint64_t)change->durable_us);
	out = le_put64(out, (uint64_t)change->raised_us);
	out = le_put64(out, (uint64_t)change->cleared_us);
	out = le_put64(out, (uint64_t)change->epoch);
	return le_put64(out, change->seq);
}

static uint8_t *
alarm_change_put_life(const struct alarm_change *change, uint8_t *out)
{
	*out++ = change->verb;
	*out++ = change->actor_kind;
	*out++ = change->reject;
	*out++ = change->outcome;
	*out++ = change->stage;
	*out++ = change->escalation;
	*out++ = change->latches;
	out = le_put32(out, change->handed_station_id);
	out = le_put64(out, change->group_id);
	out = le_put64(out, (uint64_t)change->acted_us);
	out = le_put64(out, (uint64_t)change->until_us);
	out = le_put64(out, (uint64_t)change->waiting_us);
	out = le_put64(out, (uint64_t)change->acknowledged_us);
	out = le_put64(out, (uint64_t)change->first_acknowledged_us);
	out = le_put64(out, (uint64_t)change->offered_us);
	out = le_put64(out, (uint64_t)change->shown_us);
	out = put_text_len(out, change->actor, ALARM_NAME_MAX);
	out = put_text_len(out, change->operator_code, ALARM_NAME_MAX);
	out = put_text_len(out, change->acknowledged_by, ALARM_BY_MAX);
	return put_text_len(out, change->text, ALARM_TEXT_MAX);
}

uint8_t *
alarm_change_encode(const struct alarm_change *change, uint8_t *out)
{
	size_t raw_code_len = strnlen(change->raw_code, sizeof(change->raw_code));

	must(raw_code_len <= RAW_CODE_MAX);
	out = alarm_change_put_record(change, raw_code_len, out);
	out = alarm_change_put_life(change, out);
	out = put_bytes(out, change->raw_code, raw_code_len);
	out = put_text(out, change->actor);
	out = put_text(out, change->operator_code);
	out = put_text(out, change->acknowledged_by);
	return put_text(out, change->text);
}

/* Returns the length of the raw code, which has no field of its own. */
static size_t
alarm_change_take_record(const uint8_t **in, struct alarm_change *change)
{
	size_t raw_code_len;

	change->alarm_id = take64(in);
	change->position = take64(in);
	change->change = take32(in);
	change->count = take32(in);
	change->controller_id = take32(in);
	change->site_id = take32(in);
	change->door_id = take32(in);
	change->kind = take16(in);
	change->severity = take8(in);
	change->state = take8(in);
	change->silent = take8(in);
	raw_code_len = take8(in);
	change->device_time_us = (int64_t)take64(in);
	change->received_us = (int64_t)take64(in);
	change->durable_us = (int64_t)take64(in);
	change->raised_us = (int64_t)take64(in);
	change->cleared_us = (int64_t)take64(in);
	change->epoch = (int64_t)take64(in);
	change->seq = take64(in);
	return raw_code_len;
}

static void
alarm_change_take_life(const uint8_t **in, struct alarm_change *change)
{
	change->verb = take8(in);
	change->actor_kind = take8(in);
	change->reject = take8(in);
	change->outcome = take8(in);
	change->stage = take8(in);
	change->escalation = take8(in);
	change->latches = take8(in);
	change->handed_station_id = take32(in);
	change->group_id = take64(in);
	change->acted_us = (int64_t)take64(in);
	change->until_us = (int64_t)take64(in);
	change->waiting_us = (int64_t)take64(in);
	change->acknowledged_us = (int64_t)take64(in);
	change->first_acknowledged_us = (int64_t)take64(in);
	change->offered_us = (int64_t)take64(in);
	change->shown_us = (int64_t)take64(in);
}

/* A field that stands for something in a table of those who read it. */
struct number_claim {
	const char *field;
	size_t value, most;
};

static enum rc
check_numbers(const char *what, const struct number_claim *claims, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (check_most(what, claims[i].field, claims[i].value, claims[i].most, err) !=
		    RC_OK)
			return RC_INVALID;
	}
	return RC_OK;
}

static enum rc
alarm_change_check(const struct alarm_change *change, size_t raw_code_len, struct err *err)
{
	const struct number_claim claims[] = {
		{"severity", change->severity, SEVERITY_CRITICAL},
		{"state", change->state, ALARM_STATES - 1},
		{"silent", change->silent, 1},
		{"latches", change->latches, 1},
		{"raw_code_len", raw_code_len, RAW_CODE_MAX},
		{"verb", change->verb, VERBS - 1},
		{"actor_kind", change->actor_kind, ACTOR_KINDS - 1},
		{"reject", change->reject, REJECT_ALARMS - 1},
		{"outcome", change->outcome, OUTCOMES - 1},
		{"stage", change->stage, ALARM_STAGES - 1},
	};

	return check_numbers("alarm", claims, ARRAY_LEN(claims), err);
}

static enum rc
alarm_change_take_texts(const struct text_claim claims[4], const uint8_t *in,
			struct alarm_change *change, struct err *err)
{
	const char **const texts[4] = {&change->actor, &change->operator_code,
				       &change->acknowledged_by, &change->text};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (take_text("alarm", &claims[i], &in, texts[i], err) != RC_OK)
			return RC_INVALID;
	}
	return RC_OK;
}

enum rc
alarm_change_decode(const uint8_t *body, size_t len, struct alarm_change *change, struct err *err)
{
	struct text_claim claims[4] = {{"actor", 0, ALARM_NAME_MAX},
				       {"operator_code", 0, ALARM_NAME_MAX},
				       {"acknowledged_by", 0, ALARM_BY_MAX},
				       {"text", 0, ALARM_TEXT_MAX}};
	const uint8_t *in = body;
	size_t raw_code_len, whole;

	if (check_fixed("alarm", len, ALARM_CHANGE_FIXED_BYTES, err) != RC_OK)
		return RC_INVALID;
	*change = (struct alarm_change){0};
	raw_code_len = alarm_change_take_record(&in, change);
	alarm_change_take_life(&in, change);
	whole = ALARM_CHANGE_FIXED_BYTES + raw_code_len;
	for (size_t i = 0; i < ARRAY_LEN(claims); i++)
		whole += claims[i].len = take16(&in);
	if (alarm_change_check(change, raw_code_len, err) != RC_OK ||
	    check_text_lens("alarm", claims, ARRAY_LEN(claims), err) != RC_OK ||
	    check_whole("alarm", len, whole, err) != RC_OK)
		return RC_INVALID;

	/* terminated: the struct was zeroed, and has room for one byte more */
	if (memchr(in, '\0', raw_code_len) != NULL)
		return err_invalid(err, "alarm has a raw code with NUL in it");
	memcpy(change->raw_code, in, raw_code_len);
	return alarm_change_take_texts(claims, in + raw_code_len, change, err);
}

/* ---- Actions --------------------------------------------------------------- */

size_t
action_encoded_len(const struct action *action)
{
	return ACTION_FIXED_BYTES + text_len(action->actor) + text_len(action->operator_code) +
	       text_len(action->text);
}

uint8_t *
action_encode(const struct action *action, uint8_t *out)
{
	out = le_put64(out, action->alarm_id);
	out = le_put64(out, action->ticket);
	out = le_put32(out, action->seen_change);
	*out++ = action->verb;
	*out++ = action->actor_kind;
	*out++ = action->supervisor;
	*out++ = action->reject;
	*out++ = action->outcome;
	out = le_put16(out, action->kind);
	out = le_put32(out, action->site_id);
	out = le_put32(out, action->count);
	out = le_put32(out, action->to_station_id);
	out = le_put64(out, (uint64_t)action->when_us);
	out = le_put64(out, (uint64_t)action->until_us);
	out = put_text_len(out, action->actor, ALARM_NAME_MAX);
	out = put_text_len(out, action->operator_code, ALARM_NAME_MAX);
	out = put_text_len(out, action->text, ALARM_TEXT_MAX);
	out = put_text(out, action->actor);
	out = put_text(out, action->operator_code);
	return put_text(out, action->text);
}

static void
action_take_fixed(const uint8_t **in, struct action *action)
{
	action->alarm_id = take64(in);
	action->ticket = take64(in);
	action->seen_change = take32(in);
	action->verb = take8(in);
	action->actor_kind = take8(in);
	action->supervisor = take8(in);
	action->reject = take8(in);
	action->outcome = take8(in);
	action->kind = take16(in);
	action->site_id = take32(in);
	action->count = take32(in);
	action->to_station_id = take32(in);
	action->when_us = (int64_t)take64(in);
	action->until_us = (int64_t)take64(in);
}

static enum rc
action_check(const struct action *action, struct err *err)
{
	const struct number_claim claims[] = {
		{"actor_kind", action->actor_kind, ACTOR_KINDS - 1},
		{"supervisor", action->supervisor, 1},
		{"reject", action->reject, REJECT_ALARMS - 1},
		{"outcome", action->outcome, OUTCOMES - 1},
	};

	if (!verb_is_known(action->verb))
		return err_invalid(err, "action entry has unknown verb %u", action->verb);
	if (action->actor_kind == ACTOR_NONE)
		return err_invalid(err, "action entry has no actor");
	return check_numbers("action", claims, ARRAY_LEN(claims), err);
}

enum rc
action_decode(const uint8_t *body, size_t len, struct action *action, struct err *err)
{
	struct text_claim claims[3] = {{"actor", 0, ALARM_NAME_MAX},
				       {"operator_code", 0, ALARM_NAME_MAX},
				       {"text", 0, ALARM_TEXT_MAX}};
	size_t whole = ACTION_FIXED_BYTES;
	const uint8_t *in = body;

	if (check_fixed("action", len, ACTION_FIXED_BYTES, err) != RC_OK)
		return RC_INVALID;
	*action = (struct action){0};
	action_take_fixed(&in, action);
	for (size_t i = 0; i < ARRAY_LEN(claims); i++)
		whole += claims[i].len = take16(&in);
	if (action_check(action, err) != RC_OK ||
	    check_text_lens("action", claims, ARRAY_LEN(claims), err) != RC_OK ||
	    check_whole("action", len, whole, err) != RC_OK ||
	    take_text("action", &claims[0], &in, &action->actor, err) != RC_OK ||
	    take_text("action", &claims[1], &in, &action->operator_code, err) != RC_OK)
		return RC_INVALID;
	return take_text("action", &claims[2], &in, &action->text, err);
}

/* ---- Seen ------------------------------------------------------------------ */

uint8_t *
alarm_seen_encode(const struct alarm_seen *seen, uint8_t *out)
{
	out = le_put64(out, seen->alarm_id);
	out = le_put32(out, seen->change);
	out = le_put64(out, (uint64_t)seen->offered_us);
	return le_put64(out, (uint64_t)seen->shown_us);
}

enum rc
alarm_seen_decode(const uint8_t *body, size_t len, struct alarm_seen *seen, struct err *err)
{
	if (check_whole("seen", len, ALARM_SEEN_BYTES, err) != RC_OK)
		return RC_INVALID;
	*seen = (struct alarm_seen){
		.alarm_id = le_get64(body),
		.change = le_get32(body + 8),
		.offered_us = (int64_t)le_get64(body + 12),
		.shown_us = (int64_t)le_get64(body + 20),
	};
	return RC_OK;
}
