/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error texts, the assertion that stays in, and memory of sizes that we choose.
 * Any thread.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum rc
err_invalid(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err->sys = 0;
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return RC_INVALID;
}

enum rc
err_fail(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err->sys = 0;
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return RC_FAIL;
}

enum rc
err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	char text[96];
	va_list args;
	size_t used;

	va_start(args, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	err->sys = saved;
	used = strlen(err->msg);
	/* the GNU version returns the text, which may or may not be in the buffer */
	(void)snprintf(err->msg + used, sizeof(err->msg) - used, ": %s",
		       strerror_r(saved, text, sizeof(text)));
	return RC_FAIL;
}

void
must_failed(const char *expr, const char *file, int line)
{
	log_critical("base", "broken assumption %s file=%s line=%d", expr, file, line);
	abort();
}

void
fatal(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_critical("daemon", "%s", text);
	/* not exit(): handlers and destructors of other threads' libraries have no
	 * business with a process that can't vouch for its disk any more */
	_Exit(1);
}

void *
xcalloc(size_t n, size_t size)
{
	void *ptr = calloc(n, size);

	if (ptr == NULL)
		fatal("out of memory for %zu x %zu bytes", n, size);
	return ptr;
}

void *
xrealloc(void *ptr, size_t size)
{
	void *bigger = realloc(ptr, size);

	if (bigger == NULL)
		fatal("out of memory for %zu bytes", size);
	return bigger;
}

char *
xstrdup(const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		fatal("out of memory for a text of %zu bytes", strlen(s));
	return copy;
}

char *
xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		fatal("out of memory for a text");
	return text;
}
