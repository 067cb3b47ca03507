/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What consoles.c and console_session.c share: one session, and the set of a
 * worker.  Names that other files see begin with console_: the fleet has sessions
 * of its own.
 */
#ifndef GATEHOUSE_CONSOLE_PRIV_H
#define GATEHOUSE_CONSOLE_PRIV_H

#include <sys/queue.h>

#include "desk/consoles.h"

/* A table that can't grow is memory that we chose and that is not there. */
#define uthash_fatal(text) fatal("out of memory: %s", text)
#include <uthash.h>

enum {
	CONSOLE_SWEEP_MS = 1000,
	/* A console that subscribes again and again costs the hub one request in so
	 * long; the last one wins. */
	CONSOLE_SUBSCRIBE_PACE_MS = 1000,
	/* Silent for so many times keepalive_ms: gone. */
	CONSOLE_SILENCES_MAX = 3,
	/* Actions of one console that wait for their answers, as the contract says. */
	CONSOLE_ACTIONS_MAX = 32,
	/* For one decoded message: a subscription's 64 areas of 64 bytes and 64 kinds,
	 * with the tables around them, are less than 8 KiB. */
	CONSOLE_ARENA_BYTES = 32 * 1024,
};

enum session_state {
	SESSION_WAITING_HELLO,     /* until hello_timeout_ms */
	SESSION_WAITING_SUBSCRIBE, /* as long as it says something */
	SESSION_SUBSCRIBED,
	SESSION_CLOSED, /* its stream is gone; freed at the next sweep */
	SESSION_STATES,
};

/* Owner: the worker's thread.  Others know its id. */
struct session {
	unsigned magic;
	enum session_state state;
	struct consoles *consoles;
	struct stream *stream; /* NULL when closed */
	uint64_t id;           /* never used again */
	uint32_t station_id;   /* from the hello on */
	unsigned n_actions;    /* without an answer */

	/* Monotonic, ms. */
	uint64_t opened_ms, heard_ms, said_ms;
	uint64_t moved_ms;      /* the kernel took bytes, or none waited */
	uint64_t subscribed_ms; /* last subscription that went to the hub */

	uint64_t written;  /* bytes, all told */
	uint64_t moved;    /* ... that were with the kernel at moved_ms */
	size_t owed;       /* delivered by the hub, and not yet noted as sent */
	uint64_t position; /* what it may see is with it up to here; 0: unknown */

	struct hub_subscribe *wanted; /* waits for its time */
	const char *closing;          /* why we close, for the log */
	const char *closing_detail;

	UT_hash_handle hh;
	TAILQ_ENTRY(session) in_all; /* of the live or of the dead */
};
TAILQ_HEAD(session_list, session);

/* Owner: the worker's thread. */
struct consoles {
	struct consoles_conf conf;
	struct mailbox *box; /* of the worker */
	struct mailbox *hub;
	struct reg *reg; /* NULL: none yet */
	struct arena arena;
	struct session *by_id;
	struct session_list live, dead;
	uint64_t next_id;
	uint64_t position;                   /* highest that any session was sent */
	struct mail *first_note, *last_note; /* to the hub, at the end of the turn */
	struct consoles_counters counters;
};

/* Takes the stream over. */
void console_session_open(struct consoles *consoles, struct stream *stream);
/* Goaway, and the end.  `detail` is used during the call only. */
void console_session_close(struct session *session, enum goaway reason, const char *detail);
/* Closes it when the register doesn't allow it (any more). */
bool console_session_check_rights(struct session *session);
/* Deadlines, keep-alive, a subscription that waits. */
void console_session_sweep(struct session *session, uint64_t now_ms);
void console_session_deliver(struct session *session, const struct hub_delivery *delivery);
void console_session_answer(struct session *session, const struct action_result *result);
void console_session_free(struct session *session);

#endif
