/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the control socket, against a daemon that is played here by the
 * same thread: a socket's buffer holds what one side said before the other
 * listens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/control.h"

struct played {
	char dir[64], path[96];
	int listener;
	int daemon; /* the accepted side */
	struct control *control;
};

static int
setup_played(void **state)
{
	struct played *played = calloc(1, sizeof(*played));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct err err;

	(void)snprintf(played->dir, sizeof(played->dir), "/tmp/gatehouse-control-XXXXXX");
	assert_non_null(mkdtemp(played->dir));
	(void)snprintf(played->path, sizeof(played->path), "%s/sock", played->dir);
	memcpy(address.sun_path, played->path, strlen(played->path));
	played->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(played->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(played->listener, 1), 0);
	assert_int_equal(control_open(&played->control, played->path, &err), RC_OK);
	played->daemon = accept(played->listener, NULL, NULL);
	assert_true(played->daemon >= 0);
	*state = played;
	return 0;
}

static int
teardown_played(void **state)
{
	struct played *played = *state;

	control_close(&played->control);
	(void)close(played->daemon);
	(void)close(played->listener);
	(void)unlink(played->path);
	(void)rmdir(played->dir);
	free(played);
	return 0;
}

static void
say(const struct played *played, const char *text)
{
	assert_int_equal(write(played->daemon, text, strlen(text)), strlen(text));
}

static enum rc
ask(struct played *played, json_t **reply, struct err *err)
{
	json_t *request = json_pack("{s:s}", "verb", "status");
	enum rc rc = control_ask(played->control, request, reply, err);

	json_decref(request);
	return rc;
}

static void
test_a_request_is_one_line_and_so_is_the_reply(void **state)
{
	struct played *played = *state;
	char heard[64] = "";
	json_t *reply = NULL;
	struct err err;

	say(played, "{\"ok\":true,\"pid\":17}\n");
	assert_int_equal(ask(played, &reply, &err), RC_OK);
	assert_int_equal(json_integer_value(json_object_get(reply, "pid")), 17);
	json_decref(reply);
	assert_true(read(played->daemon, heard, sizeof(heard) - 1) > 0);
	assert_string_equal(heard, "{\"verb\":\"status\"}\n");
}

static void
test_a_refusal_tells_why(void **state)
{
	struct played *played = *state;
	json_t *reply = NULL;
	struct err err;

	say(played, "{\"ok\":false,\"error\":\"no such verb\"}\n");
	assert_int_equal(ask(played, &reply, &err), RC_INVALID);
	assert_string_equal(err.msg, "the daemon refused: no such verb");
	assert_null(reply);
}

static void
test_lines_come_apart_as_they_were_sent(void **state)
{
	struct played *played = *state;
	json_t *line;
	struct err err;

	say(played, "{\"n\":1}\n{\"n\":2}\n{\"n\"");
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(control_next(played->control, 0, &line, &err), RC_OK);
		assert_int_equal(json_integer_value(json_object_get(line, "n")), i);
		json_decref(line);
	}
	assert_int_equal(control_next(played->control, 0, &line, &err), RC_AGAIN);
	say(played, ":3}\n");
	assert_int_equal(control_next(played->control, 0, &line, &err), RC_OK);
	assert_int_equal(json_integer_value(json_object_get(line, "n")), 3);
	json_decref(line);
}

static void
test_the_end_is_told(void **state)
{
	struct played *played = *state;
	json_t *line;
	struct err err;

	say(played, "{\"n\":1}\n");
	(void)shutdown(played->daemon, SHUT_RDWR);
	assert_int_equal(control_next(played->control, -1, &line, &err), RC_OK);
	json_decref(line);
	assert_int_equal(control_next(played->control, -1, &line, &err), RC_EOF);
}

static void
test_what_is_no_object_is_refused(void **state)
{
	static const char *const lines[] = {"hello\n", "[1]\n", "17\n",  "{\"a\":1,\"a\":2}\n",
					    "{}{}\n",  "\n",    "\xff\n"};
	struct played *played = *state;
	json_t *line;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		say(played, lines[i]);
		assert_int_equal(control_next(played->control, 0, &line, &err), RC_FAIL);
		assert_non_null(strstr(err.msg, "not a JSON object"));
	}
}

/* Sends for as long as the other side reads. */
static void *
send_without_end(void *arg)
{
	static const char blanks[65536] = {'x'};
	const struct played *played = arg;

	while (send(played->daemon, blanks, sizeof(blanks), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void
test_a_line_without_end_is_cut_off(void **state)
{
	struct played *played = *state;
	pthread_t sender;
	json_t *line;
	struct err err;

	assert_int_equal(pthread_create(&sender, NULL, send_without_end, played), 0);
	assert_int_equal(control_next(played->control, -1, &line, &err), RC_FAIL);
	assert_non_null(strstr(err.msg, "a line of more than"));
	control_close(&played->control);
	assert_int_equal(pthread_join(sender, NULL), 0);
}

static void
test_nobody_there(void **state)
{
	struct control *control = NULL;
	char path[200];
	struct err err;

	(void)state;
	assert_int_equal(control_open(&control, "/nonexistent/sock", &err), RC_FAIL);
	assert_non_null(strstr(err.msg, "could not connect to the daemon"));
	assert_null(control);
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_open(&control, path, &err), RC_INVALID);
	control_poke("/nonexistent/sock");
}

#define WITH_DAEMON(test) cmocka_unit_test_setup_teardown(test, setup_played, teardown_played)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DAEMON(test_a_request_is_one_line_and_so_is_the_reply),
		WITH_DAEMON(test_a_refusal_tells_why),
		WITH_DAEMON(test_lines_come_apart_as_they_were_sent),
		WITH_DAEMON(test_the_end_is_told),
		WITH_DAEMON(test_what_is_no_object_is_refused),
		WITH_DAEMON(test_a_line_without_end_is_cut_off),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
