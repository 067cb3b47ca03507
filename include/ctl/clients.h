/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolling controllers, consoles and registration desks, one or thousands: rows in the register,
 * then a folder with key and certificate for each.
 *
 * The rows come first.  A row without a certificate, or a certificate without a
 * row, opens nothing; a run that was interrupted is repeated or finished by
 * `controller issue`.  Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_CLIENTS_H
#define GATEHOUSE_CTL_CLIENTS_H

#include "base/base.h"
#include "ctl/ctl.h"
#include "ctl/setup.h"
#include "wire/tls.h"

struct clients_wish {
	enum tls_role role;
	const char *out_dir; /* NULL: "clients" beside the configuration */
	const char *ca_dir;  /* NULL: "ca" beside the configuration */
	const char *host;    /* NULL: the first name in the server's certificate */
	int port;            /* -1: of the first listener that serves the role */
	int days;
	bool replace;
};

/* Texts are owned, and as the register has them; NULL where the role has no such. */
struct client {
	char *name;
	char *site;          /* of a controller: its code */
	char *station;       /* of a console: its code */
	char *right;         /* of a desk: landlord or manager */
	char *sites, *units; /* of a desk: with commas between */
};

struct clients {
	struct client *items;
	size_t n, capacity;
};

/* Copies its texts. */
void clients_add(struct clients *clients, const struct client *client);
void clients_fini(struct clients *clients);

/* Those of the register, with `names` (n > 0) only these, each of which must exist. */
enum rc clients_load(struct clients *clients, struct ctl *ctl, enum tls_role role,
		     const char *const *names, size_t n, struct err *err) MUST_CHECK;

/* Puts `setup` (NULL: nothing to put) and makes the folders.  On RC_INVALID the
 * setup may have problems, which say more than `err`. */
enum rc clients_enrol(struct clients *clients, struct ctl *ctl, const struct clients_wish *wish,
		      struct setup *setup, struct err *err) MUST_CHECK;

#endif
