/* SPDX-License-Identifier: Apache-2.0 */
/* Events to signed requests, answers to what becomes of the events. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_source.h"
#include "base/version.h"
#include "web/cloudevent.h"
#include "webhooks_priv.h"

enum {
	SEND_LOG_PACE_MS = 60000,
	SEND_HEADER_MAX = 512,
	SEND_KIB = 1024,
	SEND_US_PER_S = 1000000,
};

enum { HTTP_GONE = 410 };

/* One request under way. */
struct delivery {
	struct webhook *webhook;
	struct webhook_event *event;
	struct calling *calling;
	LIST_ENTRY(delivery) in_all;
};

/* ---- Asking ------------------------------------------------------------------ */

static struct calling *
webhook_post(struct webhook *webhook, const char *id, const char *body, size_t n,
	     void (*on_done)(void *arg, const struct call_result *result), void *arg)
{
	const struct web_settings *conf = webhook->all->conf;
	int64_t now_s = clock_wall_us() / SEND_US_PER_S;
	char id_line[SEND_HEADER_MAX], time_line[SEND_HEADER_MAX], signed_line[SEND_HEADER_MAX];
	char signatures[WEBHOOK_SIGNATURES_TEXT];
	const struct call call = {
		.url = webhook->settings->url,
		.loopback_http = conf->webhook_loopback_http,
		.ca_file = webhook->settings->ca_file,
		.headers = {"content-type: application/cloudevents+json; charset=utf-8",
			    "user-agent: gatehouse-web/" GATEHOUSE_VERSION, id_line, time_line,
			    signed_line},
		.body = body,
		.body_bytes = n,
		.timeout_ms = (uint64_t)conf->webhook_timeout_ms,
		.answer_max = (size_t)conf->webhook_answer_kb * SEND_KIB,
	};

	webhook_sign(&webhook->secrets, id, now_s, body, n, signatures);
	(void)snprintf(id_line, sizeof(id_line), "webhook-id: %s", id);
	(void)snprintf(time_line, sizeof(time_line), "webhook-timestamp: %" PRId64, now_s);
	(void)snprintf(signed_line, sizeof(signed_line), "webhook-signature: %s", signatures);
	return caller_post(webhook->all->caller, &call, on_done, arg);
}

/* ---- What became of it ------------------------------------------------------- */

static void
webhook_note_error(struct webhook *webhook, const struct call_result *result)
{
	if (result->status != 0)
		(void)snprintf(webhook->last_error, sizeof(webhook->last_error), "answered %d",
			       result->status);
	else
		(void)snprintf(webhook->last_error, sizeof(webhook->last_error), "%s", result->why);
}

static void
webhook_log(const struct webhook *webhook, const char *what)
{
	char source[LOG_SOURCE_BYTES];
	uint64_t held_back;
	int n = snprintf(source, sizeof(source), "%s %s", what, webhook->settings->name);

	if (log_source_ok(source, (size_t)n < sizeof(source) ? (size_t)n : sizeof(source) - 1,
			  SEND_LOG_PACE_MS, &held_back))
		log_warning("webhook",
			    "webhook=%s %s: %s waiting=%zu given_up=%" PRIu64 " held_back=%" PRIu64,
			    webhook->settings->name, what, webhook->last_error,
			    webhook_queue_waiting(webhook->queue), webhook->given_up, held_back);
}

static void
webhook_take_success(struct webhook *webhook, struct webhook_event *event)
{
	if (webhook_queue_failures(webhook->queue) > 0)
		log_info("webhook", "webhook=%s takes events again", webhook->settings->name);
	webhook->last_error[0] = '\0';
	webhook->delivered++;
	webhook_queue_delivered(webhook->queue, event);
}

static void
webhook_take_failure(struct webhook *webhook, struct webhook_event *event,
		     const struct call_result *result)
{
	webhook_note_error(webhook, result);
	if (webhook_queue_failed(webhook->queue, event, clock_mono_ms(), result->retry_after_ms,
				 (unsigned)rand())) {
		webhook_log(webhook, "did not take an event, which is tried again");
		return;
	}
	webhook->given_up++;
	webhook_log(webhook, "did not take an event at the last attempt, and it is given up");
}

