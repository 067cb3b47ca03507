/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements and COPY over one connection, without ever blocking in libpq: it is
 * in non-blocking mode, and every wait goes through link_wait().
 *
 * While bytes are sent, what comes in is read too: a server that stops reading
 * until its notices are taken would otherwise wait for us and we for it.
 */
#include "link.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

void
link_init(struct link *link, const struct link_conf *conf, struct mailbox *box,
	  const _Atomic uint64_t *stop_at_ms)
{
	*link = (struct link){.conf = conf, .box = box, .stop_at_ms = stop_at_ms};
}

void
link_close(struct link *link)
{
	/* non-blocking mode holds for the goodbye, too */
	PQfinish(link->conn);
	link->conn = NULL;
}

bool
link_is_idle(const struct link *link)
{
	return link->conn != NULL && PQstatus(link->conn) == CONNECTION_OK &&
	       PQtransactionStatus(link->conn) == PQTRANS_IDLE;
}

/* ---- Reasons --------------------------------------------------------------- */

/* libpq explains over several lines; the first says what happened. */
static void
link_set_reason(struct err *err, const char *what, const char *text)
{
	(void)err_fail(err, "could not %s: %.*s", what, (int)strcspn(text, "\n"), text);
}

enum rc
link_fail(const struct link *link, const char *what, struct err *err)
{
	link_set_reason(err, what, link->conn != NULL ? PQerrorMessage(link->conn) : "no memory");
	return RC_FAIL;
}

/*
 * Classes of SQLSTATE that a row's content causes: 22 data exception, 23
 * constraint violation, 54 limit exceeded, P0 raised by somebody's trigger.  All
 * else (08, 40, 53, 55, 57, 58, XX: the server or the network; 25, 28, 42: rights,
 * a standby, another schema) says nothing about the row, which keeps its place.
 */
static bool
link_blames_row(const char *sqlstate)
{
	static const char classes[][3] = {"22", "23", "54", "P0"};

	for (size_t i = 0; sqlstate != NULL && i < ARRAY_LEN(classes); i++) {
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	}
	return false;
}

/* "COPY stage_records, line 4711, column detail" -> 4711.  The context may be
 * translated; then the line is not known, which costs time only. */
static uint64_t
link_find_line(const char *context)
{
	const char *line = context != NULL ? strstr(context, ", line ") : NULL;
	uint64_t n = 0;

	if (line == NULL || strncmp(context, "COPY ", 5) != 0)
		return 0;
	for (line += strlen(", line "); *line >= '0' && *line <= '9'; line++)
		n = n * 10 + (uint64_t)(*line - '0');
	return n;
}

static enum rc
link_refused(struct link *link, const char *what, const PGresult *result, struct err *err)
{
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	link_set_reason(err, what, text != NULL ? text : PQresultErrorMessage(result));
	if (!link_blames_row(PQresultErrorField(result, PG_DIAG_SQLSTATE)))
		return RC_FAIL;
	link->by_check = strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "23514") == 0;
	link->copy_line = link_find_line(PQresultErrorField(result, PG_DIAG_CONTEXT));
	return RC_INVALID;
}

/* ---- Waiting --------------------------------------------------------------- */

static uint64_t
link_end_of_wait(const struct link *link, uint64_t deadline_ms)
{
	uint64_t stop_ms = atomic_load_explicit(link->stop_at_ms, memory_order_acquire);

	return stop_ms < deadline_ms ? stop_ms : deadline_ms;
}

/* Sleeps once.  Returns poll()'s: 0 after the time, or when only the box rang. */
static int
link_poll(struct link *link, short events, uint64_t wait_ms, bool *rang)
{
	struct pollfd fds[] = {
		{.fd = PQsocket(link->conn), .events = events},
		{.fd = link->box->fd, .events = POLLIN},
	};

	(void)poll(fds, ARRAY_LEN(fds), wait_ms < INT_MAX ? (int)wait_ms : INT_MAX);
	*rang = fds[1].revents != 0;
	/* Nobody sends the store a message: the bell alone says "look again". */
	if (*rang)
		must(mailbox_take_all(link->box) == NULL);
	return fds[0].revents;
}

enum rc
link_wait(struct link *link, short events, uint64_t deadline_ms, struct err *err)
{
	bool rang;

	for (;;) {
		uint64_t now_ms = clock_mono_ms();
		uint64_t end_ms = link_end_of_wait(link, deadline_ms);

		if (now_ms >= end_ms && end_ms < deadline_ms)
			return err_fail(err, "stopped while waiting for PostgreSQL");
		if (now_ms >= end_ms)
			return err_fail(err, "PostgreSQL did not answer in time");
		if (link_poll(link, events, end_ms - now_ms, &rang) != 0)
			return RC_OK;
	}
}

enum rc
link_idle(struct link *link, uint64_t timeout_ms, struct err *err)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t end_ms = link_end_of_wait(link, now_ms + timeout_ms);
	bool rang;

	(void)link_poll(link, POLLIN, end_ms > now_ms ? end_ms - now_ms : 0, &rang);
	if (PQconsumeInput(link->conn) == 0)
		return link_fail(link, "keep the connection", err);
	return RC_OK;
}

bool
link_was_notified(struct link *link, const char *channel)
{
	bool found = false;

	for (PGnotify *notify; (notify = PQnotifies(link->conn)) != NULL;) {
		found = found || strcmp(notify->relname, channel) == 0;
		PQfreemem(notify);
	}
	return found;
}

