/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alarm desk: what records do to alarms, and the ring of changes.  What people do
 * is in desk_act.c, what becomes of many at once in desk_groups.c.
 *
 * A state is decided by one table, desk/life.c, and written by one function,
 * alarm_set_state().
 *
 * Records may come ahead of their turn, and then be older than what the alarm
 * has already seen.  An older record is counted, but says nothing about the
 * condition now: a restore from the backlog must not end an alarm whose later
 * raising has overtaken it.
 *
 * It does not send, does not store, and knows no areas and no stations.
 *
 * Owner: one thread.
 */
#include <stdlib.h>
#include <string.h>

#include "desk_priv.h"
#include "wire/kind.h"

/* "No more can be tracked" is said once in so long, with a count. */
enum { FULL_PACE_MS = 60000 };

/* Positions take the lower bits of an alarm's id, the node those above. */
enum { ALARM_ID_POSITION_BITS = 48 };

/* The record that is being applied, and where it stands in the journal. */
struct cause {
	const struct record *record;
	uint64_t position;
	int64_t durable_us;
};

/* ---- States -------------------------------------------------------------------------- */

bool
alarm_is_over(const struct alarm *alarm)
{
	return alarm->now.state == ALARM_RETURNED_UNACKNOWLEDGED;
}

void
alarm_set_state(struct desk *desk, struct alarm *alarm, enum alarm_state state)
{
	/* also one that stays over moves to the end: the list is in order of changes */
	if (alarm_is_over(alarm))
		TAILQ_REMOVE(&desk->over, alarm, in_over);
	alarm->now.state = (uint8_t)state;
	if (alarm_is_over(alarm))
		TAILQ_INSERT_TAIL(&desk->over, alarm, in_over);
}

void
alarm_set_untaken(struct alarm *alarm)
{
	alarm->now.acknowledged_us = 0;
	alarm->now.acknowledged_by = NULL;
}

/* ---- One alarm ----------------------------------------------------------------------- */

struct alarm
alarm_begin(const struct desk *desk, const struct alarm_key *key, uint64_t position, int64_t at_us)
{
	const struct kind *kind = kind_get(key->kind);
	const struct desk_rule *rule = desk_rule_of(desk->conf.rules, key->kind);
	struct alarm alarm = {.key = *key};

	must(kind != NULL && rule != NULL);
	must(position >> ALARM_ID_POSITION_BITS == 0);
	alarm.now.alarm_id = (uint64_t)desk->conf.node << ALARM_ID_POSITION_BITS | position;
	alarm.now.state = ALARM_NORMAL;
	alarm.now.kind = kind->code;
	alarm.now.severity = (uint8_t)rule->severity;
	alarm.now.latches = rule->latches;
	alarm.now.silent = (kind->flags & KIND_FLAG_SILENT) != 0;
	alarm.now.controller_id = key->controller_id;
	alarm.now.door_id = key->door_id;
	alarm.now.raised_us = alarm.now.waiting_us = at_us;
	alarm.worst = (uint8_t)rule->severity;
	alarm.due_at = DUE_NEVER;
	return alarm;
}

/* Sequences can be compared within an epoch only; a new epoch is always later.  The
 * server's own records (epoch below 0) never come ahead, and several of its threads
 * number them: their order is that of the journal. */
static bool
alarm_has_newer(const struct alarm *alarm, const struct record *record)
{
	return record->epoch > 0 && alarm->newest_epoch == record->epoch &&
	       alarm->newest_seq > record->seq;
}

static void
alarm_note_cause(struct alarm *alarm, const struct cause *cause)
{
	const struct record *record = cause->record;
	struct alarm_change *now = &alarm->now;

	must(record->raw_code_len <= RAW_CODE_MAX);
	if (!alarm_has_newer(alarm, record)) {
		alarm->newest_epoch = record->epoch;
		alarm->newest_seq = record->seq;
	}
	now->change++;
	now->position = cause->position;
	now->site_id = record->site_id;
	now->device_time_us = record->device_time_us;
	now->received_us = record->received_us;
	now->durable_us = cause->durable_us;
	now->epoch = record->epoch;
	now->seq = record->seq;
	memset(now->raw_code, 0, sizeof(now->raw_code));
	if (record->raw_code_len > 0)
		memcpy(now->raw_code, record->raw_code, record->raw_code_len);
}

