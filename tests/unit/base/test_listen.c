/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: addresses, what stood at a unix socket's path before, and
 * accepting that pauses while there is no room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/listen.h"

#include "unix_place.h"

static int
remove_path(void **state)
{
	(void)state;
	(void)unlink(place_path);
	return 0;
}

/* ---- TCP ------------------------------------------------------------------------------ */

static int
connect_tcp(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void
port_0_lets_the_kernel_choose(void **state)
{
	uint16_t bound = 0, again = 0;
	struct err err;
	int fd, second, client;

	(void)state;
	assert_int_equal(listen_tcp("127.0.0.1", 0, &fd, &bound, &err), RC_OK);
	assert_int_not_equal(bound, 0);
	client = connect_tcp(bound);
	assert_int_equal(close(client), 0);
	/* each worker has a socket of its own on the same port */
	assert_int_equal(listen_tcp("127.0.0.1", bound, &second, &again, &err), RC_OK);
	assert_int_equal(again, bound);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(close(fd), 0);
	assert_int_equal(close(second), 0);
}

static void
an_address_is_literal_or_a_mistake(void **state)
{
	static const char *const wrong[] = {"",           "localhost", "127.0.0",
					    "127.0.0.1 ", "::g",       "[::1]"};
	uint16_t bound;
	struct err err;
	int fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(listen_tcp(wrong[i], 0, &fd, &bound, &err), RC_INVALID);
		assert_non_null(strstr(err.msg, "is not an IPv4 or IPv6 address"));
		assert_false(listen_is_address(wrong[i]));
	}
	assert_true(listen_is_address("127.0.0.1"));
	assert_true(listen_is_address("::1"));
}

static void
an_address_of_somebody_else_is_a_failure(void **state)
{
	uint16_t bound;
	struct err err;
	int fd;

	(void)state;
	/* TEST-NET-1 of RFC 5737 is nobody's */
	assert_int_equal(listen_tcp("192.0.2.1", 0, &fd, &bound, &err), RC_FAIL);
	assert_int_not_equal(err.sys, 0);
	assert_non_null(strstr(err.msg, "could not listen at 192.0.2.1 port 0: "));
}

/* ---- Unix sockets --------------------------------------------------------------------- */

