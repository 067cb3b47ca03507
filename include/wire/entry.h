/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the journal: the entries' bodies, as structs and as bytes.
 * The journal itself doesn't look inside.  Little endian, fields one after the
 * other; layouts are in wire/entry.c beside the code that writes them.
 *
 * Decoding borrows: texts and bytes of the struct point into the body.  It
 * never trusts the body: RC_INVALID with a reason instead of reading beyond.
 *
 * No struct here has room for a card number.
 */
#ifndef GATEHOUSE_WIRE_ENTRY_H
#define GATEHOUSE_WIRE_ENTRY_H

#include "wire/alarm.h"

enum entry_type {
	ENTRY_RECORD = 1,     /* struct record: goes into `records` */
	ENTRY_AHEAD = 2,      /* struct record: an alarm ahead of its turn; the desk's only */
	ENTRY_QUARANTINE = 3, /* struct quarantine: goes into `quarantine` */
	ENTRY_ALARM = 4,      /* struct alarm_change: goes into `alarms` */
	ENTRY_RIGHT = 5,      /* struct right_change: goes into `records`, `cards`, `grants` */
	ENTRY_DOORS = 6,      /* struct list_doors: the registrar's only */
	ENTRY_ACTION = 10,    /* struct action: what the desk is to do */
	ENTRY_SEEN = 11,      /* struct alarm_seen: goes into `alarms` */
};

enum { TOKEN_BYTES = 16, RAW_CODE_MAX = 32, DETAIL_MAX = 32768, QUARANTINE_DETAIL_MAX = 300 };

enum {
	RECORD_CLOCK_BACKWARDS = 1u << 0, /* device time before that of the record before it */
	RECORD_CLOCK_OFF = 1u << 1,       /* device time ahead of ours by more than the bound */
	RECORD_UNKNOWN_KIND = 1u << 2,    /* its kind is not in the vocabulary: see raw_code */
	RECORD_HAS_TOKEN = 1u << 3,
	RECORD_HAS_LIST = 1u << 4, /* the controller said by which list of rights it decided */
};

/*
 * One thing that happened.  Identity: (controller_id, epoch, seq).  An epoch
 * below 0 is the server's own: it observed something about the controller
 * (lost, gap); such epochs are -(start of the daemon in milliseconds * 32768 + node).
 */
struct record {
	uint32_t controller_id;
	uint32_t site_id;
	uint32_t door_id; /* 0: the controller itself */
	uint16_t kind;
	uint16_t reason; /* 0: none */
	int64_t epoch;
	uint64_t seq;
	int64_t device_time_us;
	int64_t received_us;
	uint32_t flags;             /* RECORD_* */
	uint8_t token[TOKEN_BYTES]; /* valid with RECORD_HAS_TOKEN */
	uint64_t list_number;       /* valid with RECORD_HAS_LIST */
	const char *raw_code;       /* borrowed, not terminated, valid UTF-8 without NUL */
	size_t raw_code_len;        /* 0 .. RAW_CODE_MAX */
	const char *detail;         /* borrowed: a JSON object in UTF-8, or empty */
	size_t detail_len;          /* 0 .. DETAIL_MAX */
};

/* A record that was rejected.  Same identity, so that it is kept once. */
struct quarantine {
	uint32_t controller_id;
	uint32_t site_id;
	int64_t epoch;
	uint64_t seq;
	int64_t received_us;
	uint16_t reason;        /* enum RejectReason of the contract */
	const char *detail;     /* borrowed, UTF-8: what was wrong */
	size_t detail_len;      /* 0 .. QUARANTINE_DETAIL_MAX */
	const uint8_t *payload; /* borrowed: the Record as protobuf, without card number and
				   without unknown fields */
	size_t payload_len;     /* 0 .. DETAIL_MAX */
};

/* An alarm as it stands after one change.  (alarm_id, change) is unique. */
struct alarm_change {
	uint64_t alarm_id; /* node << 48 | position of the entry that raised it */
	uint32_t change;   /* 1, 2, .. within the alarm */
	uint64_t position; /* of the entry behind this change */
	uint16_t kind;
	uint8_t severity;
	uint8_t state; /* enum alarm_state */
	uint8_t silent;
	uint8_t latches; /* when its condition ends, a person has to reset it */
	uint32_t count;  /* how often it was reported; of a group: how many belonged to it ever */
	uint32_t controller_id; /* 0: of a group, and with site_id 0 of the server */
	uint32_t site_id;
	uint32_t door_id;
	int64_t device_time_us;
	int64_t received_us;
	int64_t durable_us;
	int64_t raised_us;
	int64_t cleared_us; /* 0: stands */
	int64_t epoch;      /* of the record that was the last behind a change; a group has none */
	uint64_t seq;
	char raw_code[RAW_CODE_MAX + 1]; /* terminated */

