/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: an alarm that stands for many of one site.  It begins when many arrived, by an
 * action of the server; those that are open belong to it from then on, and who arrives
 * while it stands joins in the change that says so.  It counts, and it ends: a flood when
 * few arrive, a lost site when few of its controllers are.
 *
 * A member that has a change of its own says in it to which group it belongs; for one
 * that has none, VERB_GROUP_JOINED is due.  While a group is there, its members call
 * nobody; who takes the group takes those that wait by then, each by a VERB_ACCEPT in his
 * name.  When it goes they are on their own.
 *
 * All of it is a function of the journal: the clock only decides when an action is told,
 * and whether it is still true is judged when it comes back.
 *
 * Owner: the desk.
 */
#include <stdio.h>
#include <stdlib.h>

#include "desk_priv.h"
#include "wire/kind.h"

/* Of a group that grows, consoles are told twice a second. */
static const int64_t count_apart_us = 500000;

static bool
is_group(const struct alarm *alarm)
{
	return alarm->key.site_id != 0;
}

static bool
stands(const struct alarm *alarm)
{
	return alarm->now.cleared_us == 0;
}

static struct alarm *
groups_find(const struct desk *desk, uint32_t kind, uint32_t site_id)
{
	struct alarm_key key = {.kind = kind, .site_id = site_id};

	return desk_find_alarm(desk, &key);
}

/* ---- Members -------------------------------------------------------------------------- */

static void
alarm_set_owed(struct alarm *alarm, struct taker *owed)
{
	free(alarm->owed);
	alarm->owed = owed;
}

static void
alarm_leave(struct alarm *alarm)
{
	TAILQ_REMOVE(&alarm->group->members, alarm, in_group);
	alarm->group->standing -= stands(alarm);
	alarm->group = NULL;
}

void
groups_link(struct alarm *alarm, struct alarm *group)
{
	alarm->group = group;
	TAILQ_INSERT_TAIL(&group->members, alarm, in_group);
	group->standing += stands(alarm);
}

void
groups_take_out(struct desk *desk, struct alarm *alarm)
{
	struct alarm *group = alarm->group;

	alarm_set_owed(alarm, NULL);
	alarm->now.group_id = 0;
	if (group == NULL)
		return;
	alarm_leave(alarm);
	due_renew(desk, group);
}

/* The group is due anew afterwards. */
static void
groups_join(struct desk *desk, struct alarm *alarm, struct alarm *group)
{
	if (alarm->group == group)
		return;
	groups_take_out(desk, alarm);
	groups_link(alarm, group);
	if (group->joined < UINT32_MAX)
		group->joined++;
	if (group->worst < alarm->now.severity)
		group->worst = alarm->now.severity;
}

void
groups_settle(struct alarm *alarm)
{
	if (alarm->group != NULL)
		alarm->now.group_id = alarm->group->now.alarm_id;
	if (!life_is_waiting(&alarm->now))
		alarm_set_owed(alarm, NULL);
}

static struct taker *
taker_new(const struct action *action)
{
	struct taker *taker = xcalloc(1, sizeof(*taker));

	(void)snprintf(taker->actor, sizeof(taker->actor), "%s", action->actor);
	if (action->operator_code != NULL)
		(void)snprintf(taker->operator_code, sizeof(taker->operator_code), "%s",
			       action->operator_code);
	return taker;
}

void
groups_take_members(struct desk *desk, struct alarm *group, const struct action *action)
{
	struct alarm *member;

	TAILQ_FOREACH(member, &group->members, in_group)
	{
		if (!life_is_waiting(&member->now) || action->actor == NULL)
			continue;
		alarm_set_owed(member, taker_new(action));
		due_renew(desk, member);
	}
}

void
groups_leave_members(struct desk *desk, struct alarm *group)
{
	struct alarm *member;

	TAILQ_FOREACH(member, &group->members, in_group)
	{
		if (member->owed == NULL)
			continue;
		alarm_set_owed(member, NULL);
		due_renew(desk, member);
	}
}

/* ---- Arriving ------------------------------------------------------------------------- */