/* What the last action said is said: this change has another cause. */
static void
alarm_forget_action(struct alarm_change *now)
{
	now->verb = VERB_NONE;
	now->actor_kind = ACTOR_NONE;
	now->reject = REJECT_ALARM_NONE;
	now->outcome = OUTCOME_NONE;
	now->acted_us = 0;
	now->actor = now->operator_code = now->text = NULL;
}

/* Contacts bounce: so close together it is one and the same. */
static bool
alarm_is_merged(const struct desk *desk, const struct alarm *alarm, const struct record *record)
{
	int64_t apart = record->device_time_us - alarm->raise_us;

	return alarm->now.change > 0 && (apart < 0 ? -apart : apart) < desk->conf.merge_us;
}

static void
alarm_set_condition(struct alarm *alarm, bool raised, const struct record *record)
{
	if (raised) {
		alarm->now.cleared_us = 0;
		alarm->raise_us = record->device_time_us;
	} else {
		alarm->now.cleared_us = record->received_us;
	}
}

/* Returns false when this record changes nothing. */
static bool
alarm_take_record(struct desk *desk, struct alarm *alarm, bool raised, const struct cause *cause)
{
	bool merged = raised && alarm_is_merged(desk, alarm, cause->record);
	bool late = alarm_has_newer(alarm, cause->record);
	enum alarm_state state = life_next(&alarm->now, raised ? LIFE_RAISED : LIFE_RESTORED);

	if (late)
		state = raised ? (enum alarm_state)alarm->now.state : 0;
	if (state == 0 || (merged && (late || alarm->now.cleared_us == 0)))
		return false;
	alarm_forget_action(&alarm->now);
	if (!late)
		alarm_set_condition(alarm, raised, cause->record);
	if (state == ALARM_UNACKNOWLEDGED && alarm->now.acknowledged_us != 0) {
		alarm_set_untaken(alarm);
		alarm->now.waiting_us = cause->record->received_us;
	}
	alarm_set_state(desk, alarm, state);
	if (raised && !merged && alarm->now.count < UINT32_MAX)
		alarm->now.count++;
	alarm_note_cause(alarm, cause);
	return true;
}

/* ---- All alarms ---------------------------------------------------------------------- */

struct alarm *
desk_find_alarm(const struct desk *desk, const struct alarm_key *key)
{
	struct alarm *alarm;

	HASH_FIND(by_key, desk->by_key, key, sizeof(*key), alarm);
	return alarm;
}

void
desk_track(struct desk *desk, struct alarm *alarm)
{
	TAILQ_INIT(&alarm->members);
	HASH_ADD(by_key, desk->by_key, key, sizeof(alarm->key), alarm);
	HASH_ADD(by_id, desk->by_id, now.alarm_id, sizeof(alarm->now.alarm_id), alarm);
	TAILQ_INSERT_TAIL(&desk->raised, alarm, in_raised);
}

void
desk_untrack(struct desk *desk, struct alarm *alarm, int64_t at_us)
{
	groups_untrack(desk, alarm, at_us);
	if (alarm_is_over(alarm))
		TAILQ_REMOVE(&desk->over, alarm, in_over);
	due_remove(&desk->due, alarm);
	HASH_DELETE(by_key, desk->by_key, alarm);
	HASH_DELETE(by_id, desk->by_id, alarm);
	TAILQ_REMOVE(&desk->raised, alarm, in_raised);
	free(alarm->words);
	free(alarm->acted_by);
	free(alarm->owed);
	free(alarm);
}

/*
 * The oldest that are over make room.  Their end is not a change of its own: an
 * entry of the journal makes one change at most, and this one's is the new alarm.
 */
