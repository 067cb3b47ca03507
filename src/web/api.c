/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked over HTTPS, in one table: docs/web.md and web/openapi.yaml tell
 * it to others.
 *
 * In this order, before anything else is looked at: who is signed in, the rate of that
 * session, or of the address where nobody is, the path, the method, for a POST where it
 * comes from, and for a POST that is made within a session its token.  So a page
 * elsewhere can't make a dispatcher's browser do anything.
 */
#include <errno.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/log_source.h"
#include "web/http.h"
#include "web/questions.h"
#include "web/web.h"

#define API "/api/v1/"

enum { API_LOG_PACE_MS = 10000, API_CODE_MAX = 64, API_ID_DIGITS = 18, PLAN_MAX = 8 << 20 };

/* One request on its way. */
struct call {
	struct web *web;
	struct evhttp_request *request;
	const char *rest; /* of the path, behind the route's */
	const struct session *session;
	uint64_t now_ms;
};

/* ---- Signing in -------------------------------------------------------------- */

static json_t *
session_json(const struct session *session)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "console", session->console, "station",
			 session->station, "right", web_right_name(session->right), "csrf_token",
			 session->csrf);
}

static void
refuse_sign_in(struct call *call, int status, const char *why)
{
	const char *peer = http_peer_address(call->request);
	uint64_t held_back;

	if (log_source_ok(peer, strlen(peer), API_LOG_PACE_MS, &held_back))
		log_warning("web", "sign-in refused peer=%s: %s held_back=%lu", peer, why,
			    (unsigned long)held_back);
	http_problem(call->request, status, why);
}

/* For a console that has shown that it is that one: by `peer`, or (NULL) by a link. */
static void
sign_in(struct call *call, const char *console, const struct tls_peer *peer)
{
	struct web *web = call->web;
	const struct directory_console *found = directory_find(web->directory, console);
	const struct session *session;
	struct session_of of;

	if (!directory_is_known(web->directory)) {
		http_problem(call->request, 503,
			     "the register was not read yet: the database does not answer");
		return;
	}
	if (found == NULL) {
		refuse_sign_in(call, 403, "the register has no such console, or it is disabled");
		return;
	}
	of = (struct session_of){found->name, found->station, found->right, peer};
	session = sessions_open(web->sessions, &of, call->now_ms);
	if (session == NULL) {
		http_problem(call->request, 503, "the limit of sessions is reached");
		return;
	}
	log_info("web", "signed in console=%s station=%s by=%s peer=%s", session->console,
		 session->station, peer != NULL ? "certificate" : "link",
		 http_peer_address(call->request));
	http_set_cookie(call->request, session->secret);
	http_reply_json(call->request, 200, session_json(session));
}

static bool
may_attempt(struct call *call)
{
	if (rates_take(call->web->attempts, http_peer_address(call->request), call->now_ms))
		return true;
	http_set_header(call->request, "Retry-After", "60");
	refuse_sign_in(call, 429, "too many attempts to sign in from this address");
	return false;
}

static void
post_link(struct call *call)
{
	char console[SESSION_NAME_MAX + 1];
	json_t *body = NULL;
	const char *secret;
	struct err err;
	bool good;

	if (!may_attempt(call))
		return;
	if (http_body_json(call->request, &body, &err) != RC_OK) {
		http_problem(call->request, 400, err.msg);
		return;
	}
	secret = json_string_value(json_object_get(body, "secret"));
	good = secret != NULL &&
	       sessions_redeem(call->web->sessions, secret, call->now_ms, console);
	json_decref(body);
	if (good)
		sign_in(call, console, NULL);
	else
		refuse_sign_in(call, 403, "this link is used, too old, or not one of ours");
}

static void
post_certificate(struct call *call)
{
	struct tls_peer peer;

	if (!may_attempt(call))
		return;
	https_peer(call->request, &peer);
	if (peer.role == TLS_ROLE_CONSOLE)
		sign_in(call, peer.name, &peer);
	else
		refuse_sign_in(call, 403, "the connection has no certificate of a console");
}

static void
post_sign_out(struct call *call)
{
	log_info("web", "signed out console=%s", call->session->console);
	sessions_close(call->web->sessions, call->session->secret);
	http_set_cookie(call->request, NULL);
	http_reply(call->request, 204, NULL, "", 0);
}

static void
get_session(struct call *call)
{
	http_reply_json(call->request, 200, session_json(call->session));
}

/* ---- Alarms ------------------------------------------------------------------ */

/* Replies where there is none. */
static struct upstream *
need_upstream(struct call *call)
{
	struct upstream *upstream =
		upstreams_find(call->web->upstreams, call->session->station, call->session->right);

	if (upstream == NULL)
		http_problem(call->request, 503,
			     "no console is enrolled here for this station: see gatehousectl web "
			     "enrol");
	return upstream;
}

