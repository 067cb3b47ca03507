/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's socket: lines however they come, what is no request, replies that come
 * later, streams, and the limits that keep one client from costing more than itself.
 *
 * The clients are sockets of this process; the loop turns while they wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/operator.h"

#include "unix_place.h"

/* One test's socket, and what its hooks were told. */
struct desk {
	struct loop *loop;
	struct operator_socket *socket;
	bool later; /* requests are not answered at once */
	unsigned requests, closed;
	uint64_t last_client, last_closed;
	size_t sent;
};

static void
no_mail(void *arg, struct mail *mail)
{
	(void)arg;
	free(mail);
}

/* Answers with what "say" is. */
static json_t *
on_request(void *arg, uint64_t client, const json_t *request)
{
	struct desk *desk = arg;

	desk->requests++;
	desk->last_client = client;
	if (desk->later)
		return NULL;
	return json_pack("{s:O?}", "heard", json_object_get(request, "say"));
}

static void
on_sent(void *arg, uint64_t client, size_t n)
{
	struct desk *desk = arg;

	assert_int_equal(client, desk->last_client);
	desk->sent += n;
}

static void
on_closed(void *arg, uint64_t client)
{
	struct desk *desk = arg;

	desk->closed++;
	desk->last_closed = client;
}

static void
desk_open(struct desk *desk, size_t clients_max)
{
	const struct loop_hooks loop_hooks = {.on_mail = no_mail};
	const struct operator_hooks hooks = {.clients_max = clients_max,
					     .on_request = on_request,
					     .on_sent = on_sent,
					     .on_closed = on_closed,
					     .arg = desk};
	struct err err;

	*desk = (struct desk){0};
	assert_int_equal(loop_new(&desk->loop, &loop_hooks, &err), RC_OK);
	assert_int_equal(operator_open(&desk->socket, desk->loop, place_path, &hooks, &err), RC_OK);
}

static void
desk_close(struct desk *desk)
{
	operator_close(&desk->socket);
	assert_null(desk->socket);
	assert_int_equal(access(place_path, F_OK), -1);
	loop_free(&desk->loop);
}

static void
desk_turn(struct desk *desk)
{
	(void)event_base_loop(loop_base(desk->loop), EVLOOP_NONBLOCK);
}

static int
client_connect(void)
{
	int fd = place_connect();

	assert_true(fd >= 0);
	return fd;
}

/* Turns the loop until all is written, or the other side has closed. */
static void
client_write(struct desk *desk, int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		desk_turn(desk);
		if (done < 0 && errno != EAGAIN)
			return;
		if (done > 0) {
			text += done;
			n -= (size_t)done;
		}
	}
}

static void
client_say(struct desk *desk, int fd, const char *text)
{
	client_write(desk, fd, text, strlen(text));
}

/* Turns the loop until a line is there: without its end, or NULL when the other side has
 * closed. */
static const char *
client_line(struct desk *desk, int fd, char line[256])
{
	size_t n = 0;

	for (;;) {
		ssize_t got = recv(fd, line + n, 1, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return NULL;
		if (got < 0) {
			desk_turn(desk);
		} else if (line[n] == '\n') {
			line[n] = '\0';
			return line;
		} else {
			assert_true(++n < 256);
		}
	}
}

static void
lines_are_answered_however_they_come(void **state)
{
	static const char two[] = "{\"say\":1}\n{\"say\":\"b\"}\n";
	struct desk desk;
	char line[256];
	int fd;

	(void)state;
	desk_open(&desk, 2);
	fd = client_connect();
	client_say(&desk, fd, two);
	assert_string_equal(client_line(&desk, fd, line), "{\"heard\":1}");
	assert_string_equal(client_line(&desk, fd, line), "{\"heard\":\"b\"}");
	for (size_t i = 0; i < sizeof(two) - 1; i++)
		client_write(&desk, fd, two + i, 1);
	assert_string_equal(client_line(&desk, fd, line), "{\"heard\":1}");
	assert_string_equal(client_line(&desk, fd, line), "{\"heard\":\"b\"}");
	assert_int_equal(desk.requests, 4);
	(void)close(fd);
	while (desk.closed == 0)
		desk_turn(&desk);
	assert_int_equal(desk.last_closed, desk.last_client);
	desk_close(&desk);
	assert_int_equal(desk.closed, 1);
}

static void
what_is_no_object_is_refused_and_the_next_line_heard(void **state)
{
	static const char *const wrong[] = {"\n",
					    "x\n",
					    "[]\n",
					    "{\"say\":1\n",
					    "{\"say\":1}}\n",
					    "{\"say\":1,\"say\":2}\n",
					    "{\"say\":\"\xff\"}\n"};
	struct desk desk;
	char line[256];
	int fd;

	(void)state;
	desk_open(&desk, 2);
	fd = client_connect();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		client_say(&desk, fd, wrong[i]);
		assert_string_equal(client_line(&desk, fd, line),
				    "{\"ok\":false,\"error\":\"not a JSON object\"}");
	}
	assert_int_equal(desk.requests, 0);
	client_say(&desk, fd, "{\"say\":1}\n");
	assert_string_equal(client_line(&desk, fd, line), "{\"heard\":1}");
	desk_close(&desk);
	assert_int_equal(desk.closed, 1);
	(void)close(fd);
}

