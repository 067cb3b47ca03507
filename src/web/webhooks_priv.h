/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside web/webhooks: webhooks.c is who they are and what comes from the daemon;
 * webhook_send.c is what goes to the receiver.
 */
#ifndef GATEHOUSE_WEB_WEBHOOKS_PRIV_H
#define GATEHOUSE_WEB_WEBHOOKS_PRIV_H

#include <sys/queue.h>

#include "web/caller.h"
#include "web/places.h"
#include "web/webhook_queue.h"
#include "web/webhooks.h"
#include "wire/webhook.h"

enum { WEBHOOK_WHY_MAX = 200 };

/* Owner: the loop's thread. */
struct webhook {
	struct webhooks *all;
	const struct webhook_settings *settings;
	struct console_filter filter;
	struct webhook_secrets secrets;
	struct webhook_queue *queue;
	struct upstream *upstream; /* NULL: switched off */
	bool connected;
	bool wake; /* something may be there to be sent */

	/* Where the daemon's stream is. */
	uint32_t node;
	bool in_resync;
	int64_t resync_us; /* names the events of the resync */

	/* On the disk.  Invariant: while a resync is told, the disk says 0. */
	uint64_t saved_position, saved_ms;
	bool saving, save_failed;

	uint64_t delivered, given_up;
	char last_error[WEBHOOK_WHY_MAX]; /* "" : none since the last delivery */
	LIST_HEAD(, delivery) deliveries;

	struct calling *testing;
	uint64_t test_ticket;
	char *test_body;
};

struct webhooks {
	struct webhooks_conf hooks;
	const struct web_settings *conf;
	struct caller *caller;
	struct places *places;
	struct webhook *items;
	size_t n;
	bool any_wake;
};

/* ---- webhooks.c --------------------------------------------------------------- */

/* 410: no more until it is loaded again.  Nothing of its queue may be used after this. */
void webhook_switch_off(struct webhook *webhook);
void webhook_mark(struct webhook *webhook);

/* ---- webhook_send.c ----------------------------------------------------------- */

/* Sends whatever has its turn now. */
void webhook_pump(struct webhook *webhook, uint64_t now_ms);
/* Forgets what is under way; the events stay what they are. */
void webhook_cancel(struct webhook *webhook);
void webhook_send_test(struct webhook *webhook);

#endif
