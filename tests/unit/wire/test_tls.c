/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a TLS context: what is wrong with them is said, with their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "certificates.h"

static struct pki pki;

static int
make_pki(void **state)
{
	static const struct pki_wish wishes[] = {
		{.name = "server", .alt_names = "DNS:localhost", .ends_s = 10 * PKI_DAY + 3600},
		{.name = "old", .begins_s = -9 * PKI_DAY, .ends_s = -PKI_DAY - 3600},
		{.name = "locked", .passphrase = "secret"},
	};

	(void)state;
	pki_init_with(&pki, wishes, ARRAY_LEN(wishes));
	return 0;
}

static int
remove_pki(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

static void
assert_no_tls(const char *ca, const char *certificate, const char *key, const char *because)
{
	char *paths[] = {pki_path(&pki, ca, "pem"), pki_path(&pki, certificate, "pem"),
			 pki_path(&pki, key, "key")};
	struct tls_files files = {.ca = paths[0], .certificate = paths[1], .key = paths[2]};
	struct tls *tls = NULL;
	struct err err;

	assert_int_equal(tls_server_new(&tls, &files, &err), RC_INVALID);
	assert_null(tls);
	if (strstr(err.msg, because) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", because, err.msg);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		free(paths[i]);
}

static void
a_file_that_is_missing_is_named(void **state)
{
	(void)state;
	assert_no_tls("none", "server", "server", "could not load CA certificates from \"");
	assert_no_tls("none", "server", "server", "/none.pem\"");
	assert_no_tls("ca", "none", "server", "could not load certificate from \"");
	assert_no_tls("ca", "server", "none", "could not load private key from \"");
}

static void
a_key_of_somebody_else_is_found(void **state)
{
	(void)state;
	assert_no_tls("ca", "server", "old", "key values mismatch");
}

static void
a_locked_key_asks_nobody(void **state)
{
	static const char answer[] = "secret\n";
	int ends[2], terminal = dup(STDIN_FILENO);

	(void)state;
	/* the right answer lies ready, where OpenSSL reads it when there is no terminal */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], answer, strlen(answer)), strlen(answer));
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	assert_no_tls("ca", "locked", "locked", "could not load private key from \"");
	assert_true(dup2(terminal, STDIN_FILENO) >= 0);
	assert_int_equal(close(ends[0]) + close(ends[1]) + close(terminal), 0);
}

static void
days_are_counted_to_the_certificates_end(void **state)
{
	struct tls *tls, *again;
	struct err err;

	(void)state;
	assert_int_equal(pki_tls(&pki, "ca", "server", true, &tls, &err), RC_OK);
	assert_int_equal(tls_days_left(tls), 10);
	again = tls_ref(tls);
	tls_unref(&tls);
	assert_null(tls);
	assert_int_equal(tls_days_left(again), 10);
	tls_unref(&again);
	tls_unref(&again);
	/* our own may have ended: others say so, we still start */
	assert_int_equal(pki_tls(&pki, "ca", "old", true, &tls, &err), RC_OK);
	assert_int_equal(tls_days_left(tls), -2);
	tls_unref(&tls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_missing_is_named),
		cmocka_unit_test(a_key_of_somebody_else_is_found),
		cmocka_unit_test(a_locked_key_asks_nobody),
		cmocka_unit_test(days_are_counted_to_the_certificates_end),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
