/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All parts on one loop: opening them in order, the mail of the reader, the
 * operator's requests, and what is to be done each second.
 */
#include "web/web.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "web/places.h"
#include "web/questions.h"

enum {
	WEB_TICK_MS = 100,
	WEB_SECOND_MS = 1000,
	WEB_HANDSHAKE_MS = 10000,
	WEB_HANDSHAKE_STEPS = 16, /* in one turn: some 10 ms, while pages wait */
	WEB_READ_BUDGET = 2 * CONSOLE_NEWS_MAX,
	WEB_OUTPUT_MAX = 64 * 1024, /* to the daemon */
	WEB_KIB = 1024,
	WEB_SECOND_US = 1000000,
	WEB_PACE_MS = 600000, /* between two lines that say the same */
	WEB_OPERATORS_MAX = 16,
};

/* ---- PostgreSQL's answers ---------------------------------------------------- */

static void
web_ask_directory(struct web *web)
{
	struct reader_mail *mail = xcalloc(1, sizeof(*mail));

	mail->question = READER_CONSOLES;
	web->refreshing = true;
	web->refreshed_ms = clock_mono_ms();
	reader_ask(web->reader, mail);
}

/* Who was disabled, or moved, is signed out. */
static bool
session_stays(void *arg, const struct session *session)
{
	const struct web *web = arg;
	const struct directory_console *console = directory_find(web->directory, session->console);

	return console != NULL && strcmp(console->station, session->station) == 0 &&
	       console->right == session->right;
}

static void
web_keep_directory(struct web *web)
{
	uint64_t held_back;
	struct err err;

	if (directory_keep(web->directory, web->settings.state_dir, clock_wall_us() / WEB_SECOND_US,
			   &err) != RC_OK &&
	    log_pace_ok(&web->keep_pace, WEB_PACE_MS, &held_back))
		log_warning("web",
			    "consoles not kept, a start while PostgreSQL is away would let nobody "
			    "sign in: %s",
			    err.msg);
}

static void
web_take_directory(struct web *web, const struct reader_mail *answer)
{
	struct err err = answer->err;
	json_error_t why;
	json_t *array;

	web->refreshing = false;
	if (answer->rc != RC_OK || answer->text == NULL)
		return; /* the reader has said so */
	array = json_loads(answer->text, 0, &why);
	if (directory_set(web->directory, array, &err) == RC_OK) {
		sessions_sweep(web->sessions, clock_mono_ms(), session_stays, web);
		web_keep_directory(web);
	} else {
		log_error("web", "could not read the consoles: %s", err.msg);
	}
	json_decref(array);
}

/* What was said before we were started; PostgreSQL may be away for longer. */
static void
web_load_directory(struct web *web)
{
	const struct web_settings *s = &web->settings;
	struct err err;
	enum rc rc = directory_load(web->directory, s->state_dir, clock_wall_us() / WEB_SECOND_US,
				    s->kept_s, &err);

	if (rc == RC_OK)
		log_info("web", "consoles as they were kept, until PostgreSQL answers");
	else if (rc != RC_EOF)
		log_warning("web", "the consoles that were kept are not used: %s", err.msg);
}

static void
web_mail_cb(void *arg, struct mail *mail)
{
	struct web *web = arg;
	struct reader_mail *answer;

	if (mail->kind == PLACES_MAIL_SAVED) {
		webhooks_mail(web->webhooks, mail);
		return;
	}
	must(mail->kind == READER_MAIL_ANSWER);
	answer = CONTAINER_OF(mail, struct reader_mail, mail);
	if (questions_answer(web->questions, answer))
		return;
	web_take_directory(web, answer);
	reader_mail_free(&answer);
}

static void
web_discard_mail(struct mail *mail)
{
	if (mail->kind == PLACES_MAIL_SAVED) {
		struct place_mail *saved = CONTAINER_OF(mail, struct place_mail, mail);

		place_mail_free(&saved);
	} else {
		struct reader_mail *answer = CONTAINER_OF(mail, struct reader_mail, mail);

		reader_mail_free(&answer);
	}
}

/* ---- The operator ------------------------------------------------------------ */

