/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of different texts, each with a number: 0, 1, 2, .. in order of first
 * appearance.  Cards and doors of a badge log, controllers of a ledger.
 * Owner: whoever owns the struct; no thread safety.
 */
#ifndef GATEHOUSE_SIM_NAMES_H
#define GATEHOUSE_SIM_NAMES_H

#include "base/base.h"

struct name;

/* Zeroed: empty. */
struct names {
	struct name *by_text; /* hash */
	struct name **items;  /* by number */
	size_t n, capacity;
};

enum { NAMES_NONE = UINT32_MAX };

/* The number of the text, which is new or known. */
uint32_t names_add(struct names *names, const char *text);
/* NAMES_NONE when it is not there. */
uint32_t names_find(const struct names *names, const char *text);
const char *names_text(const struct names *names, uint32_t number);
void names_free(struct names *names);

#endif
