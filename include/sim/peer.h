/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One simulated client's connection: connects, comes back after it was lost,
 * and cuts bytes into messages.  What the messages mean is its owner's: a
 * controller or a console, which embeds the struct.
 *
 * Owner: the simulator's thread.
 */
#ifndef GATEHOUSE_SIM_PEER_H
#define GATEHOUSE_SIM_PEER_H

#include "gatehouse.pb-c.h"
#include "sim/enrolment.h"
#include "wire/stream.h"

enum peer_state {
	PEER_AWAY,     /* not connected; tries again at retry_at_ms */
	PEER_SHAKING,  /* connecting, or in the handshake */
	PEER_GREETING, /* said hello */
	PEER_READY,    /* was welcomed */
	PEER_STOPPED,  /* its files are not usable, or the server won't have it */
};

struct peer;

struct peer_hooks {
	void (*on_open)(struct peer *peer); /* say hello */
	/* One message.  May close the peer. */
	void (*on_message)(struct peer *peer, const uint8_t *payload, size_t n);
	void (*on_drained)(struct peer *peer);
	void (*on_down)(struct peer *peer); /* it was open, and is not any more */
};

/* What all peers of the process share, and what happened to them. */
struct peers {
	struct stream_set *streams;
	unsigned handshakes, handshakes_max; /* now, at most */
	unsigned source_addresses;
	uint64_t random;
	size_t ready;                      /* peers that are PEER_READY */
	bool resume;                       /* come back by short handshakes where possible */
	uint64_t connects, downs, goaways; /* ever */
	uint64_t resumed;                  /* connects by a short handshake */
	uint64_t goaways_by_reason[16];
	char last_problem[320]; /* why the last peer went down, or empty */
	bool closing;           /* nobody comes back any more */
};

struct peer {
	enum peer_state state;
	struct peers *peers;
	const struct enrolment *enrolment;
	const struct peer_hooks *hooks;
	uint32_t number; /* chooses the source address */
	unsigned attempts;
	struct tls *tls;       /* from the first connection on */
	struct stream *stream; /* NULL: none */
	bool was_ready;        /* ever */
	bool told_delay;       /* goaway said when to come back */
	uint64_t retry_at_ms;
	uint64_t heard_ms, spoke_ms; /* last message in each direction */
};

/* A number below `below`, by chance. */
uint64_t peers_random(struct peers *peers, uint64_t below);

void peer_init(struct peer *peer, struct peers *peers, const struct enrolment *enrolment,
	       const struct peer_hooks *hooks, uint32_t number);
/* Closes without a hook being called. */
void peer_fini(struct peer *peer);

/* Connects when it is away, its time has come, and a handshake is free. */
void peer_try(struct peer *peer, uint64_t now_ms);
/* The welcome came. */
void peer_set_ready(struct peer *peer);
/* The server said that it will close. */
void peer_goaway(struct peer *peer, const Gatehouse__V1__Goaway *goaway);
/* Ends the connection because of `why`; comes back later. */
void peer_close(struct peer *peer, const char *why);

/* Sends one message; a peer that isn't open sends nothing. */
void peer_send(struct peer *peer, const ProtobufCMessage *message);
/* Queues whole frames.  RC_AGAIN: nothing was queued, on_drained will come. */
enum rc peer_write(struct peer *peer, const void *frames, size_t n) MUST_CHECK;

#endif
