/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registration desk's conversation with the daemon, for a program that does one
 * thing and ends: records are pulled from their source as fast as the window allows,
 * and each is answered once.  A connection that is lost is made anew, and what was
 * not answered goes out again under the same number; so each record is applied once.
 *
 * The enrolment folder (ctl/enrol.h) gets one more file, `epoch`: the generation of
 * the desk's numbers, so that the next run goes on where this one ended.  It is locked
 * while a program uses the folder.
 *
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_DESK_LINK_H
#define GATEHOUSE_CTL_DESK_LINK_H

#include "base/base.h"
#include "wire/controller_msg.h"
#include "wire/registration.h"

enum {
	DESK_LINK_TRIES = 5,          /* connections without an answer, one after the other */
	DESK_LINK_PATIENCE_MS = 15000 /* silence after which the connection is given up */
};

/* The folder's client.json. */
struct desk_folder {
	char *dir, *name, *host;
	int port;
};

/* RC_INVALID: it is not the folder of a registration desk. */
enum rc desk_folder_open(struct desk_folder *folder, const char *dir, struct err *err) MUST_CHECK;
void desk_folder_fini(struct desk_folder *folder);

/* What a record asks for, and about which card; borrowed until it is sent.  `ask.seq`
 * is given here. */
struct desk_record {
	const char *site; /* code */
	const uint8_t *card;
	size_t card_len; /* 1 .. CARD_MAX; 0: ask.card_key is given */
	struct registration ask;
};

enum desk_answer {
	DESK_ACCEPTED, /* durable, and in force */
	DESK_REFUSED,
	DESK_UNKNOWN, /* durable, but whether it was accepted was lost with a connection */
};

struct desk_source {
	/* The next record; false: there is no more. */
	bool (*next)(void *arg, struct desk_record *record);
	/* In the order of sending, `number` from 0; `detail` is the server's sentence of a
	 * refusal, otherwise empty. */
	void (*answered)(void *arg, size_t number, enum desk_answer answer, enum reject reason,
			 const char *detail);
	void *arg;
};

/* Returns when each record was answered.  RC_INVALID: the server sends this desk away
 * for good, or a record is longer than a frame; RC_FAIL: nobody answers there, or another
 * program uses the folder.  What was answered until then is in force. */
enum rc desk_link_run(const struct desk_folder *folder, const struct desk_source *source,
		      struct err *err) MUST_CHECK;

#endif
