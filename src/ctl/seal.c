/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMS by OpenSSL.  A trial seal at the opening finds a key that can't be sealed to
 * (an Ed25519 one, say) before the first resident stands at the desk.
 *
 * Owner: one thread per struct.
 */
#include "ctl/seal.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

struct sealer {
	STACK_OF(X509) * owners; /* one */
};

static enum rc
seal_error(struct err *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_invalid(err, "%s: %s", what, reason != NULL ? reason : "unknown reason");
}

static enum rc
seal_read_certificate(const char *path, X509 **certificate, struct err *err)
{
	BIO *bio = BIO_new_file(path, "r");
	enum rc rc = RC_OK;

	*certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (*certificate == NULL) {
		char *what = xasprintf("could not read the data owner's certificate \"%s\"", path);

		rc = seal_error(err, what);
		free(what);
	} else if (X509_cmp_current_time(X509_get0_notAfter(*certificate)) <= 0) {
		rc = err_invalid(err, "the data owner's certificate \"%s\" has ended", path);
	}
	return rc;
}

enum rc
sealer_open(struct sealer **out, const char *certificate, struct err *err)
{
	struct sealer *sealer = xcalloc(1, sizeof(*sealer));
	X509 *owner = NULL;
	uint8_t *trial = NULL;
	size_t n;
	enum rc rc;

	sealer->owners = sk_X509_new_null();
	must(sealer->owners != NULL);
	rc = seal_read_certificate(certificate, &owner, err);
	if (owner != NULL)
		must(sk_X509_push(sealer->owners, owner) > 0);
	if (rc == RC_OK)
		rc = sealer_seal(sealer, "{}", 2, &trial, &n, err);
	free(trial);
	if (rc != RC_OK)
		sealer_close(&sealer);
	*out = sealer;
	return rc;
}

void
sealer_close(struct sealer **sealer)
{
	if (*sealer == NULL)
		return;
	sk_X509_pop_free((*sealer)->owners, X509_free);
	free(*sealer);
	*sealer = NULL;
}

enum rc
sealer_seal(struct sealer *sealer, const void *plain, size_t n, uint8_t **sealed,
	    size_t *sealed_bytes, struct err *err)
{
	CMS_ContentInfo *cms;
	BIO *bio;
	unsigned char *der = NULL;
	int len;

	if (n > SEAL_PLAIN_MAX)
		return err_invalid(err, "personal fields have %zu bytes, at most %d can be sealed",
				   n, SEAL_PLAIN_MAX);
	bio = BIO_new_mem_buf(plain, (int)n);
	must(bio != NULL);
	cms = CMS_encrypt(sealer->owners, bio, EVP_aes_256_cbc(), CMS_BINARY);
	BIO_free(bio);
	len = cms != NULL ? i2d_CMS_ContentInfo(cms, &der) : -1;
	CMS_ContentInfo_free(cms);
	if (len <= 0 || len > SEAL_SEALED_MAX) {
		OPENSSL_free(der);
		return seal_error(err, "could not seal personal fields");
	}
	*sealed = xcalloc(1, (size_t)len);
	memcpy(*sealed, der, (size_t)len);
	*sealed_bytes = (size_t)len;
	OPENSSL_free(der);
	return RC_OK;
}
