/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf of the registration desk.  What the server says is material from outside:
 * texts are made printable before they reach a terminal.
 */
#include "ctl/desk_msg.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "gatehouse.pb-c.h"
#include "wire/frame.h"
#include "wire/kind.h"

enum { CLIENT_JSON_MAX = 65536, DETAIL_SHOWN_MAX = 300 };

/* ---- Out ------------------------------------------------------------------------- */

static uint8_t *
frame_of(const Gatehouse__V1__FromController *message, size_t *n)
{
	size_t len = gatehouse__v1__from_controller__get_packed_size(message);
	uint8_t *frame = xcalloc(1, len + FRAME_HEADER_MAX), *end = frame_put_header(frame, len);

	end += gatehouse__v1__from_controller__pack(message, end);
	*n = (size_t)(end - frame);
	return frame;
}

uint8_t *
desk_msg_hello(uint64_t epoch, uint64_t acked_seq, size_t *n)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Hello hello = GATEHOUSE__V1__HELLO__INIT;
	char software[] = "gatehousectl";

	hello.protocol = PROTOCOL_VERSION;
	hello.epoch = epoch;
	hello.acked_seq = acked_seq;
	hello.clock_us = clock_wall_us();
	hello.firmware = software;
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HELLO;
	message.hello = &hello;
	return frame_of(&message, n);
}

uint8_t *
desk_msg_heartbeat(size_t *n)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Heartbeat heartbeat = GATEHOUSE__V1__HEARTBEAT__INIT;

	heartbeat.clock_us = clock_wall_us();
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_HEARTBEAT;
	message.heartbeat = &heartbeat;
	return frame_of(&message, n);
}

static void
fill_card_change(Gatehouse__V1__CardChange *change, const struct registration *ask)
{
	gatehouse__v1__card_change__init(change);
	change->card_kind = (Gatehouse__V1__CardKind)ask->card_kind;
	change->valid_from_us = ask->card_from_us;
	change->valid_until_us = ask->card_until_us;
	change->unit = (char *)(uintptr_t)ask->unit;
	change->sealed.data = (uint8_t *)(uintptr_t)ask->sealed;
	change->sealed.len = ask->sealed_len;
}

/* What a grant points to while it is packed. */
struct grant {
	Gatehouse__V1__GrantChange change;
	Gatehouse__V1__Hours hours[RIGHT_HOURS_MAX];
	Gatehouse__V1__Hours *spans[RIGHT_HOURS_MAX];
};

static void
fill_grant_change(struct grant *grant, const struct registration *ask)
{
	gatehouse__v1__grant_change__init(&grant->change);
	grant->change.n_doors = ask->n_doors;
	grant->change.doors = (char **)(uintptr_t)ask->doors;
	grant->change.group = (char *)(uintptr_t)ask->group;
	grant->change.valid_from_us = ask->valid_from_us;
	grant->change.valid_until_us = ask->valid_until_us;
	grant->change.n_hours = ask->n_hours;
	grant->change.hours = grant->spans;
	for (size_t i = 0; i < ask->n_hours; i++) {
		gatehouse__v1__hours__init(&grant->hours[i]);
		grant->hours[i].from_minute = ask->hours[i].from_minute;
		grant->hours[i].to_minute = ask->hours[i].to_minute;
		grant->spans[i] = &grant->hours[i];
	}
}

uint8_t *
desk_msg_record(const struct desk_record *record, size_t *n)
{
	Gatehouse__V1__FromController message = GATEHOUSE__V1__FROM_CONTROLLER__INIT;
	Gatehouse__V1__Record out = GATEHOUSE__V1__RECORD__INIT;
	Gatehouse__V1__CardChange card;
	struct grant grant;
	const struct registration *ask = &record->ask;
	bool grants = ask->kind == KIND_CODE_GRANT_SET || ask->kind == KIND_CODE_GRANT_REMOVED;

	out.seq = ask->seq;
	out.time_us = ask->device_time_us;
	out.kind = (Gatehouse__V1__Kind)ask->kind;
	out.site = (char *)(uintptr_t)record->site;
	out.card.data = (uint8_t *)(uintptr_t)record->card;
	out.card.len = record->card_len;
	if (record->card_len == 0) {
		out.card_key.data = (uint8_t *)(uintptr_t)ask->card_key;
		out.card_key.len = CARD_KEY_BYTES;
	}
	if (grants) {
		fill_grant_change(&grant, ask);
		out.grant_change = &grant.change;
	} else {
		fill_card_change(&card, ask);
		out.card_change = &card;
	}
	message.message_case = GATEHOUSE__V1__FROM_CONTROLLER__MESSAGE_RECORD;
	message.record = &out;
	return frame_of(&message, n);
}

