/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end: what its certificate says, once OpenSSL has verified it,
 * or what the session says with which it came back.
 *
 * Pure functions over a connection; the thread of the connection.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "tls_priv.h"

/* A name of this role: "urn:gatehouse:ROLE:NAME". */
static bool
tls_name_of_role(const ASN1_STRING *uri, enum tls_role role, char name[TLS_NAME_MAX + 1])
{
	const char *text = (const char *)ASN1_STRING_get0_data(uri);
	char prefix[40];
	size_t len = (size_t)ASN1_STRING_length(uri);
	size_t skip =
		(size_t)snprintf(prefix, sizeof(prefix), "urn:gatehouse:%s:", tls_role_name(role));

	if (len <= skip || len - skip > TLS_NAME_MAX || memcmp(text, prefix, skip) != 0)
		return false;
	/* a name that hides its end behind a NUL, or would forge a log line */
	for (size_t i = skip; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return false;
	memcpy(name, text + skip, len - skip);
	name[len - skip] = '\0';
	return true;
}

/* TLS_ROLE_NONE: no name of ours. */
static enum tls_role
tls_identity_of_uri(const ASN1_STRING *uri, char name[TLS_NAME_MAX + 1])
{
	for (enum tls_role role = TLS_ROLE_NONE + 1; role < TLS_ROLES; role++)
		if (tls_name_of_role(uri, role, name))
			return role;
	return TLS_ROLE_NONE;
}

/* The certificate has exactly one such name. */
static enum tls_role
tls_certificate_name(X509 *certificate, char name[TLS_NAME_MAX + 1])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	enum tls_role role = TLS_ROLE_NONE;
	int found = 0;

	name[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
		enum tls_role this = TLS_ROLE_NONE;

		if (one->type == GEN_URI)
			this = tls_identity_of_uri(one->d.uniformResourceIdentifier, name);
		if (this == TLS_ROLE_NONE)
			continue;
		role = this;
		found++;
	}
	GENERAL_NAMES_free(names);
	if (found != 1) {
		name[0] = '\0';
		return TLS_ROLE_NONE;
	}
	return role;
}

void
tls_certificate_id(const X509_NAME *issuer, const ASN1_INTEGER *serial,
		   uint8_t id[TLS_CERTIFICATE_ID_BYTES])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	const unsigned char *name = NULL;
	size_t name_bytes = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	/* DER says where the name ends */
	must(X509_NAME_get0_der((X509_NAME *)(uintptr_t)issuer, &name, &name_bytes) == 1);
	must(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(md, name, name_bytes) == 1 &&
	     EVP_DigestUpdate(md, ASN1_STRING_get0_data(serial),
			      (size_t)ASN1_STRING_length(serial)) == 1 &&
	     EVP_DigestFinal_ex(md, digest, NULL) == 1);
	EVP_MD_CTX_free(md);
	memcpy(id, digest, TLS_CERTIFICATE_ID_BYTES);
}

static int64_t
tls_certificate_ends_s(const X509 *certificate)
{
	struct tm tm;

	/* one that was verified has an end that can be read */
	must(ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1);
	return (int64_t)timegm(&tm);
}

static void
tls_peer_from_certificate(const SSL *ssl, struct tls_peer *peer)
{
	const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	X509 *own = SSL_get0_peer_certificate(ssl);
	int n = sk_X509_num(chain);

	must(own != NULL && n > 0);
	peer->role = tls_certificate_name(own, peer->name);
	peer->ends_s = tls_certificate_ends_s(own);
	for (int i = 1; i < n; i++) {
		int64_t ends_s = tls_certificate_ends_s(sk_X509_value(chain, i));

		if (ends_s < peer->ends_s)
			peer->ends_s = ends_s;
	}
	/* the last one is the authority's */
	for (int i = 0; i < n - 1 && i < TLS_CHAIN_MAX; i++) {
		const X509 *one = sk_X509_value(chain, i);

		tls_certificate_id(X509_get_issuer_name(one), X509_get0_serialNumber(one),
				   peer->chain[i]);
	}
}

void
tls_peer_learn(SSL *ssl, struct tls_peer *peer)
{
	void *said = NULL;
	size_t n = 0;

	memset(peer, 0, sizeof(*peer));
	if (SSL_session_reused(ssl) == 0) {
		tls_peer_from_certificate(ssl, peer);
	} else if (tls_of(ssl)->server) {
		/* put there by ourselves when the session was taken up */
		must(SSL_SESSION_get0_ticket_appdata(SSL_get0_session(ssl), &said, &n) == 1 &&
		     n == sizeof(*peer));
		memcpy(peer, said, n);
	}
}

/* Frees the key within the certificate, which nobody else has. */
static void
tls_shed_key(X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);

	if (key != NULL && EVP_PKEY_set_type(key, EVP_PKEY_ED25519) != 1)
		ERR_clear_error();
}

void
tls_peer_shed(SSL *ssl)
{
	const STACK_OF(X509) *others = SSL_get_peer_cert_chain(ssl);
	X509 *own = SSL_get0_peer_certificate(ssl);

	if (own != NULL)
		tls_shed_key(own);
	for (int i = 0; i < sk_X509_num(others); i++)
		tls_shed_key(sk_X509_value(others, i));
}

bool
tls_peer_is_revoked(const struct tls *tls, const struct tls_peer *peer)
{
	static const uint8_t none[TLS_CERTIFICATE_ID_BYTES];

	for (size_t i = 0; i < TLS_CHAIN_MAX; i++)
		if (memcmp(peer->chain[i], none, sizeof(none)) != 0 &&
		    tls_revoked_has(&tls->revoked, peer->chain[i]))
			return true;
	return false;
}
