/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the webhooks are, what the daemon tells each of them, and how far each was told.
 */
#include "web/webhooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/log_source.h"
#include "web/cloudevent.h"
#include "webhooks_priv.h"

enum { WEBHOOKS_LOG_PACE_MS = 60000, WEBHOOKS_CA_MAX = 1 << 20, WEBHOOKS_S = 1000 };

void
webhook_mark(struct webhook *webhook)
{
	webhook->wake = true;
	webhook->all->any_wake = true;
}

static struct webhook_queue *
webhook_new_queue(const struct webhook *webhook, uint64_t place)
{
	const struct web_settings *conf = webhook->all->conf;
	const struct webhook_rules rules = {
		.attempts = (unsigned)conf->webhook_attempts,
		.retry_first_ms = (uint64_t)conf->webhook_retry_first_ms,
		.retry_max_ms = (uint64_t)conf->webhook_retry_max_s * WEBHOOKS_S,
		.retry_factor = (unsigned)conf->webhook_retry_factor,
		.events_max = (size_t)conf->webhook_queue,
		.under_way_max = (size_t)conf->webhook_under_way,
	};

	return webhook_queue_new(&rules, place);
}

/* ---- What the daemon says ---------------------------------------------------- */

static uint64_t
taker_welcome(void *arg, uint32_t node)
{
	struct webhook *webhook = arg;

	if (webhook->node != 0 && webhook->node != node)
		webhook_queue_forget_place(webhook->queue);
	webhook->node = node;
	return webhook_queue_taken(webhook->queue);
}

static void
taker_connected(void *arg, bool connected)
{
	struct webhook *webhook = arg;

	webhook->connected = connected;
}

/* Takes `data`, and `id`, which is that of the request. */
static void
webhook_put_mark(struct webhook *webhook, enum webhook_event_type type, const char *name,
		 uint64_t position, char *id, json_t *data)
{
	char place[EVENT_ID_MAX];
	const struct cloudevent event = {
		.name = name,
		.id = position > 0 ? place : NULL,
		.node = webhook->node,
		.subject = webhook->settings->station,
		.time_us = clock_wall_us(),
		.data = data,
	};

	event_id_write(place, webhook->node, position);
	webhook_queue_put(webhook->queue, type, position, 0, id, event_json(&event));
	json_decref(data);
	webhook_mark(webhook);
}

static void
taker_resync(void *arg, const char *reason)
{
	struct webhook *webhook = arg;

	webhook->in_resync = true;
	webhook->resync_us = clock_wall_us();
	webhook_put_mark(webhook, WEBHOOK_RESYNC, "resync", 0,
			 xasprintf("%s_%" PRIu32 "-r%" PRId64, webhook->settings->name,
				   webhook->node, webhook->resync_us),
			 json_pack("{s:s}", "reason", reason));
}

static void
taker_snapshot_end(void *arg, uint64_t position)
{
	struct webhook *webhook = arg;

	webhook->in_resync = false;
	webhook_put_mark(webhook, WEBHOOK_SNAPSHOT_END, "snapshot_end", position,
			 xasprintf("%s_%" PRIu32 "-r%" PRId64 "-end", webhook->settings->name,
				   webhook->node, webhook->resync_us),
			 json_object());
}

static void
taker_alarm(void *arg, const struct console_alarm *alarm)
{
	struct webhook *webhook = arg;
	const char *name = webhook->settings->name;
	json_t *data = event_alarm_data(alarm);
	char subject[24], place[EVENT_ID_MAX], *id;
	const struct cloudevent event = {
		.name = "alarm",
		.id = webhook->in_resync ? NULL : place,
		.node = webhook->node,
		.subject = subject,
		.time_us = alarm->durable_us,
		.data = data,
	};

	(void)snprintf(subject, sizeof(subject), "%" PRIu64, alarm->alarm_id);
	event_id_write(place, webhook->node, alarm->position);
	/* as it stands it is told anew, although the change that made it so was told */
	id = webhook->in_resync ? xasprintf("%s_%" PRIu32 "-r%" PRId64 "-%s", name, webhook->node,
					    webhook->resync_us, subject)
				: xasprintf("%s_%s-%s", name, place, subject);
	webhook_queue_put(webhook->queue,
			  webhook->in_resync ? WEBHOOK_STANDING_ALARM : WEBHOOK_CHANGE,
			  alarm->position, alarm->alarm_id, id, event_json(&event));
	json_decref(data);
	webhook_mark(webhook);
	if (webhook_queue_is_full(webhook->queue))
		upstream_hold(webhook->upstream, true);
}

