/* SPDX-License-Identifier: Apache-2.0 */
/* What the program's JSON is made of; the names are its interface. */
#ifndef GATEHOUSE_SIM_REPORT_H
#define GATEHOUSE_SIM_REPORT_H

#include <jansson.h>

#include "sim/latency.h"

/* Each adds a member to the object. */
void report_count(json_t *object, const char *name, uint64_t n);
void report_real(json_t *object, const char *name, double value);
void report_bool(json_t *object, const char *name, bool value);
/* A text that isn't UTF-8 is left out. */
void report_text(json_t *object, const char *name, const char *text);
/* samples, p50, p90, p99 and max, in milliseconds. */
void report_latency(json_t *object, const char *name, const struct latency *latency);

/* Writes to stdout and frees. */
void report_print(json_t *root);

/* "p50 0.6 ms, p90 2.1 ms, p99 4.0 ms, longest 7.1 ms" */
enum { REPORT_LATENCY_MAX = 120 };
void report_latency_words(const struct latency *latency, char out[REPORT_LATENCY_MAX]);

#endif