	/* The action behind this change; VERB_NONE: it was a record. */
	uint8_t verb, actor_kind; /* enum alarm_verb, enum actor_kind */
	uint8_t reject, outcome;  /* enum reject_alarm, enum outcome */
	int64_t acted_us;

	uint8_t stage;                 /* enum alarm_stage */
	uint8_t escalation;            /* how often it went on to a station further up */
	uint32_t handed_station_id;    /* 0: not handed over */
	uint64_t group_id;             /* alarm_id of the group that it belongs to; 0: none */
	int64_t until_us;              /* shelved or out of service until then */
	int64_t waiting_us;            /* since then somebody is waited for, or for what follows */
	int64_t acknowledged_us;       /* 0: nobody answers for it now */
	int64_t first_acknowledged_us; /* 0: nobody has taken it yet */
	int64_t offered_us;            /* first written to a console; 0: to none yet */
	int64_t shown_us;              /* first said to be on a screen */

	/* Borrowed, UTF-8 without control characters; NULL or empty: none. */
	const char *actor;           /* 0 .. ALARM_NAME_MAX bytes, as the next */
	const char *operator_code;   /* who sat at the console */
	const char *acknowledged_by; /* 0 .. ALARM_BY_MAX bytes */
	const char *text;            /* 0 .. ALARM_TEXT_MAX bytes */
};

/*
 * Something that is to be done with an alarm: asked for by somebody who may, or by
 * the server because a time is over.  Whether it changes anything is decided when
 * the desk comes to it, in the order of the journal.
 */
struct action {
	uint64_t alarm_id;    /* 0 with VERB_GROUP_BEGUN: the group is known by kind and site */
	uint64_t ticket;      /* by which the follower knows it again; 0: the server's own */
	uint32_t seen_change; /* 0: whatever has happened since */
	uint8_t verb;         /* enum alarm_verb, not VERB_NONE */
	uint8_t actor_kind;   /* enum actor_kind, not ACTOR_NONE */
	uint8_t supervisor;   /* 1: the actor has that right */
	uint8_t reject, outcome;
	uint16_t kind;          /* of the group that begins */
	uint32_t site_id;       /* ... and its site */
	uint32_t count;         /* VERB_GROUP_COUNTED: how many belonged to it when this was told */
	uint32_t to_station_id; /* VERB_HAND_OVER */
	int64_t when_us;
	int64_t until_us;
	/* As in struct alarm_change. */
	const char *actor, *operator_code, *text;
};

/* Consoles have it.  Not a change: nothing happened to the alarm. */
struct alarm_seen {
	uint64_t alarm_id;
	uint32_t change;
	int64_t offered_us; /* 0: this entry doesn't say */
	int64_t shown_us;   /* likewise */
};

/* ---- Cards and rights ---------------------------------------------------- */

enum {
	CARD_KEY_BYTES = 32,
	RIGHT_TEXT_MAX = 64, /* bytes of a unit's code or a desk's name, without the end */
	RIGHT_SEALED_MAX = 16384,
	RIGHT_HOURS_MAX = 32,   /* spans of hours of one right */
	RIGHT_DOORS_MAX = 1024, /* doors of one change */
	LIST_DOORS_MAX = 256,   /* doors of one controller */
	WEEK_MINUTES = 7 * 24 * 60,
};

/* The numbers of `enum CardKind` of the contract. */
enum card_kind {
	CARD_KIND_NONE = 0,
	CARD_KIND_OWNER = 1,
	CARD_KIND_TENANT = 2,
	CARD_KIND_TEMPORARY = 3,
	CARD_KIND_STAFF = 4,
};

enum card_status {
	CARD_ACTIVE = 1,
	CARD_SUSPENDED = 2,
	CARD_LOST = 3,
	CARD_REVOKED = 4, /* for good; only a new registration makes it a card again */
};

/* Minutes of the week, from Monday 00:00 in the time of the site: [from, to). */
struct right_hours {
	uint16_t from_minute, to_minute;
};

/*
 * What a registration desk changed, after it was decided: the card as it stands
 * then, and with grant.* the doors and the window.  Applying it never fails, so
 * that replay gives the same rights.  Identity as that of a record: (desk_id,
 * epoch, seq); desks have their numbers from the same sequence as controllers.
 * Some 5 KiB: mind the stack.
 */
