/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar on a loop of its own; see the header. */
#include "daemon/registrar_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker.h"

/* Owner: its own thread, once it is started. */
struct registrar_thread {
	struct loop *loop;
	struct registrar *registrar;
	pthread_t thread;
	bool started, stopping;
};

static void
registrar_thread_mail_cb(void *arg, struct mail *mail)
{
	struct registrar_thread *t = arg;
	struct worker_register *reg;

	switch (mail->kind) {
	case REGISTRAR_THREAD_MAIL_REGISTER:
		reg = CONTAINER_OF(mail, struct worker_register, mail);
		registrar_set_register(t->registrar, reg->reg);
		free(reg);
		break;
	case REGISTRAR_THREAD_MAIL_STOP:
		t->stopping = true;
		free(mail);
		break;
	default:
		registrar_mail(t->registrar, mail);
	}
}

/* What isn't back yet, a group or a snapshot, brings the next turn with it. */
static void
registrar_thread_turn_cb(void *arg)
{
	struct registrar_thread *t = arg;

	registrar_turn(t->registrar);
	if (t->stopping && registrar_finish(t->registrar))
		loop_stop(t->loop);
}

static void *
registrar_thread_run(void *arg)
{
	struct registrar_thread *t = arg;

	loop_run(t->loop);
	return NULL;
}

enum rc
registrar_thread_new(struct registrar_thread **out, const struct registrar_conf *conf,
		     const struct registrar_start *start, struct err *err)
{
	struct registrar_thread *t = xcalloc(1, sizeof(*t));
	struct loop_hooks hooks = {
		.on_mail = registrar_thread_mail_cb, .on_turn = registrar_thread_turn_cb, .arg = t};
	enum rc rc = loop_new(&t->loop, &hooks, err);

	*out = t;
	return rc == RC_OK ? registrar_new(&t->registrar, t->loop, conf, start, err) : rc;
}

struct mailbox *
registrar_thread_mailbox(struct registrar_thread *t)
{
	return loop_mailbox(t->loop);
}

enum rc
registrar_thread_start(struct registrar_thread *t, struct err *err)
{
	int code = pthread_create(&t->thread, NULL, registrar_thread_run, t);

	if (code != 0)
		return err_fail(err, "could not start the registrar's thread: %s", strerror(code));
	t->started = true;
	/* what replay found and no former run journaled */
	mailbox_ring(loop_mailbox(t->loop));
	return RC_OK;
}

void
registrar_thread_stop(struct registrar_thread *t)
{
	struct mail *mail;

	if (!t->started)
		return;
	mail = xcalloc(1, sizeof(*mail));
	mail->kind = REGISTRAR_THREAD_MAIL_STOP;
	mailbox_post(loop_mailbox(t->loop), mail);
	must(pthread_join(t->thread, NULL) == 0);
	t->started = false;
}

static void
registrar_thread_discard(struct mail *mail)
{
	if (mail->kind == REGISTRAR_THREAD_MAIL_REGISTER)
		reg_unref(&CONTAINER_OF(mail, struct worker_register, mail)->reg);
	if (mail->kind == REGISTRAR_MAIL_RIGHTS)
		rights_free(&CONTAINER_OF(mail, struct registrar_rights, mail)->rights);
	free(mail);
}

void
registrar_thread_free(struct registrar_thread **out)
{
	struct registrar_thread *t = *out;

	if (t == NULL)
		return;
	*out = NULL;
	must(!t->started);
	if (t->loop != NULL)
		loop_discard_mail(t->loop, registrar_thread_discard);
	registrar_free(&t->registrar);
	loop_free(&t->loop);
	free(t);
}

const struct registrar_counters *
registrar_thread_counters(const struct registrar_thread *t)
{
	return registrar_counters(t->registrar);
}
