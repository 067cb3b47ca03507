/* SPDX-License-Identifier: Apache-2.0 */
/* Owner: one thread. */
#include "ctl/progress_bar.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/text.h"

enum { BAR_WIDTH = 30, REDRAW_MS = 200 };

void
progress_bar_begin(struct progress_bar *bar, const char *what, size_t of)
{
	*bar = (struct progress_bar){.what = what,
				     .of = of,
				     .begun_ms = clock_mono_ms(),
				     .is_terminal = isatty(STDERR_FILENO) == 1};
}

void
progress_bar_set(struct progress_bar *bar, size_t done)
{
	static const char full[] = "##############################";
	char done_text[TEXT_SHORT], of_text[TEXT_SHORT], rate[TEXT_SHORT];
	uint64_t now = clock_mono_ms(), passed = now - bar->begun_ms;
	int filled = bar->of > 0 ? (int)(done * BAR_WIDTH / bar->of) : BAR_WIDTH;

	if (!bar->is_terminal || now - bar->drawn_ms < REDRAW_MS)
		return;
	bar->drawn_ms = now;
	(void)fprintf(stderr, "\r%s [%-*.*s] %s of %s, %s/s ", bar->what, BAR_WIDTH, filled, full,
		      text_count((int64_t)done, done_text), text_count((int64_t)bar->of, of_text),
		      text_count((int64_t)(done * 1000 / (passed > 0 ? passed : 1)), rate));
	(void)fflush(stderr);
}

void
progress_bar_end(struct progress_bar *bar)
{
	if (bar->is_terminal && bar->drawn_ms != 0)
		(void)fprintf(stderr, "\r\033[K");
}
