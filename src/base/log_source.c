/* SPDX-License-Identifier: Apache-2.0 */
/* The book of sources: a hash table in order of insertion, under one lock that is
 * taken when something is refused, and never on a record's way. */
#include "base/log_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"

struct log_source {
	char name[LOG_SOURCE_BYTES];
	struct log_pace pace;
	UT_hash_handle hh;
};

static struct {
	pthread_mutex_t lock;
	struct log_source *sources; /* guarded by lock */
} log_book = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct log_source *
log_source_xget(const char *name, size_t n)
{
	struct log_source *source;

	HASH_FIND(hh, log_book.sources, name, n, source);
	if (source != NULL)
		return source;
	if (HASH_COUNT(log_book.sources) >= LOG_SOURCES_MAX) {
		source = log_book.sources;
		HASH_DEL(log_book.sources, source);
		free(source);
	}
	source = xcalloc(1, sizeof(*source));
	memcpy(source->name, name, n);
	HASH_ADD(hh, log_book.sources, name, n, source);
	return source;
}

bool
log_source_ok(const char *name, size_t n, uint64_t interval_ms, uint64_t *held_back)
{
	bool ok;

	if (n > LOG_SOURCE_BYTES)
		n = LOG_SOURCE_BYTES;
	must(pthread_mutex_lock(&log_book.lock) == 0);
	ok = log_pace_ok(&log_source_xget(name, n)->pace, interval_ms, held_back);
	must(pthread_mutex_unlock(&log_book.lock) == 0);
	return ok;
}
