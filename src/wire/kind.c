/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard vocabulary as tables.  Immutable; any thread.
 *
 * Invariants, held by tests/unit/wire/test_kind.c: codes ascend (kind_get()
 * searches by halves), each code is one of the contract's and the other way
 * round, and every kind that raises an alarm has a restore, is declared
 * stateless, or is a group.
 *
 * Severities follow what a dispatcher does first: critical sends somebody now,
 * high sends somebody, medium asks back, low is looked at in the morning.
 *
 * Translating vendors' own codes into these is the controller's job, not ours;
 * what it can't translate comes as device.other with its raw code.
 */
#include "wire/kind.h"

#include <string.h>

/* Short names for the columns, so that a row stays a row. */
#define RAISES KIND_FLAG_RAISES
#define ONCE   (KIND_FLAG_RAISES | KIND_FLAG_STATELESS)
#define SILENT KIND_FLAG_SILENT
#define CARD   KIND_FLAG_CARD
#define SERVER KIND_FLAG_SERVER
#define CHANGE (KIND_FLAG_CARD | KIND_FLAG_CHANGE)
#define GRANT  (KIND_FLAG_CARD | KIND_FLAG_GRANT)
#define LATCH  (KIND_FLAG_RAISES | KIND_FLAG_LATCH)
#define GROUP  (KIND_FLAG_RAISES | KIND_FLAG_GROUP | KIND_FLAG_SERVER)
#define ALONE  KIND_FLAG_ALONE
/* under threat: nobody may be able to look away; duress is reset, too */
#define PERSON (SILENT | ALONE | KIND_FLAG_UNSHELVED)
#define HELD   (KIND_FLAG_LATCH | PERSON)
#define NONE   SEVERITY_NONE

/*
 * A card number is required only where the record means nothing without it.  A
 * duress or a denial without one is still a duress or a denial: a keypad has no
 * card, and a damaged card has no number.
 *
 * Faults of power and of readers raise nothing: they are work for maintenance,
 * and a power cut in a district must not bury the alarms of people.
 */
