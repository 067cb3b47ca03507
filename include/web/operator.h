/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's door: a unix socket with one JSON object per line in each direction,
 * as the daemon's control socket has it.  Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_OPERATOR_H
#define GATEHOUSE_WEB_OPERATOR_H

#include <jansson.h>

#include "base/loop.h"

struct operator_door;

/* `answer` returns the new reply to a request that it borrows. */
enum rc operator_open(struct operator_door **door, struct loop *loop, const char *path,
		      json_t *(*answer)(void *arg, const json_t *request), void *arg,
		      struct err *err) MUST_CHECK;
void operator_close(struct operator_door **door);

#endif
