/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authority and what it signs, judged by OpenSSL's own verification and by
 * the names that the daemon looks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ca.h"
#include "ctl/files.h"

static X509 *
read_certificate(const struct ca_identity *identity)
{
	BIO *bio = BIO_new_mem_buf(identity->certificate, (int)identity->certificate_bytes);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(certificate);
	return certificate;
}

static EVP_PKEY *
read_key(const struct ca_identity *identity)
{
	BIO *bio = BIO_new_mem_buf(identity->key, (int)identity->key_bytes);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

/* OpenSSL's verdict: X509_V_OK, or why not. */
static int
verify(X509 *authority, X509 *certificate, int purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int verdict;

	assert_int_equal(X509_STORE_add_cert(store, authority), 1);
	assert_int_equal(X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
	assert_int_equal(X509_STORE_CTX_set_purpose(context, purpose), 1);
	(void)X509_verify_cert(context);
	verdict = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return verdict;
}

static struct ca *
new_ca(X509 **certificate)
{
	struct ca_identity own = {0};
	struct ca *ca = NULL;
	struct err err;

	assert_int_equal(ca_new(&ca, "Test authority", &err), RC_OK);
	assert_int_equal(ca_export(ca, &own, &err), RC_OK);
	*certificate = read_certificate(&own);
	ca_identity_fini(&own);
	return ca;
}

static void
test_client_is_a_client_and_nothing_else(void **state)
{
	struct ca_identity identity = {0};
	X509 *authority, *certificate;
	struct ca *ca = new_ca(&authority);
	EVP_PKEY *key;
	struct err err;

	(void)state;
	assert_int_equal(ca_issue_client(ca, TLS_ROLE_CONTROLLER, "north-17", 825, &identity, &err),
			 RC_OK);
	certificate = read_certificate(&identity);
	key = read_key(&identity);
	assert_int_equal(verify(authority, certificate, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
	assert_int_not_equal(verify(authority, certificate, X509_PURPOSE_SSL_SERVER), X509_V_OK);
	assert_int_equal(X509_check_ca(certificate), 0);
	assert_int_equal(X509_check_private_key(certificate, key), 1);
	assert_int_equal(EVP_PKEY_get_bits(key), 256);
	EVP_PKEY_free(key);
	X509_free(certificate);
	X509_free(authority);
	ca_identity_fini(&identity);
	ca_free(&ca);
}

static void
test_client_has_its_urn_and_only_that(void **state)
{
	struct ca_identity identity = {0};
	X509 *authority, *certificate;
	struct ca *ca = new_ca(&authority);
	GENERAL_NAMES *names;
	const ASN1_STRING *uri;
	int type;
	struct err err;

	(void)state;
	assert_int_equal(ca_issue_client(ca, TLS_ROLE_CONSOLE, "desk-1", 30, &identity, &err),
			 RC_OK);
	certificate = read_certificate(&identity);
	names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	uri = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), &type);
	assert_int_equal(type, GEN_URI);
	assert_int_equal(ASN1_STRING_length(uri), strlen("urn:gatehouse:console:desk-1"));
	assert_memory_equal(ASN1_STRING_get0_data(uri), "urn:gatehouse:console:desk-1",
			    strlen("urn:gatehouse:console:desk-1"));
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	X509_free(certificate);
	X509_free(authority);
	ca_identity_fini(&identity);
	ca_free(&ca);
}

static void
test_server_is_found_under_each_of_its_hosts(void **state)
{
	const char *const hosts[] = {"gate.example.org", "10.1.2.3", "fd00::17"};
	struct ca_identity identity = {0};
	X509 *authority, *certificate;
	struct ca *ca = new_ca(&authority);
	struct err err;

	(void)state;
	assert_int_equal(ca_issue_server(ca, hosts, ARRAY_LEN(hosts), 825, &identity, &err), RC_OK);
	certificate = read_certificate(&identity);
	assert_int_equal(verify(authority, certificate, X509_PURPOSE_SSL_SERVER), X509_V_OK);
	assert_int_not_equal(verify(authority, certificate, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
	assert_int_equal(X509_check_host(certificate, "gate.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, "other.example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(certificate, "10.1.2.3", 0), 1);
	assert_int_equal(X509_check_ip_asc(certificate, "fd00::17", 0), 1);
	assert_int_equal(X509_check_ip_asc(certificate, "10.1.2.4", 0), 0);
	X509_free(certificate);
	X509_free(authority);
	ca_identity_fini(&identity);
	ca_free(&ca);
}

static void
test_another_authority_signs_nothing_of_ours(void **state)
{
	struct ca_identity identity = {0};
	X509 *ours, *theirs, *certificate;
	struct ca *ca = new_ca(&ours), *other = new_ca(&theirs);
	struct err err;

	(void)state;
	assert_int_equal(ca_issue_client(other, TLS_ROLE_CONTROLLER, "a", 30, &identity, &err),
			 RC_OK);
	certificate = read_certificate(&identity);
	assert_int_not_equal(verify(ours, certificate, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
	X509_free(certificate);
	X509_free(ours);
	X509_free(theirs);
	ca_identity_fini(&identity);
	ca_free(&ca);
	ca_free(&other);
}

static void
test_no_two_serial_numbers_are_the_same(void **state)
{
	struct ca_identity one = {0}, two = {0};
	X509 *authority, *first, *second;
	struct ca *ca = new_ca(&authority);
	struct err err;

	(void)state;
	assert_int_equal(ca_issue_client(ca, TLS_ROLE_CONTROLLER, "a", 30, &one, &err), RC_OK);
	assert_int_equal(ca_issue_client(ca, TLS_ROLE_CONTROLLER, "a", 30, &two, &err), RC_OK);
	first = read_certificate(&one);
	second = read_certificate(&two);
	assert_int_not_equal(
		ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
	assert_string_not_equal(one.key, two.key);
	X509_free(first);
	X509_free(second);
	X509_free(authority);
	ca_identity_fini(&one);
	ca_identity_fini(&two);
	ca_free(&ca);
}

static void
test_a_certificate_does_not_outlive_its_authority(void **state)
{
	struct ca_identity identity = {0};
	X509 *authority;
	struct ca *ca = new_ca(&authority);
	struct err err;

	(void)state;
	assert_int_equal(
		ca_issue_client(ca, TLS_ROLE_CONTROLLER, "a", CA_OWN_DAYS + 1, &identity, &err),
		RC_INVALID);
	assert_non_null(strstr(err.msg, "ends in"));
	assert_null(identity.key);
	X509_free(authority);
	ca_free(&ca);
}

/* ---- On the disk ---------------------------------------------------------- */

static void
write_ca(const char *dir, const struct ca_identity *certificate, const struct ca_identity *key)
{
	char path[128];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, CA_CERTIFICATE_FILE);
	assert_int_equal(files_write_new(path, 0644, FILES_OWNER_SELF, certificate->certificate,
					 certificate->certificate_bytes, &err),
			 RC_OK);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, CA_KEY_FILE);
	assert_int_equal(
		files_write_new(path, 0600, FILES_OWNER_SELF, key->key, key->key_bytes, &err),
		RC_OK);
}

static void
remove_ca(const char *dir)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, CA_CERTIFICATE_FILE);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, CA_KEY_FILE);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void
test_opened_again_it_signs_as_before(void **state)
{
	char dir[] = "/tmp/gatehouse-ca-XXXXXX";
	struct ca_identity own = {0}, identity = {0};
	X509 *authority, *certificate;
	struct ca *ca = new_ca(&authority), *again = NULL;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ca_export(ca, &own, &err), RC_OK);
	write_ca(dir, &own, &own);
	assert_int_equal(ca_open(&again, dir, &err), RC_OK);
	assert_int_equal(ca_issue_client(again, TLS_ROLE_CONTROLLER, "a", 30, &identity, &err),
			 RC_OK);
	certificate = read_certificate(&identity);
	assert_int_equal(verify(authority, certificate, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
	remove_ca(dir);
	X509_free(certificate);
	X509_free(authority);
	ca_identity_fini(&identity);
	ca_identity_fini(&own);
	ca_free(&again);
	ca_free(&ca);
}

static void
test_a_foreign_key_beside_the_certificate_is_refused(void **state)
{
	char dir[] = "/tmp/gatehouse-ca-XXXXXX";
	struct ca_identity own = {0}, foreign = {0};
	X509 *ours, *theirs;
	struct ca *ca = new_ca(&ours), *other = new_ca(&theirs), *opened = NULL;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ca_export(ca, &own, &err), RC_OK);
	assert_int_equal(ca_export(other, &foreign, &err), RC_OK);
	write_ca(dir, &own, &foreign);
	assert_int_equal(ca_open(&opened, dir, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "do not belong together"));
	assert_null(opened);
	remove_ca(dir);
	X509_free(ours);
	X509_free(theirs);
	ca_identity_fini(&own);
	ca_identity_fini(&foreign);
	ca_free(&ca);
	ca_free(&other);
}

static void
test_a_client_certificate_is_no_authority(void **state)
{
	char dir[] = "/tmp/gatehouse-ca-XXXXXX";
	struct ca_identity identity = {0};
	X509 *authority;
	struct ca *ca = new_ca(&authority), *opened = NULL;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ca_issue_client(ca, TLS_ROLE_CONTROLLER, "a", 30, &identity, &err), RC_OK);
	write_ca(dir, &identity, &identity);
	assert_int_equal(ca_open(&opened, dir, &err), RC_INVALID);
	assert_non_null(strstr(err.msg, "not one of an authority"));
	remove_ca(dir);
	X509_free(authority);
	ca_identity_fini(&identity);
	ca_free(&ca);
}

static void
test_first_host_is_told_as_people_write_it(void **state)
{
	char path[] = "/tmp/gatehouse-server-XXXXXX";
	const char *const hosts[] = {"10.1.2.3", "gate.example.org"};
	struct ca_identity identity = {0};
	X509 *authority;
	struct ca *ca = new_ca(&authority);
	struct err err;
	char *host;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(ca_issue_server(ca, hosts, ARRAY_LEN(hosts), 30, &identity, &err), RC_OK);
	assert_int_equal(write(fd, identity.certificate, identity.certificate_bytes),
			 identity.certificate_bytes);
	host = ca_first_host(path);
	assert_string_equal(host, "10.1.2.3");
	assert_null(ca_first_host("/nonexistent/server.pem"));
	free(host);
	(void)close(fd);
	(void)unlink(path);
	X509_free(authority);
	ca_identity_fini(&identity);
	ca_free(&ca);
}

static void
test_hosts(void **state)
{
	static const char *const good[] = {"localhost", "gate.example.org", "10.0.0.1", "::1",
					   "fd00::17"};
	static const char *const bad[] = {"",      "a b",          "a,DNS:b",      "a\nb",
					  "-host", ".example.org", "gate_way\x01", "http://gate"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(ca_host_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ca_host_is_valid(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_is_a_client_and_nothing_else),
		cmocka_unit_test(test_client_has_its_urn_and_only_that),
		cmocka_unit_test(test_server_is_found_under_each_of_its_hosts),
		cmocka_unit_test(test_another_authority_signs_nothing_of_ours),
		cmocka_unit_test(test_no_two_serial_numbers_are_the_same),
		cmocka_unit_test(test_a_certificate_does_not_outlive_its_authority),
		cmocka_unit_test(test_opened_again_it_signs_as_before),
		cmocka_unit_test(test_a_foreign_key_beside_the_certificate_is_refused),
		cmocka_unit_test(test_a_client_certificate_is_no_authority),
		cmocka_unit_test(test_first_host_is_told_as_people_write_it),
		cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
