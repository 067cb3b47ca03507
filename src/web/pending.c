/* SPDX-License-Identifier: Apache-2.0 */
/* A list, oldest first: few wait at once. */
#include "web/pending.h"

#include <event2/http.h>
#include <stdlib.h>
#include <sys/queue.h>

struct waiting {
	struct pending *pending;
	struct evhttp_request *request;
	const void *of;
	uint64_t ticket, since_ms;
	TAILQ_ENTRY(waiting) in_all;
};

struct pending {
	size_t n, max;
	uint64_t last_ticket;
	TAILQ_HEAD(waiting_list, waiting) list;
};

struct pending *
pending_new(size_t max)
{
	struct pending *pending = xcalloc(1, sizeof(*pending));

	pending->max = max;
	TAILQ_INIT(&pending->list);
	return pending;
}

static void
waiting_forget(struct waiting *waiting)
{
	TAILQ_REMOVE(&waiting->pending->list, waiting, in_all);
	waiting->pending->n--;
	free(waiting);
}

static void
waiting_closed_cb(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	waiting_forget(arg);
}

/* Its connection lives on without us. */
static struct evhttp_request *
waiting_release(struct waiting *waiting)
{
	struct evhttp_request *request;

	if (waiting == NULL)
		return NULL;
	request = waiting->request;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	waiting_forget(waiting);
	return request;
}

enum rc
pending_add(struct pending *pending, struct evhttp_request *request, const void *of,
	    uint64_t now_ms, uint64_t *ticket)
{
	struct waiting *waiting;

	if (pending->n >= pending->max)
		return RC_AGAIN;
	waiting = xcalloc(1, sizeof(*waiting));
	*waiting = (struct waiting){.pending = pending,
				    .request = request,
				    .of = of,
				    .ticket = ++pending->last_ticket,
				    .since_ms = now_ms};
	TAILQ_INSERT_TAIL(&pending->list, waiting, in_all);
	pending->n++;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), waiting_closed_cb,
				      waiting);
	*ticket = waiting->ticket;
	return RC_OK;
}

struct evhttp_request *
pending_take(struct pending *pending, uint64_t ticket)
{
	struct waiting *waiting;

	TAILQ_FOREACH(waiting, &pending->list, in_all)
	{
		if (waiting->ticket == ticket)
			break;
	}
	return waiting_release(waiting);
}

struct evhttp_request *
pending_take_of(struct pending *pending, const void *of)
{
	struct waiting *waiting;

	TAILQ_FOREACH(waiting, &pending->list, in_all)
	{
		if (waiting->of == of)
			break;
	}
	return waiting_release(waiting);
}

struct evhttp_request *
pending_take_old(struct pending *pending, uint64_t before_ms)
{
	struct waiting *first = TAILQ_FIRST(&pending->list);

	return first != NULL && first->since_ms < before_ms ? waiting_release(first) : NULL;
}

void
pending_free(struct pending **out)
{
	struct pending *pending = *out;

	if (pending == NULL)
		return;
	*out = NULL;
	while (!TAILQ_EMPTY(&pending->list))
		(void)waiting_release(TAILQ_FIRST(&pending->list));
	free(pending);
}
