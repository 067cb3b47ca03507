/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The third core of verify: what each controller held at its end against the register
 * in PostgreSQL, as a number of rights and a digest of them.  Owner: verify's thread.
 */
#ifndef GATEHOUSE_SIM_LISTS_H
#define GATEHOUSE_SIM_LISTS_H

#include "sim/held.h"
#include "sim/names.h"

enum { LISTS_EXAMPLES = 5 };

/* What one side says of a controller. */
struct lists_side {
	uint64_t rights, digest;
};

struct lists_controller {
	struct lists_side held, stored;
	uint64_t number;
	bool has_list;
};

/* Zeroed: empty. */
struct lists {
	struct names names;
	struct lists_controller *items; /* by number of the name */
	size_t capacity;
};

struct lists_result {
	uint64_t controllers; /* that held a list */
	uint64_t rights;      /* in them */
	uint64_t differing;   /* controllers whose list is not what the register says */
	const char *examples[LISTS_EXAMPLES]; /* live as long as the lists */
};

/* The last one counts. */
void lists_held(struct lists *lists, const char *controller, uint64_t number, uint64_t rights,
		uint64_t digest);
/* Forgets the rows of an earlier look. */
void lists_begin_rows(struct lists *lists);
void lists_stored(struct lists *lists, const char *controller, const struct held_right *right);
void lists_finish(const struct lists *lists, struct lists_result *result);
void lists_fini(struct lists *lists);

#endif
