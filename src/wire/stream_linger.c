/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of connections that we ended, until the other side has ended them, too.
 *
 * A socket that is closed while input is unread, or on its way, answers with a
 * reset, and the reset takes away at the other end what we said last: a Goaway with
 * the reason.  So the socket stays for a moment, what comes is thrown away, and
 * nobody waits for it: bounded in time and number.
 *
 * Owner: the loop's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream_priv.h"

/* Owner: the loop's thread. */
struct parting {
	struct stream_set *set;
	struct event readable;
	int fd;
	uint64_t deadline_ms;
	TAILQ_ENTRY(parting) in_all;
};

static void
parting_end(struct parting *parting)
{
	(void)event_del(&parting->readable);
	(void)close(parting->fd);
	TAILQ_REMOVE(&parting->set->lingering, parting, in_all);
	parting->set->n_lingering--;
	free(parting);
}

static void
parting_readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct parting *parting = arg;
	struct stream_set *set = parting->set;
	ssize_t n = recv(fd, set->scratch, set->limits.read_budget_bytes, 0);

	(void)what;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		parting_end(parting);
}

void
stream_linger(struct stream_set *set, int fd)
{
	struct parting *parting = calloc(1, sizeof(*parting));

	if (parting == NULL || shutdown(fd, SHUT_WR) != 0) {
		(void)close(fd);
		free(parting);
		return;
	}
	parting->set = set;
	parting->fd = fd;
	parting->deadline_ms = clock_mono_ms() + set->limits.linger_ms;
	(void)event_assign(&parting->readable, loop_base(set->loop), fd, EV_READ | EV_PERSIST,
			   parting_readable_cb, parting);
	(void)event_add(&parting->readable, NULL);
	TAILQ_INSERT_TAIL(&set->lingering, parting, in_all);
	set->n_lingering++;
}

void
stream_linger_sweep(struct stream_set *set, uint64_t now_ms)
{
	struct parting *oldest;

	while ((oldest = TAILQ_FIRST(&set->lingering)) != NULL && oldest->deadline_ms <= now_ms)
		parting_end(oldest);
}
