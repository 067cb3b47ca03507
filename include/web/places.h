/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far each webhook was told, in a small file for each.  Written by a thread of its own:
 * a disk that takes its time must not hold up the pages.
 *
 * The folder belongs to one process at a time.
 */
#ifndef GATEHOUSE_WEB_PLACES_H
#define GATEHOUSE_WEB_PLACES_H

#include "base/mailbox.h"
#include "web/settings.h"

enum { PLACES_MAIL_SAVE = 310, PLACES_MAIL_SAVED };
enum { PLACE_BYTES_MAX = 4096 };

/* Goes to the thread with a text, and comes back with what became of it. */
struct place_mail {
	struct mail mail;
	char name[WEBHOOK_NAME_MAX + 1];
	char *text;
	uint64_t position; /* the sender's */
	enum rc rc;
	struct err err;
};
void place_mail_free(struct place_mail **mail);

struct places;

/* Makes the folder where it is missing.  RC_AGAIN: another process has it. */
enum rc places_open(struct places **places, const char *dir, struct mailbox *answers,
		    struct err *err) MUST_CHECK;
/* New memory; NULL: nothing was saved under that name yet. */
enum rc places_load(const struct places *places, const char *name, char **text,
		    struct err *err) MUST_CHECK;
/* Takes the mail; it comes back as PLACES_MAIL_SAVED. */
void places_save(struct places *places, struct place_mail *mail);
/* Saves what was taken, and ends the thread; answers are with the mailbox then. */
void places_close(struct places **places);

#endif