static json_t *
web_answer_login(struct web *web, const char *console)
{
	char secret[SECRET_TEXT + 1];
	json_t *reply;

	if (!directory_is_known(web->directory))
		return operator_refusal(
			"the register was not read yet: PostgreSQL does not answer");
	if (directory_find(web->directory, console) == NULL)
		return operator_refusal("the register has no such console, or it is disabled");
	if (sessions_invite(web->sessions, console, clock_mono_ms(), secret) != RC_OK)
		return operator_refusal("too many links are out already");
	log_info("web", "link made console=%s", console);
	reply = json_pack("{s:b, s:s, s:i, s:I}", "ok", 1, "secret", secret, "port", (int)web->port,
			  "seconds", (json_int_t)web->settings.link_s);
	explicit_bzero(secret, sizeof(secret));
	return reply;
}

static json_t *
web_status(const struct web *web)
{
	struct https_counters https = https_counters(web->https);

	return json_pack(
		"{s:b, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "ok", 1, "version",
		GATEHOUSE_VERSION, "port", (int)web->port, "connections",
		(json_int_t)https.connections, "accepted_total", (json_int_t)https.accepted_total,
		"timed_out_total", (json_int_t)https.timed_out_total, "pages",
		(json_int_t)feeds_count(web->feeds), "sessions",
		(json_int_t)sessions_count(web->sessions), "stations",
		(json_int_t)upstreams_stations(web->upstreams), "stations_connected",
		(json_int_t)upstreams_stations_connected(web->upstreams), "register_known",
		directory_is_known(web->directory), "webhooks", webhooks_status(web->webhooks));
}

static json_t *
web_answer_webhook_test(struct web *web, uint64_t client, const char *name)
{
	struct err err;

	if (webhooks_test(web->webhooks, name, client, &err) != RC_OK)
		return operator_refusal(err.msg);
	log_info("web", "test sent webhook=%s", name);
	return NULL; /* comes with what came back */
}

static void
web_on_tested(void *arg, uint64_t client, json_t *tested)
{
	struct web *web = arg;

	operator_reply(web->operators, client, tested);
}

static json_t *
web_operator_cb(void *arg, uint64_t client, const json_t *request)
{
	struct web *web = arg;
	const char *verb = json_string_value(json_object_get(request, "verb"));
	const char *console = json_string_value(json_object_get(request, "console"));
	const char *webhook = json_string_value(json_object_get(request, "webhook"));

	if (verb != NULL && strcmp(verb, "webhook_test") == 0 && webhook != NULL)
		return web_answer_webhook_test(web, client, webhook);
	if (verb != NULL && strcmp(verb, "login") == 0 && console != NULL)
		return web_answer_login(web, console);
	if (verb != NULL && strcmp(verb, "status") == 0)
		return web_status(web);
	return operator_refusal("unknown request: expected status, login with a console, "
				"or webhook_test with a webhook");
}

/* ---- Time -------------------------------------------------------------------- */

static void
web_second(void *arg)
{
	struct web *web = arg;
	uint64_t now_ms = clock_mono_ms();

	feeds_tick(web->feeds);
	actions_tick(web->actions);
	sessions_sweep(web->sessions, now_ms, NULL, NULL);
	if (!web->refreshing && now_ms - web->refreshed_ms >=
					(directory_is_fresh(web->directory)
						 ? (uint64_t)web->settings.refresh_s * WEB_SECOND_MS
						 : WEB_SECOND_MS))
		web_ask_directory(web);
	(void)sd_notifyf(
		0, "WATCHDOG=1\nSTATUS=%zu pages, %zu sessions, %zu of %zu stations connected",
		feeds_count(web->feeds), sessions_count(web->sessions),
		upstreams_stations_connected(web->upstreams), upstreams_stations(web->upstreams));
}

static void
web_turn_cb(void *arg)
{
	struct web *web = arg;

	feeds_turn(web->feeds);
	if (web->webhooks != NULL)
		webhooks_turn(web->webhooks);
	stream_set_turn(web->streams);
}

static void
web_on_news(void *arg, struct station *station)
{
	struct web *web = arg;

	if (web->feeds != NULL)
		feeds_news(web->feeds, station);
}

static void
web_on_result(void *arg, const struct action_result *result)
{
	struct web *web = arg;

	actions_result(web->actions, result);
}

static void
web_on_lost(void *arg, const struct upstream *upstream)
{
	struct web *web = arg;

	if (web->actions != NULL)
		actions_lost(web->actions, upstream);
}

/* ---- Opening ----------------------------------------------------------------- */

static enum rc
web_open_https(struct web *web, struct err *err)
{
	const struct web_settings *s = &web->settings;
	const struct tls_files files = web_tls_files(s);
	const struct https_conf conf = {
		.files = &files,
		.limits = {.connections_max = (size_t)s->connections_max,
			   .headers_max_bytes = (size_t)s->headers_max_kb * WEB_KIB,
			   .body_max_bytes = (size_t)s->body_max_kb * WEB_KIB,
			   .idle_ms = (uint64_t)s->idle_s * WEB_SECOND_MS,
			   .stall_ms = (uint64_t)s->stall_s * WEB_SECOND_MS},
		.on_request = web_on_request,
		.arg = web,
	};

	return https_new(&web->https, web->loop, &conf, err);
}

