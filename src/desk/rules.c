/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules: a row for each row of the vocabulary.
 *
 * The times follow what a dispatcher does first, see wire/kind.c: for a critical alarm
 * the next station is called while a first acknowledgement by EN 50518 would still be
 * in time there (60 s for 98.5 %), for a high one within its 180 s.
 */
#include "desk/rules.h"

#include <stdlib.h>

struct desk_rules {
	size_t n;
	struct desk_rule rows[]; /* as in kind_table(); SEVERITY_NONE: raises nothing */
};

static const struct {
	uint32_t escalate_s, ack_limit_s;
} defaults[] = {
	[SEVERITY_NONE] = {0, 0},         [SEVERITY_LOW] = {0, 0}, /* is looked at in the morning */
	[SEVERITY_MEDIUM] = {600, 7200},  [SEVERITY_HIGH] = {120, 3600},
	[SEVERITY_CRITICAL] = {45, 1800},
};

struct desk_rule
desk_rule_of_severity(const struct kind *kind, enum severity severity)
{
	must((size_t)severity < ARRAY_LEN(defaults));
	return (struct desk_rule){
		.severity = severity,
		.latches = (kind->flags & KIND_FLAG_LATCH) != 0,
		.escalate_s = defaults[severity].escalate_s,
		.ack_limit_s = defaults[severity].ack_limit_s,
	};
}

struct desk_rules *
desk_rules_new(void)
{
	struct desk_rules *rules;
	const struct kind *kinds;
	size_t n;

	kinds = kind_table(&n);
	rules = xcalloc(1, sizeof(*rules) + n * sizeof(rules->rows[0]));
	rules->n = n;
	for (size_t i = 0; i < n; i++)
		rules->rows[i] = desk_rule_of_severity(&kinds[i], kinds[i].severity);
	return rules;
}

void
desk_rules_free(struct desk_rules **rules)
{
	free(*rules);
	*rules = NULL;
}

static size_t
rule_place(const struct desk_rules *rules, uint32_t code)
{
	const struct kind *kind = kind_get(code);
	size_t n;

	return kind != NULL ? (size_t)(kind - kind_table(&n)) : rules->n;
}

const struct desk_rule *
desk_rule_of(const struct desk_rules *rules, uint32_t kind)
{
	size_t i = rule_place(rules, kind);

	return i < rules->n && rules->rows[i].severity != SEVERITY_NONE ? &rules->rows[i] : NULL;
}

void
desk_rule_set(struct desk_rules *rules, uint32_t kind, const struct desk_rule *rule)
{
	size_t i = rule_place(rules, kind);

	must(i < rules->n && rules->rows[i].severity != SEVERITY_NONE);
	must(rule->severity != SEVERITY_NONE);
	rules->rows[i] = *rule;
}
