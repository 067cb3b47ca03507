/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appender's turn without its thread.  In a file of its own: the journal and the
 * store both have a `struct batch` within.
 */
#ifndef GATEHOUSE_TESTS_GUARD_APPENDER_H
#define GATEHOUSE_TESTS_GUARD_APPENDER_H

#include "journal/journal.h"

/* Seals, writes and syncs what was posted; the groups are back then. */
void appender_turn(struct journal *journal);

#endif
