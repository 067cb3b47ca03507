/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509 with OpenSSL 3: keys and certificates are made here, files are written
 * elsewhere (init.c, enrol.c).
 *
 * Extensions are built from values and never from OpenSSL's configuration
 * syntax, where a comma in a name would start another extension.  Private keys
 * leave only as PEM in a struct ca_identity, which wipes them.  There is no
 * revocation list: the register decides who may come in.
 *
 * Owner: one thread.
 */
#include "ctl/ca.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
	SERIAL_BYTES = 16,  /* RFC 5280 allows 20, and asks for a positive number */
	BACKDATE_S = 86400, /* doors whose clocks are behind take it at once */
	X509_VERSION = 2,   /* X509v3 says 2 */
	DNS_NAME_MAX = 253, /* RFC 1035 */
};

struct ca {
	EVP_PKEY *key;
	X509 *certificate;
};

/* What distinguishes one certificate from another. */
struct profile {
	const char *common_name;
	const char *basic_constraints; /* constants of this file only, see v3_add() */
	const char *key_usage;
	const char *extended_usage; /* NULL: none */
	GENERAL_NAMES *names;       /* NULL: none */
	int days;
};

/* OpenSSL's reason behind ours; its queue is empty afterwards. */
static enum rc
ca_error(struct err *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_fail(err, "%s: %s", what, reason != NULL ? reason : "unknown reason");
}

void
ca_identity_fini(struct ca_identity *identity)
{
	free(identity->certificate);
	if (identity->key != NULL)
		OPENSSL_cleanse(identity->key, identity->key_bytes);
	free(identity->key);
	*identity = (struct ca_identity){0};
}

void
ca_free(struct ca **ca)
{
	if (*ca == NULL)
		return;
	EVP_PKEY_free((*ca)->key);
	X509_free((*ca)->certificate);
	free(*ca);
	*ca = NULL;
}

/* ---- PEM ------------------------------------------------------------------ */

/* Moves what was written to `bio` to new memory with a zero byte behind it. */
static char *
pem_take(BIO *bio, size_t *bytes)
{
	char *data, *copy;
	long n = BIO_get_mem_data(bio, &data);

	copy = xcalloc((size_t)n + 1, 1);
	memcpy(copy, data, (size_t)n);
	*bytes = (size_t)n;
	return copy;
}

static enum rc
identity_write(struct ca_identity *out, X509 *certificate, EVP_PKEY *key, struct err *err)
{
	/* the kind of memory that is wiped when it is freed */
	BIO *key_bio = BIO_new(BIO_s_secmem());
	BIO *certificate_bio = BIO_new(BIO_s_mem());
	enum rc rc = RC_OK;

	if (key_bio == NULL || certificate_bio == NULL ||
	    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509(certificate_bio, certificate) != 1) {
		rc = ca_error(err, "could not write certificate");
	} else {
		out->key = pem_take(key_bio, &out->key_bytes);
		out->certificate = pem_take(certificate_bio, &out->certificate_bytes);
	}
	BIO_free(key_bio);
	BIO_free(certificate_bio);
	return rc;
}

/* ---- Extensions ----------------------------------------------------------- */

/* `value` is in OpenSSL's syntax and must not come from outside. */
static bool
v3_add(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
	bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return added;
}

static bool
profile_add_extensions(const struct profile *profile, X509 *certificate, X509 *issuer)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	return v3_add(certificate, &context, NID_basic_constraints, profile->basic_constraints) &&
	       v3_add(certificate, &context, NID_key_usage, profile->key_usage) &&
	       v3_add(certificate, &context, NID_subject_key_identifier, "hash") &&
	       (issuer == certificate ||
		v3_add(certificate, &context, NID_authority_key_identifier, "keyid:always")) &&
	       (profile->extended_usage == NULL ||
		v3_add(certificate, &context, NID_ext_key_usage, profile->extended_usage)) &&
	       (profile->names == NULL ||
		X509_add1_ext_i2d(certificate, NID_subject_alt_name, profile->names, 0, 0) == 1);
}

/* Takes `octets`, an ASN1_STRING of the type's kind; false when there is no memory. */
static bool
names_add(GENERAL_NAMES *names, int type, ASN1_STRING *octets)
{
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (octets == NULL || name == NULL) {
		ASN1_STRING_free(octets);
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, octets);
	if (sk_GENERAL_NAME_push(names, name) == 0) {
		GENERAL_NAME_free(name);
		return false;
	}
	return true;
}

