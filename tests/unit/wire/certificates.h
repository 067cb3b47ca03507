/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests, made with OpenSSL's API in a folder of their own: an
 * authority, and whoever it signs, with what a test wants to be wrong with them.
 */
#ifndef GATEHOUSE_TESTS_UNIT_WIRE_CERTIFICATES_H
#define GATEHOUSE_TESTS_UNIT_WIRE_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/tls.h"

#define PKI_CONTROLLER "URI:urn:gatehouse:controller:"
#define PKI_CONSOLE    "URI:urn:gatehouse:console:"

enum { PKI_DAY = 86400, PKI_FILES_MAX = 64 };

struct pki {
	char dir[40];
	EVP_PKEY *ca_key;
	X509 *ca;
	char *files[PKI_FILES_MAX];
	size_t n_files;
	long serial;
	const char *revoked; /* file of revocation lists for the next contexts, or NULL */
};

/* What is wanted of one; zeros are the ordinary. */
struct pki_wish {
	const char *name;       /* of the files: NAME.pem and NAME.key */
	const char *alt_names;  /* subjectAltName as OpenSSL writes it, or NULL */
	long begins_s, ends_s;  /* from now; 0: an hour ago, and in two days */
	bool self_signed;       /* by nobody that the authority knows */
	const char *passphrase; /* of the key file */
};

static inline char *
pki_path(const struct pki *pki, const char *name, const char *ending)
{
	return xasprintf("%s/%s.%s", pki->dir, name, ending);
}

static inline FILE *
pki_create(struct pki *pki, const char *name, const char *ending)
{
	char *path = pki_path(pki, name, ending);
	FILE *file = fopen(path, "w");

	must(file != NULL && pki->n_files < PKI_FILES_MAX);
	pki->files[pki->n_files++] = path;
	return file;
}

static inline void
pki_add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static inline X509 *
pki_certificate(struct pki *pki, const struct pki_wish *wish, EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	bool own = pki->ca == NULL || wish->self_signed;

	must(X509_set_version(certificate, X509_VERSION_3) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++pki->serial) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(certificate),
			     wish->begins_s != 0 ? wish->begins_s : -3600) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(certificate),
			     wish->ends_s != 0 ? wish->ends_s : 2 * PKI_DAY) != NULL);
	must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					(const unsigned char *)wish->name, -1, -1, 0) == 1);
	must(X509_set_issuer_name(certificate, own ? subject : X509_get_subject_name(pki->ca)) ==
	     1);
	must(X509_set_pubkey(certificate, key) == 1);
	if (own)
		pki_add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->alt_names != NULL)
		pki_add_extension(certificate, NID_subject_alt_name, wish->alt_names);
	must(X509_sign(certificate, own ? key : pki->ca_key, EVP_sha256()) > 0);
	return certificate;
}

/* Makes both files; returns the certificate, which the caller frees, and its key. */
static inline X509 *
pki_make(struct pki *pki, const struct pki_wish *wish, EVP_PKEY **key_out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	const EVP_CIPHER *cipher = wish->passphrase != NULL ? EVP_aes_128_cbc() : NULL;
	FILE *file = pki_create(pki, wish->name, "key");
	X509 *certificate;

	must(key != NULL);
	certificate = pki_certificate(pki, wish, key);
	must(PEM_write_PrivateKey(file, key, cipher, NULL, 0, NULL,
				  (void *)(uintptr_t)wish->passphrase) == 1);
	must(fclose(file) == 0);
	file = pki_create(pki, wish->name, "pem");
	must(PEM_write_X509(file, certificate) == 1);
	must(fclose(file) == 0);
	*key_out = key;
	return certificate;
}

static inline void
pki_issue(struct pki *pki, const struct pki_wish *wish)
{
	EVP_PKEY *key;

	X509_free(pki_make(pki, wish, &key));
	EVP_PKEY_free(key);
}