static void
groups_arrive(struct desk *desk, struct alarm *alarm)
{
	struct arrival arrival = {alarm->now.alarm_id, alarm->now.received_us};
	uint32_t site_id = alarm->now.site_id;
	uint16_t kind = site_id != 0 ? arrivals_group_kind(alarm->now.kind) : 0;
	struct arrivals *arrivals;
	struct alarm *group;

	if (kind == 0)
		return;
	alarm_set_owed(alarm, NULL);
	arrivals_age(&desk->arrivals, arrival.at_us);
	arrivals = arrivals_get(desk, site_id, kind);
	if (arrivals != NULL) {
		arrivals_link(arrivals, alarm, arrival.at_us);
		arrivals_put(&desk->arrivals, arrivals, &arrival);
	}
	group = groups_find(desk, kind, site_id);
	if (group != NULL && stands(group))
		groups_join(desk, alarm, group);
	else
		groups_take_out(desk, alarm);
	if (group != NULL)
		due_renew(desk, group);
}

/* A controller that is back makes no site lost. */
static void
groups_uncount(struct alarm *alarm)
{
	if (alarm->arrivals != NULL && alarm->arrivals->key.kind == KIND_CODE_SITE_LOST)
		arrivals_forget(alarm->arrivals, alarm->now.alarm_id);
}

/* The register moved its door to another site, where it has not arrived. */
static void
groups_follow_site(struct desk *desk, struct alarm *alarm)
{
	uint32_t site_id = alarm->now.site_id;

	if (alarm->group != NULL && alarm->group->key.site_id != site_id)
		groups_take_out(desk, alarm);
	if (alarm->arrivals == NULL || alarm->arrivals->key.site_id == site_id)
		return;
	groups_uncount(alarm);
	arrivals_unlink(alarm);
}

void
groups_note_record(struct desk *desk, struct alarm *alarm, bool stood, bool taken)
{
	bool anew = !stood || (taken && alarm->now.acknowledged_us == 0);

	if (alarm->group != NULL && stood != stands(alarm)) {
		alarm->group->standing -= stood;
		alarm->group->standing += stands(alarm);
		due_renew(desk, alarm->group);
	}
	groups_follow_site(desk, alarm);
	if (!stands(alarm))
		groups_uncount(alarm);
	else if (anew && life_is_waiting(&alarm->now))
		groups_arrive(desk, alarm);
	groups_settle(alarm);
}

/* ---- Going ---------------------------------------------------------------------------- */

static void
groups_dissolve(struct desk *desk, struct alarm *group, int64_t at_us)
{
	struct arrivals *arrivals;
	struct alarm *member;

	while ((member = TAILQ_FIRST(&group->members)) != NULL) {
		alarm_leave(member);
		member->alone_us = at_us;
		due_renew(desk, member);
	}
	/* closed while it goes on: it takes as many again to make another */
	arrivals = arrivals_find(&desk->arrivals, group->key.site_id, group->key.kind);
	if (stands(group) && arrivals != NULL)
		arrivals_drop(&desk->arrivals, arrivals);
}

void
groups_untrack(struct desk *desk, struct alarm *alarm, int64_t at_us)
{
	groups_uncount(alarm);
	arrivals_unlink(alarm);
	groups_take_out(desk, alarm);
	if (is_group(alarm))
		groups_dissolve(desk, alarm, at_us);
}

/* ---- Beginning ------------------------------------------------------------------------ */

/* Of those that arrived with the newest. */
static bool
is_recent(const struct arrivals *arrivals, const struct alarm *alarm)
{
	return arrivals_is_within(arrivals, alarm->arrived_us, arrivals->newest_us);
}

static bool
any_is_recent(const struct arrivals *arrivals)
{
	const struct alarm *alarm;

	TAILQ_FOREACH(alarm, &arrivals->open, in_arrived)
	{
		if (is_recent(arrivals, alarm))
			return true;
	}
	return false;
}

const char *
groups_judge_begin(const struct desk *desk, uint32_t kind, uint32_t site_id)
{
	const struct alarm *group = groups_find(desk, kind, site_id);
	const struct arrivals *arrivals = arrivals_find(&desk->arrivals, site_id, kind);

	if (group != NULL && stands(group))
		return "the group stands already";
	if (arrivals == NULL || !arrivals_are_many(arrivals))
		return "too few alarms arrived there";
	return any_is_recent(arrivals) ? NULL : "none of them is open any more";
}

void
groups_begin_is_back(struct desk *desk, const struct action *action)
{
	struct arrivals *arrivals = arrivals_find(&desk->arrivals, action->site_id, action->kind);

	if (arrivals != NULL)
		arrivals->asked = false;
}

