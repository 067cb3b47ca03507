/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Personal fields, sealed at the registration desk to the data owner's public key:
 * CMS EnvelopedData in DER (RFC 5652), content under AES-256-CBC, its key under the
 * owner's certificate (RSA, or ECDH for EC keys).  Whoever operates the server or
 * its database holds ciphertext; only the owner's private key opens it, which never
 * comes near this program: `openssl cms -decrypt -inform DER -inkey KEY` does it.
 *
 * Any thread.
 */
#ifndef GATEHOUSE_CTL_SEAL_H
#define GATEHOUSE_CTL_SEAL_H

#include "base/base.h"

enum {
	SEAL_PLAIN_MAX = 8192,   /* bytes of fields before they are sealed */
	SEAL_SEALED_MAX = 12288, /* and after: what fits into a record's frame by default */
};

struct sealer;

/* `certificate`: PEM file of the data owner.  RC_INVALID: it can't be read or parsed,
 * has ended, or its key can't be sealed to. */
enum rc sealer_open(struct sealer **sealer, const char *certificate, struct err *err) MUST_CHECK;
void sealer_close(struct sealer **sealer);

/* *sealed is new memory.  RC_INVALID: more than SEAL_PLAIN_MAX bytes. */
enum rc sealer_seal(struct sealer *sealer, const void *plain, size_t n, uint8_t **sealed,
		    size_t *sealed_bytes, struct err *err) MUST_CHECK;

#endif
