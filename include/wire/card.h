/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card numbers become tokens on arrival:
 *
 *	card key = HMAC-SHA-256(K_site, card number)
 *	token    = first 16 bytes of HMAC-SHA-256(K_month, card key)
 *	K_site   = HMAC-SHA-256(content of site.key, "gatehouse site ID")
 *	K_month  = HMAC-SHA-256(content of token-YYYY-MM.key, "gatehouse site ID")
 *
 * ID is the site's number in decimal; the month is that of receipt, UTC.  Key
 * files are 32 random bytes, mode 0600.  site.key is made at set-up.  A month's
 * key is made when it is first needed; it is the only way from a token to a
 * card, so that destroying the file makes that month's records anonymous.
 * HMAC: RFC 2104; under a key, so that 32 to 56 bits of card number can't be
 * found by trying them all.
 *
 * Owner: one thread per struct; the files are shared.
 */
#ifndef GATEHOUSE_WIRE_CARD_H
#define GATEHOUSE_WIRE_CARD_H

#include "wire/entry.h"

enum { CARD_SITES_CACHED = 4096 };

struct card_keys;

/* RC_INVALID when site.key is missing, not 32 bytes, or readable by others. */
enum rc card_keys_open(struct card_keys **keys, const char *dir, struct err *err) MUST_CHECK;
/* Wipes. */
void card_keys_close(struct card_keys **keys);

/* RC_FAIL when the month's key can neither be read nor made. */
enum rc card_token(struct card_keys *keys, uint32_t site_id, int64_t received_us,
		   const uint8_t *card, size_t n, uint8_t token[TOKEN_BYTES],
		   struct err *err) MUST_CHECK;

/* The two steps of card_token(), for those who know cards by their keys.  The caller
 * wipes the card number.  RC_FAIL as above. */
enum rc card_key_of(struct card_keys *keys, uint32_t site_id, const uint8_t *card, size_t n,
		    uint8_t key[CARD_KEY_BYTES], struct err *err) MUST_CHECK;
enum rc card_token_of_key(struct card_keys *keys, uint32_t site_id, int64_t received_us,
			  const uint8_t key[CARD_KEY_BYTES], uint8_t token[TOKEN_BYTES],
			  struct err *err) MUST_CHECK;
/* The month of receipt whose key makes the token: year * 12 + month, from 0. */
uint32_t card_token_month(int64_t received_us);
/* K_site, with which a controller turns numbers into card keys by itself: for its
 * enrolment, and for nobody else. */
enum rc card_site_key(struct card_keys *keys, uint32_t site_id, uint8_t key[CARD_KEY_BYTES],
		      struct err *err) MUST_CHECK;
/* The same in base64, as a controller's client.json has it. */
enum { CARD_KEY_TEXT = 45 };
enum rc card_site_key_text(struct card_keys *keys, uint32_t site_id, char text[CARD_KEY_TEXT],
			   struct err *err) MUST_CHECK;
/* Overwrites what must not stay in memory. */
void card_wipe(void *secret, size_t n);

#endif
