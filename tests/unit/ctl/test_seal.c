/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sealed is opened by the owner's key with plain OpenSSL, and by no other;
 * nothing of it can be read in between.  Seen to fail: with CMS that is not encrypted
 * (CMS_data_create() in the place of CMS_encrypt()).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "ctl/seal.h"

#include "../support/scratch.h"

static const char fields[] = "{\"name\":\"Example Person\",\"telephone\":\"+00 000 0000\"}";

/* A data owner's folder: key.pem and certificate.pem. */
struct owner {
	char dir[64];
	char key[96], certificate[96];
};

static void
shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static void
owner_make(struct owner *owner, const char *algorithm, bool ended)
{
	const char *clock = ended ? "faketime '2020-01-01'" : "";
	char command[512];

	(void)snprintf(owner->dir, sizeof(owner->dir), "/tmp/gatehouse-seal-XXXXXX");
	assert_non_null(mkdtemp(owner->dir));
	(void)snprintf(owner->key, sizeof(owner->key), "%s/key.pem", owner->dir);
	(void)snprintf(owner->certificate, sizeof(owner->certificate), "%s/certificate.pem",
		       owner->dir);
	(void)snprintf(command, sizeof(command),
		       "%s openssl req -x509 -newkey %s -nodes -days 30 -subj /CN=owner -keyout %s "
		       "-out %s 2>/dev/null",
		       clock, algorithm, owner->key, owner->certificate);
	shell(command);
}

static void
owner_remove(struct owner *owner)
{
	assert_int_equal(scratch_remove_dir(owner->dir), 0);
}

/* Whether `openssl cms` opens `sealed` with that key, and to what. */
static bool
opens(const struct owner *owner, const uint8_t *sealed, size_t n, char *plain, size_t size)
{
	char path[96], command[512];
	FILE *file, *out;
	size_t got;

	(void)snprintf(path, sizeof(path), "%s/sealed.der", owner->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(sealed, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
	(void)snprintf(command, sizeof(command),
		       "openssl cms -decrypt -inform DER -in %s -inkey %s -recip %s 2>/dev/null",
		       path, owner->key, owner->certificate);
	out = popen(command, "r");
	assert_non_null(out);
	got = fread(plain, 1, size - 1, out);
	plain[got] = '\0';
	return pclose(out) == 0;
}

static void
seal(const struct owner *owner, uint8_t **sealed, size_t *n)
{
	struct sealer *sealer;
	struct err err;

	if (sealer_open(&sealer, owner->certificate, &err) != RC_OK ||
	    sealer_seal(sealer, fields, strlen(fields), sealed, n, &err) != RC_OK)
		fail_msg("%s", err.msg);
	sealer_close(&sealer);
}

static void
the_owner_opens_it(void **state)
{
	static const char *const algorithms[] = {"rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"};
	char plain[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		struct owner owner;
		uint8_t *sealed;
		size_t n;

		owner_make(&owner, algorithms[i], false);
		seal(&owner, &sealed, &n);
		assert_true(opens(&owner, sealed, n, plain, sizeof(plain)));
		assert_string_equal(plain, fields);
		free(sealed);
		owner_remove(&owner);
	}
}

static void
nobody_else_opens_it(void **state)
{
	struct owner owner, other;
	char plain[256];
	uint8_t *sealed;
	size_t n;

	(void)state;
	owner_make(&owner, "ec -pkeyopt ec_paramgen_curve:P-256", false);
	owner_make(&other, "ec -pkeyopt ec_paramgen_curve:P-256", false);
	seal(&owner, &sealed, &n);
	(void)opens(&other, sealed, n, plain, sizeof(plain));
	assert_null(strstr(plain, "Person"));
	free(sealed);
	owner_remove(&owner);
	owner_remove(&other);
}

static void
nothing_is_readable(void **state)
{
	struct owner owner;
	uint8_t *sealed;
	size_t n;

	(void)state;
	owner_make(&owner, "rsa:2048", false);
	seal(&owner, &sealed, &n);
	assert_null(memmem(sealed, n, "Person", 6));
	assert_null(memmem(sealed, n, "telephone", 9));
	free(sealed);
	owner_remove(&owner);
}

static void
refuses(const char *certificate, const char *words)
{
	struct sealer *sealer;
	struct err err;

	assert_int_equal(sealer_open(&sealer, certificate, &err), RC_INVALID);
	assert_null(sealer);
	if (strstr(err.msg, words) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", err.msg, words);
}

static void
an_owner_that_can_not_be_sealed_to_is_refused(void **state)
{
	struct owner owner;

	(void)state;
	owner_make(&owner, "ed25519", false);
	refuses(owner.certificate, "could not seal");
	refuses(owner.key, "could not read the data owner's certificate");
	refuses("/nonexistent.pem", "could not read the data owner's certificate");
	owner_remove(&owner);
	owner_make(&owner, "rsa:2048", true);
	refuses(owner.certificate, "has ended");
	owner_remove(&owner);
}

static void
too_much_is_refused(void **state)
{
	static const char much[SEAL_PLAIN_MAX + 1];
	struct owner owner;
	struct sealer *sealer;
	uint8_t *sealed;
	size_t n;
	struct err err;

	(void)state;
	owner_make(&owner, "ec -pkeyopt ec_paramgen_curve:P-256", false);
	assert_int_equal(sealer_open(&sealer, owner.certificate, &err), RC_OK);
	assert_int_equal(sealer_seal(sealer, much, SEAL_PLAIN_MAX, &sealed, &n, &err), RC_OK);
	assert_true(n <= SEAL_SEALED_MAX);
	free(sealed);
	assert_int_equal(sealer_seal(sealer, much, sizeof(much), &sealed, &n, &err), RC_INVALID);
	sealer_close(&sealer);
	owner_remove(&owner);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_opens_it),
		cmocka_unit_test(nobody_else_opens_it),
		cmocka_unit_test(nothing_is_readable),
		cmocka_unit_test(an_owner_that_can_not_be_sealed_to_is_refused),
		cmocka_unit_test(too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
