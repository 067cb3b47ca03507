/* SPDX-License-Identifier: Apache-2.0 */
/* Where gatehouse-web's configuration is, whose, and the program itself.  Owner: one thread. */
#ifndef GATEHOUSE_CTL_WEB_H
#define GATEHOUSE_CTL_WEB_H

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/files.h"

struct web_settings;

/* For a verb's options: what is `given` below. */
#define WEB_CONFIG_OPTION(key)                                                                     \
	{                                                                                          \
		"web", (key), "FILE", 0,                                                           \
			"configuration of gatehouse-web; default: web/gatehouse-web.yaml beside "  \
			"the daemon's, or /etc/gatehouse-web/gatehouse-web.yaml",                  \
			0                                                                          \
	}

/* The daemon's configuration is that of the system, and so is gatehouse-web's. */
bool web_is_system(const struct ctl *ctl);
/* New memory: `given` (may be NULL), or its place. */
char *web_config_path(const struct ctl *ctl, const char *given);
/* Whose its files are: `user` where it is named; the system's, by root; else ours. */
enum rc web_find_owner(const struct ctl *ctl, const char *user, struct files_owner *owner,
		       struct err *err) MUST_CHECK;
/* Which gatehouse-web is asked. */
struct web_asked {
	const struct ctl *ctl;
	const char *config; /* NULL: in its place */
	bool outward;       /* it asks somebody else first, and has its own time limit for that */
};
/* Loads its configuration, which the caller frees, and asks the one that runs.  Takes
 * `request`.  As control_ask(). */
enum rc web_ask(const struct web_asked *of, struct web_settings *settings, json_t *request,
		json_t **reply, struct err *err) MUST_CHECK;

#endif