bool
desk_make_room(struct desk *desk, int64_t at_us)
{
	uint64_t held_back;

	while (desk_open_count(desk) >= desk->conf.open_alarms_max && !TAILQ_EMPTY(&desk->over))
		desk_untrack(desk, TAILQ_FIRST(&desk->over), at_us);
	if (desk_open_count(desk) < desk->conf.open_alarms_max)
		return true;
	if (log_pace_ok(&desk->full, FULL_PACE_MS, &held_back))
		log_error("desk",
			  "%zu alarms stand, which is the limit; a new one is passed on, "
			  "but not its end, and no group begins (%zu more since the last message)",
			  desk_open_count(desk), (size_t)held_back);
	return false;
}

static const struct alarm_change *
desk_raise_new(struct desk *desk, const struct alarm_key *key, const struct cause *cause)
{
	int64_t at_us = cause->record->received_us;
	struct alarm begun = alarm_begin(desk, key, cause->position, at_us);
	struct alarm *alarm = &begun;
	bool tracked = desk_make_room(desk, at_us);

	if (tracked) {
		alarm = xcalloc(1, sizeof(*alarm));
		*alarm = begun;
		desk_track(desk, alarm);
	}
	must(alarm_take_record(desk, alarm, true, cause));
	if (tracked) {
		groups_note_record(desk, alarm, false, false);
		due_renew(desk, alarm);
	}
	return desk_keep(desk, &alarm->now);
}

/* The alarm's own texts may be fewer now; it is gone when it is done. */
static const struct alarm_change *
desk_keep_changed(struct desk *desk, struct alarm *alarm)
{
	const struct alarm_change *kept = desk_keep(desk, &alarm->now);

	if (alarm->now.state == ALARM_NORMAL)
		desk_untrack(desk, alarm, alarm->now.received_us);
	else
		due_renew(desk, alarm);
	return kept;
}

static const struct alarm_change *
desk_take_record(struct desk *desk, const struct kind *kind, const struct cause *cause)
{
	bool raises = (kind->flags & KIND_FLAG_RAISES) != 0;
	struct alarm_key key = {
		.controller_id = cause->record->controller_id,
		.door_id = cause->record->door_id,
		.kind = raises ? kind->code : kind->restores,
	};
	struct alarm *alarm = desk_find_alarm(desk, &key);
	bool stood, taken;

	if (alarm == NULL)
		return raises ? desk_raise_new(desk, &key, cause) : NULL;
	stood = alarm->now.cleared_us == 0;
	taken = alarm->now.acknowledged_us != 0;
	if (!alarm_take_record(desk, alarm, raises, cause))
		return NULL;
	groups_note_record(desk, alarm, stood, taken);
	return desk_keep_changed(desk, alarm);
}

const struct alarm_change *
desk_apply(struct desk *desk, const struct record *record, bool ahead, uint64_t position,
	   int64_t durable_us)
{
	struct cause cause = {.record = record, .position = position, .durable_us = durable_us};
	const struct kind *kind = kind_get(record->kind);
	const struct alarm_change *change;
	struct ahead_key key;

	if (kind == NULL || (kind->flags & KIND_FLAG_GROUP) != 0 ||
	    ((kind->flags & KIND_FLAG_RAISES) == 0 && kind->restores == 0))
		return NULL;
	key = ahead_key_of(record);
	if (ahead_knows(&desk->ahead, &key)) {
		/* in its turn; or ahead once more, after a new connection */
		if (!ahead)
			ahead_forget(&desk->ahead, &key);
		return NULL;
	}
	change = desk_take_record(desk, kind, &cause);
	/* One that changed nothing may do so in its turn: what a restore ends may
	 * still be in the backlog. */
	if (ahead && change != NULL)
		ahead_remember(&desk->ahead, &key);
	return change;
}

uint64_t *
desk_open_ids(const struct desk *desk, size_t *n)
{
	uint64_t *ids = xcalloc(desk_open_count(desk) + 1, sizeof(*ids));
	const struct alarm *alarm;

	*n = 0;
	for (alarm = TAILQ_FIRST(&desk->raised); alarm != NULL;
	     alarm = TAILQ_NEXT(alarm, in_raised))
		ids[(*n)++] = alarm->now.alarm_id;
	return ids;
}

const struct alarm_change *
desk_open_alarm(const struct desk *desk, uint64_t alarm_id)
{
	const struct alarm *alarm;

	HASH_FIND(by_id, desk->by_id, &alarm_id, sizeof(alarm_id), alarm);
	return alarm != NULL ? &alarm->now : NULL;
}

