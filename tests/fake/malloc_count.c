/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes on by glibc's own names.  AddressSanitizer has an allocator of its own, and a hook
 * for those who want to count.
 */
#include "malloc_count.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* Of a thread; an allocator has nobody who could hand it a struct. */
static _Thread_local uint64_t count;

uint64_t
malloc_count(void)
{
	return count;
}

#ifdef __SANITIZE_ADDRESS__

/* sanitizer/allocator_interface.h, which comes with one of the two compilers only */
extern int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *,
								       size_t),
						     void (*on_free)(const volatile void *));

static void
on_malloc(const volatile void *ptr, size_t n)
{
	(void)ptr;
	(void)n;
	count++;
}

static void
on_free(const volatile void *ptr)
{
	(void)ptr;
}

__attribute__((constructor)) static void
begin(void)
{
	(void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *
malloc(size_t size)
{
	count++;
	return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	count++;
	return __libc_calloc(n, size);
}

void *
realloc(void *ptr, size_t size)
{
	count++;
	return __libc_realloc(ptr, size);
}

void *
memalign(size_t alignment, size_t size)
{
	count++;
	return __libc_memalign(alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
	void *ptr = memalign(alignment, size);

	if (ptr == NULL)
		return ENOMEM;
	*out = ptr;
	return 0;
}

#endif