/* What is only memory. */
static void
web_open_tables(struct web *web)
{
	const struct web_settings *s = &web->settings;
	const struct sessions_limits sessions = {
		.link_ms = (uint64_t)s->link_s * WEB_SECOND_MS,
		.idle_ms = (uint64_t)s->session_idle_s * WEB_SECOND_MS,
		.max_ms = (uint64_t)s->session_max_s * WEB_SECOND_MS,
		.sessions_max = (size_t)s->sessions_max,
		.per_console = (size_t)s->sessions_per_console,
	};
	struct feeds_conf feeds = {
		.queue_bytes = (size_t)s->queue_kb * WEB_KIB,
		.keepalive_ms = (uint64_t)s->keepalive_s * WEB_SECOND_MS,
	};

	web->sessions = sessions_new(&sessions);
	web->requests = rates_new((uint64_t)s->requests_per_minute);
	web->signed_in = rates_new((uint64_t)s->session_requests_per_minute);
	web->attempts = rates_new((uint64_t)s->attempts_per_minute);
	web->directory = directory_new();
	feeds.sessions = web->sessions;
	web->feeds = feeds_new(&feeds);
	web->actions = actions_new((size_t)s->actions_max);
}

enum rc
web_new_upstreams(struct upstreams **upstreams, struct web *web, struct stream_set *streams,
		  struct err *err)
{
	const struct web_settings *s = &web->settings;
	const struct upstreams_conf conf = {
		.consoles_dir = s->consoles_dir,
		.linger_ms = (uint64_t)s->linger_s * WEB_SECOND_MS,
		.retry_ms = (uint64_t)s->retry_ms,
		.history = (size_t)s->history,
		.on_news = web_on_news,
		.on_result = web_on_result,
		.on_lost = web_on_lost,
		.arg = web,
	};

	*upstreams = upstreams_new(streams, &conf);
	return upstreams_load(*upstreams, err);
}

static enum rc
web_open_upstreams(struct web *web, struct err *err)
{
	const struct stream_limits limits = {
		.handshake_timeout_ms = WEB_HANDSHAKE_MS,
		.handshake_steps = WEB_HANDSHAKE_STEPS,
		.read_budget_bytes = WEB_READ_BUDGET,
		.output_limit_bytes = WEB_OUTPUT_MAX,
	};
	enum rc rc = stream_set_new(&web->streams, web->loop, &limits, err);

	return rc == RC_OK ? web_new_upstreams(&web->upstreams, web, web->streams, err) : rc;
}

static enum rc
web_open_webhooks(struct web *web, struct err *err)
{
	const struct webhooks_conf conf = {
		.settings = &web->settings,
		.loop = web->loop,
		.upstreams = web->upstreams,
		.on_tested = web_on_tested,
		.arg = web,
	};
	enum rc rc;

	if (web->settings.n_webhooks == 0)
		return RC_OK;
	rc = webhooks_open(&web->webhooks, &conf, err);
	if (rc == RC_OK)
		rc = loop_every(web->loop, WEB_TICK_MS, webhooks_tick, web->webhooks, err);
	return rc;
}

static enum rc
web_open_reader(struct web *web, struct err *err)
{
	const struct web_settings *s = &web->settings;
	const struct reader_conf conf = {
		.conninfo = s->conninfo,
		.connect_timeout_ms = (uint64_t)s->connect_timeout_s * WEB_SECOND_MS,
		.statement_timeout_ms = (uint64_t)s->statement_timeout_ms,
		.retry_ms = (uint64_t)s->postgresql_retry_ms,
		.retry_max_ms = (uint64_t)s->postgresql_retry_max_ms,
		.answers = loop_mailbox(web->loop),
	};
	enum rc rc = reader_start(&web->reader, &conf, err);

	if (rc != RC_OK)
		return rc;
	web->questions = questions_new(web->reader, (size_t)s->questions_max);
	web_load_directory(web);
	web_ask_directory(web);
	return RC_OK;
}

static enum rc
web_open_operator(struct web *web, struct err *err)
{
	const struct operator_hooks hooks = {
		.clients_max = WEB_OPERATORS_MAX, .on_request = web_operator_cb, .arg = web};

	return operator_open(&web->operators, web->loop, web->settings.control_socket, &hooks, err);
}

