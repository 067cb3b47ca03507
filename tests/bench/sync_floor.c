/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of the journal: the same bytes appended in the same group sizes, each
 * group followed by fdatasync.  Into a file that is full of zeros before, as the
 * journal's segments are.
 *
 *	sync_floor FILE GROUP_BYTES GROUPS
 *
 * Prints {"seconds", "cpu_s", "groups"}; the file is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"

enum { GROUP_MAX = 64 * 1024 * 1024 };

static void
write_all(int fd, const uint8_t *bytes, size_t n, off_t at)
{
	if (pwrite(fd, bytes, n, at) != (ssize_t)n)
		fatal("could not write: %s", errno != 0 ? strerror(errno) : "short");
}

static double
cpu_s(void)
{
	struct timespec spent;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0);
	return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	size_t group, groups;
	uint8_t *bytes;
	uint64_t begun;
	double cpu;
	int fd;

	if (argc != 4)
		fatal("expected FILE GROUP_BYTES GROUPS");
	group = strtoul(argv[2], NULL, 10);
	groups = strtoul(argv[3], NULL, 10);
	if (group == 0 || group > GROUP_MAX || groups == 0)
		fatal("expected groups of 1 to %d bytes, one at least", GROUP_MAX);
	bytes = xcalloc(1, group);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		fatal("could not create \"%s\": %s", argv[1], strerror(errno));
	for (size_t i = 0; i < groups; i++)
		write_all(fd, bytes, group, (off_t)(i * group));
	if (fsync(fd) != 0)
		fatal("could not sync: %s", strerror(errno));
	memset(bytes, 'x', group);

	begun = clock_mono_ns();
	cpu = cpu_s();
	for (size_t i = 0; i < groups; i++) {
		write_all(fd, bytes, group, (off_t)(i * group));
		if (fdatasync(fd) != 0)
			fatal("could not sync: %s", strerror(errno));
	}
	printf("{\"seconds\": %.6f, \"cpu_s\": %.6f, \"groups\": %zu}\n",
	       (double)(clock_mono_ns() - begun) / 1e9, cpu_s() - cpu, groups);
	(void)close(fd);
	(void)unlink(argv[1]);
	free(bytes);
	return 0;
}
