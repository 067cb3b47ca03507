/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones by GLib.  A GTimeZone never changes once made, and is counted
 * atomically: any thread may ask it.
 *
 * The POSIX string is the last line of the zone's file in the system's table: what
 * the table says about the time after its last entry (RFC 8536, footer).
 */
#include "register/zone.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

#define ZONE_DIR "/usr/share/zoneinfo"

enum { ZONE_NAME_MAX = 64, ZONE_FILE_MAX = 1 << 20, POSIX_MAX = 100, WEEK_MINUTES = 7 * 24 * 60 };

struct zone {
	GTimeZone *glib;
	char *name;
	char posix[POSIX_MAX + 1];
};

/* Names only, no path: it becomes one below ZONE_DIR. */
static bool
name_is_good(const char *name)
{
	size_t len = strnlen(name, ZONE_NAME_MAX + 1);

	return len > 0 && len <= ZONE_NAME_MAX && name[0] != '/' && strstr(name, "..") == NULL &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
		       len;
}

static enum rc
zone_read_posix(struct zone *zone, struct err *err)
{
	char *path = xasprintf(ZONE_DIR "/%s", zone->name);
	uint8_t *bytes = NULL;
	size_t n = 0, begin;
	enum rc rc = fs_read_file(path, ZONE_FILE_MAX, &bytes, &n, err);

	free(path);
	if (rc != RC_OK || n < 5 || memcmp(bytes, "TZif", 4) != 0 || bytes[n - 1] != '\n')
		goto out;
	for (begin = n - 1; begin > 0 && bytes[begin - 1] != '\n'; begin--)
		;
	n -= begin + 1;
	if (n > 0 && n <= POSIX_MAX)
		memcpy(zone->posix, bytes + begin, n);

out:
	free(bytes);
	return zone->posix[0] != '\0' ? RC_OK : RC_INVALID;
}

enum rc
zone_new(struct zone **out, const char *name, struct err *err)
{
	struct zone *zone;
	struct err why;

	*out = NULL;
	if (!name_is_good(name))
		return err_invalid(err, "\"%.64s\" is not the name of a time zone", name);
	zone = xcalloc(1, sizeof(*zone));
	zone->name = xstrdup(name);
	zone->glib = g_time_zone_new_identifier(name);
	if (zone->glib == NULL || zone_read_posix(zone, &why) != RC_OK) {
		zone_free(&zone);
		return err_invalid(err, "there is no time zone \"%s\"; known are those in %s", name,
				   ZONE_DIR);
	}
	*out = zone;
	return RC_OK;
}

void
zone_free(struct zone **out)
{
	struct zone *zone = *out;

	if (zone == NULL)
		return;
	*out = NULL;
	if (zone->glib != NULL)
		g_time_zone_unref(zone->glib);
	free(zone->name);
	free(zone);
}

const char *
zone_name(const struct zone *zone)
{
	return zone->name;
}

const char *
zone_posix(const struct zone *zone)
{
	return zone->posix;
}

/* Rounds down, also before 1970. */
static int64_t
divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

uint32_t
zone_week_minute(const struct zone *zone, int64_t time_us)
{
	int64_t seconds = divide_down(time_us, 1000000);
	int interval = g_time_zone_find_interval(zone->glib, G_TIME_TYPE_UNIVERSAL, seconds);
	int64_t minute = divide_down(seconds + g_time_zone_get_offset(zone->glib, interval), 60);
	/* 1970-01-01 was a Thursday: three days after a Monday */
	int64_t of_week = (minute + INT64_C(3) * 24 * 60) % WEEK_MINUTES;

	return (uint32_t)(of_week < 0 ? of_week + WEEK_MINUTES : of_week);
}
