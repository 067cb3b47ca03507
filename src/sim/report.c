/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of JSON objects, one call each: json_pack()'s formats are checked by
 * nobody, and a forgotten argument becomes a number from the stack.
 */
#include "sim/report.h"

#include <stdio.h>

static double
ms_of(uint64_t ns)
{
	return (double)ns / 1e6;
}

void
report_count(json_t *object, const char *name, uint64_t n)
{
	(void)json_object_set_new(object, name, json_integer((json_int_t)n));
}

void
report_real(json_t *object, const char *name, double value)
{
	(void)json_object_set_new(object, name, json_real(value));
}

void
report_bool(json_t *object, const char *name, bool value)
{
	(void)json_object_set_new(object, name, json_boolean(value));
}

void
report_text(json_t *object, const char *name, const char *text)
{
	(void)json_object_set_new(object, name, json_string(text));
}

void
report_latency(json_t *object, const char *name, const struct latency *latency)
{
	json_t *member = json_object();

	report_count(member, "samples", latency->n);
	report_real(member, "p50", ms_of(latency_quantile_ns(latency, 0.5)));
	report_real(member, "p90", ms_of(latency_quantile_ns(latency, 0.9)));
	report_real(member, "p99", ms_of(latency_quantile_ns(latency, 0.99)));
	report_real(member, "max", ms_of(latency->max_ns));
	(void)json_object_set_new(object, name, member);
}

void
report_print(json_t *root)
{
	(void)json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	(void)fputs("\n", stdout);
	json_decref(root);
}

void
report_latency_words(const struct latency *latency, char out[REPORT_LATENCY_MAX])
{
	(void)snprintf(
		out, REPORT_LATENCY_MAX, "p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, longest %.1f ms",
		ms_of(latency_quantile_ns(latency, 0.5)), ms_of(latency_quantile_ns(latency, 0.9)),
		ms_of(latency_quantile_ns(latency, 0.99)), ms_of(latency->max_ns));
}