/* ---- In --------------------------------------------------------------------------- */

static char *
printable(const char *text)
{
	char *copy = xasprintf("%.*s", DETAIL_SHOWN_MAX, text);

	for (char *c = copy; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return copy;
}

/* Refusals that waiting a little doesn't change. */
static bool
goaway_is_final(Gatehouse__V1__GoawayReason reason)
{
	return reason != GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_RESTART &&
	       reason != GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_OVERLOAD &&
	       reason != GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_IDLE &&
	       reason != GATEHOUSE__V1__GOAWAY_REASON__GOAWAY_REASON_SLOW;
}

static void
read_welcome(const Gatehouse__V1__Welcome *welcome, struct desk_msg *msg)
{
	msg->type = DESK_MSG_WELCOME;
	msg->epoch = welcome->epoch;
	msg->seq = welcome->resume_after;
	msg->window = welcome->window > 0 ? welcome->window : 1;
	msg->frame_max = welcome->frame_max_bytes;
	msg->heartbeat_s = welcome->heartbeat_s;
}

bool
desk_msg_read(const uint8_t *payload, size_t n, struct desk_msg *msg)
{
	Gatehouse__V1__ToController *in = gatehouse__v1__to_controller__unpack(NULL, n, payload);
	const char *detail = "";

	*msg = (struct desk_msg){.type = DESK_MSG_OTHER};
	if (in == NULL)
		return false;
	if (in->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_WELCOME) {
		read_welcome(in->welcome, msg);
	} else if (in->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_ACK) {
		msg->type = DESK_MSG_ACK;
		msg->seq = in->ack->seq;
	} else if (in->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_REJECT) {
		msg->type = DESK_MSG_REJECT;
		msg->seq = in->reject->seq;
		msg->reject = (enum reject)in->reject->reason;
		detail = in->reject->detail;
	} else if (in->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_RESEND) {
		msg->type = DESK_MSG_RESEND;
		msg->seq = in->resend->from_seq;
	} else if (in->message_case == GATEHOUSE__V1__TO_CONTROLLER__MESSAGE_GOAWAY) {
		msg->type = DESK_MSG_GOAWAY;
		msg->delay_ms = in->goaway->delay_ms;
		msg->final = goaway_is_final(in->goaway->reason);
		detail = in->goaway->detail;
	}
	msg->detail = printable(detail);
	gatehouse__v1__to_controller__free_unpacked(in, NULL);
	return true;
}

void
desk_msg_fini(struct desk_msg *msg)
{
	free(msg->detail);
	msg->detail = NULL;
}

/* ---- client.json -------------------------------------------------------------------- */

enum rc
desk_msg_read_client(const char *path, char **name, char **host, int *port, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	const char *role = "", *n_text, *h_text;
	json_error_t why;
	json_t *root;
	enum rc rc = fs_read_file(path, CLIENT_JSON_MAX, &bytes, &n, err);

	if (rc != RC_OK)
		return rc;
	root = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, &why);
	free(bytes);
	if (root == NULL)
		return err_invalid(err, "%s:%d: %s", path, why.line, why.text);
	if (json_unpack_ex(root, &why, 0, "{s:s, s:s, s:s, s:i}", "name", &n_text, "role", &role,
			   "host", &h_text, "port", port) != 0) {
		rc = err_invalid(err, "%s: %s", path, why.text);
	} else if (strcmp(role, "desk") != 0) {
		rc = err_invalid(err, "%s is of a %s, expected a registration desk's", path, role);
	} else {
		*name = xstrdup(n_text);
		*host = xstrdup(h_text);
	}
	json_decref(root);
	return rc;
}