static void
taker_position(void *arg, uint64_t position)
{
	struct webhook *webhook = arg;

	webhook_queue_note(webhook->queue, position);
}

static void
taker_news(void *arg)
{
	webhook_mark(arg);
}

static const struct upstream_taker webhook_taker = {
	.welcome = taker_welcome,
	.connected = taker_connected,
	.alarm = taker_alarm,
	.resync = taker_resync,
	.snapshot_end = taker_snapshot_end,
	.position = taker_position,
	.news = taker_news,
};

/* ---- How far it was told ----------------------------------------------------- */

/* New memory: what it wants; whoever wanted something else has not been told all. */
static char *
webhook_wish(const struct webhook *webhook)
{
	const struct webhook_settings *s = webhook->settings;

	return xasprintf("%s %" PRId64 " %s", s->station, s->severity_min, s->kinds);
}

static void
webhook_save(struct webhook *webhook, uint64_t now_ms)
{
	struct place_mail *mail = xcalloc(1, sizeof(*mail));
	char place[EVENT_ID_MAX], *wish = webhook_wish(webhook);

	mail->position = webhook_queue_place(webhook->queue);
	event_id_write(place, webhook->node, mail->position);
	mail->text = xasprintf("%s\n%s\n", place, wish);
	(void)snprintf(mail->name, sizeof(mail->name), "%s", webhook->settings->name);
	free(wish);
	webhook->saving = true;
	webhook->saved_ms = now_ms;
	places_save(webhook->all->places, mail);
}

/* Where a resync is to begin the disk is told at once. */
static void
webhook_save_when_due(struct webhook *webhook, uint64_t now_ms)
{
	uint64_t place = webhook_queue_place(webhook->queue);

	if (webhook->saving || place == webhook->saved_position)
		return;
	if ((place == 0 && !webhook->save_failed) ||
	    now_ms - webhook->saved_ms >= (uint64_t)webhook->all->conf->webhook_save_ms)
		webhook_save(webhook, now_ms);
}

static struct webhook *
webhooks_find(const struct webhooks *webhooks, const char *name)
{
	for (size_t i = 0; i < webhooks->n; i++)
		if (strcmp(webhooks->items[i].settings->name, name) == 0)
			return &webhooks->items[i];
	return NULL;
}

void
webhooks_mail(struct webhooks *webhooks, struct mail *mail)
{
	struct place_mail *saved = CONTAINER_OF(mail, struct place_mail, mail);
	struct webhook *webhook = webhooks_find(webhooks, saved->name);
	uint64_t held_back;

	webhook->saving = false;
	webhook->save_failed = saved->rc != RC_OK;
	if (saved->rc == RC_OK)
		webhook->saved_position = saved->position;
	else if (log_source_ok(saved->name, strlen(saved->name), WEBHOOKS_LOG_PACE_MS, &held_back))
		log_error("webhook", "webhook=%s how far it was told is not saved: %s", saved->name,
			  saved->err.msg);
	webhook_mark(webhook);
	place_mail_free(&saved);
}

/* A file that is none, or of another wish, is as none: then all begins anew. */
static enum rc
webhook_load_place(struct webhook *webhook, struct err *err)
{
	char *text = NULL, *rest, *place, *wish = webhook_wish(webhook);
	uint64_t position = 0;
	enum rc rc = places_load(webhook->all->places, webhook->settings->name, &text, err);

	rest = text;
	place = text != NULL ? strsep(&rest, "\n") : NULL;
	if (place != NULL && event_id_read(place, &webhook->node, &position)) {
		const char *saved_wish = rest != NULL ? strsep(&rest, "\n") : NULL;

		webhook->saved_position = position;
		if (saved_wish == NULL || strcmp(saved_wish, wish) != 0)
			position = 0;
	} else {
		webhook->node = 0;
		position = 0;
	}
	webhook->queue = webhook_new_queue(webhook, position);
	free(wish);
	free(text);
	return rc;
}

/* ---- On and off -------------------------------------------------------------- */

static enum rc
webhook_switch_on(struct webhook *webhook, struct err *err)
{
	webhook->upstream =
		upstreams_join(webhook->all->hooks.upstreams, webhook->settings->station,
			       &webhook->filter, &webhook_taker, webhook);
	if (webhook->upstream == NULL)
		return err_invalid(err, "no console is enrolled for station \"%s\"",
				   webhook->settings->station);
	webhook->in_resync = false;
	upstream_watch(webhook->upstream);
	return RC_OK;
}