static void
a_line_has_a_limit(void **state)
{
	char text[OPERATOR_LINE_MAX + 1], line[256];
	struct desk desk;
	int fd;

	(void)state;
	memset(text, ' ', sizeof(text));
	desk_open(&desk, 2);
	fd = client_connect();
	memcpy(text + OPERATOR_LINE_MAX - 3, "{}\n", 3);
	client_write(&desk, fd, text, OPERATOR_LINE_MAX);
	assert_string_equal(client_line(&desk, fd, line), "{\"heard\":null}");
	memset(text, ' ', sizeof(text));
	client_write(&desk, fd, text, sizeof(text));
	assert_null(client_line(&desk, fd, line));
	assert_int_equal(desk.closed, 1);
	(void)close(fd);
	desk_close(&desk);
}

static void
a_reply_may_come_later_or_to_nobody(void **state)
{
	struct desk desk;
	char line[256];
	int fd;

	(void)state;
	desk_open(&desk, 2);
	desk.later = true;
	fd = client_connect();
	client_say(&desk, fd, "{}\n");
	while (desk.requests == 0)
		desk_turn(&desk);
	assert_true(operator_fd(desk.socket, desk.last_client) >= 0);
	operator_reply(desk.socket, desk.last_client + 1, json_pack("{s:i}", "to", 0));
	operator_reply(desk.socket, desk.last_client, json_pack("{s:i}", "to", 1));
	operator_reply(desk.socket, desk.last_client, json_pack("{s:s}", "cut", "\xc3"));
	assert_string_equal(client_line(&desk, fd, line), "{\"to\":1}");
	assert_string_equal(client_line(&desk, fd, line),
			    "{\"ok\":false,\"error\":\"the answer is no text\"}");
	(void)close(fd);
	while (desk.closed == 0)
		desk_turn(&desk);
	assert_int_equal(operator_fd(desk.socket, desk.last_client), -1);
	operator_reply(desk.socket, desk.last_client, json_pack("{s:i}", "to", 1));
	operator_send(desk.socket, desk.last_client, "x\n", 2);
	desk_close(&desk);
}

static void
a_stream_says_what_went_out(void **state)
{
	struct desk desk;
	char line[256];
	int fd;

	(void)state;
	desk_open(&desk, 2);
	fd = client_connect();
	client_say(&desk, fd, "{}\n");
	assert_non_null(client_line(&desk, fd, line));
	assert_int_equal(desk.sent, 0);
	operator_send(desk.socket, desk.last_client, "one\n", 4);
	operator_send(desk.socket, desk.last_client, "other\n", 6);
	assert_int_equal(desk.sent, 0);
	while (desk.sent < 10)
		desk_turn(&desk);
	assert_int_equal(desk.sent, 10);
	assert_string_equal(client_line(&desk, fd, line), "one");
	assert_string_equal(client_line(&desk, fd, line), "other");
	(void)close(fd);
	desk_close(&desk);
}

static void
one_too_many_waits_for_a_place(void **state)
{
	struct desk desk;
	char line[256];
	int first, second;

	(void)state;
	desk_open(&desk, 1);
	first = client_connect();
	client_say(&desk, first, "{}\n");
	assert_non_null(client_line(&desk, first, line));
	second = client_connect();
	client_say(&desk, second, "{}\n");
	for (int i = 0; i < 100; i++)
		desk_turn(&desk);
	assert_int_equal(desk.requests, 1);
	(void)close(first);
	assert_string_equal(client_line(&desk, second, line), "{\"heard\":null}");
	assert_int_not_equal(desk.last_client, desk.last_closed);
	(void)close(second);
	desk_close(&desk);
}

/* The kernel holds some replies, the process a bounded number more. */
static void
who_asks_and_does_not_read_is_closed(void **state)
{
	static const char ask[] = "{\"say\":\"0123456789012345678901234567890123456789\"}\n";
	struct desk desk;
	int fd;

	(void)state;
	desk_open(&desk, 1);
	fd = client_connect();
	while (desk.closed == 0)
		client_say(&desk, fd, ask);
	assert_true(desk.requests > 1000);
	(void)close(fd);
	desk_close(&desk);
}

static void
a_refusal_is_always_one(void **state)
{
	json_t *refusal = operator_refusal("no such door"), *cut = operator_refusal("caf\xc3");

	(void)state;
	assert_true(json_is_false(json_object_get(refusal, "ok")));
	assert_string_equal(json_string_value(json_object_get(refusal, "error")), "no such door");
	assert_true(json_is_false(json_object_get(cut, "ok")));
	json_decref(refusal);
	json_decref(cut);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_answered_however_they_come),
		cmocka_unit_test(what_is_no_object_is_refused_and_the_next_line_heard),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(a_reply_may_come_later_or_to_nobody),
		cmocka_unit_test(a_stream_says_what_went_out),
		cmocka_unit_test(one_too_many_waits_for_a_place),
		cmocka_unit_test(who_asks_and_does_not_read_is_closed),
		cmocka_unit_test(a_refusal_is_always_one),
	};

	return cmocka_run_group_tests(tests, place_make, place_remove);
}
