/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders that "gatehousectl controller add", "console add" and "desk add" write,
 * one for each client: ca.pem, certificate.pem, key.pem and client.json.
 * Immutable after loading.
 */
#ifndef GATEHOUSE_SIM_ENROLMENT_H
#define GATEHOUSE_SIM_ENROLMENT_H

#include <sys/socket.h>

#include "wire/tls.h"

struct enrolment_door {
	uint16_t number; /* on its controller, from 1 */
	char *code;
};

struct enrolment {
	char *dir; /* of this client */
	char *name;
	char *host;
	char *port;
	struct enrolment_door *doors; /* by number; none for a console */
	size_t n_doors;
	char *site_key; /* of a controller: base64; NULL: none */
	char **sites;   /* of a desk: codes */
	size_t n_sites;
	struct sockaddr_storage address; /* after enrolments_resolve() */
	socklen_t address_len;
};

struct enrolments {
	struct enrolment *items; /* sorted by name */
	size_t n;
};

/* Loads those of `role` among the folders in `dir`; a folder without a
 * client.json is passed over.  `limit` > 0: only the first so many by name.
 * RC_INVALID names the file and what is wrong; `all` is then empty. */
enum rc enrolments_load(struct enrolments *all, const char *dir, enum tls_role role, size_t limit,
			struct err *err) MUST_CHECK;

/* Finds each address.  `connect` ("HOST:PORT", may be NULL) goes before that of the folders. */
enum rc enrolments_resolve(struct enrolments *all, const char *connect, struct err *err) MUST_CHECK;

/* True when the controller has a door of this number. */
bool enrolment_has_door(const struct enrolment *enrolment, uint32_t number);

void enrolments_free(struct enrolments *all);

#endif
