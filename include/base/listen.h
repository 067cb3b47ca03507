/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets.  Each worker has one of its own on the same port
 * (SO_REUSEPORT), so that the kernel spreads connections and no thread hands
 * them on.  When the owner has no room, or descriptors run out, accepting pauses
 * for a moment instead of spinning; the kernel's backlog holds who waits.
 *
 * Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_BASE_LISTEN_H
#define GATEHOUSE_BASE_LISTEN_H

#include "base/loop.h"

/* Bytes of a unix socket's path: sun_path without its end. */
enum { LISTEN_UNIX_MAX = 107 };

/* A literal IPv4 or IPv6 address. */
bool listen_is_address(const char *address);

/* A TCP socket that listens at a literal address; port 0 lets the kernel choose,
 * *bound says which. */
enum rc listen_tcp(const char *address, uint16_t port, int *fd, uint16_t *bound,
		   struct err *err) MUST_CHECK;
/* A unix socket at path, mode 0660.  One that a dead process left is replaced;
 * one that answers, or something that is no socket, is RC_INVALID. */
enum rc listen_unix(const char *path, int *fd, struct err *err) MUST_CHECK;

struct listener_hooks {
	bool (*has_room)(void *arg); /* false: accept nobody for now */
	/* true: accept nobody in this turn; the loop has more to do, and asks again in the
	 * next one.  May be NULL. */
	bool (*is_busy)(void *arg);
	void (*on_fd)(void *arg, int fd); /* takes the connection */
};

struct listener;

/* Takes fd (also on failure).  `hooks` is borrowed. */
enum rc listener_new(struct listener **listener, struct loop *loop, int fd,
		     const struct listener_hooks *hooks, void *arg, struct err *err) MUST_CHECK;
void listener_free(struct listener **listener);

#endif
