/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line for each thing worth knowing, to stderr or to the systemd journal:
 *
 *	info session c=4711 ctl=north-17 peer=10.0.3.7 closed reason=idle age_s=86400
 *
 * level, room, then words and key=value pairs.  Any thread may log.  Bytes
 * below 0x20 and 0x7f are written as \xNN, so that nothing which came from
 * outside can forge a line.  No card number, token, name or key at any level.
 */
#ifndef GATEHOUSE_BASE_LOG_H
#define GATEHOUSE_BASE_LOG_H

#include "base/base.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_CRITICAL,
};

enum log_target {
	LOG_TARGET_STDERR,  /* "2026-01-31T12:00:00.123Z level room ..."; with <N> and without
			       time where stderr is systemd's (JOURNAL_STREAM) */
	LOG_TARGET_JOURNAL, /* sd_journal_send: PRIORITY, GATEHOUSE_ROOM, MESSAGE */
};

/* Names of levels and targets by their numbers, ended by NULL, as configurations have them. */
extern const char *const log_level_names[];
extern const char *const log_target_names[];

/* Called once by main, before threads exist.  Default: info to stderr. */
void log_setup(enum log_level level, enum log_target target);
bool log_wants(enum log_level level);
void log_write(enum log_level level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(room, ...)                                                                       \
	do {                                                                                       \
		if (log_wants(LOG_LEVEL_DEBUG))                                                    \
			log_write(LOG_LEVEL_DEBUG, room, __VA_ARGS__);                             \
	} while (0)
#define log_info(room, ...)     log_write(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define log_warning(room, ...)  log_write(LOG_LEVEL_WARNING, room, __VA_ARGS__)
#define log_error(room, ...)    log_write(LOG_LEVEL_ERROR, room, __VA_ARGS__)
#define log_critical(room, ...) log_write(LOG_LEVEL_CRITICAL, room, __VA_ARGS__)

/*
 * Holds back repetitions: true at most once per interval, and then says how
 * many were held back since.  Owner: whoever owns the struct; zero it to begin.
 */
struct log_pace {
	uint64_t next_ns;
	uint64_t held_back;
};
bool log_pace_ok(struct log_pace *pace, uint64_t interval_ms, uint64_t *held_back);

/* "2026-01-31T12:00:00.123456Z"; out has room for 32 bytes. */
char *log_time_text(int64_t time_us, char out[32]);

#endif
