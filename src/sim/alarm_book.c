/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sent alarms in a hash by controller and seq.  The first change that a record
 * causes has one position in the server's stream: a sight counts for the
 * latency when it is of that position, so that a later change of the same
 * alarm, by a dispatcher say, doesn't.
 *
 * It never forgets an alarm of the run: 100 bytes each.
 */
#include "sim/alarm_book.h"

#include <stdlib.h>
#include <uthash.h>

struct alarm_key {
	uint64_t controller; /* 64 bits: no padding in a key */
	uint64_t seq;
};

struct sent_alarm {
	UT_hash_handle hh;
	struct alarm_key key;
	uint64_t sent_ns;
	uint64_t position; /* of the change; 0: not seen yet */
	size_t sights;     /* by how many consoles */
};

static struct sent_alarm *
alarm_book_find(const struct alarm_book *book, const struct alarm_key *key)
{
	struct sent_alarm *alarm;

	HASH_FIND(hh, book->by_record, key, sizeof(*key), alarm);
	return alarm;
}

bool
alarm_book_sent(struct alarm_book *book, uint32_t controller, uint64_t seq, uint64_t now_ns)
{
	const struct alarm_key key = {controller, seq};
	struct sent_alarm *alarm;

	if (alarm_book_find(book, &key) != NULL)
		return false;
	alarm = xcalloc(1, sizeof(*alarm));
	alarm->key = key;
	alarm->sent_ns = now_ns;
	HASH_ADD(hh, book->by_record, key, sizeof(alarm->key), alarm);
	book->sent++;
	return true;
}

void
alarm_book_seen(struct alarm_book *book, uint32_t controller, uint64_t seq, uint64_t position,
		uint64_t now_ns)
{
	const struct alarm_key key = {controller, seq};
	struct sent_alarm *alarm = alarm_book_find(book, &key);

	if (alarm == NULL)
		return;
	if (alarm->position == 0) {
		alarm->position = position;
		book->seen++;
	}
	if (alarm->position != position)
		return;
	latency_add(&book->latency, now_ns - alarm->sent_ns);
	if (++alarm->sights == book->consoles)
		latency_add(&book->last, now_ns - alarm->sent_ns);
}

void
alarm_book_free(struct alarm_book *book)
{
	struct sent_alarm *alarm, *next;

	HASH_ITER (hh, book->by_record, alarm, next) {
		HASH_DEL(book->by_record, alarm);
		free(alarm);
	}
	*book = (struct alarm_book){0};
}
