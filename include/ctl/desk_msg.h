/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the contract as a registration desk writes and reads them, and the
 * client.json of its folder.  Protobuf stays inside.  Any thread.
 */
#ifndef GATEHOUSE_CTL_DESK_MSG_H
#define GATEHOUSE_CTL_DESK_MSG_H

#include "ctl/desk_link.h"

/* Each: a whole frame in new memory, of *n bytes. */
uint8_t *desk_msg_hello(uint64_t epoch, uint64_t acked_seq, size_t *n);
uint8_t *desk_msg_record(const struct desk_record *record, size_t *n);
uint8_t *desk_msg_heartbeat(size_t *n);

enum desk_msg_type {
	DESK_MSG_WELCOME, /* epoch, seq to resume after, window, frame_max, heartbeat_s */
	DESK_MSG_ACK,     /* seq */
	DESK_MSG_REJECT,  /* seq, reject, detail */
	DESK_MSG_RESEND,  /* seq to send from */
	DESK_MSG_GOAWAY,  /* detail, delay_ms, final */
	DESK_MSG_OTHER,   /* of no interest to a desk */
};

struct desk_msg {
	enum desk_msg_type type;
	uint64_t epoch, seq;
	uint32_t window, frame_max, heartbeat_s, delay_ms;
	enum reject reject;
	bool final;   /* coming back doesn't help */
	char *detail; /* new memory, printable; never NULL */
};

/* False: not a message of the contract. */
bool desk_msg_read(const uint8_t *payload, size_t n, struct desk_msg *msg);
void desk_msg_fini(struct desk_msg *msg);

/* New memory each.  RC_INVALID: not the client.json of a registration desk. */
enum rc desk_msg_read_client(const char *path, char **name, char **host, int *port,
			     struct err *err) MUST_CHECK;

#endif
