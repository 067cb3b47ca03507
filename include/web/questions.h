/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to which PostgreSQL has the answer.
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_QUESTIONS_H
#define GATEHOUSE_WEB_QUESTIONS_H

#include "web/reader.h"

struct evhttp_request;
struct questions;

/* `reader` is borrowed. */
struct questions *questions_new(struct reader *reader, size_t max);
void questions_free(struct questions **questions);

/* Takes the request, which gets the answer, or says why there is none.  `second` may
 * be NULL.  `known`: there is one of that number, and no answer means that the database
 * has not heard of it yet. */
void questions_ask(struct questions *questions, struct evhttp_request *request,
		   enum reader_question question, const char *first, const char *second,
		   bool known);
/* Takes an answer; false when it is for none of these requests, and not taken. */
bool questions_answer(struct questions *questions, struct reader_mail *answer);

#endif
