/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was consumed leaves OpenSSL's buffer with the next read(), also when that brings
 * nothing, and what is still wanted stays: guards card numbers that stood in memory while
 * the rest of a TLS record was on its way.
 *
 * Seen to fail: with the wipe left out of socket_wipe_consumed().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../src/wire/tls_socket.h"
#include "base/base.h"

enum { BUFFER = 256 };

struct fixture {
	int other; /* end */
	struct tls_socket socket;
	BIO_METHOD *method;
	BIO *bio;
	char buffer[BUFFER]; /* as OpenSSL has one for each connection */
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	f->socket.fd = ends[0];
	f->other = ends[1];
	f->method = tls_socket_method();
	assert_non_null(f->method);
	f->bio = tls_socket_bio(f->method, &f->socket);
	assert_non_null(f->bio);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	BIO_free(f->bio);
	BIO_meth_free(f->method);
	(void)close(f->socket.fd);
	(void)close(f->other);
	free(f);
	return 0;
}

/* Behind the `wanted` bytes at the buffer's front, as OpenSSL reads. */
static int
read_behind(struct fixture *f, size_t wanted)
{
	size_t got = 0;

	(void)BIO_read_ex(f->bio, f->buffer + wanted, BUFFER - wanted, &got);
	return (int)got;
}

static void
say(const struct fixture *f, const char *text)
{
	assert_int_equal(write(f->other, text, strlen(text)), strlen(text));
}

static void
assert_nothing_behind(const struct fixture *f, size_t n)
{
	for (size_t i = n; i < BUFFER; i++)
		assert_int_equal(f->buffer[i], 0);
}

static void
what_was_consumed_goes_with_the_next_read(void **state)
{
	struct fixture *f = *state;

	say(f, "CARD-4711-0815 and half");
	assert_int_equal(read_behind(f, 0), 23);
	/* the card was consumed; what came in part is moved to the front */
	memmove(f->buffer, f->buffer + 19, 4);
	assert_int_equal(read_behind(f, 4), 0);
	assert_true(BIO_should_retry(f->bio));
	assert_memory_equal(f->buffer, "half", 4);
	assert_nothing_behind(f, 4);
}

static void
a_short_read_leaves_nothing_behind_it(void **state)
{
	struct fixture *f = *state;

	say(f, "CARD-4711-0815");
	assert_int_equal(read_behind(f, 0), 14);
	say(f, "more");
	assert_int_equal(read_behind(f, 0), 4);
	assert_memory_equal(f->buffer, "more", 4);
	assert_nothing_behind(f, 4);
	assert_ptr_equal(f->socket.filled_to, f->buffer + 4);
}

static void
what_is_still_wanted_stays(void **state)
{
	struct fixture *f = *state;

	say(f, "first");
	assert_int_equal(read_behind(f, 0), 5);
	say(f, "second");
	assert_int_equal(read_behind(f, 5), 6);
	assert_memory_equal(f->buffer, "firstsecond", 11);
}

static void
its_end_is_no_error_that_goes_away(void **state)
{
	struct fixture *f = *state;

	assert_false(BIO_eof(f->bio));
	assert_int_equal(shutdown(f->other, SHUT_WR), 0);
	assert_int_equal(read_behind(f, 0), 0);
	assert_false(BIO_should_retry(f->bio));
	assert_true(BIO_eof(f->bio));
}

static void
what_the_socket_does_not_take_is_tried_again(void **state)
{
	struct fixture *f = *state;
	size_t sent = 0;

	while (BIO_write_ex(f->bio, f->buffer, BUFFER, &sent) == 1)
		assert_int_equal(sent, BUFFER);
	assert_true(BIO_should_retry(f->bio));
	/* nobody is there any more: an error, and no signal */
	assert_int_equal(shutdown(f->other, SHUT_RDWR), 0);
	assert_int_equal(BIO_write_ex(f->bio, f->buffer, BUFFER, &sent), 0);
	assert_false(BIO_should_retry(f->bio));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_consumed_goes_with_the_next_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_short_read_leaves_nothing_behind_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_still_wanted_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(its_end_is_no_error_that_goes_away, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_the_socket_does_not_take_is_tried_again,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
