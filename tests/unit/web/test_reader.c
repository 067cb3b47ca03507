/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of questions while PostgreSQL does not answer: they fail, and it is asked
 * again ever less often, until it answers.  Here PostgreSQL is a socket that the test
 * plays, and time is what the test says.
 *
 * Seen to fail with: a question that was given up taken for no failure.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../fake/clock_fake.h"
#include "../support/scratch.h"
#include "web/reader.h"

enum { TIMEOUT_MS = 50, RETRY_MS = 1000, RETRY_MAX_MS = 8000, PATIENCE_MS = 60000 };

/* "You are in", "ready". */
#define WELCOME "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
/* "Parsed", "bound", one column "a" of texts, the row "yes", "SELECT 1", "ready". */
#define ANSWER                                                                                     \
	"1\0\0\0\x04"                                                                              \
	"2\0\0\0\x04"                                                                              \
	"T\0\0\0\x1a\0\x01"                                                                        \
	"a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"                                    \
	"D\0\0\0\x0d\0\x01\0\0\0\x03yes"                                                           \
	"C\0\0\0\x0dSELECT 1\0"                                                                    \
	"Z\0\0\0\x05I"

enum manner { CLOSES, LETS_IN, ANSWERS };

struct scene {
	void *dir;
	char *conninfo; /* borrowed by the reader */
	int listener;
	pthread_t server;
	_Atomic enum manner manner;
	_Atomic unsigned attempts;
	struct mailbox answers;
	struct reader *reader;
};

/* A question that has no answer: so much time goes by. */
static void
serve_questions(struct scene *scene, int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0) {
		if (bytes[0] == 'X') /* a goodbye */
			return;
		if (scene->manner != ANSWERS)
			clock_fake_advance_ms(TIMEOUT_MS);
		else if (write(fd, ANSWER, sizeof(ANSWER) - 1) < 0)
			return;
	}
}

static void *
serve(void *arg)
{
	struct scene *scene = arg;
	char bytes[4096];
	int fd;

	while ((fd = accept(scene->listener, NULL, NULL)) >= 0) {
		scene->attempts++;
		if (scene->manner != CLOSES && read(fd, bytes, sizeof(bytes)) > 0 &&
		    write(fd, WELCOME, sizeof(WELCOME) - 1) > 0)
			serve_questions(scene, fd);
		close(fd);
	}
	return NULL;
}

static int
scene_open(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct reader_conf conf = {
		.connect_timeout_ms = TIMEOUT_MS,
		.statement_timeout_ms = TIMEOUT_MS,
		.retry_ms = RETRY_MS,
		.retry_max_ms = RETRY_MAX_MS,
		.answers = &scene->answers,
	};
	struct err err;

	assert_int_equal(scratch_make(&scene->dir), 0);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/.s.PGSQL.5432",
		       (const char *)scene->dir);
	scene->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(scene->listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(scene->listener, 5), 0);
	assert_int_equal(pthread_create(&scene->server, NULL, serve, scene), 0);
	assert_int_equal(mailbox_init(&scene->answers, &err), RC_OK);
	scene->conninfo = xasprintf("host=%s dbname=d", (const char *)scene->dir);
	conf.conninfo = scene->conninfo;
	assert_int_equal(reader_start(&scene->reader, &conf, &err), RC_OK);
	*state = scene;
	return 0;
}

static int
scene_close(void **state)
{
	struct scene *scene = *state;

	reader_stop(&scene->reader);
	(void)shutdown(scene->listener, SHUT_RDWR);
	(void)pthread_join(scene->server, NULL);
	close(scene->listener);
	mailbox_fini(&scene->answers);
	free(scene->conninfo);
	assert_int_equal(scratch_remove(&scene->dir), 0);
	free(scene);
	return 0;
}

/* Asks, and waits for what becomes of it. */
static enum rc
ask(struct scene *scene)
{
	struct reader_mail *mail = xcalloc(1, sizeof(*mail));
	struct mail *back;
	enum rc rc;

	mail->question = READER_CONSOLES;
	reader_ask(scene->reader, mail);
	while ((back = mailbox_take_all(&scene->answers)) == NULL)
		assert_true(mailbox_wait(&scene->answers, PATIENCE_MS));
	mail = CONTAINER_OF(back, struct reader_mail, mail);
	rc = mail->rc;
	if (rc == RC_OK)
		assert_string_equal(mail->text, "yes");
	else
		assert_true(mail->err.msg[0] != '\0');
	reader_mail_free(&mail);
	return rc;
}

/* The last attempt failed, and the next one is made behind a pause of `whole_ms`, by chance
 * as little as half of that; not before. */
static void
expect_pause(struct scene *scene, uint64_t whole_ms)
{
	unsigned attempts = scene->attempts;

	clock_fake_advance_ms(whole_ms / 2 - 1);
	assert_int_equal(ask(scene), RC_FAIL);
	assert_int_equal(scene->attempts, attempts);
	clock_fake_advance_ms(whole_ms / 2 + 1);
	(void)ask(scene);
	assert_int_equal(scene->attempts, attempts + 1);
}

static void
expect_growing_pauses(struct scene *scene)
{
	assert_int_equal(ask(scene), RC_FAIL);
	for (uint64_t whole_ms = RETRY_MS; whole_ms <= RETRY_MAX_MS; whole_ms *= 2)
		expect_pause(scene, whole_ms);
	expect_pause(scene, RETRY_MAX_MS);
}

static void
test_a_server_that_lets_nobody_in(void **state)
{
	struct scene *scene = *state;

	scene->manner = CLOSES;
	expect_growing_pauses(scene);
}

/* That it lets us in is no answer: a process of its own hangs behind each attempt. */
static void
test_a_server_that_hangs_at_each_question(void **state)
{
	struct scene *scene = *state;

	scene->manner = LETS_IN;
	expect_growing_pauses(scene);
}

static void
test_an_answer_makes_the_next_pause_a_first_one(void **state)
{
	struct scene *scene = *state;

	scene->manner = CLOSES;
	expect_growing_pauses(scene);
	scene->manner = ANSWERS;
	clock_fake_advance_ms(RETRY_MAX_MS);
	assert_int_equal(ask(scene), RC_OK);
	scene->manner = LETS_IN;
	assert_int_equal(ask(scene), RC_FAIL);
	expect_pause(scene, RETRY_MS);
}

int
main(void)
{
#define with_scene(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)
	const struct CMUnitTest tests[] = {
		with_scene(test_a_server_that_lets_nobody_in),
		with_scene(test_a_server_that_hangs_at_each_question),
		with_scene(test_an_answer_makes_the_next_pause_a_first_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
