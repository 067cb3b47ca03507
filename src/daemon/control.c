/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's socket, on libevent's bufferevents: few clients, small lines.
 * A client that tails is a subscriber of the hub like any console, with the same
 * credit: one that stops reading costs no more than that.
 */
#include "daemon/control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/log.h"
#include "daemon/control_act.h"

enum { CONTROL_LINE_MAX = 4096, CONTROL_CLIENTS_MAX = 64 };

struct control_client {
	struct control *control;
	struct bufferevent *io;
	uint64_t id;
	bool tails;
	size_t delivered; /* bytes from the hub, and not yet with the kernel */
	LIST_ENTRY(control_client) in_all;
};

/* Owner: the main thread. */
struct control {
	struct loop *loop;
	char *path;
	struct listener *listener;
	struct control_hooks hooks;
	struct mailbox *hub;
	LIST_HEAD(, control_client) clients;
	size_t n_clients;
	uint64_t next_id;
};

static void
client_note(const struct control_client *client, unsigned kind, size_t bytes)
{
	struct hub_note *note = xcalloc(1, sizeof(*note));

	note->mail.kind = kind;
	note->box = loop_mailbox(client->control->loop);
	note->id = client->id;
	note->bytes = bytes;
	mailbox_post(client->control->hub, &note->mail);
}

static void
client_free(struct control_client *client)
{
	if (client->tails)
		client_note(client, HUB_MAIL_UNSUBSCRIBE, 0);
	LIST_REMOVE(client, in_all);
	client->control->n_clients--;
	bufferevent_free(client->io);
	free(client);
}

/* Takes `reply`. */
static void
client_reply(struct control_client *client, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	if (text == NULL)
		return;
	(void)bufferevent_write(client->io, text, strlen(text));
	(void)bufferevent_write(client->io, "\n", 1);
	free(text);
}

static void
client_tail(struct control_client *client, const json_t *request)
{
	struct hub_subscribe *subscribe = xcalloc(1, sizeof(*subscribe));

	client_reply(client, json_pack("{s:b}", "ok", 1));
	client->tails = true;
	subscribe->mail.kind = HUB_MAIL_SUBSCRIBE;
	subscribe->box = loop_mailbox(client->control->loop);
	subscribe->id = client->id;
	subscribe->format = HUB_FORMAT_JSON;
	subscribe->from_position = (uint64_t)json_integer_value(json_object_get(request, "from"));
	mailbox_post(client->control->hub, &subscribe->mail);
}

static void
client_act(struct control_client *client, const json_t *request)
{
	struct action_ask *ask;
	struct err err;

	ask = control_act_ask(request, bufferevent_getfd(client->io), &err);
	if (ask == NULL) {
		client_reply(client, json_pack("{s:b, s:s}", "ok", 0, "error", err.msg));
		return;
	}
	ask->box = loop_mailbox(client->control->loop);
	ask->id = client->id;
	mailbox_post(client->control->hub, &ask->mail);
}

static void
client_take_request(struct control_client *client, const char *line)
{
	struct control *control = client->control;
	json_error_t error;
	json_t *request = json_loads(line, 0, &error);
	const char *verb = json_string_value(json_object_get(request, "verb"));

	if (request == NULL) {
		client_reply(client, json_pack("{s:b, s:s}", "ok", 0, "error", error.text));
	} else if (verb == NULL) {
		client_reply(client, json_pack("{s:b, s:s}", "ok", 0, "error",
					       "a request needs a \"verb\""));
	} else if (strcmp(verb, "status") == 0) {
		client_reply(client, control->hooks.status(control->hooks.arg));
	} else if (strcmp(verb, "reload") == 0) {
		control->hooks.reload(control->hooks.arg);
		client_reply(client, json_pack("{s:b}", "ok", 1));
	} else if (strcmp(verb, "tail") == 0) {
		client_tail(client, request);
	} else if (strcmp(verb, "act") == 0) {
		client_act(client, request);
	} else {
		client_reply(client,
			     json_pack("{s:b, s:s}", "ok", 0, "error",
				       "unknown verb: expected status, reload, tail or act"));
	}
	json_decref(request);
}

static void
client_read_cb(struct bufferevent *io, void *arg)
{
	struct control_client *client = arg;
	struct evbuffer *input = bufferevent_get_input(io);
	char *line;

	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
		client_take_request(client, line);
		free(line);
	}
	if (evbuffer_get_length(input) >= CONTROL_LINE_MAX) {
		log_warning("control", "closed: a line is longer than %d bytes", CONTROL_LINE_MAX);
		client_free(client);
	}
}

static void
client_write_cb(struct bufferevent *io, void *arg)
{
	struct control_client *client = arg;

	(void)io;
	if (client->delivered > 0)
		client_note(client, HUB_MAIL_SENT, client->delivered);
	client->delivered = 0;
}

static void
client_end_cb(struct bufferevent *io, short what, void *arg)
{
	(void)io;
	(void)what;
	client_free(arg);
}

static bool
control_has_room(void *arg)
{
	const struct control *control = arg;

	return control->n_clients < CONTROL_CLIENTS_MAX;
}

static void
control_accept(void *arg, int fd)
{
	struct control *control = arg;
	struct control_client *client = xcalloc(1, sizeof(*client));

	client->io = bufferevent_socket_new(loop_base(control->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->io == NULL) {
		(void)close(fd);
		free(client);
		return;
	}
	client->control = control;
	client->id = ++control->next_id;
	LIST_INSERT_HEAD(&control->clients, client, in_all);
	control->n_clients++;
	bufferevent_setcb(client->io, client_read_cb, client_write_cb, client_end_cb, client);
	bufferevent_setwatermark(client->io, EV_READ, 0, CONTROL_LINE_MAX);
	(void)bufferevent_enable(client->io, EV_READ | EV_WRITE);
}

static const struct listener_hooks control_listener_hooks = {
	.has_room = control_has_room,
	.on_fd = control_accept,
};

enum rc
control_new(struct control **out, struct loop *loop, const char *path,
	    const struct control_hooks *hooks, struct mailbox *hub, struct err *err)
{
	struct control *control;
	int fd;
	enum rc rc = listen_unix(path, &fd, err);

	if (rc != RC_OK)
		return rc;
	control = xcalloc(1, sizeof(*control));
	control->loop = loop;
	control->path = xstrdup(path);
	control->hooks = *hooks;
	control->hub = hub;
	LIST_INIT(&control->clients);
	*out = control;
	return listener_new(&control->listener, loop, fd, &control_listener_hooks, control, err);
}

void
control_deliver(struct control *control, struct hub_delivery *delivery)
{
	struct control_client *client;

	for (size_t i = 0; i < delivery->n_ids; i++) {
		LIST_FOREACH(client, &control->clients, in_all)
		{
			if (client->id != delivery->ids[i])
				continue;
			client->delivered += delivery->n;
			(void)bufferevent_write(client->io, delivery->bytes, delivery->n);
		}
	}
	hub_delivery_free(&delivery);
}

void
control_answer(struct control *control, struct action_answer *answer)
{
	struct control_client *client;

	LIST_FOREACH(client, &control->clients, in_all)
	{
		if (client->id == answer->id)
			client_reply(client, control_act_reply(&answer->result));
	}
	free(answer);
}

void
control_free(struct control **out)
{
	struct control *control = *out;

	if (control == NULL)
		return;
	*out = NULL;
	while (!LIST_EMPTY(&control->clients))
		client_free(LIST_FIRST(&control->clients));
	if (control->listener != NULL)
		(void)unlink(control->path);
	listener_free(&control->listener);
	free(control->path);
	free(control);
}
