/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's multi interface on libevent: libcurl says which sockets it waits for and until
 * when, and is told what has come.
 *
 * A request's answer that is longer than what is kept ends the request there: the status
 * has come, and nothing more is wanted.
 */
#include "web/caller.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"

enum {
	CALLER_CONNECTIONS_KEPT = 32,
	CALLER_HEADER_BYTES_MAX = 32 * 1024,
	CALLER_RETRY_AFTER_MAX_S = 86400,
	CALLER_MS = 1000,
};

#define CALLER_HTTPS    "https"
#define CALLER_HTTP_TOO "https,http"

/* Owner: the loop's thread. */
struct caller {
	struct loop *loop;
	CURLM *multi;
	struct event *timer;
	LIST_HEAD(, calling) list;
};

struct calling {
	struct caller *caller;
	CURL *easy;
	struct curl_slist *headers;
	struct buf answer;
	size_t header_bytes;
	bool cut; /* the rest of the answer was not read */
	char why[CURL_ERROR_SIZE];
	void (*on_done)(void *arg, const struct call_result *result);
	void *arg;
	LIST_ENTRY(calling) in_all;
};

/* ---- Addresses --------------------------------------------------------------- */

/* libcurl itself takes localhost for this machine, whatever a resolver says. */
static bool
host_is_loopback(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static enum rc
url_check_parts(CURLU *url, const char *text, bool loopback_http, struct err *err)
{
	char *scheme = NULL, *host = NULL;
	enum rc rc = RC_OK;

	if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		rc = err_invalid(err, "it is no https:// address without a user in it");
	else if (strcmp(scheme, "http") == 0 && !(loopback_http && host_is_loopback(host)))
		rc = err_invalid(err, "http:// is for this machine itself, where "
				      "\"webhook.loopback_http\" is true; expected https://");
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		rc = err_invalid(err, "it begins with %.20s://, expected https://", scheme);
	curl_free(scheme);
	curl_free(host);
	return rc;
}

enum rc
caller_check_url(const char *text, bool loopback_http, struct err *err)
{
	CURLU *url = curl_url();
	enum rc rc;

	must(url != NULL);
	rc = url_check_parts(url, text, loopback_http, err);
	curl_url_cleanup(url);
	return rc;
}

/* ---- What comes back --------------------------------------------------------- */

static size_t
body_cb(char *bytes, size_t size, size_t n, void *arg)
{
	struct calling *calling = arg;
	size_t room = calling->answer.limit - buf_len(&calling->answer);

	(void)size; /* is 1 */
	if (buf_append(&calling->answer, bytes, n < room ? n : room) != RC_OK || n > room) {
		calling->cut = true;
		return 0;
	}
	return n;
}

static size_t
header_cb(char *bytes, size_t size, size_t n, void *arg)
{
	struct calling *calling = arg;

	(void)bytes;
	(void)size;
	calling->header_bytes += n;
	return calling->header_bytes <= CALLER_HEADER_BYTES_MAX ? n : 0;
}

static void
calling_free(struct calling *calling)
{
	LIST_REMOVE(calling, in_all);
	(void)curl_multi_remove_handle(calling->caller->multi, calling->easy);
	curl_easy_cleanup(calling->easy);
	curl_slist_free_all(calling->headers);
	buf_fini(&calling->answer);
	free(calling);
}

static void
calling_done(struct calling *calling, CURLcode code)
{
	struct call_result result = {.why = calling->why};
	curl_off_t took_us = 0, retry_after_s = 0;
	long status = 0;

	(void)curl_easy_getinfo(calling->easy, CURLINFO_TOTAL_TIME_T, &took_us);
	(void)curl_easy_getinfo(calling->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (code == CURLE_OK || calling->cut)
		(void)curl_easy_getinfo(calling->easy, CURLINFO_RESPONSE_CODE, &status);
	if (retry_after_s > CALLER_RETRY_AFTER_MAX_S)
		retry_after_s = CALLER_RETRY_AFTER_MAX_S;
	if (calling->why[0] == '\0')
		result.why = curl_easy_strerror(code);
	result.status = (int)status;
	result.took_ms = (uint64_t)took_us / CALLER_MS;
	result.retry_after_ms = (uint64_t)retry_after_s * CALLER_MS;
	result.answer = (const char *)buf_front(&calling->answer);
	result.answer_bytes = buf_len(&calling->answer);
	calling->on_done(calling->arg, &result);
	calling_free(calling);
}

static void
caller_collect(struct caller *caller)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(caller->multi, &left)) != NULL) {
		struct calling *calling = NULL;
		/* the message is gone with its handle */
		CURLcode code = message->data.result;

		must(message->msg == CURLMSG_DONE);
		must(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &calling) ==
		     CURLE_OK);
		calling_done(calling, code);
	}
}

/* ---- On the loop ------------------------------------------------------------- */

static void
caller_act(struct caller *caller, curl_socket_t fd, int what)
{
	int running;

	must(curl_multi_socket_action(caller->multi, fd, what, &running) == CURLM_OK);
	caller_collect(caller);
}

