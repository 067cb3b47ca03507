/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard vocabulary: one row per kind of record.  The numbers are those
 * of `enum Kind` in proto/gatehouse.proto; sql/ seeds the same rows, and a test
 * holds the three against each other.
 *
 * What raises an alarm, and what ends it, is decided by this table alone.
 * Immutable; any thread.
 */
#ifndef GATEHOUSE_WIRE_KIND_H
#define GATEHOUSE_WIRE_KIND_H

#include "base/base.h"

enum kind_class {
	KIND_CLASS_ACCESS,
	KIND_CLASS_STATE,
	KIND_CLASS_CONTROL,
	KIND_CLASS_ALARM,
	KIND_CLASS_FAULT,
	KIND_CLASS_SYSTEM,
	KIND_CLASS_AUDIT,
};

/* The numbers of `enum Severity` of the contract. */
enum severity {
	SEVERITY_NONE = 0,
	SEVERITY_LOW = 1,
	SEVERITY_MEDIUM = 2,
	SEVERITY_HIGH = 3,
	SEVERITY_CRITICAL = 4,
};

enum {
	KIND_FLAG_RAISES = 1u << 0,    /* a record of this kind raises an alarm */
	KIND_FLAG_STATELESS = 1u << 1, /* ... that nothing clears by itself */
	KIND_FLAG_SILENT = 1u << 2,    /* ... and that must not be noticed at the site */
	KIND_FLAG_CARD = 1u << 3,      /* a card number is required */
	KIND_FLAG_SERVER = 1u << 4,    /* only the server reports it */
	KIND_FLAG_CHANGE = 1u << 5,    /* card_change may be there */
	KIND_FLAG_GRANT = 1u << 6,     /* grant_change must be there: registration desks only */
	KIND_FLAG_LATCH = 1u << 8,     /* its alarm has to be reset by a person */
	KIND_FLAG_UNSHELVED = 1u << 9, /* ... can't be shelved */
	KIND_FLAG_ALONE = 1u << 10,    /* ... is never part of a group */
	KIND_FLAG_GROUP = 1u << 11,    /* ... stands for others: the desk begins and ends it */
};

/* Numbers that the code names itself. */
enum {
	KIND_CODE_ACCESS_GRANTED = 100,
	KIND_CODE_ACCESS_DENIED = 103,
	KIND_CODE_DEVICE_OTHER = 599,
	KIND_CODE_CONTROLLER_LOST = 420,
	KIND_CODE_CONTROLLER_RESTORED = 421,
	KIND_CODE_CARD_REGISTERED = 600,
	KIND_CODE_CARD_EXTENDED = 601,
	KIND_CODE_CARD_SUSPENDED = 602,
	KIND_CODE_CARD_RESUMED = 603,
	KIND_CODE_CARD_REVOKED = 604,
	KIND_CODE_CARD_REPORTED_LOST = 605,
	KIND_CODE_REVOKED_PRESENTED = 610,
	KIND_CODE_GRANT_SET = 620,
	KIND_CODE_GRANT_REMOVED = 621,
	KIND_CODE_POLICY_DIVERGENCE = 700,
	KIND_CODE_RECORDS_GAP = 701,
	KIND_CODE_JOURNAL_DAMAGED = 702,
	KIND_CODE_RECORDS_GAP_FILLED = 703,
	KIND_CODE_ALARM_FLOOD = 720,
	KIND_CODE_SITE_LOST = 721,
};

struct kind {
	uint16_t code;
	const char *name; /* "door.forced" */
	enum kind_class class;
	enum severity severity; /* of the alarm it raises; SEVERITY_NONE otherwise */
	unsigned flags;
	uint16_t restores; /* the kind whose alarm a record of this kind clears; 0: none */
};

/* NULL when the number is not in the vocabulary. */
const struct kind *kind_get(uint32_t code);
/* By name; NULL when unknown. */
const struct kind *kind_by_name(const char *name);
/* All rows in order of their codes. */
const struct kind *kind_table(size_t *n);
const char *kind_class_name(enum kind_class which);
const char *severity_name(enum severity severity);

/* "unknown_card" and so on; NULL when the number is not in the vocabulary. */
const char *reason_name(uint32_t reason);
/* How many reasons there are; their numbers are 1 .. reason_count(). */
uint32_t reason_count(void);

/* "tenant" and so on, by `enum CardKind`; NULL when there is none. */
const char *card_kind_name(uint32_t kind);
/* 0 when there is none of that name. */
uint8_t card_kind_by_name(const char *name);

/* "unknown_door" and so on, by `enum RejectReason`; NULL when there is none. */
const char *reject_name(uint32_t reason);

#endif
