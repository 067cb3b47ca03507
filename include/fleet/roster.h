/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roster: for each controller, which session speaks for it, where its
 * sequence stands between sessions, and whether it is lost.  Decided in one
 * thread, so that a reconnect that races with the end of a lease has one
 * outcome.
 *
 * A session claims its controller when it said hello.  Where another session
 * has it, that one is asked to yield first: the new one begins where the old one
 * ended, and what the two were sent never overlaps.  Each grant has a
 * generation; whatever speaks of an older one is ignored.
 *
 * Lease: a controller that had a session and has none is lost when `lease_ms`
 * passed since it was last heard; then comms.controller_lost goes into the
 * journal once, and comms.controller_restored with the next grant.  While the
 * register doesn't know it or has it disabled, the lease stands still.
 *
 * Owner: the daemon's main thread.
 */
#ifndef GATEHOUSE_FLEET_ROSTER_H
#define GATEHOUSE_FLEET_ROSTER_H

#include "base/counter.h"
#include "base/loop.h"
#include "fleet/positions.h"
#include "journal/journal.h"
#include "register/register.h"
#include "wire/controller_msg.h"

enum {
	/* to the roster */
	ROSTER_MAIL_CLAIM = 100, /* struct roster_claim */
	ROSTER_MAIL_RELEASE,     /* struct roster_release */
	ROSTER_MAIL_GROUP,       /* a group of its own, durable */
	/* to a session's box */
	ROSTER_MAIL_GRANT, /* struct roster_grant */
	ROSTER_MAIL_DENY,  /* struct roster_grant with a reason */
	ROSTER_MAIL_YIELD, /* struct roster_grant: give it up, answer by a release */
};

/* What outlives a session. */
struct sequence {
	int64_t epoch;
	uint64_t last_seq;
	int64_t device_time_us; /* of the last record */
	uint64_t asked_from;    /* a hole at this seq was asked for, and not filled; 0: none */
	struct gaps gaps;       /* declared: what comes of them is no double */
};

/* Messages are allocated by the sender and freed by the receiver. */
struct roster_claim {
	struct mail mail;
	uint32_t controller_id;
	struct mailbox *box; /* where the answer goes */
	uint64_t session;    /* the box's own id */
	uint64_t epoch;      /* of the hello: 0 asks for a new one */
	uint64_t acked_seq;
};

struct roster_release {
	struct mail mail;
	uint32_t controller_id;
	uint64_t generation;
	struct sequence sequence;
	uint64_t heard_ms; /* monotonic: when the controller was last heard */
};

struct roster_grant {
	struct mail mail;
	uint64_t session;
	uint32_t controller_id;
	uint64_t generation;
	struct sequence sequence;
	enum goaway reason; /* of a denial */
};

struct roster_conf {
	uint64_t lease_ms;
	uint32_t node;
	int64_t start_us;                   /* of the daemon, wall clock */
	unsigned observer_index, observers; /* see observer_init() */
};

struct roster_counters {
	counter online; /* controllers with a session */
	counter lost;
	counter superseded, behind; /* behind: a controller had acks for more than we have */
};

struct roster;

/* `start` is what the journal knew; it is copied.  Controllers in it have one
 * lease from now to come back. */
enum rc roster_new(struct roster **roster, struct loop *loop, const struct roster_conf *conf,
		   const struct positions *start, struct journal *journal,
		   struct err *err) MUST_CHECK;
void roster_free(struct roster **roster);
/* A message of the kinds above; takes it. */
void roster_mail(struct roster *roster, struct mail *mail);
/* Takes the reference. */
void roster_set_register(struct roster *roster, struct reg *reg);
/* No group of its own is under way. */
bool roster_drained(const struct roster *roster);
const struct roster_counters *roster_counters(const struct roster *roster);

#endif
