/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list under a lock, and a bell that is rung once until it is heard.  The lock
 * is held for a few instructions: there is one post per loop turn, not per record.
 */
#include "base/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum rc
mailbox_init(struct mailbox *box, struct err *err)
{
	*box = (struct mailbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (box->fd < 0)
		return err_sys(err, "could not create an eventfd");
	must(pthread_mutex_init(&box->lock, NULL) == 0);
	return RC_OK;
}

void
mailbox_fini(struct mailbox *box)
{
	must(box->first == NULL);
	(void)close(box->fd);
	(void)pthread_mutex_destroy(&box->lock);
	box->fd = -1;
}

static void
mailbox_write_bell(struct mailbox *box)
{
	uint64_t one = 1;
	ssize_t n;

	do {
		n = write(box->fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	/* the counter can't overflow: it is written at most once per reading */
	must(n == (ssize_t)sizeof(one));
}

void
mailbox_post(struct mailbox *box, struct mail *mail)
{
	mailbox_post_list(box, mail, mail);
}

void
mailbox_post_list(struct mailbox *box, struct mail *first, struct mail *last)
{
	bool ring;

	last->next = NULL;
	must(pthread_mutex_lock(&box->lock) == 0);
	if (box->last != NULL)
		box->last->next = first;
	else
		box->first = first;
	box->last = last;
	ring = !box->rung;
	box->rung = true;
	/* Under the lock: the receiver that has taken this message may end, and close
	 * the eventfd, as soon as the lock is free. */
	if (ring)
		mailbox_write_bell(box);
	must(pthread_mutex_unlock(&box->lock) == 0);
}

void
mailbox_ring(struct mailbox *box)
{
	must(pthread_mutex_lock(&box->lock) == 0);
	if (!box->rung)
		mailbox_write_bell(box);
	box->rung = true;
	must(pthread_mutex_unlock(&box->lock) == 0);
}

struct mail *
mailbox_take_all(struct mailbox *box)
{
	struct mail *first;
	uint64_t count;

	must(pthread_mutex_lock(&box->lock) == 0);
	first = box->first;
	box->first = box->last = NULL;
	if (box->rung) {
		/* can't block: rung says that it was written */
		while (read(box->fd, &count, sizeof(count)) < 0 && errno == EINTR)
			;
		box->rung = false;
	}
	must(pthread_mutex_unlock(&box->lock) == 0);
	return first;
}

bool
mailbox_wait(struct mailbox *box, int timeout_ms)
{
	struct pollfd fd = {.fd = box->fd, .events = POLLIN};

	return poll(&fd, 1, timeout_ms) > 0;
}
