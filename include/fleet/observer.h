/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that the server itself makes, about a controller (lost, restored, a gap) or
 * about itself (a damaged journal).  They go the same way as all others, under an epoch below zero
 * that belongs to this run of this node: -(start in milliseconds * 32768 + node).
 *
 * Each thread that observes has a struct of its own; their numbers interleave.
 */
#ifndef GATEHOUSE_FLEET_OBSERVER_H
#define GATEHOUSE_FLEET_OBSERVER_H

#include "wire/entry.h"

enum { OBSERVER_NODE_BITS = 15 };

struct observer {
	int64_t epoch;
	uint64_t next_seq, step;
};

/* `index` of `count` observers in this process. */
void observer_init(struct observer *observer, int64_t start_us, uint32_t node, unsigned index,
		   unsigned count);

/* Whom a record is about; zeros: the server itself. */
struct observed {
	uint32_t controller_id, site_id;
};

/* Fills a record that happened now.  `detail` is borrowed: a JSON object or NULL. */
void observer_record(struct observer *observer, const struct observed *about, uint16_t kind,
		     int64_t now_us, const char *detail, struct record *record);

#endif
