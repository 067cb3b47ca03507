/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verify found: a table for people, or JSON whose names are part of the
 * program's interface and are only ever added to.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "sim/verify.h"

static double
ms_of(uint64_t ns)
{
	return (double)ns / 1e6;
}

bool
verify_is_right(const struct compare_result *records, const struct sightings_result *alarms,
		bool alarms_expected)
{
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		if (records->faults[i] > 0)
			return false;
	return alarms->twice == 0 && (!alarms_expected || alarms->missing == 0);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static json_t *
report_latency(const struct latency *latency)
{
	return json_pack("{s:I, s:f, s:f, s:f, s:f}", "samples", (json_int_t)latency->n, "p50",
			 ms_of(latency_quantile_ns(latency, 0.5)), "p90",
			 ms_of(latency_quantile_ns(latency, 0.9)), "p99",
			 ms_of(latency_quantile_ns(latency, 0.99)), "max", ms_of(latency->max_ns));
}

static json_t *
report_examples(const struct compare_result *records)
{
	json_t *list = json_array();

	for (size_t fault = 0; fault < COMPARE_FAULTS; fault++) {
		for (size_t i = 0; i < COMPARE_EXAMPLES && i < records->faults[fault]; i++) {
			const struct compare_example *e = &records->examples[fault][i];

			(void)json_array_append_new(
				list, json_pack("{s:s, s:s, s:I, s:I}", "fault",
						compare_fault_name((enum compare_fault)fault),
						"controller", e->controller, "epoch",
						(json_int_t)e->epoch, "seq", (json_int_t)e->seq));
		}
	}
	return list;
}

static json_t *
report_consoles(const struct sightings_result *alarms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < alarms->n_consoles; i++) {
		const struct sightings_console *c = &alarms->consoles[i];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:I, s:o}", "name", c->name, "messages",
					(json_int_t)c->messages, "resyncs", (json_int_t)c->resyncs,
					"twice", (json_int_t)c->twice, "latency_ms",
					report_latency(&c->latency)));
	}
	return list;
}

static json_t *
report_alarms(const struct sightings_result *alarms, bool expected)
{
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "expected", expected, "sent",
			 (json_int_t)alarms->sent, "seen", (json_int_t)alarms->seen, "missing",
			 (json_int_t)alarms->missing, "merged", (json_int_t)alarms->merged, "twice",
			 (json_int_t)alarms->twice, "latency_ms", report_latency(&alarms->latency),
			 "consoles", report_consoles(alarms));
}

static void
report_json(const struct compare_result *records, const struct sightings_result *alarms,
	    bool expected)
{
	json_t *root = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "ok",
				 verify_is_right(records, alarms, expected), "controllers",
				 (json_int_t)records->controllers, "sent",
				 (json_int_t)records->sent, "acked", (json_int_t)records->acked,
				 "stored", (json_int_t)records->stored, "quarantined",
				 (json_int_t)records->quarantined);

	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		(void)json_object_set_new(root, compare_fault_name((enum compare_fault)i),
					  json_integer((json_int_t)records->faults[i]));
	(void)json_object_set_new(root, "examples", report_examples(records));
	(void)json_object_set_new(root, "alarms", report_alarms(alarms, expected));
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	(void)fputs("\n", stdout);
	json_decref(root);
}

/* ---- Text -------------------------------------------------------------------------------- */

static void
report_latency_text(const char *name, const struct latency *latency)
{
	printf("  %-20s p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, longest %.1f ms (%" PRIu64 ")\n",
	       name, ms_of(latency_quantile_ns(latency, 0.5)),
	       ms_of(latency_quantile_ns(latency, 0.9)), ms_of(latency_quantile_ns(latency, 0.99)),
	       ms_of(latency->max_ns), latency->n);
}

static void
report_faults_text(const struct compare_result *records)
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
report_text(const struct compare_result *records, const struct sightings_result *alarms,
	    bool expected)
{
	printf("controllers    %" PRIu64 "\nrecords        %" PRIu64 " sent, %" PRIu64
	       " acknowledged, %" PRIu64 " stored, %" PRIu64 " in quarantine\n",
	       records->controllers, records->sent, records->acked, records->stored,
	       records->quarantined);
	report_faults_text(records);
	if (records->foreign > 0)
		printf("foreign        %" PRIu64 " rows in epochs that the ledger doesn't know\n",
		       records->foreign);
	if (alarms->sent > 0 || alarms->n_consoles > 0) {
		printf("alarms         %" PRIu64 " sent, %" PRIu64 " seen, %" PRIu64
		       " missing, %" PRIu64 " merged by a resync, %" PRIu64 " seen twice\n",
		       alarms->sent, alarms->seen, alarms->missing, alarms->merged, alarms->twice);
		if (alarms->latency.n > 0)
			report_latency_text("all consoles", &alarms->latency);
		for (size_t i = 0; i < alarms->n_consoles; i++)
			if (alarms->consoles[i].latency.n > 0)
				report_latency_text(alarms->consoles[i].name,
						    &alarms->consoles[i].latency);
	}
	puts(verify_is_right(records, alarms, expected) ? "all is right" : "NOT RIGHT");
}

void
verify_report(const struct compare_result *records, const struct sightings_result *alarms,
	      bool alarms_expected, bool json)
{
	if (json)
		report_json(records, alarms, alarms_expected);
	else
		report_text(records, alarms, alarms_expected);
}
