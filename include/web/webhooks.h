/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Those who want to be called: each change of an alarm of a station is posted to them,
 * signed as Standard Webhooks 1.0.0 has it.
 *
 * Each webhook is a console of its own to the daemon, with a place of its own in the
 * daemon's stream, a queue, and requests of its own: one that is slow or dead holds up
 * neither the pages nor another.  What is told is told at least once and, of one alarm, in
 * order; a webhook that can't be told change by change is told so by a resync, as the pages
 * are, and then all alarms that stand.
 *
 * An event is delivered when the answer is 2xx.  410 switches the webhook off until it is
 * loaded again; after all else it is tried again, and at last given up and counted.
 *
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_WEBHOOKS_H
#define GATEHOUSE_WEB_WEBHOOKS_H

#include <jansson.h>

#include "base/loop.h"
#include "web/settings.h"
#include "web/upstream.h"

struct webhooks;

/* What can be known before they run: addresses, secrets, authorities, stations.  RC_INVALID
 * names the webhook and what is wrong. */
enum rc webhooks_check(const struct web_settings *settings, struct upstreams *upstreams,
		       struct err *err) MUST_CHECK;

/* All of it is borrowed. */
struct webhooks_conf {
	const struct web_settings *settings;
	struct loop *loop;
	struct upstreams *upstreams;
	/* What came back from a test: takes an object {status, error, took_ms, answer}, with
	 * status 0 where no answer came. */
	void (*on_tested)(void *arg, uint64_t ticket, json_t *tested);
	void *arg;
};

/* Checks first.  On failure webhooks_close() takes back what there is. */
enum rc webhooks_open(struct webhooks **webhooks, const struct webhooks_conf *conf,
		      struct err *err) MUST_CHECK;
/* Saves how far each was told; the answers to that are with the loop's mailbox then. */
void webhooks_close(struct webhooks **webhooks);

/* At the end of each turn; several times a second. */
void webhooks_turn(struct webhooks *webhooks);
void webhooks_tick(void *webhooks);
/* Takes mail of the kind PLACES_MAIL_SAVED. */
void webhooks_mail(struct webhooks *webhooks, struct mail *mail);
/* Secrets are read again; who was switched off is on again. */
void webhooks_reload(struct webhooks *webhooks);

/* New: an array with an object for each. */
json_t *webhooks_status(const struct webhooks *webhooks);
/* Sends an event that says it is a test; on_tested gets `ticket` with what came back, maybe
 * before this returns.  RC_INVALID: no such webhook; RC_AGAIN: the last test has not ended. */
enum rc webhooks_test(struct webhooks *webhooks, const char *name, uint64_t ticket,
		      struct err *err) MUST_CHECK;

#endif
