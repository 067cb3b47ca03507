/* SPDX-License-Identifier: Apache-2.0 */
/* Where gatehouse-web's configuration is.  Owner: one thread. */
#ifndef GATEHOUSE_CTL_WEB_H
#define GATEHOUSE_CTL_WEB_H

#include "ctl/ctl.h"

/* The daemon's configuration is that of the system, and so is gatehouse-web's. */
bool web_is_system(const struct ctl *ctl);
/* New memory: `given` (may be NULL), or its place. */
char *web_config_path(const struct ctl *ctl, const char *given);

#endif
