/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of the control socket.  What the daemon sends is bounded
 * per line, and waited for with a deadline: a daemon that hangs must not hang
 * the program that is to find out why.
 *
 * Owner: one thread.
 */
#include "ctl/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum {
	LINE_MAX_BYTES = 4 << 20, /* a status with a thousand listeners is far below */
	READ_STEP_BYTES = 16384,
	REPLY_TIMEOUT_MS = 5000,
	POKE_TIMEOUT_MS = 1000,
};

struct control {
	int fd;
	int reply_timeout_ms;
	struct buf input;
};

/* Connects, sends and reads: each within the socket's own timeout. */
static enum rc
control_connect(int fd, const char *path, int timeout_ms, struct err *err)
{
	const struct timeval limit = {.tv_sec = timeout_ms / 1000,
				      .tv_usec = timeout_ms % 1000 * 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return err_invalid(err, "the path of the control socket \"%s\" is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	/* covers connect() too, when the daemon's queue is full */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
		return err_sys(err, "could not set up the control socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return err_sys(err, "could not connect to the daemon at \"%s\"", path);
	return RC_OK;
}

static enum rc
control_open_within(struct control **control, const char *path, int timeout_ms, struct err *err)
{
	struct control *opened = xcalloc(1, sizeof(*opened));
	enum rc rc;

	buf_init(&opened->input, LINE_MAX_BYTES);
	opened->reply_timeout_ms = timeout_ms;
	opened->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (opened->fd < 0)
		rc = err_sys(err, "could not open a socket");
	else
		rc = control_connect(opened->fd, path, timeout_ms, err);
	if (rc != RC_OK) {
		control_close(&opened);
		return rc;
	}
	*control = opened;
	return RC_OK;
}

enum rc
control_open(struct control **control, const char *path, struct err *err)
{
	return control_open_within(control, path, REPLY_TIMEOUT_MS, err);
}

void
control_set_patience(struct control *control, int timeout_ms)
{
	control->reply_timeout_ms = timeout_ms;
}

void
control_close(struct control **control)
{
	if (*control == NULL)
		return;
	if ((*control)->fd >= 0)
		(void)close((*control)->fd);
	buf_fini(&(*control)->input);
	free(*control);
	*control = NULL;
}

/* ---- Lines ---------------------------------------------------------------- */

static enum rc
control_send(struct control *control, json_t *request, struct err *err)
{
	char *text = json_dumps(request, JSON_COMPACT);
	char *line;
	size_t n, sent = 0;
	enum rc rc = RC_OK;

	must(text != NULL);
	line = xasprintf("%s\n", text);
	n = strlen(line);
	while (sent < n && rc == RC_OK) {
		ssize_t done = send(control->fd, line + sent, n - sent, MSG_NOSIGNAL);

		if (done >= 0)
			sent += (size_t)done;
		else if (errno != EINTR)
			rc = err_sys(err, "could not send to the daemon");
	}
	free(line);
	free(text);
	return rc;
}

/* Takes a whole line out of what was read; RC_AGAIN when there is none yet. */
static enum rc
control_take_line(struct control *control, json_t **line, struct err *err)
{
	struct buf *input = &control->input;
	size_t n;
	const uint8_t *end;
	json_error_t mistake;

	end = buf_len(input) == 0 ? NULL : memchr(buf_front(input), '\n', buf_len(input));
	if (end == NULL)
		return RC_AGAIN;
	n = (size_t)(end - buf_front(input)) + 1;
	*line = json_loadb((const char *)buf_front(input), n, JSON_REJECT_DUPLICATES, &mistake);
	buf_consume(input, n);
	if (!json_is_object(*line)) {
		json_decref(*line);
		*line = NULL;
		return err_fail(err, "the daemon sent a line that is not a JSON object");
	}
	return RC_OK;
}

static enum rc
control_read(struct control *control, struct err *err)
{
	uint8_t *room = buf_reserve(&control->input, READ_STEP_BYTES);
	ssize_t n;

	if (room == NULL)
		return err_fail(err, "the daemon sent a line of more than %d bytes",
				LINE_MAX_BYTES - READ_STEP_BYTES);
	n = recv(control->fd, room, READ_STEP_BYTES, MSG_DONTWAIT);
	if (n == 0)
		return RC_EOF;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? RC_OK
			       : err_sys(err, "could not read from the daemon");
	buf_added(&control->input, (size_t)n);
	return RC_OK;
}

/* Until there is something to read; RC_AGAIN when the deadline has passed. */
static enum rc
control_wait(struct control *control, uint64_t deadline_ms, struct err *err)
{
	struct pollfd wanted = {.fd = control->fd, .events = POLLIN};
	uint64_t now_ms = clock_mono_ms();
	int wait_ms = -1, n;

	if (deadline_ms != UINT64_MAX)
		wait_ms = deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0;
	n = poll(&wanted, 1, wait_ms);
	if (n < 0 && errno != EINTR)
		return err_sys(err, "could not wait for the daemon");
	return n == 0 ? RC_AGAIN : RC_OK;
}

enum rc
control_next(struct control *control, int timeout_ms, json_t **line, struct err *err)
{
	uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX : clock_mono_ms() + (unsigned)timeout_ms;
	enum rc rc = control_take_line(control, line, err);

	while (rc == RC_AGAIN) {
		rc = control_wait(control, deadline_ms, err);
		if (rc == RC_OK)
			rc = control_read(control, err);
		if (rc != RC_OK)
			return rc;
		rc = control_take_line(control, line, err);
	}
	return rc;
}

enum rc
control_ask(struct control *control, json_t *request, json_t **reply, struct err *err)
{
	json_t *line = NULL;
	enum rc rc = control_send(control, request, err);

	if (rc == RC_OK)
		rc = control_next(control, control->reply_timeout_ms, &line, err);
	if (rc == RC_AGAIN)
		return err_fail(err, "the daemon did not answer within %d ms",
				control->reply_timeout_ms);
	if (rc == RC_EOF)
		return err_fail(err, "the daemon closed the connection without an answer");
	if (rc != RC_OK)
		return rc;
	if (!json_is_true(json_object_get(line, "ok"))) {
		const char *reason = json_string_value(json_object_get(line, "error"));

		rc = err_invalid(err, "the daemon refused: %s",
				 reason != NULL ? reason : "no reason given");
		json_decref(line);
		return rc;
	}
	*reply = line;
	return RC_OK;
}

void
control_poke(const char *path)
{
	struct control *control = NULL;
	json_t *request = json_pack("{s:s}", "verb", "reload"), *reply = NULL;
	struct err ignored;

	if (control_open_within(&control, path, POKE_TIMEOUT_MS, &ignored) == RC_OK &&
	    control_ask(control, request, &reply, &ignored) == RC_OK)
		json_decref(reply);
	control_close(&control);
	json_decref(request);
}
