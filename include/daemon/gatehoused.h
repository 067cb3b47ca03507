/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon as a whole: what there is, in the order of its making.  main.c makes
 * and ends it, status.c describes it.
 *
 * Owner: the main thread.
 */
#ifndef GATEHOUSE_DAEMON_GATEHOUSED_H
#define GATEHOUSE_DAEMON_GATEHOUSED_H

#include <jansson.h>

#include "daemon/control.h"
#include "daemon/follower.h"
#include "daemon/settings.h"
#include "daemon/worker.h"
#include "store/store.h"

#ifndef GATEHOUSE_VERSION
#define GATEHOUSE_VERSION "0.1"
#endif

enum register_source { REGISTER_NONE, REGISTER_SNAPSHOT, REGISTER_POSTGRESQL };

struct gatehoused {
	struct settings settings;
	struct tls *tls;
	struct journal *journal;
	struct follower *follower;
	struct store *store;
	struct reg *reg;
	enum register_source reg_source;
	struct loop *loop;
	struct roster *roster;
	struct entrance *entrances;
	struct worker **workers;
	unsigned n_workers, n_stopped;
	struct control *control;
	int64_t start_us;
	uint64_t start_ms;
	bool stopping;
	/* for rates and for the watchdog: what was seen at the last look */
	uint64_t seen_bytes, seen_ms, bytes_per_s;
};

/* ---- status.c ------------------------------------------------------------------------ */

/* The reply to {"verb":"status"}: a new object. */
json_t *gatehoused_status(const struct gatehoused *daemon);
/* One line for systemctl status. */
void gatehoused_status_line(const struct gatehoused *daemon, char *out, size_t size);

#endif
