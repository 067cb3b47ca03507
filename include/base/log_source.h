/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per source and interval, over all threads: who knocks a thousand times
 * a minute is worth one line, whichever thread opened the door.  The book of
 * sources is of the process, as the log is; bounded, the oldest entry goes first.
 */
#ifndef GATEHOUSE_BASE_LOG_SOURCE_H
#define GATEHOUSE_BASE_LOG_SOURCE_H

#include "base/base.h"

enum { LOG_SOURCES_MAX = 4096, LOG_SOURCE_BYTES = 64 };

/* May a line about `source` (cut to LOG_SOURCE_BYTES) be written now?  Then
 * *held_back says how many were not since the last one.  Any thread. */
bool log_source_ok(const char *source, size_t n, uint64_t interval_ms, uint64_t *held_back);

#endif
