/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's thread: its loop, its beginning and its end.  Apart from the main
 * thread and from the follower, so that a hundred thousand changes of rights delay
 * neither a controller's claim nor an alarm.
 */
#ifndef GATEHOUSE_DAEMON_REGISTRAR_THREAD_H
#define GATEHOUSE_DAEMON_REGISTRAR_THREAD_H

#include "fleet/registrar.h"

enum {
	REGISTRAR_THREAD_MAIL_REGISTER = 340, /* struct worker_register */
	REGISTRAR_THREAD_MAIL_STOP,           /* struct mail: decide no more, save, end */
};

struct registrar_thread;

/* Takes start->reg.  What was made is the caller's to free, also on failure. */
enum rc registrar_thread_new(struct registrar_thread **thread, const struct registrar_conf *conf,
			     const struct registrar_start *start, struct err *err) MUST_CHECK;
/* For sessions, for journal_start() to ring, and for registers. */
struct mailbox *registrar_thread_mailbox(struct registrar_thread *thread);
enum rc registrar_thread_start(struct registrar_thread *thread, struct err *err) MUST_CHECK;
/* The journal must still run. */
void registrar_thread_stop(struct registrar_thread *thread);
void registrar_thread_free(struct registrar_thread **thread);
/* Any thread. */
const struct registrar_counters *registrar_thread_counters(const struct registrar_thread *thread);

#endif
