/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dispatchers do with alarms, on its way to the daemon and back.  The daemon
 * decides; nothing has happened before it says so, and where its answer does not
 * come, the page is told that it is not known.
 *
 * Who acts is the session's console: what a request says of that is not believed.
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_ACTIONS_H
#define GATEHOUSE_WEB_ACTIONS_H

#include <jansson.h>

#include "web/sessions.h"
#include "web/upstream.h"

struct evhttp_request;
struct actions;

struct actions *actions_new(size_t max);
void actions_free(struct actions **actions);

/* Takes the request, whose body is what is to be done. */
void actions_post(struct actions *actions, struct evhttp_request *request,
		  struct upstream *upstream, const struct session *session, uint64_t alarm_id,
		  const json_t *body);
/* Says that these alarms are on a screen.  RC_INVALID: the body is none. */
enum rc actions_shown(struct upstream *upstream, const json_t *body, struct err *err) MUST_CHECK;

/* The daemon's answer. */
void actions_result(struct actions *actions, const struct action_result *result);
/* The connection is lost: what waits for it gets no answer. */
void actions_lost(struct actions *actions, const struct upstream *upstream);
/* Each second: what has waited for too long. */
void actions_tick(struct actions *actions);

#endif