void
webhook_switch_off(struct webhook *webhook)
{
	uint64_t place = webhook_queue_place(webhook->queue);

	webhook_cancel(webhook);
	upstream_leave(&webhook->upstream);
	webhook_queue_free(&webhook->queue);
	webhook->queue = webhook_new_queue(webhook, place);
}

static enum rc
webhook_load_secrets(struct webhook *webhook, struct err *err)
{
	struct webhook_secrets fresh;
	enum rc rc = webhook_secrets_load(&fresh, webhook->settings->secret_file, err);

	if (rc == RC_OK)
		webhook->secrets = fresh;
	webhook_secrets_wipe(&fresh);
	return rc;
}

void
webhooks_reload(struct webhooks *webhooks)
{
	for (size_t i = 0; i < webhooks->n; i++) {
		struct webhook *webhook = &webhooks->items[i];
		struct err err = {0};

		if (webhook_load_secrets(webhook, &err) != RC_OK)
			log_error("webhook", "webhook=%s keeps its secret: %s",
				  webhook->settings->name, err.msg);
		if (webhook->upstream == NULL && webhook_switch_on(webhook, &err) != RC_OK)
			log_error("webhook", "webhook=%s stays off: %s", webhook->settings->name,
				  err.msg);
	}
}

/* ---- Opening ----------------------------------------------------------------- */

static enum rc
check_authority(const char *path, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n;
	enum rc rc;

	if (path[0] == '\0')
		return RC_OK;
	rc = fs_read_file(path, WEBHOOKS_CA_MAX, &bytes, &n, err);
	if (rc == RC_OK && strstr((const char *)bytes, "-----BEGIN CERTIFICATE-----") == NULL)
		rc = err_invalid(err, "\"%s\" has no certificate", path);
	free(bytes);
	return rc;
}

static enum rc
check_one(const struct web_settings *settings, size_t i, struct upstreams *upstreams,
	  struct err *err)
{
	const struct webhook_settings *webhook = &settings->webhooks[i];
	struct webhook_secrets secrets;
	struct err why = {0};
	enum rc rc = caller_check_url(webhook->url, settings->webhook_loopback_http, &why);

	if (rc != RC_OK)
		return err_invalid(err, "\"webhooks[%zu].url\": %s", i + 1, why.msg);
	rc = webhook_secrets_load(&secrets, webhook->secret_file, &why);
	if (rc != RC_OK)
		return err_invalid(err, "\"webhooks[%zu].secret_file\": %s", i + 1, why.msg);
	webhook_secrets_wipe(&secrets);
	rc = check_authority(webhook->ca_file, &why);
	if (rc != RC_OK)
		return err_invalid(err, "\"webhooks[%zu].ca_file\": %s", i + 1, why.msg);
	if (upstreams_find(upstreams, webhook->station, WEB_RIGHT_DISPATCHER) == NULL)
		return err_invalid(err,
				   "\"webhooks[%zu].station\": no console is enrolled for station "
				   "\"%s\"",
				   i + 1, webhook->station);
	return RC_OK;
}

enum rc
webhooks_check(const struct web_settings *settings, struct upstreams *upstreams, struct err *err)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < settings->n_webhooks && rc == RC_OK; i++)
		rc = check_one(settings, i, upstreams, err);
	return rc;
}

static enum rc
webhook_open(struct webhook *webhook, struct err *err)
{
	enum rc rc = webhook_kinds_read(webhook->settings->kinds, webhook->filter.kinds,
					&webhook->filter.n_kinds, err);

	webhook->filter.severity_min = (enum severity)webhook->settings->severity_min;
	LIST_INIT(&webhook->deliveries);
	if (rc == RC_OK)
		rc = webhook_load_secrets(webhook, err);
	if (rc == RC_OK)
		rc = webhook_load_place(webhook, err);
	if (rc == RC_OK)
		rc = webhook_switch_on(webhook, err);
	return rc;
}

static enum rc
webhooks_open_places(struct webhooks *webhooks, struct err *err)
{
	char *dir = xasprintf("%s/webhooks", webhooks->conf->state_dir);
	enum rc rc = places_open(&webhooks->places, dir, loop_mailbox(webhooks->hooks.loop), err);

	free(dir);
	return rc;
}

