/* SPDX-License-Identifier: Apache-2.0 */
/* Source: Standard Webhooks 1.0.0, "Signature scheme". */
#include "wire/webhook.h"

#include <inttypes.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_file.h"

#define SECRET_PREFIX "whsec_"

enum {
	SECRET_PREFIX_BYTES = sizeof(SECRET_PREFIX) - 1,
	SECRETS_FILE_MAX = 1024,
	SECRET_LINE_MAX = SECRET_PREFIX_BYTES + BASE64_ENCODE_RAW_LENGTH(WEBHOOK_KEY_MAX),
};

/* ---- Secrets ----------------------------------------------------------------- */

/* False when it is none. */
static bool
secret_read(struct webhook_secrets *secrets, const char *line, size_t n)
{
	struct base64_decode_ctx base64;
	uint8_t bytes[BASE64_DECODE_LENGTH(SECRET_LINE_MAX)];
	size_t got = sizeof(bytes);
	bool good;

	if (n <= SECRET_PREFIX_BYTES || n > SECRET_LINE_MAX ||
	    memcmp(line, SECRET_PREFIX, SECRET_PREFIX_BYTES) != 0)
		return false;
	base64_decode_init(&base64);
	good = base64_decode_update(&base64, &got, bytes, n - SECRET_PREFIX_BYTES,
				    line + SECRET_PREFIX_BYTES) == 1 &&
	       base64_decode_final(&base64) == 1 && got >= WEBHOOK_KEY_MIN &&
	       got <= WEBHOOK_KEY_MAX;
	if (good) {
		memcpy(secrets->of[secrets->n].key, bytes, got);
		secrets->of[secrets->n++].n = got;
	}
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(&base64, sizeof(base64));
	return good;
}

static enum rc
secrets_parse(struct webhook_secrets *secrets, const char *path, const char *text, size_t n,
	      struct err *err)
{
	size_t line = 0;

	for (size_t at = 0; at < n; line++) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t len = end != NULL ? (size_t)(end - text) - at : n - at;

		if (len > 0 && secrets->n == WEBHOOK_SECRETS_MAX)
			return err_invalid(err, "key file \"%s\" has more than %d secrets", path,
					   WEBHOOK_SECRETS_MAX);
		if (len > 0 && !secret_read(secrets, text + at, len))
			return err_invalid(err,
					   "line %zu of key file \"%s\" is no secret, expected "
					   "\"" SECRET_PREFIX "\" and %d to %d bytes in base64",
					   line + 1, path, WEBHOOK_KEY_MIN, WEBHOOK_KEY_MAX);
		at += len + 1;
	}
	if (secrets->n == 0)
		return err_invalid(err, "key file \"%s\" has no secret", path);
	return RC_OK;
}

enum rc
webhook_secrets_load(struct webhook_secrets *secrets, const char *path, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum rc rc = secret_file_read(path, SECRETS_FILE_MAX, &bytes, &n, err);

	memset(secrets, 0, sizeof(*secrets));
	if (rc != RC_OK)
		return rc;
	rc = secrets_parse(secrets, path, (const char *)bytes, n, err);
	if (rc != RC_OK)
		webhook_secrets_wipe(secrets);
	explicit_bzero(bytes, n);
	free(bytes);
	return rc;
}

void
webhook_secrets_wipe(struct webhook_secrets *secrets)
{
	explicit_bzero(secrets, sizeof(*secrets));
}

enum rc
webhook_secret_make(char text[WEBHOOK_SECRET_TEXT], struct err *err)
{
	uint8_t key[WEBHOOK_KEY_MADE];

	if (RAND_priv_bytes(key, sizeof(key)) != 1)
		return err_fail(err, "could not get random bytes for a secret");
	memcpy(text, SECRET_PREFIX, SECRET_PREFIX_BYTES);
	base64_encode_raw(text + SECRET_PREFIX_BYTES, sizeof(key), key);
	text[WEBHOOK_SECRET_TEXT - 1] = '\0';
	explicit_bzero(key, sizeof(key));
	return RC_OK;
}

/* ---- Signing ----------------------------------------------------------------- */

void
webhook_sign(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s,
	     const void *body, size_t n, char out[WEBHOOK_SIGNATURES_TEXT])
{
	struct hmac_sha256_ctx hmac;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char timestamp[32], *at = out;
	int digits = snprintf(timestamp, sizeof(timestamp), ".%" PRId64 ".", timestamp_s);

	must(secrets->n > 0 && strchr(id, '.') == NULL);
	for (size_t i = 0; i < secrets->n; i++) {
		hmac_sha256_set_key(&hmac, secrets->of[i].n, secrets->of[i].key);
		hmac_sha256_update(&hmac, strlen(id), (const uint8_t *)id);
		hmac_sha256_update(&hmac, (size_t)digits, (const uint8_t *)timestamp);
		hmac_sha256_update(&hmac, n, body);
		hmac_sha256_digest(&hmac, sizeof(digest), digest);
		memcpy(at, i > 0 ? " v1," : "v1,", i > 0 ? 4 : 3);
		at += i > 0 ? 4 : 3;
		base64_encode_raw(at, sizeof(digest), digest);
		at += BASE64_ENCODE_RAW_LENGTH(sizeof(digest));
	}
	*at = '\0';
	explicit_bzero(&hmac, sizeof(hmac));
}
