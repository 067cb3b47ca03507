/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status reply as a screenful: a table says which member stands in which
 * line, in which form.  Lists of reasons are shown as they come, because their
 * names are the daemon's.
 *
 * Any thread.
 */
#include <string.h>

#include "ctl/show.h"
#include "ctl/text.h"

enum form {
	FORM_TEXT,
	FORM_COUNT,
	FORM_BYTES,
	FORM_RATE,     /* bytes per second */
	FORM_SECONDS,  /* a length of time */
	FORM_FRACTION, /* seconds, with two decimals */
	FORM_MS,
	FORM_US,
	FORM_TIME, /* a moment, in microseconds */
	FORM_YES,  /* bool */
};

struct item {
	const char *path; /* "journal.segments" */
	enum form form;
	const char *before, *after; /* the words around the value */
};

enum { ITEMS_MAX = 7, LABEL_WIDTH = 13, ADDRESS_WIDTH = 22 };

struct line {
	const char *label;
	struct item items[ITEMS_MAX];
};

static const struct line head_lines[] = {
	{"gatehoused",
	 {{"version", FORM_TEXT, "", ""},
	  {"node", FORM_COUNT, "node ", ""},
	  {"pid", FORM_TEXT, "pid ", ""},
	  {"uptime_s", FORM_SECONDS, "up ", ""}}},
	{"connections",
	 {{"connections.controllers", FORM_COUNT, "", " controllers"},
	  {"connections.consoles", FORM_COUNT, "", " consoles"},
	  {"connections.desks", FORM_COUNT, "", " desks"},
	  {"connections.handshaking", FORM_COUNT, "", " in the handshake"},
	  {"connections.accepted_total", FORM_COUNT, "", " accepted"}}},
};