static bool
names_add_text(GENERAL_NAMES *names, int type, const char *text)
{
	ASN1_STRING *value = ASN1_IA5STRING_new();

	if (value != NULL && ASN1_STRING_set(value, text, -1) != 1) {
		ASN1_STRING_free(value);
		value = NULL;
	}
	return names_add(names, type, value);
}

static bool
names_add_host(GENERAL_NAMES *names, const char *host)
{
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);

	if (address != NULL)
		return names_add(names, GEN_IPADD, address);
	ERR_clear_error(); /* it was no address, which is no error */
	return names_add_text(names, GEN_DNS, host);
}

/* ---- Certificates --------------------------------------------------------- */

static bool
certificate_set_serial(X509 *certificate)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *number = NULL;
	bool set;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7F) | 0x40; /* positive, and always of the same length */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	set = number != NULL &&
	      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return set;
}

static bool
certificate_set_times(X509 *certificate, int days)
{
	return X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) != NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) != NULL;
}

static bool
certificate_set_subject(X509 *certificate, const char *common_name)
{
	return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
					  (const unsigned char *)common_name, -1, -1, 0) == 1;
}

/* `issuer` NULL: signs itself.  Returns new, or NULL with OpenSSL's error queue filled. */
static X509 *
certificate_sign(const struct profile *profile, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *certificate = X509_new();

	if (certificate == NULL)
		return NULL;
	if (issuer == NULL)
		issuer = certificate;
	/* the subject comes before the issuer, which may be the same */
	if (X509_set_version(certificate, X509_VERSION) == 1 &&
	    certificate_set_serial(certificate) &&
	    certificate_set_times(certificate, profile->days) &&
	    certificate_set_subject(certificate, profile->common_name) &&
	    X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
	    X509_set_pubkey(certificate, key) == 1 &&
	    profile_add_extensions(profile, certificate, issuer) &&
	    X509_sign(certificate, issuer_key, EVP_sha256()) > 0)
		return certificate;
	X509_free(certificate);
	return NULL;
}

enum rc
ca_new(struct ca **ca, const char *common_name, struct err *err)
{
	static const char constraints[] = "critical,CA:TRUE,pathlen:0";
	struct profile profile = {
		.common_name = common_name,
		.basic_constraints = constraints,
		.key_usage = "critical,keyCertSign,cRLSign",
		.days = CA_OWN_DAYS,
	};
	struct ca *made = xcalloc(1, sizeof(*made));

	made->key = EVP_EC_gen("P-256");
	if (made->key != NULL)
		made->certificate = certificate_sign(&profile, made->key, NULL, made->key);
	if (made->certificate == NULL) {
		ca_free(&made);
		return ca_error(err, "could not make certificate authority");
	}
	*ca = made;
	return RC_OK;
}

enum rc
ca_export(const struct ca *ca, struct ca_identity *out, struct err *err)
{
	return identity_write(out, ca->certificate, ca->key, err);
}

static enum rc
ca_read(struct ca *ca, const char *dir, struct err *err)
{
	char *certificate_path = xasprintf("%s/%s", dir, CA_CERTIFICATE_FILE);
	char *key_path = xasprintf("%s/%s", dir, CA_KEY_FILE);
	BIO *certificate = BIO_new_file(certificate_path, "r");
	BIO *key = BIO_new_file(key_path, "r");
	enum rc rc = RC_OK;

	if (certificate == NULL)
		rc = err_sys(err, "could not open file \"%s\"", certificate_path);
	else if (key == NULL)
		rc = err_sys(err, "could not open file \"%s\"", key_path);
	else if ((ca->certificate = PEM_read_bio_X509(certificate, NULL, NULL, NULL)) == NULL)
		rc = err_invalid(err, "file \"%s\" is not a certificate in PEM", certificate_path);
	else if ((ca->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL)) == NULL)
		rc = err_invalid(err, "file \"%s\" is not a private key in PEM", key_path);
	else if (X509_check_private_key(ca->certificate, ca->key) != 1)
		rc = err_invalid(err, "\"%s\" and \"%s\" do not belong together", certificate_path,
				 key_path);
	ERR_clear_error();
	BIO_free(certificate);
	BIO_free(key);
	free(certificate_path);
	free(key_path);
	return rc;
}

enum rc
ca_open(struct ca **ca, const char *dir, struct err *err)
{
	struct ca *opened = xcalloc(1, sizeof(*opened));
	enum rc rc = ca_read(opened, dir, err);

	if (rc == RC_OK && X509_check_ca(opened->certificate) != 1)
		rc = err_invalid(err, "certificate in \"%s\" is not one of an authority", dir);
	if (rc != RC_OK) {
		ca_free(&opened);
		return rc;
	}
	*ca = opened;
	return RC_OK;
}

