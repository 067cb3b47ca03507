/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and sightings out of what a console says: for console_msg.c. */
#ifndef GATEHOUSE_WIRE_CONSOLE_ACTION_H
#define GATEHOUSE_WIRE_CONSOLE_ACTION_H

#include "pb.h"
#include "wire/console_msg.h"

enum rc action_take(const struct arena *arena, const Gatehouse__V1__Action *from,
		    struct action_request *to, struct err *err) MUST_CHECK;
enum rc shown_take(struct arena *arena, const Gatehouse__V1__Shown *from, struct console_msg *msg,
		   struct err *err) MUST_CHECK;

#endif
