/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times by GLib, which has the system's table of time zones; hours of the week by
 * hand, because nobody else writes them like this.  Any thread.
 */
#include "ctl/when.h"

#include <ctype.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MINUTES = 24 * 60, US_PER_S = 1000000 };

static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/* ---- Times ------------------------------------------------------------------- */

struct local_time {
	int year, month, day, hour, minute, second;
	bool is_day;  /* no time of day was given */
	char zone[8]; /* "Z", "+08:00"; "": the site's */
};

static bool
scan_local(const char *text, struct local_time *t)
{
	int at = 0;

	*t = (struct local_time){0};
	if (sscanf(text, "%4d-%2d-%2d%n", &t->year, &t->month, &t->day, &at) != 3 || at != 10)
		return false;
	text += at;
	t->is_day = *text == '\0';
	if (t->is_day)
		return true;
	at = 0;
	if ((*text != 'T' && *text != ' ') ||
	    sscanf(text + 1, "%2d:%2d%n", &t->hour, &t->minute, &at) != 2 || at != 5)
		return false;
	text += 1 + at;
	at = 0;
	if (*text == ':' && (sscanf(text + 1, "%2d%n", &t->second, &at) != 1 || at != 2))
		return false;
	text += *text == ':' ? 1 + at : 0;
	if (strlen(text) >= sizeof(t->zone))
		return false;
	strcpy(t->zone, text);
	return *text == '\0' || *text == 'Z' || *text == '+' || *text == '-';
}

static GTimeZone *
local_zone(const struct local_time *t, const char *zone_name)
{
	return g_time_zone_new_identifier(t->zone[0] != '\0' ? t->zone : zone_name);
}

/* GLib moves a time that never happens to one that does: then it reads differently. */
static bool
reads_as(GDateTime *at, const struct local_time *t)
{
	return g_date_time_get_hour(at) == t->hour && g_date_time_get_minute(at) == t->minute &&
	       g_date_time_get_day_of_month(at) == t->day;
}

/* Of a time that happens twice, GLib takes the second. */
static GDateTime *
the_first(GDateTime *at, const struct local_time *t)
{
	static const int set_back[] = {120, 60, 30, 20}; /* minutes, all that zones know of */

	for (size_t i = 0; i < ARRAY_LEN(set_back); i++) {
		GDateTime *earlier = g_date_time_add_minutes(at, -set_back[i]);

		if (reads_as(earlier, t)) {
			g_date_time_unref(at);
			return earlier;
		}
		g_date_time_unref(earlier);
	}
	return at;
}

static GDateTime *
local_to_date(const struct local_time *t, GTimeZone *zone, enum when_side side)
{
	GDateTime *at =
		g_date_time_new(zone, t->year, t->month, t->day, t->hour, t->minute, t->second);
	GDateTime *next;

	if (at == NULL)
		return NULL;
	if (!t->is_day || side == WHEN_FROM)
		return the_first(at, t);
	next = g_date_time_add_days(at, 1);
	g_date_time_unref(at);
	return next;
}

enum rc
when_parse(const char *text, const char *zone_name, enum when_side side, int64_t *time_us,
	   struct err *err)
{
	struct local_time t;
	GTimeZone *zone = NULL;
	GDateTime *at = NULL;
	enum rc rc = RC_OK;

	if (!scan_local(text, &t))
		return err_invalid(err,
				   "\"%s\" is no time, expected 2026-12-31 or 2026-12-31T18:00, "
				   "with Z or +08:00 behind it where it isn't the site's time",
				   text);
	zone = local_zone(&t, zone_name);
	if (zone == NULL) {
		rc = err_invalid(err, "there is no time zone \"%s\"",
				 t.zone[0] != '\0' ? t.zone : zone_name);
		goto out;
	}
	at = local_to_date(&t, zone, side);
	if (at == NULL)
		rc = err_invalid(err, "\"%s\" is not in the calendar", text);
	else if (!t.is_day && !reads_as(at, &t))
		rc = err_invalid(err, "\"%s\" never happens in %s: the clocks are put forward",
				 text, zone_name);
	else
		*time_us = g_date_time_to_unix(at) * US_PER_S;
out:
	g_clear_pointer(&at, g_date_time_unref);
	g_clear_pointer(&zone, g_time_zone_unref);
	return rc;
}

char *
when_print(int64_t time_us, const char *zone_name, enum when_side side)
{
	GTimeZone *zone = g_time_zone_new_identifier(zone_name);
	GDateTime *utc = g_date_time_new_from_unix_utc(time_us / US_PER_S), *at, *day;
	char *made, *text;

	if (time_us == 0 || zone == NULL || utc == NULL) {
		g_clear_pointer(&utc, g_date_time_unref);
		g_clear_pointer(&zone, g_time_zone_unref);
		return xstrdup("");
	}
	at = g_date_time_to_timezone(utc, zone);
	if (g_date_time_get_hour(at) == 0 && g_date_time_get_minute(at) == 0 &&
	    g_date_time_get_second(at) == 0) {
		day = g_date_time_add_days(at, side == WHEN_UNTIL ? -1 : 0);
		made = g_date_time_format(day, "%Y-%m-%d");
		g_date_time_unref(day);
	} else if (g_date_time_get_second(at) == 0) {
		made = g_date_time_format(at, "%Y-%m-%dT%H:%M");
	} else {
		made = g_date_time_format(at, "%Y-%m-%dT%H:%M:%S");
	}
	text = xstrdup(made);
	g_free(made);
	g_date_time_unref(at);
	g_date_time_unref(utc);
	g_time_zone_unref(zone);
	return text;
}

