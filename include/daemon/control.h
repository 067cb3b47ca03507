/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked by the operator's socket, see base/operator.h:
 *
 *	{"verb":"status"}           everything that status.c knows
 *	{"verb":"reload"}           load the register again
 *	{"verb":"tail","from":N}    alarms as they change, until the socket is closed
 *	{"verb":"act", ...}         something is done with an alarm: see control_act.h
 *
 * Who may open the socket may see all alarms, and do everything with them.
 *
 * Owner: the main thread.
 */
#ifndef GATEHOUSE_DAEMON_CONTROL_H
#define GATEHOUSE_DAEMON_CONTROL_H

#include <jansson.h>

#include "base/loop.h"
#include "desk/actions.h"
#include "desk/hub.h"

struct control_hooks {
	json_t *(*status)(void *arg); /* a new object */
	void (*reload)(void *arg);
	void *arg;
};

struct control;

enum rc control_new(struct control **control, struct loop *loop, const char *path,
		    const struct control_hooks *hooks, struct mailbox *hub,
		    struct err *err) MUST_CHECK;
/* HUB_MAIL_DELIVERY: takes it.  What is under way when the socket was closed finds `control`
 * NULL, and nobody. */
void control_deliver(struct control *control, struct hub_delivery *delivery);
/* ACTIONS_MAIL_ANSWER: takes it; likewise. */
void control_answer(struct control *control, struct action_answer *answer);
/* Closes everybody and removes the socket. */
void control_free(struct control **control);

#endif
