/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with the path of a unix socket in it, for all tests of a program, and clients. */
#ifndef GATEHOUSE_TESTS_BASE_UNIX_PLACE_H
#define GATEHOUSE_TESTS_BASE_UNIX_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { HANGS_S = 60 };

static char place_dir[] = "/tmp/gatehouse-socket-XXXXXX";
static char place_path[64];

/* cmocka's setup and teardown of a group. */
static inline int
place_make(void **state)
{
	(void)state;
	log_setup(LOG_LEVEL_CRITICAL, LOG_TARGET_STDERR);
	(void)alarm(HANGS_S);
	if (mkdtemp(place_dir) == NULL)
		return -1;
	(void)snprintf(place_path, sizeof(place_path), "%s/s", place_dir);
	return 0;
}

static inline int
place_remove(void **state)
{
	(void)state;
	return rmdir(place_dir);
}

/* Does not block; -1: nobody takes it. */
static inline int
place_connect(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(at.sun_path, place_path, strlen(place_path));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

#endif