/* Waits for the server, whose silence has a limit; takes what it sent. */
static enum rc
link_take_input(struct link *link, const char *what, short events, struct err *err)
{
	uint64_t deadline_ms = clock_mono_ms() + link->conf->statement_timeout_ms;

	if (link_wait(link, events, deadline_ms, err) != RC_OK)
		return RC_FAIL;
	if (PQconsumeInput(link->conn) == 0)
		return link_fail(link, what, err);
	return RC_OK;
}

/* Sends what libpq has gathered. */
static enum rc
link_flush(struct link *link, const char *what, struct err *err)
{
	for (;;) {
		int left = PQflush(link->conn);

		if (left == 0)
			return RC_OK;
		if (left < 0)
			return link_fail(link, what, err);
		/* its socket is full: it has work for longer than a slice takes */
		if (link->meanwhile.work != NULL && link->meanwhile.work(link->meanwhile.arg))
			continue;
		if (link_take_input(link, what, POLLIN | POLLOUT, err) != RC_OK)
			return RC_FAIL;
	}
}

/* *result: the next one, NULL when there is no more. */
static enum rc
link_next_result(struct link *link, const char *what, PGresult **result, struct err *err)
{
	while (PQisBusy(link->conn) != 0) {
		if (link_take_input(link, what, POLLIN, err) != RC_OK)
			return RC_FAIL;
	}
	*result = PQgetResult(link->conn);
	return RC_OK;
}

/* ---- Statements ------------------------------------------------------------ */

/* Reads all that the server answers.  The first refusal counts; *last is the last
 * good result, new, or NULL. */
static enum rc
link_get_results(struct link *link, const char *what, PGresult **last, struct err *err)
{
	enum rc rc = RC_OK;

	*last = NULL;
	for (;;) {
		PGresult *result;
		ExecStatusType status;

		if (link_next_result(link, what, &result, err) != RC_OK) {
			rc = RC_FAIL;
			break;
		}
		if (result == NULL)
			break;
		status = PQresultStatus(result);
		if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
			PQclear(*last);
			*last = result;
			continue;
		}
		if (rc == RC_OK)
			rc = link_refused(link, what, result, err);
		PQclear(result);
	}
	/* a connection that broke in between gives its last result as if it were whole */
	if (rc == RC_OK && PQstatus(link->conn) != CONNECTION_OK)
		rc = link_fail(link, what, err);
	if (rc != RC_OK) {
		PQclear(*last);
		*last = NULL;
	}
	return rc;
}

enum rc
link_send(struct link *link, const char *what, const char *sql, int n_params,
	  const char *const *params, struct err *err)
{
	int sent;

	link->copy_line = 0;
	if (n_params > 0)
		sent = PQsendQueryParams(link->conn, sql, n_params, NULL, params, NULL, NULL, 0);
	else
		sent = PQsendQuery(link->conn, sql);
	return sent != 0 ? link_flush(link, what, err) : link_fail(link, what, err);
}

enum rc
link_receive(struct link *link, const char *what, PGresult **result, struct err *err)
{
	PGresult *last = NULL;
	enum rc rc = link_get_results(link, what, &last, err);

	if (result != NULL)
		*result = last;
	else
		PQclear(last);
	return rc;
}

enum rc
link_exec(struct link *link, const char *what, const char *sql, int n_params,
	  const char *const *params, PGresult **result, struct err *err)
{
	enum rc rc = link_send(link, what, sql, n_params, params, err);

	if (rc == RC_OK)
		return link_receive(link, what, result, err);
	if (result != NULL)
		*result = NULL;
	return rc;
}

/* ---- COPY ------------------------------------------------------------------ */

enum rc
link_copy_begin(struct link *link, const char *sql, struct err *err)
{
	PGresult *result;
	enum rc rc;

	link->copy_line = 0;
	if (PQsendQuery(link->conn, sql) == 0)
		return link_fail(link, "begin to copy", err);
	rc = link_flush(link, "begin to copy", err);
	if (rc == RC_OK)
		rc = link_next_result(link, "begin to copy", &result, err);
	if (rc != RC_OK)
		return rc;
	if (PQresultStatus(result) == PGRES_COPY_IN) {
		PQclear(result);
		return RC_OK;
	}
	rc = link_refused(link, "begin to copy", result, err);
	PQclear(result);
	/* take the end of the answer, so that the link can be used again */
	if (link_get_results(link, "begin to copy", &result, &(struct err){0}) == RC_OK)
		PQclear(result);
	return rc;
}

enum rc
link_copy_put(struct link *link, const void *bytes, size_t n, struct err *err)
{
	must(n <= INT_MAX);
	for (;;) {
		int put = PQputCopyData(link->conn, bytes, (int)n);

		if (put > 0)
			return link_flush(link, "copy", err);
		if (put < 0)
			return link_fail(link, "copy", err);
		if (link_flush(link, "copy", err) != RC_OK)
			return RC_FAIL;
	}
}

enum rc
link_copy_end(struct link *link, uint64_t *rows, struct err *err)
{
	PGresult *result = NULL;
	enum rc rc;
	int ended;

	while ((ended = PQputCopyEnd(link->conn, NULL)) == 0) {
		if (link_flush(link, "end copying", err) != RC_OK)
			return RC_FAIL;
	}
	if (ended < 0)
		return link_fail(link, "end copying", err);
	rc = link_flush(link, "end copying", err);
	if (rc == RC_OK)
		rc = link_get_results(link, "copy", &result, err);
	*rows = rc == RC_OK ? strtoull(PQcmdTuples(result), NULL, 10) : 0;
	PQclear(result);
	return rc;
}
