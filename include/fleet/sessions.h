/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions of one worker with controllers and registration desks: hello, records,
 * acks.
 *
 * A record's way: frame -> message -> form and bounds -> door and site from the
 * register -> card number to token, number wiped -> encoded into the group of
 * this turn.  The group goes to the journal once per turn, and comes back when
 * it is durable; then, and not before, each session that had records in it gets
 * one cumulative ack.
 *
 * A registration desk's record goes to the registrar instead, as the card's key and
 * what is asked for, and is acknowledged or rejected when that says so.  A controller's
 * list of rights comes from there, too.
 *
 * A group of records that can wait goes at most once in `gather_ms`, and what comes
 * in between goes with it: a flush of the disk, and what it wakes, costs as much as many
 * records.  One that holds something for the desk goes with the end of its turn.
 *
 * Back-pressure: groups are few and of fixed size.  A session that finds none
 * free stops reading until one comes back.
 *
 * While the journal is short of space, sessions read on, keep alarms only (as if
 * sent ahead), acknowledge nothing new, and ask for the rest when it is over.
 *
 * Owner: the worker's thread.
 */
#ifndef GATEHOUSE_FLEET_SESSIONS_H
#define GATEHOUSE_FLEET_SESSIONS_H

#include "fleet/observer.h"
#include "fleet/registrar.h"
#include "fleet/roster.h"
#include "wire/card.h"
#include "wire/stream.h"

enum { SESSIONS_MAIL_GROUP = 150 }; /* a group of ours, durable */

struct sessions_conf {
	uint32_t heartbeat_s, lease_s, window, frame_max_bytes;
	uint64_t gap_wait_ms, hello_timeout_ms;
	int64_t clock_tolerance_us;
	uint32_t goaway_delay_ms;
	size_t group_bytes;
	unsigned groups;
	uint64_t gather_ms; /* 0: each turn's group goes by itself */
	const char *keys_dir;
	uint32_t node;
	int64_t start_us;           /* of the daemon, wall clock */
	unsigned worker, observers; /* see observer_init() */
	struct mailbox *registrar;  /* NULL: no desks are served, and no lists kept */
};

struct sessions_counters {
	counter open;          /* sessions now */
	counter desks;         /* of them, with registration desks */
	counter registrations; /* records passed to the registrar */
	counter list_bytes;    /* of lists of rights, sent on */
	counter records, bytes, rejected, duplicates, resends, gaps, ahead, heartbeats, acks;
	counter out_of_order; /* behind a hole, to be sent again */
	counter held;         /* left with their controller for want of space, to be sent again */
	counter groups_free;
	counter paused; /* sessions that wait for a group, now */
	counter closed[GOAWAY_COUNT];
	counter ended[STREAM_END_COUNT];
};

struct sessions;

/* `roster`: its mailbox.  `loop`'s own mailbox is where answers arrive. */
enum rc sessions_new(struct sessions **sessions, struct loop *loop,
		     const struct sessions_conf *conf, struct journal *journal,
		     struct mailbox *roster, struct err *err) MUST_CHECK;
/* All groups must have come back. */
void sessions_free(struct sessions **sessions);

/* A stream whose peer is a controller or a desk by its certificate; the session takes it
 * over.  A desk only where there is a registrar. */
void sessions_adopt(struct sessions *sessions, struct stream *stream);
/* Takes the reference; clients that are gone or disabled are sent away. */
void sessions_set_register(struct sessions *sessions, struct reg *reg);
/* ROSTER_MAIL_GRANT .. YIELD, REGISTRAR_MAIL_GRANT .. LIST and SESSIONS_MAIL_GROUP:
 * takes it. */
void sessions_mail(struct sessions *sessions, struct mail *mail);
/* At the end of each turn: posts the group. */
void sessions_turn(struct sessions *sessions);
/* Stop: no more reading; true once every group has come back and acks are written. */
void sessions_stop_reading(struct sessions *sessions);
bool sessions_drained(const struct sessions *sessions);
void sessions_close_all(struct sessions *sessions, enum goaway reason, const char *detail);
const struct sessions_counters *sessions_counters(const struct sessions *sessions);

#endif
