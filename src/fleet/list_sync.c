/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A controller's list of rights, as far as its session has a part in it: it tells the
 * registrar that the controller is here and what it has, sends on what the registrar
 * made for it, and says how much of that is with the kernel and what was confirmed.
 *
 * The registrar never has more bytes on the way than it was told are gone, so that a
 * controller which doesn't read costs a bounded buffer.
 */
#include <stdlib.h>

#include "sessions_priv.h"

void
registrar_tell(struct sessions *all, unsigned kind, uint64_t session, uint32_t id, uint64_t number,
	       size_t bytes)
{
	struct registrar_note *note = xcalloc(1, sizeof(*note));

	note->mail.kind = kind;
	note->box = loop_mailbox(all->loop);
	note->session = session;
	note->id = id;
	note->number = number;
	note->bytes = bytes;
	mailbox_post(all->conf.registrar, &note->mail);
}

static void
list_tell(const struct session *session, unsigned kind, uint64_t number, size_t bytes)
{
	registrar_tell(session->all, kind, session->id, session->client_id, number, bytes);
}

void
list_subscribe(struct session *session)
{
	if (session->all->conf.registrar == NULL)
		return;
	session->list_wanted = true;
	list_tell(session, REGISTRAR_MAIL_SUBSCRIBE, session->hello_list, 0);
}

void
list_unsubscribe(struct session *session)
{
	if (session->list_wanted)
		list_tell(session, REGISTRAR_MAIL_UNSUBSCRIBE, 0, 0);
	session->list_wanted = false;
}

void
list_send(struct session *session, const struct registrar_list *list)
{
	session_answer(session, list->bytes, list->n);
	if (session->state != SESSION_STREAMING)
		return;
	session->list_owed += list->n;
	counter_add(&session->all->counters.list_bytes, list->n);
}

void
list_drained(struct session *session)
{
	if (session->list_owed > 0 && session->list_wanted)
		list_tell(session, REGISTRAR_MAIL_SENT, 0, session->list_owed);
	session->list_owed = 0;
}

void
list_confirm(struct session *session, uint64_t number)
{
	if (session->list_wanted)
		list_tell(session, REGISTRAR_MAIL_CONFIRM, number, 0);
}