/* What is wrong with a revocation list; zeros are the ordinary. */
struct pki_list_wish {
	const char *name;   /* of the file: NAME.pem */
	const char *of;     /* whose certificate is on it; NULL: nobody's */
	EVP_PKEY *signer;   /* NULL: the authority's key */
	bool partial;       /* says by an extension that it is not a whole one */
	const char *behind; /* text at the end of the file */
};

static inline void
pki_revoke(struct pki *pki, X509_CRL *list, const char *who)
{
	char *path = pki_path(pki, who, "pem");
	FILE *file = fopen(path, "r");
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	X509 *certificate;

	must(file != NULL && (certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL);
	must(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate)) == 1 &&
	     X509_REVOKED_set_revocationDate(entry, now) == 1 &&
	     X509_CRL_add0_revoked(list, entry) == 1);
	ASN1_TIME_free(now);
	X509_free(certificate);
	(void)fclose(file);
	free(path);
}

/* Returns the file's path, which lives as long as `pki`. */
static inline const char *
pki_make_list(struct pki *pki, const struct pki_list_wish *wish)
{
	X509_CRL *list = X509_CRL_new();
	FILE *file = pki_create(pki, wish->name, "pem");
	/* its date is over: it stays in force */
	ASN1_TIME *began = X509_gmtime_adj(NULL, -2 * PKI_DAY), *next = X509_gmtime_adj(NULL, -60);

	must(X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
	     X509_CRL_set_issuer_name(list, X509_get_subject_name(pki->ca)) == 1 &&
	     X509_CRL_set1_lastUpdate(list, began) == 1 &&
	     X509_CRL_set1_nextUpdate(list, next) == 1);
	if (wish->of != NULL)
		pki_revoke(pki, list, wish->of);
	if (wish->partial) {
		ASN1_INTEGER *base = ASN1_INTEGER_new();

		must(ASN1_INTEGER_set(base, 1) == 1 &&
		     X509_CRL_add1_ext_i2d(list, NID_delta_crl, base, 1, 0) == 1);
		ASN1_INTEGER_free(base);
	}
	must(X509_CRL_sign(list, wish->signer != NULL ? wish->signer : pki->ca_key, EVP_sha256()) >
	     0);
	must(PEM_write_X509_CRL(file, list) == 1);
	must(wish->behind == NULL || fputs(wish->behind, file) != EOF);
	must(fclose(file) == 0);
	ASN1_TIME_free(began);
	ASN1_TIME_free(next);
	X509_CRL_free(list);
	return pki->files[pki->n_files - 1];
}

static inline void
pki_init(struct pki *pki)
{
	*pki = (struct pki){.dir = "/tmp/gatehouse-pki-XXXXXX"};
	must(mkdtemp(pki->dir) != NULL);
	pki->ca = pki_make(pki, &(struct pki_wish){.name = "ca"}, &pki->ca_key);
}

/* A new authority, and what it signs. */
static inline void
pki_init_with(struct pki *pki, const struct pki_wish *wishes, size_t n)
{
	pki_init(pki);
	for (size_t i = 0; i < n; i++)
		pki_issue(pki, &wishes[i]);
}

static inline void
pki_fini(struct pki *pki)
{
	for (size_t i = 0; i < pki->n_files; i++) {
		(void)unlink(pki->files[i]);
		free(pki->files[i]);
	}
	(void)rmdir(pki->dir);
	X509_free(pki->ca);
	EVP_PKEY_free(pki->ca_key);
}

/* A context of ours for WHO; `ca` is who signs the others. */
static inline enum rc
pki_tls(const struct pki *pki, const char *ca, const char *who, bool server, struct tls **tls,
	struct err *err)
{
	char *ca_path = pki_path(pki, ca, "pem"), *certificate = pki_path(pki, who, "pem"),
	     *key = pki_path(pki, who, "key");
	struct tls_files files = {.ca = ca_path, .certificate = certificate, .key = key};
	enum rc rc;

	files.revoked = pki->revoked;
	rc = (server ? tls_server_new : tls_client_new)(tls, &files, err);
	free(ca_path);
	free(certificate);
	free(key);
	return rc;
}

#endif
