/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of Standard Webhooks 1.0.0: "v1," and HMAC-SHA-256 over ID.TIMESTAMP.BODY in
 * base64; secrets are "whsec_" and a key in base64.  While a secret is changed there are
 * two, and a message has a signature by each, with a space between them.
 *
 * Pure functions but for the file; any thread.
 */
#ifndef GATEHOUSE_WIRE_WEBHOOK_H
#define GATEHOUSE_WIRE_WEBHOOK_H

#include "base/base.h"

enum {
	WEBHOOK_SECRETS_MAX = 4,
	WEBHOOK_KEY_MIN = 24, /* bytes, by the specification */
	WEBHOOK_KEY_MAX = 64,
	WEBHOOK_KEY_MADE = 32,
	/* "whsec_" and a key that we made, with the end */
	WEBHOOK_SECRET_TEXT = 6 + 44 + 1,
	/* "v1," and 32 bytes in base64, for each secret */
	WEBHOOK_SIGNATURES_TEXT = WEBHOOK_SECRETS_MAX * (3 + 44 + 1),
};

/* Wiped by webhook_secrets_wipe(). */
struct webhook_secrets {
	size_t n;
	struct {
		uint8_t key[WEBHOOK_KEY_MAX];
		size_t n;
	} of[WEBHOOK_SECRETS_MAX];
};

/* A secret on each line; empty lines are none.  RC_INVALID names the line, never what is
 * in it; the file's mode must keep others out. */
enum rc webhook_secrets_load(struct webhook_secrets *secrets, const char *path,
			     struct err *err) MUST_CHECK;
void webhook_secrets_wipe(struct webhook_secrets *secrets);

/* A new secret; the caller wipes it. */
enum rc webhook_secret_make(char text[WEBHOOK_SECRET_TEXT], struct err *err) MUST_CHECK;

/* The value of webhook-signature.  `id` must have no full stop. */
void webhook_sign(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s,
		  const void *body, size_t n, char out[WEBHOOK_SIGNATURES_TEXT]);

#endif
