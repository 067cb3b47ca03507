/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installation's own certificate authority: one key and one certificate in
 * a folder, and what it signs.  Keys are EC P-256, signatures ECDSA with
 * SHA-256.
 *
 * A certificate says who somebody is.  What that one may do stands in the
 * register, so that nothing has to be revoked to disable a controller.
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_CA_H
#define GATEHOUSE_CTL_CA_H

#include "base/base.h"
#include "wire/tls.h"

#define CA_KEY_FILE         "ca.key"
#define CA_CERTIFICATE_FILE "ca.pem"

enum {
	CA_DAYS_DEFAULT = 825, /* the longest that Apple's and others' rules take from a CA */
	CA_DAYS_MAX = 3650,
	CA_OWN_DAYS = 7300, /* of the authority itself: it can't be replaced in the field */
	CA_HOSTS_MAX = 16,
};

struct ca;

/* Two PEM texts; free with ca_identity_fini(), which wipes the key. */
struct ca_identity {
	char *certificate, *key;
	size_t certificate_bytes, key_bytes;
};
void ca_identity_fini(struct ca_identity *identity);

/* A new authority, in memory. */
enum rc ca_new(struct ca **ca, const char *common_name, struct err *err) MUST_CHECK;
/* The one whose CA_KEY_FILE and CA_CERTIFICATE_FILE are in `dir`.  RC_INVALID
 * when they don't belong together. */
enum rc ca_open(struct ca **ca, const char *dir, struct err *err) MUST_CHECK;
void ca_free(struct ca **ca);

/* Its own certificate and key, as files have them. */
enum rc ca_export(const struct ca *ca, struct ca_identity *out, struct err *err) MUST_CHECK;

/* For a controller or console, with the URI of wire/tls.h.  RC_INVALID when the
 * authority itself ends before `days` are over. */
enum rc ca_issue_client(const struct ca *ca, enum tls_role role, const char *name, int days,
			struct ca_identity *out, struct err *err) MUST_CHECK;
/* For a server that is reached under these names and addresses. */
enum rc ca_issue_server(const struct ca *ca, const char *const *hosts, size_t n_hosts, int days,
			struct ca_identity *out, struct err *err) MUST_CHECK;

/* An address of IPv4 or IPv6, or a DNS name. */
bool ca_host_is_valid(const char *host);
/* New memory: the first name or address of a server's certificate; NULL when the
 * file has none. */
char *ca_first_host(const char *certificate_path);

#endif
