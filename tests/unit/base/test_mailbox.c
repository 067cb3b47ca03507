/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from many threads to one: none lost, none twice, each sender's in
 * order; and the bell is rung once for many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mailbox.h"

enum { SENDERS = 4, MAILS = 20000 };

struct numbered {
	struct mail mail;
	unsigned number;
};

struct sender {
	struct mailbox *box;
	struct numbered *mails;
	unsigned kind;
};

static void *
send_all(void *arg)
{
	struct sender *sender = arg;

	for (unsigned i = 0; i < MAILS; i++) {
		sender->mails[i] = (struct numbered){.mail.kind = sender->kind, .number = i};
		mailbox_post(sender->box, &sender->mails[i].mail);
	}
	return NULL;
}

static void
many_threads_post_and_each_ones_order_is_kept(void **state)
{
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	unsigned next[SENDERS] = {0}, left = SENDERS * MAILS;
	struct mailbox box;
	struct err err;

	(void)state;
	assert_int_equal(mailbox_init(&box, &err), RC_OK);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){
			.box = &box, .kind = i, .mails = xcalloc(MAILS, sizeof(struct numbered))};
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
	}
	while (left > 0) {
		/* a bell that is forgotten once leaves us here for ever */
		assert_true(mailbox_wait(&box, -1));
		for (struct mail *mail = mailbox_take_all(&box); mail != NULL; mail = mail->next) {
			assert_int_equal(((struct numbered *)mail)->number, next[mail->kind]);
			next[mail->kind]++;
			left--;
		}
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		free(senders[i].mails);
	}
	mailbox_fini(&box);
}

static void
one_ringing_wakes_for_many(void **state)
{
	struct mail mails[3] = {0};
	struct mailbox box;
	struct err err;
	uint64_t rung;

	(void)state;
	assert_int_equal(mailbox_init(&box, &err), RC_OK);
	mailbox_ring(&box);
	for (int i = 0; i < 3; i++)
		mailbox_post(&box, &mails[i]);
	mailbox_ring(&box);
	/* the eventfd counts how often it was written */
	assert_int_equal(read(box.fd, &rung, sizeof(rung)), sizeof(rung));
	assert_int_equal(rung, 1);
	assert_ptr_equal(mailbox_take_all(&box), &mails[0]);
	assert_ptr_equal(mails[0].next, &mails[1]);
	assert_ptr_equal(mails[1].next, &mails[2]);
	assert_null(mails[2].next);
	mailbox_fini(&box);
}

static void
a_list_comes_whole_behind_what_was_there(void **state)
{
	struct mail first = {0}, list[2] = {{.next = &list[1]}}, last = {0};
	struct mailbox box;
	struct err err;

	(void)state;
	assert_int_equal(mailbox_init(&box, &err), RC_OK);
	mailbox_post(&box, &first);
	mailbox_post_list(&box, &list[0], &list[1]);
	mailbox_post(&box, &last);
	assert_ptr_equal(mailbox_take_all(&box), &first);
	assert_ptr_equal(first.next, &list[0]);
	assert_ptr_equal(list[0].next, &list[1]);
	assert_ptr_equal(list[1].next, &last);
	assert_null(last.next);
	mailbox_fini(&box);
}

static void
the_bell_is_silent_once_all_is_taken(void **state)
{
	struct mail mail = {0};
	struct mailbox box;
	struct err err;

	(void)state;
	assert_int_equal(mailbox_init(&box, &err), RC_OK);
	assert_false(mailbox_wait(&box, 0));
	mailbox_post(&box, &mail);
	assert_true(mailbox_wait(&box, 0));
	assert_ptr_equal(mailbox_take_all(&box), &mail);
	assert_false(mailbox_wait(&box, 0));
	assert_null(mailbox_take_all(&box));
	/* and it rings again */
	mailbox_post(&box, &mail);
	assert_true(mailbox_wait(&box, 0));
	assert_ptr_equal(mailbox_take_all(&box), &mail);
	mailbox_fini(&box);
}

static void
ringing_wakes_without_a_message(void **state)
{
	struct mailbox box;
	struct err err;

	(void)state;
	assert_int_equal(mailbox_init(&box, &err), RC_OK);
	mailbox_ring(&box);
	mailbox_ring(&box);
	assert_true(mailbox_wait(&box, 0));
	assert_null(mailbox_take_all(&box));
	assert_false(mailbox_wait(&box, 0));
	mailbox_fini(&box);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads_post_and_each_ones_order_is_kept),
		cmocka_unit_test(one_ringing_wakes_for_many),
		cmocka_unit_test(a_list_comes_whole_behind_what_was_there),
		cmocka_unit_test(the_bell_is_silent_once_all_is_taken),
		cmocka_unit_test(ringing_wakes_without_a_message),
	};

	/* a bell that is forgotten shows as a test that hangs */
	(void)alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
