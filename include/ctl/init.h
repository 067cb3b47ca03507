/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new installation: folders, a private certificate authority, the server's
 * certificate, the key of card tokens, and a configuration that works.
 *
 * Either all below one folder, which may then be moved as a whole, or in the
 * places of the system, where systemd's unit expects it.  Owner: one thread.
 */
#ifndef GATEHOUSE_CTL_INIT_H
#define GATEHOUSE_CTL_INIT_H

#include <stdio.h>

#include "base/base.h"
#include "ctl/ca.h"
#include "ctl/files.h"

struct init_wish {
	const char *dir; /* NULL: /etc/gatehouse and /var/lib/gatehouse */
	const char *hosts[CA_HOSTS_MAX];
	size_t n_hosts;
	const char *conninfo;
	int port, console_port;   /* the same: one listener for both roles */
	int days;                 /* of the server's certificate */
	struct files_owner owner; /* of what the daemon reads or writes */
};

/*
 * Makes it all, durably, and tells `out` what it made.  RC_INVALID when any of
 * the files is there already: err names one, `out` has the list, and nothing
 * was changed.  On RC_FAIL the files made so far are removed.
 */
enum rc init_make(const struct init_wish *wish, FILE *out, struct err *err) MUST_CHECK;

/* New memory: where the configuration goes. */
char *init_config_path(const struct init_wish *wish);

#endif