/* A certificate that ends after its authority would fail earlier than it says. */
static enum rc
ca_check_days(const struct ca *ca, int days, struct err *err)
{
	int left_days, left_s;

	if (ASN1_TIME_diff(&left_days, &left_s, NULL, X509_get0_notAfter(ca->certificate)) != 1)
		return ca_error(err, "could not read when the certificate authority ends");
	if (left_days < days)
		return err_invalid(err, "the certificate authority ends in %d days, before %d",
				   left_days, days);
	return RC_OK;
}

static enum rc
ca_issue(const struct ca *ca, const struct profile *profile, struct ca_identity *out,
	 struct err *err)
{
	EVP_PKEY *key = NULL;
	X509 *certificate = NULL;
	enum rc rc = ca_check_days(ca, profile->days, err);

	if (rc != RC_OK)
		return rc;
	key = EVP_EC_gen("P-256");
	if (key != NULL)
		certificate = certificate_sign(profile, key, ca->certificate, ca->key);
	if (certificate != NULL)
		rc = identity_write(out, certificate, key, err);
	else
		rc = ca_error(err, "could not make certificate");
	X509_free(certificate);
	EVP_PKEY_free(key);
	return rc;
}

enum rc
ca_issue_client(const struct ca *ca, enum tls_role role, const char *name, int days,
		struct ca_identity *out, struct err *err)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	struct profile profile = {
		.common_name = name,
		.basic_constraints = "critical,CA:FALSE",
		.key_usage = "critical,digitalSignature",
		.extended_usage = "clientAuth",
		.names = names,
		.days = days,
	};
	char *urn = xasprintf("urn:gatehouse:%s:%s", tls_role_name(role), name);
	enum rc rc;

	must(role != TLS_ROLE_NONE);
	if (names != NULL && names_add_text(names, GEN_URI, urn))
		rc = ca_issue(ca, &profile, out, err);
	else
		rc = ca_error(err, "could not name the certificate");
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	free(urn);
	return rc;
}

enum rc
ca_issue_server(const struct ca *ca, const char *const *hosts, size_t n_hosts, int days,
		struct ca_identity *out, struct err *err)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	struct profile profile = {
		.common_name = "gatehoused", /* the names that count are in subjectAltName */
		.basic_constraints = "critical,CA:FALSE",
		.key_usage = "critical,digitalSignature",
		.extended_usage = "serverAuth",
		.names = names,
		.days = days,
	};
	bool named = names != NULL && n_hosts > 0;
	enum rc rc;

	for (size_t i = 0; i < n_hosts && named; i++)
		named = names_add_host(names, hosts[i]);
	rc = named ? ca_issue(ca, &profile, out, err)
		   : ca_error(err, "could not name the certificate");
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return rc;
}

/* ---- Hosts ---------------------------------------------------------------- */

bool
ca_host_is_valid(const char *host)
{
	uint8_t address[sizeof(struct in6_addr)];
	size_t n = strlen(host);

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return true;
	return n > 0 && n <= DNS_NAME_MAX && host[0] != '-' && host[0] != '.' &&
	       strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") ==
		       n;
}

/* New memory; NULL for kinds of names that are no host. */
static char *
host_from_name(const GENERAL_NAME *name)
{
	char text[INET6_ADDRSTRLEN];
	int type, bytes;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

	if (type == GEN_DNS && ASN1_STRING_length(value) <= DNS_NAME_MAX)
		return xasprintf("%.*s", ASN1_STRING_length(value),
				 (const char *)ASN1_STRING_get0_data(value));
	if (type != GEN_IPADD)
		return NULL;
	bytes = ASN1_STRING_length(value);
	if ((bytes != 4 && bytes != 16) ||
	    inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text,
		      sizeof(text)) == NULL)
		return NULL;
	return xstrdup(text);
}

char *
ca_first_host(const char *certificate_path)
{
	BIO *bio = BIO_new_file(certificate_path, "r");
	X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	GENERAL_NAMES *names = NULL;
	char *host = NULL;

	if (certificate != NULL)
		names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && host == NULL; i++)
		host = host_from_name(sk_GENERAL_NAME_value(names, i));
	ERR_clear_error();
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	X509_free(certificate);
	BIO_free(bio);
	return host;
}