struct right_change {
	uint32_t desk_id;
	uint32_t site_id;
	uint16_t kind; /* KIND_CODE_CARD_REGISTERED .. KIND_CODE_GRANT_REMOVED */
	int64_t epoch;
	uint64_t seq;
	int64_t device_time_us; /* by the clock of the desk */
	int64_t received_us;
	uint32_t flags; /* RECORD_CLOCK_* */
	const char *by; /* borrowed, not terminated: name of the desk */
	size_t by_len;  /* 1 .. RIGHT_TEXT_MAX */
	/* The card, as it stands after the change. */
	uint8_t card_key[CARD_KEY_BYTES];
	uint8_t card_kind;     /* enum card_kind, not NONE */
	uint8_t status;        /* enum card_status */
	int64_t card_from_us;  /* opens nothing before */
	int64_t card_until_us; /* opens nothing from then on; 0: open end */
	const char *unit;      /* borrowed, not terminated */
	size_t unit_len;       /* 0 .. RIGHT_TEXT_MAX; 0: none */
	const uint8_t *sealed; /* borrowed: what the desk sealed anew; empty: as before */
	size_t sealed_len;     /* 0 .. RIGHT_SEALED_MAX */
	/* With KIND_CODE_GRANT_SET and KIND_CODE_GRANT_REMOVED, otherwise all 0. */
	int64_t valid_from_us;  /* names the right; with REMOVED 0: whatever its window */
	int64_t valid_until_us; /* 0: open end */
	size_t n_hours;         /* 0: always */
	struct right_hours hours[RIGHT_HOURS_MAX]; /* ascending, none touching another */
	size_t n_doors;
	uint32_t doors[RIGHT_DOORS_MAX]; /* ids, ascending, none twice */
};

/* For which doors a controller's list of rights is, from this entry on. */
struct list_doors {
	uint32_t controller_id;
	uint32_t site_id;
	const char *timezone; /* borrowed, not terminated: IANA name, in which its hours are */
	size_t timezone_len;  /* 1 .. RIGHT_TEXT_MAX; 0 without doors */
	size_t n_doors;       /* 0: the controller is gone */
	struct {
		uint32_t door_id;
		uint32_t number; /* on the controller, from 1 */
	} doors[LIST_DOORS_MAX]; /* ascending by id */
};

/* Longest body that the encoders below produce. */
enum { ENTRY_BODY_MAX = 64 * 1024 };

/* Bytes that encoding takes. */
size_t record_encoded_len(const struct record *record);
/* Writes them to `out`, returns the place behind.  The bounds above must hold. */
uint8_t *record_encode(const struct record *record, uint8_t *out);
enum rc record_decode(const uint8_t *body, size_t len, struct record *record,
		      struct err *err) MUST_CHECK;

size_t quarantine_encoded_len(const struct quarantine *q);
uint8_t *quarantine_encode(const struct quarantine *q, uint8_t *out);
enum rc quarantine_decode(const uint8_t *body, size_t len, struct quarantine *q,
			  struct err *err) MUST_CHECK;

size_t alarm_change_encoded_len(const struct alarm_change *change);
uint8_t *alarm_change_encode(const struct alarm_change *change, uint8_t *out);
enum rc alarm_change_decode(const uint8_t *body, size_t len, struct alarm_change *change,
			    struct err *err) MUST_CHECK;

size_t right_change_encoded_len(const struct right_change *change);
uint8_t *right_change_encode(const struct right_change *change, uint8_t *out);
/* Also checks what the struct says: ascending doors and hours, windows that end after
 * they begin, kinds and states that exist. */
enum rc right_change_decode(const uint8_t *body, size_t len, struct right_change *change,
			    struct err *err) MUST_CHECK;

size_t list_doors_encoded_len(const struct list_doors *doors);
uint8_t *list_doors_encode(const struct list_doors *doors, uint8_t *out);
enum rc list_doors_decode(const uint8_t *body, size_t len, struct list_doors *doors,
			  struct err *err) MUST_CHECK;

size_t action_encoded_len(const struct action *action);
uint8_t *action_encode(const struct action *action, uint8_t *out);
enum rc action_decode(const uint8_t *body, size_t len, struct action *action,
		      struct err *err) MUST_CHECK;

enum { ALARM_SEEN_BYTES = 28 };
uint8_t *alarm_seen_encode(const struct alarm_seen *seen, uint8_t *out);
enum rc alarm_seen_decode(const uint8_t *body, size_t len, struct alarm_seen *seen,
			  struct err *err) MUST_CHECK;

#endif
