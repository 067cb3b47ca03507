/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which alarms were sent and when, to tell how long each took until a console
 * saw it.  Owner: the simulator's thread.
 */
#ifndef GATEHOUSE_SIM_ALARM_BOOK_H
#define GATEHOUSE_SIM_ALARM_BOOK_H

#include "sim/latency.h"

struct sent_alarm;

/* Zeroed: empty. */
struct alarm_book {
	struct sent_alarm *by_record; /* hash */
	uint64_t sent, seen;          /* different alarms; seen: by any console */
	size_t consoles;              /* that see each alarm, once; 0: not known */
	struct latency latency;       /* of each sight by each console */
	struct latency last;          /* of the sight by the last of `consoles` */
};

/* The record of an alarm goes out.  False when it went out before. */
bool alarm_book_sent(struct alarm_book *book, uint32_t controller, uint64_t seq, uint64_t now_ns);
/* A console saw a change of an alarm that this record caused, as it happened
 * (not in a snapshot).  Others than those that were sent are passed over. */
void alarm_book_seen(struct alarm_book *book, uint32_t controller, uint64_t seq, uint64_t position,
		     uint64_t now_ns);
void alarm_book_free(struct alarm_book *book);

#endif
