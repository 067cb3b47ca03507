/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far long work has come: a bar that is drawn again and again on a terminal, or
 * nothing where standard error is none.  Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_PROGRESS_BAR_H
#define GATEHOUSE_CTL_PROGRESS_BAR_H

#include "base/base.h"

struct progress_bar {
	const char *what; /* borrowed: "sending" */
	size_t of;
	uint64_t begun_ms, drawn_ms;
	bool is_terminal;
};

void progress_bar_begin(struct progress_bar *bar, const char *what, size_t of);
/* Draws at most some times a second. */
void progress_bar_set(struct progress_bar *bar, size_t done);
/* Leaves the line clean. */
void progress_bar_end(struct progress_bar *bar);

#endif
