/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub: who gets which change.  Every subscriber has a cursor in the desk's
 * ring and a credit of bytes; the hub sends while there is credit and something
 * to send.  One that stops reading uses its credit up and costs nothing more;
 * when it reads again it goes on from its cursor, and when its cursor has left
 * the ring it is told so by a resync.  Nothing is left out in silence.
 *
 * A subscriber sees the alarms of the areas that its station is responsible for
 * (with all below them), and those that were handed over to it, narrowed by its filter.
 * The station that is responsible first is called to answer; by escalation those further
 * up, too.
 *
 * Owner: the thread of the desk.  Subscribers live on other threads, and are
 * known by their mailbox and an id.
 */
#ifndef GATEHOUSE_DESK_HUB_H
#define GATEHOUSE_DESK_HUB_H

#include "base/counter.h"
#include "base/mailbox.h"
#include "desk/desk.h"
#include "register/register.h"
#include "wire/console_msg.h"

/* ---- Messages to the hub: allocated by the sender, freed by the hub ------ */

enum {
	HUB_MAIL_SUBSCRIBE = 200, /* struct hub_subscribe; again replaces the filter */
	HUB_MAIL_UNSUBSCRIBE,     /* struct hub_note */
	HUB_MAIL_SENT,            /* struct hub_note: so many bytes are with the kernel */
	HUB_MAIL_DELIVERY,        /* struct hub_delivery, to a subscriber's mailbox */
};

enum hub_format {
	HUB_FORMAT_WIRE, /* framed ToConsole messages */
	HUB_FORMAT_JSON, /* one JSON object per line, for gatehousectl tail */
};

struct hub_subscribe {
	struct mail mail;
	struct mailbox *box; /* of the subscriber's thread */
	uint64_t id;         /* unique within the box */
	enum hub_format format;
	uint32_t station_id; /* 0: everything, for an operator at the server */
	uint64_t from_position;
	enum severity severity_min;
	char (*areas)[REGISTER_CODE_MAX + 1]; /* allocated; the hub takes it; NULL: all */
	size_t n_areas;
	uint16_t *kinds; /* allocated; the hub takes it; NULL: all */
	size_t n_kinds;
	bool called_only; /* only alarms to which its station is called */
};

struct hub_note {
	struct mail mail;
	struct mailbox *box;
	uint64_t id;
	size_t bytes;
};

/* The same bytes for one or more subscribers of one box. */
struct hub_delivery {
	struct mail mail;
	/* What these subscribers may see is with them up to here, once they have the
	 * bytes; 0 within a snapshot, from which one can't go on. */
	uint64_t position;
	uint8_t *bytes; /* allocated with the struct's end */
	size_t n;
	size_t n_ids;
	uint64_t ids[];
};

void hub_delivery_free(struct hub_delivery **delivery);

/* ---- The hub ------------------------------------------------------------- */

struct hub_counters {
	counter subscribers, changes_sent, resyncs;
};

struct hub;

/* `desk` is borrowed.  `credit_bytes`: sent and not yet with the kernel, per subscriber. */
struct hub *hub_new(const struct desk *desk, size_t credit_bytes);
void hub_free(struct hub **hub);
/* Told of each change that is written to consoles, once or more. */
typedef void hub_offer_cb(void *arg, const struct alarm_change *change);
void hub_on_offer(struct hub *hub, hub_offer_cb *offer, void *arg);

/* Takes the reference.  A subscriber that now sees other standing alarms than
 * before gets a resync. */
void hub_set_register(struct hub *hub, struct reg *reg);
/* Takes the message; of a kind named above. */
void hub_mail(struct hub *hub, struct mail *mail);
/*
 * Sends what there is to send: after changes were applied, and after messages.
 * New changes go out first and to all; for those who catch up the work of one
 * call is bounded.  True when some of it is left: call again soon.
 */
bool hub_pump(struct hub *hub);
/* Any thread. */
const struct hub_counters *hub_counters(const struct hub *hub);

#endif