static void
get_stream(struct call *call)
{
	struct upstream *upstream = need_upstream(call);

	if (upstream == NULL)
		return;
	if (evhttp_request_get_command(call->request) != EVHTTP_REQ_GET) {
		http_problem(call->request, 405, "a stream can only be got");
		return;
	}
	feeds_open(call->web->feeds, call->request, upstream, call->session,
		   http_header(call->request, "Last-Event-ID"));
}

static void
get_alarms(struct call *call)
{
	struct upstream *upstream = need_upstream(call);
	const struct station *station;

	if (upstream == NULL)
		return;
	station = upstream_station(upstream);
	if (station_position(station) == 0) {
		http_problem(call->request, 503,
			     "the daemon has not said yet what stands: watch the "
			     "stream");
		return;
	}
	http_reply_json(call->request, 200,
			json_pack("{s:b, s:I, s:o}", "connected", station_connected(station),
				  "position", (json_int_t)station_position(station), "alarms",
				  station_alarms(station)));
}

/* A number that PostgreSQL takes, too; and what stands behind it.  0: there is none. */
static uint64_t
alarm_id_of(const char *rest, const char **behind)
{
	size_t digits = strspn(rest, "0123456789");

	*behind = rest + digits;
	return digits == 0 || digits > API_ID_DIGITS ? 0 : strtoull(rest, NULL, 10);
}

static bool
alarm_stands(const struct call *call, uint64_t id)
{
	struct upstream *upstream =
		upstreams_find(call->web->upstreams, call->session->station, call->session->right);

	return upstream != NULL && station_alarm(upstream_station(upstream), id) != NULL;
}

static void
get_alarm(struct call *call)
{
	const char *behind;
	uint64_t id = alarm_id_of(call->rest, &behind);

	if (id == 0 || behind[0] != '\0')
		http_problem(call->request, 404, "an alarm's id is a number");
	else
		questions_ask(call->web->questions, call->request, READER_ALARM,
			      call->session->station, call->rest, alarm_stands(call, id));
}

static void
post_action(struct call *call)
{
	struct upstream *upstream;
	const char *behind;
	uint64_t alarm_id = alarm_id_of(call->rest, &behind);
	json_t *body = NULL;
	struct err err;

	if (alarm_id == 0 || strcmp(behind, "/actions") != 0) {
		http_problem(call->request, 404, "expected alarms/ID/actions");
		return;
	}
	if (http_body_json(call->request, &body, &err) != RC_OK) {
		http_problem(call->request, 400, err.msg);
		return;
	}
	upstream = need_upstream(call);
	if (upstream != NULL)
		actions_post(call->web->actions, call->request, upstream, call->session, alarm_id,
			     body);
	json_decref(body);
}

static void
post_shown(struct call *call)
{
	struct upstream *upstream;
	json_t *body = NULL;
	struct err err;

	if (http_body_json(call->request, &body, &err) != RC_OK) {
		http_problem(call->request, 400, err.msg);
		return;
	}
	upstream = need_upstream(call);
	if (upstream != NULL) {
		if (actions_shown(upstream, body, &err) != RC_OK)
			http_problem(call->request, 400, err.msg);
		else
			http_reply(call->request, 204, NULL, "", 0);
	}
	json_decref(body);
}

static void
get_overview(struct call *call)
{
	questions_ask(call->web->questions, call->request, READER_OVERVIEW, call->session->station,
		      NULL, false);
}

/* ---- Site plans -------------------------------------------------------------- */

static void
plan_log(const char *site, const struct err *err)
{
	uint64_t held_back;

	if (log_source_ok(site, strlen(site), API_LOG_PACE_MS, &held_back))
		log_warning("web", "no plan shown: %s held_back=%" PRIu64, err->msg, held_back);
}

/* The first of the endings for which there is a file that can be shown. */
static enum rc
plan_read(const char *dir, const char *site, const char **type, uint8_t **bytes, size_t *n)
{
	static const char *const endings[] = {".png", ".jpg", ".webp"};
	enum rc rc = RC_FAIL;

	for (size_t i = 0; i < ARRAY_LEN(endings) && rc != RC_OK; i++) {
		char *path = xasprintf("%s/%s%s", dir, site, endings[i]);
		struct err err = {0};

		*type = web_file_type(endings[i]);
		rc = fs_read_file(path, PLAN_MAX, bytes, n, &err);
		if (rc != RC_OK && err.sys != ENOENT)
			plan_log(site, &err);
		free(path);
	}
	return rc;
}

static void
get_plan(struct call *call)
{
	struct upstream *upstream = need_upstream(call);
	size_t code_len, n;
	char *site;
	const char *type;
	uint8_t *bytes;

	if (upstream == NULL)
		return;
	site = evhttp_uridecode(call->rest, 0, &code_len);
	/* a site that this station has seen; and a name that stays in the folder */
	if (site == NULL || strlen(site) != code_len || code_len == 0 || code_len > API_CODE_MAX ||
	    site[0] == '.' || strchr(site, '/') != NULL ||
	    !station_knows_site(upstream_station(upstream), site)) {
		http_problem(call->request, 404, "no alarm of such a site was seen");
	} else if (plan_read(call->web->settings.plans_dir, site, &type, &bytes, &n) != RC_OK) {
		/* nothing is wrong: browsers would say so of a 404 */
		http_reply(call->request, 204, NULL, "", 0);
	} else {
		http_set_header(call->request, "Cache-Control", "private, max-age=300");
		http_reply(call->request, 200, type, bytes, n);
		free(bytes);
	}
	free(site);
}

