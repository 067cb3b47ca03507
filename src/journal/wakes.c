/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bells of those who follow the journal.  Each ring costs a switch of threads, and
 * there are hundreds of syncs a second: who has no use for each of them hears of several
 * at a time.
 *
 * Invariant: a wake with news is rung at the latest when wakes_wait_ms() has passed.
 * After a pause the first news rings at once.
 *
 * Owner: the appender.
 */
#include <stdlib.h>

#include "journal_priv.h"

enum { NS_PER_MS = 1000000 };

void
wakes_init(struct wakes *wakes, const struct journal_wake *items, size_t n, uint64_t tell_ms)
{
	wakes->items = n > 0 ? xcalloc(n, sizeof(*wakes->items)) : NULL;
	wakes->n = n;
	wakes->pace_ns = tell_ms * NS_PER_MS;
	for (size_t i = 0; i < n; i++)
		wakes->items[i] = (struct wake){.box = items[i].box, .at_once = items[i].at_once};
}

void
wakes_fini(struct wakes *wakes)
{
	free(wakes->items);
	*wakes = (struct wakes){0};
}

void
wakes_note(struct wakes *wakes, uint8_t flags)
{
	for (size_t i = 0; i < wakes->n; i++) {
		wakes->items[i].news = true;
		wakes->items[i].flags |= flags;
	}
}

static bool
wake_is_due(const struct wakes *wakes, const struct wake *wake, uint64_t now_ns)
{
	return wake->news && ((wake->flags & wake->at_once) != 0 || wake->rung_ns == 0 ||
			      now_ns - wake->rung_ns >= wakes->pace_ns);
}

void
wakes_ring(struct wakes *wakes, uint64_t now_ns)
{
	for (size_t i = 0; i < wakes->n; i++) {
		struct wake *wake = &wakes->items[i];

		if (!wake_is_due(wakes, wake, now_ns))
			continue;
		wake->news = false;
		wake->flags = 0;
		wake->rung_ns = now_ns;
		mailbox_ring(wake->box);
	}
}

int
wakes_wait_ms(const struct wakes *wakes)
{
	for (size_t i = 0; i < wakes->n; i++)
		if (wakes->items[i].news)
			return (int)(wakes->pace_ns / NS_PER_MS);
	return -1;
}
