/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the records say.  All of it follows from the controller's name and seq,
 * or from a row of the badge log, so that a record that is sent again is the
 * same record, and none has to be kept.  Pure functions.
 */
#ifndef GATEHOUSE_SIM_CONTENT_H
#define GATEHOUSE_SIM_CONTENT_H

#include "gatehouse.pb-c.h"
#include "sim/badge_log.h"
#include "sim/enrolment.h"
#include "sim/waiting.h"

/* The seed of a controller's content. */
uint64_t content_seed(const char *name);

/* Kind and door of the made-up record `seq`; time_us is left alone. */
void content_make(uint64_t seed, const struct enrolment *controller, uint64_t seq,
		  struct item *item);

/* Digits of a made-up card. */
enum { CONTENT_CARD_BYTES = 10 };

/* The town's card of this number. */
void content_card(uint64_t number, uint8_t card[CONTENT_CARD_BYTES]);
/* The card of the made-up record `seq`, where it has one. */
void content_presented(uint64_t seed, uint64_t seq, uint8_t card[CONTENT_CARD_BYTES]);

/* Fills a zeroed or used Record; `card` and `log` (NULL without a replay) must
 * live as long as it. */
void content_fill(uint64_t seed, uint64_t seq, const struct item *item, const struct badge_log *log,
		  uint8_t card[CONTENT_CARD_BYTES], Gatehouse__V1__Record *record);

/* The alarms that are raised in turn. */
struct content_alarm {
	uint16_t raise;
	uint16_t restore; /* 0: it has none */
	bool at_door;     /* else at the controller itself */
};

/* The n-th alarm of the fleet. */
const struct content_alarm *content_alarm(uint64_t n);
/* A record of this kind raises one of these alarms. */
bool content_raises_alarm(uint16_t kind);

#endif
