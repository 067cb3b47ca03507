/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of webhooks: the specification's own example, and others held against
 * OpenSSL's one-shot HMAC(); files of secrets that are not as they must be.
 *
 * Seen to fail with: the timestamp left out of what is signed; the second secret not used;
 * the mode of the file not looked at; keys shorter than the specification allows taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/webhook.h"

#define EXAMPLE "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* Loads a file of this content and mode. */
static enum rc
loaded(struct webhook_secrets *secrets, const char *content, mode_t mode, struct err *err)
{
	char path[] = "/tmp/gatehouse-webhook-XXXXXX";
	int fd = mkstemp(path);
	enum rc rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	rc = webhook_secrets_load(secrets, path, err);
	assert_int_equal(unlink(path), 0);
	return rc;
}

static void
must_load(struct webhook_secrets *secrets, const char *content)
{
	struct err err = {0};

	if (loaded(secrets, content, 0600, &err) != RC_OK)
		fail_msg("%s", err.msg);
}

static void
the_example_of_the_specification(void **state)
{
	static const char body[] = "{\"test\": 2432232314}";
	struct webhook_secrets secrets;
	char out[WEBHOOK_SIGNATURES_TEXT];

	(void)state;
	must_load(&secrets, EXAMPLE "\n");
	assert_int_equal(secrets.n, 1);
	webhook_sign(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), out);
	assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/* By OpenSSL, which shares nothing with what is tested. */
static void
openssl_signature(const char *secret, const char *signed_text, char out[64])
{
	uint8_t key[WEBHOOK_KEY_MAX + 3], digest[32];
	size_t n = strlen(secret);
	int key_bytes = EVP_DecodeBlock(key, (const uint8_t *)secret, (int)n);

	assert_true(key_bytes > 0);
	for (size_t i = n; secret[i - 1] == '='; i--)
		key_bytes--;
	assert_non_null(HMAC(EVP_sha256(), key, key_bytes, (const uint8_t *)signed_text,
			     strlen(signed_text), digest, NULL));
	memcpy(out, "v1,", 3);
	assert_int_equal(EVP_EncodeBlock((uint8_t *)out + 3, digest, sizeof(digest)), 44);
}

static void
each_secret_signs(void **state)
{
	char text[WEBHOOK_SECRET_TEXT], out[WEBHOOK_SIGNATURES_TEXT], wanted[64 + 1 + 64];
	struct webhook_secrets secrets;
	struct err err;
	char *file;

	(void)state;
	assert_int_equal(webhook_secret_make(text, &err), RC_OK);
	assert_int_equal(strlen(text), WEBHOOK_SECRET_TEXT - 1);
	file = xasprintf("%s\n\n" EXAMPLE, text);
	must_load(&secrets, file);
	free(file);
	assert_int_equal(secrets.n, 2);
	webhook_sign(&secrets, "alarms_1-17-3", -5, "{}", 2, out);
	openssl_signature(text + strlen("whsec_"), "alarms_1-17-3.-5.{}", wanted);
	wanted[47] = ' ';
	openssl_signature(&EXAMPLE[strlen("whsec_")], "alarms_1-17-3.-5.{}", wanted + 48);
	assert_string_equal(out, wanted);
	webhook_secrets_wipe(&secrets);
	assert_int_equal(secrets.n, 0);
}

static void
secrets_that_are_made_differ(void **state)
{
	char first[WEBHOOK_SECRET_TEXT], second[WEBHOOK_SECRET_TEXT];
	struct err err;

	(void)state;
	assert_int_equal(webhook_secret_make(first, &err), RC_OK);
	assert_int_equal(webhook_secret_make(second, &err), RC_OK);
	assert_string_not_equal(first, second);
}

static void
assert_refused(const char *content, mode_t mode, const char *why)
{
	struct webhook_secrets secrets;
	struct err err = {0};

	assert_int_equal(loaded(&secrets, content, mode, &err), RC_INVALID);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
	assert_null(strstr(err.msg, "MfKQ"));
}

static void
files_that_are_no_secrets_are_refused(void **state)
{
	(void)state;
	assert_refused(EXAMPLE "\n", 0640, "others must not read it");
	assert_refused("", 0600, "has no secret");
	assert_refused("\n\n", 0600, "has no secret");
	assert_refused(EXAMPLE "\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0600, "line 2");
	/* 23 bytes, 65 bytes, and what is no base64 */
	assert_refused("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0600, "24 to 64");
	assert_refused("whsec_"
		       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		       "AAAAAAAAAAAAAAAAAAAAAAA=",
		       0600, "24 to 64");
	assert_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!w", 0600, "line 1");
	assert_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", 0600, "line 1");
	assert_refused(EXAMPLE "\n" EXAMPLE "\n" EXAMPLE "\n" EXAMPLE "\n" EXAMPLE "\n", 0600,
		       "more than 4");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_specification),
		cmocka_unit_test(each_secret_signs),
		cmocka_unit_test(secrets_that_are_made_differ),
		cmocka_unit_test(files_that_are_no_secrets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
