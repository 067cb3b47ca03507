/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open-loop pacing: the integral of the rate from the beginning up to now.
 *
 * A profile is a step function of 144 slots; its integral is the sum of the
 * slots before, which is kept, and a part of the slot that now is in.
 *
 * Deliberately doesn't scale a profile whose mean isn't 1: the file says what
 * it says.
 */
#include "sim/pace.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILE_LINE_MAX = 256, PROFILE_MULTIPLE_MAX = 1000 };

/* One line of the file into the slot that must come next. */
static enum rc
profile_read_line(struct profile *profile, size_t slot, const char *line, struct err *err)
{
	unsigned got, hours, minutes;
	double multiple;
	int end = 0;

	if (slot == PROFILE_SLOTS)
		return err_invalid(err, "more than %d slots", PROFILE_SLOTS);
	if (sscanf(line, "%u %2u:%2u %lf %n", &got, &hours, &minutes, &multiple, &end) != 4 ||
	    line[end] != '\0')
		return err_invalid(err, "expected slot, start (HH:MM) and multiple");
	if (got != slot)
		return err_invalid(err, "slot is %u, expected %zu", got, slot);
	if (hours * 6 + minutes / 10 != slot || minutes % 10 != 0)
		return err_invalid(err, "slot %zu starts at %02zu:%02zu", slot, slot / 6,
				   slot % 6 * 10);
	if (!isfinite(multiple) || multiple < 0 || multiple > PROFILE_MULTIPLE_MAX)
		return err_invalid(err, "multiple is not a number from 0 to %d",
				   PROFILE_MULTIPLE_MAX);
	profile->multiple[slot] = multiple;
	profile->before[slot + 1] = profile->before[slot] + multiple;
	return RC_OK;
}

static bool
profile_line_is_words(const char *line)
{
	return line[0] == '#' || line[strspn(line, " \t\r\n")] == '\0' ||
	       strncmp(line, "slot", 4) == 0;
}

static enum rc
profile_read(struct profile *profile, FILE *file, const char *path, struct err *err)
{
	char line[PROFILE_LINE_MAX];
	size_t slot = 0;

	for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
		struct err why;

		if (profile_line_is_words(line))
			continue;
		if (profile_read_line(profile, slot, line, &why) != RC_OK)
			return err_invalid(err, "%s:%u: %s", path, number, why.msg);
		slot++;
	}
	if (ferror(file))
		return err_sys(err, "could not read file \"%s\"", path);
	if (slot != PROFILE_SLOTS)
		return err_invalid(err, "%s: %zu slots, expected %d", path, slot, PROFILE_SLOTS);
	return RC_OK;
}

enum rc
profile_load(struct profile *profile, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	enum rc rc;

	*profile = (struct profile){0};
	if (file == NULL)
		return err_sys(err, "could not open file \"%s\"", path);
	rc = profile_read(profile, file, path, err);
	(void)fclose(file);
	return rc;
}

/* The integral of the multiples over `days`, in days. */
static double
profile_integral(const struct profile *profile, double days)
{
	double whole = (double)(uint64_t)days;
	double at = (days - whole) * PROFILE_SLOTS;
	size_t slot = (size_t)at;

	if (slot >= PROFILE_SLOTS) /* the product was rounded up */
		slot = PROFILE_SLOTS - 1;
	return (whole * profile->before[PROFILE_SLOTS] + profile->before[slot] +
		(at - (double)slot) * profile->multiple[slot]) /
	       PROFILE_SLOTS;
}

uint64_t
pace_due(const struct pace *pace, uint64_t elapsed_ns)
{
	double elapsed_s = (double)elapsed_ns / 1e9;

	if (pace->profile != NULL)
		elapsed_s = profile_integral(pace->profile, elapsed_s / pace->day_s) * pace->day_s;
	return (uint64_t)(pace->per_s * elapsed_s);
}
