/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and replies over evhttp. */
#include "web/http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

/* ---- What was asked ---------------------------------------------------------- */

bool
http_is_get(const struct evhttp_request *request)
{
	return evhttp_request_get_command(request) == EVHTTP_REQ_GET ||
	       evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
}

bool
http_is_post(const struct evhttp_request *request)
{
	return evhttp_request_get_command(request) == EVHTTP_REQ_POST;
}

const char *
http_path(const struct evhttp_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);

	return uri == NULL ? NULL : evhttp_uri_get_path(uri);
}

const char *
http_peer_address(struct evhttp_request *request)
{
	char *address = NULL;
	ev_uint16_t port;

	evhttp_connection_get_peer(evhttp_request_get_connection(request), &address, &port);
	return address != NULL ? address : "?";
}

const char *
http_header(struct evhttp_request *request, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(request), name);
}

bool
http_cookie(struct evhttp_request *request, char out[HTTP_COOKIE_MAX])
{
	static const char name[] = HTTP_COOKIE "=";
	const char *at = http_header(request, "Cookie");

	while (at != NULL) {
		size_t n;

		at += strspn(at, "; ");
		n = strcspn(at, "; ");
		if (strncmp(at, name, sizeof(name) - 1) == 0) {
			n -= sizeof(name) - 1;
			if (n == 0 || n >= HTTP_COOKIE_MAX)
				return false;
			memcpy(out, at + sizeof(name) - 1, n);
			out[n] = '\0';
			return true;
		}
		at = strchr(at, ';');
	}
	return false;
}

/* Every browser says Origin with a POST.  So a request without one is no browser's,
 * and gets the same answer: what can't be told apart must not differ. */
bool
http_is_same_origin(struct evhttp_request *request)
{
	const char *origin = http_header(request, "Origin"), *host = http_header(request, "Host");
	const char *site = http_header(request, "Sec-Fetch-Site");

	if (origin == NULL || host == NULL || strncmp(origin, "https://", 8) != 0)
		return false;
	if (site != NULL && strcmp(site, "same-origin") != 0)
		return false;
	return strcasecmp(origin + 8, host) == 0;
}

enum rc
http_body_json(struct evhttp_request *request, json_t **body, struct err *err)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t n = evbuffer_get_length(input);
	const char *bytes = n > 0 ? (const char *)evbuffer_pullup(input, -1) : "";
	json_error_t why;

	*body = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);
	if (*body == NULL)
		return err_invalid(err, "the body is not JSON: %s", why.text);
	if (json_is_object(*body))
		return RC_OK;
	json_decref(*body);
	return err_invalid(err, "the body is not a JSON object");
}

/* ---- What is said ------------------------------------------------------------ */

void
http_set_header(struct evhttp_request *request, const char *name, const char *value)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	(void)evhttp_remove_header(headers, name);
	must(evhttp_add_header(headers, name, value) == 0);
}

void
http_set_cookie(struct evhttp_request *request, const char *secret)
{
	char *value = xasprintf("%s=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", HTTP_COOKIE,
				secret != NULL ? secret : "", secret != NULL ? "" : "; Max-Age=0");

	http_set_header(request, "Set-Cookie", value);
	explicit_bzero(value, strlen(value));
	free(value);
}

/* What no reply goes without. */
static void
http_set_rules(struct evhttp_request *request)
{
	static const struct {
		const char *name, *value;
	} rules[] = {
		{"Content-Security-Policy",
		 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
		 "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{"Strict-Transport-Security", "max-age=31536000"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		http_set_header(request, rules[i].name, rules[i].value);
	if (evhttp_find_header(evhttp_request_get_output_headers(request), "Cache-Control") == NULL)
		http_set_header(request, "Cache-Control", "no-store");
}

static const char *
http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{429, "Too Many Requests"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

void
http_reply(struct evhttp_request *request, int status, const char *type, const void *bytes,
	   size_t n)
{
	struct evbuffer *body = evbuffer_new();

	must(body != NULL);
	http_set_rules(request);
	if (type != NULL)
		http_set_header(request, "Content-Type", type);
	if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
		must(evbuffer_add(body, bytes, n) == 0);
	evhttp_send_reply(request, status, http_reason(status), body);
	evbuffer_free(body);
}

void
http_reply_json(struct evhttp_request *request, int status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	must(text != NULL);
	json_decref(body);
	http_reply(request, status, "application/json", text, strlen(text));
	explicit_bzero(text, strlen(text)); /* it may hold a session's token */
	free(text);
}

void
http_problem(struct evhttp_request *request, int status, const char *detail)
{
	json_t *body = json_pack("{s:s, s:i, s:s}", "title", http_reason(status), "status", status,
				 "detail", detail);
	char *text = json_dumps(body, JSON_COMPACT);

	must(text != NULL);
	json_decref(body);
	http_reply(request, status, "application/problem+json", text, strlen(text));
	free(text);
}

void
http_begin_stream(struct evhttp_request *request)
{
	http_set_header(request, "Cache-Control", "no-store, no-transform");
	http_set_rules(request);
	http_set_header(request, "Content-Type", "text/event-stream");
	/* for proxies that would wait for more */
	http_set_header(request, "X-Accel-Buffering", "no");
	evhttp_send_reply_start(request, 200, http_reason(200));
}
