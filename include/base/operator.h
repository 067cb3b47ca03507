/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator's socket, as each server has one for gatehousectl: a unix socket, one JSON
 * object per line in, one or more out.  Few clients, small lines.  Who may open it may ask
 * for everything; still a line, the number of clients and what one leaves unread have limits.
 *
 * Clients are known by a number that is never given twice.
 *
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_BASE_OPERATOR_H
#define GATEHOUSE_BASE_OPERATOR_H

#include <jansson.h>

#include "base/loop.h"

/* Bytes of a line; a client with a longer one is closed. */
enum { OPERATOR_LINE_MAX = 4096 };

struct operator_hooks {
	size_t clients_max; /* further ones wait in the kernel's queue */
	/* Borrows the request, which is an object; returns the new reply, or NULL when
	 * operator_reply() gives it later.  Must not close the socket. */
	json_t *(*on_request)(void *arg, uint64_t client, const json_t *request);
	/* n bytes, which is all of operator_send() so far, are with the kernel.  May be NULL. */
	void (*on_sent)(void *arg, uint64_t client, size_t n);
	/* The client is gone, also by operator_close().  May be NULL. */
	void (*on_closed)(void *arg, uint64_t client);
	void *arg;
};

struct operator_socket;

/* Listens at `path`, see listen_unix().  The hooks are copied. */
enum rc operator_open(struct operator_socket **out, struct loop *loop, const char *path,
		      const struct operator_hooks *hooks, struct err *err) MUST_CHECK;
/* Closes everybody and removes the path. */
void operator_close(struct operator_socket **socket);

/* Takes the reply; NULL, which is what json_pack() makes of a text that was cut within a
 * character, goes out as a refusal.  Nothing happens when the client is gone. */
void operator_reply(struct operator_socket *socket, uint64_t client, json_t *reply);
/* Bytes of a stream, whole lines; who sends them waits for on_sent before there are too many.
 * Nothing happens when the client is gone. */
void operator_send(struct operator_socket *socket, uint64_t client, const void *bytes, size_t n);
/* The client's descriptor, to ask whose it is; -1 when the client is gone. */
int operator_fd(const struct operator_socket *socket, uint64_t client);

/* {"ok":false,"error":why}: a new object, never NULL. */
json_t *operator_refusal(const char *why);

#endif
