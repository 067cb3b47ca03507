/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of an enrolled console: client.json and the certificate, as gatehousectl
 * writes them.  Owner: one thread.
 */
#ifndef GATEHOUSE_WEB_ENROLLED_H
#define GATEHOUSE_WEB_ENROLLED_H

#include <sys/socket.h>

#include "web/sessions.h"
#include "wire/tls.h"

struct enrolled {
	char *name, *station;
	enum web_right right;            /* as it was when it was enrolled; the register decides */
	struct sockaddr_storage address; /* of the daemon */
	socklen_t address_len;
	struct tls *tls;
};

/* Looks the host's address up, too.  RC_INVALID names the file and what is wrong. */
enum rc enrolled_load(struct enrolled *enrolled, const char *dir, struct err *err) MUST_CHECK;
/* Shares the certificate. */
void enrolled_copy(struct enrolled *to, const struct enrolled *from);
void enrolled_fini(struct enrolled *enrolled);

#endif
