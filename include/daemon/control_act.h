/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator at the server wants done with an alarm, out of a request's JSON:
 *
 *	{"verb":"act","alarm_id":N,"do":"accept"}
 *
 * with "operator", "text", "station" (texts), "outcome" and "reject_reason" (names),
 * "until_us" and "seen_change" (numbers) where the verb needs them.  The answer has
 * "change", or says in words why not.
 */
#ifndef GATEHOUSE_DAEMON_CONTROL_ACT_H
#define GATEHOUSE_DAEMON_CONTROL_ACT_H

#include <jansson.h>

#include "desk/actions.h"

/* New, with everything but the mailbox and the id; NULL: err says what is wrong.  Who
 * may use the socket has the rights of a supervisor everywhere; `fd`: the socket, for the
 * user's name. */
struct action_ask *control_act_ask(const json_t *request, int fd, struct err *err);
/* The reply to it: a new object. */
json_t *control_act_reply(const struct action_result *result);

#endif