enum rc
webhooks_open(struct webhooks **out, const struct webhooks_conf *conf, struct err *err)
{
	const struct web_settings *settings = conf->settings;
	struct webhooks *webhooks;
	enum rc rc = webhooks_check(settings, conf->upstreams, err);

	if (rc != RC_OK)
		return rc;
	webhooks = xcalloc(1, sizeof(*webhooks));
	*out = webhooks; /* the caller closes what there is */
	webhooks->hooks = *conf;
	webhooks->conf = settings;
	webhooks->items = xcalloc(settings->n_webhooks, sizeof(*webhooks->items));
	rc = caller_new(&webhooks->caller, conf->loop, err);
	if (rc == RC_OK)
		rc = webhooks_open_places(webhooks, err);
	for (size_t i = 0; i < settings->n_webhooks && rc == RC_OK; i++) {
		struct webhook *webhook = &webhooks->items[webhooks->n++];

		webhook->all = webhooks;
		webhook->settings = &settings->webhooks[i];
		rc = webhook_open(webhook, err);
	}
	return rc;
}

static void
webhook_close(struct webhook *webhook)
{
	webhook_cancel(webhook);
	caller_cancel(&webhook->testing);
	upstream_leave(&webhook->upstream);
	if (webhook->queue != NULL && webhook->node != 0 &&
	    webhook_queue_place(webhook->queue) != webhook->saved_position)
		webhook_save(webhook, 0);
	webhook_queue_free(&webhook->queue);
	webhook_secrets_wipe(&webhook->secrets);
	free(webhook->test_body);
}

void
webhooks_close(struct webhooks **out)
{
	struct webhooks *webhooks = *out;

	if (webhooks == NULL)
		return;
	*out = NULL;
	for (size_t i = 0; i < webhooks->n; i++)
		webhook_close(&webhooks->items[i]);
	places_close(&webhooks->places);
	caller_free(&webhooks->caller);
	free(webhooks->items);
	free(webhooks);
}

/* ---- Time -------------------------------------------------------------------- */

void
webhooks_turn(struct webhooks *webhooks)
{
	uint64_t now_ms = clock_mono_ms();

	if (!webhooks->any_wake)
		return;
	webhooks->any_wake = false;
	for (size_t i = 0; i < webhooks->n; i++) {
		struct webhook *webhook = &webhooks->items[i];

		if (!webhook->wake)
			continue;
		webhook->wake = false;
		webhook_pump(webhook, now_ms);
		webhook_save_when_due(webhook, now_ms);
	}
}

/* For those whose pause is over, and for what is to be saved. */
void
webhooks_tick(void *arg)
{
	struct webhooks *webhooks = arg;

	for (size_t i = 0; i < webhooks->n; i++)
		webhook_mark(&webhooks->items[i]);
}

/* ---- The operator ------------------------------------------------------------ */

static json_t *
webhook_status(const struct webhook *webhook)
{
	char place[EVENT_ID_MAX];
	const char *state = webhook->upstream == NULL ? "gone" : "on";

	event_id_write(place, webhook->node, webhook_queue_place(webhook->queue));
	return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:s, s:s}", "name",
			 webhook->settings->name, "station", webhook->settings->station, "state",
			 state, "connected", webhook->connected, "delivered",
			 (json_int_t)webhook->delivered, "waiting",
			 (json_int_t)webhook_queue_waiting(webhook->queue), "given_up",
			 (json_int_t)webhook->given_up, "failed_in_row",
			 (json_int_t)webhook_queue_failures(webhook->queue), "last_error",
			 webhook->last_error, "position", place);
}

json_t *
webhooks_status(const struct webhooks *webhooks)
{
	json_t *array = json_array();

	for (size_t i = 0; webhooks != NULL && i < webhooks->n; i++)
		must(json_array_append_new(array, webhook_status(&webhooks->items[i])) == 0);
	return array;
}

enum rc
webhooks_test(struct webhooks *webhooks, const char *name, uint64_t ticket, struct err *err)
{
	struct webhook *webhook = webhooks != NULL ? webhooks_find(webhooks, name) : NULL;

	if (webhook == NULL)
		return err_invalid(err, "there is no webhook of that name");
	if (webhook->testing != NULL) {
		(void)err_invalid(err, "a test of it is under way");
		return RC_AGAIN;
	}
	webhook->test_ticket = ticket;
	webhook_send_test(webhook);
	return RC_OK;
}
