/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into the daemon: the Nth allocation of the process fails, once.
 *
 *	MALLOC_FAIL_AT     N, from 1; 0 or not set: none
 *	MALLOC_FAIL_COUNT  file into which a process that ends in good order writes how
 *	                   many allocations it made, and how many of them it still has
 *	MALLOC_FAIL_MAP    file of three 64-bit numbers which a test shares while the
 *	                   process runs: calls so far, which of them fails, how many
 *	                   allocations are left.  The test may set the first two at any
 *	                   time, and so try one call after the other in one process
 *
 * Counts malloc, calloc, realloc and the aligned ones over all threads.  Which call
 * is the Nth depends on how the threads take turns: over many N each call gets its
 * turn, and none is promised for one N.
 *
 * Deliberately allocates nothing itself, and goes on by glibc's own names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *ptr);

struct state {
	atomic_ulong calls, fail_at;
	atomic_long live;
};

/* The only state there can be in a preloaded library.  `state` is set before main(). */
static struct state own;
static struct state *state = &own;

static int
fails(void)
{
	if (atomic_fetch_add_explicit(&state->calls, 1, memory_order_relaxed) + 1 !=
	    atomic_load_explicit(&state->fail_at, memory_order_relaxed))
		return 0;
	errno = ENOMEM;
	return 1;
}

/* Passes on what was allocated, counted. */
static void *
counted(void *ptr)
{
	if (ptr != NULL)
		atomic_fetch_add_explicit(&state->live, 1, memory_order_relaxed);
	return ptr;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *
realloc(void *ptr, size_t size)
{
	if (fails())
		return NULL;
	return ptr == NULL ? counted(__libc_realloc(NULL, size)) : __libc_realloc(ptr, size);
}

int
posix_memalign(void **ptr, size_t alignment, size_t size)
{
	void *memory = fails() ? NULL : counted(__libc_memalign(alignment, size));

	if (memory == NULL)
		return ENOMEM;
	*ptr = memory;
	return 0;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void
free(void *ptr)
{
	if (ptr != NULL)
		atomic_fetch_sub_explicit(&state->live, 1, memory_order_relaxed);
	__libc_free(ptr);
}

static void
share(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		abort();
	state = map;
	(void)close(fd);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("MALLOC_FAIL_AT"), *map = getenv("MALLOC_FAIL_MAP");

	if (map != NULL)
		share(map);
	/* what the loader allocated before is not the daemon's */
	atomic_store(&state->calls, 0);
	atomic_store(&state->live, 0);
	atomic_store(&state->fail_at, text != NULL ? strtoul(text, NULL, 10) : 0);
}

__attribute__((destructor)) static void
end(void)
{
	unsigned long made = atomic_load(&state->calls);
	long kept = atomic_load(&state->live);
	const char *path = getenv("MALLOC_FAIL_COUNT");
	FILE *file = path != NULL ? fopen(path, "we") : NULL;

	if (file == NULL)
		return;
	(void)fprintf(file, "%lu %ld\n", made, kept);
	(void)fclose(file);
}
