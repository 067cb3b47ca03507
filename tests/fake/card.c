/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of cards without files, in the place of wire/card.c: tokens and keys are plain
 * copies, and no secret at all.  For tests whose disk is in memory.
 */
#include "wire/card.h"

#include <stdlib.h>
#include <string.h>

struct card_keys {
	char unused;
};

enum rc
card_keys_open(struct card_keys **keys, const char *dir, struct err *err)
{
	(void)dir;
	(void)err;
	*keys = xcalloc(1, sizeof(**keys));
	return RC_OK;
}

void
card_keys_close(struct card_keys **keys)
{
	free(*keys);
	*keys = NULL;
}

enum rc
card_key_of(struct card_keys *keys, uint32_t site_id, const uint8_t *card, size_t n,
	    uint8_t key[CARD_KEY_BYTES], struct err *err)
{
	(void)keys;
	(void)err;
	memset(key, (int)site_id, CARD_KEY_BYTES);
	memcpy(key, card, n < CARD_KEY_BYTES ? n : CARD_KEY_BYTES);
	return RC_OK;
}

enum rc
card_token_of_key(struct card_keys *keys, uint32_t site_id, int64_t received_us,
		  const uint8_t key[CARD_KEY_BYTES], uint8_t token[TOKEN_BYTES], struct err *err)
{
	(void)keys;
	(void)site_id;
	(void)received_us;
	(void)err;
	memcpy(token, key, TOKEN_BYTES);
	return RC_OK;
}

enum rc
card_token(struct card_keys *keys, uint32_t site_id, int64_t received_us, const uint8_t *card,
	   size_t n, uint8_t token[TOKEN_BYTES], struct err *err)
{
	uint8_t key[CARD_KEY_BYTES];
	enum rc rc = card_key_of(keys, site_id, card, n, key, err);

	return rc == RC_OK ? card_token_of_key(keys, site_id, received_us, key, token, err) : rc;
}

void
card_wipe(void *secret, size_t n)
{
	memset(secret, 0, n);
}
