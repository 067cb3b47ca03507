/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core of verify: what was sent and acknowledged against what is stored.
 * Knows neither ledger files nor PostgreSQL: both are told to it record by
 * record, the stored ones in any order.  24 bytes for each record sent.
 *
 * Owner: verify's thread.
 */
#ifndef GATEHOUSE_SIM_COMPARE_H
#define GATEHOUSE_SIM_COMPARE_H

#include "base/base.h"

struct compare;

enum compare_fault {
	COMPARE_LOST,      /* acknowledged, and neither stored nor in quarantine */
	COMPARE_DUPLICATE, /* stored more than once */
	COMPARE_INVENTED,  /* stored or in quarantine, and never sent */
	COMPARE_ORDER,     /* position in the journal doesn't rise with seq */
	COMPARE_CONTENT,   /* kind, time or door is not what was sent */
	COMPARE_FAULTS,
};
const char *compare_fault_name(enum compare_fault fault);

enum { COMPARE_EXAMPLES = 5 }; /* of each fault */

struct compare_example {
	const char *controller; /* lives as long as the compare */
	uint64_t epoch, seq;
};

struct compare_result {
	uint64_t controllers;
	uint64_t sent, acked;         /* different records */
	uint64_t stored, quarantined; /* of those that were sent */
	uint64_t foreign;             /* rows in epochs that the ledger doesn't know */
	uint64_t faults[COMPARE_FAULTS];
	struct compare_example examples[COMPARE_FAULTS][COMPARE_EXAMPLES];
};

struct compare *compare_new(void);
void compare_free(struct compare **compare);

/* ---- The ledger's side --------------------------------------------------- */

/* The number of a controller's epoch; known or new. */
uint32_t compare_stream(struct compare *compare, const char *controller, uint64_t epoch);
enum { COMPARE_NO_STREAM = UINT32_MAX };
/* COMPARE_NO_STREAM when the ledger has no such epoch. */
uint32_t compare_find_stream(const struct compare *compare, const char *controller, uint64_t epoch);

/* As the ledger says it. */
struct compare_record {
	uint64_t seq;
	int64_t time_us;
	uint16_t kind, door;
};
/* RC_INVALID: the seq is so far from the stream's others that this is no ledger. */
enum rc compare_sent(struct compare *compare, uint32_t stream, const struct compare_record *record,
		     struct err *err) MUST_CHECK;
/* All up to seq. */
void compare_acked(struct compare *compare, uint32_t stream, uint64_t seq);
bool compare_is_acked(const struct compare *compare, uint32_t stream, uint64_t seq);
/* How many different records are acknowledged. */
uint64_t compare_count_acked(const struct compare *compare);

/* ---- The database's side ------------------------------------------------- */

/* As one row says it. */
struct compare_row {
	uint64_t epoch, seq;
	int64_t time_us;
	uint64_t position;
	uint16_t kind, door, node;
};

enum { COMPARE_NO_CONTROLLER = UINT32_MAX };
/* COMPARE_NO_CONTROLLER: the ledger doesn't know it, its rows are not our business. */
uint32_t compare_controller(const struct compare *compare, const char *name);
/* All names, by their numbers, in order: NULL behind the last. */
const char *compare_controller_name(const struct compare *compare, uint32_t controller);

/* Forgets the rows of an earlier look. */
void compare_begin_rows(struct compare *compare);
void compare_stored(struct compare *compare, uint32_t controller, const struct compare_row *row);
void compare_quarantined(struct compare *compare, uint32_t controller, uint64_t epoch,
			 uint64_t seq);

/* After all rows. */
void compare_finish(struct compare *compare, struct compare_result *result);

#endif
