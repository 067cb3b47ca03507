/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card numbers to tokens.  A derived key is kept as what HMAC makes of it, a pair of
 * SHA-256 states that each token begins from: nothing is allocated for one, and no key is
 * hashed again.  One pair of them per site, in a cache that forgets the oldest; we wipe
 * what is dropped, and what we read from files.
 *
 * HMAC is Nettle's.  OpenSSL's has no way to go on from a keyed state without allocating,
 * and takes twice as long for so short a text.
 *
 * The key of a month is made by whoever needs it first: written under a name of
 * its own, synced, then linked to its final name, so that every thread and every
 * restart sees one and the same whole key or none.
 */
#include "wire/card.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/hmac.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "base/fs.h"
#include "base/secret_file.h"

struct card_site {
	uint32_t site_id;
	uint32_t month; /* year * 12 + month, that `token` belongs to; 0: none yet */
	struct hmac_sha256_ctx card, token;
	UT_hash_handle hh; /* keeps the order of insertion: the first is the oldest */
};

/* Owner: one thread. */
struct card_keys {
	char *dir;
	uint8_t site_key[CARD_KEY_BYTES];
	uint8_t month_key[CARD_KEY_BYTES];
	uint32_t month; /* of month_key; 0: none yet */
	/* the day that was asked for last, and its month: a calendar is slower than a token */
	int64_t day_begins_us, day_ends_us;
	uint32_t day_month;
	struct card_site *sites;
};

/* ---- Key files ----------------------------------------------------------- */

static enum rc
key_read(const char *path, uint8_t key[CARD_KEY_BYTES], struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum rc rc = secret_file_read(path, 1024, &bytes, &n, err);

	if (rc != RC_OK)
		return rc;
	if (n == CARD_KEY_BYTES)
		memcpy(key, bytes, CARD_KEY_BYTES);
	else
		rc = err_invalid(err, "key file \"%s\" has %zu bytes, expected %d", path, n,
				 CARD_KEY_BYTES);
	OPENSSL_cleanse(bytes, n);
	free(bytes);
	return rc;
}

static enum rc
month_key_make(const struct card_keys *keys, const char *name, struct err *err)
{
	uint8_t key[CARD_KEY_BYTES];
	enum rc rc;

	if (RAND_priv_bytes(key, sizeof(key)) != 1)
		return err_fail(err, "could not get random bytes for a key");
	rc = fs_publish_file(keys->dir, name, key, sizeof(key), err);
	OPENSSL_cleanse(key, sizeof(key));
	/* another thread was first: its key is the one */
	return rc == RC_AGAIN ? RC_OK : rc;
}

static enum rc
month_key_load(struct card_keys *keys, uint32_t month, struct err *err)
{
	char name[32], *path;
	enum rc rc;

	(void)snprintf(name, sizeof(name), "token-%04" PRIu32 "-%02" PRIu32 ".key", month / 12,
		       month % 12 + 1);
	path = xasprintf("%s/%s", keys->dir, name);
	rc = key_read(path, keys->month_key, err);
	if (rc == RC_FAIL && err->sys == ENOENT) {
		rc = month_key_make(keys, name, err);
		if (rc == RC_OK)
			rc = key_read(path, keys->month_key, err);
	}
	free(path);
	keys->month = rc == RC_OK ? month : 0;
	return rc == RC_INVALID ? RC_FAIL : rc;
}

/* ---- Derivation ---------------------------------------------------------- */

/* Leaves the context as its key made it, ready for the next. */
static void
mac_of(struct hmac_sha256_ctx *ctx, const uint8_t *bytes, size_t n, uint8_t out[CARD_KEY_BYTES])
{
	hmac_sha256_update(ctx, n, bytes);
	hmac_sha256_digest(ctx, CARD_KEY_BYTES, out);
}

/* HMAC(parent, "gatehouse site ID"). */
static void
key_for_site(const uint8_t parent[CARD_KEY_BYTES], uint32_t site_id, uint8_t key[CARD_KEY_BYTES])
{
	struct hmac_sha256_ctx ctx;
	char label[40];
	int n = snprintf(label, sizeof(label), "gatehouse site %" PRIu32, site_id);

	hmac_sha256_set_key(&ctx, CARD_KEY_BYTES, parent);
	mac_of(&ctx, (const uint8_t *)label, (size_t)n, key);
	OPENSSL_cleanse(&ctx, sizeof(ctx));
}

/* Keys `ctx` with that. */
static void
mac_key_for_site(struct hmac_sha256_ctx *ctx, const uint8_t parent[CARD_KEY_BYTES],
		 uint32_t site_id)
{
	uint8_t key[CARD_KEY_BYTES];

	key_for_site(parent, site_id, key);
	hmac_sha256_set_key(ctx, CARD_KEY_BYTES, key);
	OPENSSL_cleanse(key, sizeof(key));
}

static void
site_free(struct card_keys *keys, struct card_site *site)
{
	HASH_DEL(keys->sites, site);
	OPENSSL_cleanse(site, sizeof(*site));
	free(site);
}

