/* SPDX-License-Identifier: Apache-2.0 */
/* Inside web/upstream: a station of the pages as the one who takes. */
#ifndef GATEHOUSE_WEB_UPSTREAM_PRIV_H
#define GATEHOUSE_WEB_UPSTREAM_PRIV_H

#include "web/upstream.h"

/* Its argument is a struct station; of its news upstream.c tells the pages. */
extern const struct upstream_taker station_taker;

#endif