struct alarm *
groups_place(struct desk *desk, const struct action *action, uint64_t position)
{
	struct alarm_key key = {.kind = action->kind, .site_id = action->site_id};
	struct alarm *group = desk_find_alarm(desk, &key);

	if (group != NULL || !desk_make_room(desk, action->when_us))
		return group;
	group = xcalloc(1, sizeof(*group));
	*group = alarm_begin(desk, &key, position, action->when_us);
	group->now.site_id = key.site_id;
	desk_track(desk, group);
	return group;
}

void
groups_begin(struct desk *desk, struct alarm *group, int64_t at_us)
{
	struct arrivals *arrivals =
		arrivals_find(&desk->arrivals, group->key.site_id, group->key.kind);
	struct alarm *alarm;

	must(arrivals != NULL);
	group->now.cleared_us = 0;
	group->now.device_time_us = group->now.received_us = group->now.durable_us = at_us;
	TAILQ_FOREACH(alarm, &arrivals->open, in_arrived)
	{
		if (!is_recent(arrivals, alarm))
			continue;
		groups_join(desk, alarm, group);
		due_renew(desk, alarm);
	}
	groups_count(group, at_us);
}

void
groups_count(struct alarm *group, int64_t at_us)
{
	group->now.count = group->joined;
	group->now.severity = group->worst;
	group->counted_us = at_us;
}

/* ---- What is due ---------------------------------------------------------------------- */

bool
groups_due_begin(struct desk *desk, int64_t now_us, struct action *action)
{
	struct arrivals *arrivals;

	while ((arrivals = TAILQ_FIRST(&desk->arrivals.ready)) != NULL) {
		TAILQ_REMOVE(&desk->arrivals.ready, arrivals, in_ready);
		arrivals->ready = false;
		/* what was read back after a long stop is over by now */
		if (!arrivals_is_within(arrivals, arrivals->last[0].at_us, now_us) ||
		    groups_judge_begin(desk, arrivals->key.kind, arrivals->key.site_id) != NULL)
			continue;
		arrivals->asked = true;
		*action = (struct action){
			.verb = VERB_GROUP_BEGUN,
			.actor_kind = ACTOR_SERVER,
			.kind = (uint16_t)arrivals->key.kind,
			.site_id = arrivals->key.site_id,
			.when_us = now_us,
		};
		return true;
	}
	return false;
}

struct due
groups_due_member(const struct alarm *alarm)
{
	if (alarm->group != NULL && alarm->now.group_id != alarm->group->now.alarm_id)
		return (struct due){VERB_GROUP_JOINED, 0};
	if (alarm->owed != NULL)
		return (struct due){VERB_ACCEPT, 0};
	return (struct due){VERB_NONE, 0};
}

/* The time from which on the group is to end; INT64_MAX: not before something changes. */
static int64_t
group_ends_us(const struct desk *desk, const struct alarm *group)
{
	const struct arrivals *arrivals;

	if (group->key.kind == KIND_CODE_SITE_LOST)
		return group->standing < desk->conf.groups.lost_begin ? 0 : INT64_MAX;
	arrivals = arrivals_find(&desk->arrivals, group->key.site_id, group->key.kind);
	return arrivals != NULL ? arrivals_fewer_us(arrivals, desk->conf.groups.flood_end) : 0;
}

struct due
groups_due_group(const struct desk *desk, const struct alarm *group)
{
	int64_t count_us = group->counted_us + count_apart_us, ends_us;

	if (!is_group(group) || !stands(group))
		return (struct due){VERB_NONE, 0};
	ends_us = group_ends_us(desk, group);
	if ((group->joined != group->now.count || group->worst != group->now.severity) &&
	    count_us < ends_us)
		return (struct due){VERB_GROUP_COUNTED, count_us};
	return (struct due){ends_us < INT64_MAX ? VERB_GROUP_ENDED : VERB_NONE, ends_us};
}

const char *
groups_judge(const struct desk *desk, const struct alarm *alarm, const struct action *action)
{
	bool ends = action->verb == VERB_GROUP_ENDED;

	if ((ends || action->verb == VERB_GROUP_COUNTED) && !is_group(alarm))
		return "the alarm is no group";
	if (ends && group_ends_us(desk, alarm) > action->when_us)
		return "the group goes on";
	if ((action->verb == VERB_GROUP_JOINED || action->verb == VERB_ACCEPT) &&
	    groups_due_member(alarm).verb != action->verb)
		return "the alarm has no such group any more";
	return NULL;
}
