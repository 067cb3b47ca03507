/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that asks PostgreSQL.  All waiting is in poll() with a deadline: a
 * server that hangs costs its question and its connection, and nothing else.
 *
 * What may be asked is the list below: functions that the role gatehouse-web may
 * execute.  It may read no table.
 */
#include "web/reader.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"

static const struct {
	const char *sql;
	int n_args;
} questions[READER_QUESTIONS] = {
	[READER_CONSOLES] = {"SELECT gatehouse.web_consoles()", 0},
	[READER_ALARM] = {"SELECT gatehouse.web_alarm($1, $2::bigint)", 2},
	[READER_OVERVIEW] = {"SELECT gatehouse.web_overview($1)", 1},
};

/* Owner: its own thread, but for the mailbox. */
struct reader {
	struct reader_conf conf;
	struct mailbox box;
	pthread_t thread;
	PGconn *conn;
	struct backoff backoff; /* has succeeded with an answer */
	uint64_t not_before_ms; /* no attempt to connect before; questions fail at once */
	struct err why;         /* that is so */
	bool was_good;
	atomic_bool stop; /* set by the owner of the answers */
};

void
reader_mail_free(struct reader_mail **mail)
{
	if (*mail == NULL)
		return;
	free((*mail)->text);
	free(*mail);
	*mail = NULL;
}

static enum rc
reader_fail(struct reader *reader, const char *what, struct err *err)
{
	const char *words = reader->conn != NULL ? PQerrorMessage(reader->conn) : "out of memory";

	return err_fail(err, "could not %s: %.*s", what, (int)strcspn(words, "\n"), words);
}

static enum rc
reader_wait(struct reader *reader, short events, uint64_t deadline_ms, struct err *err)
{
	uint64_t now_ms = clock_mono_ms();
	struct pollfd at = {.fd = PQsocket(reader->conn), .events = events};

	if (now_ms < deadline_ms && poll(&at, 1, (int)(deadline_ms - now_ms)) > 0)
		return RC_OK;
	if (clock_mono_ms() < deadline_ms) /* interrupted: the caller looks again */
		return RC_OK;
	return err_fail(err, "postgresql did not answer in time");
}

/* ---- Connecting -------------------------------------------------------------- */

static void
reader_notice_cb(void *arg, const char *message)
{
	(void)arg;
	log_debug("reader", "postgresql says %s", message);
}

static enum rc
reader_handshake(struct reader *reader, struct err *err)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	uint64_t deadline_ms = clock_mono_ms() + reader->conf.connect_timeout_ms;

	while (reader->conn != NULL && PQstatus(reader->conn) != CONNECTION_BAD) {
		if (status == PGRES_POLLING_OK)
			return RC_OK;
		if (status == PGRES_POLLING_FAILED)
			break;
		if (reader_wait(reader, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
				deadline_ms, err) != RC_OK)
			return RC_FAIL;
		status = PQconnectPoll(reader->conn);
	}
	return reader_fail(reader, "connect to postgresql", err);
}

static enum rc
reader_connect(struct reader *reader, struct err *err)
{
	/* what stands before dbname is a default, what stands behind it wins */
	const char *const names[] = {"user", "dbname", "application_name", "client_encoding", NULL};
	const char *const values[] = {"gatehouse-web", reader->conf.conninfo, "gatehouse-web",
				      "UTF8", NULL};
	enum rc rc;

	reader->conn = PQconnectStartParams(names, values, 1);
	rc = reader_handshake(reader, err);
	if (rc != RC_OK) {
		PQfinish(reader->conn);
		reader->conn = NULL;
		return rc;
	}
	(void)PQsetNoticeProcessor(reader->conn, reader_notice_cb, NULL);
	return RC_OK;
}

static void
reader_pause(struct reader *reader, const struct err *why)
{
	reader->why = *why;
	reader->not_before_ms = clock_mono_ms() + backoff_failed(&reader->backoff);
}

/* A connection that is good, or why there is none. */
static enum rc
reader_need_connection(struct reader *reader, struct err *err)
{
	enum rc rc;

	if (reader->conn != NULL && PQstatus(reader->conn) == CONNECTION_OK)
		return RC_OK;
	PQfinish(reader->conn);
	reader->conn = NULL;
	if (clock_mono_ms() < reader->not_before_ms) {
		*err = reader->why;
		return RC_FAIL;
	}
	rc = reader_connect(reader, err);
	if (rc == RC_OK) {
		log_info("reader", "postgresql connected");
	} else {
		reader_pause(reader, err);
		if (reader->was_good)
			log_warning("reader", "postgresql lost: %s", err->msg);
	}
	reader->was_good = rc == RC_OK;
	return rc;
}

