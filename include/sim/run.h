/* SPDX-License-Identifier: Apache-2.0 */
/* The two jobs of the program.  Each returns the exit status. */
#ifndef GATEHOUSE_SIM_RUN_H
#define GATEHOUSE_SIM_RUN_H

#include "sim/options.h"

/* 0; 1: failed, or not everything was acknowledged in time; 2: can't begin. */
int run_fleet(const struct run_options *options);

/* 0: ledger and PostgreSQL agree; 1: they don't; 2: can't compare. */
int run_verify(const struct verify_options *options);

#endif
