/* SPDX-License-Identifier: Apache-2.0 */
/* Few clients, on libevent's bufferevents: a look through the list finds one. */
#include "base/operator.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/log.h"

/* Replies that a client has not read: several of the largest, a status. */
enum { OPERATOR_UNREAD_MAX = 1 << 20 };

struct operator_client {
	struct operator_socket *socket;
	struct bufferevent *io;
	uint64_t id;
	size_t replied, sent; /* bytes that may not be with the kernel yet */
	LIST_ENTRY(operator_client) in_all;
};

struct operator_socket {
	struct loop *loop;
	char *path;
	struct listener *listener;
	struct operator_hooks hooks;
	LIST_HEAD(, operator_client) clients;
	size_t n_clients;
	uint64_t last_id;
};

/* ---- One client ------------------------------------------------------------- */

static void
client_free(struct operator_client *client)
{
	struct operator_socket *socket = client->socket;

	if (socket->hooks.on_closed != NULL)
		socket->hooks.on_closed(socket->hooks.arg, client->id);
	LIST_REMOVE(client, in_all);
	socket->n_clients--;
	bufferevent_free(client->io);
	free(client);
}

/* Takes `reply`. */
static void
client_reply(struct operator_client *client, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);
	size_t n;

	must(text != NULL);
	n = strlen(text);
	(void)bufferevent_write(client->io, text, n);
	(void)bufferevent_write(client->io, "\n", 1);
	client->replied += n + 1;
	explicit_bzero(text, n); /* it may hold a link that signs somebody in */
	free(text);
	json_decref(reply);
}

static void
client_take_line(struct operator_client *client, const char *line)
{
	const struct operator_hooks *hooks = &client->socket->hooks;
	json_error_t why;
	json_t *request = json_loads(line, JSON_REJECT_DUPLICATES, &why), *reply;

	if (json_is_object(request))
		reply = hooks->on_request(hooks->arg, client->id, request);
	else
		reply = operator_refusal("not a JSON object");
	if (reply != NULL)
		client_reply(client, reply);
	json_decref(request);
}

static void
client_read_cb(struct bufferevent *io, void *arg)
{
	struct operator_client *client = arg;
	struct evbuffer *input = bufferevent_get_input(io);
	char *line;

	while (client->replied <= OPERATOR_UNREAD_MAX &&
	       (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
		client_take_line(client, line);
		free(line);
	}
	if (client->replied > OPERATOR_UNREAD_MAX) {
		log_warning("operator", "closed: it asks and does not read");
		client_free(client);
	} else if (evbuffer_get_length(input) >= OPERATOR_LINE_MAX) {
		log_warning("operator", "closed: a line is longer than %d bytes",
			    OPERATOR_LINE_MAX);
		client_free(client);
	}
}

/* All that was written is with the kernel. */
static void
client_write_cb(struct bufferevent *io, void *arg)
{
	struct operator_client *client = arg;
	const struct operator_hooks *hooks = &client->socket->hooks;
	size_t sent = client->sent;

	(void)io;
	client->replied = 0;
	client->sent = 0;
	if (sent > 0 && hooks->on_sent != NULL)
		hooks->on_sent(hooks->arg, client->id, sent);
}

static void
client_end_cb(struct bufferevent *io, short what, void *arg)
{
	(void)io;
	(void)what;
	client_free(arg);
}

/* ---- The socket -------------------------------------------------------------- */

static bool
operator_has_room(void *arg)
{
	const struct operator_socket *socket = arg;

	return socket->n_clients < socket->hooks.clients_max;
}

static void
operator_accept(void *arg, int fd)
{
	struct operator_socket *socket = arg;
	struct operator_client *client = xcalloc(1, sizeof(*client));

	client->io = bufferevent_socket_new(loop_base(socket->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->io == NULL) {
		(void)close(fd);
		free(client);
		return;
	}
	client->socket = socket;
	client->id = ++socket->last_id;
	LIST_INSERT_HEAD(&socket->clients, client, in_all);
	socket->n_clients++;
	bufferevent_setcb(client->io, client_read_cb, client_write_cb, client_end_cb, client);
	bufferevent_setwatermark(client->io, EV_READ, 0, OPERATOR_LINE_MAX);
	(void)bufferevent_enable(client->io, EV_READ | EV_WRITE);
}

static const struct listener_hooks operator_listener_hooks = {
	.has_room = operator_has_room,
	.on_fd = operator_accept,
};

/* NULL when it is gone. */
static struct operator_client *
operator_find(const struct operator_socket *socket, uint64_t id)
{
	struct operator_client *client;

	LIST_FOREACH(client, &socket->clients, in_all)
	{
		if (client->id == id)
			return client;
	}
	return NULL;
}

void
operator_reply(struct operator_socket *socket, uint64_t id, json_t *reply)
{
	struct operator_client *client = operator_find(socket, id);

	if (reply == NULL)
		reply = operator_refusal("the answer is no text");
	if (client != NULL)
		client_reply(client, reply);
	else
		json_decref(reply);
}

void
operator_send(struct operator_socket *socket, uint64_t id, const void *bytes, size_t n)
{
	struct operator_client *client = operator_find(socket, id);

	if (client == NULL)
		return;
	client->sent += n;
	(void)bufferevent_write(client->io, bytes, n);
}

int
operator_fd(const struct operator_socket *socket, uint64_t id)
{
	const struct operator_client *client = operator_find(socket, id);

	return client != NULL ? bufferevent_getfd(client->io) : -1;
}

json_t *
operator_refusal(const char *why)
{
	json_t *refusal = json_pack("{s:b, s:s}", "ok", 0, "error", why);

	if (refusal == NULL) /* no text to JSON */
		refusal = json_pack("{s:b, s:s}", "ok", 0, "error", "refused");
	must(refusal != NULL);
	return refusal;
}

enum rc
operator_open(struct operator_socket **out, struct loop *loop, const char *path,
	      const struct operator_hooks *hooks, struct err *err)
{
	struct operator_socket *socket;
	int fd;
	enum rc rc;

	*out = NULL;
	rc = listen_unix(path, &fd, err);
	if (rc != RC_OK)
		return rc;
	socket = xcalloc(1, sizeof(*socket));
	socket->loop = loop;
	socket->path = xstrdup(path);
	socket->hooks = *hooks;
	LIST_INIT(&socket->clients);
	rc = listener_new(&socket->listener, loop, fd, &operator_listener_hooks, socket, err);
	if (rc != RC_OK)
		operator_close(&socket);
	*out = socket;
	return rc;
}

void
operator_close(struct operator_socket **out)
{
	struct operator_socket *socket = *out;

	if (socket == NULL)
		return;
	*out = NULL;
	while (!LIST_EMPTY(&socket->clients))
		client_free(LIST_FIRST(&socket->clients));
	(void)unlink(socket->path);
	listener_free(&socket->listener);
	free(socket->path);
	free(socket);
}
