/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alarm as one line: when, how bad, what state, what, where, and who did what.
 * Codes and addresses only, as the daemon sends them, and what a dispatcher said.
 *
 * Any thread.
 */
#include <string.h>

#include "ctl/show.h"
#include "ctl/text.h"

enum { SEVERITY_WIDTH = 8, STATE_WIDTH = 23, KIND_WIDTH = 24, SAID_WIDTH = 40 };

static const char *
text_at(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text == NULL ? "" : text;
}

/* The terminal's own sixteen colours, so that they fit to its background. */
static const char *
severity_colour(const char *severity)
{
	if (strcmp(severity, "critical") == 0)
		return "\033[1;31m";
	if (strcmp(severity, "high") == 0)
		return "\033[31m";
	if (strcmp(severity, "medium") == 0)
		return "\033[33m";
	return "";
}

/* The words behind one another with ", " between those that there are. */
static void
where_put(const json_t *line, FILE *out)
{
	const char *site = text_at(line, "site_name"), *door = text_at(line, "door_name");
	const char *parts[] = {
		door[0] != '\0' ? door : text_at(line, "door"),
		site[0] != '\0' ? site : text_at(line, "site"),
		text_at(line, "address"),
	};
	bool first = true;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i][0] == '\0')
			continue;
		(void)fputs(first ? "" : ", ", out);
		text_put(out, parts[i]);
		first = false;
	}
}

/* "accept by 17@desk-1", then how it came out and what was said. */
static void
action_put(const json_t *line, FILE *out)
{
	const char *verb = text_at(line, "verb"), *text = text_at(line, "text");
	/* where it was handed to is said by all changes behind that one, too */
	const char *const more[] = {text_at(line, "reject_reason"), text_at(line, "outcome"),
				    strcmp(verb, "hand_over") == 0 ? text_at(line, "handed_to")
								   : ""};
	const char *actor = text_at(line, "actor"), *operator_code = text_at(line, "operator");

	if (verb[0] == '\0')
		return;
	(void)fputs("  ", out);
	text_put(out, verb);
	(void)fputs(" by ", out);
	if (operator_code[0] != '\0') {
		text_put(out, operator_code);
		(void)fputc('@', out);
	}
	text_put(out, actor[0] != '\0' ? actor : "the server");
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		if (more[i][0] == '\0')
			continue;
		(void)fputs(", ", out);
		text_put(out, more[i]);
	}
	if (text[0] != '\0') {
		(void)fputs(": ", out);
		text_put_short(out, text, SAID_WIDTH);
	}
}

/* A group has none, nor what the server says of itself. */
static void
controller_put(const json_t *line, FILE *out)
{
	if (text_at(line, "controller")[0] == '\0')
		return;
	(void)fputs("  [", out);
	text_put(out, text_at(line, "controller"));
	(void)fputc(']', out);
}

static void
change_put(const json_t *line, bool colours, FILE *out)
{
	const char *severity = text_at(line, "severity");
	const char *colour = colours ? severity_colour(severity) : "";
	json_int_t count = json_integer_value(json_object_get(line, "count"));
	char when[TEXT_SHORT];

	(void)fputs(colour, out);
	(void)fprintf(
		out, "%s  ",
		text_time(json_integer_value(json_object_get(line, "durable_time_us")), when));
	text_put_padded(out, severity, SEVERITY_WIDTH, false);
	(void)fputs("  ", out);
	text_put_padded(out, text_at(line, "state"), STATE_WIDTH, false);
	(void)fputs("  ", out);
	text_put_padded(out, text_at(line, "kind"), KIND_WIDTH, false);
	(void)fputs("  ", out);
	where_put(line, out);
	controller_put(line, out);
	if (count > 1)
		(void)fprintf(out, "  x%lld", (long long)count);
	if (json_is_true(json_object_get(line, "silent")))
		(void)fputs("  SILENT", out);
	action_put(line, out);
	(void)fprintf(out, "%s\n", colour[0] != '\0' ? "\033[0m" : "");
}

void
show_json(const json_t *line, FILE *out)
{
	(void)json_dumpf(line, out, JSON_COMPACT);
	(void)fputc('\n', out);
	(void)fflush(out);
}

void
show_alarm(const json_t *line, bool colours, FILE *out)
{
	json_int_t position = json_integer_value(json_object_get(line, "position"));

	if (json_is_true(json_object_get(line, "resync"))) {
		(void)fputs("-- all alarms that stand: ", out);
		text_put(out, text_at(line, "reason"));
		(void)fputc('\n', out);
	} else if (json_is_true(json_object_get(line, "snapshot_end"))) {
		(void)fprintf(out, "-- that is all up to position %lld; now as they come\n",
			      (long long)position);
	} else if (json_object_get(line, "alarm_id") != NULL) {
		change_put(line, colours, out);
	}
}