static void
ready_cb(evutil_socket_t fd, short what, void *arg)
{
	caller_act(arg, fd,
		   ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
			   ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void
due_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	caller_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl waits for this of that socket; `arg` is what was assigned to it. */
static int
socket_cb(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct caller *caller = arg;
	struct event *event = assigned;
	short wanted = EV_PERSIST;

	(void)easy;
	if (event != NULL)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		wanted |= (what & CURL_POLL_IN) != 0 ? EV_READ : 0;
		wanted |= (what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0;
		event = event_new(loop_base(caller->loop), fd, wanted, ready_cb, caller);
		must(event != NULL && event_add(event, NULL) == 0);
	}
	(void)curl_multi_assign(caller->multi, fd, event);
	return 0;
}

static int
timer_cb(CURLM *multi, long timeout_ms, void *arg)
{
	struct caller *caller = arg;
	const struct timeval wait = {
		.tv_sec = timeout_ms / CALLER_MS,
		.tv_usec = timeout_ms % CALLER_MS * CALLER_MS,
	};

	(void)multi;
	if (timeout_ms < 0)
		(void)event_del(caller->timer);
	else
		must(event_add(caller->timer, &wait) == 0);
	return 0;
}

enum rc
caller_new(struct caller **out, struct loop *loop, struct err *err)
{
	struct caller *caller;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_fail(err, "could not set up libcurl");
	caller = xcalloc(1, sizeof(*caller));
	caller->loop = loop;
	LIST_INIT(&caller->list);
	caller->timer = evtimer_new(loop_base(loop), due_cb, caller);
	caller->multi = curl_multi_init();
	must(caller->timer != NULL && caller->multi != NULL);
	(void)curl_multi_setopt(caller->multi, CURLMOPT_SOCKETFUNCTION, socket_cb);
	(void)curl_multi_setopt(caller->multi, CURLMOPT_SOCKETDATA, caller);
	(void)curl_multi_setopt(caller->multi, CURLMOPT_TIMERFUNCTION, timer_cb);
	(void)curl_multi_setopt(caller->multi, CURLMOPT_TIMERDATA, caller);
	(void)curl_multi_setopt(caller->multi, CURLMOPT_MAXCONNECTS, (long)CALLER_CONNECTIONS_KEPT);
	*out = caller;
	return RC_OK;
}

void
caller_free(struct caller **out)
{
	struct caller *caller = *out;

	if (caller == NULL)
		return;
	*out = NULL;
	while (!LIST_EMPTY(&caller->list))
		calling_free(LIST_FIRST(&caller->list));
	(void)curl_multi_cleanup(caller->multi);
	event_free(caller->timer);
	free(caller);
	curl_global_cleanup();
}

/* ---- Asking ------------------------------------------------------------------ */

static bool
calling_set_headers(struct calling *calling, const struct call *call)
{
	/* an empty one takes libcurl's own away: nobody is to wait for "100 Continue" */
	calling->headers = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; i < CALL_HEADERS_MAX && call->headers[i] != NULL; i++) {
		struct curl_slist *longer =
			calling->headers != NULL
				? curl_slist_append(calling->headers, call->headers[i])
				: NULL;

		if (longer == NULL)
			return false;
		calling->headers = longer;
	}
	return calling->headers != NULL &&
	       curl_easy_setopt(calling->easy, CURLOPT_HTTPHEADER, calling->headers) == CURLE_OK;
}

/* Whom the call reaches, and that it is them. */
static bool
calling_set_peer(struct calling *calling, const struct call *call)
{
	CURL *easy = calling->easy;
	const char *protocols = call->loopback_http ? CALLER_HTTP_TOO : CALLER_HTTPS;
	bool own = call->ca_file[0] != '\0';

	return curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       /* one's own authority is the only one then */
	       (!own || (curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
			 curl_easy_setopt(easy, CURLOPT_CAINFO, call->ca_file) == CURLE_OK));
}

static bool
calling_set(struct calling *calling, const struct call *call)
{
	CURL *easy = calling->easy;

	return calling_set_peer(calling, call) && calling_set_headers(calling, call) &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_bytes) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->timeout_ms) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_cb) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, calling) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_cb) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERDATA, calling) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, calling->why) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, calling) == CURLE_OK;
}

struct calling *
caller_post(struct caller *caller, const struct call *call,
	    void (*on_done)(void *arg, const struct call_result *result), void *arg)
{
	struct calling *calling = xcalloc(1, sizeof(*calling));

	must(call->answer_max <= CALL_ANSWER_MAX);
	*calling = (struct calling){.caller = caller, .on_done = on_done, .arg = arg};
	buf_init(&calling->answer, call->answer_max);
	calling->easy = curl_easy_init();
	LIST_INSERT_HEAD(&caller->list, calling, in_all);
	if (calling->easy == NULL || !calling_set(calling, call) ||
	    curl_multi_add_handle(caller->multi, calling->easy) != CURLM_OK) {
		calling_free(calling);
		return NULL;
	}
	return calling;
}

void
caller_cancel(struct calling **calling)
{
	if (*calling == NULL)
		return;
	calling_free(*calling);
	*calling = NULL;
}
