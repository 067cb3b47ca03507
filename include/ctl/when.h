/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times and hours of the week as people write them in files and on command lines,
 * in the time of a site.
 *
 *	2026-12-31          a day: as a beginning its first moment, as an end its last,
 *	                    so that "until 2026-12-31" still opens on that day
 *	2026-12-31T18:00    to the minute; 18:00:30 to the second
 *	2026-12-31T18:00Z   the same in UTC; +08:00 and the like too
 *	Mon-Fri 07:00-19:00, Sat 08:00-12:00      hours; "Sat,Sun 00:00-24:00" too
 *
 * A local time that happens twice (clocks put back) is the first of the two; one that
 * never happens (clocks put forward) is refused.  Any thread.
 */
#ifndef GATEHOUSE_CTL_WHEN_H
#define GATEHOUSE_CTL_WHEN_H

#include "base/base.h"
#include "wire/entry.h"

enum when_side { WHEN_FROM, WHEN_UNTIL };

/* `zone_name`: an IANA name.  RC_INVALID: what was wrong, and what was expected. */
enum rc when_parse(const char *text, const char *zone_name, enum when_side side, int64_t *time_us,
		   struct err *err) MUST_CHECK;
/* New memory: what when_parse() reads back as the same; "" for 0. */
char *when_print(int64_t time_us, const char *zone_name, enum when_side side);

/* Spans come out ascending, and joined where they touch. */
enum rc when_parse_hours(const char *text, struct right_hours hours[RIGHT_HOURS_MAX], size_t *n,
			 struct err *err) MUST_CHECK;
/* New memory; "" for none. */
char *when_print_hours(const struct right_hours *hours, size_t n);

#endif
