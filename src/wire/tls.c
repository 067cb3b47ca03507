/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and the rules of the handshake.
 *
 * Chains are short: TLS_CHAIN_MAX certificates below the authority, so that each of
 * them can be held against the revocation lists for as long as a session lives.
 */
#include "tls_priv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

static const uint8_t tls_alpn[] = "\x0bgatehouse/1";
enum { TLS_ALPN_BYTES = sizeof(tls_alpn) - 1, TLS_FILE_MAX = 16 * 1024 * 1024 };

const char *
tls_role_name(enum tls_role role)
{
	static const char *const names[TLS_ROLES] = {
		[TLS_ROLE_NONE] = "none",
		[TLS_ROLE_CONTROLLER] = "controller",
		[TLS_ROLE_CONSOLE] = "console",
		[TLS_ROLE_DESK] = "desk",
	};

	return names[role];
}

/* ---- Words ---------------------------------------------------------------- */

void
tls_add_reasons(struct err *err)
{
	unsigned long code;

	while ((code = ERR_get_error()) != 0) {
		const char *reason = ERR_reason_error_string(code);
		size_t used = strlen(err->msg);

		(void)snprintf(err->msg + used, sizeof(err->msg) - used, ": %s",
			       reason != NULL ? reason : "unknown reason");
	}
}

static int
tls_choose_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned int in_len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, tls_alpn, TLS_ALPN_BYTES, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Without it OpenSSL asks whoever sits at the terminal. */
static int
tls_no_passphrase_cb(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* Clients that one authority vouched for are nobody's under another. */
static enum rc
tls_digest_authority(struct tls *tls, const char *path, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t n;
	enum rc rc = fs_read_file(path, TLS_FILE_MAX, &bytes, &n, err);

	if (rc == RC_OK && EVP_Digest(bytes, n, tls->authority, NULL, EVP_sha256(), NULL) != 1) {
		rc = err_fail(err, "could not make the digest of \"%s\"", path);
		tls_add_reasons(err);
	}
	free(bytes);
	return rc;
}

static enum rc
tls_load_files(struct tls *tls, const struct tls_files *files, struct err *err)
{
	SSL_CTX *ctx = tls->ctx;
	enum rc rc = RC_OK;

	SSL_CTX_set_default_passwd_cb(ctx, tls_no_passphrase_cb);
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(ctx, files->ca) != 1)
		rc = err_invalid(err, "could not load CA certificates from \"%s\"", files->ca);
	else if (SSL_CTX_use_certificate_chain_file(ctx, files->certificate) != 1)
		rc = err_invalid(err, "could not load certificate from \"%s\"", files->certificate);
	else if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1)
		rc = err_invalid(err, "could not load private key from \"%s\"", files->key);
	else if (SSL_CTX_check_private_key(ctx) != 1)
		rc = err_invalid(err, "private key \"%s\" does not belong to certificate \"%s\"",
				 files->key, files->certificate);
	if (rc != RC_OK)
		tls_add_reasons(err);
	else
		rc = tls_digest_authority(tls, files->ca, err);
	if (rc == RC_OK && files->revoked != NULL)
		rc = tls_revoked_load(&tls->revoked, ctx, files->revoked, err);
	return rc;
}

static void
tls_set_rules(struct tls *tls)
{
	SSL_CTX *ctx = tls->ctx;

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	/* frames have lengths of their own: a missing goodbye can't cut one unseen */
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	/* The file has the chain.  OpenSSL would build one in each handshake, and add the
	 * authority's certificate, which the other side has, and decodes and keeps again. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	/* header and body of a TLS record by one read() instead of two */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	/* OpenSSL counts what is between the first and the authority */
	SSL_CTX_set_verify_depth(ctx, TLS_CHAIN_MAX - 1);
	if (tls->server) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   tls_verify_cb);
		SSL_CTX_set_alpn_select_cb(ctx, tls_choose_alpn_cb, NULL);
	} else {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_verify_cb);
		/* returns 0 for success, unlike its neighbours */
		must(SSL_CTX_set_alpn_protos(ctx, tls_alpn, TLS_ALPN_BYTES) == 0);
	}
}

static enum rc
tls_new(struct tls **out, const struct tls_files *files, bool server, struct err *err)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));
	enum rc rc;

	atomic_init(&tls->refs, 1);
	must(pthread_mutex_init(&tls->lock, NULL) == 0);
	tls->server = server;
	tls->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	tls->socket = tls_socket_method();
	if (tls->ctx == NULL || tls->socket == NULL || SSL_CTX_set_app_data(tls->ctx, tls) != 1) {
		rc = err_fail(err, "could not create a TLS context");
		tls_add_reasons(err);
		tls_unref(&tls);
		return rc;
	}
	tls_set_rules(tls);
	rc = tls_load_files(tls, files, err);
	if (rc != RC_OK) {
		tls_unref(&tls);
		return rc;
	}
	*out = tls;
	return RC_OK;
}

enum rc
tls_server_new(struct tls **tls, const struct tls_files *files, struct err *err)
{
	return tls_new(tls, files, true, err);
}

enum rc
tls_client_new(struct tls **tls, const struct tls_files *files, struct err *err)
{
	return tls_new(tls, files, false, err);
}

struct tls *
tls_ref(struct tls *tls)
{
	atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
	return tls;
}

void
tls_unref(struct tls **out)
{
	struct tls *tls = *out;

	if (tls == NULL)
		return;
	*out = NULL;
	if (atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_SESSION_free(tls->kept);
	SSL_CTX_free(tls->ctx);
	BIO_meth_free(tls->socket);
	tls_revoked_fini(&tls->revoked);
	tls_sessions_unref(&tls->sessions);
	(void)pthread_mutex_destroy(&tls->lock);
	free(tls);
}

struct tls *
tls_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

int
tls_days_left(const struct tls *tls)
{
	const X509 *own = SSL_CTX_get0_certificate(tls->ctx);
	int days = 0, seconds = 0;

	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(own)) != 1)
		return -1;
	return seconds < 0 ? days - 1 : days;
}