size_t
desk_open_count(const struct desk *desk)
{
	return HASH_CNT(by_id, desk->by_id);
}

/* ---- The ring ------------------------------------------------------------------------ */

static void
word_own(const char **word, char **at)
{
	size_t n = *word != NULL ? strlen(*word) + 1 : 0;

	if (n <= 1) {
		*word = NULL;
		return;
	}
	memcpy(*at, *word, n);
	*word = *at;
	*at += n;
}

char *
change_own_words(struct alarm_change *change)
{
	const char **const words[] = {&change->actor, &change->operator_code,
				      &change->acknowledged_by, &change->text};
	char *block, *at;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		n += *words[i] != NULL && (*words[i])[0] != '\0' ? strlen(*words[i]) + 1 : 0;
	block = at = n > 0 ? xcalloc(1, n) : NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		word_own(words[i], &at);
	return block;
}

const struct alarm_change *
desk_keep(struct desk *desk, const struct alarm_change *change)
{
	struct alarm_change *slot = &desk->ring[desk->next % desk->conf.history];

	must(change->position > desk_position(desk));
	if (desk->next - desk->oldest == desk->conf.history) {
		desk->gone_position = slot->position;
		desk->oldest++;
	}
	free(desk->ring_words[desk->next % desk->conf.history]);
	*slot = *change;
	desk->ring_words[desk->next % desk->conf.history] = change_own_words(slot);
	desk->next++;
	return slot;
}

uint64_t
desk_oldest(const struct desk *desk)
{
	return desk->oldest;
}

uint64_t
desk_next(const struct desk *desk)
{
	return desk->next;
}

const struct alarm_change *
desk_change(const struct desk *desk, uint64_t number)
{
	must(number >= desk->oldest && number < desk->next);
	return &desk->ring[number % desk->conf.history];
}

uint64_t
desk_position(const struct desk *desk)
{
	if (desk->next == desk->oldest)
		return desk->gone_position;
	return desk_change(desk, desk->next - 1)->position;
}

bool
desk_find(const struct desk *desk, uint64_t position, uint64_t *number)
{
	uint64_t low = desk->oldest, high = desk->next;

	if (position < desk->gone_position || position > desk_position(desk))
		return false;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (desk_change(desk, middle)->position > position)
			high = middle;
		else
			low = middle + 1;
	}
	*number = low;
	return true;
}

/* ---- Beginning and end --------------------------------------------------------------- */

struct desk *
desk_new(const struct desk_conf *conf)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	must(conf->history > 0);
	desk->conf = *conf;
	desk->ring = xcalloc(conf->history, sizeof(*desk->ring));
	desk->ring_words = xcalloc(conf->history, sizeof(*desk->ring_words));
	desk->done = xcalloc(DONE_MAX, sizeof(*desk->done));
	if (conf->rules == NULL)
		desk->conf.rules = desk->own_rules = desk_rules_new();
	TAILQ_INIT(&desk->raised);
	TAILQ_INIT(&desk->over);
	ahead_init(&desk->ahead);
	arrivals_init(&desk->arrivals);
	return desk;
}

void
desk_clear(struct desk *desk)
{
	struct alarm *alarm;

	while ((alarm = TAILQ_FIRST(&desk->raised)) != NULL)
		desk_untrack(desk, alarm, 0);
	arrivals_clear(&desk->arrivals);
	ahead_clear(&desk->ahead);
	for (size_t i = 0; i < desk->conf.history; i++) {
		free(desk->ring_words[i]);
		desk->ring_words[i] = NULL;
	}
	desk->n_done = 0;
	desk->oldest = desk->next = 0;
	desk->gone_position = 0;
}

void
desk_free(struct desk **out)
{
	struct desk *desk = *out;

	if (desk == NULL)
		return;
	*out = NULL;
	desk_clear(desk);
	due_fini(&desk->due);
	desk_rules_free(&desk->own_rules);
	free(desk->done);
	free(desk->ring_words);
	free(desk->ring);
	free(desk);
}
