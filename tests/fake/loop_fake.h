/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event loop that a test turns by hand, in the place of base/loop.c: file
 * descriptors are real, timers fire when the test says so.  A turn can be cut in
 * two, so that a test sees what is there before the end of the turn.
 */
#ifndef GATEHOUSE_TESTS_FAKE_LOOP_FAKE_H
#define GATEHOUSE_TESTS_FAKE_LOOP_FAKE_H

#include "base/loop.h"

/* Mail and descriptors, without the end of the turn.  Waits at most so long for
 * something to do. */
void loop_fake_events(struct loop *loop, unsigned wait_ms);
/* The end of the turn. */
void loop_fake_end_turn(struct loop *loop);
/* Both. */
void loop_fake_turn(struct loop *loop, unsigned wait_ms);
/* How soon a turn was asked for since the last one ended; UINT64_MAX: none was. */
uint64_t loop_fake_within_ms(const struct loop *loop);
/* Every timer, once. */
void loop_fake_tick(struct loop *loop);

#endif
