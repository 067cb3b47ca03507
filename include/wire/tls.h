/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and the rules of the handshake: TLS 1.3 only, both sides
 * authenticate, ALPN "gatehouse/1".  One context serves all streams of all
 * threads; it is immutable after creation and counted.  New certificates are a
 * new context for new streams; those that stand keep theirs.
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

enum {
	TLS_NAME_MAX = 64,
	TLS_CHAIN_MAX = 3, /* certificates below the authority; a longer chain is refused */
	TLS_CERTIFICATE_ID_BYTES = 16,
};

/* Who the other side proved to be. */
struct tls_peer {
	enum tls_role role;
	char name[TLS_NAME_MAX + 1]; /* empty with TLS_ROLE_NONE */
	/* its certificate, and those above it without the authority's; zeros: none */
	uint8_t chain[TLS_CHAIN_MAX][TLS_CERTIFICATE_ID_BYTES];
	int64_t ends_s; /* Unix time when the first certificate of the chain ends */
};

struct tls_files {
	const char *ca;          /* PEM: who signs the other side's certificates */
	const char *certificate; /* PEM: ours, with its chain */
	const char *key;         /* PEM, not encrypted */
	const char *revoked;     /* PEM: revocation lists of those in `ca`; NULL: none */
};

struct tls;
struct tls_sessions;

/* From here on an allocation that fails within OpenSSL ends the process, as one of ours
 * does.  First thing of a program that must not live on without being able to serve:
 * before OpenSSL has allocated anything. */
void tls_fail_without_memory(void);

/* RC_INVALID: a file can't be read, parsed, or doesn't fit the others; err names it. */
enum rc tls_server_new(struct tls **tls, const struct tls_files *files, struct err *err) MUST_CHECK;
/* The server's name is not checked against an address, its chain is: a fleet
 * has its own CA, and reaches servers by addresses. */
enum rc tls_client_new(struct tls **tls, const struct tls_files *files, struct err *err) MUST_CHECK;
/* Before the first stream: clients that this memory knows come back by a short
 * handshake.  Shares `sessions`.  Without, each handshake is a full one. */
void tls_resume_at_server(struct tls *tls, struct tls_sessions *sessions);
/* Before the first stream: offers the last session to the server again. */
void tls_resume_at_client(struct tls *tls);
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls **tls);

/* Days until our own certificate ends; negative when it has. */
int tls_days_left(const struct tls *tls);
/* One of the peer's certificates is on the revocation lists of this context. */
bool tls_peer_is_revoked(const struct tls *tls, const struct tls_peer *peer);

const char *tls_role_name(enum tls_role role);

#endif