static const struct line lines[] = {
	{"positions",
	 {{"positions.appended", FORM_COUNT, "", " appended"},
	  {"positions.durable", FORM_COUNT, "", " durable"},
	  {"positions.stored", FORM_COUNT, "", " stored"}}},
	{"to store",
	 {{"lag.bytes", FORM_BYTES, "", ""}, {"lag.seconds", FORM_FRACTION, "", " behind"}}},
	{"journal",
	 {{"journal.segments", FORM_COUNT, "", " segments"},
	  {"journal.bytes_per_s", FORM_RATE, "", ""},
	  {"journal.syncs_total", FORM_COUNT, "", " syncs"},
	  {"journal.sync_us_mean", FORM_US, "", " each"}}},
	{"damaged",
	 {{"journal.damaged_regions", FORM_COUNT, "", " places"},
	  {"journal.damaged_bytes", FORM_BYTES, "", ""}}},
	{"disk",
	 {{"journal.disk_free_bytes", FORM_BYTES, "", " free"},
	  {"journal.alarms_only", FORM_YES, "alarms only: ", ""},
	  {"journal.paused_ms", FORM_MS, "paused ", ""}}},
	{"store",
	 {{"store.state", FORM_TEXT, "", ""},
	  {"store.records_total", FORM_COUNT, "", " records"},
	  {"store.batches_total", FORM_COUNT, "", " batches"},
	  {"store.slow_batches_total", FORM_COUNT, "", " slow ones"},
	  {"store.duplicates_total", FORM_COUNT, "", " duplicates"},
	  {"store.quarantined_total", FORM_COUNT, "", " quarantined"}}},
	{"last commit", {{"store.last_commit_us", FORM_TIME, "", ""}}},
	{"register",
	 {{"register.source", FORM_TEXT, "", ""}, {"register.as_of_us", FORM_TIME, "as of ", ""}}},
	{"",
	 {{"register.stations", FORM_COUNT, "", " stations"},
	  {"register.areas", FORM_COUNT, "", " areas"},
	  {"register.sites", FORM_COUNT, "", " sites"},
	  {"register.controllers", FORM_COUNT, "", " controllers"},
	  {"register.doors", FORM_COUNT, "", " doors"},
	  {"register.consoles", FORM_COUNT, "", " consoles"}}},
	{"rights",
	 {{"rights.cards", FORM_COUNT, "", " cards"},
	  {"rights.rights", FORM_COUNT, "", " rights"},
	  {"rights.controllers", FORM_COUNT, "", " lists"},
	  {"rights.behind", FORM_COUNT, "", " not confirmed"},
	  {"rights.divergences_total", FORM_COUNT, "", " divergences"},
	  {"rights.ready", FORM_YES, "whole: ", ""}}},
	{"fleet",
	 {{"fleet.online", FORM_COUNT, "", " online"},
	  {"fleet.lost", FORM_COUNT, "", " lost"},
	  {"fleet.records_total", FORM_COUNT, "", " records"},
	  {"fleet.rejected_total", FORM_COUNT, "", " rejected"},
	  {"fleet.duplicates_total", FORM_COUNT, "", " duplicates"},
	  {"fleet.gaps_total", FORM_COUNT, "", " gaps"},
	  {"fleet.ahead_total", FORM_COUNT, "", " ahead"}}},
	{"desk",
	 {{"desk.alarms_open", FORM_COUNT, "", " alarms open"},
	  {"desk.changes_total", FORM_COUNT, "", " changes"},
	  {"desk.consoles", FORM_COUNT, "", " consoles"},
	  {"desk.resyncs_total", FORM_COUNT, "", " resyncs"},
	  {"desk.position", FORM_COUNT, "position ", ""}}},
	{"actions",
	 {{"desk.actions_accepted_total", FORM_COUNT, "", " accepted"},
	  {"desk.actions_refused_total", FORM_COUNT, "", " refused"},
	  {"desk.actions_waiting", FORM_COUNT, "", " waiting"},
	  {"desk.escalations_total", FORM_COUNT, "", " escalations"}}},
	{"queues",
	 {{"queues.groups_free", FORM_COUNT, "groups ", " free"},
	  {"queues.groups", FORM_COUNT, "", " in all"},
	  {"queues.reading_paused", FORM_YES, "reading paused: ", ""}}},
	{"memory", {{"memory.rss_bytes", FORM_BYTES, "", ""}}},
	{"certificate", {{"tls.certificate_days_left", FORM_COUNT, "", " days left"}}},
	{"handshakes",
	 {{"connections.full_handshakes_total", FORM_COUNT, "", " full"},
	  {"connections.short_handshakes_total", FORM_COUNT, "", " short"},
	  {"tls.clients_known", FORM_COUNT, "", " clients known"}}},
};

/* The member at "a.b"; NULL when it is missing. */
static const json_t *
member_at(const json_t *root, const char *path)
{
	const char *dot = strchr(path, '.');
	char section[32];

	if (dot == NULL)
		return json_object_get(root, path);
	(void)snprintf(section, sizeof(section), "%.*s", (int)(dot - path), path);
	return json_object_get(json_object_get(root, section), dot + 1);
}

/* Numbers that are not whole, or not numbers, become text as they are. */
static const char *
value_text(const json_t *value, char out[TEXT_SHORT])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (!json_is_number(value))
		return "-";
	(void)snprintf(out, TEXT_SHORT, "%.15g", json_number_value(value));
	return out;
}