/* ---- The table --------------------------------------------------------------- */

static const struct route {
	const char *path; /* behind API; one that ends in / takes a rest */
	bool post;
	bool open; /* for those who are not signed in */
	void (*call)(struct call *call);
} routes[] = {
	{"session/link", true, true, post_link},
	{"session/certificate", true, true, post_certificate},
	{"session/end", true, false, post_sign_out},
	{"session", false, false, get_session},
	{"stream", false, false, get_stream},
	{"alarms", false, false, get_alarms},
	{"alarms/shown", true, false, post_shown},
	{"alarms/", true, false, post_action},
	{"alarms/", false, false, get_alarm},
	{"overview", false, false, get_overview},
	{"plans/", false, false, get_plan},
};

static bool
route_matches(const struct route *route, const char *path)
{
	size_t n = strlen(route->path);

	return route->path[n - 1] == '/' ? strncmp(path, route->path, n) == 0
					 : strcmp(path, route->path) == 0;
}

/* What a POST must show, as a whole; replies when it does not. */
static bool
post_is_allowed(struct call *call, const struct route *route)
{
	const char *token = http_header(call->request, "X-Gatehouse-Token");

	if (!http_is_same_origin(call->request)) {
		http_problem(
			call->request, 403,
			"a request that changes something must come from a page of this server "
			"(header Origin)");
		return false;
	}
	if (!route->open && (token == NULL || !secrets_equal(call->session->csrf, token))) {
		http_problem(call->request, 403,
			     "the session's token is missing (header X-Gatehouse-Token)");
		return false;
	}
	return true;
}

static void
call_api(struct call *call, const char *path)
{
	const struct route *route = NULL;
	bool path_is_known = false;

	for (size_t i = 0; i < ARRAY_LEN(routes) && route == NULL; i++) {
		if (!route_matches(&routes[i], path))
			continue;
		path_is_known = true;
		if (routes[i].post == http_is_post(call->request))
			route = &routes[i];
	}
	if (route == NULL) {
		http_problem(call->request, path_is_known ? 405 : 404,
			     path_is_known ? "not by this method"
					   : "there is nothing of this name");
		return;
	}
	call->rest = path + strlen(route->path);
	if (call->session == NULL && !route->open) {
		http_problem(call->request, 401, "nobody is signed in");
		return;
	}
	if (!route->post || post_is_allowed(call, route))
		route->call(call);
}

/* ---- Pages ------------------------------------------------------------------- */

static void
call_file(struct call *call, const char *path)
{
	const struct web_file *file = web_files_find(call->web->files, path);
	const char *known = http_header(call->request, "If-None-Match");

	if (file == NULL) {
		http_problem(call->request, 404, "there is nothing of this name");
		return;
	}
	if (!http_is_get(call->request)) {
		http_problem(call->request, 405, "a page can only be got");
		return;
	}
	http_set_header(call->request, "ETag", file->etag);
	http_set_header(call->request, "Cache-Control", "no-cache");
	if (known != NULL && strcmp(known, file->etag) == 0)
		http_reply(call->request, 304, NULL, "", 0);
	else
		http_reply(call->request, 200, file->type, file->bytes, file->n);
}

static void
call_find_session(struct call *call)
{
	char secret[HTTP_COOKIE_MAX];

	if (http_cookie(call->request, secret))
		call->session = sessions_find(call->web->sessions, secret, call->now_ms);
}

/* Pages behind one address don't take each other's share; and whoever asks from there
 * without a session takes none of theirs. */
static bool
call_may(struct call *call)
{
	struct web *web = call->web;

	if (call->session != NULL)
		return rates_take(web->signed_in, call->session->csrf, call->now_ms);
	return rates_take(web->requests, http_peer_address(call->request), call->now_ms);
}

void
web_on_request(struct evhttp_request *request, void *arg)
{
	struct web *web = arg;
	struct call call = {.web = web, .request = request, .now_ms = clock_mono_ms()};
	const char *path = http_path(request);

	call_find_session(&call);
	if (!call_may(&call)) {
		http_set_header(request, "Retry-After", "10");
		http_problem(request, 429,
			     call.session != NULL ? "too many requests of this session"
						  : "too many requests from this address");
	} else if (path == NULL) {
		http_problem(request, 400, "the request has no path");
	} else if (strncmp(path, API, sizeof(API) - 1) == 0) {
		call_api(&call, path + sizeof(API) - 1);
	} else {
		call_file(&call, path);
	}
}
