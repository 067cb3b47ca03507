/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other core of verify: alarms sent against what the consoles saw.
 * Streams are those of a compare.  Owner: verify's thread.
 */
#ifndef GATEHOUSE_SIM_SIGHTINGS_H
#define GATEHOUSE_SIM_SIGHTINGS_H

#include "sim/compare.h"
#include "sim/latency.h"

struct sightings;

/* What one console saw. */
struct sightings_console {
	const char *name; /* lives as long as the sightings */
	uint64_t messages, resyncs;
	uint64_t twice; /* the same position again */
	struct latency latency;
};

struct sightings_result {
	uint64_t sent;    /* different alarms */
	uint64_t seen;    /* of them, by any console */
	uint64_t missing; /* acknowledged, and seen by no console */
	uint64_t merged;  /* the same, but a console was told to resync since: allowed */
	uint64_t twice;
	bool subscribed; /* any console ever did */
	struct latency latency;
	struct sightings_console *consoles; /* lives as long as the sightings */
	size_t n_consoles;
};

struct sightings *sightings_new(void);
void sightings_free(struct sightings **sightings);

void sightings_sent(struct sightings *sightings, uint32_t stream, uint64_t seq, uint64_t at_ns);

/* The number of a console, known or new. */
uint32_t sightings_console(struct sightings *sightings, const char *name);
/* A console did, so alarms were expected. */
void sightings_subscribed(struct sightings *sightings);
void sightings_resync(struct sightings *sightings, uint32_t console, uint64_t at_ns);

struct sighting {
	uint64_t at_ns;
	uint64_t position;
	uint64_t seq;
	uint32_t stream; /* COMPARE_NO_STREAM: caused by a record of others */
	uint32_t console;
	uint32_t resyncs; /* of this console before; set by sightings_seen() */
	bool snapshot;
};
void sightings_seen(struct sightings *sightings, const struct sighting *sighting);

/* `compare` says what was acknowledged.  Once. */
void sightings_finish(struct sightings *sightings, const struct compare *compare,
		      struct sightings_result *result);

#endif