static void
a_socket_that_a_dead_process_left_is_replaced(void **state)
{
	struct stat st;
	struct err err;
	int fd, client;

	(void)state;
	assert_int_equal(listen_unix(place_path, &fd, &err), RC_OK);
	assert_int_equal(close(fd), 0); /* the file stays, nobody answers */
	assert_int_equal(place_connect(), -1);
	assert_int_equal(listen_unix(place_path, &fd, &err), RC_OK);
	client = place_connect();
	assert_true(client >= 0);
	assert_int_equal(stat(place_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(close(client), 0);
	assert_int_equal(close(fd), 0);
}

static void
a_socket_that_answers_is_left_alone(void **state)
{
	struct err err;
	int fd, second, client;

	(void)state;
	assert_int_equal(listen_unix(place_path, &fd, &err), RC_OK);
	assert_int_equal(listen_unix(place_path, &second, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "another process answers"));
	client = place_connect();
	assert_true(client >= 0);
	assert_int_equal(close(client), 0);
	assert_int_equal(close(fd), 0);
}

static void
a_socket_whose_backlog_is_full_answers_too(void **state)
{
	int clients[64], n = 0, fd, second;
	struct err err;

	(void)state;
	assert_int_equal(listen_unix(place_path, &fd, &err), RC_OK);
	while (n < (int)ARRAY_LEN(clients) && (clients[n] = place_connect()) >= 0)
		n++;
	assert_true(n < (int)ARRAY_LEN(clients));
	/* a blocking connect() would wait here until alarm() */
	assert_int_equal(listen_unix(place_path, &second, &err), RC_INVALID);
	while (n > 0)
		assert_int_equal(close(clients[--n]), 0);
	assert_int_equal(close(fd), 0);
}

static void
a_file_at_the_path_is_not_taken_away(void **state)
{
	struct stat st;
	struct err err;
	FILE *file = fopen(place_path, "w");
	int fd;

	(void)state;
	assert_non_null(file);
	(void)fclose(file);
	assert_int_equal(listen_unix(place_path, &fd, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "exists and is not a socket"));
	assert_int_equal(stat(place_path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void
a_path_has_to_fit(void **state)
{
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	struct err err;
	int fd;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0'; /* as long as the field, and so not terminated in it */
	assert_int_equal(listen_unix(name, &fd, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "is longer than 107 bytes"));
	assert_int_equal(listen_unix("/nowhere/at/all", &fd, &err), RC_FAIL);
}

/* ---- Accepting -------------------------------------------------------------------------- */

struct guard {
	struct loop *loop;
	unsigned room, asked, accepted, wanted;
	unsigned busy; /* turns in which there is more to do */
};

static bool
has_room(void *arg)
{
	struct guard *guard = arg;

	guard->asked++;
	return guard->accepted < guard->room;
}

static void
make_room(void *arg)
{
	struct guard *guard = arg;

	guard->room = guard->wanted;
}

static void
on_fd(void *arg, int fd)
{
	struct guard *guard = arg;

	assert_true(guard->accepted < guard->room);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(close(fd), 0);
	if (++guard->accepted == guard->wanted)
		loop_stop(guard->loop);
}

static void
no_mail(void *arg, struct mail *mail)
{
	(void)arg;
	(void)mail;
	fail();
}

static void
accepting_pauses_without_room_and_goes_on(void **state)
{
	static const struct listener_hooks hooks = {.has_room = has_room, .on_fd = on_fd};
	struct loop_hooks loop_hooks = {.on_mail = no_mail};
	struct guard guard = {.room = 2, .wanted = 5};
	struct listener *listener;
	uint16_t bound;
	struct err err;
	int fd, clients[5];

	(void)state;
	assert_int_equal(loop_new(&guard.loop, &loop_hooks, &err), RC_OK);
	assert_int_equal(listen_tcp("127.0.0.1", 0, &fd, &bound, &err), RC_OK);
	assert_int_equal(listener_new(&listener, guard.loop, fd, &hooks, &guard, &err), RC_OK);
	assert_int_equal(loop_every(guard.loop, 20, make_room, &guard, &err), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_tcp(bound);
	loop_run(guard.loop);
	assert_int_equal(guard.accepted, 5);
	/* five times yes, and no once or a few times; spinning until there is room would
	 * ask thousands of times */
	assert_in_range(guard.asked, 6, 20);
	listener_free(&listener);
	assert_null(listener);
	loop_free(&guard.loop);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		assert_int_equal(close(clients[i]), 0);
}

static bool
is_busy(void *arg)
{
	struct guard *guard = arg;

	if (guard->busy == 0)
		return false;
	guard->busy--;
	/* so it is asked again only in the next turn, and nobody was let in meanwhile */
	assert_int_equal(guard->accepted, 0);
	return true;
}

static void
who_comes_while_much_is_to_do_waits_and_is_not_forgotten(void **state)
{
	static const struct listener_hooks hooks = {
		.has_room = has_room, .is_busy = is_busy, .on_fd = on_fd};
	struct loop_hooks loop_hooks = {.on_mail = no_mail};
	struct guard guard = {.room = 5, .wanted = 5, .busy = 10};
	struct listener *listener;
	uint16_t bound;
	struct err err;
	int fd, clients[5];

	(void)state;
	assert_int_equal(loop_new(&guard.loop, &loop_hooks, &err), RC_OK);
	assert_int_equal(listen_tcp("127.0.0.1", 0, &fd, &bound, &err), RC_OK);
	assert_int_equal(listener_new(&listener, guard.loop, fd, &hooks, &guard, &err), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_tcp(bound);
	loop_run(guard.loop);
	assert_int_equal(guard.busy, 0);
	assert_int_equal(guard.accepted, 5);
	listener_free(&listener);
	loop_free(&guard.loop);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		assert_int_equal(close(clients[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_0_lets_the_kernel_choose),
		cmocka_unit_test(an_address_is_literal_or_a_mistake),
		cmocka_unit_test(an_address_of_somebody_else_is_a_failure),
		cmocka_unit_test_teardown(a_socket_that_a_dead_process_left_is_replaced,
					  remove_path),
		cmocka_unit_test_teardown(a_socket_that_answers_is_left_alone, remove_path),
		cmocka_unit_test_teardown(a_socket_whose_backlog_is_full_answers_too, remove_path),
		cmocka_unit_test_teardown(a_file_at_the_path_is_not_taken_away, remove_path),
		cmocka_unit_test(a_path_has_to_fit),
		cmocka_unit_test(accepting_pauses_without_room_and_goes_on),
		cmocka_unit_test(who_comes_while_much_is_to_do_waits_and_is_not_forgotten),
	};

	return cmocka_run_group_tests(tests, place_make, place_remove);
}
