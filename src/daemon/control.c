/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator's socket answers.  A client that tails is a subscriber of the hub like
 * any console, with the same credit: one that stops reading costs no more than that.
 */
#include "daemon/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/operator.h"
#include "daemon/control_act.h"

enum { CONTROL_CLIENTS_MAX = 64 };

/* Owner: the main thread. */
struct control {
	struct loop *loop;
	struct operator_socket *socket;
	struct control_hooks hooks;
	struct mailbox *hub;
};

/* ---- To the hub ----------------------------------------------------------- */

static void
control_note(const struct control *control, uint64_t client, unsigned kind, size_t bytes)
{
	struct hub_note *note = xcalloc(1, sizeof(*note));

	note->mail.kind = kind;
	note->box = loop_mailbox(control->loop);
	note->id = client;
	note->bytes = bytes;
	mailbox_post(control->hub, &note->mail);
}

static void
control_sent(void *arg, uint64_t client, size_t n)
{
	control_note(arg, client, HUB_MAIL_SENT, n);
}

/* The hub takes no notice of one that did not tail. */
static void
control_closed(void *arg, uint64_t client)
{
	control_note(arg, client, HUB_MAIL_UNSUBSCRIBE, 0);
}

/* ---- Requests ------------------------------------------------------------- */

static json_t *
control_ok(void)
{
	return json_pack("{s:b}", "ok", 1);
}

static json_t *
control_tail(struct control *control, uint64_t client, const json_t *request)
{
	struct hub_subscribe *subscribe = xcalloc(1, sizeof(*subscribe));

	subscribe->mail.kind = HUB_MAIL_SUBSCRIBE;
	subscribe->box = loop_mailbox(control->loop);
	subscribe->id = client;
	subscribe->format = HUB_FORMAT_JSON;
	subscribe->from_position = (uint64_t)json_integer_value(json_object_get(request, "from"));
	mailbox_post(control->hub, &subscribe->mail);
	return control_ok(); /* before what the hub delivers, which comes by the loop */
}

static json_t *
control_act(struct control *control, uint64_t client, const json_t *request)
{
	struct action_ask *ask;
	struct err err;

	ask = control_act_ask(request, operator_fd(control->socket, client), &err);
	if (ask == NULL)
		return operator_refusal(err.msg);
	ask->box = loop_mailbox(control->loop);
	ask->id = client;
	mailbox_post(control->hub, &ask->mail);
	return NULL; /* control_answer() gives it */
}

static json_t *
control_request(void *arg, uint64_t client, const json_t *request)
{
	struct control *control = arg;
	const char *verb = json_string_value(json_object_get(request, "verb"));

	if (verb == NULL)
		return operator_refusal("a request needs a \"verb\"");
	if (strcmp(verb, "status") == 0)
		return control->hooks.status(control->hooks.arg);
	if (strcmp(verb, "reload") == 0) {
		control->hooks.reload(control->hooks.arg);
		return control_ok();
	}
	if (strcmp(verb, "tail") == 0)
		return control_tail(control, client, request);
	if (strcmp(verb, "act") == 0)
		return control_act(control, client, request);
	return operator_refusal("unknown verb: expected status, reload, tail or act");
}

/* ---- The socket ----------------------------------------------------------- */

enum rc
control_new(struct control **out, struct loop *loop, const char *path,
	    const struct control_hooks *hooks, struct mailbox *hub, struct err *err)
{
	struct control *control = xcalloc(1, sizeof(*control));
	const struct operator_hooks operator_hooks = {
		.clients_max = CONTROL_CLIENTS_MAX,
		.on_request = control_request,
		.on_sent = control_sent,
		.on_closed = control_closed,
		.arg = control,
	};
	enum rc rc;

	control->loop = loop;
	control->hooks = *hooks;
	control->hub = hub;
	rc = operator_open(&control->socket, loop, path, &operator_hooks, err);
	if (rc != RC_OK)
		control_free(&control);
	*out = control;
	return rc;
}

void
control_deliver(struct control *control, struct hub_delivery *delivery)
{
	for (size_t i = 0; control != NULL && i < delivery->n_ids; i++)
		operator_send(control->socket, delivery->ids[i], delivery->bytes, delivery->n);
	hub_delivery_free(&delivery);
}

void
control_answer(struct control *control, struct action_answer *answer)
{
	if (control != NULL)
		operator_reply(control->socket, answer->id, control_act_reply(&answer->result));
	free(answer);
}

void
control_free(struct control **out)
{
	struct control *control = *out;

	if (control == NULL)
		return;
	*out = NULL;
	operator_close(&control->socket);
	free(control);
}
