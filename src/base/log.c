/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line, one write: lines of several threads never mix, and no lock is
 * needed.  The two settings are written once before threads exist.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/clock.h"

/* syslog's macros of the same meaning have other values */
static const int log_priority[] = {
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,     [LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_WARNING] = LOG_WARNING, [LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_CRITICAL] = LOG_CRIT,
};
const char *const log_level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",       [LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",   [LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_CRITICAL] = "critical", NULL,
};
const char *const log_target_names[] = {
	[LOG_TARGET_STDERR] = "stderr",
	[LOG_TARGET_JOURNAL] = "journal",
	NULL,
};

static struct {
	enum log_level level;
	enum log_target target;
	bool under_systemd; /* stderr goes to the journal: it wants <N>, and has its own time */
} log_settings = {.level = LOG_LEVEL_INFO, .target = LOG_TARGET_STDERR};

enum { LOG_LINE_MAX = 2048 };

/* systemd names the file that it made our stderr, and the name is inherited: what
 * was started from a shell in a service may write somewhere else by now. */
static bool
log_stderr_is_journal(void)
{
	const char *name = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat st;

	if (name == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(name, own) == 0;
}

void
log_setup(enum log_level level, enum log_target target)
{
	log_settings.level = level;
	log_settings.target = target;
	log_settings.under_systemd = log_stderr_is_journal();
}

bool
log_wants(enum log_level level)
{
	return level >= log_settings.level;
}

/* Copies text with control bytes as \xNN; returns the length, always terminated. */
static size_t
log_escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return n;
}

static void
log_to_stderr(enum log_level level, const char *room, const char *text)
{
	char line[LOG_LINE_MAX + 96], now[32];
	int n;

	if (log_settings.under_systemd) {
		n = snprintf(line, sizeof(line), "<%d>%s %s %s\n", log_priority[level],
			     log_level_names[level], room, text);
	} else {
		n = snprintf(line, sizeof(line), "%s %s %s %s\n",
			     log_time_text(clock_wall_us(), now), log_level_names[level], room,
			     text);
	}
	/* nowhere to report that the log can't be written */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void
log_write(enum log_level level, const char *room, const char *fmt, ...)
{
	char raw[LOG_LINE_MAX], text[LOG_LINE_MAX];
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	(void)log_escape(text, sizeof(text), raw);
	if (log_settings.target == LOG_TARGET_JOURNAL &&
	    sd_journal_send("PRIORITY=%d", log_priority[level], "GATEHOUSE_ROOM=%s", room,
			    "MESSAGE=%s %s %s", log_level_names[level], room, text, NULL) == 0)
		return;
	log_to_stderr(level, room, text);
}

bool
log_pace_ok(struct log_pace *pace, uint64_t interval_ms, uint64_t *held_back)
{
	uint64_t now = clock_mono_ns();

	if (now < pace->next_ns) {
		pace->held_back++;
		return false;
	}
	*held_back = pace->held_back;
	pace->held_back = 0;
	pace->next_ns = now + interval_ms * 1000000u;
	return true;
}

char *
log_time_text(int64_t time_us, char out[32])
{
	int64_t rest_us = time_us % 1000000;
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm tm;
	size_t n;

	if (rest_us < 0) {
		rest_us += 1000000;
		seconds--;
	}
	if (gmtime_r(&seconds, &tm) == NULL) {
		(void)snprintf(out, 32, "%" PRId64 "us", time_us);
		return out;
	}
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + n, 32 - n, ".%06dZ", (int)rest_us);
	return out;
}
