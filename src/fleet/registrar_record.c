/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desk's record on its way to the registrar: what the message's arena held, copied
 * behind the struct, so that it travels and is freed in one piece.
 */
#include <stdlib.h>
#include <string.h>

#include "fleet/registrar.h"

/* Where the next copy goes. */
static void *
take(uint8_t **at, size_t n)
{
	uint8_t *taken = *at;

	*at += n;
	return taken;
}

static void *
copy_bytes(uint8_t **at, const void *bytes, size_t n)
{
	void *copy = take(at, n);

	/* memcpy() must not be given NULL, also not for nothing */
	if (n > 0)
		memcpy(copy, bytes, n);
	return copy;
}

static const char *
copy_text(uint8_t **at, const char *text)
{
	return copy_bytes(at, text, strlen(text) + 1);
}

static size_t
room_for(const struct registration *ask, size_t payload_len)
{
	size_t n = ask->n_doors * sizeof(char *) + strlen(ask->unit) + 1 + strlen(ask->group) + 1 +
		   ask->sealed_len + payload_len;

	for (size_t i = 0; i < ask->n_doors; i++)
		n += strlen(ask->doors[i]) + 1;
	return n;
}

struct registrar_record *
registrar_record_new(const struct registration *ask, const uint8_t *payload, size_t payload_len)
{
	struct registrar_record *record = xcalloc(1, sizeof(*record) + room_for(ask, payload_len));
	uint8_t *at = (uint8_t *)(record + 1);
	/* first, because behind the struct it is aligned */
	const char **doors = take(&at, ask->n_doors * sizeof(*doors));

	record->ask = *ask;
	record->ask.card_key = NULL; /* record->card_key is for both cases */
	for (size_t i = 0; i < ask->n_doors; i++)
		doors[i] = copy_text(&at, ask->doors[i]);
	record->ask.doors = doors;
	record->ask.unit = copy_text(&at, ask->unit);
	record->ask.group = copy_text(&at, ask->group);
	record->ask.sealed = copy_bytes(&at, ask->sealed, ask->sealed_len);
	record->payload = copy_bytes(&at, payload, payload_len);
	record->payload_len = payload_len;
	return record;
}
