/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much each address, or session, may ask for: a bucket that fills evenly and holds what
 * comes in a quarter of a minute.  Bounded: the address unseen for longest is forgotten
 * first, which gives it a full bucket again.
 *
 * Time is the caller's, monotonic milliseconds.  Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_RATES_H
#define GATEHOUSE_WEB_RATES_H

#include "base/base.h"

enum { RATES_ADDRESSES_MAX = 8192, RATES_ADDRESS_BYTES = 64 };

struct rates;

struct rates *rates_new(uint64_t per_minute);
void rates_free(struct rates **rates);
/* Takes one out of the bucket of that address; false when it is empty. */
bool rates_take(struct rates *rates, const char *address, uint64_t now_ms);

#endif
