/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CSV text field by field, each with the line in which its row began.  libcsv does
 * the quoting; a byte order mark and blank lines are passed over.
 *
 * No state of its own; any thread.
 */
#ifndef GATEHOUSE_CTL_CSV_ROWS_H
#define GATEHOUSE_CTL_CSV_ROWS_H

#include "base/base.h"

struct csv_rows_hooks {
	/* `value` is not terminated.  False: enough, read no further. */
	bool (*field)(void *arg, const char *value, size_t n, unsigned line);
	bool (*row_end)(void *arg, unsigned line);
	/* The text is not CSV there; the last call.  `line` 0: of the whole. */
	void (*mistake)(void *arg, unsigned line, const char *what);
};

/* Returns how many rows were ended. */
size_t csv_rows_read(const char *text, size_t n, const struct csv_rows_hooks *hooks, void *arg);

#endif
