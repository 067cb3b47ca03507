/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: bytes as what a console sends.  Beside crashes it looks for
 * values outside the bounds that the header promises.
 */
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "wire/console_msg.h"

enum { FRAME_MAX = 16 * 1024, ARENA_BYTES = 32 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
take_action(const struct action_request *action)
{
	struct err err = {0};
	enum rc rc = action_request_check(action, &err);

	must(strlen(action->operator_code) <= ALARM_NAME_MAX);
	must(strlen(action->text) <= ALARM_TEXT_MAX);
	must(strlen(action->station) <= ALARM_NAME_MAX);
	must(action->verb == VERB_NONE || verb_is_of_people(action->verb));
	must((unsigned)action->reject < REJECT_ALARMS && (unsigned)action->outcome < OUTCOMES);
	must(rc == RC_OK || (rc == RC_INVALID && err.msg[0] != '\0'));
}

static void
take_message(struct arena *arena, const uint8_t *payload, size_t len)
{
	struct console_msg msg;
	struct err err = {0};
	enum rc rc = console_msg_decode(arena, payload, len, &msg, &err);
	uint32_t sum = 0;

	must(rc == RC_OK || (rc == RC_INVALID && err.msg[0] != '\0'));
	if (rc != RC_OK)
		return;
	switch (msg.type) {
	case CONSOLE_MSG_HELLO:
		must(strlen(msg.hello.software) <= HELLO_TEXT_MAX);
		break;
	case CONSOLE_MSG_SUBSCRIBE:
		must(msg.subscribe.n_areas <= SUBSCRIBE_AREAS_MAX);
		must(msg.subscribe.n_kinds <= SUBSCRIBE_KINDS_MAX);
		must((unsigned)msg.subscribe.severity_min <= SEVERITY_CRITICAL);
		for (size_t i = 0; i < msg.subscribe.n_areas; i++)
			must(strlen(msg.subscribe.areas[i]) <= HELLO_TEXT_MAX);
		for (size_t i = 0; i < msg.subscribe.n_kinds; i++)
			sum ^= msg.subscribe.kinds[i];
		(void)sum;
		break;
	case CONSOLE_MSG_ACTION:
		take_action(&msg.action);
		break;
	case CONSOLE_MSG_SHOWN:
		must(msg.shown.n <= SHOWN_MAX);
		for (size_t i = 0; i < msg.shown.n; i++)
			sum ^= msg.shown.alarms[i].change;
		(void)sum;
		break;
	case CONSOLE_MSG_KEEP_ALIVE:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	frames_run(data, n, FRAME_MAX, ARENA_BYTES, take_message);
	return 0;
}
