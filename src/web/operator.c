/* SPDX-License-Identifier: Apache-2.0 */
/* Few clients, small lines, on libevent's bufferevents. */
#include "web/operator.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/listen.h"

enum { OPERATOR_LINE_MAX = 4096, OPERATOR_CLIENTS_MAX = 16, OPERATOR_UNREAD_MAX = 65536 };

struct operator_client {
	struct operator_door *door;
	struct bufferevent *io;
	LIST_ENTRY(operator_client) in_all;
};

struct operator_door {
	struct loop *loop;
	char *path;
	struct listener *listener;
	json_t *(*answer)(void *arg, const json_t *request);
	void *arg;
	LIST_HEAD(, operator_client) clients;
	size_t n_clients;
};

static void
client_free(struct operator_client *client)
{
	LIST_REMOVE(client, in_all);
	client->door->n_clients--;
	bufferevent_free(client->io);
	free(client);
}

static void
client_take_line(struct operator_client *client, const char *line)
{
	json_error_t why;
	json_t *request = json_loads(line, JSON_REJECT_DUPLICATES, &why), *reply;
	char *text;

	if (json_is_object(request))
		reply = client->door->answer(client->door->arg, request);
	else
		reply = json_pack("{s:b, s:s}", "ok", 0, "error", "not a JSON object");
	text = json_dumps(reply, JSON_COMPACT);
	must(text != NULL);
	(void)bufferevent_write(client->io, text, strlen(text));
	(void)bufferevent_write(client->io, "\n", 1);
	explicit_bzero(text, strlen(text)); /* it may hold a link */
	free(text);
	json_decref(reply);
	json_decref(request);
}

static void
client_read_cb(struct bufferevent *io, void *arg)
{
	struct operator_client *client = arg;
	struct evbuffer *input = bufferevent_get_input(io);
	char *line;

	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
		client_take_line(client, line);
		free(line);
	}
	if (evbuffer_get_length(input) >= OPERATOR_LINE_MAX ||
	    evbuffer_get_length(bufferevent_get_output(io)) > OPERATOR_UNREAD_MAX)
		client_free(client);
}

static void
client_end_cb(struct bufferevent *io, short what, void *arg)
{
	(void)io;
	(void)what;
	client_free(arg);
}

static bool
door_has_room(void *arg)
{
	const struct operator_door *door = arg;

	return door->n_clients < OPERATOR_CLIENTS_MAX;
}

static void
door_accept(void *arg, int fd)
{
	struct operator_door *door = arg;
	struct operator_client *client = xcalloc(1, sizeof(*client));

	client->io = bufferevent_socket_new(loop_base(door->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->io == NULL) {
		(void)close(fd);
		free(client);
		return;
	}
	client->door = door;
	LIST_INSERT_HEAD(&door->clients, client, in_all);
	door->n_clients++;
	bufferevent_setcb(client->io, client_read_cb, NULL, client_end_cb, client);
	bufferevent_setwatermark(client->io, EV_READ, 0, OPERATOR_LINE_MAX);
	(void)bufferevent_enable(client->io, EV_READ | EV_WRITE);
}

static const struct listener_hooks door_hooks = {
	.has_room = door_has_room,
	.on_fd = door_accept,
};

enum rc
operator_open(struct operator_door **out, struct loop *loop, const char *path,
	      json_t *(*answer)(void *arg, const json_t *request), void *arg, struct err *err)
{
	struct operator_door *door;
	int fd;
	enum rc rc = listen_unix(path, &fd, err);

	if (rc != RC_OK)
		return rc;
	door = xcalloc(1, sizeof(*door));
	*door = (struct operator_door){.loop = loop, .answer = answer, .arg = arg};
	door->path = xstrdup(path);
	LIST_INIT(&door->clients);
	*out = door;
	return listener_new(&door->listener, loop, fd, &door_hooks, door, err);
}

void
operator_close(struct operator_door **out)
{
	struct operator_door *door = *out;

	if (door == NULL)
		return;
	*out = NULL;
	while (!LIST_EMPTY(&door->clients))
		client_free(LIST_FIRST(&door->clients));
	if (door->listener != NULL)
		(void)unlink(door->path);
	listener_free(&door->listener);
	free(door->path);
	free(door);
}
