/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a ledger for its end only: as acks come by, what they cover is
 * forgotten, so that the memory needed is that of the windows.
 *
 * The numbers of streams and consoles hold within a file; LEDGER_RUN begins
 * the next one.
 */
#include "sim/history.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/ledger.h"
#include "sim/number_map.h"

struct history_loader {
	struct history *history;
	struct number_map streams, consoles;
};

static void
history_begin_stream(struct history_loader *loader, const struct ledger_entry *entry)
{
	struct history *h = loader->history;
	size_t before = h->controllers.n;
	uint32_t number = names_add(&h->controllers, entry->name);
	struct past *past;

	if (h->controllers.n > before) {
		h->pasts = xrealloc(h->pasts, h->controllers.n * sizeof(*h->pasts));
		h->pasts[number] = (struct past){.epoch = entry->epoch};
		waiting_init(&h->pasts[number].waiting, 0);
	}
	past = &h->pasts[number];
	if (past->epoch != entry->epoch) { /* the counter was lost: so is what waited */
		waiting_fini(&past->waiting);
		waiting_init(&past->waiting, 0);
		past->epoch = entry->epoch;
	}
	number_map_add(&loader->streams, number);
}

static void
history_begin_console(struct history_loader *loader, const struct ledger_entry *entry)
{
	struct history *h = loader->history;
	size_t before = h->consoles.n;
	uint32_t number = names_add(&h->consoles, entry->name);

	if (h->consoles.n > before) {
		h->positions = xrealloc(h->positions, h->consoles.n * sizeof(*h->positions));
		h->positions[number] = 0;
	}
	number_map_add(&loader->consoles, number);
}

static void
history_sent(struct waiting *waiting, const struct ledger_entry *entry)
{
	const struct item item = {.time_us = entry->wall_us,
				  .row = entry->row,
				  .kind = entry->kind,
				  .door = entry->door};

	if (entry->seq <= waiting->last) /* sent again by a later run */
		return;
	if (entry->seq > waiting->last + 1) { /* the server knew of more than the ledger */
		waiting_fini(waiting);
		waiting_init(waiting, entry->seq - 1);
	}
	(void)waiting_push(waiting, &item);
}

/* Everything up to seq, also what an earlier ledger sent and this one doesn't have. */
static void
history_acked(struct waiting *waiting, uint64_t seq)
{
	if (seq <= waiting->last) {
		waiting_ack(waiting, seq);
		return;
	}
	waiting_fini(waiting);
	waiting_init(waiting, seq);
}

static enum rc
history_stream_entry(struct history_loader *loader, const struct ledger_entry *entry,
		     struct err *err)
{
	struct past *past;
	uint32_t number;

	if (number_map_get(&loader->streams, "stream", entry->id, &number, err) != RC_OK)
		return RC_INVALID;
	past = &loader->history->pasts[number];
	if (entry->type == LEDGER_SENT)
		history_sent(&past->waiting, entry);
	else
		history_acked(&past->waiting, entry->seq);
	return RC_OK;
}

static enum rc
history_console_entry(struct history_loader *loader, const struct ledger_entry *entry,
		      struct err *err)
{
	uint64_t *position;
	uint32_t number;

	if (number_map_get(&loader->consoles, "console", entry->id, &number, err) != RC_OK)
		return RC_INVALID;
	position = &loader->history->positions[number];
	/* a snapshot is in no order of positions; its end says where it stands */
	if (entry->type == LEDGER_SNAPSHOT_END || !entry->snapshot)
		*position = entry->position;
	return RC_OK;
}

static enum rc
history_entry(void *arg, const struct ledger_entry *entry, struct err *err)
{
	struct history_loader *loader = arg;

	switch (entry->type) {
	case LEDGER_RUN:
		loader->streams.n = 0;
		loader->consoles.n = 0;
		break;
	case LEDGER_STREAM:
		history_begin_stream(loader, entry);
		break;
	case LEDGER_CONSOLE:
		history_begin_console(loader, entry);
		break;
	case LEDGER_SENT:
	case LEDGER_ACK:
		return history_stream_entry(loader, entry, err);
	case LEDGER_SEEN:
	case LEDGER_SNAPSHOT_END:
		return history_console_entry(loader, entry, err);
	case LEDGER_REJECT:
	case LEDGER_LOST:
	case LEDGER_ALARM_SENT:
	case LEDGER_SUBSCRIBED:
	case LEDGER_RESYNC:
	case LEDGER_LIST: /* a controller that begins again has lost its list */
	case LEDGER_TYPES:
		break;
	}
	return RC_OK;
}

/* What waits of a badge log needs that log to be sent again. */
static void
history_find_rows(struct history *h)
{
	for (size_t i = 0; i < h->controllers.n; i++) {
		const struct waiting *w = &h->pasts[i].waiting;
		struct item item;
		uint64_t stock;

		for (uint64_t seq = w->acked + 1; seq <= w->last; seq++)
			if (waiting_get(w, seq, &item, &stock) == WAITING_ITEM &&
			    item.row > h->row_max)
				h->row_max = item.row;
	}
}

enum rc
history_load(struct history *history, const char *dir, struct err *err)
{
	struct history_loader loader = {.history = history};
	enum rc rc;

	*history = (struct history){0};
	if (access(dir, F_OK) != 0 && errno == ENOENT)
		return RC_OK;
	rc = ledger_read(dir, history_entry, &loader, err);
	number_map_free(&loader.streams);
	number_map_free(&loader.consoles);
	if (rc != RC_OK) {
		history_free(history);
		return rc;
	}
	history_find_rows(history);
	return RC_OK;
}

void
history_free(struct history *history)
{
	for (size_t i = 0; i < history->controllers.n; i++)
		waiting_fini(&history->pasts[i].waiting);
	free(history->pasts);
	free(history->positions);
	names_free(&history->controllers);
	names_free(&history->consoles);
	*history = (struct history){0};
}

struct past *
history_of(const struct history *history, const char *controller)
{
	uint32_t number = names_find(&history->controllers, controller);

	return number != NAMES_NONE ? &history->pasts[number] : NULL;
}

uint64_t
history_position(const struct history *history, const char *console)
{
	uint32_t number = names_find(&history->consoles, console);

	return number != NAMES_NONE ? history->positions[number] : 0;
}
