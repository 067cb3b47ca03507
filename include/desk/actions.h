/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on their way: what consoles and operators ask for is looked at against the
 * register and the desk, goes into the journal, and is answered when the desk has come
 * to it there.  So nobody is told of anything that is not durable, and who was first is
 * decided by the journal.
 *
 * What the server does by itself when a time is over takes the same way.
 *
 * Owner: the thread of the desk.
 */
#ifndef GATEHOUSE_DESK_ACTIONS_H
#define GATEHOUSE_DESK_ACTIONS_H

#include "base/counter.h"
#include "base/mailbox.h"
#include "desk/desk.h"
#include "register/register.h"
#include "wire/console_msg.h"

/* ---- Messages: allocated by the sender, freed by the receiver ------------------- */

enum {
	ACTIONS_MAIL_ASK = 220, /* struct action_ask */
	ACTIONS_MAIL_SHOWN,     /* struct shown_ask */
	ACTIONS_MAIL_ANSWER,    /* struct action_answer, to the mailbox that asked */
};

/* Each text that the contract bounds, with its end. */
struct action_ask {
	struct mail mail;
	struct mailbox *box; /* of whoever asks ... */
	uint64_t id;         /* ... and his number there */
	enum actor_kind actor_kind;
	uint32_t station_id; /* 0: an operator at the server, who sees everything */
	bool supervisor;
	/* its texts are those below */
	struct action_request request;
	char actor[ALARM_NAME_MAX + 1];
	char operator_code[ALARM_NAME_MAX + 1];
	char text[ALARM_TEXT_MAX + 1];
	char station[ALARM_NAME_MAX + 1];
};

/* Copies the request with its texts. */
struct action_ask *action_ask_new(const struct action_request *request);

struct shown_ask {
	struct mail mail;
	uint32_t station_id;
	size_t n;
	struct alarm_seen alarms[SHOWN_MAX];
};

struct action_answer {
	struct mail mail;
	uint64_t id;
	struct action_result result; /* its texts are those below */
	char by[ALARM_BY_MAX + 1];
	char detail[ALARM_TEXT_MAX + 1];
};

/* ---- The actions ------------------------------------------------------------------ */

struct actions_conf {
	int64_t shelve_max_us;  /* nothing is shelved for longer */
	int64_t service_max_us; /* ... or out of service */
	size_t waiting_max;     /* without an answer, of all who ask; then they are refused */
};

struct actions_counters {
	counter accepted, refused;
	counter waiting; /* now */
	counter escalated;
};

struct actions;

/* `desk` is borrowed. */
struct actions *actions_new(const struct actions_conf *conf, struct desk *desk);
void actions_free(struct actions **actions);
/* Borrowed until the next one. */
void actions_set_register(struct actions *actions, const struct reg *reg);
/* Takes ACTIONS_MAIL_ASK or ACTIONS_MAIL_SHOWN. */
void actions_mail(struct actions *actions, struct mail *mail);
/* Queues what the server is to do at this time. */
void actions_due(struct actions *actions, int64_t now_us);
/* The hub has written this alarm to a console: queues that it was, the first time. */
void actions_offered(struct actions *actions, const struct alarm_change *change, int64_t now_us);
/* Writes what is queued with `room`, which gives place for a body of an entry, or NULL
 * when there is none now: then false, and the rest stays queued. */
bool actions_journal(struct actions *actions, uint8_t *(*room)(void *arg, uint8_t type, size_t len),
		     void *arg);
/* The body of an ENTRY_ACTION of the journal that is durable; `position`: behind it.
 * *changed: an alarm did.  RC_INVALID when it can't be read, as below. */
enum rc actions_apply(struct actions *actions, const uint8_t *body, size_t len, uint64_t position,
		      bool *changed, struct err *err) MUST_CHECK;
/* That of an ENTRY_SEEN. */
enum rc actions_apply_seen(struct actions *actions, const uint8_t *body, size_t len,
			   struct err *err) MUST_CHECK;
/* Any thread. */
const struct actions_counters *actions_counters(const struct actions *actions);

#endif