static struct card_site *
site_get(struct card_keys *keys, uint32_t site_id)
{
	struct card_site *site;

	HASH_FIND(hh, keys->sites, &site_id, sizeof(site_id), site);
	if (site != NULL)
		return site;
	if (HASH_COUNT(keys->sites) >= CARD_SITES_CACHED)
		site_free(keys, keys->sites);
	site = xcalloc(1, sizeof(*site));
	site->site_id = site_id;
	mac_key_for_site(&site->card, keys->site_key, site_id);
	HASH_ADD(hh, keys->sites, site_id, sizeof(site->site_id), site);
	return site;
}

/* Brings the site's second context up to this month. */
static enum rc
site_prepare_token(struct card_keys *keys, struct card_site *site, uint32_t month, struct err *err)
{
	if (site->month == month)
		return RC_OK;
	if (keys->month != month && month_key_load(keys, month, err) != RC_OK)
		return RC_FAIL;
	mac_key_for_site(&site->token, keys->month_key, site->site_id);
	site->month = month;
	return RC_OK;
}

uint32_t
card_token_month(int64_t received_us)
{
	time_t seconds = (time_t)(received_us / 1000000);
	struct tm tm;

	must(gmtime_r(&seconds, &tm) != NULL);
	return (uint32_t)(tm.tm_year + 1900) * 12 + (uint32_t)tm.tm_mon;
}

static uint32_t
month_of(struct card_keys *keys, int64_t time_us)
{
	const int64_t day_us = INT64_C(86400) * 1000000;

	if (time_us >= keys->day_begins_us && time_us < keys->day_ends_us)
		return keys->day_month;
	keys->day_month = card_token_month(time_us);
	keys->day_begins_us = time_us - time_us % day_us;
	/* before 1970 that is the wrong end of the day */
	keys->day_ends_us = time_us >= 0 ? keys->day_begins_us + day_us : keys->day_begins_us;
	return keys->day_month;
}

static enum rc
site_token(struct card_keys *keys, struct card_site *site, int64_t received_us,
	   const uint8_t key[CARD_KEY_BYTES], uint8_t token[TOKEN_BYTES], struct err *err)
{
	uint8_t whole[CARD_KEY_BYTES];
	enum rc rc = site_prepare_token(keys, site, month_of(keys, received_us), err);

	if (rc != RC_OK)
		return rc;
	mac_of(&site->token, key, CARD_KEY_BYTES, whole);
	memcpy(token, whole, TOKEN_BYTES);
	OPENSSL_cleanse(whole, sizeof(whole));
	return RC_OK;
}

/* ---- For others ---------------------------------------------------------- */

enum rc
card_keys_open(struct card_keys **out, const char *dir, struct err *err)
{
	struct card_keys *keys = xcalloc(1, sizeof(*keys));
	char *path = xasprintf("%s/site.key", dir);
	enum rc rc = key_read(path, keys->site_key, err);

	free(path);
	keys->dir = xstrdup(dir);
	if (rc != RC_OK) {
		card_keys_close(&keys);
		/* whatever is wrong with it, the operator has to mend it */
		return RC_INVALID;
	}
	*out = keys;
	return RC_OK;
}

void
card_keys_close(struct card_keys **out)
{
	struct card_keys *keys = *out;

	if (keys == NULL)
		return;
	*out = NULL;
	while (keys->sites != NULL)
		site_free(keys, keys->sites);
	free(keys->dir);
	OPENSSL_cleanse(keys, sizeof(*keys));
	free(keys);
}

enum rc
card_key_of(struct card_keys *keys, uint32_t site_id, const uint8_t *card, size_t n,
	    uint8_t key[CARD_KEY_BYTES], struct err *err)
{
	(void)err;
	mac_of(&site_get(keys, site_id)->card, card, n, key);
	return RC_OK;
}

enum rc
card_token_of_key(struct card_keys *keys, uint32_t site_id, int64_t received_us,
		  const uint8_t key[CARD_KEY_BYTES], uint8_t token[TOKEN_BYTES], struct err *err)
{
	return site_token(keys, site_get(keys, site_id), received_us, key, token, err);
}

enum rc
card_token(struct card_keys *keys, uint32_t site_id, int64_t received_us, const uint8_t *card,
	   size_t n, uint8_t token[TOKEN_BYTES], struct err *err)
{
	struct card_site *site = site_get(keys, site_id);
	uint8_t key[CARD_KEY_BYTES];
	enum rc rc;

	mac_of(&site->card, card, n, key);
	rc = site_token(keys, site, received_us, key, token, err);
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

enum rc
card_site_key(struct card_keys *keys, uint32_t site_id, uint8_t key[CARD_KEY_BYTES],
	      struct err *err)
{
	(void)err;
	key_for_site(keys->site_key, site_id, key);
	return RC_OK;
}

enum rc
card_site_key_text(struct card_keys *keys, uint32_t site_id, char text[CARD_KEY_TEXT],
		   struct err *err)
{
	uint8_t key[CARD_KEY_BYTES];
	enum rc rc = card_site_key(keys, site_id, key, err);

	if (rc == RC_OK)
		(void)EVP_EncodeBlock((unsigned char *)text, key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

void
card_wipe(void *secret, size_t n)
{
	OPENSSL_cleanse(secret, n);
}
