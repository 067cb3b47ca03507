/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and the rules of the handshake: TLS 1.3 only, both sides
 * authenticate, ALPN "gatehouse/1".  One context serves all streams of all
 * threads; it is immutable after creation and counted.
 */
#ifndef GATEHOUSE_WIRE_TLS_H
#define GATEHOUSE_WIRE_TLS_H

#include "base/base.h"

#define TLS_ALPN "gatehouse/1"

enum tls_role {
	TLS_ROLE_NONE,       /* a certificate without a name of ours */
	TLS_ROLE_CONTROLLER, /* urn:gatehouse:controller:NAME */
	TLS_ROLE_CONSOLE,    /* urn:gatehouse:console:NAME */
	TLS_ROLE_DESK,       /* urn:gatehouse:desk:NAME: a registration desk */
	TLS_ROLES,
};

enum { TLS_NAME_MAX = 64 };

struct tls_files {
	const char *ca;          /* PEM: who signs the other side's certificates */
	const char *certificate; /* PEM: ours, with its chain */
	const char *key;         /* PEM, not encrypted */
};

struct tls;

/* From here on an allocation that fails within OpenSSL ends the process, as one of ours
 * does.  First thing of a program that must not live on without being able to serve:
 * before OpenSSL has allocated anything. */
void tls_fail_without_memory(void);

/* RC_INVALID: a file can't be read, parsed, or doesn't fit the others; err names it. */
enum rc tls_server_new(struct tls **tls, const struct tls_files *files, struct err *err) MUST_CHECK;
/* The server's name is not checked against an address, its chain is: a fleet
 * has its own CA, and reaches servers by addresses. */
enum rc tls_client_new(struct tls **tls, const struct tls_files *files, struct err *err) MUST_CHECK;
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls **tls);

/* Days until our own certificate ends; negative when it has. */
int tls_days_left(const struct tls *tls);

const char *tls_role_name(enum tls_role role);

#endif
