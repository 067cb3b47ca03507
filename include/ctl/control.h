/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running daemon, asked over its unix socket: one JSON object per line in
 * each direction.  Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_CONTROL_H
#define GATEHOUSE_CTL_CONTROL_H

#include <jansson.h>

#include "base/base.h"

struct control;

/* RC_FAIL when nobody answers there. */
enum rc control_open(struct control **control, const char *path, struct err *err) MUST_CHECK;
void control_close(struct control **control);

/* From here on a reply is waited for for so long; otherwise for 5 seconds. */
void control_set_patience(struct control *control, int timeout_ms);

/* Sends `request` (borrowed) and waits for the reply, which is new.  RC_INVALID:
 * the daemon says why not.  RC_FAIL: it doesn't answer, or not in this form. */
enum rc control_ask(struct control *control, json_t *request, json_t **reply,
		    struct err *err) MUST_CHECK;

/* The next line; timeout_ms -1 waits for ever.  RC_AGAIN: none within the time.
 * RC_EOF: the daemon closed the connection. */
enum rc control_next(struct control *control, int timeout_ms, json_t **line,
		     struct err *err) MUST_CHECK;

/* Tells a daemon, if one runs, that the register has changed.  PostgreSQL tells
 * it too; this is for one that has lost its connection, and no error is one. */
void control_poke(const char *path);

#endif
