/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens at the simulated doors, and when: live records at a rate, rows
 * of the badge log at its speed, alarms and their ends.
 */
#ifndef GATEHOUSE_SIM_TRAFFIC_H
#define GATEHOUSE_SIM_TRAFFIC_H

#include "sim/sim.h"

/* Adds what is due by now.  Call often: what is late comes at once. */
void traffic_turn(struct sim *sim, uint64_t now_ns);
/* Adds the ends of all alarms that are still open. */
void traffic_restore_all(struct sim *sim);
/* True when nothing more will happen by itself. */
bool traffic_is_over(const struct sim *sim);
void traffic_fini(struct sim *sim);

#endif
