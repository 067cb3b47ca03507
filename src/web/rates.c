/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets in a hash table in the order of their last use. */
#include "web/rates.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { MINUTE_MS = 60000, BURST_PART = 4 };

struct bucket {
	char address[RATES_ADDRESS_BYTES];
	/* in 1/MINUTE_MS of one, so that a millisecond adds `per_minute` */
	uint64_t filled;
	uint64_t at_ms;
	UT_hash_handle hh;
};

struct rates {
	uint64_t per_minute, capacity;
	struct bucket *buckets;
};

struct rates *
rates_new(uint64_t per_minute)
{
	struct rates *rates = xcalloc(1, sizeof(*rates));
	uint64_t burst = per_minute / BURST_PART;

	rates->per_minute = per_minute;
	rates->capacity = (burst > 0 ? burst : 1) * MINUTE_MS;
	return rates;
}

static void
bucket_drop(struct rates *rates, struct bucket *bucket)
{
	HASH_DEL(rates->buckets, bucket);
	free(bucket);
}

/* Takes the bucket out of the table, or makes a new one. */
static struct bucket *
rates_pull(struct rates *rates, const char *key, uint64_t now_ms)
{
	struct bucket *bucket;

	HASH_FIND_STR(rates->buckets, key, bucket);
	if (bucket != NULL) {
		HASH_DEL(rates->buckets, bucket);
		return bucket;
	}
	if (HASH_COUNT(rates->buckets) >= RATES_ADDRESSES_MAX)
		bucket_drop(rates, rates->buckets); /* the first is the oldest */
	bucket = xcalloc(1, sizeof(*bucket));
	memcpy(bucket->address, key, strlen(key) + 1);
	bucket->filled = rates->capacity;
	bucket->at_ms = now_ms;
	return bucket;
}

bool
rates_take(struct rates *rates, const char *address, uint64_t now_ms)
{
	char key[RATES_ADDRESS_BYTES] = "";
	struct bucket *bucket;
	uint64_t room, gained;
	bool ok;

	memcpy(key, address, strnlen(address, sizeof(key) - 1));
	bucket = rates_pull(rates, key, now_ms);
	room = rates->capacity - bucket->filled;
	gained = (now_ms - bucket->at_ms) * rates->per_minute;
	bucket->filled += gained < room ? gained : room;
	bucket->at_ms = now_ms;
	ok = bucket->filled >= MINUTE_MS;
	if (ok)
		bucket->filled -= MINUTE_MS;
	HASH_ADD_STR(rates->buckets, address, bucket);
	return ok;
}

void
rates_free(struct rates **out)
{
	struct rates *rates = *out;

	if (rates == NULL)
		return;
	*out = NULL;
	while (rates->buckets != NULL)
		bucket_drop(rates, rates->buckets);
	free(rates);
}
