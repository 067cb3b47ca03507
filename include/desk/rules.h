/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each kind of alarm is handled: severity, whether it latches, when it goes on to
 * the next station, how long an acknowledgement holds.  Defaults, and what the
 * configuration says otherwise.
 *
 * One thread while it is made, then immutable.
 */
#ifndef GATEHOUSE_DESK_RULES_H
#define GATEHOUSE_DESK_RULES_H

#include "wire/kind.h"

struct desk_rule {
	enum severity severity; /* not SEVERITY_NONE */
	bool latches;
	uint32_t escalate_s;  /* nobody took it for so long: one more station; 0: never */
	uint32_t ack_limit_s; /* nothing followed for so long: nobody has it; 0: never */
};

struct desk_rules;

/* The defaults. */
struct desk_rules *desk_rules_new(void);
void desk_rules_free(struct desk_rules **rules);
/* The default for a kind, were it of this severity. */
struct desk_rule desk_rule_of_severity(const struct kind *kind, enum severity severity);
/* NULL when the kind raises no alarm. */
const struct desk_rule *desk_rule_of(const struct desk_rules *rules, uint32_t kind);
/* The kind must raise alarms. */
void desk_rule_set(struct desk_rules *rules, uint32_t kind, const struct desk_rule *rule);

#endif
