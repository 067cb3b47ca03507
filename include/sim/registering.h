/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What simulated registration desks ask for.  As with content.h all of it follows from
 * the desk and seq, so that a record that is sent again is the same record: three
 * records for each card, which is registered, granted, and then extended, suspended,
 * revoked or given weekly hours in turn.  Pure functions.
 */
#ifndef GATEHOUSE_SIM_REGISTERING_H
#define GATEHOUSE_SIM_REGISTERING_H

#include "sim/content.h"

/* The memory of one record. */
struct registering {
	Gatehouse__V1__Record record;
	Gatehouse__V1__CardChange card_change;
	Gatehouse__V1__GrantChange grant_change;
	Gatehouse__V1__Hours hours[2], *hour_list[2];
	uint8_t card[CONTENT_CARD_BYTES];
};

/* Desk `desk` of `n_desks`, at this site; grants open the doors of this group. */
struct registering_desk {
	uint32_t desk, n_desks;
	char *site, *group;
};

uint16_t registering_kind(uint64_t seq);
/* Fills out->record. */
void registering_fill(const struct registering_desk *desk, uint64_t seq, int64_t time_us,
		      struct registering *out);

#endif