/* ---- Asking ------------------------------------------------------------------ */

/* Until the whole answer is here. */
static enum rc
reader_collect(struct reader *reader, uint64_t deadline_ms, struct err *err)
{
	while (PQisBusy(reader->conn)) {
		if (reader_wait(reader, POLLIN, deadline_ms, err) != RC_OK)
			return RC_FAIL;
		if (PQconsumeInput(reader->conn) != 1)
			return reader_fail(reader, "read from postgresql", err);
	}
	return RC_OK;
}

/* Takes the one value of the result. */
static enum rc
reader_take(struct reader *reader, PGresult *result, struct reader_mail *mail)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		return reader_fail(reader, "ask postgresql", &mail->err);
	if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
		mail->text = xstrdup(PQgetvalue(result, 0, 0));
	return RC_OK;
}

static enum rc
reader_answer(struct reader *reader, struct reader_mail *mail)
{
	const char *args[READER_ARGS_MAX];
	uint64_t deadline_ms;
	PGresult *result;
	enum rc rc = reader_need_connection(reader, &mail->err);

	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < READER_ARGS_MAX; i++)
		args[i] = mail->args[i];
	deadline_ms = clock_mono_ms() + reader->conf.statement_timeout_ms;
	if (PQsendQueryParams(reader->conn, questions[mail->question].sql,
			      questions[mail->question].n_args, NULL, args, NULL, NULL, 0) != 1)
		rc = reader_fail(reader, "ask postgresql", &mail->err);
	if (rc == RC_OK)
		rc = reader_collect(reader, deadline_ms, &mail->err);
	if (rc == RC_OK) {
		backoff_succeeded(&reader->backoff);
		result = PQgetResult(reader->conn);
		rc = reader_take(reader, result, mail);
		PQclear(result);
		while ((result = PQgetResult(reader->conn)) != NULL)
			PQclear(result);
		return rc;
	}
	/* whole, and silent: what it does there goes on without us */
	if (PQstatus(reader->conn) == CONNECTION_OK)
		reader_pause(reader, &mail->err);
	/* an answer may be under way: the connection is of no use any more */
	PQfinish(reader->conn);
	reader->conn = NULL;
	return rc;
}

static void *
reader_run(void *arg)
{
	struct reader *reader = arg;

	while (!atomic_load(&reader->stop)) {
		struct mail *mail;

		(void)mailbox_wait(&reader->box, -1);
		mail = mailbox_take_all(&reader->box);
		while (mail != NULL) {
			struct mail *next = mail->next;
			struct reader_mail *asked = CONTAINER_OF(mail, struct reader_mail, mail);

			if (atomic_load(&reader->stop)) {
				reader_mail_free(&asked);
			} else {
				asked->rc = reader_answer(reader, asked);
				mail->kind = READER_MAIL_ANSWER;
				mailbox_post(reader->conf.answers, mail);
			}
			mail = next;
		}
	}
	PQfinish(reader->conn);
	return NULL;
}

enum rc
reader_start(struct reader **out, const struct reader_conf *conf, struct err *err)
{
	struct reader *reader = xcalloc(1, sizeof(*reader));
	enum rc rc = mailbox_init(&reader->box, err);

	if (rc != RC_OK) {
		free(reader);
		return rc;
	}
	reader->conf = *conf;
	backoff_init(&reader->backoff, conf->retry_ms, conf->retry_max_ms);
	reader->was_good = true;
	if (pthread_create(&reader->thread, NULL, reader_run, reader) != 0) {
		mailbox_fini(&reader->box);
		free(reader);
		return err_sys(err, "could not start a thread");
	}
	*out = reader;
	return RC_OK;
}

void
reader_ask(struct reader *reader, struct reader_mail *mail)
{
	mail->mail.kind = READER_MAIL_ASK;
	mailbox_post(&reader->box, &mail->mail);
}

void
reader_stop(struct reader **out)
{
	struct reader *reader = *out;

	if (reader == NULL)
		return;
	*out = NULL;
	atomic_store(&reader->stop, true);
	mailbox_ring(&reader->box);
	(void)pthread_join(reader->thread, NULL);
	mailbox_fini(&reader->box);
	free(reader);
}