/* ---- Hours of the week -------------------------------------------------------- */

/* Which minutes of the week are within the hours: simpler than merging spans. */
struct week {
	bool open[WEEK_MINUTES];
};

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

static bool
scan_day(const char **at, int *day)
{
	for (int i = 0; i < (int)ARRAY_LEN(day_names); i++) {
		if (strncmp(*at, day_names[i], 3) == 0) {
			*day = i;
			*at += 3;
			return true;
		}
	}
	return false;
}

/* "Mon-Fri", "Sat,Sun": a bit for each day. */
static bool
scan_days(const char **at, unsigned *days)
{
	*days = 0;
	for (;;) {
		int from, to;

		if (!scan_day(at, &from))
			return false;
		to = from;
		if (**at == '-' && (++*at, !scan_day(at, &to)))
			return false;
		for (int day = from; *days |= 1u << day, day != to;)
			day = (day + 1) % (int)ARRAY_LEN(day_names);
		if (**at != ',' || !isalpha((unsigned char)(*at)[1]))
			return true;
		++*at;
	}
}

static bool
scan_clock(const char **at, int *minute)
{
	int hour, past, n = 0;

	if (sscanf(*at, "%2d:%2d%n", &hour, &past, &n) != 2 || n != 5 || hour < 0 || past < 0 ||
	    past > 59 || hour * 60 + past > DAY_MINUTES)
		return false;
	*minute = hour * 60 + past;
	*at += n;
	return true;
}

static bool
scan_span(const char **at, struct week *week)
{
	unsigned days;
	int from, to;

	if (!scan_days(at, &days))
		return false;
	*at = skip_blanks(*at);
	if (!scan_clock(at, &from) || *(*at)++ != '-' || !scan_clock(at, &to) || to <= from)
		return false;
	for (int day = 0; day < (int)ARRAY_LEN(day_names); day++) {
		for (int minute = from; (days & 1u << day) != 0 && minute < to; minute++)
			week->open[day * DAY_MINUTES + minute] = true;
	}
	return true;
}

static bool
scan_week(const char *text, struct week *week)
{
	const char *at = skip_blanks(text);

	for (;;) {
		if (!scan_span(&at, week))
			return false;
		at = skip_blanks(at);
		if (*at == '\0')
			return true;
		if (*at++ != ',')
			return false;
		at = skip_blanks(at);
	}
}

/* False: more than RIGHT_HOURS_MAX. */
static bool
week_spans(const struct week *week, struct right_hours *hours, size_t *n)
{
	*n = 0;
	for (unsigned minute = 0; minute < WEEK_MINUTES; minute++) {
		bool begins = week->open[minute] && (minute == 0 || !week->open[minute - 1]);

		if (begins && *n == RIGHT_HOURS_MAX)
			return false;
		if (begins)
			hours[(*n)++].from_minute = (uint16_t)minute;
		if (week->open[minute])
			hours[*n - 1].to_minute = (uint16_t)(minute + 1);
	}
	return true;
}

enum rc
when_parse_hours(const char *text, struct right_hours hours[RIGHT_HOURS_MAX], size_t *n,
		 struct err *err)
{
	struct week week = {0};

	if (!scan_week(text, &week))
		return err_invalid(err,
				   "\"%s\" are no hours, expected Mon-Fri 07:00-19:00, Sat "
				   "08:00-12:00",
				   text);
	if (!week_spans(&week, hours, n))
		return err_invalid(err, "\"%s\" are more than %d spans", text, RIGHT_HOURS_MAX);
	return RC_OK;
}

/* A span that goes over midnight is printed by the day, as it was written. */
char *
when_print_hours(const struct right_hours *hours, size_t n)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	const char *comma = "";

	must(out != NULL);
	for (size_t i = 0; i < n; i++) {
		for (unsigned from = hours[i].from_minute; from < hours[i].to_minute;) {
			unsigned day = from / DAY_MINUTES, end = (day + 1) * DAY_MINUTES;
			unsigned to = hours[i].to_minute < end ? hours[i].to_minute : end;

			(void)fprintf(out, "%s%s %02u:%02u-%02u:%02u", comma, day_names[day],
				      from % DAY_MINUTES / 60, from % 60,
				      (to - day * DAY_MINUTES) / 60, to % 60);
			comma = ", ";
			from = to;
		}
	}
	(void)fclose(out);
	return text;
}
