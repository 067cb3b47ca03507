/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's directory by the names in it; files are not opened here. */
#include "listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "journal_priv.h"

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), n_end = strlen(end);

	return n >= n_end && strcmp(name + n - n_end, end) == 0;
}

static void
listing_add_segment(struct listing *listing, uint64_t first)
{
	if (listing->n == listing->capacity) {
		listing->capacity = listing->capacity ? 2 * listing->capacity : 64;
		listing->firsts =
			xrealloc(listing->firsts, listing->capacity * sizeof(listing->firsts[0]));
	}
	listing->firsts[listing->n++] = first;
}

static void
listing_add_spare(struct listing *listing, uint32_t serial)
{
	if (listing->n_spares == listing->spares_capacity) {
		listing->spares_capacity =
			listing->spares_capacity ? 2 * listing->spares_capacity : 16;
		listing->spares = xrealloc(listing->spares,
					   listing->spares_capacity * sizeof(listing->spares[0]));
	}
	listing->spares[listing->n_spares++] = serial;
}

static enum rc
listing_add(void *arg, const char *name)
{
	struct listing *listing = arg;
	uint64_t first;
	uint32_t serial;

	if (segment_name_parse(name, &first))
		listing_add_segment(listing, first);
	else if (spare_name_parse(name, &serial))
		listing_add_spare(listing, serial);
	else if (strcmp(name, "spare.tmp") == 0)
		listing->has_tmp = true;
	else if (ends_with(name, ".seg"))
		return err_invalid(listing->err,
				   "file \"%s\" is not named as a segment is: a copy?", name);
	return RC_OK;
}

static int
compare_firsts(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

enum rc
listing_read(struct listing *listing, const char *dir, struct err *err)
{
	*listing = (struct listing){.err = err};
	enum rc rc = fs_list(dir, listing_add, listing, err);

	if (rc == RC_OK && listing->n > 0)
		qsort(listing->firsts, listing->n, sizeof(listing->firsts[0]), compare_firsts);
	return rc;
}

void
listing_fini(struct listing *listing)
{
	free(listing->firsts);
	free(listing->spares);
}
