/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder that a controller, console or desk is given: the authority's certificate,
 * its own certificate and key, and what it has to know in client.json.
 *
 *	DIR/NAME/ca.pem certificate.pem key.pem client.json
 *
 * A folder is written beside its place, as DIR/.NAME.new, and moved there whole
 * when the register has the client: stage all, sync, commit, publish all.
 * Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_ENROL_H
#define GATEHOUSE_CTL_ENROL_H

#include "base/base.h"
#include "ctl/ca.h"

/* What all folders of one run have in common. */
struct enrol {
	const struct ca *ca;
	const struct ca_identity *authority; /* only its certificate is used */
	const char *dir;
	enum tls_role role;
	const char *host; /* where the clients find the daemon */
	int port;
	int days;
	bool replace; /* a folder that is there is replaced, not refused */
};

struct enrol_door {
	uint32_t number;
	const char *code;
};

struct enrol_client {
	const char *name;
	const char *station;            /* of a console */
	const char *right;              /* of a desk: landlord or manager .. */
	const char *sites, *units;      /* .. of these, with commas between; NULL: none */
	const struct enrol_door *doors; /* of a controller */
	size_t n_doors;
	const char *site_key; /* of a controller: of its site's cards, base64; NULL: none */
};

/* RC_INVALID when DIR/NAME is there and must not be replaced. */
enum rc enrol_stage(const struct enrol *enrol, const struct enrol_client *client,
		    struct err *err) MUST_CHECK;
/* Moves what was staged to DIR/NAME. */
enum rc enrol_publish(const struct enrol *enrol, const char *name, struct err *err) MUST_CHECK;
/* Removes what was staged; nothing staged is fine. */
void enrol_discard(const struct enrol *enrol, const char *name);

#endif
