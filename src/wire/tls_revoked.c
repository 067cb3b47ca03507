/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revoked certificates: the lists are read and their signatures checked once, and
 * what remains is a sorted table of certificates.  The same table refuses at the
 * handshake, at a resumption, and ends connections that stand when it is new.
 *
 * OpenSSL's own check would verify the list's signature again in each handshake,
 * and refuse everybody when a list is past its date.  Here a list stays in force
 * until there is a newer one: what it says has not become untrue.
 *
 * Immutable after loading; any thread.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "tls_priv.h"

static int
revoked_compare(const void *a, const void *b)
{
	return memcmp(a, b, TLS_CERTIFICATE_ID_BYTES);
}

bool
tls_revoked_has(const struct tls_revoked *revoked, const uint8_t id[TLS_CERTIFICATE_ID_BYTES])
{
	return revoked->n > 0 && bsearch(id, revoked->ids, revoked->n, TLS_CERTIFICATE_ID_BYTES,
					 revoked_compare) != NULL;
}

void
tls_revoked_fini(struct tls_revoked *revoked)
{
	free(revoked->ids);
	*revoked = (struct tls_revoked){0};
}

/* Signed by one of the authorities that the context trusts. */
static bool
revoked_is_signed(SSL_CTX *ctx, X509_CRL *list)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(ctx));
	bool is_signed = false;

	for (int i = 0; i < sk_X509_num(all) && !is_signed; i++) {
		X509 *authority = sk_X509_value(all, i);

		is_signed = X509_NAME_cmp(X509_get_subject_name(authority),
					  X509_CRL_get_issuer(list)) == 0 &&
			    X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1;
	}
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return is_signed;
}

static void
revoked_add(struct tls_revoked *revoked, X509_CRL *list)
{
	const STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);

	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
		const X509_REVOKED *one = sk_X509_REVOKED_value(entries, i);

		if (revoked->n == revoked->room) {
			revoked->room = revoked->room > 0 ? revoked->room * 2 : 64;
			revoked->ids =
				xrealloc(revoked->ids, revoked->room * sizeof(*revoked->ids));
		}
		tls_certificate_id(X509_CRL_get_issuer(list), X509_REVOKED_get0_serialNumber(one),
				   revoked->ids[revoked->n++]);
	}
}

/* One list, of which nothing is understood by half. */
static enum rc
revoked_take(struct tls_revoked *revoked, SSL_CTX *ctx, X509_CRL *list, const char *path,
	     struct err *err)
{
	if (!revoked_is_signed(ctx, list))
		return err_invalid(
			err, "a revocation list in \"%s\" is not signed by an authority of ours",
			path);
	/* a part of a list, or a change to one: not all that is revoked is in it */
	if (X509_CRL_get_ext_by_critical(list, 1, -1) >= 0)
		return err_invalid(err, "a revocation list in \"%s\" is not a whole one", path);
	revoked_add(revoked, list);
	return RC_OK;
}

static enum rc
revoked_read(struct tls_revoked *revoked, SSL_CTX *ctx, BIO *file, const char *path,
	     struct err *err)
{
	enum rc rc = RC_OK;
	X509_CRL *list;
	int lists = 0;

	ERR_clear_error();
	while (rc == RC_OK && (list = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
		rc = revoked_take(revoked, ctx, list, path, err);
		X509_CRL_free(list);
		lists++;
	}
	/* behind the last one there is nothing that begins */
	if (rc == RC_OK &&
	    (lists == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
		rc = err_invalid(err, "could not load revocation lists from \"%s\"", path);
		tls_add_reasons(err);
	}
	ERR_clear_error();
	return rc;
}

enum rc
tls_revoked_load(struct tls_revoked *revoked, SSL_CTX *ctx, const char *path, struct err *err)
{
	BIO *file = BIO_new_file(path, "r");
	enum rc rc;

	if (file == NULL) {
		rc = err_invalid(err, "could not load revocation lists from \"%s\"", path);
		tls_add_reasons(err);
		return rc;
	}
	rc = revoked_read(revoked, ctx, file, path, err);
	BIO_free(file);
	if (rc == RC_OK && revoked->n > 0)
		qsort(revoked->ids, revoked->n, TLS_CERTIFICATE_ID_BYTES, revoked_compare);
	return rc;
}

int
tls_verify_cb(int ok, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const X509 *one = X509_STORE_CTX_get_current_cert(store);
	const struct tls *tls = tls_of(ssl);
	uint8_t id[TLS_CERTIFICATE_ID_BYTES];

	if (ok != 1 || tls->revoked.n == 0 || one == NULL)
		return ok;
	tls_certificate_id(X509_get_issuer_name(one), X509_get0_serialNumber(one), id);
	if (!tls_revoked_has(&tls->revoked, id))
		return ok;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED);
	return 0;
}
