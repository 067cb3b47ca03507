/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card numbers to tokens.  Derived keys live in OpenSSL's MAC contexts, one pair
 * per site, in a cache that forgets the oldest; OpenSSL wipes a context when it
 * is freed, and we wipe what we read from files.
 *
 * The key of a month is made by whoever needs it first: written under a name of
 * its own, synced, then linked to its final name, so that every thread and every
 * restart sees one and the same whole key or none.
 */
#include "wire/card.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <uthash.h>

#include "base/fs.h"

struct card_site {
	uint32_t site_id;
	uint32_t month; /* year * 12 + month, that `token` belongs to */
	EVP_MAC_CTX *card, *token;
	UT_hash_handle hh; /* keeps the order of insertion: the first is the oldest */
};

/* Owner: one thread. */
struct card_keys {
	char *dir;
	EVP_MAC *hmac;
	uint8_t site_key[CARD_KEY_BYTES];
	uint8_t month_key[CARD_KEY_BYTES];
	uint32_t month; /* of month_key; 0: none yet */
	struct card_site *sites;
};

/* ---- Key files ----------------------------------------------------------- */

static enum rc
key_check_mode(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_sys(err, "could not read key file \"%s\"", path);
	if ((st.st_mode & 077) != 0)
		return err_invalid(err,
				   "key file \"%s\" has mode %04o, expected 0600: "
				   "others must not read it",
				   path, (unsigned)(st.st_mode & 07777));
	return RC_OK;
}

static enum rc
key_read(const char *path, uint8_t key[CARD_KEY_BYTES], struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum rc rc = key_check_mode(path, err);

	if (rc == RC_OK)
		rc = fs_read_file(path, 1024, &bytes, &n, err);
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

static enum rc
mac_final(EVP_MAC_CTX *ctx, const void *bytes, size_t n, uint8_t out[CARD_KEY_BYTES],
	  struct err *err)
{
	size_t len = 0;

	/* without a key: begin again with the one that the context has */
	if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1 || EVP_MAC_update(ctx, bytes, n) != 1 ||
	    EVP_MAC_final(ctx, out, &len, CARD_KEY_BYTES) != 1 || len != CARD_KEY_BYTES)
		return err_fail(err, "could not compute an HMAC");
	return RC_OK;
}

static EVP_MAC_CTX *
mac_new(const struct card_keys *keys, const uint8_t key[CARD_KEY_BYTES])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(keys->hmac);

	if (ctx != NULL && EVP_MAC_init(ctx, key, CARD_KEY_BYTES, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

/* HMAC(parent, "gatehouse site ID"). */
static enum rc
key_for_site(const struct card_keys *keys, const uint8_t parent[CARD_KEY_BYTES], uint32_t site_id,
	     uint8_t key[CARD_KEY_BYTES], struct err *err)
{
	EVP_MAC_CTX *from = mac_new(keys, parent);
	char label[40];
	int n = snprintf(label, sizeof(label), "gatehouse site %" PRIu32, site_id);
	enum rc rc = RC_FAIL;

	if (from != NULL)
		rc = mac_final(from, label, (size_t)n, key, err);
	EVP_MAC_CTX_free(from);
	return rc == RC_OK ? RC_OK : err_fail(err, "could not derive a card key");
}

/* A context keyed with that. */
static EVP_MAC_CTX *
mac_for_site(const struct card_keys *keys, const uint8_t parent[CARD_KEY_BYTES], uint32_t site_id,
	     struct err *err)
{
	EVP_MAC_CTX *ctx = NULL;
	uint8_t key[CARD_KEY_BYTES];

	if (key_for_site(keys, parent, site_id, key, err) == RC_OK)
		ctx = mac_new(keys, key);
	OPENSSL_cleanse(key, sizeof(key));
	if (ctx == NULL)
		(void)err_fail(err, "could not derive a card key");
	return ctx;
}

static void
site_free(struct card_keys *keys, struct card_site *site)
{
	HASH_DEL(keys->sites, site);
	EVP_MAC_CTX_free(site->card);
	EVP_MAC_CTX_free(site->token);
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
	HASH_ADD(hh, keys->sites, site_id, sizeof(site->site_id), site);
	return site;
}

static enum rc
site_prepare_card(struct card_keys *keys, struct card_site *site, struct err *err)
{
	if (site->card == NULL)
		site->card = mac_for_site(keys, keys->site_key, site->site_id, err);
	return site->card != NULL ? RC_OK : RC_FAIL;
}

/* Brings the site's second context up to this month. */
static enum rc
site_prepare_token(struct card_keys *keys, struct card_site *site, uint32_t month, struct err *err)
{
	if (site->token != NULL && site->month == month)
		return RC_OK;
	if (keys->month != month && month_key_load(keys, month, err) != RC_OK)
		return RC_FAIL;
	EVP_MAC_CTX_free(site->token);
	site->token = mac_for_site(keys, keys->month_key, site->site_id, err);
	site->month = month;
	return site->token != NULL ? RC_OK : RC_FAIL;
}

uint32_t
card_token_month(int64_t received_us)
{
	time_t seconds = (time_t)(received_us / 1000000);
	struct tm tm;

	must(gmtime_r(&seconds, &tm) != NULL);
	return (uint32_t)(tm.tm_year + 1900) * 12 + (uint32_t)tm.tm_mon;
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
	keys->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (rc == RC_OK && keys->hmac == NULL)
		rc = err_fail(err, "OpenSSL has no HMAC");
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
	EVP_MAC_free(keys->hmac);
	free(keys->dir);
	OPENSSL_cleanse(keys, sizeof(*keys));
	free(keys);
}

enum rc
card_key_of(struct card_keys *keys, uint32_t site_id, const uint8_t *card, size_t n,
	    uint8_t key[CARD_KEY_BYTES], struct err *err)
{
	struct card_site *site = site_get(keys, site_id);
	enum rc rc = site_prepare_card(keys, site, err);

	return rc == RC_OK ? mac_final(site->card, card, n, key, err) : rc;
}

enum rc
card_token_of_key(struct card_keys *keys, uint32_t site_id, int64_t received_us,
		  const uint8_t key[CARD_KEY_BYTES], uint8_t token[TOKEN_BYTES], struct err *err)
{
	struct card_site *site = site_get(keys, site_id);
	uint8_t whole[CARD_KEY_BYTES];
	enum rc rc = site_prepare_token(keys, site, card_token_month(received_us), err);

	if (rc == RC_OK)
		rc = mac_final(site->token, key, CARD_KEY_BYTES, whole, err);
	if (rc == RC_OK)
		memcpy(token, whole, TOKEN_BYTES);
	OPENSSL_cleanse(whole, sizeof(whole));
	return rc;
}

enum rc
card_token(struct card_keys *keys, uint32_t site_id, int64_t received_us, const uint8_t *card,
	   size_t n, uint8_t token[TOKEN_BYTES], struct err *err)
{
	uint8_t key[CARD_KEY_BYTES];
	enum rc rc = card_key_of(keys, site_id, card, n, key, err);

	if (rc == RC_OK)
		rc = card_token_of_key(keys, site_id, received_us, key, token, err);
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

enum rc
card_site_key(struct card_keys *keys, uint32_t site_id, uint8_t key[CARD_KEY_BYTES],
	      struct err *err)
{
	return key_for_site(keys, keys->site_key, site_id, key, err);
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