/* clang-format off */
static const struct kind kinds[] = {
	/* code  name                        class               severity           flags   restores */
	{ 100, "access.granted",           KIND_CLASS_ACCESS,  NONE,              CARD,            0 },
	{ 101, "access.taken",             KIND_CLASS_ACCESS,  NONE,              0,               0 },
	{ 102, "access.not_taken",         KIND_CLASS_ACCESS,  NONE,              0,               0 },
	{ 103, "access.denied",            KIND_CLASS_ACCESS,  NONE,              0,               0 },
	{ 104, "access.duress",            KIND_CLASS_ALARM,   SEVERITY_CRITICAL, ONCE | HELD,     0 },
	{ 110, "exit.request",             KIND_CLASS_ACCESS,  NONE,              0,               0 },

	{ 200, "door.opened",              KIND_CLASS_STATE,   NONE,              0,               0 },
	{ 201, "door.closed",              KIND_CLASS_STATE,   NONE,              0,               0 },
	{ 202, "door.forced",              KIND_CLASS_ALARM,   SEVERITY_HIGH,     LATCH,           0 },
	{ 203, "door.forced_restored",     KIND_CLASS_ALARM,   NONE,              0,             202 },
	{ 204, "door.held_open_warning",   KIND_CLASS_ALARM,   NONE,              0,               0 },
	{ 205, "door.held_open",           KIND_CLASS_ALARM,   SEVERITY_MEDIUM,   RAISES,          0 },
	{ 206, "door.held_open_restored",  KIND_CLASS_ALARM,   NONE,              0,             205 },
	{ 210, "door.remote_open",         KIND_CLASS_CONTROL, NONE,              0,               0 },
	{ 211, "door.locked_down",         KIND_CLASS_CONTROL, NONE,              0,               0 },

	{ 300, "tamper.controller",          KIND_CLASS_ALARM, SEVERITY_HIGH,     LATCH,           0 },
	{ 301, "tamper.controller_restored", KIND_CLASS_ALARM, NONE,              0,             300 },
	{ 302, "tamper.reader",              KIND_CLASS_ALARM, SEVERITY_HIGH,     LATCH,           0 },
	{ 303, "tamper.reader_restored",     KIND_CLASS_ALARM, NONE,              0,             302 },
	{ 304, "tamper.cabinet",             KIND_CLASS_ALARM, SEVERITY_HIGH,     LATCH,           0 },
	{ 305, "tamper.cabinet_restored",    KIND_CLASS_ALARM, NONE,              0,             304 },
	{ 320, "panic",                      KIND_CLASS_ALARM, SEVERITY_CRITICAL, ONCE | PERSON,   0 },
	{ 321, "hold_up",                    KIND_CLASS_ALARM, SEVERITY_CRITICAL, ONCE | PERSON,   0 },
	{ 322, "emergency_call",             KIND_CLASS_ALARM, SEVERITY_CRITICAL, ONCE,            0 },
	{ 330, "fire",                       KIND_CLASS_ALARM, SEVERITY_CRITICAL, ONCE | ALONE,    0 },

	{ 400, "power.mains_lost",          KIND_CLASS_FAULT,  NONE,              0,               0 },
	{ 401, "power.mains_restored",      KIND_CLASS_FAULT,  NONE,              0,               0 },
	{ 402, "power.battery_low",         KIND_CLASS_FAULT,  NONE,              0,               0 },
	{ 403, "power.battery_missing",     KIND_CLASS_FAULT,  NONE,              0,               0 },
	{ 404, "power.battery_restored",    KIND_CLASS_FAULT,  NONE,              0,               0 },
	{ 420, "comms.controller_lost",     KIND_CLASS_ALARM,  SEVERITY_MEDIUM,   RAISES | SERVER, 0 },
	{ 421, "comms.controller_restored", KIND_CLASS_ALARM,  NONE,              SERVER,        420 },
	{ 422, "comms.reader_lost",         KIND_CLASS_FAULT,  NONE,              0,               0 },
	{ 423, "comms.reader_restored",     KIND_CLASS_FAULT,  NONE,              0,               0 },

	{ 500, "device.boot",              KIND_CLASS_SYSTEM,  NONE,              0,               0 },
	{ 501, "device.watchdog",          KIND_CLASS_SYSTEM,  NONE,              0,               0 },
	{ 502, "device.firmware",          KIND_CLASS_SYSTEM,  NONE,              0,               0 },
	{ 503, "device.time_changed",      KIND_CLASS_SYSTEM,  NONE,              0,               0 },
	{ 504, "device.log_overflow",      KIND_CLASS_SYSTEM,  NONE,              0,               0 },
	{ 599, "device.other",             KIND_CLASS_SYSTEM,  NONE,              0,               0 },

	{ 600, "card.registered",          KIND_CLASS_AUDIT,   NONE,              CHANGE,          0 },
	{ 601, "card.extended",            KIND_CLASS_AUDIT,   NONE,              CHANGE,          0 },
	{ 602, "card.suspended",           KIND_CLASS_AUDIT,   NONE,              CHANGE,          0 },
	{ 603, "card.resumed",             KIND_CLASS_AUDIT,   NONE,              CHANGE,          0 },
	{ 604, "card.revoked",             KIND_CLASS_AUDIT,   NONE,              CHANGE,          0 },
	{ 605, "card.reported_lost",       KIND_CLASS_AUDIT,   NONE,              CHANGE,          0 },
	{ 610, "card.revoked_presented",   KIND_CLASS_ALARM,   SEVERITY_LOW,      ONCE | CARD,     0 },
	{ 620, "grant.set",                KIND_CLASS_AUDIT,   NONE,              GRANT,           0 },
	{ 621, "grant.removed",            KIND_CLASS_AUDIT,   NONE,              GRANT,           0 },

	{ 700, "policy.divergence",        KIND_CLASS_ALARM,   SEVERITY_HIGH,     ONCE | SERVER,   0 },
	{ 701, "records.gap",              KIND_CLASS_ALARM,   SEVERITY_MEDIUM,   RAISES | SERVER, 0 },
	{ 702, "journal.damaged",          KIND_CLASS_ALARM,   SEVERITY_HIGH,     ONCE | SERVER,   0 },
	{ 703, "records.gap_filled",       KIND_CLASS_ALARM,   NONE,              SERVER,        701 },
	{ 720, "alarm.flood",              KIND_CLASS_ALARM,   SEVERITY_HIGH,     GROUP,           0 },
	{ 721, "comms.site_lost",          KIND_CLASS_ALARM,   SEVERITY_HIGH,     GROUP,           0 },

	{ 800, "supervision.test",         KIND_CLASS_SYSTEM,  NONE,              0,               0 },
};
/* clang-format on */

