/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: see the header for what happens when there is no room. */
#include "base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* As many as the kernel allows (net.core.somaxconn): a fleet comes back at once. */
enum { LISTEN_BACKLOG = 65535, LISTEN_ACCEPTS_PER_TURN = 16, LISTEN_PAUSE_MS = 100 };

/* Owner: the loop's thread. */
struct listener {
	struct event *readable, *resume;
	int fd;
	const struct listener_hooks *hooks;
	void *arg;
	struct log_pace pace;
};

/* ---- Sockets ------------------------------------------------------------- */

static socklen_t
listen_parse(const char *address, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		return sizeof(*in6);
	}
	return 0;
}

bool
listen_is_address(const char *address)
{
	struct sockaddr_storage parsed;

	return listen_parse(address, 0, &parsed) != 0;
}

static uint16_t
listen_bound_port(int fd)
{
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);

	(void)getsockname(fd, (struct sockaddr *)&bound, &len);
	if (bound.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&bound)->sin6_port);
	return ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port);
}

enum rc
listen_tcp(const char *address, uint16_t port, int *fd, uint16_t *bound, struct err *err)
{
	struct sockaddr_storage to;
	socklen_t len = listen_parse(address, port, &to);
	int on = 1;

	if (len == 0)
		return err_invalid(err, "\"%s\" is not an IPv4 or IPv6 address", address);
	*fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_sys(err, "could not create a socket");
	if (setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
	    bind(*fd, (const struct sockaddr *)&to, len) != 0 || listen(*fd, LISTEN_BACKLOG) != 0) {
		(void)err_sys(err, "could not listen at %s port %u", address, port);
		(void)close(*fd);
		return RC_FAIL;
	}
	*bound = listen_bound_port(*fd);
	return RC_OK;
}

/* Somebody answers at the socket: it isn't ours to take away. */
static bool
listen_unix_answers(const struct sockaddr_un *at)
{
	/* one that is alive but busy has a full backlog: EAGAIN, instead of waiting */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answers = fd >= 0 && (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ||
				   errno == EAGAIN);

	if (fd >= 0)
		(void)close(fd);
	return answers;
}

/* Takes away what a dead process left, and nothing else. */
static enum rc
listen_unix_clear(const struct sockaddr_un *at, struct err *err)
{
	struct stat st;

	if (lstat(at->sun_path, &st) != 0)
		return RC_OK; /* whatever is wrong with the path, bind() says it better */
	if (!S_ISSOCK(st.st_mode))
		return err_invalid(err, "\"%s\" exists and is not a socket", at->sun_path);
	if (listen_unix_answers(at))
		return err_invalid(err, "another process answers at socket \"%s\"", at->sun_path);
	if (unlink(at->sun_path) != 0)
		return err_sys(err, "could not remove old socket \"%s\"", at->sun_path);
	return RC_OK;
}

enum rc
listen_unix(const char *path, int *fd, struct err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	enum rc rc;

	if (strlen(path) >= sizeof(at.sun_path))
		return err_invalid(err, "path of socket \"%s\" is longer than %zu bytes", path,
				   sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, strlen(path));
	rc = listen_unix_clear(&at, err);
	if (rc != RC_OK)
		return rc;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_sys(err, "could not create a socket");
	if (bind(*fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || chmod(path, 0660) != 0 ||
	    listen(*fd, 16) != 0) {
		(void)err_sys(err, "could not listen at socket \"%s\"", path);
		(void)close(*fd);
		return RC_FAIL;
	}
	return RC_OK;
}

/* ---- Accepting ----------------------------------------------------------- */

static void
listener_pause(struct listener *listener, const char *why)
{
	struct timeval wait = {.tv_usec = LISTEN_PAUSE_MS * 1000};
	uint64_t held_back;

	(void)event_del(listener->readable);
	(void)event_add(listener->resume, &wait);
	if (log_pace_ok(&listener->pace, 10000, &held_back))
		log_warning("listen", "not accepting connections for now: %s repeated=%lu", why,
			    (unsigned long)held_back);
}

static void
listener_readable_cb(evutil_socket_t listening, short what, void *arg)
{
	struct listener *listener = arg;

	(void)what;
	for (int i = 0; i < LISTEN_ACCEPTS_PER_TURN; i++) {
		int fd;

		if (listener->hooks->is_busy != NULL && listener->hooks->is_busy(listener->arg))
			return;
		if (!listener->hooks->has_room(listener->arg)) {
			listener_pause(listener, "the limit of connections is reached");
			return;
		}
		fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			listener->hooks->on_fd(listener->arg, fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			/* out of descriptors or memory: it stays readable, don't spin */
			listener_pause(listener, strerror(errno));
			return;
		}
	}
}

static void
listener_resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	(void)event_add(listener->readable, NULL);
}

enum rc
listener_new(struct listener **out, struct loop *loop, int fd, const struct listener_hooks *hooks,
	     void *arg, struct err *err)
{
	struct listener *listener = xcalloc(1, sizeof(*listener));

	*listener = (struct listener){.fd = fd, .hooks = hooks, .arg = arg};
	listener->readable = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST,
				       listener_readable_cb, listener);
	listener->resume = event_new(loop_base(loop), -1, 0, listener_resume_cb, listener);
	if (listener->readable == NULL || listener->resume == NULL ||
	    event_add(listener->readable, NULL) != 0) {
		listener_free(&listener);
		return err_fail(err, "could not watch a listening socket");
	}
	*out = listener;
	return RC_OK;
}

void
listener_free(struct listener **out)
{
	struct listener *listener = *out;

	if (listener == NULL)
		return;
	*out = NULL;
	if (listener->readable != NULL)
		event_free(listener->readable);
	if (listener->resume != NULL)
		event_free(listener->resume);
	(void)close(listener->fd);
	free(listener);
}
