/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BIO that reads and writes a socket.  OpenSSL's own would do, but for this: what is
 * decrypted stands where it was read, and stays there when it was consumed, for as long
 * as the next TLS record has come in part only.
 *
 * Invariant: in OpenSSL's buffer nothing that was read lies at or behind `filled_to`.
 * OpenSSL moves what it has not consumed to the front before it reads on, and reads
 * behind that: what lies from there to `filled_to` was consumed.
 *
 * Owner: the loop's thread.
 */
#include "tls_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* `to`: up to where OpenSSL's buffer holds what it still wants; `end`: of the buffer. */
static void
socket_wipe_consumed(struct tls_socket *socket, char *to, const char *end)
{
	if (socket->filled_to > to && socket->filled_to <= end)
		explicit_bzero(to, (size_t)(socket->filled_to - to));
	socket->filled_to = to;
}

static int
socket_read_cb(BIO *bio, char *out, size_t n, size_t *got)
{
	struct tls_socket *socket = BIO_get_data(bio);
	ssize_t came = recv(socket->fd, out, n, 0);
	int sys = errno;

	BIO_clear_retry_flags(bio);
	*got = came > 0 ? (size_t)came : 0;
	socket_wipe_consumed(socket, out + *got, out + n);
	if (came > 0)
		return 1;
	errno = sys;
	if (came == 0)
		socket->ended = true;
	else if (BIO_sock_should_retry(-1) == 1)
		BIO_set_retry_read(bio);
	return 0;
}

static int
socket_write_cb(BIO *bio, const char *bytes, size_t n, size_t *sent)
{
	const struct tls_socket *socket = BIO_get_data(bio);
	ssize_t went = send(socket->fd, bytes, n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	*sent = went > 0 ? (size_t)went : 0;
	if (went > 0)
		return 1;
	if (BIO_sock_should_retry(-1) == 1)
		BIO_set_retry_write(bio);
	return 0;
}

static long
socket_ctrl_cb(BIO *bio, int what, long number, void *arg)
{
	const struct tls_socket *socket = BIO_get_data(bio);

	(void)number;
	(void)arg;
	switch (what) {
	case BIO_CTRL_FLUSH: /* nothing is held back */
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return socket->ended ? 1 : 0;
	default:
		return 0;
	}
}

BIO_METHOD *
tls_socket_method(void)
{
	/* without a number of its own: there are 127, and nobody looks for it */
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");

	if (method == NULL || BIO_meth_set_read_ex(method, socket_read_cb) != 1 ||
	    BIO_meth_set_write_ex(method, socket_write_cb) != 1 ||
	    BIO_meth_set_ctrl(method, socket_ctrl_cb) != 1) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}

BIO *
tls_socket_bio(const BIO_METHOD *method, struct tls_socket *socket)
{
	BIO *bio = BIO_new(method);

	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, socket);
	BIO_set_init(bio, 1);
	return bio;
}
