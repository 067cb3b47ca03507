/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and PostgreSQL's answers meet by the ticket. */
#include "web/questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "web/http.h"
#include "web/pending.h"

struct questions {
	struct reader *reader;
	struct pending *pending;
};

struct questions *
questions_new(struct reader *reader, size_t max)
{
	struct questions *questions = xcalloc(1, sizeof(*questions));

	questions->reader = reader;
	questions->pending = pending_new(max);
	return questions;
}

void
questions_ask(struct questions *questions, struct evhttp_request *request,
	      enum reader_question question, const char *first, const char *second, bool known)
{
	struct reader_mail *mail;
	uint64_t ticket;

	if (pending_add(questions->pending, request, NULL, clock_mono_ms(), &ticket) != RC_OK) {
		http_problem(request, 503, "too many questions wait for the database");
		return;
	}
	mail = xcalloc(1, sizeof(*mail));
	mail->ticket = ticket;
	mail->question = question;
	mail->known = known;
	(void)snprintf(mail->args[0], READER_ARG_BYTES, "%s", first);
	(void)snprintf(mail->args[1], READER_ARG_BYTES, "%s", second != NULL ? second : "");
	reader_ask(questions->reader, mail);
}

bool
questions_answer(struct questions *questions, struct reader_mail *answer)
{
	struct evhttp_request *request;

	if (answer->ticket == 0)
		return false;
	request = pending_take(questions->pending, answer->ticket);
	if (request != NULL) {
		if (answer->rc != RC_OK)
			http_problem(request, 503, answer->err.msg);
		else if (answer->text == NULL && answer->known)
			/* nothing is wrong: browsers would say so of a 404 */
			http_reply(request, 204, NULL, "", 0);
		else if (answer->text == NULL)
			http_problem(request, 404, "the database has none of that number");
		else
			http_reply(request, 200, "application/json", answer->text,
				   strlen(answer->text));
	}
	reader_mail_free(&answer);
	return true;
}

void
questions_free(struct questions **out)
{
	if (*out == NULL)
		return;
	pending_free(&(*out)->pending);
	free(*out);
	*out = NULL;
}
