/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console sessions of one worker: hello, subscribe, keep-alive, and the
 * bytes that the hub sends them.
 *
 * Owner: the worker's thread.
 */
#ifndef GATEHOUSE_DESK_CONSOLES_H
#define GATEHOUSE_DESK_CONSOLES_H

#include "desk/actions.h"
#include "desk/hub.h"
#include "wire/stream.h"

struct consoles_conf {
	uint32_t node;
	uint64_t keepalive_ms;     /* nobody is silent for longer; a console that is for
				      three times as long is closed */
	uint64_t stall_ms;         /* reads nothing that waits for it: closed as slow */
	uint64_t hello_timeout_ms; /* for ConsoleHello after the handshake */
	size_t frame_max_bytes;
	uint32_t goaway_delay_ms;
};

struct consoles_counters {
	counter open;                    /* sessions now */
	counter closed[GOAWAY_COUNT];    /* by the reason that we gave */
	counter ended[STREAM_END_COUNT]; /* by the other side or the network */
};

struct consoles;

/* The hub's deliveries arrive in the mailbox of `loop`, as HUB_MAIL_DELIVERY. */
enum rc consoles_new(struct consoles **consoles, struct loop *loop,
		     const struct consoles_conf *conf, struct mailbox *hub,
		     struct err *err) MUST_CHECK;
/* All sessions must be closed. */
void consoles_free(struct consoles **consoles);

/* A stream whose peer is a console by its certificate; the session takes it over. */
void consoles_adopt(struct consoles *consoles, struct stream *stream);
/* Takes the reference; sessions that the register no longer allows, or that
 * belong to another station now, are sent away. */
void consoles_set_register(struct consoles *consoles, struct reg *reg);
/*
 * HUB_MAIL_DELIVERY: takes it.  The position of a keep-alive is that of the
 * session's last delivery, from which it can go on without missing anything; the
 * one in a welcome is the highest that this worker has delivered to anybody.
 */
void consoles_deliver(struct consoles *consoles, struct hub_delivery *delivery);
/* ACTIONS_MAIL_ANSWER: takes it. */
void consoles_answer(struct consoles *consoles, struct action_answer *answer);
/* Call at the end of each turn, behind that of the streams: tells the hub what was sent
 * in it, and who is gone. */
void consoles_turn(struct consoles *consoles);
/* Goaway to all, and close. */
void consoles_close_all(struct consoles *consoles, enum goaway reason, const char *detail);
const struct consoles_counters *consoles_counters(const struct consoles *consoles);

#endif
