// SPDX-License-Identifier: Apache-2.0
//
// For LD_PRELOAD: every pwritev() writes only some bytes of its first vector, as
// a disk that is nearly full or a signal may make it do.  How many follows from
// the number of the call, so that two runs are cut at the same places.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/uio.h>

enum { AT_MOST = 4000, STEP = 7919 };

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	static atomic_uint calls;
	ssize_t (*real)(int, const struct iovec *, int, off_t);
	size_t most = 1 + atomic_fetch_add(&calls, 1) * STEP % AT_MOST;
	struct iovec first = *iov;

	(void)n;
	*(void **)&real = dlsym(RTLD_NEXT, "pwritev");
	if (first.iov_len > most)
		first.iov_len = most;
	return real(fd, &first, 1, offset);
}