static const char *const class_names[] = {
	[KIND_CLASS_ACCESS] = "access",   [KIND_CLASS_STATE] = "state",
	[KIND_CLASS_CONTROL] = "control", [KIND_CLASS_ALARM] = "alarm",
	[KIND_CLASS_FAULT] = "fault",     [KIND_CLASS_SYSTEM] = "system",
	[KIND_CLASS_AUDIT] = "audit",
};

static const char *const severity_names[] = {
	[SEVERITY_NONE] = "none", [SEVERITY_LOW] = "low",           [SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high", [SEVERITY_CRITICAL] = "critical",
};

/* By `enum Reason` of the contract; 0 is "unspecified" there and has no name here. */
static const char *const reason_names[] = {
	NULL,
	"unknown_card",
	"not_active",
	"expired",
	"suspended_or_lost",
	"outside_hours",
	"no_right_here",
	"wrong_pin",
	"passback",
	"interlock",
	"unreadable",
};

/* By `enum RejectReason` of the contract. */
static const char *const reject_names[] = {
	NULL,           "unknown_door", "impossible_time", "bad_text",      "bad_card",
	"bad_reason",   "bad_detail",   "not_yours",       "unknown_card",  "card_exists",
	"bad_window",   "overlap",      "foreign_site",    "not_your_unit", "rule",
	"unknown_unit", "card_ended",
};

static const char *const card_kind_names[] = {NULL, "owner", "tenant", "temporary", "staff"};

const struct kind *
kind_get(uint32_t code)
{
	size_t low = 0, high = ARRAY_LEN(kinds);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kinds[middle].code == code)
			return &kinds[middle];
		if (kinds[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct kind *
kind_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

const struct kind *
kind_table(size_t *n)
{
	*n = ARRAY_LEN(kinds);
	return kinds;
}

const char *
kind_class_name(enum kind_class which)
{
	must((size_t)which < ARRAY_LEN(class_names));
	return class_names[which];
}

const char *
severity_name(enum severity severity)
{
	must((size_t)severity < ARRAY_LEN(severity_names));
	return severity_names[severity];
}

const char *
reason_name(uint32_t reason)
{
	return reason < ARRAY_LEN(reason_names) ? reason_names[reason] : NULL;
}

uint32_t
reason_count(void)
{
	return ARRAY_LEN(reason_names) - 1;
}

const char *
reject_name(uint32_t reason)
{
	return reason < ARRAY_LEN(reject_names) ? reject_names[reason] : NULL;
}

const char *
card_kind_name(uint32_t kind)
{
	return kind < ARRAY_LEN(card_kind_names) ? card_kind_names[kind] : NULL;
}

uint8_t
card_kind_by_name(const char *name)
{
	for (uint8_t i = 1; i < ARRAY_LEN(card_kind_names); i++) {
		if (strcmp(card_kind_names[i], name) == 0)
			return i;
	}
	return 0;
}
