/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only PostgreSQL knows: consoles' rights, what an alarm's records were, figures.
 * A thread of its own asks it, one question after the other, each within a time
 * limit; the answers are JSON that PostgreSQL made (sql/006_web_role.sql).
 *
 * The pages' list of alarms does not come from here, and never waits for it.
 */
#ifndef GATEHOUSE_WEB_READER_H
#define GATEHOUSE_WEB_READER_H

#include "base/mailbox.h"

enum reader_question {
	READER_CONSOLES, /* no arguments */
	READER_ALARM,    /* station, alarm's id */
	READER_OVERVIEW, /* station */
	READER_QUESTIONS,
};

enum { READER_MAIL_ASK = 300, READER_MAIL_ANSWER };
enum { READER_ARGS_MAX = 2, READER_ARG_BYTES = 80 };

/* Goes to the reader as a question, and comes back as its answer. */
struct reader_mail {
	struct mail mail;
	uint64_t ticket; /* the asker's */
	enum reader_question question;
	char args[READER_ARGS_MAX][READER_ARG_BYTES];
	bool known; /* the asker's: there is one, also where the database has none yet */
	/* The answer: RC_OK with text (new memory; NULL: nothing of that name), or why not. */
	enum rc rc;
	char *text;
	struct err err;
};
void reader_mail_free(struct reader_mail **mail);

struct reader_conf {
	const char *conninfo;
	uint64_t connect_timeout_ms, statement_timeout_ms;
	/* Behind an attempt to connect or a question that had no answer, doubled from one to
	 * the next up to the most; what is asked meanwhile fails at once. */
	uint64_t retry_ms, retry_max_ms;
	struct mailbox *answers;
};

struct reader;

enum rc reader_start(struct reader **reader, const struct reader_conf *conf,
		     struct err *err) MUST_CHECK;
/* Takes the mail.  Any thread. */
void reader_ask(struct reader *reader, struct reader_mail *mail);
/* Waits for the question that runs, at most for its time limit. */
void reader_stop(struct reader **reader);

#endif
