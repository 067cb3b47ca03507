/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a whole ledger and tells it to the three cores.  The numbers of streams
 * and consoles hold within one file of the ledger; here they become those of
 * the cores.
 */
#include <stdlib.h>

#include "sim/ledger.h"
#include "sim/number_map.h"
#include "sim/verify.h"

struct verify_loader {
	struct compare *compare;
	struct sightings *sightings;
	struct lists *lists;
	struct names names; /* of controllers, by stream of the file */
	struct number_map streams, consoles;
	struct number_map by_stream; /* numbers of names */
};

static void
verify_load_seen(struct verify_loader *l, uint32_t console, const struct ledger_entry *entry)
{
	const struct sighting sighting = {
		.at_ns = entry->mono_ns,
		.position = entry->position,
		.seq = entry->seq,
		.stream = compare_find_stream(l->compare, entry->name, entry->epoch),
		.console = console,
		.snapshot = entry->snapshot != 0};

	sightings_seen(l->sightings, &sighting);
}

static enum rc
verify_load_stream_entry(struct verify_loader *l, const struct ledger_entry *entry, struct err *err)
{
	uint32_t stream;

	if (number_map_get(&l->streams, "stream", entry->id, &stream, err) != RC_OK)
		return RC_INVALID;
	if (entry->type == LEDGER_SENT)
		return compare_sent(l->compare, stream,
				    &(struct compare_record){.seq = entry->seq,
							     .time_us = entry->wall_us,
							     .kind = entry->kind,
							     .door = entry->door},
				    err);
	if (entry->type == LEDGER_ACK)
		compare_acked(l->compare, stream, entry->seq);
	else
		sightings_sent(l->sightings, stream, entry->seq, entry->mono_ns);
	return RC_OK;
}

static enum rc
verify_load_console_entry(struct verify_loader *l, const struct ledger_entry *entry,
			  struct err *err)
{
	uint32_t console;

	if (number_map_get(&l->consoles, "console", entry->id, &console, err) != RC_OK)
		return RC_INVALID;
	if (entry->type == LEDGER_SEEN)
		verify_load_seen(l, console, entry);
	else if (entry->type == LEDGER_RESYNC)
		sightings_resync(l->sightings, console, entry->mono_ns);
	else
		sightings_subscribed(l->sightings);
	return RC_OK;
}

static enum rc
verify_load_list(struct verify_loader *l, const struct ledger_entry *entry, struct err *err)
{
	uint32_t name;

	if (number_map_get(&l->by_stream, "stream", entry->id, &name, err) != RC_OK)
		return RC_INVALID;
	lists_held(l->lists, names_text(&l->names, name), entry->position, entry->seq,
		   entry->last_seq);
	return RC_OK;
}

static enum rc
verify_load_entry(void *arg, const struct ledger_entry *entry, struct err *err)
{
	struct verify_loader *l = arg;

	switch (entry->type) {
	case LEDGER_RUN:
		l->streams.n = l->by_stream.n = 0;
		l->consoles.n = 0;
		break;
	case LEDGER_STREAM:
		number_map_add(&l->streams, compare_stream(l->compare, entry->name, entry->epoch));
		number_map_add(&l->by_stream, names_add(&l->names, entry->name));
		break;
	case LEDGER_LIST:
		return verify_load_list(l, entry, err);
	case LEDGER_CONSOLE:
		number_map_add(&l->consoles, sightings_console(l->sightings, entry->name));
		break;
	case LEDGER_SENT:
	case LEDGER_ACK:
	case LEDGER_ALARM_SENT:
		return verify_load_stream_entry(l, entry, err);
	case LEDGER_SUBSCRIBED:
	case LEDGER_RESYNC:
	case LEDGER_SEEN:
		return verify_load_console_entry(l, entry, err);
	case LEDGER_REJECT: /* acknowledged, too: must be in quarantine */
	case LEDGER_LOST:   /* being told of a loss doesn't undo it */
	case LEDGER_SNAPSHOT_END:
	case LEDGER_TYPES:
		break;
	}
	return RC_OK;
}

enum rc
verify_load_ledger(const char *dir, struct verify_cores *cores, struct err *err)
{
	struct verify_loader l = {
		.compare = cores->compare, .sightings = cores->sightings, .lists = &cores->lists};
	enum rc rc = ledger_read(dir, verify_load_entry, &l, err);

	number_map_free(&l.streams);
	number_map_free(&l.by_stream);
	names_free(&l.names);
	number_map_free(&l.consoles);
	if (rc == RC_OK && compare_controller_name(cores->compare, 0) == NULL)
		rc = err_invalid(err, "the ledger \"%s\" is empty", dir);
	return rc;
}