enum rc
web_open(struct web *web, struct err *err)
{
	const struct web_settings *s = &web->settings;
	const struct loop_hooks hooks = {
		.on_mail = web_mail_cb, .on_turn = web_turn_cb, .arg = web};
	enum rc rc = loop_new(&web->loop, &hooks, err);

	web->started_ms = clock_mono_ms();
	if (rc == RC_OK)
		rc = web_files_load(&web->files, s->static_dir, err);
	if (rc == RC_OK)
		rc = web_open_https(web, err);
	if (rc == RC_OK) {
		web_open_tables(web);
		rc = web_open_upstreams(web, err);
	}
	if (rc == RC_OK)
		rc = web_open_webhooks(web, err);
	if (rc == RC_OK)
		rc = web_open_reader(web, err);
	if (rc == RC_OK)
		rc = web_open_operator(web, err);
	if (rc == RC_OK)
		rc = loop_every(web->loop, WEB_TICK_MS, upstreams_tick, web->upstreams, err);
	if (rc == RC_OK)
		rc = loop_every(web->loop, WEB_SECOND_MS, web_second, web, err);
	if (rc == RC_OK)
		rc = https_listen(web->https, s->address, (uint16_t)s->port, &web->port, err);
	return rc;
}

/* ---- Running ----------------------------------------------------------------- */

static bool
session_is_not_revoked(void *arg, const struct session *session)
{
	const struct web *web = arg;

	return !https_is_revoked(web->https, &session->peer);
}

static void
web_reload_tls(struct web *web)
{
	const struct tls_files files = web_tls_files(&web->settings);
	struct err err;

	if (https_reload(web->https, &files, &err) != RC_OK) {
		log_error("web", "certificates not loaded, those of before stay: %s", err.msg);
		return;
	}
	sessions_sweep(web->sessions, clock_mono_ms(), session_is_not_revoked, web);
	log_info("web", "certificates loaded days_left=%d", https_days_left(web->https));
}

/* Certificates, pages and stations anew; who is connected stays so, but for whom a
 * revocation list names. */
static void
web_reload(struct web *web)
{
	struct web_files *fresh = NULL;
	struct err err = {0};

	if (web_files_load(&fresh, web->settings.static_dir, &err) == RC_OK) {
		web_files_free(&web->files);
		web->files = fresh;
	} else {
		log_error("web", "pages stay as they were: %s", err.msg);
	}
	web_reload_tls(web);
	if (upstreams_load(web->upstreams, &err) != RC_OK)
		log_error("web", "not all stations were read: %s", err.msg);
	if (web->webhooks != NULL)
		webhooks_reload(web->webhooks);
	web_ask_directory(web);
	log_info("web", "loaded again stations=%zu", upstreams_stations(web->upstreams));
}

static void
web_signal_cb(evutil_socket_t number, short what, void *arg)
{
	struct web *web = arg;

	(void)what;
	if (number == SIGHUP)
		web_reload(web);
	else
		loop_stop(web->loop);
}

void
web_run(struct web *web)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	struct event *signals[ARRAY_LEN(numbers)];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		signals[i] = evsignal_new(loop_base(web->loop), numbers[i], web_signal_cb, web);
		must(signals[i] != NULL && event_add(signals[i], NULL) == 0);
	}
	log_info("web", "ready version=%s address=%s port=%u stations=%zu", GATEHOUSE_VERSION,
		 web->settings.address, web->port, upstreams_stations(web->upstreams));
	(void)sd_notify(0, "READY=1");
	loop_run(web->loop);
	(void)sd_notify(0, "STOPPING=1");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		event_free(signals[i]);
	log_info("web", "stopped");
}

void
web_close(struct web *web)
{
	operator_close(&web->operators);
	if (web->feeds != NULL)
		feeds_free(&web->feeds);
	questions_free(&web->questions);
	actions_free(&web->actions);
	https_free(&web->https);
	reader_stop(&web->reader);
	webhooks_close(&web->webhooks);
	upstreams_free(&web->upstreams);
	stream_set_free(&web->streams);
	if (web->loop != NULL)
		loop_discard_mail(web->loop, web_discard_mail);
	loop_free(&web->loop);
	web_files_free(&web->files);
	sessions_free(&web->sessions);
	rates_free(&web->requests);
	rates_free(&web->signed_in);
	rates_free(&web->attempts);
	directory_free(&web->directory);
	web_settings_free(&web->settings);
}