static void
delivery_done_cb(void *arg, const struct call_result *result)
{
	struct delivery *delivery = arg;
	struct webhook *webhook = delivery->webhook;
	struct webhook_event *event = delivery->event;

	LIST_REMOVE(delivery, in_all);
	free(delivery);
	if (result->status >= 200 && result->status <= 299) {
		webhook_take_success(webhook, event);
	} else if (result->status == HTTP_GONE) {
		webhook_note_error(webhook, result);
		webhook_log(webhook, "is gone, and switched off until it is loaded again");
		webhook_switch_off(webhook);
	} else {
		webhook_take_failure(webhook, event, result);
	}
	webhook_mark(webhook);
}

/* ---- Sending ----------------------------------------------------------------- */

static void
webhook_send(struct webhook *webhook, struct webhook_event *event)
{
	static const struct call_result no_memory = {.why = "out of memory"};
	struct delivery *delivery = xcalloc(1, sizeof(*delivery));

	*delivery = (struct delivery){.webhook = webhook, .event = event};
	LIST_INSERT_HEAD(&webhook->deliveries, delivery, in_all);
	webhook_queue_begin(webhook->queue, event);
	delivery->calling = webhook_post(webhook, event->id, event->body, event->body_bytes,
					 delivery_done_cb, delivery);
	if (delivery->calling == NULL)
		delivery_done_cb(delivery, &no_memory);
}

/* A receiver that forgot what it had must be told all, also after a crash: the disk says
 * first that there is no place to go on from.  A disk that fails holds nobody up. */
static bool
webhook_may_send(const struct webhook *webhook, const struct webhook_event *event)
{
	return event->type != WEBHOOK_RESYNC || webhook->saved_position == 0 ||
	       webhook->save_failed;
}

void
webhook_pump(struct webhook *webhook, uint64_t now_ms)
{
	struct webhook_event *event;

	while (webhook->upstream != NULL &&
	       (event = webhook_queue_next(webhook->queue, now_ms)) != NULL &&
	       webhook_may_send(webhook, event))
		webhook_send(webhook, event);
	/* half full, so that the daemon is not stopped and let go for each event */
	if (webhook->upstream != NULL &&
	    webhook_queue_waiting(webhook->queue) <= (size_t)webhook->all->conf->webhook_queue / 2)
		upstream_hold(webhook->upstream, false);
}

void
webhook_cancel(struct webhook *webhook)
{
	struct delivery *delivery;

	while ((delivery = LIST_FIRST(&webhook->deliveries)) != NULL) {
		caller_cancel(&delivery->calling);
		LIST_REMOVE(delivery, in_all);
		free(delivery);
	}
}

/* ---- A test ------------------------------------------------------------------ */

static void
test_done_cb(void *arg, const struct call_result *result)
{
	struct webhook *webhook = arg;
	json_t *answer = json_stringn(result->answer, result->answer_bytes), *tested;

	webhook->testing = NULL;
	free(webhook->test_body);
	webhook->test_body = NULL;
	if (answer == NULL)
		answer = json_string("(not UTF-8)");
	tested = json_pack("{s:b, s:i, s:s, s:I, s:o}", "ok", 1, "status", result->status, "error",
			   result->status == 0 ? result->why : "", "took_ms",
			   (json_int_t)result->took_ms, "answer", answer);
	webhook->all->hooks.on_tested(webhook->all->hooks.arg, webhook->test_ticket, tested);
}

void
webhook_send_test(struct webhook *webhook)
{
	static const struct call_result no_memory = {.why = "out of memory", .answer = ""};
	const char *name = webhook->settings->name;
	int64_t now_us = clock_wall_us();
	json_t *data = json_pack("{s:s}", "webhook", name);
	const struct cloudevent event = {
		.name = "test",
		.node = webhook->node,
		.subject = webhook->settings->station,
		.time_us = now_us,
		.data = data,
	};
	char *id = xasprintf("%s_test-%" PRId64, name, now_us);

	webhook->test_body = event_json(&event);
	webhook->testing = webhook_post(webhook, id, webhook->test_body, strlen(webhook->test_body),
					test_done_cb, webhook);
	if (webhook->testing == NULL)
		test_done_cb(webhook, &no_memory);
	json_decref(data);
	free(id);
}
