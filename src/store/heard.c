/* SPDX-License-Identifier: Apache-2.0 */
/* A bit for each controller, and a list of those whose row is to be written. */
#include "heard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEARD_BITS_FIRST = 4096, HEARD_FRESH_FIRST = 64, NUMBER_TEXT = 11 };

void
heard_init(struct heard *heard)
{
	*heard = (struct heard){0};
}

void
heard_fini(struct heard *heard)
{
	free(heard->bits);
	free(heard->fresh);
	*heard = (struct heard){0};
}

static void
heard_grow(struct heard *heard, uint32_t id)
{
	size_t n = heard->n_bits > 0 ? heard->n_bits : HEARD_BITS_FIRST;

	while (n <= id)
		n *= 2;
	heard->bits = xrealloc(heard->bits, n / 8);
	memset(heard->bits + heard->n_bits / 8, 0, (n - heard->n_bits) / 8);
	heard->n_bits = n;
}

static void
heard_add_fresh(struct heard *heard, uint32_t id)
{
	if (heard->n_fresh == heard->capacity) {
		heard->capacity = heard->capacity > 0 ? heard->capacity * 2 : HEARD_FRESH_FIRST;
		heard->fresh = xrealloc(heard->fresh, heard->capacity * sizeof(*heard->fresh));
	}
	heard->fresh[heard->n_fresh++] = id;
}

void
heard_note(struct heard *heard, uint32_t id)
{
	uint8_t bit = (uint8_t)(1u << (id & 7));

	if (id > HEARD_ID_MAX)
		return;
	if (id >= heard->n_bits)
		heard_grow(heard, id);
	if ((heard->bits[id / 8] & bit) != 0)
		return;
	heard->bits[id / 8] |= bit;
	heard_add_fresh(heard, id);
}

/* "{7,12}"; new memory. */
static char *
heard_array(const struct heard *heard)
{
	char *text = xcalloc(1, heard->n_fresh * NUMBER_TEXT + 3);
	size_t used = 0;

	text[used++] = '{';
	for (size_t i = 0; i < heard->n_fresh; i++)
		used += (size_t)sprintf(text + used, "%s%u", i > 0 ? "," : "", heard->fresh[i]);
	text[used] = '}';
	return text;
}

enum rc
heard_write(struct heard *heard, struct link *link, struct err *err)
{
	const char *params[1];
	char *array;
	enum rc rc;

	if (heard->n_fresh == 0)
		return RC_OK;
	params[0] = array = heard_array(heard);
	rc = link_exec(link, "note who was heard",
		       "INSERT INTO controllers_heard (controller_id)"
		       " SELECT unnest($1::integer[]) ON CONFLICT DO NOTHING",
		       1, params, NULL, err);
	free(array);
	if (rc == RC_OK)
		heard->n_fresh = 0;
	return rc;
}
