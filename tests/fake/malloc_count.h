/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what a thread allocates: linked into a test, it takes the place of the C
 * library's allocator for every library of the process, and passes on to it.
 */
#ifndef GATEHOUSE_TESTS_FAKE_MALLOC_COUNT_H
#define GATEHOUSE_TESTS_FAKE_MALLOC_COUNT_H

#include <stdint.h>

/* Allocations of this thread so far: malloc, calloc, realloc and the aligned ones. */
uint64_t malloc_count(void);

#endif