static const char *
number_text(double number, enum form form, char out[TEXT_SHORT])
{
	/* beyond this a double has no whole numbers, and the conversion no meaning */
	const double limit = 9e15;
	int64_t whole = number > limit    ? (int64_t)limit
			: number < -limit ? (int64_t)-limit
					  : (int64_t)number;

	switch (form) {
	case FORM_COUNT:
		return text_count(whole, out);
	case FORM_BYTES:
		return text_bytes(whole, out);
	case FORM_RATE:
		(void)text_bytes(whole, out);
		return strcat(out, "/s"); /* "1023.9 PiB" leaves room */
	case FORM_SECONDS:
		return text_duration(whole, out);
	case FORM_FRACTION:
		(void)snprintf(out, TEXT_SHORT, "%.2f s", number);
		return out;
	case FORM_MS:
		(void)snprintf(out, TEXT_SHORT, "%lld ms", (long long)whole);
		return out;
	case FORM_US:
		(void)snprintf(out, TEXT_SHORT, "%lld us", (long long)whole);
		return out;
	case FORM_TIME:
		return whole == 0 ? "-" : text_time(whole, out);
	case FORM_TEXT:
	case FORM_YES:
		break;
	}
	return "-";
}

static void
item_put(const json_t *status, const struct item *item, FILE *out)
{
	const json_t *value = member_at(status, item->path);
	bool is_text = item->form == FORM_TEXT || item->form == FORM_YES;
	char room[TEXT_SHORT];

	(void)fputs(item->before, out);
	if (!is_text && json_is_number(value))
		text_put(out, number_text(json_number_value(value), item->form, room));
	else
		text_put(out, value_text(value, room));
	(void)fputs(item->after, out);
}

static void
label_put(const char *label, FILE *out)
{
	(void)fprintf(out, "%-*s", LABEL_WIDTH, label);
}

static void
lines_put(const json_t *status, const struct line *table, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct item *items = table[i].items;

		label_put(table[i].label, out);
		for (size_t k = 0; k < ITEMS_MAX && items[k].path != NULL; k++) {
			if (k > 0)
				(void)fputs(", ", out);
			item_put(status, &items[k], out);
		}
		(void)fputc('\n', out);
	}
}

static void
listener_put(const json_t *listener, FILE *out)
{
	const json_t *connections = json_object_get(listener, "connections");
	char room[TEXT_SHORT];

	text_put_padded(out, value_text(json_object_get(listener, "address"), room), ADDRESS_WIDTH,
			false);
	if (json_is_true(json_object_get(listener, "controllers")))
		(void)fputs(" controllers", out);
	if (json_is_true(json_object_get(listener, "consoles")))
		(void)fputs(" consoles", out);
	if (json_is_true(json_object_get(listener, "desks")))
		(void)fputs(" desks", out);
	if (connections != NULL)
		(void)fprintf(out, " %s", value_text(connections, room));
	(void)fputc('\n', out);
}

static void
listeners_put(const json_t *listeners, FILE *out)
{
	size_t i;
	json_t *listener;

	json_array_foreach (listeners, i, listener) {
		label_put(i == 0 ? "listeners" : "", out);
		listener_put(listener, out);
	}
}

/* "too_many 3, no_certificate 1"; nothing when there is none. */
static void
reasons_put(const char *label, json_t *reasons, FILE *out)
{
	const char *reason;
	json_t *count;
	bool first = true;
	char room[TEXT_SHORT];

	json_object_foreach (reasons, reason, count) {
		if (json_number_value(count) == 0)
			continue;
		if (first)
			label_put(label, out);
		(void)fputs(first ? "" : ", ", out);
		text_put(out, reason);
		(void)fputc(' ', out);
		text_put(out, value_text(count, room));
		first = false;
	}
	if (!first)
		(void)fputc('\n', out);
}

void
show_status(const json_t *status, FILE *out)
{
	const json_t *connections = json_object_get(status, "connections");
	const char *reason = json_string_value(member_at(status, "store.reason"));

	lines_put(status, head_lines, ARRAY_LEN(head_lines), out);
	listeners_put(json_object_get(status, "listeners"), out);
	reasons_put("refused", json_object_get(connections, "refused"), out);
	reasons_put("closed", json_object_get(connections, "closed"), out);
	lines_put(status, lines, ARRAY_LEN(lines), out);
	if (reason != NULL && reason[0] != '\0') {
		label_put("store says", out);
		text_put(out, reason);
		(void)fputc('\n', out);
	}
}
