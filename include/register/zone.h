/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones: which minute of the week it is at a place.  GLib reads the system's
 * table of zones; a zone is immutable once made, and serves any thread.
 */
#ifndef GATEHOUSE_REGISTER_ZONE_H
#define GATEHOUSE_REGISTER_ZONE_H

#include "base/base.h"

struct zone;

/* By IANA name.  RC_INVALID: there is no such zone. */
enum rc zone_new(struct zone **zone, const char *name, struct err *err) MUST_CHECK;
void zone_free(struct zone **zone);
const char *zone_name(const struct zone *zone);
/* The same as a POSIX TZ string, for devices without a table of zones: what the table
 * says about the future. */
const char *zone_posix(const struct zone *zone);
/* 0 .. 10079, from Monday 00:00 in that zone. */
uint32_t zone_week_minute(const struct zone *zone, int64_t time_us);

#endif
