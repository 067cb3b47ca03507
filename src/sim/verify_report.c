/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verify found: a table for people, or JSON whose names are part of the
 * program's interface and are only ever added to.
 */
#include <inttypes.h>
#include <stdio.h>

#include "sim/report.h"
#include "sim/verify.h"

bool
verify_is_right(const struct verify_result *result)
{
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		if (result->records.faults[i] > 0)
			return false;
	return result->alarms.twice == 0 && result->lists.differing == 0 &&
	       (!result->alarms_expected || result->alarms.missing == 0);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static json_t *
json_examples(const struct compare_result *records)
{
	json_t *list = json_array();

	for (size_t fault = 0; fault < COMPARE_FAULTS; fault++) {
		for (size_t i = 0; i < COMPARE_EXAMPLES && i < records->faults[fault]; i++) {
			const struct compare_example *e = &records->examples[fault][i];
			json_t *example = json_object();

			report_text(example, "fault",
				    compare_fault_name((enum compare_fault)fault));
			report_text(example, "controller", e->controller);
			report_count(example, "epoch", e->epoch);
			report_count(example, "seq", e->seq);
			(void)json_array_append_new(list, example);
		}
	}
	return list;
}

static json_t *
json_consoles(const struct sightings_result *alarms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < alarms->n_consoles; i++) {
		const struct sightings_console *c = &alarms->consoles[i];
		json_t *console = json_object();

		report_text(console, "name", c->name);
		report_count(console, "messages", c->messages);
		report_count(console, "resyncs", c->resyncs);
		report_count(console, "twice", c->twice);
		report_latency(console, "latency_ms", &c->latency);
		(void)json_array_append_new(list, console);
	}
	return list;
}

static json_t *
json_alarms(const struct sightings_result *alarms, bool expected)
{
	json_t *object = json_object();

	report_bool(object, "expected", expected);
	report_count(object, "sent", alarms->sent);
	report_count(object, "seen", alarms->seen);
	report_count(object, "missing", alarms->missing);
	report_count(object, "merged", alarms->merged);
	report_count(object, "twice", alarms->twice);
	report_latency(object, "latency_ms", &alarms->latency);
	(void)json_object_set_new(object, "consoles", json_consoles(alarms));
	return object;
}

static json_t *
json_lists(const struct lists_result *lists)
{
	json_t *object = json_object(), *examples = json_array();

	report_count(object, "controllers", lists->controllers);
	report_count(object, "rights", lists->rights);
	report_count(object, "differing", lists->differing);
	for (size_t i = 0; i < LISTS_EXAMPLES && i < lists->differing; i++)
		(void)json_array_append_new(examples, json_string(lists->examples[i]));
	(void)json_object_set_new(object, "examples", examples);
	return object;
}

static void
verify_report_json(const struct verify_result *result)
{
	const struct compare_result *records = &result->records;
	json_t *root = json_object();

	report_bool(root, "ok", verify_is_right(result));
	report_count(root, "controllers", records->controllers);
	report_count(root, "sent", records->sent);
	report_count(root, "acked", records->acked);
	report_count(root, "stored", records->stored);
	report_count(root, "quarantined", records->quarantined);
	report_count(root, "foreign", records->foreign);
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		report_count(root, compare_fault_name((enum compare_fault)i), records->faults[i]);
	(void)json_object_set_new(root, "examples", json_examples(records));
	(void)json_object_set_new(root, "alarms",
				  json_alarms(&result->alarms, result->alarms_expected));
	(void)json_object_set_new(root, "lists", json_lists(&result->lists));
	report_print(root);
}

/* ---- Text -------------------------------------------------------------------------------- */

static void
print_latency(const char *name, const struct latency *latency)
{
	char words[REPORT_LATENCY_MAX];

	if (latency->n == 0)
		return;
	report_latency_words(latency, words);
	printf("  %-20s %s (%" PRIu64 ")\n", name, words, latency->n);
}

static void
print_faults(const struct compare_result *records)
{
	for (size_t fault = 0; fault < COMPARE_FAULTS; fault++) {
		printf("%-14s %" PRIu64 "\n", compare_fault_name((enum compare_fault)fault),
		       records->faults[fault]);
		for (size_t i = 0; i < COMPARE_EXAMPLES && i < records->faults[fault]; i++) {
			const struct compare_example *e = &records->examples[fault][i];

			printf("  controller %s epoch %" PRIu64 " seq %" PRIu64 "\n", e->controller,
			       e->epoch, e->seq);
		}
	}
}

static void
print_lists(const struct lists_result *lists)
{
	if (lists->controllers == 0)
		return;
	printf("lists          %" PRIu64 " controllers hold %" PRIu64 " rights, %" PRIu64
	       " differ from the register\n",
	       lists->controllers, lists->rights, lists->differing);
	for (size_t i = 0; i < LISTS_EXAMPLES && i < lists->differing; i++)
		printf("  controller %s\n", lists->examples[i]);
}

static void
verify_report_text(const struct verify_result *result)
{
	const struct compare_result *records = &result->records;
	const struct sightings_result *alarms = &result->alarms;

	printf("controllers    %" PRIu64 "\nrecords        %" PRIu64 " sent, %" PRIu64
	       " acknowledged, %" PRIu64 " stored, %" PRIu64 " in quarantine\n",
	       records->controllers, records->sent, records->acked, records->stored,
	       records->quarantined);
	print_faults(records);
	if (records->foreign > 0)
		printf("foreign        %" PRIu64 " rows in epochs that the ledger doesn't know\n",
		       records->foreign);
	if (alarms->sent > 0 || alarms->n_consoles > 0) {
		printf("alarms         %" PRIu64 " sent, %" PRIu64 " seen, %" PRIu64
		       " missing, %" PRIu64 " merged by a resync, %" PRIu64 " seen twice\n",
		       alarms->sent, alarms->seen, alarms->missing, alarms->merged, alarms->twice);
		print_latency("all consoles", &alarms->latency);
		for (size_t i = 0; i < alarms->n_consoles; i++)
			print_latency(alarms->consoles[i].name, &alarms->consoles[i].latency);
	}
	print_lists(&result->lists);
	puts(verify_is_right(result) ? "all is right" : "NOT RIGHT");
}

void
verify_report(const struct verify_result *result, bool json)
{
	if (json)
		verify_report_json(result);
	else
		verify_report_text(result);
}
